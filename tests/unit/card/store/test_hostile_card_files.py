"""Card files that somebody made or spoilt, names that lead elsewhere, and who holds a file under another name."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from card.errors import CardFileLocked, StoreError
from card.store.layout import FIRST_LAYOUT, LAYOUT, DamagedFile, check_value, read_rows
from card.store.migrations import SCHEMA_VERSION
from card.store.sqlite import SqliteStore
from tests.golden.make_cards import CARDS
from tests.unit.card.store.test_sqlite_store import alter, holder, make

PID = os.getpid()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "test.card"
    make(path, {"a/1": b"first", "b": b"second" * 20})
    return path


def load(path: Path) -> dict[str, bytes]:
    with closing(SqliteStore(path)) as store:
        return store.load()


# --- one holder, whatever the name


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_a_file_in_use_is_found_under_every_name(path: Path, link: Callable[[Path, Path], None]) -> None:
    other = path.with_name("other.card")
    link(other, path)
    with closing(SqliteStore(path)):
        with pytest.raises(CardFileLocked, match=f"{other} is in use by process {PID}$"):
            SqliteStore(other)
        assert load_is_refused(path)
    assert load(other) == load(path)


def load_is_refused(path: Path) -> bool:
    with pytest.raises(CardFileLocked):
        SqliteStore(path)
    return True


def test_another_process_is_named_through_a_hard_link(path: Path) -> None:
    other = path.with_name("other.card")
    other.hardlink_to(path)
    with holder(path) as process, pytest.raises(CardFileLocked, match=f"in use by process {process.pid}$"):
        SqliteStore(other)


def test_what_is_written_through_a_link_is_in_the_file(path: Path) -> None:
    (path.parent / "folder").mkdir()
    link = path.parent / "folder" / "link.card"
    link.symlink_to(path)
    with closing(SqliteStore(link)) as store:
        store.commit({"c": b"third"})
    assert load(path)["c"] == b"third"
    assert [item.name for item in (path.parent / "folder").iterdir()] == ["link.card"]


@pytest.mark.parametrize("link", [Path.symlink_to, Path.hardlink_to])
def test_the_lock_is_not_written_through_a_link(tmp_path: Path, link: Callable[[Path, Path], None]) -> None:
    victim, card = tmp_path / "victim", tmp_path / "new.card"
    victim.write_text("123\nmine")
    link(tmp_path / "new.card.lock", victim)
    with pytest.raises(StoreError, match=r"new\.card\.lock: is "):
        SqliteStore(card, create=True)
    assert victim.read_text() == "123\nmine"
    assert not card.exists()


def test_somebodys_file_is_not_taken_for_a_lock(path: Path) -> None:
    mine = path.with_name("test.card.lock")
    mine.write_text("my notes on this lock")
    with pytest.raises(StoreError, match="is no lock of a card file"):
        SqliteStore(path)
    assert mine.read_text() == "my notes on this lock"


def test_the_lock_of_a_killed_process_is_taken_over(path: Path) -> None:
    path.with_name("test.card.lock").write_text("4711")
    assert load(path)["a/1"] == b"first"


def test_a_new_card_is_made_under_the_very_name(tmp_path: Path) -> None:
    (tmp_path / "link.card").symlink_to(tmp_path / "elsewhere.card")
    with pytest.raises(StoreError, match="exists already"):
        SqliteStore(tmp_path / "link.card", create=True)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["link.card"]


@pytest.mark.parametrize("ending", ["-log", "-wal", "-journal"])
def test_a_log_that_leads_elsewhere_is_refused(path: Path, ending: str) -> None:
    victim = path.with_name("victim")
    victim.write_bytes(b"mine")
    path.with_name(path.name + ending).symlink_to(victim)
    with pytest.raises(StoreError, match="is no log of a card file"):
        SqliteStore(path)
    assert victim.read_bytes() == b"mine"


@pytest.mark.parametrize("ending", ["-log", "-wal", "-journal"])
def test_of_a_card_that_cannot_be_made_nothing_is_left(tmp_path: Path, ending: str) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    (tmp_path / f"new.card{ending}").symlink_to(victim)
    with pytest.raises(StoreError, match="is no log of a card file"):
        SqliteStore(tmp_path / "new.card", create=True)
    assert sorted(item.name for item in tmp_path.iterdir()) == [f"new.card{ending}", "victim"]
    assert victim.read_bytes() == b"mine"


def test_the_root_is_no_card_file() -> None:
    with pytest.raises(StoreError, match="/: not a file name"):
        SqliteStore("/")


# --- what stands in it


def test_a_file_that_is_no_plain_one_or_too_large(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StoreError, match="not a plain file"):
        SqliteStore(tmp_path / "pipe")
    (tmp_path / "sparse").touch()
    os.truncate(tmp_path / "sparse", 3 << 30)
    with pytest.raises(StoreError, match="larger than"):
        SqliteStore(tmp_path / "sparse")


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT 'k'||i, x'00', 1 FROM n"


@pytest.mark.parametrize(
    "statements",
    [
        ("DROP TABLE nv", f"CREATE VIEW nv AS {ENDLESS}"),
        ("CREATE TABLE other (a)",),
        ("CREATE TRIGGER t AFTER INSERT ON nv BEGIN DELETE FROM nv; END",),
        ("ALTER TABLE nv ADD COLUMN more",),
        ("ALTER TABLE nv RENAME TO vn",),
    ],
)
def test_only_the_table_of_a_card_is_ever_asked(path: Path, statements: tuple[str, ...]) -> None:
    alter(path, *statements)
    with pytest.raises(StoreError, match=r"is not a usable card file \(its table is not that of a card\)"):
        SqliteStore(path)


def test_a_flipped_bit_anywhere_in_the_schema_is_an_error_of_the_file(path: Path) -> None:
    whole = path.read_bytes()
    start = whole.index(LAYOUT.encode())
    for place in range(start, start + len(LAYOUT)):
        for mask in (0x01, 0x20, 0x80):
            path.write_bytes(whole[:place] + bytes((whole[place] ^ mask,)) + whole[place + 1 :])
            with pytest.raises(StoreError, match="is not a usable card file"):
                SqliteStore(path)


def test_a_flipped_bit_takes_no_row_away(tmp_path: Path) -> None:
    """The head of a page says how many rows it holds: fewer of them are as sound as all, each by itself."""
    path = tmp_path / "test.card"
    contents: dict[str, bytes | None] = {f"a/{number:02}": bytes((number,)) * 120 for number in range(40)}
    make(path, contents)
    whole = path.read_bytes()
    page = int.from_bytes(whole[16:18], "big")
    for place in (start + byte for start in range(page, len(whole), page) for byte in range(16)):
        for bit in range(8):
            path.write_bytes(whole[:place] + bytes((whole[place] ^ 1 << bit,)) + whole[place + 1 :])
            with suppress(StoreError):
                assert load(path) == contents


def test_a_flipped_bit_in_a_value_or_a_key_is_noticed(path: Path) -> None:
    whole = path.read_bytes()
    for stored in (b"first", b"second" * 20, b"a/1"):
        start = whole.index(stored)
        for place in range(start, start + len(stored)):
            for bit in range(8):
                path.write_bytes(whole[:place] + bytes((whole[place] ^ 1 << bit,)) + whole[place + 1 :])
                with pytest.raises(StoreError):
                    load(path)
    path.write_bytes(whole)
    assert load(path) == {"a/1": b"first", "b": b"second" * 20}


def test_a_value_that_was_changed_from_outside_is_noticed(path: Path) -> None:
    alter(path, "UPDATE nv SET value=x'00' WHERE key='b'")
    with pytest.raises(
        StoreError, match=r"cannot be read \(a value was changed from outside, or the disk lost a bit\)"
    ):
        load(path)
    alter(path, f"UPDATE nv SET crc={check_value('b', bytes(1))} WHERE key='b'")
    assert load(path)["b"] == bytes(1)


def test_a_value_beyond_all_measure_is_not_read(path: Path) -> None:
    alter(path, "INSERT INTO nv VALUES ('big', zeroblob(20000000), 0)")
    with pytest.raises(StoreError, match="cannot be read"):
        load(path)


def test_pages_that_lead_back_into_themselves_end(tmp_path: Path) -> None:
    """The root page names one leaf again and again: more rows than were ever written, and none twice."""
    path = tmp_path / "test.card"
    make(path, {f"key/{number:04}": bytes(40) for number in range(200)})
    content, size = bytearray(path.read_bytes()), 2048
    root = next(page for page in range(1, len(content) // size) if content[page * size] == 2)
    cells = int.from_bytes(content[root * size + 3 : root * size + 5], "big")
    pointers = [int.from_bytes(content[root * size + 12 + 2 * cell :][:2], "big") for cell in range(cells)]
    first = content[root * size + pointers[0] :][:4]
    for pointer in pointers:
        content[root * size + pointer : root * size + pointer + 4] = first
    path.write_bytes(content)
    with pytest.raises(StoreError, match="its pages do not fit together"):
        load(path)


def test_rows_that_come_again_end() -> None:
    """What no look at the pages would find: the order of the rows is looked at, too."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE TABLE nv (key, value, crc)")
        rows = [(key, b"", check_value(key, b"")) for key in ("a", "b", "a")]
        database.executemany("INSERT INTO nv VALUES (?,?,?)", rows)
        with pytest.raises(DamagedFile, match="out of order"):
            list(read_rows(database, LAYOUT))


