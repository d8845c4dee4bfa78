"""Turns APDUs into T=0 TPDUs and back: GSMTAP, and Wireshark behind it, know only these (ISO 7816-3 clause 12.2).

An exchange whose command and answer both carry data becomes two, as it would on a T=0 card: the command with 61XX, and
GET RESPONSE. An extended APDU has no such form and stays in one piece. Where a TPDU ends and its answer begins is not
written anywhere, only known from the instruction; `join_exchange` takes the size where somebody knows better.
"""

from __future__ import annotations

from collections.abc import Iterator

from card.codec.apdu import MAX_SHORT_LE, ClassFamily, CommandApdu, class_family
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


Tpdu = tuple[bytes, bytes]
"""What went to the card, and what came back."""


def split_exchange(command: bytes, response: bytes) -> Iterator[Tpdu]:
    """Yield one TPDU or more. What is no short APDU, or has no whole answer of one, is passed on as it is."""
    try:
        apdu = CommandApdu.decode(command)
    except DecodeError:
        yield command, response
        return
    header, data = command[:4], response[:-2]
    if apdu.extended or len(response) < 2 or (not apdu.data and len(data) > MAX_SHORT_LE):
        yield command, response
        return
    if not apdu.data:
        yield header + bytes((len(data) & 0xFF if data else (apdu.le or 0) & 0xFF,)), response
        return
    sent = header + bytes((len(apdu.data),)) + apdu.data
    if not data:
        yield sent, response
        return
    yield sent, response_available(len(data)).to_bytes(2, "big")
    yield from _get_responses(_class_of_get_response(apdu.cla), response)


def _class_of_get_response(cla: int) -> int:
    """Return the class byte of GET RESPONSE on the same logical channel (TS 102 221 clause 10.1.1)."""
    if class_family(cla) is ClassFamily.GSM:
        return cla
    return cla & 0x4F if cla & 0x40 else cla & 0x03


def _get_responses(cla: int, response: bytes) -> Iterator[Tpdu]:
    data = response[:-2]
    for start in range(0, len(data), MAX_SHORT_LE):
        part, left = data[start : start + MAX_SHORT_LE], len(data) - start - MAX_SHORT_LE
        sw = response_available(left).to_bytes(2, "big") if left > 0 else response[-2:]
        yield bytes((cla, INS.GET_RESPONSE, 0, 0, len(part) & 0xFF)), part + sw


def join_exchange(tpdu: bytes, size: int | None = None) -> Tpdu:
    """Return command and answer of a TPDU with both in one piece; `size` is that of the command, if it is known.

    Raises `DecodeError` when it is too short.
    """
    if size is not None:
        if size > len(tpdu):
            raise DecodeError(f"a command of {size} bytes in a TPDU of {len(tpdu)}")
        return tpdu[:size], tpdu[size:]
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
