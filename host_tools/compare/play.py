"""Runs scripts on one side of a comparison."""

from __future__ import annotations

from collections.abc import Sequence

from card.tables.problems import Place
from host_tools.compare.model import INTERRUPTED, SideRun
from host_tools.compare.observe import ObservedLink
from host_tools.links.base import Link
from host_tools.script.model import ResetStep, Script, StepHead
from host_tools.script.results import Status
from host_tools.script.runner import Runner, RunOptions
from host_tools.trace.known_secrets import KnownSecrets

# The runner asks the card what it is before its first step. A script of its own keeps that out of the real ones.
_PLACE = Place("compare", 1)
_ASKING = Script("compare", _PLACE, "to begin with", (ResetStep(StepHead("what the card says it is", _PLACE)),))


def play_scripts(link: Link, scripts: Sequence[Script], options: RunOptions) -> SideRun:
    """Run the scripts on a link and return everything that was seen.

    Nothing that a reader or card does is an exception: the run says in `trouble` what went wrong. The link stays open.
    """
    known = KnownSecrets()
    observed = ObservedLink(link, known)
    _play(observed, scripts, options, known)
    return observed.finish()


def play_until_interrupted(link: Link, scripts: Sequence[Script], options: RunOptions, known: KnownSecrets) -> SideRun:
    """Do the same, but on Ctrl-C return what was seen so far, with `INTERRUPTED` as the trouble of the run.

    The secrets of the scripts become `known`.
    """
    observed = ObservedLink(link, known)
    try:
        _play(observed, scripts, options, known)
    except KeyboardInterrupt:
        observed.trouble = INTERRUPTED
        observed.end_step(INTERRUPTED, problem=INTERRUPTED)
    return observed.finish()


def not_played(link: Link) -> SideRun:
    """Return the run of a side that was not begun, because the other one was interrupted."""
    return SideRun(link.name, link.atr, link.protocol.value, (), INTERRUPTED)


def not_begun(name: str) -> SideRun:
    """Return the run of a side that was not even opened when the comparison was interrupted."""
    return SideRun(name, b"", "", (), INTERRUPTED)


def _play(observed: ObservedLink, scripts: Sequence[Script], options: RunOptions, known: KnownSecrets) -> None:
    runner = Runner(observed, options, known)
    for script in (_ASKING, *scripts):
        for result in runner.run(script):
            problem = result.reason if result.status is Status.ERROR else ""
            observed.end_step(f"{script.title}: {result.label}", result.clause, result.status.value, problem)
        if observed.trouble and options.stop_on_lost:
            break
