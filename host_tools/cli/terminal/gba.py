"""`bcast-uicc terminal gba push`: give the card a GBA push message, and print the result."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import click

from host_tools.cli.exits import CARD, DIFFERENT, INPUT, CliError
from host_tools.cli.terminal.options import FILE, CardChoice, card_options
from host_tools.trace.printable import printable

if TYPE_CHECKING:
    from host_tools.terminal.gba_push import NafSa, PushOutcome, PushVerdict


@click.group()
def gba() -> None:
    """Keys from GBA: take a push of the network."""


@gba.command(short_help="Take a GBA push message from a file.")
@click.argument("message", metavar="FILE", type=FILE)
@card_options
def push(message: Path, as_json: bool, **options: Any) -> None:
    """Take a GBA push message (GPI) from FILE: bytes, or hex or base64 text.

    The card checks its challenge, the message is checked and deciphered with keys from the card, and the card derives
    the keys of the NAF that the message names. Nothing goes back to the network.
    """
    from host_tools.cli.explained import ask_pin, explained
    from host_tools.sessions.gba_push import read_message
    from host_tools.sessions.opening import connect
    from host_tools.terminal.gba_push import take_push

    with explained():
        raw = read_message(message)
    card = CardChoice.of(options)
    with explained(), card.opened() as (_, middleware):
        connect(middleware, card.source.pin, ask_pin)
        outcome = take_push(middleware.usim, raw, middleware.identity.impi)
    _show(outcome, as_json)
    status = _exits().get(outcome.verdict)
    if status is not None:
        raise CliError(f"{message}: {outcome.verdict.value}.", status)


def _exits() -> Mapping[PushVerdict, int]:
    """Return the exit status of what did not set up keys; a copy that comes again is dropped in silence."""
    from host_tools.terminal.gba_push import PushVerdict

    return MappingProxyType(
        {
            PushVerdict.UNREADABLE: INPUT,
            PushVerdict.NOT_GBA_U: INPUT,
            PushVerdict.OTHER_APPLICATION: INPUT,
            PushVerdict.UNUSABLE: INPUT,
            PushVerdict.NOT_AUTHENTIC: CARD,
            PushVerdict.OUT_OF_STEP: CARD,
            PushVerdict.FORGED: DIFFERENT,
        }
    )


def _show(outcome: PushOutcome, as_json: bool) -> None:
    from host_tools.cli.terminal.report import print_json, print_table

    found: dict[str, object] = {"verdict": outcome.verdict.name.lower(), "words": outcome.verdict.value}
    found |= _said_of(outcome.sa) if outcome.sa is not None else {}
    if outcome.auts is not None:
        found["auts"] = outcome.auts.hex()
    if as_json:
        print_json(found)
    else:
        print_table("GBA push", [(name.replace("_", " "), printable(str(value))) for name, value in found.items()])


def _said_of(sa: NafSa) -> dict[str, object]:
    from host_tools.exchange.messages.fields import from_date_time

    return {
        "naf": sa.fqdn,
        "ua_protocol": sa.ua_protocol.hex(),
        "expires": from_date_time(sa.expires),
        "expired": datetime.now(UTC) >= sa.expires,
        "downlink_id": sa.downlink_id,
        "p_tid": sa.p_tid,
    }
