"""What `bcast-uicc --help` costs in processor time beyond an interpreter that does nothing."""

from __future__ import annotations

import resource
import subprocess
import sys
from statistics import median

from tests.bench.harness import ROOT
from tests.bench.test_bench_transport import Announce, announce

__all__ = ["announce"]

_RUNS = 15


def processor_time(*arguments: str) -> float:
    """Seconds of processor time that `python ARGUMENTS` takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_help(announce: Announce) -> None:
    bare = median(processor_time("-c", "pass") for _ in range(_RUNS))
    helped = median(processor_time("-m", "host_tools.cli.main", "--help") for _ in range(_RUNS))
    announce(f"--help: {(helped - bare) * 1000:.0f} ms beyond bare python ({helped / bare:.1f} times its time)")
