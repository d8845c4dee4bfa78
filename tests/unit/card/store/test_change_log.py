"""The log beside a card file: what a kill, a power cut, a full disk, another state of the card or a stranger leave.

A copy of the two files while the card is open is what a kill would leave at that moment.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from card.errors import StoreError
from card.store.sqlite import SqliteStore
from tests.unit.card.store.test_sqlite_store import make

FIRST = {"a/1": b"first", "b": b"second"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "test.card"
    make(path, {**FIRST})
    return path


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(path)) as store:
        yield store


def log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-log")


def killed(path: Path, name: str = "killed.card") -> Path:
    """Return a copy of what a kill leaves now."""
    remains = path.with_name(name)
    shutil.copy(path, remains)
    if log_of(path).exists():
        shutil.copy(log_of(path), log_of(remains))
    return remains


def load(path: Path) -> dict[str, bytes]:
    with closing(SqliteStore(path)) as store:
        return store.load()


def damaged(path: Path, content: bytes) -> str:
    """Put this beside a card file; return why it is refused."""
    log_of(path).write_bytes(content)
    with pytest.raises(StoreError) as refused:
        SqliteStore(path)
    return str(refused.value)


# --- what a kill leaves


def test_a_commit_is_in_the_log_and_the_file_is_as_before(path: Path, store: SqliteStore) -> None:
    before = path.read_bytes()
    store.commit({"a/1": b"new", "b": None, "c": b""})
    assert path.read_bytes() == before
    assert load(killed(path)) == {"a/1": b"new", "c": b""} == store.load()


def test_the_form_of_a_log(path: Path, store: SqliteStore) -> None:
    """Cards that were killed under an earlier release have such logs."""
    store.commit({"a/1": b"new", "b": None})
    store.commit({"c": b""})
    with closing(sqlite3.connect(killed(path))) as database:
        ((mark,),) = database.execute("SELECT value FROM nv WHERE key='log'").fetchall()
    first = bytes.fromhex("0003 00000003") + b"a/1new" + bytes.fromhex("0001 FFFFFFFF") + b"b"
    second = bytes.fromhex("0001 00000000") + b"c"
    check = zlib.crc32(first, zlib.crc32(mark))
    expected = b"BCUC-LOG" + mark + len(first).to_bytes(4, "big") + check.to_bytes(4, "big") + first
    expected += len(second).to_bytes(4, "big") + zlib.crc32(second, check).to_bytes(4, "big") + second
    assert log_of(path).read_bytes() == expected
    assert len(mark) == 8


def test_further_commits_go_behind_those_of_the_killed_process(path: Path, store: SqliteStore) -> None:
    store.commit({"a/1": b"new"})
    remains = killed(path)
    with closing(SqliteStore(remains)) as again:
        again.commit({"d": b"1"})
        assert load(killed(remains, "twice.card")) == {"a/1": b"new", "b": b"second", "d": b"1"}
    assert not log_of(remains).exists()
    assert load(remains) == {"a/1": b"new", "b": b"second", "d": b"1"}


def test_opening_alone_loses_nothing_and_leaves_no_log(path: Path, store: SqliteStore) -> None:
    store.commit({"a/1": b"new"})
    remains = killed(path)
    SqliteStore(remains).close()
    assert not log_of(remains).exists()
    assert load(remains)["a/1"] == b"new"


def test_a_record_that_was_torn_is_left_out_with_all_behind_it(path: Path, store: SqliteStore) -> None:
    states = [store.load()]
    ends = [16]
    for number in range(3):
        store.commit({"a/1": bytes((number,)) * 9, f"new/{number}": b"x"})
        states.append(store.load())
        ends.append(log_of(path).stat().st_size)
    whole = log_of(path).read_bytes()
    for length in range(len(whole) + 1):
        remains = killed(path)
        log_of(remains).write_bytes(whole[:length])
        assert load(remains) == states[max(sum(end <= length for end in ends) - 1, 0)], length
    for place in range(len(b"BCUC-LOG"), len(whole)):
        remains = killed(path)
        log_of(remains).write_bytes(whole[:place] + bytes((whole[place] ^ 0x10,)) + whole[place + 1 :])
        assert load(remains) == states[sum(end <= place for end in ends) - 1 if place >= 16 else 0], place


def test_a_full_log_is_folded_and_bounded(path: Path, store: SqliteStore) -> None:
    before = path.read_bytes()
    largest = 0
    for number in range(100):
        store.commit({"a/1": bytes((number,)) * 15_000, f"new/{number % 7}": b"x"})
        largest = max(largest, log_of(path).stat().st_size)
    assert 1 << 20 < largest < (1 << 20) + (1 << 15)
    assert log_of(path).stat().st_size < largest / 2
    assert path.read_bytes() != before
    found = load(killed(path))
    assert found == store.load()
    assert found["a/1"] == bytes((99,)) * 15_000


def test_what_is_too_long_for_a_log_goes_into_the_file_with_what_was_before(path: Path, store: SqliteStore) -> None:
    store.commit({"b": b"new"})
    store.commit({"large": bytes(1 << 15)})
    store.commit({"b": b"newest"})
    found = load(killed(path))
    assert (found["large"], found["b"]) == (bytes(1 << 15), b"newest")


# --- logs that do not belong there


def test_a_log_that_was_folded_is_never_taken_up_again(path: Path) -> None:
    """A power cut may bring back the log of before beside the database of after."""
    with closing(SqliteStore(path)) as store:
        store.commit({"a/1": b"old"})
        old = log_of(path).read_bytes()
        store.commit({"a/1": b"new", "large": bytes(1 << 15)})
        remains = killed(path)
    log_of(remains).write_bytes(old)
    assert load(remains)["a/1"] == b"new"


def test_a_log_of_another_card_is_not_taken_up(path: Path, store: SqliteStore, tmp_path: Path) -> None:
    store.commit({"a/1": b"mine"})
    other = tmp_path / "other.card"
    make(other, {"a/1": b"other"})
    shutil.copy(log_of(path), log_of(other))
    with closing(SqliteStore(other)) as opened:
        assert opened.load() == {"a/1": b"other"}
        opened.commit({"c": b"1"})
        assert load(killed(other)) == {"a/1": b"other", "c": b"1"}
    new = tmp_path / "new.card"
    shutil.copy(log_of(path), log_of(new))
    make(new, {"c": b"2"})
    assert load(new) == {"c": b"2"}


@pytest.mark.parametrize(
    "content", [b"", b"B", b"BCUC", b"BCUC-LOG", b"BCUC-LOG1234567", bytes(1), bytes(4096), bytes(4096) + b"record"]
)
def test_a_log_that_just_began_holds_nothing(path: Path, content: bytes) -> None:
    """After a power cut a file may have its length, and zeros where its first octets were on their way."""
    log_of(path).write_bytes(content)
    with closing(SqliteStore(path)) as store:
        assert store.load() == FIRST
        store.commit({"c": b"1"})
        assert load(killed(path)) == {**FIRST, "c": b"1"}


def test_somebodys_file_is_not_taken_for_a_log(path: Path) -> None:
    assert "is not a usable card file (what lies beside it is no log of a card file)" in damaged(path, b"my diary\n")
    assert log_of(path).read_bytes() == b"my diary\n"


@pytest.mark.parametrize(
    "body",
    ["00", "0001000000", "000100000002610F", "0001FFFFFFFE61", "000200000000C328", "0002000000006161FF"],
)
def test_a_record_that_was_made_up_is_refused_and_not_shown(path: Path, store: SqliteStore, body: str) -> None:
    store.commit({"a/1": b"new"})
    remains = killed(path)
    head, record = log_of(remains).read_bytes()[:16], bytes.fromhex(body)
    check = zlib.crc32(record, zlib.crc32(head[8:]))
    made_up = head + len(record).to_bytes(4, "big") + check.to_bytes(4, "big") + record
    assert damaged(remains, made_up).endswith("is not a usable card file (a record of its log is none)")


@pytest.mark.parametrize("mark", [b"", bytes(7), bytes(9), bytes(8), "texttext", 12345678])
def test_a_mark_that_is_none_is_refused_and_the_log_is_kept(path: Path, store: SqliteStore, mark: object) -> None:
    store.commit({"a/1": b"new"})
    remains = killed(path)
    with closing(sqlite3.connect(remains)) as database, database:
        database.execute("UPDATE nv SET value=? WHERE key='log'", (mark,))
    with pytest.raises(StoreError, match="its mark was changed"):
        SqliteStore(remains)
    assert log_of(remains).exists()


def test_a_newer_release_keeps_its_log(path: Path, store: SqliteStore) -> None:
    store.commit({"a/1": b"new"})
    remains = killed(path)
    with closing(sqlite3.connect(remains)) as database:
        database.execute("PRAGMA user_version=1000")
    before = log_of(remains).read_bytes()
    with closing(SqliteStore(remains)) as newer, pytest.raises(StoreError, match="schema version 1000"):
        newer.load()
    assert log_of(remains).read_bytes() == before


# --- disks that are full


@pytest.mark.parametrize("written", [0, 5, 20])
def test_a_full_disk_changes_nothing(
    path: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    """The write that does not fit ends early, or fails; what stands there of it is not taken for a record."""
    store.commit({"a/1": b"new"})
    expected = store.load()
    pwrite = os.pwrite

    def full(file: int, data: bytes, at: int) -> int:
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return pwrite(file, data[:written], at)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(StoreError, match=r"test\.card cannot be written \(No space left on device\)"):
            store.commit({"b": b"x" * 30})
    assert store.load() == expected == load(killed(path))
    store.commit({"c": b"1"})
    assert store.load() == {**expected, "c": b"1"} == load(killed(path))


def test_a_log_that_cannot_be_made(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(SqliteStore(path)) as store:
        log_of(path).write_bytes(b"came meanwhile")
        with pytest.raises(StoreError, match="cannot be written"):
            store.commit({"a/1": b"new"})
        assert store.load() == FIRST
        log_of(path).unlink()
        store.commit({"a/1": b"new"})
    assert load(path)["a/1"] == b"new"


def test_a_fold_that_fails_leaves_the_log(path: Path) -> None:
    with closing(SqliteStore(path)) as store:
        store.commit({"a/1": b"new"})
        with pytest.raises(StoreError, match="cannot be written"):
            store.commit({"b": bytes(1 << 25)})
        store.commit({"c": b"1"})
        assert store.load() == {**FIRST, "a/1": b"new", "c": b"1"} == load(killed(path))


class FailingCommit:
    """A database whose COMMIT fails: before it wrote anything, or behind it."""

    def __init__(self, database: sqlite3.Connection, *, behind: bool) -> None:
        self._database = database
        self._behind = behind

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        if statement != "COMMIT":
            return self._database.execute(statement, *values)
        if self._behind:
            self._database.execute(statement)
        raise sqlite3.OperationalError("disk I/O error")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)


@pytest.mark.parametrize("behind", [False, True], ids=["before", "behind"])
def test_an_error_of_a_fold_is_told_where_nothing_was_written_and_no_later_commit_is_lost(
    path: Path, monkeypatch: pytest.MonkeyPatch, behind: bool
) -> None:
    with closing(SqliteStore(path)) as store:
        store.commit({"a/1": b"new"})
        with monkeypatch.context() as patch:
            patch.setattr(store, "_database", FailingCommit(store._database, behind=behind))
            with contextlib.nullcontext() if behind else pytest.raises(StoreError, match="disk I/O error"):
                store.commit({"b": bytes(1 << 20)})
        store.commit({"c": b"1"})
        expected = {**FIRST, "a/1": b"new", "c": b"1"} | ({"b": bytes(1 << 20)} if behind else {})
        assert store.load() == expected == load(killed(path))
