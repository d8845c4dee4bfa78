"""TERMINAL CAPABILITY (TS 102 221 clause 11.1.19): the terminal says what it can do; forgotten at reset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from card.codec.apdu import CommandApdu
from card.codec.tlv import decode_tlv, decode_tlvs
from card.commands.context import Context
from card.commands.registry import ETSI, CommandRow, Data, zero_parameters
from card.commands.reply import DONE, Reply
from card.errors import DecodeError
from card.spec.ins import INS
from card.spec.refs import Ref

_TEMPLATE = 0xA9
_EXTENDED_CHANNELS = 0x81


def decode(apdu: CommandApdu) -> Mapping[int, bytes]:
    """Return the capability objects by tag."""
    template = decode_tlv(apdu.data)
    if template.tag != _TEMPLATE:
        raise DecodeError("terminal capability: tag A9 expected")
    return decode_tlvs(template.value)


def terminal_capability(ctx: Context, capabilities: Mapping[int, bytes]) -> Reply:
    """Remember what the terminal can do; a second command adds to the first."""
    ctx.notes = replace(ctx.notes, capabilities={**ctx.notes.capabilities, **capabilities})
    return DONE


def supports_extended_channels(ctx: Context) -> bool:
    """Tell whether the terminal said that it can use logical channels 4 to 19."""
    return _EXTENDED_CHANNELS in ctx.notes.capabilities


ROWS: tuple[CommandRow, ...] = (
    CommandRow(
        name="TERMINAL CAPABILITY",
        ins=INS.TERMINAL_CAPABILITY,
        families=ETSI,
        decode=decode,
        execute=terminal_capability,
        ref=Ref("TS 102 221", "11.1.19"),
        data=Data.REQUIRED,
        parameters=zero_parameters,
    ),
)
