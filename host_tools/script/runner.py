"""Runs scripts against a link. Results come one by one, and nothing but counts and variables is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field

from card.crypto.secret import Secret
from host_tools.apdu.client import ApduClient
from host_tools.links.base import Link, LinkError, together
from host_tools.script.capabilities import Capabilities, probe_card
from host_tools.script.conditions import Condition
from host_tools.script.errors import ExpressionError
from host_tools.script.functions.call import Call
from host_tools.script.matchers import judge, take
from host_tools.script.model import ApduStep, ComputeStep, GroupStep, Loop, ResetStep, Script, Step
from host_tools.script.pattern import Mismatch
from host_tools.script.results import Aspect, Difference, Status, StepResult
from host_tools.script.safety import Guard
from host_tools.script.sending import Sender, Sent, decoded
from host_tools.script.template import Template
from host_tools.script.timed import TimedLink
from host_tools.script.values import FromEnvironment, RandomBytes, Scope, Value
from host_tools.script.walk import needs_card, written_name
from host_tools.trace.commands import describe_command
from host_tools.trace.known_secrets import KnownSecrets

Rounds = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What a person decides about a run.

    `pin` is used to read service tables. `variables` replace those of the scripts. `destructive` steps are done only
    on a card whose ICCID is in `allowed_iccids`. `timeout` in seconds is for steps that name none. `stop_on_failure`
    ends a script at its first failure, `stop_on_lost` when the reader does not answer any more.
    """

    pin: Secret | None = None
    variables: Mapping[str, Value] = field(default_factory=dict)
    destructive: bool = False
    allowed_iccids: frozenset[str] = frozenset()
    timeout: float | None = None
    stop_on_failure: bool = False
    stop_on_lost: bool = True
    seed: int | None = None


class _Stop(Exception):
    """The script ends here; the reason is a phrase."""


class Runner:
    """Runs one script after the other on one link, which it does not close.

    The secrets of the options and scripts become `known`, for whoever else records the link. A run goes down in three
    steps: `_ScriptRun.results` (the script), `_steps` (its steps, groups and loops), `_attempt` (one step).
    """

    def __init__(
        self,
        link: Link,
        options: RunOptions = RunOptions(),
        known: KnownSecrets | None = None,  # frozen
    ) -> None:
        self._session = _Session(link, options, known or KnownSecrets())

    def run(self, script: Script) -> Iterator[StepResult]:
        """Yield the result of each step as it is done. A link that fails is a result, not an exception."""
        return _ScriptRun(script, self._session).results()

    def close(self) -> None:
        """Let go what the runner holds, which is not the link."""
        self._session.link.release()


class _Session:
    """What the scripts of a run share: the card, and what was learnt about it."""

    def __init__(self, link: Link, options: RunOptions, known: KnownSecrets) -> None:
        self.link = TimedLink(link)
        self.client = ApduClient(self.link)
        self.options = options
        self.known = known
        self.guard = Guard(options.destructive, options.allowed_iccids)
        self._capabilities: Capabilities | None = None
        if options.pin is not None:
            known.learn(options.pin.reveal(), keep=True)

    def probe(self) -> Capabilities:
        """Ask the card once; afterwards it is reset. Raises `LinkError`."""
        if self._capabilities is None:
            self.link.timeout = self.options.timeout
            self._capabilities = probe_card(self.client, self.options.pin, self.guard.refused)
        return self._capabilities


@dataclass(frozen=True, slots=True)
class _Verdict:
    """How a step ended: why, where that needs a reason, what differed, and what was sent; `lost` with the reader."""

    status: Status
    reason: str = ""
    differences: tuple[Difference, ...] = ()
    sent: Sent | None = None
    lost: bool = False


