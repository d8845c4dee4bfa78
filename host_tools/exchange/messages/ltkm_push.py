"""Key messages as datagrams: LTKMs and triggers to a terminal, verification messages back to the BSM.

A datagram is the message and nothing around it (TS 33.246 clause 6.3.2.3). Port 2269 is that of MIKEY (clause
6.3.2.3.1). Port 4359 is registered for the LTKMs of OMA BCAST; that those with OMA's extension go there follows from
its name and is provisional. A terminal listens on both.
"""

from __future__ import annotations

from enum import Enum, auto

from card.codec.bcast import bcast_extension
from card.codec.mikey import DataType, MikeyMessage
from card.errors import DecodeError
from host_tools.exchange.messages.trigger import FIRST_OCTET
from host_tools.exchange.transport import LARGEST_DATAGRAM

MIKEY_PORT = 2269
OMA_LTKM_PORT = 4359
LTKM_PORTS = (MIKEY_PORT, OMA_LTKM_PORT)


class PushKind(Enum):
    """What a datagram to a terminal is."""

    LTKM = auto()
    TRIGGER = auto()


def port_of(ltkm: bytes) -> int:
    """Return the port to which an LTKM goes. Raises `DecodeError` for bytes that are none."""
    return MIKEY_PORT if bcast_extension(MikeyMessage.decode(ltkm)) is None else OMA_LTKM_PORT


def kind_of_push(payload: bytes) -> PushKind:
    """Tell what a datagram to a terminal is. Raises `DecodeError` for what is neither kind."""
    _bound(payload)
    if payload.startswith(FIRST_OCTET):
        return PushKind.TRIGGER
    _expect(payload, DataType.PRE_SHARED)
    return PushKind.LTKM


def require_verification(payload: bytes) -> MikeyMessage:
    """Read a datagram to a BSM, which must be a verification message. Raises `DecodeError`; the MAC is not checked."""
    _bound(payload)
    return _expect(payload, DataType.VERIFICATION)


def _expect(payload: bytes, kind: DataType) -> MikeyMessage:
    message = MikeyMessage.decode(payload)
    if message.header.data_type is not kind:
        raise DecodeError("the MIKEY message is of another kind than this port takes")
    return message


def _bound(payload: bytes) -> None:
    if not 0 < len(payload) <= LARGEST_DATAGRAM:
        raise DecodeError(f"a datagram has 1 to {LARGEST_DATAGRAM} octets")
