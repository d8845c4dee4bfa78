"""The one way out: whole or not at all, never through a link, and a full disk has a name."""

from __future__ import annotations

import io
import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from host_tools.files.temporary import remove_leftovers, temporary_folder
from host_tools.files.writing import (
    UnwritableFile,
    open_growing,
    open_in_place,
    whole_file,
    whole_text,
    write_whole,
)

ROOM = 10_000


@contextmanager
def full_disk(room: int = ROOM) -> Iterator[None]:
    """Let no file of this process grow beyond `room` bytes, as on a disk that is full then."""
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_much(path: Path) -> None:
    write_whole(path, bytes(2 * ROOM))


def write_new(path: Path) -> None:
    write_whole(path, b"new")


def write_private(path: Path) -> None:
    write_whole(path, b"new", private=True)


def write_much_in_pieces(path: Path) -> None:
    with whole_file(path) as file:
        for _ in range(20):
            file.write(bytes(ROOM // 10))


def write_much_text(path: Path) -> None:
    with whole_text(path) as file:
        file.writelines("x" * 100 for _ in range(ROOM))


@pytest.mark.parametrize("write", [write_much, write_much_in_pieces, write_much_text])
@pytest.mark.parametrize("before", [None, b"as it was"])
def test_a_full_disk_names_the_file_and_leaves_it_as_it_was(
    tmp_path: Path, write: Callable[[Path], None], before: bytes | None
) -> None:
    path = tmp_path / "x"
    if before is not None:
        path.write_bytes(before)
    with full_disk(), pytest.raises(UnwritableFile, match=f"^{path}: cannot be written: File too large$"):
        write(path)
    assert names(tmp_path) == ([] if before is None else ["x"])
    assert before is None or path.read_bytes() == before


def test_a_file_has_its_name_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"before")
    with whole_file(path) as file:
        file.write(b"half")
        file.close()
        file.write(b" and whole")
        assert path.read_bytes() == b"before"
    assert path.read_bytes() == b"half and whole"
    assert names(tmp_path) == ["x"]


def interrupted(path: Path) -> None:
    with whole_file(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path / "x")
    assert names(tmp_path) == []


def fail_on_another_file(path: Path) -> None:
    with whole_file(path):
        (path.parent / "no" / "where").read_bytes()


def test_what_fails_on_another_file_keeps_its_own_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        fail_on_another_file(tmp_path / "x")
    assert caught.value.filename.endswith("where")
    assert names(tmp_path) == []


@pytest.mark.parametrize("write", [write_new, write_private, open_growing, open_in_place])
@pytest.mark.parametrize("behind", ["victim", "new"])
def test_nothing_is_written_through_a_link(tmp_path: Path, write: Callable[[Path], object], behind: str) -> None:
    (tmp_path / "victim").write_bytes(b"mine")
    (tmp_path / "x").symlink_to(tmp_path / behind)
    with pytest.raises(UnwritableFile, match="is a symbolic link, and nothing is written through one"):
        write(tmp_path / "x")
    assert (tmp_path / "victim").read_bytes() == b"mine"
    assert names(tmp_path) == ["victim", "x"]


@pytest.mark.parametrize(("private", "mode"), [(False, 0o644), (True, 0o600)])
def test_a_new_file_has_a_mode_of_its_own(tmp_path: Path, private: bool, mode: int) -> None:
    before = os.umask(0o022)
    try:
        write_whole(tmp_path / "x", b"", private=private)
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == mode


@pytest.mark.parametrize(("private", "mode"), [(False, 0o640), (True, 0o600)])
def test_a_file_that_is_replaced_keeps_its_mode_unless_it_is_private(tmp_path: Path, private: bool, mode: int) -> None:
    (tmp_path / "x").touch()
    (tmp_path / "x").chmod(0o640)
    write_whole(tmp_path / "x", b"", private=private)
    assert (tmp_path / "x").stat().st_mode & 0o777 == mode


def test_devices_and_pipes_keep_their_names(tmp_path: Path) -> None:
    write_whole(Path("/dev/null"), b"nothing")
    assert Path("/dev/null").is_char_device()
    with pytest.raises(UnwritableFile, match=r"^/dev/full: cannot be written: No space left on device$"):
        write_whole(Path("/dev/full"), b"much")
    os.mkfifo(tmp_path / "x")
    with pytest.raises(UnwritableFile, match="x: cannot be written"):
        write_whole(tmp_path / "x", b"nobody reads")


def test_a_growing_file_holds_each_write_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "x"
    text = io.TextIOWrapper(open_growing(path), encoding="utf-8", newline="", write_through=True)
    text.write("one line\n")
    assert path.read_text() == "one line\n"
    with full_disk(), pytest.raises(OSError, match="File too large") as caught:
        text.write("x" * ROOM)
    assert caught.value.filename == str(path)
    assert path.read_text() == "one line\n"
    text.write("another\n")
    text.close()
    assert path.read_text() == "one line\nanother\n"


def test_a_growing_file_that_holds_nothing_goes_away(tmp_path: Path) -> None:
    file = open_growing(tmp_path / "x")
    with full_disk(), pytest.raises(OSError, match="File too large"):
        file.write(bytes(2 * ROOM))
    file.close()
    assert names(tmp_path) == []


def test_a_new_growing_file_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"mine")
    with pytest.raises(UnwritableFile, match="is there already"):
        open_growing(tmp_path / "x", new=True)
    assert (tmp_path / "x").read_bytes() == b"mine"


def test_what_the_dead_left_is_removed_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    process = os.fork()
    if not process:
        os._exit(0)
    os.waitpid(process, 0)
    (tmp_path / f"bcast-uicc-demo-{process}-abc").mkdir()
    (tmp_path / f"bcast-uicc-demo-{process}-abc" / "demo.card").touch()
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    kept = ["precious", f"bcast-uicc-demo-{os.getpid()}-abc", f"other-demo-{process}-abc", "bcast-uicc-demo-x-abc"]
    for name in kept[1:]:
        (tmp_path / name).mkdir()
    kept.append(f"bcast-uicc-tls-{process}-link")
    (tmp_path / kept[-1]).symlink_to(tmp_path / "precious")
    with temporary_folder("demo") as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert names(tmp_path) == sorted([*kept, folder.name])
        remove_leftovers()
        assert folder.is_dir()
    assert names(tmp_path) == sorted(kept)
    assert names(tmp_path / "precious") == ["file"]
