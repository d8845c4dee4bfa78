"""`bcast-uicc terminal register`, `deregister` and `keys`: ask a BSM over HTTP; the keys come as datagrams."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from host_tools.cli.exits import DIFFERENT, ENVIRONMENT, CliError
from host_tools.cli.terminal.options import FILE, CardChoice, card_options

if TYPE_CHECKING:
    from host_tools.exchange.messages.msk import MskCode, MskName
    from host_tools.exchange.messages.registration import ServiceCode
    from host_tools.terminal.online import Asked, OnlineTerminal
    from host_tools.wire.network_file import NetworkFile

_KEY = re.compile(r"([0-9a-f]{6})/([0-9a-f]{8})", re.IGNORECASE)


def network_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say where the network is, and where the terminal."""
    for option in (
        click.option("--wait", type=click.FloatRange(0, 600), default=5.0, show_default=True, metavar="SECONDS",
                     help="How long to wait for the first key."),
        click.option("--address", default="127.0.0.2", show_default=True, metavar="ADDRESS",
                     help="IPv4 address of this terminal; each on one computer has its own."),
        click.option("--resolve", "resolved", multiple=True, metavar="NAME:ADDRESS:PORT",
                     help="Reach a server of the network file elsewhere, repeatable."),
        click.option("--network", type=FILE, required=True,
                     help="Where the servers are: what `headend serve --network-file` wrote."),
    ):  # fmt: skip
        command = option(command)
    return command