# --- files of older releases


def test_a_file_without_check_values_gets_them(tmp_path: Path) -> None:
    path = tmp_path / "old.card"
    shutil.copy(CARDS / "v1.card", path)
    assert schema(path) == (1, FIRST_LAYOUT)
    contents = load(path)
    assert schema(path) == (SCHEMA_VERSION, LAYOUT)
    assert load(path) == contents
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT key, value, crc FROM nv").fetchall()
    assert [crc for _, _, crc in rows] == [check_value(key, value) for key, value, _ in rows]


def schema(path: Path) -> tuple[int, str]:
    with closing(sqlite3.connect(path)) as database:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        ((sql,),) = database.execute("SELECT sql FROM sqlite_master").fetchall()
    return version, sql


def test_the_present_version_in_the_first_layout_is_brought_over(path: Path) -> None:
    alter(
        path,
        "ALTER TABLE nv RENAME TO old",
        FIRST_LAYOUT,
        "INSERT INTO nv SELECT key, value FROM old",
        "DROP TABLE old",
    )
    assert load(path) == {"a/1": b"first", "b": b"second" * 20}
    assert schema(path) == (SCHEMA_VERSION, LAYOUT)


def test_a_kill_between_leaves_the_old_or_the_new_layout(tmp_path: Path) -> None:
    """The rewriting is one transaction: a process that dies in the middle has changed nothing."""
    path = tmp_path / "old.card"
    shutil.copy(CARDS / "v1.card", path)
    program = (
        "import os, sys\nfrom card.store import layout, sqlite\n"
        "row = layout.row_of\n"
        "def dying(key, value):\n    os.kill(os.getpid(), 9) if key > 'm' else None\n    return row(key, value)\n"
        "layout.row_of = dying\nsqlite.SqliteStore(sys.argv[1]).load()\n"
    )
    assert subprocess.run([sys.executable, "-c", program, str(path)], check=False).returncode == -9
    assert schema(path) == (1, FIRST_LAYOUT)
    assert load(path)
