"""Runs scripts on one side of a comparison."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from host_tools.compare.model import SideRun
from host_tools.compare.observe import ObservedLink
from host_tools.links.base import Link
from host_tools.script.errors import Place
from host_tools.script.model import ResetStep, Script, StepHead
from host_tools.script.results import Status, StepResult
from host_tools.script.runner import Runner, RunOptions
from host_tools.trace.known_secrets import KnownSecrets

Progress = Callable[[StepResult], None]

# The runner asks the card what it is before its first step. A script of its own keeps that out of the real ones.
_PLACE = Place("compare", 1)
_ASKING = Script("compare", _PLACE, "to begin with", (ResetStep(StepHead("what the card says it is", _PLACE)),))


def play_scripts(
    link: Link,
    scripts: Sequence[Script],
    options: RunOptions,
    progress: Progress | None = None,
    known: KnownSecrets | None = None,
) -> SideRun:
    """Run the scripts on a link and return everything that was seen. Their secrets become `known`.

    Nothing that a reader or card does is an exception: the run says in `trouble` what went wrong. The link stays open.
    """
    known = known or KnownSecrets()
    observed = ObservedLink(link, known)
    runner = Runner(observed, options, known)
    for script in (_ASKING, *scripts):
        for result in runner.run(script):
            problem = result.reason if result.status is Status.ERROR else ""
            observed.end_step(f"{script.title}: {result.label}", result.clause, result.status.value, problem)
            if progress is not None:
                progress(result)
        if observed.trouble and options.stop_on_lost:
            break
    return observed.finish()
