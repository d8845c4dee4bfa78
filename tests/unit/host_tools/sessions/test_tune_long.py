"""A programme that goes on and on: the terminal keeps up, loses nothing, and does not grow."""

from __future__ import annotations

import gc
import resource
from dataclasses import replace
from pathlib import Path

import pytest

from host_tools.content.known import KNOWN
from host_tools.content.sinks.live import LiveOut
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.sessions.events import Event, LiveProgressed
from host_tools.sessions.extras import Extras
from host_tools.sessions.report_page import ReportPage
from host_tools.sessions.tune import TuneJob
from host_tools.terminal.player import PlayOptions
from tests.support.air import Air, Sender, UntilQuiet, card, network_of
from tests.support.head_end import free_address

DEMO = shipped_scenario("demo")
_PAGE = resource.getpagesize()
_MIB = 1 << 20
_STEP, _WARM = 250, 1_000  # packets between two looks, if the computer is not behind; packets after which nothing grows


def resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


class Weighing(UntilQuiet):
    """Notes how large the process is about every so many packets; ends when all that was sent came, or was dropped."""

    def __init__(self, sender: Sender, expected: int) -> None:
        super().__init__(sender)
        self.sizes: dict[int, int] = {}
        self.dropped = 0
        self._expected = expected
        self._media = 0

    def emit(self, event: Event, /) -> None:
        super().emit(event)
        if isinstance(event, LiveProgressed):
            self.events.clear()
            self._media = event.statistics.packets_seen
            self.dropped = int(str(event.status["media_dropped"]))

    def poll(self) -> str | None:
        reached = self._media // _STEP * _STEP
        if reached not in self.sizes:
            self.sizes[reached] = resident()
        return "q" if self._media + self.dropped == self._expected else None


@pytest.mark.parametrize(
    "minutes", [pytest.param(1.6, id="short"), pytest.param(60, marks=pytest.mark.nightly, id="an hour")]
)
def test_memory_stays_flat(minutes: float, tmp_path: Path) -> None:
    plan = replace(DEMO, duration=int(minutes * 60_000), events=DEMO.events[:0])
    air, page = Air(plan, free_address()), tmp_path / "page.html"
    job = TuneJob(
        air.programmes, air.address, PlayOptions(KNOWN), extras=Extras(), page=ReportPage(page, "a long programme")
    )
    expected = int(minutes * 60 * 50)
    with Sender([air], 20.0) as sender:
        controls = Weighing(sender, expected)
        outs: list[LiveOut] = []

        def made(send: object) -> LiveOut:
            outs.append(LiveOut(send=None))
            return outs[0]

        job.run(card(network_of(plan)), None, made, controls, controls)
    (stream,) = outs[0].streams
    heard = expected - controls.dropped
    assert stream.packets == heard
    sizes = [size for reached, size in sorted(controls.sizes.items()) if reached >= _WARM]
    assert len(sizes) >= 2
    assert sizes[-1] - sizes[0] < 6 * _MIB
    assert f"{heard} of {heard} media packets decrypted" in page.read_text()
