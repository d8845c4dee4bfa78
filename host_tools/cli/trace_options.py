"""Options that say where the trace of a card goes, and what they open."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from host_tools.cli.exits import ENVIRONMENT, CliError
from host_tools.cli.terminal_session import explained, open_link

if TYPE_CHECKING:
    from host_tools.links.base import Link
    from host_tools.trace.events import TraceSink

_FILE = click.Path(dir_okay=False, path_type=Path)
_C = TypeVar("_C", bound=Callable[..., object])


def trace_options(command: _C) -> _C:
    """Add -v, --trace and --gsmtap."""
    for option in (
        click.option("--gsmtap", metavar="HOST[:PORT]", help="Send the trace to a Wireshark, as GSMTAP over UDP."),
        click.option("--trace", "trace_files", multiple=True, type=_FILE, metavar="FILE",
                     help="Write the trace: pcapng where the name ends so, else JSON lines. Repeatable."),
        click.option("-v", "--verbose", is_flag=True, help="Show each APDU, decoded, without PINs and keys."),
    ):  # fmt: skip
        command = option(command)
    return command


def open_sinks(verbose: bool, trace_files: Sequence[Path], gsmtap: str | None) -> list[TraceSink]:
    """Return the sinks that the options name. Raises `CliError`, `click.UsageError`."""
    from host_tools.links.base import LinkError
    from host_tools.trace.sinks import file_sink, gsmtap_sink
    from host_tools.trace.text import TextSink

    sinks: list[TraceSink] = [TextSink(lambda line: click.echo(line, err=True))] if verbose else []
    try:
        sinks += [file_sink(path) for path in trace_files]
        if gsmtap is not None:
            sinks.append(gsmtap_sink(gsmtap))
    except OSError as error:
        raise CliError(f"{error.filename}: {error.strerror}", ENVIRONMENT) from None
    except ValueError:
        raise click.UsageError(f"--gsmtap {gsmtap}: HOST or HOST:PORT is wanted") from None
    except LinkError as error:
        raise CliError(str(error), ENVIRONMENT) from None
    return sinks


@contextmanager
def open_traced_link(
    link: str, reader: str | None, profile: Path | None, sinks: Sequence[TraceSink]
) -> Iterator[Link]:
    """Open a card for the length of a `with` block; its sinks are finished with it."""
    from host_tools.trace.record import Recorder, RecordingLink

    with explained(), open_link(link, reader, profile) as opened:
        if not sinks:
            yield opened
            return
        recorder = Recorder(opened.name, sinks)
        try:
            yield RecordingLink(opened, recorder)
        finally:
            recorder.close()
