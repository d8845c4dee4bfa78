"""The card file: who may open it, what it refuses, what it survives."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from card.errors import CardFileLocked, StoreError
from card.ports import Store
from card.store import migrations, sqlite
from card.store.sqlite import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "test.card"


def make(path: Path, contents: dict[str, bytes | None] | None = None) -> None:
    with closing(SqliteStore(path, create=True)) as store:
        store.commit(contents or {})


def alter(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)


def test_it_is_a_store(path: Path) -> None:
    with closing(SqliteStore(path, create=True)) as store:
        assert isinstance(store, Store)


def test_what_is_committed_is_there_after_reopening(path: Path) -> None:
    make(path, {"a/1": b"\x00\xff", "b": b"", "gone": b"x"})
    with closing(SqliteStore(path)) as store:
        store.commit({"gone": None, "a/1": b"new"})
    with closing(SqliteStore(path)) as store:
        assert store.load() == {"a/1": b"new", "b": b""}


def test_only_the_owner_may_read_it(path: Path) -> None:
    store = SqliteStore(path, create=True)
    store.commit({"a": b"1"})
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    store.close()
    assert "test.card" in modes
    assert set(modes.values()) == {0o600}, modes


def test_nothing_is_left_beside_it(path: Path) -> None:
    make(path, {"a": b"1"})
    assert [file.name for file in path.parent.iterdir()] == ["test.card"]


def test_closing_twice_is_harmless(path: Path) -> None:
    store = SqliteStore(path, create=True)
    store.close()
    store.close()
    SqliteStore(path).close()


def test_an_interrupted_commit_is_none_and_the_next_one_is_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the record in the log and its note, and within a transaction of the database."""

    class Interrupted(dict[str, bytes | None]):
        def update(self, *_: object, **__: object) -> None:
            raise KeyboardInterrupt

    def interrupt(_: object) -> bytes:
        raise KeyboardInterrupt

    long = {"long": bytes(20_000)}  # too long for the log
    with closing(SqliteStore(path, create=True)) as store:
        store.commit({"a": b"1", "b": b"1"})
        with monkeypatch.context() as patched:
            append = store._log.append
            patched.setattr(store._log, "append", lambda changes: append(changes) and interrupt(changes))
            with pytest.raises(KeyboardInterrupt):
                store.commit({"a": b"2"})
        store.commit({"b": b"3"})
        with monkeypatch.context() as patched:
            patched.setattr(sqlite, "_write_mark", interrupt)
            with pytest.raises(KeyboardInterrupt):
                store.commit(long)
        store.commit({"c": b"4"})
        store._log.close(remove=False)  # as after a kill
    with closing(SqliteStore(path)) as store:
        assert store.load() == {"a": b"1", "b": b"3", "c": b"4"}


# --- one holder


def test_a_second_opening_is_refused_and_names_the_process(path: Path) -> None:
    expected = pytest.raises(CardFileLocked, match=f"in use by process {os.getpid()}$")
    with closing(SqliteStore(path, create=True)), expected:
        SqliteStore(path)
    SqliteStore(path).close()


HOLD = """
import sys
from card.store.sqlite import SqliteStore
store = SqliteStore(sys.argv[1])
store.commit({"answered": b"yes"})
print("answered", flush=True)
sys.stdin.read()
"""


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a process that commits once, says so, and keeps the card file open."""
    root = Path(sqlite.__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], cwd=root, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "answered\n"
            yield process
        finally:
            process.kill()


def test_another_process_is_named(path: Path) -> None:
    make(path)
    with holder(path) as process, pytest.raises(CardFileLocked, match=f"in use by process {process.pid}$"):
        SqliteStore(path)


def test_what_was_answered_survives_a_killed_process(path: Path) -> None:
    make(path, {"before": b"1"})
    with holder(path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    with closing(SqliteStore(path)) as store:
        assert store.load() == {"before": b"1", "answered": b"yes"}


# --- files that are none


def test_a_missing_file(path: Path) -> None:
    with pytest.raises(StoreError, match="no such card file"):
        SqliteStore(path)
    assert list(path.parent.iterdir()) == []


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be read: Is a directory"):
        SqliteStore(tmp_path)


def test_a_missing_directory(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        SqliteStore(tmp_path / "nowhere" / "new.card", create=True)


def test_an_existing_file_is_not_overwritten(path: Path) -> None:
    path.write_bytes(b"precious")
    with pytest.raises(StoreError, match="exists already"):
        SqliteStore(path, create=True)
    assert path.read_bytes() == b"precious"
    assert [file.name for file in path.parent.iterdir()] == ["test.card"]


@pytest.mark.parametrize("content", [b"", b"name = 'a profile'\n", b"SQLite format 3\x00" + bytes(100), bytes(5000)])
def test_a_file_of_another_kind_is_refused_and_left_alone(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreError):
        SqliteStore(path)
    assert path.read_bytes() == content
    assert [file.name for file in path.parent.iterdir()] == ["test.card"]


def test_a_foreign_database_is_refused_and_left_alone(path: Path) -> None:
    alter(path, "CREATE TABLE nv (key TEXT, value BLOB)")
    content = path.read_bytes()
    with pytest.raises(StoreError, match="is not a card file"):
        SqliteStore(path)
    assert path.read_bytes() == content


def test_a_card_file_without_its_table(path: Path) -> None:
    make(path)
    alter(path, "DROP TABLE nv")
    with pytest.raises(StoreError, match="its table is not that of a card"):
        SqliteStore(path)


@pytest.mark.parametrize("value", ["'text'", "5", "1e9", "99999999999"])
def test_a_value_that_is_no_blob(path: Path, value: str) -> None:
    make(path)
    alter(path, f"INSERT INTO nv VALUES ('a', {value}, 0)")
    with closing(SqliteStore(path)) as store, pytest.raises(StoreError, match="cannot be read"):
        store.load()


def test_a_failed_commit_changes_nothing(path: Path) -> None:
    with closing(SqliteStore(path, create=True)) as store:
        store.commit({"a": b"1"})
        with pytest.raises(StoreError, match="cannot be written"):
            store.commit({"a": b"2", "x": None, "b": bytes(1 << 25)})
        assert store.load() == {"a": b"1"}
        store.commit({"a": b"4"})
        assert store.load() == {"a": b"4"}


# --- versions


def test_a_newer_schema_is_refused(path: Path) -> None:
    make(path)
    alter(path, f"PRAGMA user_version={migrations.SCHEMA_VERSION + 1}")
    with closing(SqliteStore(path)) as store, pytest.raises(StoreError, match="schema version"):
        store.load()


def test_an_older_schema_is_migrated_once_and_in_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(path, {"keep": b"1", "drop": b"2"})
    runs = []

    def rename(contents: dict[str, bytes]) -> dict[str, bytes]:
        runs.append(1)
        return {"keep": contents["keep"], "renamed": contents["drop"]}

    version = migrations.SCHEMA_VERSION
    monkeypatch.setattr(migrations, "MIGRATIONS", {version: rename})
    monkeypatch.setattr(migrations, "SCHEMA_VERSION", version + 1)
    monkeypatch.setattr(sqlite, "SCHEMA_VERSION", version + 1)
    for _ in range(2):
        with closing(SqliteStore(path)) as store:
            assert store.load() == {"keep": b"1", "renamed": b"2"}
    assert len(runs) == 1
