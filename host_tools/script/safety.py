"""What keeps a script from spoiling a card: no PIN is tried on its last tries, and destruction is asked for twice."""

from __future__ import annotations

from dataclasses import dataclass, field

from card.codec.apdu import CommandApdu
from card.spec.cla import SIM_CLASS
from card.spec.ins import INS
from card.spec.status import SW, describe
from host_tools.apdu.client import ApduClient
from host_tools.script.pattern import SwPattern

PIN1 = 0x01
FEWEST_TRIES = 2
"""A PIN is tried only while at least so many tries are left."""

PIN_COMMANDS: frozenset[int] = frozenset({
    INS.VERIFY_PIN, INS.CHANGE_PIN, INS.DISABLE_PIN, INS.ENABLE_PIN, INS.UNBLOCK_PIN,
})  # fmt: skip
IRREVERSIBLE: frozenset[int] = frozenset({
    INS.CHANGE_PIN, INS.DISABLE_PIN, INS.ENABLE_PIN, INS.UNBLOCK_PIN, INS.TERMINATE_DF, INS.TERMINATE_EF,
    INS.TERMINATE_CARD_USAGE, INS.CREATE_FILE, INS.DELETE_FILE, INS.RESIZE_FILE, INS.PUT_KEY, INS.STORE_DATA,
})  # fmt: skip
"""Instructions that are destructive whether a script says so or not, and whatever answer it wants."""
WRITING: frozenset[int] = IRREVERSIBLE | {
    INS.UPDATE_BINARY, INS.UPDATE_RECORD, INS.INCREASE, INS.DEACTIVATE_FILE, INS.ACTIVATE_FILE, INS.SET_DATA,
}  # fmt: skip
"""Instructions that change the card where it accepts them."""
_PUK_OR_PIN_SIZE = 8


class RefusedPins:
    """The PINs and PUKs that a card has refused, so that none costs a second try."""

    def __init__(self) -> None:
        self._refused: dict[tuple[bool, int], dict[bytes, int]] = {}

    def note(self, command: CommandApdu, sw: int) -> None:
        """Take a command and the status word it got; a PIN that is accepted makes the tries whole again."""
        if not gives_pin(command):
            return
        if _is_wrong_pin(sw):
            self._refused.setdefault(_which(command), {})[command.data[:_PUK_OR_PIN_SIZE]] = sw
        elif sw == SW.OK:
            self._refused.pop(_which(command), None)
            self._refused.pop((False, command.p2), None)

    def refusal(self, command: CommandApdu) -> int | None:
        """Return the status word that the PIN in a command got before; None when it was not refused."""
        if not gives_pin(command):
            return None
        return self._refused.get(_which(command), {}).get(command.data[:_PUK_OR_PIN_SIZE])


def changes_card(ins: int, wanted: SwPattern) -> bool:
    """Tell whether an instruction counts as a change of the card, where the `wanted` status word will do.

    What writes may be tried for the refusal that it should get; what cannot be undone may not.
    """
    return ins in IRREVERSIBLE or (ins in WRITING and not wanted.refuses)


def gives_pin(command: CommandApdu) -> bool:
    """Tell whether a PIN or PUK is in the command; without one it only asks for the tries left."""
    return command.ins in PIN_COMMANDS and bool(command.data)


def _which(command: CommandApdu) -> tuple[bool, int]:
    """Return whether it is the PUK, and the key reference."""
    return command.ins == INS.UNBLOCK_PIN, command.p2


def _is_wrong_pin(sw: int) -> bool:
    return sw & 0xFFF0 == 0x63C0 or sw == SW.METHOD_BLOCKED


def tries_left(client: ApduClient, reference: int) -> int | None:
    """Return how often a PIN may be tried; None when it is not wanted now.

    An answer that cannot be understood counts as no try left. Raises `LinkError`.
    """
    return _tries_in(_ask(client, 0, INS.VERIFY_PIN, reference))


def may_try_pin(client: ApduClient, reference: int) -> bool:
    """Tell whether a PIN may be given: it is not wanted, or has two tries or more. Raises `LinkError`."""
    left = tries_left(client, reference)
    return left is None or left >= FEWEST_TRIES


def pin_objection(client: ApduClient, command: CommandApdu) -> str:
    """Return why a command that carries a PIN must not be sent; empty when it may be.

    The card is asked for the tries that are left. Raises `LinkError`.
    """
    if not gives_pin(command):
        return ""
    if command.cla == SIM_CLASS:
        return "with class A0 the tries left cannot be asked for, so no PIN is given: use the class of the UICC"
    unblock = command.ins == INS.UNBLOCK_PIN
    sw = _ask(client, command.cla, command.ins if unblock else INS.VERIFY_PIN, command.p2)
    if sw == SW.DATA_INVALIDATED and command.ins != INS.VERIFY_PIN:
        return "the PIN is disabled, so the card does not tell its tries, and none is made blindly"
    left = _tries_in(sw)
    if left is None or left >= FEWEST_TRIES:
        return ""
    what = "PUK" if unblock else "PIN"
    return f"the {what} with key reference {command.p2:02X} has {left} tries left; below two none is made"


def _ask(client: ApduClient, cla: int, ins: int, reference: int) -> int:
    return client.transmit(CommandApdu(cla, ins, 0, reference)).sw


def _tries_in(sw: int) -> int | None:
    if sw & 0xFFF0 == 0x63C0:
        return sw & 0x0F
    # A PIN that is verified (9000) has all its tries; a disabled one (6984) is not counted by VERIFY.
    return None if sw in (SW.OK, SW.DATA_INVALIDATED) else 0


@dataclass(frozen=True, slots=True)
class Guard:
    """Objects to commands. `destructive` ones pass on a card whose ICCID is in `allowed_iccids`.

    `refused` is what the card has refused so far.
    """

    destructive: bool
    allowed_iccids: frozenset[str]
    refused: RefusedPins = field(default_factory=RefusedPins)

    def forbids_change(self, iccid: str) -> str:
        """Return why the card with this ICCID (empty: unknown) must not be changed; empty when it may be."""
        if not self.destructive:
            return "destructive: done only when asked for with --destructive"
        if iccid not in self.allowed_iccids or not iccid:
            return (
                f"destructive: the ICCID of this card ({iccid or 'unknown'}) "
                "is not on the list of those that may be changed"
            )
        return ""

    def objection(self, client: ApduClient, command: CommandApdu, wanted: SwPattern, iccid: str) -> str:
        """Return why a command must not be sent; empty when it may be. Raises `LinkError`.

        A command that writes may be tried where the status word that is `wanted` says that the card refuses it.
        """
        only_asks = command.ins in PIN_COMMANDS and not gives_pin(command)
        forbidden = "" if only_asks or not changes_card(command.ins, wanted) else self.forbids_change(iccid)
        return forbidden or pin_objection(client, command)

    def refusal(self, command: CommandApdu, wanted: SwPattern) -> str:
        """Return why a PIN that should be right cannot be: it was refused before; empty when it was not."""
        sw = self.refused.refusal(command) if wanted.fits(SW.OK) else None
        return "" if sw is None else f"the card refused this PIN before ({describe(sw)}), so it is not given again"
