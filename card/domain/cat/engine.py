"""The proactive engine: which command the card wants the terminal to carry out, and when (TS 102 223 clause 6).

The state is a frozen value that lives in the session; the engine itself holds only what personalisation decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Protocol

from card.codec.proactive import CommandType, ProactiveCommand, TerminalResponse
from card.errors import CardError
from card.lean import lean_dataclass
from card.state.nonvolatile import NonVolatile
from card.state.stored import StoredTable

STEPS_PREFIX = "cat/step/"
MENU_PREFIX = "cat/menu/"
_HIGHEST_NUMBER = 0xFE  # command numbers run from 1 to FE (TS 102 223 clause 8.6)
_MOST_WAITING = 16
# Byte and bit (both from 0) of the terminal profile that tell whether it knows a command (TS 102 223 clause 5.2).
_PROFILE_BIT: Mapping[int, tuple[int, int]] = {
    CommandType.DISPLAY_TEXT: (2, 0),
    CommandType.POLL_INTERVAL: (2, 5),
    CommandType.POLLING_OFF: (2, 6),
    CommandType.REFRESH: (2, 7),
    CommandType.SET_UP_MENU: (3, 5),
    CommandType.PROVIDE_LOCAL_INFORMATION: (3, 6),
    CommandType.SET_UP_EVENT_LIST: (4, 0),
    CommandType.TIMER_MANAGEMENT: (7, 0),
}


class NothingToFetch(CardError):
    """No proactive command waits."""


class UnexpectedResponse(CardError):
    """The response does not belong to the command that was fetched."""


@lean_dataclass(frozen=True, slots=True)
class StoredStep:
    """A stored proactive command, and when it is due: seconds from TERMINAL PROFILE, then every so many (0: never)."""

    type: int
    qualifier: int
    destination: int
    objects: bytes
    after: int = 0
    every: int = 0

    @property
    def command(self) -> ProactiveCommand:
        """The command itself."""
        return ProactiveCommand(self.type, self.qualifier, self.destination, self.objects)


@lean_dataclass(frozen=True, slots=True)
class CatState:
    """What the card knows since TERMINAL PROFILE.

    `announced` waits for FETCH; `fetched` (number and type) waits for TERMINAL RESPONSE; `queue` waits behind both;
    `timers` are moments and the steps due then.
    """

    profile: bytes
    queue: tuple[ProactiveCommand, ...] = ()
    announced: bytes = b""
    fetched: tuple[int, int] | None = None
    next_number: int = 1
    timers: tuple[tuple[float, str], ...] = field(default=())
    results: tuple[tuple[int, int], ...] = ()


class ProactiveEngine:
    """The stored steps and menu answers of one card."""

    def __init__(self, nv: NonVolatile) -> None:
        self._steps = dict(StoredTable(nv, STEPS_PREFIX, StoredStep).items())
        self._menu = dict(StoredTable(nv, MENU_PREFIX, StoredStep).items())

    def start(self, profile: bytes, now: float) -> CatState:
        """Begin with the terminal's profile: every step gets its moment; those without delay are due at once."""
        state = CatState(profile, timers=tuple((now + step.after, name) for name, step in self._steps.items()))
        return self.tick(state, now)

    def tick(self, state: CatState, now: float) -> CatState:
        """Queue the steps that are due, in the order of their moments, and announce the first command waiting."""
        due = [timer for timer in state.timers if timer[0] <= now]
        if due:
            state = replace(state, timers=tuple(timer for timer in state.timers if timer[0] > now))
            for _, name in sorted(due):
                step = self._steps[name]
                state = _enqueue(state, step.command)
                if step.every:
                    state = replace(state, timers=(*state.timers, (now + step.every, name)))
        return _announce(state)

    def choose(self, state: CatState, item: int) -> CatState:
        """Queue the answer to a menu selection; an item that the menu does not have is passed over."""
        answer = self._menu.get(f"{item:02}")
        return state if answer is None else _announce(_enqueue(state, answer.command))


def fetch(state: CatState) -> CatState:
    """Return the state after the announced command was handed out. Raises `NothingToFetch`."""
    if not state.announced:
        raise NothingToFetch
    number, command = state.next_number, state.queue[0]
    following = number % _HIGHEST_NUMBER + 1
    return replace(state, queue=state.queue[1:], announced=b"", fetched=(number, command.type), next_number=following)


def respond(state: CatState, response: TerminalResponse) -> CatState:
    """Take in the result of the command that was fetched, and announce the next. Raises `UnexpectedResponse`."""
    if state.fetched != (response.number, response.type):
        raise UnexpectedResponse
    results = (*state.results, (response.type, response.result))[-_MOST_WAITING:]
    return _announce(replace(state, fetched=None, results=results))


def _enqueue(state: CatState, command: ProactiveCommand) -> CatState:
    """Add a command unless the terminal does not know it, or waits for so many that it will never catch up."""
    known = _PROFILE_BIT.get(command.type)
    if known is not None:
        byte, bit = known
        if byte >= len(state.profile) or not state.profile[byte] >> bit & 1:
            return state
    if len(state.queue) >= _MOST_WAITING:
        return state
    return replace(state, queue=(*state.queue, command))


def _announce(state: CatState) -> CatState:
    if state.announced or state.fetched or not state.queue:
        return state
    return replace(state, announced=state.queue[0].encode(state.next_number))


class DownloadHandler(Protocol):
    """Takes short messages that the network addressed to the card."""

    def receive(self, originator: bytes, tpdu: bytes) -> bytes:
        """Take an SMS-DELIVER TPDU from `originator` (the TP-Originating-Address's service centre, may be empty).

        Returns the user data of the acknowledgement, empty for none. Raises `CardError` to refuse.
        """


class DiscardingHandler:
    """Acknowledges every message and does nothing with it."""

    def receive(self, originator: bytes, tpdu: bytes) -> bytes:  # noqa: ARG002  # the port gives it
        """Return no user data."""
        return b""
