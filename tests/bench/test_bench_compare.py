"""What long runs cost: memory of a script and of a comparison, and how soon the report is open in a browser.

    make bench        (or: pytest -m bench tests/bench/test_bench_compare.py -s)

Memory is counted by the interpreter and does not depend on the machine, so that it stays flat is asserted. Times are
told and not judged.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tracemalloc
from pathlib import Path

import pytest

from host_tools.compare.allow import default_rules
from host_tools.compare.comparison import compare_runs
from host_tools.compare.html import write_html
from host_tools.compare.model import SideRun
from host_tools.compare.play import play_scripts
from host_tools.links.base import TransmissionProtocol
from host_tools.script.load import load_script
from host_tools.script.results import Status
from host_tools.script.runner import Runner, RunOptions
from tests.bench.test_bench_transport import Announce, announce

__all__ = ["announce"]

EXCHANGES = 10_000
MIB = 1 << 20
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OPEN_TIMEOUT = 120.0
NOTE_TIME = "addEventListener('load', () => { document.documentElement.dataset.opened = performance.now(); });"
SCRIPT = f"""
[script]
title = "Long"
[[step]]
name = "read"
apdu = "00B000000A"
repeat = {EXCHANGES}
"""


class CountingLink:
    """Answers ten bytes, of which the first counts."""

    def __init__(self, name: str, rest: bytes) -> None:
        self.name = name
        self.atr = b"\x3b\x00"
        self.protocol = TransmissionProtocol.T1
        self._rest = rest
        self._sent = 0

    def transmit(self, apdu: bytes, /) -> bytes:
        self._sent = (self._sent + 1) % 256
        return bytes((self._sent,)) + self._rest + b"\x90\x00"

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        pass


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "long.toml"
    path.write_text(SCRIPT)
    return path


def played(script: Path, name: str) -> SideRun:
    return play_scripts(CountingLink(name, name.encode() * 9), [load_script(script)], RunOptions())


def test_memory_of_a_long_script(script: Path, announce: Announce) -> None:
    results = Runner(CountingLink("A", b"A" * 9)).run(load_script(script))
    for _ in range(EXCHANGES // 10):
        assert next(results).status is Status.PASSED
    tracemalloc.start()
    try:
        for _ in range(EXCHANGES // 10):
            next(results)
        early, _ = tracemalloc.get_traced_memory()
        rest = sum(1 for _ in results)
        late, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert rest == EXCHANGES - 2 * (EXCHANGES // 10)
    assert late - early < MIB / 4
    announce(f"script of {EXCHANGES:,} steps: {(late - early) / 1024:+.0f} KiB, peak {peak / 1024:.0f} KiB")


def test_memory_of_a_long_comparison(script: Path, tmp_path: Path, announce: Announce) -> None:
    tracemalloc.start()
    try:
        comparison = compare_runs(played(script, "A"), played(script, "B"), default_rules())
        kept, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        with (tmp_path / "r.html").open("w", encoding="utf-8") as file:
            write_html(comparison, file)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(comparison.pairs) == EXCHANGES
    assert kept < 4096 * EXCHANGES  # bytes; both sides and their differences
    assert peak - kept < 4 * MIB  # the report is written part by part
    announce(
        f"comparison of {EXCHANGES:,} commands: {kept / MIB:.1f} MiB, {kept / EXCHANGES / 1024:.1f} KiB each; "
        f"writing its report takes {(peak - kept) / MIB:.1f} MiB more"
    )


def timed_copy(page: Path) -> Path:
    """Return a copy that notes when it was open, in milliseconds since the browser turned to it.

    The report allows no script but its own, so its policy has to go.
    """
    source = re.sub(r"<meta http-equiv=[^>]*>", "", page.read_text(encoding="utf-8"))
    copy = page.with_name("timed.html")
    copy.write_text(source.replace("</body>", f"<script>{NOTE_TIME}</script></body>"), encoding="utf-8")
    return copy


def open_in_browser(page: Path, folder: Path) -> str:
    """Load a page in headless Chromium and return what became of it."""
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        pytest.skip("no Chromium on this machine")
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run",
        f"--user-data-dir={folder}", "--dump-dom", page.as_uri(),
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        shown, _ = process.communicate(timeout=OPEN_TIMEOUT)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return shown.decode()


def test_the_report_of_a_long_comparison_opens(script: Path, tmp_path: Path, announce: Announce) -> None:
    comparison = compare_runs(played(script, "A"), played(script, "B"), default_rules())
    page = tmp_path / "r.html"
    with page.open("w", encoding="utf-8") as file:
        write_html(comparison, file)
    assert f"<output>{EXCHANGES} of {EXCHANGES} commands</output>" in open_in_browser(page, tmp_path / "browser")
    opened = re.search(r'data-opened="([0-9.]+)"', open_in_browser(timed_copy(page), tmp_path / "browser"))
    assert opened is not None
    announce(
        f"report of {EXCHANGES:,} commands, all different, {page.stat().st_size / MIB:.1f} MiB: "
        f"open after {float(opened[1]) / 1000:.2f} s in headless Chromium"
    )
