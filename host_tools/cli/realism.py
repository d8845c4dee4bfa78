"""`bcast-uicc realism`: a card with the latency of another one, and with faults by plan."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from host_tools.cli.exits import INPUT, CliError
from host_tools.cli.script import plain_script_errors

if TYPE_CHECKING:
    from host_tools.realism.latency import LatencyProfile
    from host_tools.realism.plan import Fault
    from vpicc_bridge.slots import Bridge

_FILE = click.Path(dir_okay=False, path_type=Path)
_LOOPBACK = "127.0.0.1"


@click.group()
def realism() -> None:
    """Let the emulated card be slow, and let things go wrong."""


@realism.command()
@click.argument("trace", type=_FILE)
@click.option("-o", "--output", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path), default="-",
              help="Where the latency profile goes.  [default: standard output]")
def learn(trace: Path, output: Path) -> None:
    """Learn how long a card takes for each command, from a TRACE in JSON lines."""
    from host_tools.realism.latency import LatencyError, learn_latency
    from host_tools.trace.jsonl import TraceFileError, read_json_lines

    try:
        profile = learn_latency(read_json_lines(trace))
    except (LatencyError, TraceFileError) as error:
        raise CliError(str(error), INPUT) from error
    with click.open_file(str(output), "w", encoding="utf-8") as file:
        file.write(profile.to_toml())
    click.echo(f"{trace}: times of {len(profile.commands)} commands", err=True)


@realism.command()
@click.argument("card_name", metavar="PROFILE|CARDFILE")
@click.option("--latency", type=_FILE, help="Answer as slowly as this profile says (`realism learn`).")
@click.option("--faults", type=_FILE, help="Plan of faults (TOML).")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same delays and faults.")
@click.option("--port", type=click.IntRange(1, 65535), help="TCP port of the vpcd slot.  [default: that of slot 0]")
@click.option("--fresh", is_flag=True, help="A throw-away card from the profile; nothing is written.")
def run(card_name: str, latency: Path | None, faults: Path | None, seed: int, port: int | None, fresh: bool) -> None:
    """Put a card into a PC/SC reader that is slow, or has faults, until Ctrl-C."""
    from host_tools.cli.cards import open_card_argument
    from host_tools.cli.run import Console
    from host_tools.realism.bridge import ReturningBridge
    from host_tools.realism.faulty import FaultyCard
    from host_tools.realism.plan import Injector
    from host_tools.realism.slow import SlowCard
    from vpicc_bridge.adapter import VirtualCard
    from vpicc_bridge.connection import Connection
    from vpicc_bridge.lines import Dialler
    from vpicc_bridge.machine import VPCD_FIRST_PORT
    from vpicc_bridge.slots import Slots

    with plain_script_errors():
        times = None if latency is None else _read_latency(latency)
        plan = () if faults is None else _read_plan(faults)
    with ExitStack() as stack:
        opened = open_card_argument(card_name, fresh=fresh)
        stack.callback(opened.close)
        slow: VirtualCard = opened if times is None else SlowCard(opened, times, seed)
        card = FaultyCard(slow, Injector(plan, seed), lambda after: bridge.pull(after))
        console = Console(verbose=False)

        def connect() -> Bridge:
            return Connection(Dialler(_LOOPBACK, port or VPCD_FIRST_PORT), card, console)

        bridge = ReturningBridge(connect)
        inserted = stack.enter_context(Slots()).insert(bridge)
        click.echo(f"{card_name}: in the slot at {bridge.peer}, until Ctrl-C")
        while inserted.serving:
            inserted.thread.join(0.5)


def _read_latency(path: Path) -> LatencyProfile:
    from host_tools.realism.latency import parse_latency

    return parse_latency(_text(path), str(path))


def _read_plan(path: Path) -> tuple[Fault, ...]:
    from host_tools.realism.plan import parse_plan

    return parse_plan(_text(path), str(path))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise CliError(f"{path}: not text in UTF-8", INPUT) from None
