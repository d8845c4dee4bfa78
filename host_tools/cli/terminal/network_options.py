"""The options that say which network a terminal is on, and how it behaves there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from host_tools.cli.numbers import NumberRange
from host_tools.cli.terminal.options import FILE, CardChoice, csim_option, key_source

if TYPE_CHECKING:
    from host_tools.exchange.messages.msk import MskName
    from host_tools.exchange.messages.provisioning import PurchaseItem
    from host_tools.exchange.transport import Endpoint
    from host_tools.sessions.events import Events
    from host_tools.sessions.keys import PlayKeys
    from host_tools.sessions.online.opening import NetworkChoice, Online
    from host_tools.sessions.play import Connected
    from host_tools.terminal.client.waits import WaitingTime

_KEY = re.compile(r"([0-9a-f]{6})/([0-9a-f]{8})", re.IGNORECASE)
_FOLDER = click.Path(file_okay=False, path_type=Path)
_SECONDS = NumberRange(0, 86_400)


def parse_resolved(
    _ctx: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> tuple[tuple[str, Endpoint], ...]:
    """Read NAME:ADDRESS:PORT, any number. Raises `click.UsageError`."""
    from host_tools.exchange.transport import Endpoint
    from host_tools.wire.network_file import is_address

    found = []
    for text in values:
        name, address, port = [*text.split(":"), "", ""][:3]
        usable = text.count(":") == 2 and name and is_address(address) and re.fullmatch(r"[0-9]{1,5}", port)
        if not usable or not 0 < int(port) < 65_536:
            raise click.UsageError(f"--resolve {text}: NAME:ADDRESS:PORT is wanted, such as bsf.example:127.0.0.1:8080")
        found.append((name, Endpoint(address, int(port))))
    return tuple(found)


def parse_address(_ctx: click.Context, _parameter: click.Parameter, value: str) -> str:
    """Read an IPv4 address. Raises `click.UsageError`."""
    from host_tools.wire.network_file import is_address

    if not is_address(value):
        raise click.UsageError(f"--address {value}: an IPv4 address is wanted, such as 127.0.0.3")
    return value


def parse_client_id(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> bytes | None:
    """Read a client ID, 1 to 64 octets in hex. Raises `click.BadParameter`."""
    if value is None:
        return None
    if not re.fullmatch(r"([0-9A-Fa-f]{2}){1,64}", value):
        raise click.BadParameter("1 to 64 octets in hex are wanted")
    return bytes.fromhex(value)


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say where the network is, and where the terminal."""
    for option in (
        click.option("--state", type=FILE, metavar="FILE",
                     help="Where this terminal's state is kept; without it, by the number of the card below "
                     "$XDG_STATE_HOME/bcast-uicc (or ~/.local/state)."),
        click.option("--certificates", type=_FOLDER, metavar="DIR",
                     help="Folder with this terminal's terminal.pem and terminal.key, and ca.pem, for https."),
        click.option("--ca", type=FILE, metavar="FILE", help="Whom to trust behind https, in PEM."),
        click.option("--address", default="127.0.0.2", show_default=True, metavar="ADDRESS", callback=parse_address,
                     help="IPv4 address of this terminal; each on one computer has its own."),
        click.option("--resolve", "resolved", multiple=True, metavar="NAME:ADDRESS:PORT", callback=parse_resolved,
                     help="Reach a server elsewhere, repeatable."),
        click.option("--bsf", default="", metavar="NAME",
                     help="FQDN of the BSF, with https:// before it for Ub over TLS; without it, that of the network "
                     "file (over TLS with --ca or --certificates, where it is there) or of the card's home network."),
        click.option("--bsm", metavar="URL",
                     help="URL of the BSM, as an announcement has it, in place of that of the network file."),
        click.option("--network", type=FILE,
                     help="Where the servers are: what `headend serve --network-file` wrote."),
    ):  # fmt: skip
        command = option(command)
    return command


def playing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add those, and which application or file holds the keys: what a player on a network needs."""
    for option in (
        csim_option,
        click.option("--me", type=FILE, metavar="FILE.card",
                     help="Hold the keys in the terminal (GBA_ME), in this file; the card only authenticates."),
        click.option("--wait", type=NumberRange(0, 600), default=5.0, show_default=True, metavar="SECONDS",
                     help="How long to wait for the first key of a network."),
    ):  # fmt: skip
        command = option(command)
    return place_options(command)


def network_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add all of them."""
    for option in (
        click.option("--client-id", metavar="HEX", callback=parse_client_id,
                     help="BCAST_Client_ID to show when the BSM asks for it, over https."),
    ):  # fmt: skip
        command = option(command)
    return playing_options(command)