@click.command()
@click.argument("services", metavar="[SERVICE]...", nargs=-1)
@network_options
@card_options
def register(services: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Register for each SERVICE (a serviceID), in place of those before, and take its keys.

    Without SERVICE, for all that the network file lists.
    """
    with _online(options) as (network, terminal):
        asked = terminal.register(services or network.service_ids)
    _show_services("Registration", asked, as_json)
    _require_keys(asked, options["wait"])


@click.command()
@click.argument("services", metavar="[SERVICE]...", nargs=-1)
@network_options
@card_options
def deregister(services: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Leave each SERVICE (a serviceID); its keys become invalid.

    Without SERVICE, all that the network file lists.
    """
    with _online(options) as (network, terminal):
        asked = terminal.deregister(services or network.service_ids)
    _show_services("Deregistration", asked, as_json)


@click.command()
@click.argument("key_names", metavar="[KEY]...", nargs=-1)
@network_options
@card_options
def keys(key_names: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Ask for each KEY and take it.

    KEY is key domain and MSK ID in hex, such as 00f110/00010000; the Key Number 0000 stands for the current key.
    Without KEY, the current key of each group that the card has a key of.
    """
    wanted = _parse_keys(key_names)
    with _online(options) as (_, terminal):
        asked_for = wanted or terminal.groups_held()
        if not asked_for:
            raise CliError("the card has no key yet, so name the KEY to ask for, or register first", DIFFERENT)
        asked = terminal.request_keys(asked_for)
    items = [(f"{code.name.key_domain_id.hex()}/{code.name.msk_id.hex()}", int(code.status)) for code in asked.codes]
    _show("LTKM request", "key", items, asked, as_json)
    _require_keys(asked, options["wait"])


def resolved_network(options: dict[str, Any]) -> NetworkFile:
    """Return the network of `network_options`. Raises `UnusableFile`, `click.UsageError`."""
    from host_tools.wire.network_file import is_address, load_network

    if not is_address(options["address"]):
        raise click.UsageError(f"--address {options['address']}: an IPv4 address is wanted, such as 127.0.0.3")
    return _resolved(load_network(options["network"]), options["resolved"])


@contextmanager
def _online(options: dict[str, Any]) -> Iterator[tuple[NetworkFile, OnlineTerminal]]:
    """Open the card and the ports; errors become one sentence and an exit code."""
    from host_tools.cli.explained import explained
    from host_tools.exchange.errors import TransportError
    from host_tools.terminal.online import OnlineTerminal, Patience
    from host_tools.wire.system import SystemClock, SystemRng

    network = resolved_network(options)
    try:
        with explained(), CardChoice.of(options).connected() as middleware, _refusals():
            patience = Patience(first=options["wait"])
            clock, rng = SystemClock(), SystemRng()
            with OnlineTerminal(middleware, network, options["address"], clock, rng, patience) as terminal:
                yield network, terminal
    except TransportError as error:
        raise CliError(f"{error}.", ENVIRONMENT) from None


@contextmanager
def _refusals() -> Iterator[None]:
    """Tell what a server refuses from what the card refuses."""
    from host_tools.terminal.errors import NetworkRefusedError
    from host_tools.terminal.http.errors import AnswerRefusedError, NotAdmittedError, ServerRefusedError

    try:
        yield
    except (AnswerRefusedError, NetworkRefusedError, NotAdmittedError, ServerRefusedError) as error:
        raise CliError(str(error), DIFFERENT) from None


def _resolved(network: NetworkFile, resolved: Sequence[str]) -> NetworkFile:
    from host_tools.exchange.transport import Endpoint
    from host_tools.wire.network_file import is_address

    for text in resolved:
        name, address, port = [*text.split(":"), "", ""][:3]
        usable = text.count(":") == 2 and is_address(address) and re.fullmatch(r"[0-9]{1,5}", port)
        if not usable or not 0 < int(port) < 65_536:
            raise click.UsageError(f"--resolve {text}: NAME:ADDRESS:PORT is wanted, such as bsf.example:127.0.0.1:8080")
        try:
            network = network.resolved(name, Endpoint(address, int(port)))
        except KeyError:
            known = f"{network.bsf.name} and {network.bsm.name}"
            raise click.UsageError(f"--resolve {text}: the network file has {known}") from None
    return network


def _parse_keys(names: Sequence[str]) -> tuple[MskName, ...]:
    from host_tools.exchange.messages.msk import MskName

    found = [_KEY.fullmatch(name) for name in names]
    for name, match in zip(names, found, strict=True):
        if match is None:
            raise click.UsageError(f"KEY {name}: key domain and MSK ID in hex are wanted, such as 00f110/00010000")
    return tuple(MskName(bytes.fromhex(match[1]), bytes.fromhex(match[2])) for match in found if match is not None)


def _show_services(what: str, asked: Asked[ServiceCode], as_json: bool) -> None:
    _show(what, "service", [(code.service_id, int(code.status)) for code in asked.codes], asked, as_json)


def _show(
    what: str, item: str, codes: list[tuple[str, int]], asked: Asked[ServiceCode] | Asked[MskCode], as_json: bool
) -> None:
    from host_tools.cli.terminal.report import print_json, print_table
    from host_tools.trace.printable import printable

    if as_json:
        ltkms = [{"verdict": found.verdict.name.lower(), "words": found.words} for found in asked.receipts]
        answers = [{item: name, "status": status} for name, status in codes]
        print_json({"b_tid": asked.b_tid, "answers": answers, "ltkms": ltkms})
    else:
        rows = [("B-TID", asked.b_tid), *((printable(name), str(status)) for name, status in codes)]
        print_table(what, [*rows, *(("LTKM", found.words) for found in asked.receipts)])
    refused = [name for name, status in codes if status != 200]
    if refused:
        raise CliError(f"the BSM refused {len(refused)} of {len(codes)}: {printable(', '.join(refused))}", DIFFERENT)
    if not asked.granted:
        raise CliError("the card did not take every LTKM", DIFFERENT)


def _require_keys(asked: Asked[ServiceCode] | Asked[MskCode], seconds: float) -> None:
    """Raise `CliError` when keys were granted and none came."""
    if not asked.receipts:
        raise CliError(f"no LTKM came within {seconds:g} s: they go to the address that registered", DIFFERENT)
