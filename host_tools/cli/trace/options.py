"""Options that say where the trace of a card goes, and what they open."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from host_tools.cli.console import Console
from host_tools.cli.exits import ENVIRONMENT, CliError
from host_tools.cli.explained import explained
from host_tools.cli.new_file import refuse_clash

if TYPE_CHECKING:
    from host_tools.links.base import Link
    from host_tools.trace.events import TraceSink
    from host_tools.trace.known_secrets import KnownSecrets

_FILE = click.Path(dir_okay=False, path_type=Path)
_TRACES = ("trace_files", "outputs")
_C = TypeVar("_C", bound=Callable[..., object])


def recording_options(command: _C) -> _C:
    """Add --trace and --gsmtap."""
    for option in (
        click.option("--gsmtap", metavar="HOST[:PORT]", help="Send the trace to a Wireshark, as GSMTAP over UDP."),
        click.option("--trace", "trace_files", multiple=True, type=_FILE, metavar="FILE",
                     help="Write the trace: pcapng where the name ends so, else JSON lines. Repeatable."),
    ):  # fmt: skip
        command = option(command)
    return command


def trace_options(command: _C) -> _C:
    """Add -v, --trace and --gsmtap."""
    shown = click.option("-v", "--verbose", is_flag=True, help="Show each APDU, decoded, without PINs and keys.")
    return shown(recording_options(command))


@dataclass(frozen=True, slots=True)
class TraceChoice:
    """Where the trace goes: to standard error, into files, to a Wireshark at HOST or HOST:PORT."""

    verbose: bool = False
    files: tuple[Path, ...] = ()
    gsmtap: str | None = None

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> TraceChoice:
        """Take the values of the options out of all that a command got."""
        return cls(options.get("verbose", False), tuple(options["trace_files"]), options["gsmtap"])

    @contextmanager
    def opened(self, *, shielded: bool = False) -> Iterator[tuple[TraceSink, ...]]:
        """Open the sinks for the length of a `with` block.

        A full disk ends the work, or with `shielded` only the trace, with a line on standard error. Raises
        `UnwritableFile`, `CliError`, `click.UsageError`.
        """
        refuse_clash(self.files, _named_files())
        with ExitStack() as stack:
            sinks = (_shielded(sink) if shielded else sink for sink in self._sinks())
            yield tuple(stack.enter_context(closing(sink)) for sink in sinks)

    def _sinks(self) -> Iterator[TraceSink]:
        if not (self.verbose or self.files or self.gsmtap is not None):
            return
        from host_tools.links.base import LinkError
        from host_tools.trace.sinks import file_sink, gsmtap_sink
        from host_tools.trace.text import TextSink

        if self.verbose:
            yield TextSink(lambda line: click.echo(line, err=True))
        try:
            yield from map(file_sink, self.files)
            if self.gsmtap is not None:
                yield gsmtap_sink(self.gsmtap)
        except ValueError:
            raise click.UsageError(f"--gsmtap {self.gsmtap}: HOST or HOST:PORT is wanted") from None
        except LinkError as error:
            raise CliError(str(error), ENVIRONMENT) from None


def _named_files() -> Iterator[Path]:
    """Yield the files that are there and that the command line names, but for those of the trace."""
    context = click.get_current_context(silent=True)
    for name, given in context.params.items() if context else ():
        for value in given if isinstance(given, tuple) else (given,):
            if name not in _TRACES and isinstance(value, str | Path) and os.path.isfile(value):  # noqa: PTH113  # any text
                yield Path(value)


def _shielded(sink: TraceSink) -> TraceSink:
    from host_tools.trace.sinks import ShieldedSink

    return ShieldedSink(sink, lambda sentence: click.echo(sentence, err=True))


@contextmanager
def open_traced_link(
    link: str, reader: str | None, profile: Path | None, sinks: Sequence[TraceSink], known: KnownSecrets | None = None
) -> Iterator[Link]:
    """Open a card for the length of a `with` block. Whoever opened the sinks closes them."""
    from host_tools.sessions.opening import open_link, traced

    with explained(), open_link(link, reader, profile, Console()) as opened:
        yield traced(opened, sinks, known)
