"""The demo against a head-end that is on the air, faster than a clock, with every program a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from host_tools.content.captures.pcap import open_capture
from tests.support.live import PATIENCE

DEMO = [sys.executable, "-m", "host_tools.cli.main", "demo", "--live"]


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder for temporary files that pcscd's own user can enter, and whose name is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="bu-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.parametrize("application", [[], ["--csim"]], ids=["usim", "csim"])
@pytest.mark.parametrize("link", ["inprocess", pytest.param("pcsc", marks=pytest.mark.pcscd)])
def test_both_services_are_heard_as_they_are_sent(
    link: str, application: list[str], shared_folder: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    # Something else of the name of the scenario does not get in the way.
    (tmp_path / "demo").mkdir()
    done = subprocess.run(
        [*DEMO, *application, "--speed", "4", "--link", link, "--json", "--keep", str(kept)],
        capture_output=True, text=True, timeout=4 * PATIENCE, check=False, cwd=tmp_path,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR": str(shared_folder), "PYTHONPATH": ":".join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["differences"] == []
    assert (result["service_switches"], result["packets"]["failed"]) == (1, 0)
    assert result["ltkms"] >= 2
    assert result["teks"] >= 2
    files = [Path(file) for file in result["files"]]
    assert len(files) == 2
    frames = 0
    for file in files:
        with wave.open(str(file), "rb") as sound:
            frames += sound.getnframes()
    assert frames == 160 * result["packets"]["decrypted"] > 160 * 200
    page = Path(result["page"]).read_text()
    assert "tone-a" in page
    assert "tone-b" in page
    with open_capture(kept / "air.pcapng") as sent:
        assert sum(1 for _ in sent) >= result["packets"]["seen"]
    assert "on the air to 127.0.0." in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--live", "--no-wire"], "on wires"),
        (["--live", "--csim", "--no-wire"], "on wires"),
        (["--speed", "2"], "--live"),
    ],
)
def test_what_does_not_go_together(arguments: list[str], words: str) -> None:
    done = subprocess.run([*DEMO[:-1], *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert words in done.stderr
    assert done.returncode == 2
