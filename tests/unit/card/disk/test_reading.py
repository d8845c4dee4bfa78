"""The one way in: plain files of a size that fits their kind, and words that name file and place."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from card.disk import kinds, reading
from card.disk.kinds import CAPTURE, FileKind
from card.disk.reading import decode_text, open_plain, read_bytes, read_text, require_plain
from card.errors import UnusableFile
from tests.meta.tree import ROOT

SMALL = FileKind("a small file", 10)


def test_a_plain_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"0123456789")
    (tmp_path / "link").symlink_to("x")
    assert read_bytes(tmp_path / "x", SMALL) == b"0123456789"
    assert read_text(tmp_path / "link", SMALL) == "0123456789", "a person may name a file by a link to it"


def test_a_file_that_would_have_to_be_waited_for_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some files of the system look plain and block, as /proc/kmsg does: here a pipe that passes for a plain file."""
    os.mkfifo(tmp_path / "x")
    monkeypatch.setattr(reading, "_require_plain", lambda *_: None)
    writer = os.open(tmp_path / "x", os.O_RDWR)
    try:
        assert read_bytes(tmp_path / "x", SMALL) == b""
        os.write(writer, b"01234")
        assert read_bytes(tmp_path / "x", SMALL) == b"01234"
        with open_plain(tmp_path / "x", SMALL) as file:
            assert file.read() == b""
    finally:
        os.close(writer)


def test_a_byte_order_mark_is_no_part_of_a_text(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xef\xbb\xbfname")
    assert read_text(tmp_path / "x", SMALL) == "name"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (str, "cannot be read: No such file or directory"),
        (Path.mkdir, "cannot be read: Is a directory"),
        (lambda path: path.symlink_to("/dev/zero"), "not a plain file"),
        (os.mkfifo, "not a plain file"),
        (lambda path: path.write_bytes(bytes(11)), "larger than 10 bytes, the most a small file may have"),
        (lambda path: path.symlink_to("/proc/self/environ"), "larger than 10 bytes, the most a small file may have"),
    ],
)
@pytest.mark.parametrize("read", [read_bytes, read_text])
def test_what_is_no_such_file(
    tmp_path: Path, make: Callable[[Path], object], reason: str, read: Callable[[Path, FileKind], object]
) -> None:
    path = tmp_path / "x"
    make(path)
    with pytest.raises(UnusableFile) as caught:
        read(path, SMALL)
    assert str(caught.value) == f"{path}: {reason}"


def test_what_a_library_opens_by_name_is_looked_at_before(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x")
    with pytest.raises(UnusableFile, match="not a plain file"):
        require_plain(tmp_path / "x", SMALL)


@pytest.mark.parametrize(
    ("data", "line", "column"),
    [(b"\xff", 1, 1), (b"one\ntwo \xe9", 2, 5), ("ö\nöö".encode() + b"\xed\xa0\x80", 2, 3), (b"ok\n\xc3", 2, 1)],
)
def test_text_that_is_not_utf_8_is_told_by_its_place(data: bytes, line: int, column: int) -> None:
    with pytest.raises(UnusableFile) as caught:
        decode_text(data, "x.toml")
    assert str(caught.value) == f"x.toml:{line}: not UTF-8 text, at column {column}"
    assert caught.value.__context__ is None, "the error of the codec holds the bytes"


def test_only_what_may_be_live_is_read_from_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = tmp_path / "live"
    os.mkfifo(pipe)
    monkeypatch.setattr(reading, "PATIENCE", 0.01)
    with pytest.raises(UnusableFile, match="a pipe into which nobody writes"):
        open_plain(pipe, CAPTURE)
    monkeypatch.setattr(reading, "PATIENCE", 60.0)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"captured",))
    writer.start()
    with open_plain(pipe, CAPTURE) as file:
        assert file.read() == b"captured"
    writer.join()


def test_a_kind_without_a_limit_is_not_read_whole(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    with pytest.raises(ValueError, match="a capture is not read whole"):
        read_bytes(tmp_path / "x", CAPTURE)


def test_the_page_tells_how_large_each_kind_may_be() -> None:
    section = (ROOT / "docs/user/cli.md").read_text().partition("## Files")[2].partition("\n## ")[0]
    told = dict(re.findall(r"^\| (an? .+?) \| ([\d,]+) \|$", section, re.MULTILINE))
    limits = {kind.words: f"{kind.most:,}" for kind in vars(kinds).values() if isinstance(kind, FileKind) and kind.most}
    assert told == {words: most for words, most in limits.items() if words != "a log"}, "our own logs are no input"
