"""Runs scripts against a link. Results come one by one, and nothing but counts and variables is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

from card.crypto.secret import Secret
from host_tools.apdu.client import ApduClient
from host_tools.links.base import Link, LinkError, together
from host_tools.script.capabilities import Capabilities, probe_card
from host_tools.script.errors import ExpressionError
from host_tools.script.functions.call import Call
from host_tools.script.guard import Guard
from host_tools.script.matchers import judge, take
from host_tools.script.model import ApduStep, ComputeStep, GroupStep, Loop, ResetStep, Script, Step
from host_tools.script.pattern import Mismatch
from host_tools.script.results import Aspect, Difference, Status, StepResult
from host_tools.script.sending import Sender, Sent, decoded
from host_tools.script.template import Template
from host_tools.script.timed import TimedLink
from host_tools.script.values import FromEnvironment, RandomBytes, Scope, Value
from host_tools.script.walk import needs_card, written_name
from host_tools.trace.commands import describe_command
from host_tools.trace.events import TracedExchange
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

    The secrets of the options and scripts become `known`, for whoever else records the link.
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
        """Yield what comes of each step, with no other program's commands between."""
        with ExitStack() as stack:
            try:
                stack.enter_context(together(self._link))
            except LinkError as error:
                yield self._result(self._script.steps[0], (), Status.ERROR, reason=str(error), lost=True)
                return
            yield from self._results()

    def _results(self) -> Iterator[StepResult]:
        first = self._script.steps[0]
        try:
            self._prepare()
            unmet = [item.text for item in self._script.requires if not item.holds(self._capabilities, self._scope)]
        except (LinkError, ExpressionError) as error:
            yield self._result(first, (), Status.ERROR, reason=str(error), lost=isinstance(error, LinkError))
            return
        if unmet:
            yield self._result(first, (), Status.SKIPPED, reason=f"the script needs: {', '.join(unmet)}{self._why()}")
            return
        try:
            yield from self._steps(self._script.steps, ())
        except _Stop:
            return

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
        for step in steps:
            for inner in self._rounds(step.head.loop, rounds):
                yield from self._step(step, inner)

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

    def _step(self, step: Step, rounds: Rounds) -> Iterator[StepResult]:
        obstacle = self._obstacle(step)
        if obstacle:
            yield self._result(step, rounds, Status.SKIPPED, reason=obstacle)
            return
        if isinstance(step, GroupStep):
            yield from self._steps(step.steps, rounds)
            return
        try:
            result = self._attempt(step, rounds)
        except LinkError as error:
            result = self._result(step, rounds, Status.ERROR, reason=str(error), lost=True)
        yield result
        failed = result.status in (Status.FAILED, Status.ERROR)
        if (failed and self._stops(step)) or (result.lost and self._options.stop_on_lost):
            raise _Stop

    def _stops(self, step: Step) -> bool:
        return step.head.stop_on_failure or self._script.stop_on_failure or self._options.stop_on_failure

    def _obstacle(self, step: Step) -> str:
        """Return why a step is left out; empty when it is not."""
        unmet = [item.text for item in step.head.when if not item.holds(self._capabilities, self._scope)]
        if unmet:
            return f"needs: {', '.join(unmet)}{self._why()}"
        return self._guard.forbids_change(self._capabilities.iccid) if step.head.destructive else ""

    def _why(self) -> str:
        return f" ({self._capabilities.unreadable})" if self._capabilities.unreadable else ""

    def _attempt(self, step: Step, rounds: Rounds) -> StepResult:
        try:
            match step:
                case ApduStep():
                    return self._apdu(step, rounds)
                case ResetStep():
                    return self._reset(step, rounds)
                case ComputeStep(assignments=assignments):
                    for name, expression in assignments:
                        self._scope.set(name, self._evaluate(expression))
                    return self._result(step, rounds, Status.PASSED)
                case GroupStep():
                    raise AssertionError("a group is not attempted as one")
        except ExpressionError as error:
            return self._result(step, rounds, Status.ERROR, reason=str(error))

    def _evaluate(self, expression: Call | Template) -> Value:
        return expression.expand(self._scope) if isinstance(expression, Template) else expression.evaluate(self._scope)

    def _reset(self, step: ResetStep, rounds: Rounds) -> StepResult:
        atr = self._sender.reset()
        mismatch = step.atr.match(atr, self._scope) if step.atr else None
        if mismatch is None:
            return self._result(step, rounds, Status.PASSED)
        return self._result(step, rounds, Status.FAILED, differences=(_atr_difference(mismatch, atr),))

    def _apdu(self, step: ApduStep, rounds: Rounds) -> StepResult:
        self._link.timeout = step.timeout or self._script.timeout or self._options.timeout
        value = step.command.expand(self._scope)
        command = decoded(value.data)
        if command is not None:
            refusal = self._guard.refusal(command, step.expect.sw)
            if refusal:
                return self._result(step, rounds, Status.FAILED, reason=refusal)
            objection = self._guard.objection(self._client, command, step.expect.sw, self._capabilities.iccid)
            if objection:
                return self._result(step, rounds, Status.SKIPPED, reason=objection)
        return self._judged(step, rounds, self._sender.send(step, value.data, command))

    def _judged(self, step: ApduStep, rounds: Rounds, sent: Sent) -> StepResult:
        """Judge what came of a command, and keep what a step captures."""
        shown, seconds = sent.shown, sent.seconds
        if sent.response is None:
            return self._result(
                step, rounds, Status.ERROR, reason=sent.error, exchange=shown, seconds=seconds, lost=True
            )
        secret = shown is None or bool(shown.hidden_response)
        differences = judge(sent.response, step.expect, self._scope, secret=secret)
        for capture in step.captures if not differences else ():
            self._scope.set(capture.variable, take(capture, sent.response, secret=secret), given=True)
        status = Status.FAILED if differences else Status.PASSED
        return self._result(
            step, rounds, status, differences=differences, exchange=shown, response=sent.raw, seconds=seconds
        )

    def _result(
        self,
        step: Step,
        rounds: Rounds,
        status: Status,
        *,
        differences: tuple[Difference, ...] = (),
        reason: str = "",
        exchange: TracedExchange | None = None,
        response: bytes = b"",
        seconds: float = 0.0,
        lost: bool = False,
    ) -> StepResult:
        self._number += 1
        head = step.head
        name = head.name or (describe_command(exchange.command) if exchange else written_name(step))
        return StepResult(
            self._script.name, self._number, name, head.place, head.clause, status, differences, reason, exchange,
            response, seconds, ", ".join(rounds), lost,
        )  # fmt: skip


def _atr_difference(mismatch: Mismatch, atr: bytes) -> Difference:
    got = atr[mismatch.offset :][:8].hex().upper() or "the end"
    return Difference(Aspect.ATR, f"at byte {mismatch.offset} {mismatch.wanted}", got)
