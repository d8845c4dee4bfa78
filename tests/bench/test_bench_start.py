"""How long `bcast-uicc run CARDFILE` takes until the card is usable: by the clock, and in processor time.

From the start of the process to the answer to vpcd's first question, which is for the ATR. vpcd is a bare socket here:
it asks as soon as it is called, where pcscd asks every 0.4 s. An interpreter that does nothing and `--help` are told
beside it. All find their modules compiled to bytecode, as an installed program does.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median, quantiles

from card import CardProfile, create_card
from tests.bench.harness import ROOT
from tests.bench.test_bench_transport import Announce, announce

__all__ = ["announce"]

RUNS = 15
CLI = "host_tools.cli.main"
_ATR_REQUEST = b"\x00\x01\x04"

Cost = tuple[float, float]
"""Seconds by the clock, and seconds of processor time."""


def environment(bytecode: Path) -> dict[str, str]:
    """Return an environment in which modules are compiled once, into a folder of its own."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": str(bytecode)}


def until_end(variables: dict[str, str], *arguments: str) -> Cost:
    """Run `python ARGUMENTS` to its end."""
    begins = time.perf_counter()
    process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=variables, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    elapsed = time.perf_counter() - begins
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return elapsed, used.ru_utime + used.ru_stime


def until_usable(variables: dict[str, str], file: Path) -> Cost:
    """Run the card in a file until it has told its ATR, and end it."""
    with socket.create_server(("127.0.0.1", 0)) as vpcd:
        port = vpcd.getsockname()[1]
        begins = time.perf_counter()
        command = [sys.executable, "-m", CLI, "run", str(file), "--port", str(port)]
        process = subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.DEVNULL)
        try:
            line, _ = vpcd.accept()
            with line:
                line.sendall(_ATR_REQUEST)
                assert line.recv(64)[2:3] == b"\x3b"
                elapsed = time.perf_counter() - begins
                user, system = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        finally:
            process.terminate()
            process.wait()
    return elapsed, (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def told(costs: Sequence[Cost]) -> str:
    """Return the costs in words."""
    by_clock = [clock for clock, _ in costs]
    low, middle, high = quantiles(by_clock, n=4)
    used = median(cpu for _, cpu in costs)
    return (
        f"{1e3 * middle:.0f} ms ({1e3 * low:.0f} to {1e3 * high:.0f}, at best {1e3 * min(by_clock):.0f}), "
        f"CPU {1e3 * used:.0f} ms"
    )


def test_start(announce: Announce, tmp_path: Path) -> None:
    file = tmp_path / "started.card"
    create_card(CardProfile.demo(), file).close()
    variables = environment(tmp_path / "bytecode")
    measures: dict[str, Callable[[], Cost]] = {
        "python that does nothing": lambda: until_end(variables, "-c", "pass"),
        "--help": lambda: until_end(variables, "-m", CLI, "--help"),
        "run until the card is usable": lambda: until_usable(variables, file),
    }
    costs: dict[str, list[Cost]] = {name: [] for name in measures}
    for number in range(1 + RUNS):
        for name, measure in measures.items():
            cost = measure()
            if number:  # the first ones compile
                costs[name].append(cost)
    announce(f"starts; load of the machine {os.getloadavg()[0]:.1f}")
    for name, found in costs.items():
        announce(f"{name}: {told(found)}")
