"""Good files of every kind with a few things changed: whatever reads them says what is wrong, and nothing else.

1,000 changed files in each run, 20,000 in the nightly one.
"""

from __future__ import annotations

import contextlib
import io
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from card.disk.kinds import FAULTS, LATENCY, LTKMS, RULES
from card.disk.reading import read_text
from host_tools.cli.exits import ExitCode, explain
from host_tools.cli.main import invoke
from host_tools.cli.script import plain_script_errors
from host_tools.cli.terminal_session import explained
from host_tools.compare.allow import parse_rules
from host_tools.headend.scenario.handover import Handover
from host_tools.realism.latency import parse_latency
from host_tools.realism.plan import parse_plan
from tests.support import hostile
from tests.support.hostile import GOOD, Hang, guarded, write_good_files

RUNS, NIGHTLY_RUNS = 1_000, 20_000
IN_PROCESS = ("--link", "inprocess", "--pin", "1234")


def command(*words: str) -> Callable[[Path], int]:
    """Return what calls the command line; `FILE` stands for the file, `OUT` for one to write."""

    def call(file: Path) -> int:
        names = {"FILE": str(file), "OUT": str(file.with_suffix(".out")), "PROFILE": str(file.with_name("good.toml"))}
        return invoke([names.get(word, word) for word in words])

    return call


def parser(read: Callable[[Path], object]) -> Callable[[Path], int]:
    """Return what calls a reader as a command would, and tells the status that its errors lead to."""

    def call(file: Path) -> int:
        try:
            with plain_script_errors(), explained():
                read(file)
        except click.ClickException as error:
            return error.exit_code
        except Exception as error:
            known = explain(error)
            return ExitCode.INTERNAL if known is None else known.exit_code
        return ExitCode.OK

    return call


READERS: dict[str, tuple[str, Callable[[Path], int]]] = {
    "profile": ("profile", command("card", "show", "FILE", "--json")),
    "card file": ("card", command("card", "show", "FILE", "--json")),
    "card in use": ("card", command("terminal", "info", "--profile", "FILE", *IN_PROCESS)),
    "scenario": ("scenario", command("headend", "check", "FILE")),
    "script": ("script", command("script", "lint", "FILE")),
    "script, exported": ("script", command("script", "export", "FILE")),
    "script, run": ("script", command("script", "run", "FILE", "--profile", "PROFILE", *IN_PROCESS)),
    "log": ("log", command("script", "import", "FILE", "--with-data")),
    "rules": ("rules", parser(lambda file: parse_rules(read_text(file, RULES), file.name))),
    "faults": ("faults", parser(lambda file: parse_plan(read_text(file, FAULTS), file.name))),
    "latency": ("latency", parser(lambda file: parse_latency(read_text(file, LATENCY), file.name))),
    "LTKMs": ("ltkms", parser(lambda file: Handover.parse(read_text(file, LTKMS), file.name))),
    "capture": ("capture", command("terminal", "record", "FILE", "-o", "OUT", "--no-card")),
    "recording": ("recording", command("terminal", "replay", "FILE", "--profile", "PROFILE", *IN_PROCESS)),
    "trace": ("trace", command("trace", "show", "FILE")),
    "trace, learned from": ("trace", command("realism", "learn", "FILE")),
    "trace in pcapng": ("pcapng", command("trace", "show", "FILE")),
}
TOKENS = (
    b"", b"\0", b"\xff" * 4, b"\xff\xff\xff\x7f", b"\x80", b"\xed\xa0\x80", b"\\ud800", b'"', b"'''", b"[[", b"]]",
    b"{", b"}", b"=", b",", b"\n", b"\r\n", b"-1", b"1e308", b"nan", b"Infinity", b"null", b"true", b"9" * 400,
    b"a." * 30, b"[" * 60, b"9999-12-31T23:59:59Z", b"[step.for]\n", b"{a}{a}{a}", b"PK\x05\x06",
    b"include = '/etc/passwd'\n", b"repeat = 1000000\n", b"0x", b"..", b"/" * 300, b"\x1b[2J", b"{'a' = 1}",
)  # fmt: skip
PLACES = st.floats(0, 1, exclude_max=True)
SIZES = st.sampled_from((1, 2, 3, 4, 8, 16, 64, 500))


