"""Finds the scripts that somebody names, and runs them on one card."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from host_tools.sessions.events import Events, ScriptDone, ScriptsDone, ScriptStepDone

if TYPE_CHECKING:
    from host_tools.links.base import Link
    from host_tools.script.model import Script
    from host_tools.script.results import Summary
    from host_tools.script.runner import RunOptions
    from host_tools.trace.known_secrets import KnownSecrets


def load_scripts(names: Sequence[str]) -> list[Script]:
    """Return the scripts that names stand for: files, folders, suites that ship. Raises `ScriptError`."""
    from host_tools.script.load import find_scripts, load_script

    return [load_script(path) for path in find_scripts(list(names))]


def script_files(scripts: Iterable[Script]) -> Iterator[Path]:
    """Yield the files that scripts were read from, what they include among them."""
    from host_tools.script.walk import walk_steps

    for item in scripts:
        yield Path(item.place.file)
        yield from map(Path, {step.head.place.file for step in walk_steps(item.steps)})


def run_scripts(
    scripts: Sequence[Script], options: RunOptions, link: Link, known: KnownSecrets, events: Events
) -> tuple[Summary, bool]:
    """Run scripts on the card behind a link; return the totals, and whether the reader was lost.

    An event tells the result of each step. Secrets become `known`.
    """
    from host_tools.script.results import Summary
    from host_tools.script.runner import Runner

    total, lost = Summary(), False
    with closing(Runner(link, options, known)) as runner:
        for item in scripts:
            counts = Summary()
            for result in runner.run(item):
                counts.add(result)
                total.add(result)
                lost |= result.lost
                events.emit(ScriptStepDone(item, result, counts))
            events.emit(ScriptDone(item, counts))
            if lost and options.stop_on_lost:
                break
    if len(scripts) > 1:
        events.emit(ScriptsDone(len(scripts), total))
    return total, lost
