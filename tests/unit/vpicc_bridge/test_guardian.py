"""The guardian: what happens when the process that opened it is killed, and that nothing happens otherwise."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vpicc_bridge.guardian import Guardian

WARD = [sys.executable, "-c", "import time; time.sleep(600)"]
PARENT = """
import sys, time
from pathlib import Path
from vpicc_bridge.guardian import Guardian
with Guardian(int(sys.argv[1]), Path(sys.argv[2])) as guardian:
    print(guardian.pid, flush=True)
    time.sleep(600)
"""


@contextmanager
def started(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_killed_parent_takes_process_and_folder_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "a folder's name; with --shell $things"
    (folder / "below").mkdir(parents=True)
    with started(WARD) as ward, started([sys.executable, "-c", PARENT, str(ward.pid), str(folder)]) as parent:
        assert parent.stdout is not None
        guardian = int(parent.stdout.readline())
        parent.kill()
        assert ward.wait(30) == -signal.SIGTERM
        for _ in range(3000):
            if not Path(f"/proc/{guardian}").exists():
                break
            subprocess.run(["sleep", "0.01"], check=True)
    assert not folder.exists()
    assert tmp_path.is_dir()


def test_in_the_end_the_process_lives_and_the_folder_stays(tmp_path: Path) -> None:
    with started(WARD) as ward:
        with Guardian(ward.pid, tmp_path) as guardian:
            assert Path(f"/proc/{guardian.pid}").exists()
        guardian.close()
        assert not Path(f"/proc/{guardian.pid}").exists()
        assert ward.poll() is None
    assert tmp_path.is_dir()


def test_a_folder_is_not_needed() -> None:
    parent_alone = PARENT.replace(", Path(sys.argv[2])", "")
    with started(WARD) as ward, started([sys.executable, "-c", parent_alone, str(ward.pid)]) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        parent.kill()
        assert ward.wait(30) == -signal.SIGTERM
