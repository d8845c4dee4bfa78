"""Head-ends on the air and terminals that listen, each a process of its own, as a user starts them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
import wave
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from host_tools.wire.network_file import load_network

PROGRAM = [sys.executable, "-m", "host_tools.cli.main"]
PATIENCE = 300.0  # a computer may be busy; nothing is judged by it
CARD = ("--link", "inprocess", "--profile", "usim", "--pin", "1234")
_METRIC = re.compile(r"^(\w+)(?:\{(.*)\})? (\d+)$", re.MULTILINE)
Json = dict[str, Any]


def wait_until(reached: Callable[[], bool], why: Callable[[], str] = lambda: "it never happened") -> None:
    """Wait until something is so; a test that waits too long fails with `why`."""
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline, why()
        time.sleep(0.02)


class Program:
    """A command that runs for the length of a `with` block. Its lines are kept."""

    program: Sequence[str] = PROGRAM

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        self.lines: list[str] = []

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [*self.program, *self._arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill it, if it still runs."""
        self.process.kill()
        self.wait()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)

    def wait(self) -> int:
        """Return the status it ends with."""
        status = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return status

    def end(self) -> int:
        """Interrupt it; return its status."""
        self.process.send_signal(signal.SIGINT)
        return self.wait()

    def wait_for(self, words: str) -> None:
        """Wait until a line has these words."""

        def said() -> bool:
            assert self.process.poll() is None, self.text
            return any(words in line for line in self.lines)

        wait_until(said, lambda: self.text)

    @property
    def text(self) -> str:
        return "".join(self.lines)


class HeadEnd(Program):
    """`headend serve` of a scenario; it listens when `with` is entered."""

    def __init__(self, scenario: str, folder: Path, *arguments: str) -> None:
        self.network = folder / "net.toml"
        super().__init__("headend", "serve", scenario, "--network-file", str(self.network), *arguments)

    def __enter__(self) -> Self:
        self.network.unlink(missing_ok=True)
        super().__enter__()
        self.wait_for("for terminals")
        return self


class Terminal(Program):
    """`terminal tune` to what a BSM announces; its events are read as they come."""

    def __init__(self, service: str, network: Path, address: str, *arguments: str, card: Sequence[str] = CARD) -> None:
        place = ("--network", str(network), "--address", address)
        super().__init__("terminal", "tune", service, *place, *card, "--json", "--explain", *arguments)

    @property
    def events(self) -> list[Json]:
        return [json.loads(line) for line in list(self.lines) if line.startswith("{") and line.endswith("\n")]

    def named(self, event: str) -> list[Json]:
        """Return the events of a name so far."""
        return [one for one in self.events if one["event"] == event]

    @property
    def progress(self) -> Json:
        """The newest figures; zeros before there are any."""
        return (self.named("progress") or [{"packets": 0, "decrypted": 0, "held": 0}])[-1]

    @property
    def ended(self) -> Json:
        """The figures of the end, with the STKMs that gave a TEK as `given`."""
        found = self.named("ended")
        assert found, self.text[-2000:]
        return {**found[-1], "given": [one for one in self.named("stkm") if one["granted"]]}

    def wait_for_packets(self, count: int) -> None:
        """Wait until so many more packets have been opened than now."""
        least = self.progress["decrypted"] + count
        wait_until(lambda: self._plays() and self.progress["decrypted"] >= least, self.story)

    def wait_until_heard(self, count: int) -> None:
        """Wait until so many packets have come in all, opened or not."""
        wait_until(lambda: self._plays() and self.progress["packets"] >= count, self.story)

    def _plays(self) -> bool:
        assert self.process.poll() is None, self.story()
        return True

    def story(self) -> str:
        """What happened last, without the figures of progress."""
        told = [line for line in self.lines if '"event": "progress"' not in line]
        return "".join([*told[-24:], str(self.progress)])


def metrics_of(head_end: HeadEnd) -> Counter[str]:
    """Return what a head-end counts, by name and labels."""
    place = load_network(head_end.network).others["metrics"].endpoint
    with urllib.request.urlopen(f"http://{place.address}:{place.port}/metrics", timeout=PATIENCE) as answer:
        told = answer.read().decode()
    return Counter({f"{name} {labels}": int(value) for name, labels, value in _METRIC.findall(told)})


def worst_lateness(head_end: HeadEnd) -> float:
    """Return by how many seconds the head-end's packets were late at most."""
    return metrics_of(head_end)['bcast_uicc_air_lateness_microseconds share="1"'] / 1e6


def opened_what_had_its_key(ended: Json, late: float, sek_life: float) -> None:
    """Require that every packet after the first key was opened.

    On a computer that is too slow for it, keys come late: by half the life of a SEK (seconds) or more, as terminal and
    head-end tell (`late` is how late the head-end's last packet was). Then it is counted why packets have no key.
    """
    packets, why = ended["packets"], ended["packets"]["why_without_key"]
    assert sum(why.values()) == packets["without_key"], ended
    assert packets["decrypted"] + packets["repeated"] + packets["without_key"] == packets["seen"] > 0, ended
    assert (packets["failed"], ended["held"]) == (0, 0), ended
    assert "its key had gone" not in why, ended
    if not ended["dropped"] and late < 1.0:  # what is later than that is not sent
        assert ended["lost"] == 0, ended
    if ended["most_behind"] + late < sek_life / 2 and not ended["dropped"]:
        assert set(why) <= {"before the first key"}, ended
        assert packets["decrypted"] > 0, ended


def samples_of(path: Path) -> bytes:
    """Return the samples of a WAV file."""
    with wave.open(str(path)) as file:
        return bytes(file.readframes(file.getnframes()))
