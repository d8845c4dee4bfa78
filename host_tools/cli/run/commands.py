"""`bcast-uicc run`: a card in a PC/SC reader until Ctrl-C."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from card.spec.aids import application_name
from host_tools.cli.console import Console as EventConsole
from host_tools.cli.explained import session_errors
from host_tools.cli.interrupts import interruptible
from host_tools.cli.numbers import NumberRange
from host_tools.cli.trace.options import TraceChoice, recording_options
from host_tools.sessions.bridges import lines_to, make_bridge
from host_tools.sessions.cards import open_named_card
from host_tools.sessions.events import FaultInjected, PcscdStarted
from host_tools.sessions.place import LOOPBACK, AskedCard, Outlook, Place, hint, named_place, private_place, watch
from host_tools.sessions.realism import Realism
from vpicc_bridge.machine import VPCD_FIRST_PORT
from vpicc_bridge.notices import Connected, Disconnected, Notice, Occupied, Unreachable
from vpicc_bridge.slots import Bridge, Slots

if TYPE_CHECKING:
    from card import Card
    from host_tools.sessions.events import Event

_FILE = click.Path(dir_okay=False, path_type=Path)
_C = TypeVar("_C", bound=Callable[..., object])


def realism_options(command: _C) -> _C:
    """Add --latency, --faults and --seed."""
    for option in (
        click.option("--seed", type=int, default=0, show_default=True,
                     help="The same seed gives the same delays and faults."),
        click.option("--faults", type=_FILE, metavar="PLAN", help="Let things go wrong as this plan says (TOML)."),
        click.option("--latency", type=_FILE, metavar="PROFILE",
                     help="Answer as slowly as this profile says; `realism learn` makes one."),
    ):  # fmt: skip
        command = option(command)
    return command


def realism_of(options: Mapping[str, Any]) -> Realism:
    """Read the files that the options name. Raises `CliError`."""
    latency, faults = options["latency"], options["faults"]
    if latency is None and faults is None:
        return Realism(None, (), options["seed"])
    from host_tools.cli.script.commands import plain_script_errors

    with plain_script_errors():
        return Realism.read(latency, faults, options["seed"])


class Console:
    """Prints notices, and with `verbose` one line per trace event. Called on the card's thread, it never raises.

    `outlook` says what the notices told so far.
    """

    def __init__(self, verbose: bool, advice: Callable[[], str] = str) -> None:
        """Take what says what to do when vpcd is not there."""
        self.outlook = Outlook()
        self._verbose = verbose
        self._advice = advice
        self._lock = threading.Lock()

    def emit(self, event: object, /) -> None:
        """Print one trace event of the card."""
        if self._verbose:
            self._print(str(event), err=False)

    def notice(self, notice: Notice, /) -> None:
        """Print what happened to the line, and once what to do when vpcd is not there."""
        self._print(f"{notice}.", err=True)
        match notice:
            case Connected():
                self.outlook.connected = True
            case Occupied():
                self.outlook.occupied = True
            case Disconnected():
                self.outlook.connected = self.outlook.occupied = self.outlook.told = False
            case Unreachable():
                self._print(f"{self._advice()}.", err=True)
                self.outlook.advised = True

    def card_is_in(self) -> None:
        """Print once for each time that the card comes into the reader that clients find it there."""
        if not self.outlook.told:
            self.outlook.told = True
            self._print("Ready:    the reader has the card", err=False)

    def _print(self, line: str, *, err: bool) -> None:
        try:
            with self._lock:
                click.echo(line, err=err)
        except (OSError, ValueError):
            # Whoever read our output has left. The card is worth more than its trace.
            self._verbose = False


@click.command()
@click.argument("card_name", metavar="PROFILE|CARDFILE")
@click.option("--host", help=f"Where vpcd listens, or where to listen.  [default: {LOOPBACK}]")
@click.option(
    "--port", type=click.IntRange(0, 65535), help=f"TCP port of the slot.  [default: {VPCD_FIRST_PORT} + slot]"
)
@click.option("--slot", type=click.IntRange(0, 15), help="Slot of vpcd; Debian's has 0 and 1.  [default: 0]")
@click.option("--listen", is_flag=True, help="Let vpcd call us: its reversed mode. Debian 12's pcscd aborts in it.")
@click.option(
    "--bridge",
    type=click.Choice(["native", "vpicc"]),
    default="native",
    show_default=True,
    help="Our own vpcd client, or Debian's virtualsmartcard around the same card.",
)
@click.option("--fresh", is_flag=True, help="A throw-away card from the profile; nothing is written.")
@click.option("--private-pcscd", is_flag=True, help="Start a pcscd of our own beside the system's.")
@click.option(
    "--wait",
    metavar="SECONDS",
    type=NumberRange(min=0),
    help="Give up when the card is in no reader by then; without it, wait for ever.",
)
@click.option("-v", "--verbose", is_flag=True, help="One line per APDU.")
@recording_options
@realism_options
def run(
    card_name: str, host: str | None, port: int | None, slot: int | None, listen: bool, bridge: str, fresh: bool,
    private_pcscd: bool, wait: float | None, verbose: bool, **options: Any,
) -> None:  # fmt: skip
    """Put a card into a PC/SC reader and keep it there until Ctrl-C.

    PROFILE is a card profile (NAME.toml, or one that ships, such as `usim`); its card file NAME.card is made beside it.
    CARDFILE is a card file made earlier.

    vpcd listens on every address of the machine and asks for no password: whoever reaches its port can be the card
    in your reader. Keep the port behind a firewall.
    """
    _refuse_contradictions(host, port, slot, listen, bridge, private_pcscd)
    events = _RunShow()
    console = Console(verbose, lambda: hint(place))
    with session_errors(), ExitStack() as stack:
        named = None if private_pcscd else named_place(host, port, slot or 0)
        stack.enter_context(interruptible())
        realism = realism_of(options)
        sinks = stack.enter_context(TraceChoice.of(options).opened(shielded=True))
        card = open_named_card(card_name, events, trace=console if verbose else None, fresh=fresh)
        stack.callback(card.close)
        place = named or private_place(stack, slot or 0, events)
        slots = stack.enter_context(Slots())
        lines = lines_to(place, listen=listen)
        make = partial(make_bridge, place=place, observer=console, lines=lines, kind=bridge)
        served = AskedCard(card, console.outlook, console.card_is_in)
        _serve(slots, card, place, realism.serve(served, sinks, place.name, make, events), console, wait)


class _RunShow(EventConsole):
    """Shows what happens beside the line to the reader."""

    def emit(self, event: Event, /) -> None:
        """Show the event."""
        match event:
            case PcscdStarted(variable, socket):
                click.echo(f"Clients:  export {variable}={socket}")
            case FaultInjected(words):
                with suppress(OSError, ValueError):  # the card goes on when nobody reads it any more
                    click.echo(words, err=True)
            case _:
                super().emit(event)


def _refuse_contradictions(
    host: str | None, port: int | None, slot: int | None, listen: bool, bridge: str, private_pcscd: bool
) -> None:
    if port is not None and slot is not None:
        raise click.UsageError("--port and --slot both choose the port: give one of them")
    if listen and bridge == "vpicc":
        raise click.UsageError("--listen works with the native bridge only")
    if private_pcscd and (listen or host is not None or port is not None):
        raise click.UsageError("--private-pcscd chooses host and port itself: leave out --host, --port and --listen")
    if port == 0 and not listen:
        raise click.UsageError("--port 0 (any free port) makes sense with --listen only")


def _introduce(card: Card, place: Place, link: Bridge) -> None:

    reader = place.reader or "as pcscd's configuration names it"
    click.echo(f"Reader:   {reader} (vpcd at {link.peer})")
    click.echo(f"ATR:      {card.atr.hex(' ').upper()}")
    for aid in card.aids:
        text = aid.hex().upper()
        click.echo(f"AID:      {text} ({application_name(bytes.fromhex(text)) or 'unknown application'})")
    click.echo("Ctrl-C takes the card out.")


def _serve(slots: Slots, card: Card, place: Place, link: Bridge, console: Console, wait: float | None) -> None:
    """Serve until Ctrl-C, which is the proper end from the moment its line is printed. Raises `CliError`."""
    try:
        _introduce(card, place, link)
        watch(slots.insert(link).thread, console.outlook, place, wait)
    except KeyboardInterrupt:
        click.echo("Card taken out.")
        return
    raise RuntimeError("the card's thread ended by itself")
