"""Options that say where BSM and BSD/A of one broadcast find each other, as two programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from host_tools.cli.headend.air_options import place

if TYPE_CHECKING:
    from host_tools.exchange.transport import Endpoint
    from host_tools.sessions.certificates import BsdaTls

_Command = TypeVar("_Command", bound=Callable[..., Any])
_FILE = click.Path(dir_okay=False, path_type=Path)
_PORT = click.IntRange(0, 65_535)
_LOOPBACK = "127.0.0.1"
_BSM_OPTIONS = (
    click.option(
        "--transport-key",
        type=_FILE,
        help="Serve a BSD/A in another process (`headend air`), which shares this key; it is made where there is none.",
    ),
    click.option(
        "--bsda",
        metavar="ADDRESS:PORT",
        help="Where that BSD/A is told at once of SEKs that are rolled out of turn: its --port, or with --certificates "
        "its --tls-port. Without it, it asks for them.",
    ),
)
_BSDA_OPTIONS = (
    click.option("--bsm", metavar="ADDRESS:PORT", help="Where the BSM is, as `headend serve` prints it."),
    click.option("--network", type=_FILE, help="Take that from what `headend serve --network-file` wrote."),
    click.option(
        "--transport-key", type=_FILE, required=True, help="The key that `headend serve --transport-key` made."
    ),
    click.option(
        "--certificates",
        type=click.Path(file_okay=False, path_type=Path),
        help="Reach the BSM over TLS, and be reached so, with ca.pem, bsda.pem and bsda.key of this folder, as "
        "`headend serve --certificates` writes them.",
    ),
    click.option(
        "--port", type=_PORT, default=0, help="TCP port of metrics and hand-over; without it, any that is free."
    ),
    click.option("--tls-port", type=_PORT, default=0, help="TCP port of the hand-over over TLS."),
)


def bsm_options(command: _Command) -> _Command:
    """Give a command the options of a BSM that has its BSD/A elsewhere."""
    return _with(command, _BSM_OPTIONS)


def bsda_options(command: _Command) -> _Command:
    """Give a command the options of a BSD/A that has its BSM elsewhere."""
    return _with(command, _BSDA_OPTIONS)


@dataclass(frozen=True, slots=True)
class Ends:
    """Where the BSM is, where the BSD/A listens, and where and with what it does so over TLS."""

    bsm: Endpoint
    own: Endpoint
    secured: tuple[Endpoint, BsdaTls] | None


def ends(bsm: str | None, network: Path | None, certificates: Path | None, port: int, tls_port: int) -> Ends:
    """Return what the options say. Raises `click.UsageError`, `SessionError`, `UnusableFile`."""
    from host_tools.exchange.transport import Endpoint
    from host_tools.sessions.certificates import bsda_tls
    from host_tools.wire.network_file import BSDA, BSM_TLS, load_network

    if (bsm is None) == (network is None):
        raise click.UsageError("give --bsm ADDRESS:PORT or --network FILE")
    if certificates is None and tls_port:
        raise click.UsageError("--tls-port needs --certificates")
    told = None if network is None else load_network(network)
    secured = None if certificates is None else bsda_tls(certificates)
    if bsm is not None:
        server = place("--bsm", bsm)
    else:
        assert told is not None, "one of the two is there"
        found = told.bsm if secured is None else told.others.get(BSM_TLS)
        if found is None:
            raise click.UsageError(
                f"--network {network}: its BSM has no TLS; `headend serve` wants --certificates, too"
            )
        server = found.endpoint
    # A BSM that tells of SEKs has said where: the port that is meant for it need not be named again.
    expected = None if told is None or BSDA not in told.others else told.others[BSDA].endpoint
    free, mine = Endpoint(_LOOPBACK, port), Endpoint(_LOOPBACK, tls_port)
    if secured is None:
        return Ends(server, expected if expected is not None and not port else free, None)
    return Ends(server, free, (expected if expected is not None and not tls_port else mine, secured))


def _with(command: _Command, options: tuple[Callable[[_Command], _Command], ...]) -> _Command:
    for option in reversed(options):
        command = option(command)
    return command
