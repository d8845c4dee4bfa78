"""What `--explain` says of a key that newer ones pushed out of EF_MSK: its live counter is not to be seen."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from card.spec.bcast.p1 import P1
from card.spec.bcast.tables import Direction
from card.spec.ins import INS
from host_tools.links.inprocess import InProcessLink
from host_tools.terminal.bcast import Refusal, RefusalReason
from host_tools.terminal.card_stkm import CardStkmView
from host_tools.terminal.decision import Decision, ExplainingFeed
from host_tools.terminal.key_source import StkmView
from tests.support.stage import Stage, variant

FIRST_FILM = range(1, 5)


def pushed_out(spe_beside: int | None = None) -> Stage:
    """The keys of the second and third film come while the first film is on, at T=3; perhaps a policy beside."""
    beside = f'[[delivery]]\nservice = "cinema"\nat = -0.5\nkey = 1\nspe = {spe_beside}\n\n'
    second = '[[delivery]]\nservice = "cinema"\nat = 3.0'
    early = {"at = 3.0\nkey = 2": "at = 1.5\nkey = 2", "at = 7.0\nkey = 3": "at = 1.5\nkey = 3"}
    return Stage(variant("pay_per_view", **({second: beside + second} if spe_beside is not None else {}), **early))


def explained(stage: Stage) -> list[Decision]:
    stage.play(explain=True)
    return [decision for decision in stage.decisions if decision.view.timestamp in FIRST_FILM]


def test_a_key_that_is_for_live_only_is_watched_live() -> None:
    decisions = explained(pushed_out())
    assert [d.explanation and d.explanation.direction for d in decisions] == [Direction.LIVE] * 4
    assert str(decisions[2]).endswith("T=3 live: TEK, free of charge; by live pay per view, user purse")


def test_the_policy_beside_it_leaves_open_what_it_was() -> None:
    """Free play-back, or live and paid already: both hold."""
    decisions = explained(pushed_out(spe_beside=5))
    assert [d.explanation and d.explanation.direction for d in decisions[2:]] == [None, None]
    for decision in decisions[2:]:
        assert decision.granted
        assert "plain MBMS" not in str(decision)
        assert " or " in str(decision)


def test_what_was_debited_tells_live_from_playback() -> None:
    stage = pushed_out(spe_beside=5)
    stage.delivery.deliver_until(float("inf"))
    feed = ExplainingFeed(stage.middleware, stage.middleware.usim)
    film = next(d.payload for d in stage.capture if d.destination.port == 2269)
    feed.feed(film)
    paid = feed.take()
    assert paid is not None
    assert ([str(p) for p in paid.payments], paid.direction) == (["4 from the user purse, 6 left"], Direction.LIVE)


def test_what_looking_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four audits of two commands, and EF_MSK up to the record of the key: not all sixteen records of it."""
    crossed: Counter[int] = Counter()
    transmit = InProcessLink.transmit

    def counting(link: InProcessLink, apdu: bytes) -> bytes:
        crossed[apdu[1]] += 1
        return transmit(link, apdu)

    stage = Stage("pay_per_time")
    stage.delivery.deliver_until(float("inf"))
    stkm = next(d.payload for d in stage.capture if d.destination.port == 2269)
    monkeypatch.setattr(InProcessLink, "transmit", counting)
    feed = ExplainingFeed(stage.middleware, stage.middleware.usim)
    feed.feed(stkm)
    assert feed.take() is not None
    assert crossed == {INS.SELECT: 1, INS.READ_RECORD: 1, INS.OMA_BCAST: 8, INS.AUTHENTICATE_ODD: 2}


@pytest.mark.parametrize(
    ("reason", "direction"),
    [
        (RefusalReason.OUTSIDE_VALIDITY, Direction.LIVE),
        (RefusalReason.NO_PLAYBACK_RIGHT, Direction.PLAYBACK),
        (RefusalReason.NOT_FRESH, None),
        (RefusalReason.NO_CREDIT, None),
    ],
)
def test_the_reason_of_a_refusal_may_tell(reason: RefusalReason, direction: Direction | None) -> None:
    stage = pushed_out(spe_beside=5)
    stage.delivery.deliver_until(float("inf"))
    feed = ExplainingFeed(Refusing(Refusal(reason, reason.value)), stage.middleware.usim)
    feed.feed(next(d.payload for d in stage.capture if d.destination.port == 2269))
    told = feed.take()
    assert told is not None
    assert told.direction is direction
    names = [candidate.name for candidate in told.candidates]
    assert len(names) == (1 if direction else 2), names


def test_a_policy_the_tables_do_not_know_is_no_plain_key() -> None:
    stage = pushed_out(spe_beside=5)
    stage.delivery.deliver_until(float("inf"))
    stage.middleware.usim.tables = replace(P1, spe=())
    feed = ExplainingFeed(stage.middleware, stage.middleware.usim)
    feed.feed(next(d.payload for d in stage.capture if d.destination.port == 2269))
    told = feed.take()
    assert told is not None
    assert [candidate.name for candidate in told.candidates] == ["SPE 07", "SPE 05"]


class Refusing:
    """A feed that gives one answer."""

    def __init__(self, refusal: Refusal) -> None:
        self._refusal = refusal

    def read(self, stkm: bytes) -> StkmView:
        return CardStkmView.decode(stkm, P1)

    def feed(self, _stkm: bytes) -> Refusal:
        return self._refusal

    def leave(self, _service: object) -> None:
        """Nobody is told."""
