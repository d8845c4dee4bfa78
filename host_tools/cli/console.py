"""What happens in a session, said to a person on standard error."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from host_tools.sessions.events import Event

_WARNED = "host_tools.cli.console.warned"


class Console:
    """Says what every command says in the same words, each as one line. Commands that show more build on it."""

    def emit(self, event: Event, /) -> None:
        """Print the event if it is one of those."""
        words = words_of(event)
        if words:
            click.echo(words, err=True)


def words_of(event: Event) -> str:
    """Return the line for an event; nothing for one that a command has to show in its own way."""
    from host_tools.sessions.events import (
        BindingFailed,
        CardFileExposed,
        CardKept,
        CardMade,
        KeptAllTheSame,
        MostStayShut,
        NothingKept,
        PacketsLeftOut,
        ReportWritten,
        TapOpened,
    )

    match event:
        case CardMade():
            return f"{event.card_file}: new card made from {event.profile}"
        case CardKept():
            return f"{event.card_file}: opened, with the state it had; changes in {event.profile} do not reach it"
        case CardFileExposed() if _first_time(event.card_file):
            advice = f"chmod 600 {shlex.quote(str(event.card_file))}"
            return (
                f"Warning: others may {event.may} {event.card_file} (mode {event.mode:04o}), which holds keys: {advice}"
            )
        case BindingFailed() | MostStayShut():
            return event.words
        case ReportWritten(output):
            return f"{output}: what happened, as a page to open in a browser"
        case PacketsLeftOut(capture, reasons):
            counted = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
            return f"{capture}: packets that are no part of the trace: {counted}."
        case TapOpened():
            return f"listening on port {event.port}, in front of vpcd at {event.vpcd_port}"
        case NothingKept():
            return f"The card keeps nothing for MSK ID {event.msk_id.hex()}. {event.why}."
        case KeptAllTheSame():
            return f"{event.why} It is recorded all the same."
        case _:
            return ""


def _first_time(card_file: Path) -> bool:
    """Tell whether this run of the program says it for the first time."""
    context = click.get_current_context(silent=True)
    warned: set[Path] = context.find_root().meta.setdefault(_WARNED, set()) if context else set()
    if card_file in warned:
        return False
    warned.add(card_file)
    return True