def at(content: bytes, share: float) -> int:
    return int(len(content) * share)


def flipped(content: bytes, share: float, mask: int) -> bytes:
    place = at(content, share)
    return content[:place] + bytes(byte ^ mask for byte in content[place : place + 1]) + content[place + 1 :]


def written(content: bytes, share: float, token: bytes, over: bool) -> bytes:
    place = at(content, share)
    return content[:place] + token + content[place + len(token) * over :]


def removed(content: bytes, share: float, size: int) -> bytes:
    place = at(content, share)
    return content[:place] + content[place + size :]


def repeated(content: bytes, share: float, size: int, times: int) -> bytes:
    place = at(content, share)
    return content[:place] + content[place : place + size] * times + content[place:]


def moved(content: bytes, share: float, size: int, other: float) -> bytes:
    place = at(content, share)
    return written(removed(content, share, size), other, content[place : place + size], over=False)


def cut(content: bytes, share: float) -> bytes:
    return content[: at(content, share)]


def change(function: Callable[..., bytes], *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(*arguments).map(lambda drawn: partial(_called, function, drawn))


def _called(function: Callable[..., bytes], drawn: tuple[Any, ...], content: bytes) -> bytes:
    return function(content, *drawn)


CHANGES = st.lists(
    st.one_of(
        change(flipped, PLACES, st.integers(1, 255)),
        change(written, PLACES, st.sampled_from(TOKENS), st.booleans()),
        change(removed, PLACES, SIZES),
        change(repeated, PLACES, SIZES, st.integers(1, 40)),
        change(moved, PLACES, SIZES, PLACES),
        change(cut, PLACES),
    ),
    min_size=1,
    max_size=5,
)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_good_files(tmp_path_factory.mktemp("good"))


def meet_changed_files(good: dict[str, Path], name: str, runs: int, folder: Path) -> None:
    kind, read = READERS[name]
    content = good[kind].read_bytes()
    file = folder / GOOD[kind]
    (folder / GOOD["profile"]).write_bytes(good["profile"].read_bytes())

    # No shrinking: each run counts, and what was found is written down as it is.
    @settings(max_examples=runs, phases=[Phase.generate], database=None, derandomize=runs == CI_RUNS, deadline=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(CHANGES)
    def meet(changes: list[Callable[[bytes], bytes]]) -> None:
        changed = content
        for one in changes:
            changed = one(changed)
        for left in folder.glob(f"{file.name}-*"):
            left.unlink()
        file.write_bytes(changed)
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), guarded():
            status = read(file)
        assert status in set(ExitCode) - {ExitCode.INTERNAL}, f"{said.getvalue()[-300:]} for {changed!r}"
        assert "/etc/passwd" not in said.getvalue() or "root:" not in said.getvalue()

    meet()


CI_RUNS = -(-RUNS // len(READERS))


@pytest.mark.parametrize("name", READERS)
def test_a_changed_file_is_told_about(good: dict[str, Path], name: str, tmp_path: Path) -> None:
    meet_changed_files(good, name, CI_RUNS, tmp_path)


@pytest.mark.nightly
@pytest.mark.parametrize("name", READERS)
def test_very_many_changed_files_are_told_about(good: dict[str, Path], name: str, tmp_path: Path) -> None:
    meet_changed_files(good, name, -(-NIGHTLY_RUNS // len(READERS)), tmp_path)


def hang() -> None:
    with guarded():
        while True:
            time.monotonic()


def test_the_guard_notices_a_reader_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hostile, "WATCHDOG", 0.05)
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(Hang):
        hang()
    assert signal.getsignal(signal.SIGALRM) is before


def test_the_guard_notices_a_reader_that_takes_too_much() -> None:
    too_much = 2 * hostile.MEMORY  # threads that end give some of what is counted back
    with pytest.raises(MemoryError), guarded():
        bytes(too_much)
    assert len(bytes(too_much)) == too_much
