"""Stands between a script and a card: what changes the card without leave is not sent, nor a PIN that may block it."""

from __future__ import annotations

from dataclasses import dataclass, field

from card.codec.apdu import CommandApdu
from card.spec.status import SW, describe
from host_tools.apdu.client import ApduClient
from host_tools.script.pattern import SwPattern
from host_tools.script.safety import PIN_COMMANDS, RefusedPins, changes_card, gives_pin, pin_objection


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
