"""TERMINAL PROFILE, FETCH, TERMINAL RESPONSE and ENVELOPE (TS 102 221 clauses 11.2.1 to 11.2.4, TS 102 223)."""

from __future__ import annotations

from dataclasses import replace
from enum import IntEnum

from card.codec.apdu import ClassFamily, CommandApdu
from card.codec.proactive import Tag, TerminalResponse, iter_objects
from card.codec.tlv import decode_tlv
from card.commands.context import Context
from card.commands.registry import CommandRow, Data, zero_parameters
from card.commands.reply import DONE, Refused, Reply
from card.domain.cat import engine
from card.domain.cat.engine import CatState, NothingToFetch, UnexpectedResponse
from card.errors import DecodeError
from card.lean import lean_dataclass
from card.spec.ins import INS
from card.spec.refs import Ref
from card.spec.status import SW, wrong_le

_FAMILIES = (ClassFamily.ETSI, ClassFamily.GSM)


class Message(IntEnum):
    """Tags of what the terminal tells the card in an ENVELOPE (TS 102 223 clause 9.1, TS 31.111 clause 7)."""

    SMS_PP_DOWNLOAD = 0xD1
    CELL_BROADCAST_DOWNLOAD = 0xD2
    MENU_SELECTION = 0xD3
    CALL_CONTROL = 0xD4
    SMS_CONTROL = 0xD5
    EVENT_DOWNLOAD = 0xD6
    TIMER_EXPIRATION = 0xD7


@lean_dataclass(frozen=True, slots=True)
class Envelope:
    """A message and its objects by tag (the first of each)."""

    message: Message
    objects: dict[int, bytes]


def decode_profile(apdu: CommandApdu) -> bytes:
    """Return the terminal profile."""
    return apdu.data


def terminal_profile(ctx: Context, profile: bytes) -> Reply:
    """Learn what the terminal can do, and begin to ask for things."""
    ctx.notes = replace(ctx.notes, cat=ctx.cat.start(profile, ctx.clock.monotonic()))
    return DONE


def _state(ctx: Context) -> CatState:
    state = ctx.notes.cat
    if state is None:
        raise NothingToFetch
    return state


def decode_fetch(apdu: CommandApdu) -> int:
    """Return how many bytes are wanted."""
    if apdu.le is None:
        raise Refused(SW.WRONG_LENGTH)
    return apdu.le


def fetch(ctx: Context, wanted: int) -> Reply:
    """Hand out the proactive command that was announced."""
    state = _state(ctx)
    if wanted < len(state.announced):
        return Reply(sw=wrong_le(len(state.announced)))
    fetched = engine.fetch(state)
    ctx.notes = replace(ctx.notes, cat=fetched)
    return Reply(state.announced)


def decode_response(apdu: CommandApdu) -> TerminalResponse:
    """Read the terminal's answer."""
    return TerminalResponse.decode(apdu.data)


def terminal_response(ctx: Context, response: TerminalResponse) -> Reply:
    """Take in the answer to the command that was fetched."""
    ctx.notes = replace(ctx.notes, cat=engine.respond(_state(ctx), response))
    return DONE


def decode_envelope(apdu: CommandApdu) -> Envelope:
    """Read the message; unknown ones are refused."""
    outer = decode_tlv(apdu.data)
    if outer.tag not in Message.__members__.values():
        raise DecodeError(f"ENVELOPE: message {outer.tag:02X} is not supported")
    return Envelope(Message(outer.tag), dict(reversed(list(iter_objects(outer.value)))))


def envelope(ctx: Context, request: Envelope) -> Reply:
    """Carry out a menu selection, hand on a short message; other messages are acknowledged and control nothing."""
    match request.message:
        case Message.MENU_SELECTION:
            item = request.objects.get(Tag.ITEM_IDENTIFIER, b"")
            if len(item) != 1:
                raise DecodeError("menu selection: item identifier missing")
            ctx.notes = replace(ctx.notes, cat=ctx.cat.choose(_state(ctx), item[0]))
        case Message.SMS_PP_DOWNLOAD:
            tpdu = request.objects.get(Tag.SMS_TPDU)
            if tpdu is None:
                raise DecodeError("SMS-PP download: TPDU missing")
            return Reply(ctx.card.downloads.receive(request.objects.get(Tag.ADDRESS, b""), tpdu))
    return DONE


_ERRORS = {
    NothingToFetch: SW.CONDITIONS_NOT_SATISFIED,
    UnexpectedResponse: SW.CONDITIONS_NOT_SATISFIED,
}

ROWS: tuple[CommandRow, ...] = (
    CommandRow(
        name="TERMINAL PROFILE",
        ins=INS.TERMINAL_PROFILE,
        families=_FAMILIES,
        decode=decode_profile,
        execute=terminal_profile,
        ref=Ref("TS 102 221", "11.2.1"),
        data=Data.REQUIRED,
        parameters=zero_parameters,
    ),
    CommandRow(
        name="ENVELOPE",
        ins=INS.ENVELOPE,
        families=_FAMILIES,
        decode=decode_envelope,
        execute=envelope,
        ref=Ref("TS 102 221", "11.2.2"),
        data=Data.REQUIRED,
        parameters=zero_parameters,
        errors=_ERRORS,
    ),
    CommandRow(
        name="FETCH",
        ins=INS.FETCH,
        families=_FAMILIES,
        decode=decode_fetch,
        execute=fetch,
        ref=Ref("TS 102 221", "11.2.3"),
        parameters=zero_parameters,
        errors=_ERRORS,
    ),
    CommandRow(
        name="TERMINAL RESPONSE",
        ins=INS.TERMINAL_RESPONSE,
        families=_FAMILIES,
        decode=decode_response,
        execute=terminal_response,
        ref=Ref("TS 102 221", "11.2.4"),
        data=Data.REQUIRED,
        parameters=zero_parameters,
        errors=_ERRORS,
    ),
)
