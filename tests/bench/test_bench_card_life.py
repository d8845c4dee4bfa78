"""A card's life outside a session: what it costs to make one, to keep it, to hold many, to start a terminal with it.

Absolute figures are of the machine and the minute; quote the ratios, which come from one run. Nothing here asserts a
time. Each measurement checks that what it timed was done.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pytest

from card import Card, CardProfile, create_card, memory_card
from card.spec.files.catalogue import all_files
from card.spec.files.rows import EfRow, Structure
from tests.bench.echo import EchoCard
from tests.bench.harness import ROOT, Round, measure_ratio
from tests.bench.test_bench_transport import Announce, announce

__all__ = ["announce"]

PROFILES = ("usim", "csim")
CREATIONS = 15
MANY = (1, 100, 1000)
START_UP_FILES = 60
FARM = "tests.bench.card_farm"
Transmit = Callable[[bytes], bytes]


# --- making a card


def seconds(action: Round) -> float:
    """Return how long an action takes: the median of some runs."""
    taken = []
    for _ in range(CREATIONS):
        start = time.perf_counter()
        action()
        taken.append(time.perf_counter() - start)
    return median(taken)


@pytest.mark.parametrize("name", PROFILES)
def test_creation(announce: Announce, tmp_path: Path, name: str) -> None:
    """A new card from a profile: in memory, and as a card file that is safe on the disk; and the size of the file."""
    profile = CardProfile.demo(name)
    paths = [tmp_path / f"{number}.card" for number in range(CREATIONS)]
    remaining = iter(paths)
    volatile = seconds(lambda: memory_card(profile).close())
    durable = seconds(lambda: create_card(profile, next(remaining)).close())
    parsed = seconds(lambda: CardProfile.demo(name))
    sizes = {size_on_disk(path) for path in paths}
    assert len(sizes) == 1, "the same profile makes files of one size"
    (size,) = sizes
    assert size > 0
    announce(
        f"{name}: a card in {1000 * volatile:.1f} ms in memory, {1000 * durable:.1f} ms with its file "
        f"({durable / volatile:.2f} times); the profile is read in {1000 * parsed:.1f} ms; {size / 1024:,.0f} KiB"
    )


def size_on_disk(path: Path) -> int:
    """Return the bytes of a closed card file and whatever lies beside it."""
    return sum(found.stat().st_size for found in path.parent.glob(f"{path.name}*"))


# --- holding many


def measured_farm(*arguments: str) -> tuple[int, int]:
    """Return the resident bytes of a process before it has cards and with them."""
    command = [sys.executable, "-m", FARM, *arguments]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    before, after = map(int, done.stdout.split())
    return before, after


def tell(count: int, before: int, after: int, what: str) -> str:
    each = (after - before) / count / 1024
    cards = "1 card" if count == 1 else f"{count:,} cards"
    return f"{cards} {what}: {after / 2**20:,.1f} MiB resident, {each:,.0f} KiB a card"


@pytest.mark.parametrize("count", MANY)
def test_memory_of_cards_in_memory(announce: Announce, count: int) -> None:
    before, after = measured_farm("--memory", str(count))
    assert after > before > 0
    announce(tell(count, before, after, "in memory"))


@pytest.mark.parametrize("count", MANY)
def test_memory_of_open_card_files(announce: Announce, tmp_path: Path, count: int) -> None:
    first = tmp_path / "0.card"
    create_card(CardProfile.demo(), first).close()
    paths = [tmp_path / f"{number}.card" for number in range(count)]
    for path in paths[1:]:
        shutil.copy(first, path)
    before, after = measured_farm(*map(os.fspath, paths))
    assert after > before > 0
    announce(tell(count, before, after, "with their files open"))


# --- starting a terminal


def start_up(card: Card) -> list[bytes]:
    """Return what a handset sends to read `START_UP_FILES` files: SELECT, GET RESPONSE and READ of each.

    The files of the USIM come first, those under the MF after them; the SIM's view of them is left out. Only commands
    that the card answers as they stand are taken, so that the same ones can be timed again.
    """
    rows = [(path, row) for path, row in all_files() if path.startswith(("3F00", "ADF.USIM")) and not row.view]
    rows.sort(key=lambda found: found[0].startswith("3F00"))
    readings = [found for path, row in rows if (found := reading(card.transmit, path, row))]
    assert len(readings) >= START_UP_FILES, f"the card has only {len(readings)} files to read"
    return [command for found in readings[:START_UP_FILES] for command in found]


def reading(transmit: Transmit, path: str, row: EfRow) -> list[bytes]:
    """Return the commands that read a file, found out by trying; none when the card has no such file or guards it."""
    if row.structure is Structure.BER_TLV:
        return []
    fids = path.replace("ADF.USIM", "7FFF").removeprefix("3F00").replace("/", "")
    select = bytes.fromhex(f"00A40804{len(fids) // 2:02X}{fids}")
    waiting = transmit(select)
    if waiting[0] != 0x61:
        return []
    fetch = bytes.fromhex("00C00000") + waiting[1:]
    transmit(fetch)
    read = bytes.fromhex("00B20104" if row.structure.has_records else "00B00000")
    answer = transmit(read + b"\x00")
    if answer[-2] == 0x6C:
        read += answer[-1:]
    elif answer[-2:] == b"\x90\x00":
        read += b"\x00"
    return [select, fetch, read] if transmit(read)[-2:] == b"\x90\x00" else []


def one_start(transmit: Transmit, commands: list[bytes]) -> Round:
    """Return a round that sends all commands and checks that none is refused."""

    def one_round() -> None:
        for command in commands:
            assert transmit(command)[-2] in (0x90, 0x61)

    return one_round


def test_start_up(announce: Announce) -> None:
    """In process, so that nothing but the card is measured; the echo is the price of the calls alone."""
    profile = CardProfile.demo()
    card = memory_card(profile)
    card.power_on()
    for command in ("00A4040C07A0000000871002", f"0020000108{profile.pins.pin1.value.reveal().hex()}"):
        assert card.transmit(bytes.fromhex(command)) == b"\x90\x00"
    commands = start_up(card)
    floor, whole = one_start(EchoCard().transmit, commands), one_start(card.transmit, commands)
    ratio = measure_ratio(floor, whole, pairs=20, rounds=20, warm_up=5)
    each = 1e6 / ratio.rate / len(commands)
    announce(
        f"start-up of {START_UP_FILES} files, {len(commands)} APDUs: {1000 / ratio.rate:.2f} ms, "
        f"{each:.0f} µs an APDU; against an echo in process: {ratio}"
    )
