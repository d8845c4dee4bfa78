"""OMA BCAST through a real pcscd and vpcd: scenarios, audit, recording and play-back, in both protocols."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from card import memory_card
from card.crypto.secret import Secret
from card.profile.schema import Transport
from host_tools.content.containers.recording import open_recording, record_to
from host_tools.content.known import KNOWN
from host_tools.content.srtp.format import HEADEND_FORMAT
from host_tools.links.pcsc import PcscLink
from host_tools.terminal.bcast import Refusal, RefusalReason
from host_tools.terminal.purchase import ParentalPinEntry
from host_tools.terminal.replay import Replay, Segment
from tests.integration.conftest import Desk
from tests.support.stage import PROFILE, STKM_PORT, Stage

pytestmark = pytest.mark.pcscd

ALL = range(1, 7)
TERMINAL = bytes(17)
Open = Callable[[str], Stage]


@pytest.fixture(params=[Transport.T0, Transport.T1], ids=["T=0", "T=1"])
def stage(request: pytest.FixtureRequest, insert: Desk) -> Iterator[Open]:
    """Open a stage for a scenario with a fresh card in a reader."""
    links: list[PcscLink] = []

    def opened(scenario: str) -> Stage:
        card = memory_card(replace(PROFILE, transport=request.param), strict=True)
        links.append(PcscLink.open(insert(card)))
        return Stage(scenario, links[-1])

    yield opened
    for link in links:
        link.close()


def test_a_purchase_in_the_middle(stage: Open) -> None:
    on = stage("pay_per_time")
    result = on.play(None, on.purchase())
    on.require("news", ALL)
    assert (result.remedies, result.stkms_refused) == (1, 0)
    (policy,) = on.policies("news")
    assert policy.quantities.live_ppt == 0


def test_decisions_are_explained_by_audits(stage: Open) -> None:
    on = stage("pay_per_view")
    on.play(explain=True)
    paid = [str(d.explanation.payments[0]) for d in on.decisions if d.explanation and d.explanation.payments]
    assert paid == ["4 from the user purse, 6 left", "4 from the user purse, 2 left"]
    refused = {d.outcome.reason for d in on.decisions if isinstance(d.outcome, Refusal)}
    assert refused == {RefusalReason.NO_CREDIT}


def test_the_parental_pin(stage: Open) -> None:
    on = stage("parental")
    on.play(None, ParentalPinEntry(on.middleware.usim, lambda: Secret(b"2580")))
    on.require("family", ALL)


def test_recorded_signalled_and_played_back(stage: Open, tmp_path: Path) -> None:
    on = stage("counted_playback")
    with record_to(tmp_path / "film", "film", STKM_PORT, protection=HEADEND_FORMAT) as writer:
        for datagram in on.capture:
            writer.take(datagram)
    on.play()
    on.require("news", ALL)
    with open_recording(tmp_path / "film", KNOWN) as content, closing(on.out()) as out:
        on.auditor.signal_recording(TERMINAL, b"film", content.index.spans[0])
        on.heard.clear()
        replay = Replay(content, on.middleware, out, keep_teks=False)
        hooks = on.hooks(on_time=lambda _moment: None)
        for left in (1, 0):
            replay.play(Segment(), hooks)
            counters = {policy.spe: policy.quantities.playback_counter for policy in on.policies("news")}
            assert counters == {4: None, 6: left}
        twice = replay.refused is None
        replay.play(Segment(), hooks)
    assert twice
    assert replay.refused is not None
    assert on.heard.total() == 2 * 600
    assert [known.content_id for known in on.auditor.recordings()] == [b"film"]


def test_leaving_a_service_forgets_the_parental_pin(stage: Open) -> None:
    on = stage("parental")
    middle = on.network.scenario.start.timestamp() + 9
    before, after = ([d for d in on.capture if (d.timestamp < middle) is early] for early in (True, False))
    assert on.play(before, ParentalPinEntry(on.middleware.usim, lambda: Secret(b"2580"))).departures == 1
    assert on.decisions[-1].granted
    on.decisions.clear()
    on.play(after)
    reasons = [decision.outcome.reason for decision in on.decisions if isinstance(decision.outcome, Refusal)]
    assert reasons == len(on.decisions) * [RefusalReason.PARENTAL_PIN_NEEDED] != []
