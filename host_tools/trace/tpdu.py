"""Turns APDUs into T=0 TPDUs and back: GSMTAP, and Wireshark behind it, know only these (ISO 7816-3 clause 12.2).

An exchange whose command and answer both carry data becomes two, as it would on a T=0 card: the command with 61XX, and
GET RESPONSE.
"""

from __future__ import annotations

from collections.abc import Iterator

from card.codec.apdu import MAX_SHORT_LC, MAX_SHORT_LE, CommandApdu
from card.errors import DecodeError
from card.spec.contexts import RESPONSE_STEPS
from card.spec.ins import INS
from card.spec.status import response_available

_HEADER = 5
_BLOCK_WISE = (INS.AUTHENTICATE_ODD, INS.OMA_BCAST, INS.RETRIEVE_DATA)
_RECEIVING: frozenset[int] = frozenset({
    INS.READ_BINARY, INS.READ_RECORD, INS.GET_RESPONSE, INS.STATUS, INS.GET_CHALLENGE, INS.FETCH,
    INS.GET_DATA,
})  # fmt: skip


def split_exchange(command: bytes, response: bytes) -> Iterator[bytes]:
    """Yield one TPDU or more, each command and answer in one piece. What is no short APDU is passed on as it is."""
    try:
        apdu = CommandApdu.decode(command)
    except DecodeError:
        yield command + response
        return
    if len(apdu.data) > MAX_SHORT_LC or len(response) < 2:
        yield command + response
        return
    header, data = command[:4], response[:-2]
    if not apdu.data:
        yield header + bytes((len(data) & 0xFF if data else (apdu.le or 0) & 0xFF,)) + response
        return
    sent = header + bytes((len(apdu.data),)) + apdu.data
    if not data:
        yield sent + response
        return
    yield sent + response_available(len(data)).to_bytes(2, "big")
    yield from _get_responses(apdu.cla & 0x43 if apdu.cla & 0x40 else apdu.cla & 0x03, response)


def _get_responses(cla: int, response: bytes) -> Iterator[bytes]:
    data = response[:-2]
    for start in range(0, len(data), MAX_SHORT_LE):
        part, left = data[start : start + MAX_SHORT_LE], len(data) - start - MAX_SHORT_LE
        sw = response_available(left).to_bytes(2, "big") if left > 0 else response[-2:]
        yield bytes((cla, INS.GET_RESPONSE, 0, 0, len(part) & 0xFF)) + part + sw


def join_exchange(tpdu: bytes) -> tuple[bytes, bytes]:
    """Return command and answer of a TPDU with both in one piece. Raises `DecodeError` when it is too short."""
    if len(tpdu) < _HEADER + 2:
        raise DecodeError(f"a TPDU of {len(tpdu)} bytes")
    end = _HEADER if _receives(tpdu) else min(_HEADER + tpdu[4], len(tpdu) - 2)
    command = tpdu[:end]
    if end == _HEADER and tpdu[4] == 0 and len(tpdu) == _HEADER + 2 and not _receives(tpdu):
        command = tpdu[:4]
    return command, tpdu[end:]


def _receives(tpdu: bytes) -> bool:
    """Tell whether the data of a TPDU come from the card."""
    ins, p1 = tpdu[1], tpdu[2]
    if ins == INS.MANAGE_CHANNEL:
        return p1 == 0
    return ins in _RECEIVING or (ins in _BLOCK_WISE and p1 in RESPONSE_STEPS) or ins == INS.GET_IDENTITY
