"""Compares two ways of doing a round, fairly: in one run, in alternating blocks, each card in a process of its own.

Rates depend on the machine and the minute, ratios much less. `measure_ratio` runs a block of one, a block of the
other, and so on, swaps who goes first from pair to pair, and takes the median over the pairs, so that a busy moment
of the machine hits both alike.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

Round = Callable[[], object]

ROOT = Path(__file__).parents[2]
_STOP_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Ratio:
    """The outcome: rounds per second of each side, and the second as a share of the first (1.0: as fast)."""

    floor_rate: float
    rate: float
    share: float
    floor_p99_us: float
    p99_us: float

    def __str__(self) -> str:
        return (
            f"{self.share:.2f} of the floor: {self.rate:,.0f} against {self.floor_rate:,.0f} rounds/s, "
            f"p99 {self.p99_us:,.0f} against {self.floor_p99_us:,.0f} µs"
        )


def measure_ratio(floor: Round, other: Round, *, pairs: int = 20, rounds: int = 200, warm_up: int = 50) -> Ratio:
    """Run `pairs` pairs of blocks of `rounds` rounds and return the ratio of their rates.

    Both callables do one round each and should check their own answers, or a fast refusal would look like speed.
    """
    for _ in range(warm_up):
        floor()
        other()
    floor_times: list[list[float]] = []
    other_times: list[list[float]] = []
    for pair in range(pairs):
        sides = [(floor, floor_times), (other, other_times)]
        for side, times in sides if pair % 2 == 0 else reversed(sides):
            times.append(_block(side, rounds))
    shares = [sum(a) / sum(b) for a, b in zip(floor_times, other_times, strict=True)]
    return Ratio(_rate(floor_times), _rate(other_times), median(shares), _p99(floor_times), _p99(other_times))


@contextmanager
def card_process(module: str, *arguments: str, root: Path = ROOT) -> Iterator[subprocess.Popen[bytes]]:
    """Run `python -m module arguments` as a card in its own process; end it, by its id, in any case.

    `root` is the folder that it is imported from. The caller waits for the card to appear in its reader.
    """
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _block(side: Round, rounds: int) -> list[float]:
    clock = time.perf_counter
    times = []
    for _ in range(rounds):
        start = clock()
        side()
        times.append(clock() - start)
    return times


def _rate(blocks: Sequence[Sequence[float]]) -> float:
    return 1.0 / median(median(block) for block in blocks)


def _p99(blocks: Sequence[Sequence[float]]) -> float:
    return quantiles([seconds for block in blocks for seconds in block], n=100)[98] * 1e6
