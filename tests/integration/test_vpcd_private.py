"""The private pcscd: comes up, keeps to itself, goes away, and says what is missing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.vpicc_bridge.fakes import wait_until
from vpicc_bridge import pcscd
from vpicc_bridge.machine import RUN_DIRECTORY, listening_ports
from vpicc_bridge.pcscd import PcscdError, PrivatePcscd

pytestmark = pytest.mark.pcscd

LIST_READERS = "from smartcard.System import readers; print([str(reader) for reader in readers()])"


def readers_seen(instance: PrivatePcscd) -> str:
    """What a client in its own process sees (libpcsclite keeps to the first pcscd of a process)."""
    command = [sys.executable, "-W", "ignore", "-c", LIST_READERS]
    return subprocess.run(
        command, env=instance.environ(), capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()


def run_directory_contents() -> list[tuple[str, int]]:
    if not RUN_DIRECTORY.is_dir():
        return []
    return sorted((entry.name, entry.stat().st_mtime_ns) for entry in RUN_DIRECTORY.iterdir())


def test_two_instances_live_side_by_side_and_leave_nothing() -> None:
    before = run_directory_contents()
    with PrivatePcscd(slots=1) as first, PrivatePcscd(slots=5) as second:
        assert readers_seen(first) == "['Virtual PCD 00 00', 'Virtual PCD 00 01']"
        assert all(name in readers_seen(second) for name in second.reader_names)
        assert not set(first.ports) & set(second.ports)
        homes = [first.socket_path.parent, second.socket_path.parent]
        pids = [first.pid, second.pid]
        ports = {*first.ports, *second.ports}
        assert ports <= listening_ports().keys()
    assert not any(home.exists() for home in homes)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert not ports & listening_ports().keys()
    assert run_directory_contents() == before


def test_its_obituary_leaves_out_what_it_always_says() -> None:
    with PrivatePcscd(slots=1) as instance:
        assert instance.obituary is None
        assert instance.pid is not None
        os.kill(instance.pid, signal.SIGTERM)
        wait_until(lambda: instance.obituary is not None)
        assert "the private pcscd ended by itself: " in str(instance.obituary)
        assert "pcscd.pid" not in str(instance.obituary)


def test_sixteen_slots_have_sixteen_names() -> None:
    with PrivatePcscd(slots=16) as instance:
        seen = readers_seen(instance)
        assert len(set(instance.reader_names)) == 16
        assert all(repr(name) in seen for name in instance.reader_names)


@pytest.mark.parametrize("slots", [0, 17, -1])
def test_impossible_numbers_of_slots_are_refused(slots: int) -> None:
    with pytest.raises(ValueError, match="1 to 16"):
        PrivatePcscd(slots=slots)


@pytest.mark.parametrize(("finder", "package"), [("find_program", "pcscd"), ("find_vpcd_driver", "vsmartcard-vpcd")])
def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, finder: str, package: str) -> None:
    monkeypatch.setattr(pcscd, finder, lambda *_: None)
    with pytest.raises(PcscdError, match=f"apt-get install {package}"), PrivatePcscd():
        pass


def test_a_driver_that_opens_no_reader_is_reported_and_cleaned_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "libifdvpcd.so"
    broken.write_bytes(b"not a library")
    monkeypatch.setattr(pcscd, "find_vpcd_driver", lambda: broken)
    instance = PrivatePcscd(timeout=0.5)
    with pytest.raises(PcscdError, match="no virtual reader within"), instance:
        pass
    assert instance.pid is None
    assert not instance.socket_path.parent.exists()


def test_a_pcscd_that_ends_at_once_is_reported_with_its_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pcscd, "find_program", lambda _: Path("/bin/ls"))
    with pytest.raises(PcscdError, match="unrecognized option '--foreground'"), PrivatePcscd():
        pass
