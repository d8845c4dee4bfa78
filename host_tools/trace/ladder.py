"""Watches a trace for what happens on the key ladder: AKA, GBA, keys delivered, traffic keys given or refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from card.codec.apdu import CommandApdu, channel_of
from card.codec.mikey import MikeyMessage
from card.codec.reader import Reader
from card.codec.tlv import read_tlv
from card.errors import DecodeError
from card.spec.contexts import (
    COMMAND_STEPS,
    NAF_DERIVATION,
    SPECIFIC,
    SYNCHRONISATION_FAILURE,
    EvenP2,
    MbmsMode,
    OddP2,
    Step,
)  # fmt: skip
from card.spec.ins import INS
from card.spec.status import SW, describe
from host_tools.trace.asked import Attribution, announces_more
from host_tools.trace.decode import answer_paths
from host_tools.trace.events import TracedExchange
from host_tools.trace.mikey_text import describe_key_ids, find_mikey
from host_tools.trace.tlv import walk_tlvs

_MODES: Mapping[int, str] = {
    MbmsMode.MSK_UPDATE: "LTKM",
    MbmsMode.MTK_GENERATION: "STKM",
    MbmsMode.MSK_DELETION: "MSK deletion",
    MbmsMode.MUK_DELETION: "MUK deletion",
}
_CONTEXTS: Mapping[int, str] = {
    EvenP2.GSM: "GSM authentication",
    EvenP2.UMTS: "3G authentication",
    EvenP2.GBA: "GBA",
}
_LONGEST_OBJECT = 0x10000
_GOOD = ("TEK given", "accepted", "BCAST status 00")
LTKM, STKM = _MODES[MbmsMode.MSK_UPDATE], _MODES[MbmsMode.MTK_GENERATION]


@dataclass(frozen=True, slots=True)
class KeyMessage:
    """An LTKM or STKM (by `kind`) that went to a card, and the result in words; `good`: a key came of it."""

    kind: str
    message: MikeyMessage
    words: str
    good: bool


@dataclass(slots=True)
class _Transfer:
    """An object on its way to the card in blocks, and what came back."""

    sent: bytearray = field(default_factory=bytearray)
    received: bytearray = field(default_factory=bytearray)


class LadderWatch:
    """Takes exchanges in their order and says, where one ends a step of the key ladder, what it was."""

    def __init__(self, heard: Callable[[KeyMessage], None] = lambda _message: None) -> None:
        """`heard` takes each LTKM and STKM that the card answered to, also one it refused."""
        self._heard = heard
        self._transfers: dict[int, _Transfer] = {}
        self._attribution = Attribution()

    def watch(self, event: TracedExchange) -> str:
        """Return one sentence, or nothing."""
        asked = self._attribution.asked(event)
        sw = event.sw
        try:
            command = CommandApdu.decode(asked.command)
        except DecodeError:
            return ""
        if sw is None:
            return ""
        channel = channel_of(command.cla)
        if command.ins == INS.AUTHENTICATE_ODD and command.p2 | SPECIFIC in (SPECIFIC, OddP2.MBMS):
            return self._blocks(channel, command, event, sw)
        if announces_more(event) or (asked is not event and not announces_more(asked)):
            return ""
        match command.ins:
            case INS.AUTHENTICATE:
                return _authenticated(command, event.data, sw)
            case INS.VERIFY_PIN if command.data:
                return "PIN verified" if sw == SW.OK else f"PIN not accepted: {describe(sw)}"
            case _:
                return ""

    def _blocks(self, channel: int, command: CommandApdu, event: TracedExchange, sw: int) -> str:
        if command.p1 == Step.FIRST_COMMAND:
            self._transfers[channel] = _Transfer()
        transfer = self._transfers.get(channel)
        if transfer is None:
            return ""
        if command.p1 in COMMAND_STEPS:
            transfer.sent += command.data
        else:
            transfer.received += event.data
        if len(transfer.sent) > _LONGEST_OBJECT or len(transfer.received) > _LONGEST_OBJECT:
            del self._transfers[channel]
            return ""
        if sw in (SW.MORE_COMMAND, SW.MORE_COMMAND_PROACTIVE, SW.MORE_RESPONSE, SW.MORE_RESPONSE_PROACTIVE):
            return ""
        if sw == SW.RESPONSE_AVAILABLE:
            return ""
        del self._transfers[channel]
        words, message = _delivered(bytes(transfer.sent), bytes(transfer.received), sw)
        if message is not None:
            self._heard(message)
        return words


def _delivered(sent: bytes, received: bytes, sw: int) -> tuple[str, KeyMessage | None]:
    """Say what became of an MBMS object; return it where it is a key message."""
    try:
        content = read_tlv(Reader(sent)).value
    except DecodeError:
        return "", None
    mode = _MODES.get(content[0] if content else 0, "MBMS object")
    message = find_mikey(sent)
    about = mode
    if message is not None:
        try:
            about = f"{mode} for {describe_key_ids(message.key_ids())}"
        except DecodeError:
            about = f"{mode} without key IDs"
    outcome = f"refused, {describe(sw)}" if sw != SW.OK else _outcome(mode, received)
    taken = sw == SW.OK and outcome.startswith(_GOOD)
    heard = None if message is None else KeyMessage(mode, message, outcome, taken)
    return f"{about}: {outcome}", heard


def _outcome(mode: str, received: bytes) -> str:
    items = {item.path: item for item in walk_tlvs(received)}
    if any(path in items for path in answer_paths("tek")):
        return "TEK given (hidden)"
    for path, tables in answer_paths("status").items():
        if path in items:
            value = received[items[path].start : items[path].end]
            return f"BCAST status {value.hex().upper()} by {tables.name}"
    if mode == "STKM":
        return "TEK given (hidden)" if len(received) > 3 else "no TEK"
    if mode == "LTKM":
        return "accepted, with a verification message" if len(received) > 4 else "accepted"
    return "done"


def _authenticated(command: CommandApdu, data: bytes, sw: int) -> str:
    context = _CONTEXTS.get(command.p2)
    if context is None:
        return ""
    if command.p2 == EvenP2.GBA:
        context = "NAF key derivation" if command.data[:1] == bytes((NAF_DERIVATION,)) else "GBA bootstrapping"
    if sw != SW.OK:
        return f"{context}: refused, {describe(sw)}"
    if data[:1] == bytes((SYNCHRONISATION_FAILURE,)):
        return f"{context}: sequence number not fresh, AUTS given"
    if context == "NAF key derivation" and len(command.data) > 1:
        name = command.data[2 : 2 + command.data[1]][:-5].decode("ascii", "backslashreplace")
        return f"{context}: Ks_int_NAF for {name} kept in the card, Ks_ext_NAF given (hidden)"
    return f"{context}: done" + (", new Ks in the card" if command.p2 == EvenP2.GBA else "")
