"""What a terminal takes of a processor while it listens: CPU seconds of its thread, as a share, by packets a second.

make bench        (or: pytest -m bench tests/bench/test_bench_live.py -s)
"""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from host_tools.content.known import KNOWN
from host_tools.content.sinks.live import LiveOut
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.sessions.tune import TuneJob
from host_tools.terminal.player import PlayOptions
from tests.support.air import Air, Sender, UntilQuiet, card, network_of
from tests.support.head_end import free_address

DEMO = shipped_scenario("demo")


@pytest.mark.parametrize("speed", [1.0, 20.0, 60.0])
def test_cpu_share_of_a_terminal(speed: float, capsys: pytest.CaptureFixture[str]) -> None:
    plan = replace(DEMO, duration=int(8_000 * speed), events=DEMO.events[:0])
    air = Air(plan, free_address())
    job = TuneJob(air.programmes, air.address, PlayOptions(KNOWN))
    middleware = card(network_of(plan))
    outs: list[LiveOut] = []

    def made(_send: object) -> LiveOut:
        outs.append(LiveOut(send=lambda _port, _packet: None))
        return outs[0]

    with Sender([air], speed) as sender:
        controls = UntilQuiet(sender)
        began, used = time.monotonic(), time.thread_time()
        job.run(middleware, None, made, controls, controls)
        used, lasted = time.thread_time() - used, time.monotonic() - began
    (stream,) = outs[0].streams
    rate = stream.packets / 8
    with capsys.disabled():
        each = used / stream.packets * 1e6
        print(f"\nlistening at {rate:,.0f} packets/s: {used / lasted:.1%} of a processor, {each:.0f} µs a packet")
