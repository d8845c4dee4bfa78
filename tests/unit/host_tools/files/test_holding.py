"""A file that one process holds: what a full disk says of it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from host_tools.cli.exits import ExitCode, explain
from host_tools.files.holding import FileInUse, held
from host_tools.files.writing import UnwritableFile
from host_tools.terminal.state_file import open_state


def full(*_: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_names_the_file_and_leaves_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "me.state"
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(UnwritableFile, match=r"me\.state\.lock: cannot be written: No space left") as caught:
        open_state(path, "8988", "bsm.example.org").__enter__()
    told = explain(caught.value)
    assert told is not None
    assert told.exit_code == ExitCode.ENVIRONMENT
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    with held(path), pytest.raises(FileInUse, match=f"in use by process {os.getpid()}"), held(path):
        raise AssertionError("held twice")


def test_a_full_disk_names_the_state_that_cannot_be_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "me.state"
    with open_state(path, "8988", "bsm.example.org") as state:
        state.save()
        before = path.read_bytes()
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(UnwritableFile, match=r"me\.state: cannot be written: No space left"):
            state.save()
    assert path.read_bytes() == before
