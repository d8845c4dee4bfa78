"""`bcast-uicc realism`: how slow another card is. `bcast-uicc run --latency` uses it."""

from __future__ import annotations

from pathlib import Path

import click

from host_tools.cli.new_file import force_option, new_file, refuse_clash

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group()
def realism() -> None:
    """Learn how slow a card is, for `bcast-uicc run --latency`.

    `bcast-uicc run --faults` lets things go wrong besides.
    """


@realism.command(short_help="Learn times from a trace.")
@click.argument("trace", type=_FILE)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    default="-",
    help="Where the latency profile goes.  [default: standard output]",
)
@force_option
def learn(trace: Path, output: Path, force: bool) -> None:
    """Learn how long a card takes for each command, from a TRACE in JSON lines.

    Every command that opens a card makes one with --trace.
    """
    from host_tools.sessions.realism import learn_times

    refuse_clash([output], [trace])
    profile = learn_times(trace)
    with new_file(output, force=force) as draft:
        draft.file.write(profile.to_toml())
        draft.keep = True
    click.echo(f"{trace}: times of {len(profile.commands)} commands", err=True)
