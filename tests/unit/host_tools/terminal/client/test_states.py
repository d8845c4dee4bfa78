"""The table of the client: no cause twice, no state that is never reached, none without a way out."""

from __future__ import annotations

from collections import Counter

from host_tools.terminal.client.states import TRANSITIONS, Goal, Happening, State, transition

ASKING = {State.REGISTER, State.REQUEST, State.DEREGISTER}
REST = {State.IDLE, State.READY}


def after(then: State | Goal) -> set[State]:
    match then:
        case Goal.ASKING:
            return ASKING
        case Goal.REST:
            return REST
        case State() as state:
            return {state}


def test_one_row_for_a_cause() -> None:
    causes = Counter((row.state, row.on) for row in TRANSITIONS)
    assert set(causes.values()) == {1}


def test_every_state_is_reached_and_left() -> None:
    reached = set().union(*(after(row.then) for row in TRANSITIONS))
    assert reached | {State.IDLE} == set(State)
    assert {row.state for row in TRANSITIONS} == set(State)


def test_every_errand_ends_at_rest() -> None:
    """From each state there is a way to IDLE or READY that needs no luck: giving up, or leaving."""
    for state in set(State) - REST:
        ends = [row for row in TRANSITIONS if row.state is state and after(row.then) <= REST]
        assert {row.on for row in ends} & {Happening.OVER, Happening.LEFT}, state


def test_what_comes_late_changes_nothing() -> None:
    for state in REST:
        for on in set(Happening) - {Happening.BEGUN}:
            assert transition(state, on) is None
    assert transition(State.REGISTER, Happening.TIME) is None
    assert transition(State.BACKING_OFF, Happening.ACCEPTED) is None


def test_only_a_registration_shows_the_client_id() -> None:
    assert [row.state for row in TRANSITIONS if row.on is Happening.CLIENT_ID_WANTED] == [State.REGISTER]
