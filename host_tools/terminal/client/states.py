"""The way of an errand as a table: in which state what happens, what is done about it, and which state follows.

What is not in the table changes nothing: an answer that comes late, a timer of an errand that is over.
`docs/dev/client.md` shows the table, made from these rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType


class State(Enum):
    """Where the client is. The value is what a person reads."""

    IDLE = "idle"
    READY = "ready"
    BOOTSTRAP = "bootstrap"
    REGISTER = "register"
    REQUEST = "request"
    DEREGISTER = "deregister"
    CLIENT_ID = "client id"
    BACKING_OFF = "backing off"


class Happening(Enum):
    """What happens to an errand."""

    BEGUN = "an errand is next"
    IDENTIFIED = "the terminal has an identity"
    LATER = "it may work later"
    OVER = "it will not work, or nobody waits for it any longer"
    CHALLENGED = "401: credentials are wanted"
    STALE = "401: the nonce is stale"
    NOT_KNOWN = "401 to credentials: a new B-TID is wanted"
    NO_ANSWER = "no answer came, and it may be sent again"
    CLIENT_ID_WANTED = "403: the client ID is wanted"
    ACCEPTED = "2xx, and the server is authentic"
    TIME = "the waiting time is over"
    LEFT = "the user leaves"


class Act(Enum):
    """What is done on the way."""

    IDENTIFY = "ask the card who the terminal is; bootstrap if it has no Ks that is fit"
    RENEW = "bootstrap"
    SEND = "send the request"
    SHOW_CLIENT_ID = "send the GET that shows the client ID"
    WAIT = "set the timer"
    FINISH = "read the answer, note what follows from it, tell the user"
    GIVE_UP = "tell the user why"
    DROP = "forget the errand"


@dataclass(frozen=True, slots=True)
class Transition:
    """One row. `then` is the state that follows, or what tells it."""

    state: State
    on: Happening
    do: Act
    then: State | Goal


class Goal(Enum):
    """A state that depends on the errand, or on whether the terminal is registered."""

    ASKING = "register, request or deregister, by the errand"
    REST = "ready where it is registered, else idle"


_S, _H, _A = State, Happening, Act
_ASKING = (_S.REGISTER, _S.REQUEST, _S.DEREGISTER, _S.CLIENT_ID)


def _rows() -> tuple[Transition, ...]:
    resting = tuple(Transition(state, _H.BEGUN, _A.IDENTIFY, _S.BOOTSTRAP) for state in (_S.IDLE, _S.READY))
    bootstrap = (
        Transition(_S.BOOTSTRAP, _H.IDENTIFIED, _A.SEND, Goal.ASKING),
        Transition(_S.BOOTSTRAP, _H.LATER, _A.WAIT, _S.BACKING_OFF),
        Transition(_S.BOOTSTRAP, _H.OVER, _A.GIVE_UP, Goal.REST),
    )
    asking = tuple(row for state in _ASKING for row in _asking(state))
    wanted = Transition(_S.REGISTER, _H.CLIENT_ID_WANTED, _A.SHOW_CLIENT_ID, _S.CLIENT_ID)
    backing_off = (
        Transition(_S.BACKING_OFF, _H.TIME, _A.IDENTIFY, _S.BOOTSTRAP),
        Transition(_S.BACKING_OFF, _H.LEFT, _A.DROP, Goal.REST),
    )
    return (*resting, *bootstrap, *asking, wanted, *backing_off)


def _asking(state: State) -> tuple[Transition, ...]:
    again = _A.SHOW_CLIENT_ID if state is _S.CLIENT_ID else _A.SEND
    return (
        Transition(state, _H.CHALLENGED, again, state),
        Transition(state, _H.STALE, again, state),
        Transition(state, _H.NO_ANSWER, again, state),
        Transition(state, _H.NOT_KNOWN, _A.RENEW, _S.BOOTSTRAP),
        Transition(state, _H.LATER, _A.WAIT, _S.BACKING_OFF),
        Transition(state, _H.OVER, _A.GIVE_UP, Goal.REST),
        Transition(state, _H.ACCEPTED, _A.FINISH, Goal.REST),
    )


TRANSITIONS = _rows()
"""Every row; no two are for the same state and happening."""
_BY_CAUSE: Mapping[tuple[State, Happening], Transition] = MappingProxyType(
    {(row.state, row.on): row for row in TRANSITIONS}
)


def transition(state: State, on: Happening) -> Transition | None:
    """Return the row for what happens in a state, None where it changes nothing."""
    return _BY_CAUSE.get((state, on))
