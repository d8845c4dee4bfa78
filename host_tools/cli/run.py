"""`bcast-uicc run`: a card in a PC/SC reader until Ctrl-C."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from host_tools.cli.cards import open_card_argument
from host_tools.cli.exits import ENVIRONMENT, CliError
from host_tools.cli.interrupts import interruptible
from vpicc_bridge.machine import VPCD_FIRST_PORT
from vpicc_bridge.notices import Notice, Unreachable
from vpicc_bridge.slots import Bridge, Slots

if TYPE_CHECKING:
    from card import Card

LOOPBACK = "127.0.0.1"
STOCK_SLOTS = 2
START_HINT = (
    "start pcscd (sudo systemctl start pcscd; under socket activation any PC/SC client wakes it, e.g. pcsc_scan -r), "
    "or use --private-pcscd; `bcast-uicc doctor` tells more"
)
# 3GPP and 3GPP2 application codes after the RID (ETSI TS 101 220, annex E).
_APPLICATIONS = {"A0000000871002": "USIM", "A0000000871004": "ISIM", "A0000003431002": "CSIM"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where the card goes: vpcd's address and what the reader is called, as far as that can be known."""

    host: str
    port: int
    reader: str


class Console:
    """Prints notices, and with `verbose` one line per trace event. Called on the card's thread, it never raises."""

    def __init__(self, verbose: bool) -> None:
        self._verbose = verbose
        self._lock = threading.Lock()

    def emit(self, event: object, /) -> None:
        """Print one trace event of the card."""
        if self._verbose:
            self._print(str(event), err=False)

    def notice(self, notice: Notice, /) -> None:
        """Print what happened to the line, and once what to do when vpcd is not there."""
        self._print(f"{notice}.", err=True)
        if isinstance(notice, Unreachable):
            self._print(START_HINT, err=True)

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
@click.option("-v", "--verbose", is_flag=True, help="One line per APDU.")
def run(
    card_name: str,
    host: str | None,
    port: int | None,
    slot: int | None,
    listen: bool,
    bridge: str,
    fresh: bool,
    private_pcscd: bool,
    verbose: bool,
) -> None:
    """Put a card into a PC/SC reader and keep it there until Ctrl-C.

    PROFILE is a card profile (NAME.toml, or one that ships, such as `usim`); its card file NAME.card is made beside it.
    CARDFILE is a card file made earlier.

    vpcd listens on every address of the machine and asks for no password: whoever reaches its port can be the card
    in your reader. Keep the port behind a firewall.
    """
    _refuse_contradictions(host, port, slot, listen, bridge, private_pcscd)
    console = Console(verbose)
    with ExitStack() as stack:
        stack.enter_context(interruptible())
        place = _private_place(stack, slot or 0) if private_pcscd else _place(host, port, slot or 0)
        card = open_card_argument(card_name, trace=console if verbose else None, fresh=fresh)
        stack.callback(card.close)
        slots = stack.enter_context(Slots())
        link = _make_bridge(card, place, console, listen=listen, kind=bridge)
        _serve(slots, card, place, link)


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


def _place(host: str | None, port: int | None, slot: int) -> Place:
    where = host if host is not None else LOOPBACK
    chosen = port if port is not None else VPCD_FIRST_PORT + slot
    stock = where in (LOOPBACK, "localhost") and 0 <= chosen - VPCD_FIRST_PORT < STOCK_SLOTS
    # pcscd counts every reader on the machine, so the number is a guess when others came first.
    name = f"Virtual PCD 00 {chosen - VPCD_FIRST_PORT:02X}" if stock else "as pcscd's configuration names it"
    return Place(where, chosen, name)


def _private_place(stack: ExitStack, slot: int) -> Place:
    from vpicc_bridge.pcscd import SOCKET_VARIABLE, PcscdError, PrivatePcscd

    try:
        pcscd = stack.enter_context(PrivatePcscd(slots=max(STOCK_SLOTS, slot + 1)))
    except PcscdError as error:
        raise CliError(f"{error}.", ENVIRONMENT) from error
    click.echo(f"Clients:  export {SOCKET_VARIABLE}={pcscd.socket_path}")
    return Place(LOOPBACK, pcscd.ports[slot], pcscd.reader_names[slot])


def _make_bridge(card: Card, place: Place, console: Console, *, listen: bool, kind: str) -> Bridge:
    if kind == "vpicc":
        return _make_vicc_bridge(card, place, console)
    from vpicc_bridge.connection import Connection
    from vpicc_bridge.lines import Dialler, Listener

    if not listen:
        return Connection(Dialler(place.host, place.port), card, console)
    try:
        return Connection(Listener(place.host, place.port), card, console)
    except OSError as error:
        reason = error.strerror or str(error)
        raise CliError(f"cannot listen on {place.host}:{place.port}: {reason}.", ENVIRONMENT) from error


def _make_vicc_bridge(card: Card, place: Place, console: Console) -> Bridge:
    from vpicc_bridge.vicc_os import ViccBridge, ViccMissing

    try:
        return ViccBridge(card, place.host, place.port, console)
    except ViccMissing as error:
        raise CliError(f"{error}.", ENVIRONMENT) from error


def _introduce(card: Card, place: Place, link: Bridge) -> None:
    click.echo(f"Reader:   {place.reader} (vpcd at {link.peer})")
    click.echo(f"ATR:      {card.atr.hex(' ').upper()}")
    for aid in card.aids:
        text = aid.hex().upper()
        click.echo(f"AID:      {text} ({_APPLICATIONS.get(text[:14], 'unknown application')})")
    click.echo("Ctrl-C takes the card out.")


def _serve(slots: Slots, card: Card, place: Place, link: Bridge) -> None:
    """Serve until Ctrl-C, which is the proper end from the moment its line is printed."""
    try:
        _introduce(card, place, link)
        slots.insert(link).thread.join()
    except KeyboardInterrupt:
        click.echo("Card taken out.")
        return
    raise RuntimeError("the card's thread ended by itself")
