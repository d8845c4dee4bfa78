"""What it costs to look at a long trace: `trace show` of 10^5 commands, and the memory of `trace diff`.

The trace is that of a played broadcast, LTKMs and STKMs, over and over. Both are told beside a bare loop that reads the
same lines as JSON and writes them out again. Nothing asserts a rate.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

from tests.bench.harness import ROOT
from tests.bench.test_bench_captures import scenario
from tests.bench.test_bench_transport import Announce, announce

__all__ = ["announce"]

COMMANDS, ROUNDS = 100_000, 3
_PROGRAM = ("-m", "host_tools.cli.main")
_BARE = "import json, sys\nfor line in open(sys.argv[1]): print(json.dumps(json.loads(line)))"
# What the kernel tells a parent of its child's size is at least the parent's own, so the program tells it itself.
_WEIGHED = """
import re, sys
from pathlib import Path
from host_tools.cli import main
main.invoke(sys.argv[1:])
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1], file=sys.stderr)
"""


def taken(*arguments: str) -> tuple[float, str]:
    """Return the processor time (seconds) of `python ARGUMENTS`, whose output is dropped, and what it complains of."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, *arguments]
    run = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, run.stderr


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """The trace of a broadcast that is played again and again."""
    plan, capture, once, long = (tmp_path / name for name in ("s.toml", "s.pcap", "once.jsonl", "long.jsonl"))
    plan.write_text(scenario(seconds=60))
    card = ("--link", "inprocess", "--profile", "usim", "--scenario", str(plan), "--pin", "1234")
    for words in (
        ("headend", "record", str(plan), "-o", str(capture)),
        ("terminal", "play", str(capture), *card, "--trace", str(once)),
    ):
        subprocess.run([sys.executable, *_PROGRAM, *words], cwd=ROOT, check=True, capture_output=True)
    lines = once.read_text().splitlines(keepends=True)
    exchanges = [line for line in lines if json.loads(line)["type"] == "exchange"]
    long.write_text("".join(lines) + "".join(exchanges * (COMMANDS // len(exchanges))))
    return long


def test_showing(trace: Path, announce: Announce) -> None:
    sides = {"bare": ("-c", _BARE, str(trace)), "show": (*_PROGRAM, "trace", "show", str(trace))}
    found = [[taken(*words)[0] for words in sides.values()] for _ in range(ROUNDS)]
    bare, ours = (median(column) for column in zip(*found, strict=True))
    announce(f"trace show of {COMMANDS:,} commands: {ours:.1f} s of CPU, {ours / bare:.1f} times a bare loop over JSON")


def test_comparing(trace: Path, tmp_path: Path, announce: Announce) -> None:
    lines = trace.read_text().splitlines(keepends=True)
    for count in (COMMANDS // 8, COMMANDS):
        left, right = tmp_path / "left.jsonl", tmp_path / "right.jsonl"
        left.write_text("".join(lines[:count]))
        right.write_text("".join(line for place, line in enumerate(lines[:count]) if place % 1000 != 999))
        seconds, weighed = taken("-c", _WEIGHED, "trace", "diff", str(left), str(right))
        size = int(weighed.split()[-1]) / 1024
        announce(
            f"trace diff of {count:,} commands, a thousandth missing: {seconds:.1f} s of CPU, {size:.0f} MiB at most"
        )
