"""What staying awake inside a burst costs and gains: CPU of the card's process and time per APDU, at several paces.

    make bench        (or: pytest -m bench tests/bench/test_bench_alert.py -s)

Nothing here asserts a rate: a loaded machine is no defect. Each command checks its answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import pytest

from tests.bench.harness import card_process
from tests.bench.test_bench_transport import ECHO, READ_BINARY, Announce, announce
from tests.integration.pcsc_client import Client
from vpicc_bridge.pcscd import PrivatePcscd

__all__ = ["announce"]

BLOCKS, BLOCK_SECONDS = 10, 0.4
PACES = (20, 200, 1000, 3000, 0)
"""Commands a second; 0: as many as there can be."""

WAYS = {
    "bare, asleep": (),
    "bare, awake in bursts": ("--alert",),
    "bridge, asleep": ("--bridge",),
    "bridge, awake in bursts": ("--bridge", "--alert"),
}


@dataclass
class Side:
    """One way of waiting: its card process, how to send it a command, and what was measured of it."""

    pid: int
    command: Callable[[], bytes]
    times: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)

    def block(self, pace: int) -> None:
        """Send commands for a while at a pace."""
        used, begins, sent = _cpu(self.pid), time.perf_counter(), 0
        while (now := time.perf_counter()) < begins + BLOCK_SECONDS:
            due = begins + sent / pace if pace else now
            if due > now:
                time.sleep(due - now)
            started = time.perf_counter()
            assert self.command()[-2:] == b"\x90\x00"
            self.times.append(time.perf_counter() - started)
            sent += 1
        elapsed, used = time.perf_counter() - begins, _cpu(self.pid) - used
        self.shares.append(used / elapsed)
        self.costs.append(used / sent)

    def __str__(self) -> str:
        return (
            f"{median(self.shares):6.1%} of a core, {median(self.costs) * 1e6:4.0f} µs of it for each command, "
            f"which takes {median(self.times) * 1e6:4.0f} µs"
        )


@pytest.mark.parametrize("pace", PACES)
def test_cpu_and_latency(private_pcscd: PrivatePcscd, client: Client, announce: Announce, pace: int) -> None:
    """The four ways take turns in short blocks, so that a busy moment of the machine hits all alike."""
    sides: dict[str, Side] = {}
    with ExitStack() as stack:
        for (way, options), reader, port in zip(
            WAYS.items(), private_pcscd.reader_names, private_pcscd.ports, strict=True
        ):
            process = stack.enter_context(card_process(ECHO, str(port), *options))
            client.wait_present(reader)
            handle = stack.enter_context(client.connected(reader))
            sides[way] = Side(process.pid, lambda handle=handle: handle.transmit(READ_BINARY))  # type: ignore[misc]
        for _ in range(BLOCKS):
            for side in sides.values():
                side.block(pace)
    for reader in private_pcscd.reader_names:
        client.wait_empty(reader)
    lines = [f"  {way:24}{side}" for way, side in sides.items()]
    announce("\n".join([f"{pace or 'as many as there can be'} commands a second:", *lines]))


def _cpu(pid: int) -> float:
    """Return the seconds for which a process of one thread was on a processor so far (the kernel's schedstat)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9