def keys_to_play(card: CardChoice, options: Mapping[str, Any]) -> tuple[Connected, PlayKeys]:
    """Return what opens the card to play with, and where its keys come from: a network, a scenario or a file."""
    from host_tools.cli.console import Console
    from host_tools.cli.explained import ask_pin

    if options["network"] is None and options["bsm"] is None:
        return card.connected, key_source(options)
    from host_tools.sessions.online.opening import opened_online
    from host_tools.sessions.online.playing import WireKeys

    choice = choice_of(options)

    @contextmanager
    def opened() -> Iterator[Online]:
        with card.trace.opened() as sinks, opened_online(card.source, choice, sinks, ask_pin, Console()) as online:
            yield online

    keys = WireKeys(opened, buys=options["buy"])
    return keys.connected, keys


def waiting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that go before the waiting times of an announcement; `waiting_of` reads them."""
    for option in (
        click.option("--random-time", type=_SECONDS, metavar="SECONDS",
                     help="And a random part of this; without both, randomTimePeriod of the announcement."),
        click.option("--offset-time", type=_SECONDS, metavar="SECONDS",
                     help="Wait so long before a request for keys; without both, offsetTime of the announcement."),
    ):  # fmt: skip
        command = option(command)
    return command


def waiting_of(options: Mapping[str, Any]) -> WaitingTime | None:
    """Return what the options say, None where they say nothing."""
    from host_tools.terminal.client.waits import WaitingTime

    offset, random = options["offset_time"], options["random_time"]
    return None if offset is None and random is None else WaitingTime(offset or 0.0, random or 0.0)


def choice_of(options: Mapping[str, Any], **more: Any) -> NetworkChoice:
    """Take the values of the options out of all that a command got."""
    from host_tools.sessions.online.opening import NetworkChoice

    names = (
        "network",
        "bsm",
        "bsf",
        "resolved",
        "ca",
        "certificates",
        "address",
        "state",
        "me",
        "client_id",
        "wait",
    )
    return NetworkChoice(**{name: options[name] for name in names if name in options}, **more)


@contextmanager
def online_terminal(
    options: Mapping[str, Any], events: Events, *, chases: bool = False, **more: Any
) -> Iterator[Online]:
    """Open the card, its state and the ports; errors become one sentence and an exit code."""
    from host_tools.cli.explained import ask_pin, explained
    from host_tools.cli.interrupts import interruptible
    from host_tools.sessions.online.opening import opened_online

    card = CardChoice.of(options)
    choice = choice_of(options, **more)
    with (
        interruptible(),
        explained(),
        card.trace.opened() as sinks,
        opened_online(card.source, choice, sinks, ask_pin, events, chases=chases) as online,
    ):
        yield online


def parse_keys(_ctx: click.Context, _parameter: click.Parameter, names: tuple[str, ...]) -> tuple[MskName, ...]:
    """Read key domain and MSK ID in hex, any number. Raises `click.UsageError`."""
    from host_tools.exchange.messages.msk import MskName

    found = []
    for name in names:
        match = _KEY.fullmatch(name)
        if match is None:
            raise click.UsageError(f"KEY {name}: key domain and MSK ID in hex are wanted, such as 00f110/00010000")
        found.append(MskName(bytes.fromhex(match[1]), bytes.fromhex(match[2])))
    return tuple(found)


def parse_items(_ctx: click.Context, _parameter: click.Parameter, names: tuple[str, ...]) -> tuple[PurchaseItem, ...]:
    """Read GLOBAL_ID or GLOBAL_ID,DATA_ID, any number. Raises `click.UsageError`."""
    from card.errors import DecodeError
    from host_tools.exchange.messages.fields import uri
    from host_tools.exchange.messages.provisioning import PurchaseItem

    found = []
    for name in names:
        global_id, comma, data_id = name.partition(",")
        try:
            data = uri(data_id, "the PurchaseDataID") if comma else None
            found.append(PurchaseItem(uri(global_id, "the GlobalPurchaseItemID"), data))
        except DecodeError as error:
            raise click.UsageError(f"ITEM {name}: {error}") from None
    return tuple(found)


item_argument = click.argument("items", metavar="ITEM...", nargs=-1, required=True, callback=parse_items)
