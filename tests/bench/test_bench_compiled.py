"""The compiled card against the one in Python, an STKM to its TEK in the process; `make compiled` before it builds it.

Each side is a process of its own, in turn, and its processor time is told. Nothing asserts a rate.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

from tests.bench.harness import ROOT
from tests.bench.test_bench_transport import Announce, announce
from tools.compiled import BUILT

__all__ = ["announce"]

PAIRS = 5


def blocks(root: Path) -> dict[str, list[float]]:
    """Return the blocks of the card below a folder, by kind of card."""
    command = [sys.executable, "-m", "tests.bench.stkm_blocks"]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    run = subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True, text=True)
    found: dict[str, list[float]] = json.loads(run.stdout)
    return found


def test_gain(announce: Announce) -> None:
    if not any(BUILT.glob("card/card.*.so")):
        pytest.skip("there is no compiled card: make compiled builds it")
    pairs = [(blocks(ROOT), blocks(BUILT)) for _ in range(PAIRS)]
    for kind in pairs[0][0]:
        python, compiled = ([side[kind] for side in column] for column in zip(*pairs, strict=True))
        gains = sorted(median(one) / median(other) for one, other in zip(python, compiled, strict=True))
        best = [1e6 * min(map(min, side)) for side in (python, compiled)]
        middle = [1e6 * median(map(median, side)) for side in (python, compiled)]
        announce(
            f"{kind}: {middle[0]:.1f} µs in Python and {middle[1]:.1f} compiled "
            f"(at best {best[0]:.1f} and {best[1]:.1f}), "
            f"{median(gains):.2f} times as many ({gains[0]:.2f} to {gains[-1]:.2f})"
        )
