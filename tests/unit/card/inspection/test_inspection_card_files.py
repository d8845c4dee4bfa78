"""Snapshot, restore and wipe of card files."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from card import open_card, restore_card, snapshot_card, wipe_card
from card.errors import CardFileLocked, StoreError
from card.store.sqlite import SqliteStore
from tests.unit.card.inspection.conftest import contents

HOLDER = "import sys; from card import open_card; card = open_card(sys.argv[1]); print('held', flush=True); input()"


@contextmanager
def held(path: Path) -> Iterator[int]:
    """Let another process use the card file for the length of the block; yield its id."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process.pid
    finally:
        process.communicate("\n")


def test_a_snapshot_is_an_equal_card_file_for_its_owner_alone(used: Path, tmp_path: Path) -> None:
    target = tmp_path / "kept.snapshot"
    snapshot_card(used, target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert contents(target) == contents(used)
    open_card(target).close()


def test_a_snapshot_does_not_write_over_anything_unless_asked(fresh: Path, used: Path, tmp_path: Path) -> None:
    target = tmp_path / "kept.snapshot"
    snapshot_card(fresh, target)
    with pytest.raises(StoreError, match="exists already"):
        snapshot_card(used, target)
    assert contents(target) == contents(fresh)
    snapshot_card(used, target, replace=True)
    assert contents(target) == contents(used)


def test_restore_brings_the_card_back(fresh: Path, used: Path) -> None:
    restore_card(used, fresh)
    assert contents(used) == contents(fresh)


def test_restore_makes_a_card_file_that_is_missing(fresh: Path, tmp_path: Path) -> None:
    restore_card(tmp_path / "new.card", fresh)
    assert contents(tmp_path / "new.card") == contents(fresh)
    assert stat.S_IMODE((tmp_path / "new.card").stat().st_mode) == 0o600


def test_restore_is_one_transaction(fresh: Path, used: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commits: list[int] = []
    commit = SqliteStore.commit

    def counted(store: SqliteStore, changes: Mapping[str, bytes | None], *statements: str) -> None:
        commits.append(len(changes))
        commit(store, changes, *statements)

    monkeypatch.setattr(SqliteStore, "commit", counted)
    restore_card(used, fresh)
    assert len(commits) == 1


def test_a_copy_that_fails_leaves_nothing_behind(fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StoreError("disk full")

    monkeypatch.setattr(SqliteStore, "commit", full)
    with pytest.raises(StoreError, match="disk full"):
        snapshot_card(fresh, tmp_path / "kept.snapshot")
    assert [path.name for path in tmp_path.iterdir()] == ["fresh.card"]


def test_a_card_is_not_copied_onto_itself(fresh: Path, tmp_path: Path) -> None:
    alias = tmp_path / "alias.card"
    alias.symlink_to(fresh)
    before = contents(fresh)
    with pytest.raises(StoreError, match="is the card file itself"):
        restore_card(fresh, alias)
    assert contents(fresh) == before


def test_a_foreign_file_is_neither_source_nor_target_nor_wiped(fresh: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "letter.txt"
    foreign.write_text("dear friend\n" * 200)
    with pytest.raises(StoreError, match=r"letter\.txt"):
        restore_card(fresh, foreign)
    with pytest.raises(StoreError, match=r"letter\.txt"):
        restore_card(foreign, fresh)
    with pytest.raises(StoreError, match=r"letter\.txt"):
        wipe_card(foreign)
    assert foreign.read_text() == "dear friend\n" * 200


def test_a_card_in_use_names_its_user_and_is_left_alone(fresh: Path, used: Path, tmp_path: Path) -> None:
    with held(fresh) as pid:
        in_use = f"in use by process {pid}"
        with pytest.raises(CardFileLocked, match=in_use):
            snapshot_card(fresh, tmp_path / "kept.snapshot")
        with pytest.raises(CardFileLocked, match=in_use):
            restore_card(fresh, used)
        with pytest.raises(CardFileLocked, match=in_use):
            restore_card(used, fresh)
        with pytest.raises(CardFileLocked, match=in_use):
            wipe_card(fresh)
    assert not (tmp_path / "kept.snapshot").exists()
    open_card(fresh).close()


def test_wipe_removes_the_card_file_and_what_was_left_beside_it(fresh: Path, tmp_path: Path) -> None:
    for ending in ("-log", "-wal", "-shm", "-journal", ".lock"):
        (tmp_path / f"fresh.card{ending}").touch()
    wipe_card(fresh)
    assert list(tmp_path.iterdir()) == []


def test_wipe_overwrites_the_log_of_a_killed_process_too(fresh: Path, tmp_path: Path) -> None:
    with closing(SqliteStore(fresh)) as store:
        store.commit({"secret/1": b"of the log"})
        for name in ("fresh.card", "fresh.card-log"):
            shutil.copy(tmp_path / name, tmp_path / name.replace("fresh", "killed"))
    second_names = [tmp_path / "second name", tmp_path / "second name of the log"]
    for killed, second in zip(("killed.card", "killed.card-log"), second_names, strict=True):
        os.link(tmp_path / killed, second)
    wipe_card(tmp_path / "killed.card")
    assert sorted(path.name for path in tmp_path.glob("killed*")) == []
    for second in second_names:
        assert second.stat().st_size
        assert not any(second.read_bytes())


def test_wipe_overwrites_before_it_removes(used: Path, tmp_path: Path) -> None:
    second_name = tmp_path / "second name"
    os.link(used, second_name)
    size = used.stat().st_size
    wipe_card(used)
    assert second_name.read_bytes() == bytes(size)


def test_wipe_of_a_missing_card_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such card file"):
        wipe_card(tmp_path / "none.card")
    assert list(tmp_path.iterdir()) == []


def test_the_lock_file_goes_with_the_lock(fresh: Path, tmp_path: Path) -> None:
    snapshot_card(fresh, tmp_path / "kept.snapshot")
    with contextlib.closing(open_card(fresh)):
        assert (tmp_path / "fresh.card.lock").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fresh.card", "kept.snapshot"]