class _ScriptRun:
    """One script on its way."""

    def __init__(self, script: Script, session: _Session) -> None:
        self._script = script
        self._session = session
        self._link = session.link
        self._client = session.client
        self._options = session.options
        self._guard = session.guard
        self._scope = Scope(session.options.seed, session.known)
        self._sender = Sender(session.link, session.client, session.guard, session.known)
        self._capabilities = Capabilities()
        self._number = 0

    def results(self) -> Iterator[StepResult]:
        """Yield the result of each step, with no other program's commands between."""
        first = self._script.steps[0]
        with ExitStack() as stack:
            try:
                stack.enter_context(together(self._link))
                self._prepare()
                unmet = self._unmet(self._script.requires)
            except (LinkError, ExpressionError) as error:
                yield self._result(first, (), _not_done(error))
                return
            if unmet:
                yield self._result(first, (), _Verdict(Status.SKIPPED, f"the script needs: {unmet}"))
                return
            with suppress(_Stop):
                yield from self._steps(self._script.steps, ())

    def _prepare(self) -> None:
        """Ask the card where the script needs to know it, reset it, and give the variables their first values."""
        self._link.timeout = self._script.timeout or self._options.timeout
        if needs_card(self._script):
            self._capabilities = self._session.probe()
        if self._script.reset:
            self._link.reset()
        for name, aid in self._capabilities.aids.items():
            self._scope.set(f"{name}_aid", Value(aid))
        self._scope.set("iccid", Value(self._capabilities.iccid.encode()))
        for name, source in self._script.variables.items():
            given = self._options.variables.get(name)
            value = given if given is not None else self._first_value(source)
            if value is not None:
                self._scope.set(name, value, given=True)
            elif isinstance(source, FromEnvironment):
                self._scope.miss(name, f"set the environment variable {source.variable}")

    def _first_value(self, source: object) -> Value | None:
        match source:
            case Template():
                return source.expand(self._scope)
            case FromEnvironment():
                return source.resolve()
            case RandomBytes(size=size):
                return self._scope.random_bytes(size)
            case _:
                return None

    def _steps(self, steps: tuple[Step, ...], rounds: Rounds) -> Iterator[StepResult]:
        """Do steps in their order, each as often as its loop says. Raises `_Stop` where the script ends."""
        for step in steps:
            for inner in self._rounds(step.head.loop, rounds):
                obstacle = self._obstacle(step)
                if obstacle:
                    yield self._result(step, inner, _Verdict(Status.SKIPPED, obstacle))
                elif isinstance(step, GroupStep):
                    yield from self._steps(step.steps, inner)
                else:
                    verdict = self._attempt(step)
                    yield self._result(step, inner, verdict)
                    failed = verdict.status in (Status.FAILED, Status.ERROR)
                    if (failed and self._stops(step)) or (verdict.lost and self._options.stop_on_lost):
                        raise _Stop

    def _rounds(self, loop: Loop | None, rounds: Rounds) -> Iterator[Rounds]:
        """Yield the names of the rounds; before each, the loop's variable has its value."""
        if loop is None:
            yield rounds
            return
        items: Iterable[int | Template] = loop.values
        for number, item in enumerate(items, 1):
            if not loop.variable:
                yield (*rounds, str(number))
                continue
            value = Value(item.to_bytes(loop.size, "big")) if isinstance(item, int) else item.expand(self._scope)
            self._scope.set(loop.variable, value)
            yield (*rounds, f"{loop.variable}={value}")

    def _stops(self, step: Step) -> bool:
        return step.head.stop_on_failure or self._script.stop_on_failure or self._options.stop_on_failure

    def _obstacle(self, step: Step) -> str:
        """Return why a step is left out; empty when it is not."""
        unmet = self._unmet(step.head.when)
        if unmet:
            return f"needs: {unmet}"
        return self._guard.forbids_change(self._capabilities.iccid) if step.head.destructive else ""

    def _unmet(self, conditions: Iterable[Condition]) -> str:
        """Return the conditions that do not hold, and why that may be; empty when all hold."""
        unmet = [item.text for item in conditions if not item.holds(self._capabilities, self._scope)]
        unreadable = self._capabilities.unreadable
        return ", ".join(unmet) + (f" ({unreadable})" if unmet and unreadable else "")

    def _attempt(self, step: ApduStep | ResetStep | ComputeStep) -> _Verdict:
        """Do one step. A link that fails and a value that cannot be worked out are verdicts, too."""
        try:
            match step:
                case ApduStep():
                    return self._apdu(step)
                case ResetStep():
                    atr = self._sender.reset()
                    mismatch = step.atr.match(atr, self._scope) if step.atr else None
                    return _judged(() if mismatch is None else (_atr_difference(mismatch, atr),))
                case ComputeStep(assignments=assignments):
                    for name, source in assignments:
                        evaluate = source.evaluate if isinstance(source, Call) else source.expand
                        self._scope.set(name, evaluate(self._scope))
                    return _Verdict(Status.PASSED)
        except (LinkError, ExpressionError) as error:
            return _not_done(error)

    def _apdu(self, step: ApduStep) -> _Verdict:
        """Send a command where the guard lets it, judge the answer, and keep what the step captures."""
        self._link.timeout = step.timeout or self._script.timeout or self._options.timeout
        raw = step.command.expand(self._scope).data
        command = decoded(raw)
        if command is not None:
            refusal = self._guard.refusal(command, step.expect.sw)
            if refusal:
                return _Verdict(Status.FAILED, refusal)
            objection = self._guard.objection(self._client, command, step.expect.sw, self._capabilities.iccid)
            if objection:
                return _Verdict(Status.SKIPPED, objection)
        sent = self._sender.send(step, raw, command)
        if sent.response is None:
            return _Verdict(Status.ERROR, sent.error, sent=sent, lost=True)
        secret = sent.shown is None or bool(sent.shown.hidden_response)
        differences = judge(sent.response, step.expect, self._scope, secret=secret)
        for capture in step.captures if not differences else ():
            self._scope.set(capture.variable, take(capture, sent.response, secret=secret), given=True)
        return _judged(differences, sent)

    def _result(self, step: Step, rounds: Rounds, verdict: _Verdict) -> StepResult:
        self._number += 1
        head, sent = step.head, verdict.sent
        shown = sent.shown if sent else None
        return StepResult(
            self._script.name, self._number,
            head.name or (describe_command(shown.command) if shown else written_name(step)),
            head.place, head.clause, verdict.status, verdict.differences, verdict.reason, shown,
            sent.raw if sent else b"", sent.seconds if sent else 0.0, ", ".join(rounds), verdict.lost,
        )  # fmt: skip


def _judged(differences: Iterable[Difference], sent: Sent | None = None) -> _Verdict:
    found = tuple(differences)
    return _Verdict(Status.FAILED if found else Status.PASSED, differences=found, sent=sent)


def _not_done(error: LinkError | ExpressionError) -> _Verdict:
    return _Verdict(Status.ERROR, str(error), lost=isinstance(error, LinkError))


def _atr_difference(mismatch: Mismatch, atr: bytes) -> Difference:
    got = atr[mismatch.offset :][:8].hex().upper() or "the end"
    return Difference(Aspect.ATR, f"at byte {mismatch.offset} {mismatch.wanted}", got)
