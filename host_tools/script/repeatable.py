"""Foresees what a recorded exchange will be when it is done again: the same, other data, or not possible at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from card.codec.apdu import CommandApdu
from card.errors import DecodeError
from card.spec.contexts import BOOTSTRAPPING, EvenP2, OddP2, Step
from card.spec.ins import INS
from card.spec.sac_tables import Procedure
from host_tools.trace.events import TracedExchange

RANDOM_ANSWERS: frozenset[int] = frozenset(
    {INS.GET_CHALLENGE, INS.INITIALIZE_UPDATE, INS.GET_IDENTITY, INS.SUSPEND_UICC}
)
"""Instructions whose answer has a random number in it."""
_FRESH_ON_BOTH_SIDES: frozenset[int] = frozenset({
    INS.MANAGE_SECURE_CHANNEL, INS.TRANSACT_DATA, INS.EXTERNAL_AUTHENTICATE,
})  # fmt: skip
_ONE_PIN: frozenset[int] = frozenset({INS.VERIFY_PIN, INS.DISABLE_PIN, INS.ENABLE_PIN})
_ONE_CHALLENGE = "the card takes a challenge once: this passes where it has seen neither this one nor a later one"
_ONE_MESSAGE = "the card takes a message once: this passes where it has seen neither this one nor a later one"


@dataclass(frozen=True, slots=True)
class PinVariable:
    """The variable that stands for a PIN in a script, and the environment variable with its digits."""

    name: str
    environment: str


PIN_VARIABLES: Mapping[int, PinVariable] = {
    0x01: PinVariable("pin", "BCAST_UICC_PIN"),
    0x81: PinVariable("pin2", "BCAST_UICC_PIN2"),
    0x11: PinVariable("universal_pin", "BCAST_UICC_UNIVERSAL_PIN"),
}
"""By key reference."""


def pin_variable(event: TracedExchange) -> PinVariable | None:
    """Return the variable for the secret in a command; None where none can stand for it.

    That is so for two PINs in one command, for keys, and for a PIN that was wrong: giving it costs a try.
    """
    command = _decoded(event)
    if command is None or command.ins not in _ONE_PIN or event.sw is None or event.sw >> 8 not in (0x90, 0x91):
        return None
    spans = event.hidden_command
    return PIN_VARIABLES.get(command.p2) if len(spans) == 1 and spans[0][1] - spans[0][0] == 8 else None


def obstacle(event: TracedExchange) -> str:
    """Return why an exchange cannot be done again; empty when it can."""
    if event.error or event.sw is None:
        return " ".join(event.error.split()) or "no status word came"
    if event.hidden_command and pin_variable(event) is None:
        return f"its secret was not recorded; the card answered {event.sw:04X}"
    if _is_fresh_on_both_sides(event.command):
        return f"both sides bring random numbers into it; the card answered {event.sw:04X}"
    return ""


def _is_fresh_on_both_sides(command: bytes) -> bool:
    if len(command) < 4 or command[1] not in _FRESH_ON_BOTH_SIDES:
        return False
    return command[1] != INS.MANAGE_SECURE_CHANNEL or command[2] != Procedure.ENDPOINTS


def condition(event: TracedExchange) -> str:
    """Return on which cards alone an exchange comes out the same again; empty for all cards of the same profile."""
    command = _decoded(event)
    if command is None or not command.data:
        return ""
    match command.ins, command.p2:
        case (INS.AUTHENTICATE, p2) if p2 == EvenP2.UMTS or (p2 == EvenP2.GBA and command.data[0] == BOOTSTRAPPING):
            return _ONE_CHALLENGE
        case (INS.AUTHENTICATE_ODD, p2) if p2 == OddP2.MBMS and command.p1 == Step.FIRST_COMMAND:
            return _ONE_MESSAGE
        case _:
            return ""


def _decoded(event: TracedExchange) -> CommandApdu | None:
    try:
        return CommandApdu.decode(event.command)
    except DecodeError:
        return None
