"""What a broadcast costs and how late its packets are: CPU for each 1,000 packets a second, delay behind the schedule.

Figures depend on what else the computer does; the bounds are wide. docs/dev/performance.md has some.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import pytest

from card.spec.bcast.p1 import P1
from host_tools.exchange.transport import Endpoint
from host_tools.headend.bsm.back_end import BackEnd
from host_tools.headend.on_air.broadcast import AirPlan, OnAir
from host_tools.headend.on_air.sek_supply import add_seks
from host_tools.headend.scenario.maker import make_keys
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.scenario.timetable import Timetable
from host_tools.headend.sealing import MikeySealer

pytestmark = pytest.mark.bench
DEMO = shipped_scenario("demo")
SECONDS = 8


@pytest.mark.parametrize("speed", [10, 50])
def test_cost_and_lateness(speed: int) -> None:
    plan = AirPlan(speed=speed, loop=True, listeners=(Endpoint("127.0.0.9", 5004),))

    keys, timetable = make_keys(DEMO), Timetable(DEMO, loop=True)
    for at in range(0, (SECONDS + 1) * speed * 1000, DEMO.duration):
        add_seks(keys, timetable, at)

    async def run() -> tuple[OnAir, float]:
        now = datetime.now(UTC)
        made = OnAir(DEMO, plan, now, BackEnd(keys, MikeySealer), P1)
        before = time.process_time()
        made.start(now)
        await asyncio.sleep(SECONDS)
        spent = time.process_time() - before
        made.close()
        return made, spent

    made, spent = asyncio.run(run())
    assert made.transmitter is not None
    assert made.queue is not None
    sent, lateness = sum(made.transmitter.sent.values()), made.transmitter.lateness
    rate = sent / SECONDS
    print(
        f"\n{rate:,.0f} packets/s: {100 * spent / SECONDS / rate * 1000:.1f} % of a CPU for each 1,000; "
        f"behind by {lateness.share(0.5) * 1e3:.1f} ms (median), {lateness.share(0.99) * 1e3:.1f} ms (99 %)"
    )
    assert sent == pytest.approx(SECONDS * 104 * speed, rel=0.02)
    assert (made.queue.skipped.total(), made.queue.missing.total()) == (0, 0)
    assert spent / SECONDS < 0.6
    assert lateness.share(0.5) < 0.01
