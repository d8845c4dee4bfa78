"""Times per command, and when they count as a difference."""

from __future__ import annotations

import pytest

from host_tools.compare.allow import Rules, TimingLimit
from host_tools.compare.comparison import compare_runs
from host_tools.compare.model import Kind, Observation, SideRun, Step
from host_tools.compare.plot import latency_plot
from host_tools.compare.timing import spread
from host_tools.trace.events import TracedExchange

READ = bytes.fromhex("00B0000001")


def slow_side(name: str, seconds: list[float]) -> SideRun:
    seen = tuple(
        Observation(TracedExchange(1, 0.0, name, READ, b"\x90\x00", value), READ, b"", 0x9000, value)
        for value in seconds
    )
    return SideRun(name, b"", "T=1", (Step("s", observed=seen),))


def test_spread_of_one_and_of_many() -> None:
    assert spread([]) is None
    single = spread([0.5])
    assert single is not None
    assert (single.count, single.least, single.median, single.p95, single.most) == (1, 0.5, 0.5, 0.5, 0.5)
    many = spread([n / 100 for n in range(101)])
    assert many is not None
    assert (many.lower, many.median, many.upper, many.p95) == pytest.approx((0.25, 0.5, 0.75, 0.95))


@pytest.mark.parametrize(
    ("limit", "differs"),
    [
        (TimingLimit(), False),
        (TimingLimit(factor=2, floor=0.01), True),
        (TimingLimit(factor=11, floor=0.01), False),
        (TimingLimit(factor=2, floor=0.5), False),
    ],
)
def test_a_limit_judges_medians(limit: TimingLimit, differs: bool) -> None:
    comparison = compare_runs(slow_side("A", [0.01] * 5), slow_side("B", [0.1] * 5), Rules(timing=limit))
    assert [found.kind for found in comparison.differences] == ([Kind.TIMING] if differs else [])
    assert comparison.is_allowed is not differs


def test_the_plot_has_a_box_per_side() -> None:
    comparison = compare_runs(slow_side("A", [0.01, 0.02]), slow_side("B", [0.1, 0.4]), Rules())
    plot = latency_plot(comparison.timing)
    assert plot.count("<rect") == 2
    assert "READ BINARY" in plot
    assert latency_plot(()) == ""
