"""The USIM through stock pcscd and vpcd, with its card file, against a floor that is treated alike.

The floor is an echo card on a bare socket: its answers cost nothing. It gets the same commands on the same path, is a
process of the same priority, and waits for its next command by the same rule as `run` does (docs/adr/0007). Both sides
take turns in short blocks of one run. `make compiled` before it adds the compiled card as a third.

    make bench        (or: pytest -m bench tests/bench/test_bench_floor.py -s)

Told are, for each kind of round (two commands) at each pace: the time of a round on the floor, what the card adds to
it, the share (floor / card) with its quartiles over the pairs of blocks, and for both processes the processor time of a
command and the share of a core. Nothing asserts a rate: a loaded machine is no defect. Each round checks its answers.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

from card import CardProfile, create_card
from tests.bench.harness import ROOT, card_process
from tests.bench.test_bench_transport import ECHO, Announce, announce
from tests.bench.usim_rounds import Rounds, UsimRounds
from tests.integration.pcsc_client import Client
from tools.compiled import BUILT
from vpicc_bridge.pcscd import PrivatePcscd

__all__ = ["announce"]

RUN = "host_tools.cli.main"
PACES = (0, 20, 200, 1000, 3000)
"""Commands a second; 0: as many as there can be."""
BLOCKS = 12
FULL_SPEED_ROUNDS, PACED_SECONDS = 200, 0.2
MOST_ROUNDS = BLOCKS * (FULL_SPEED_ROUNDS + int(sum(PACES) / 2 * PACED_SECONDS) + len(PACES)) + 100

KINDS: dict[str, Callable[[UsimRounds], Rounds]] = {
    "SELECT + READ BINARY": UsimRounds.select_and_read,
    "3G AUTHENTICATE + GET RESPONSE": UsimRounds.authenticate,
    "STKM to its TEK": UsimRounds.stkm_to_tek,
    "60-file start-up, each SELECT + READ": UsimRounds.start_up,  # last: it leaves the ADF
}


@dataclass
class Side:
    """One card: its process, one round, and what was measured of it, block by block."""

    pid: int
    one_round: Rounds
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    core: list[float] = field(default_factory=list)

    def block(self, pace: int) -> None:
        """Do rounds for a while, and note their median time and what the card's process used."""
        times, used, begins = [], cpu_of(self.pid), time.perf_counter()
        rounds = int(pace / 2 * PACED_SECONDS) + 1 if pace else FULL_SPEED_ROUNDS
        for number in range(rounds):
            if pace:
                time.sleep(max(0.0, begins + 2 * number / pace - time.perf_counter()))
            started = time.perf_counter()
            self.one_round()
            times.append(time.perf_counter() - started)
        elapsed, used = time.perf_counter() - begins, cpu_of(self.pid) - used
        self.seconds.append(median(times))
        self.cpu.append(used / rounds / 2)
        self.core.append(used / elapsed)


def against(floor: Side, card: Side) -> str:
    """Return what the card adds to the floor, in words."""
    shares = [echo / loaded for echo, loaded in zip(floor.seconds, card.seconds, strict=True)]
    low, middle, high = quantiles(shares, n=4)
    bare, added = median(floor.seconds), median(card.seconds) - median(floor.seconds)
    cpu, core = (median(floor.cpu), median(card.cpu)), (median(floor.core), median(card.core))
    return (
        f"{middle:.2f} of the floor ({low:.2f} to {high:.2f}), {1e6 * bare:.0f} µs + {1e6 * added:.0f} µs a round, "
        f"CPU {1e6 * cpu[0]:.0f} and {1e6 * cpu[1]:.0f} µs a command, {core[0]:.1%} and {core[1]:.1%} of a core"
    )


def cpu_of(pid: int) -> float:
    """Return the seconds for which the threads of a process were on a processor so far (the kernel's schedstat)."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def builds() -> dict[str, Path]:
    """Return where the cards to measure are imported from."""
    return {"card": ROOT, **({"compiled card": BUILT} if any(BUILT.glob("card/card.*.so")) else {})}


def test_share_of_a_fair_floor(private_pcscd: PrivatePcscd, client: Client, announce: Announce, tmp_path: Path) -> None:
    slots = iter(zip(private_pcscd.reader_names, private_pcscd.ports, strict=True))
    announce(f"against a fair floor; load of the machine {os.getloadavg()[0]:.1f}")
    with ExitStack() as stack:
        reader, port = next(slots)
        echo = stack.enter_context(card_process(ECHO, str(port), "--alert"))
        client.wait_present(reader)
        bare = stack.enter_context(client.connected(reader))
        cards: dict[str, tuple[int, UsimRounds]] = {}
        for name, root in builds().items():
            reader, port = next(slots)
            file = tmp_path / f"{name}.card"
            create_card(CardProfile.demo(), file).close()
            process = stack.enter_context(card_process(RUN, "run", str(file), "--port", str(port), root=root))
            client.wait_present(reader)
            handle = stack.enter_context(client.connected(reader))
            cards[name] = process.pid, UsimRounds(handle.transmit, MOST_ROUNDS)
        for kind, made in KINDS.items():
            rounds = {name: made(prepared) for name, (_, prepared) in cards.items()}
            for pace in PACES:
                sides = {name: Side(cards[name][0], each) for name, each in rounds.items()}
                floor = Side(echo.pid, next(iter(rounds.values())).echoed(bare.transmit))
                for number in range(BLOCKS):
                    turn = [floor, *sides.values()]
                    for side in turn if number % 2 == 0 else reversed(turn):
                        side.block(pace)
                for name, side in sides.items():
                    words = f"{pace:,} commands a second" if pace else "full speed"
                    announce(f"{kind}, {words}, {name}: {against(floor, side)}")
    for reader in private_pcscd.reader_names[: 1 + len(cards)]:
        client.wait_empty(reader)
