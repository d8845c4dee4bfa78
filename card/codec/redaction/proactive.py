"""What is secret of the card application toolkit (TS 102 223): passwords, what users type, commands over the air."""

from __future__ import annotations

from card.codec.reader import Reader
from card.codec.tlv import read_length, read_tag
from card.errors import DecodeError
from card.spec.ins import INS
from card.spec.secrets import OPEN_ENVELOPES, OPEN_PROACTIVE, TYPED_BY_USER

_PROACTIVE_COMMAND = 0xD0
_COMMAND_DETAILS, _COMPREHENSION = 0x01, 0x80


def is_open(ins: int, data: bytes) -> bool:
    """Tell whether the data of ENVELOPE or TERMINAL RESPONSE, or the answer to FETCH, may be seen."""
    if not data:
        return True
    if ins == INS.ENVELOPE:
        return data[0] in OPEN_ENVELOPES
    try:
        kind = _kind(data, fetched=ins == INS.FETCH)
    except DecodeError:
        return False
    return kind in OPEN_PROACTIVE and not (ins == INS.TERMINAL_RESPONSE and kind in TYPED_BY_USER)


def _kind(data: bytes, *, fetched: bool) -> int:
    """Return the type in the command details, which come first (TS 102 223 clause 8.6). Raises `DecodeError`."""
    reader = Reader(data)
    if fetched:
        if read_tag(reader) != _PROACTIVE_COMMAND:
            raise DecodeError("no proactive command")
        read_length(reader)
    tag, size = reader.u8("tag"), reader.u8("length")
    if tag & ~_COMPREHENSION != _COMMAND_DETAILS or size != 3:
        raise DecodeError("no command details")
    return reader.take(3)[1]
