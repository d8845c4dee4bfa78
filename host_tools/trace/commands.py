"""Says in words what a command asks for: its name, its channel, and what P1, P2 and its data mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from card.codec.apdu import CommandApdu, channel_of
from card.errors import DecodeError
from card.spec.cla import SIM_CLASS
from card.spec.contexts import NAF_DERIVATION, EvenP2, OddP2, Step
from card.spec.ins import INS

_IN_WORDS: Mapping[int, str] = {
    INS.AUTHENTICATE_ODD: "AUTHENTICATE (odd)",
    INS.OMA_BCAST: "OMA BCAST",
    INS.BCMCS: "BCMCS",
}
_SELECT_BY = {0x00: "by FID", 0x01: "child DF", 0x03: "parent DF", 0x04: "by AID", 0x08: "path from MF",
              0x09: "path from current DF"}  # fmt: skip
_KEY_REFERENCES = {0x01: "1", 0x81: "2", 0x11: "universal", 0x0A: "ADM 1"}
_CONTEXTS: Mapping[int, str] = {
    EvenP2.GSM: "GSM", EvenP2.UMTS: "3G", EvenP2.GROUP_CALL: "VGCS/VBS", EvenP2.GBA: "GBA",
    OddP2.MBMS: "MBMS", OddP2.LOCAL_KEY: "local key",
}  # fmt: skip
_BLOCKS: Mapping[int, str] = {
    Step.FIRST_COMMAND: "first block", Step.NEXT_COMMAND: "next block",
    Step.FIRST_RESPONSE: "fetch first block", Step.NEXT_RESPONSE: "fetch next block",
}  # fmt: skip
_MODES = {0x02: "next", 0x03: "previous", 0x04: ""}


def command_name(ins: int) -> str:
    """Return the name of an instruction, `INS XX` when it has none here."""
    if ins in _IN_WORDS:
        return _IN_WORDS[ins]
    if ins in INS.__members__.values():
        return INS(ins).name.replace("_", " ")
    return f"INS {ins:02X}"


def describe_command(raw: bytes) -> str:
    """Return name and parameters of a command APDU in words; bytes that are none are said to be so."""
    try:
        command = CommandApdu.decode(raw)
    except DecodeError:
        return f"no APDU ({len(raw)} bytes)"
    describer = _DESCRIBERS.get(command.ins)
    detail = describer(command) if describer else _parameters(command)
    channel = 0 if command.cla == SIM_CLASS else channel_of(command.cla)
    parts = [command_name(command.ins), detail, f"channel {channel}" if channel else ""]
    return ", ".join(part for part in (" ".join(filter(None, parts[:2])), parts[2]) if part)


def _parameters(command: CommandApdu) -> str:
    return f"P1 {command.p1:02X} P2 {command.p2:02X}" if command.p1 or command.p2 else ""


def _select(command: CommandApdu) -> str:
    target = command.data.hex().upper()
    return f"{_SELECT_BY.get(command.p1, f'P1 {command.p1:02X}')} {target}".rstrip()


def _binary(command: CommandApdu) -> str:
    size = f"{len(command.data)} bytes" if command.data else f"{command.le or 0} bytes"
    if command.p1 & 0x80:
        return f"SFI {command.p1 & 0x1F:02X}, {size} at {command.p2}"
    return f"{size} at {command.p1 << 8 | command.p2}"


def _record(command: CommandApdu) -> str:
    which = _MODES.get(command.p2 & 0x07, f"mode {command.p2 & 0x07}") or (
        f"record {command.p1}" if command.p1 else "current record"
    )
    return f"SFI {command.p2 >> 3:02X}, {which}" if command.p2 >> 3 else which


def _pin(command: CommandApdu) -> str:
    reference = _KEY_REFERENCES.get(command.p2, f"key reference {command.p2:02X}")
    return reference if command.data else f"{reference}, tries left?"


def _authenticate(command: CommandApdu) -> str:
    context = f"{_CONTEXTS.get(command.p2, f'P2 {command.p2:02X}')} context"
    if command.p2 == EvenP2.GBA and command.data:
        return f"{context}, {'NAF derivation' if command.data[0] == NAF_DERIVATION else 'bootstrapping'}"
    return context


def _odd(command: CommandApdu) -> str:
    context = _CONTEXTS.get(command.p2, "")
    return ", ".join(filter(None, (_BLOCKS.get(command.p1, f"P1 {command.p1:02X}"), context and f"{context} context")))


def _bcast(command: CommandApdu) -> str:
    return f"{_BLOCKS.get(command.p1, f'P1 {command.p1:02X}')}, mode {command.p2:02X}"


def _channel(command: CommandApdu) -> str:
    return f"close {command.p2}" if command.p1 == 0x80 else f"open {command.p2 or 'the next'}"


_DESCRIBERS: Mapping[int, Callable[[CommandApdu], str]] = {
    INS.SELECT: _select,
    INS.READ_BINARY: _binary,
    INS.UPDATE_BINARY: _binary,
    INS.READ_RECORD: _record,
    INS.UPDATE_RECORD: _record,
    INS.VERIFY_PIN: _pin,
    INS.CHANGE_PIN: _pin,
    INS.DISABLE_PIN: _pin,
    INS.ENABLE_PIN: _pin,
    INS.UNBLOCK_PIN: _pin,
    INS.AUTHENTICATE: _authenticate,
    INS.AUTHENTICATE_ODD: _odd,
    INS.OMA_BCAST: _bcast,
    INS.MANAGE_CHANNEL: _channel,
}
