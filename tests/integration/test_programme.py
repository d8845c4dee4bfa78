"""A programme of an hour: nothing is lost on the way that nobody counts, every packet opens, and memory stays flat."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path

import pytest

from tests.support.free_ports import free_ports
from tests.support.head_end import free_address
from tests.support.live import HeadEnd, Json, Terminal, opened_what_had_its_key
from tests.support.programme import SEK_LIFE, SERVICE, Counts, Load, frames, newest, scenario

_MOST_GROWTH = 6 << 20
_PATIENCE = 600.0


@pytest.mark.parametrize(
    ("minutes", "speed"),
    [
        pytest.param(12, 20, id="twelve minutes in 36 seconds"),
        pytest.param(60, 20, id="an hour in three minutes", marks=pytest.mark.nightly),
        pytest.param(60, 1, id="an hour", marks=pytest.mark.nightly),
    ],
)
def test_a_long_programme(minutes: int, speed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    address, count = free_address(), frames(minutes)
    listener = ("--air", "--speed", str(speed), "--db", "memory", "--listener", f"{address}:{free_ports(address, 4)}")
    with (
        HeadEnd(scenario(tmp_path / "programme.toml", minutes), tmp_path, *listener, "--no-pages") as head_end,
        Terminal(SERVICE, head_end.network, address) as terminal,
    ):
        loads = {"head-end": Load(head_end.process.pid), "terminal": Load(terminal.process.pid)}
        follow(terminal, loads.values(), count, time.monotonic() + 3 * minutes * 60 / speed + _PATIENCE)
        shares = {name: load.share() for name, load in loads.items()}
        assert terminal.end() == 0, terminal.story()
        counts = Counts.of(head_end)
        assert head_end.end() == 0, head_end.text
    ended = terminal.ended
    everything_adds_up(ended, counts)
    opened_what_had_its_key(ended, counts.worst, SEK_LIFE / speed)
    growth = {name: load.growth() for name, load in loads.items()}
    with capsys.disabled():
        figures = "; ".join(
            f"{name} {shares[name]:.1%} of a processor, {load.sizes[-1][1] / 1e6:.1f} MB, {growth[name] / 1e6:+.1f} MB"
            for name, load in loads.items()
        )
        print(f"\n{minutes} minutes at speed {speed}: {figures}; {ended['packets']}, {counts}, "
              f"behind by {ended['most_behind']} s")  # fmt: skip
    assert all(more < _MOST_GROWTH for more in growth.values()), growth


def follow(terminal: Terminal, loads: Collection[Load], count: int, until: float) -> None:
    """Wait until a terminal has received so many packets, and weigh the programs meanwhile."""
    told = newest(terminal)
    while told["packets"] < count:
        assert time.monotonic() < until, terminal.story()
        assert terminal.process.poll() is None, terminal.story()
        if told["packets"]:
            for load in loads:
                load.weigh(told["packets"] / count)
        time.sleep(0.5)
        told = newest(terminal)


def everything_adds_up(ended: Json, counts: Counts) -> None:
    """Require that each packet from the first that was heard to the last is received, or counted by who lost it."""
    packets, (source,) = ended["packets"], ended["sources"]
    assert (packets["failed"], packets["repeated"], ended["other_datagrams"]) == (0, 0, {}), ended
    assert source["expected"] == packets["seen"] + ended["lost"], ended
    assert 0 <= ended["lost"] <= ended["media_dropped"] + counts.not_sent + counts.refused, (ended, counts)
