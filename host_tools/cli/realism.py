"""`bcast-uicc realism`: how slow another card is. `bcast-uicc run --latency` uses it."""

from __future__ import annotations

from pathlib import Path

import click

from host_tools.cli.exits import INPUT, CliError

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def realism() -> None:
    """Learn how slow a card is, for `bcast-uicc run --latency`.

    `bcast-uicc run --faults` lets things go wrong besides.
    """


@realism.command(short_help="Learn times from a trace.")
@click.argument("trace", type=_FILE)
@click.option("-o", "--output", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path), default="-",
              help="Where the latency profile goes.  [default: standard output]")
def learn(trace: Path, output: Path) -> None:
    """Learn how long a card takes for each command, from a TRACE in JSON lines.

    Every command that opens a card makes one with --trace.
    """
    from host_tools.realism.latency import LatencyError, learn_latency
    from host_tools.trace.jsonl import TraceFileError, read_json_lines

    try:
        profile = learn_latency(read_json_lines(trace))
    except (LatencyError, TraceFileError) as error:
        raise CliError(str(error), INPUT) from error
    with click.open_file(str(output), "w", encoding="utf-8") as file:
        file.write(profile.to_toml())
    click.echo(f"{trace}: times of {len(profile.commands)} commands", err=True)
