"""File contents: transparent, linear fixed and cyclic."""

from __future__ import annotations

import pytest

from card.filesystem.contents import FileContents
from card.filesystem.errors import LengthMismatch, OutsideFile, RecordNotFound, WrongStructure
from card.filesystem.node import FileNode
from card.spec.files.rows import Structure
from card.state.nonvolatile import NonVolatile
from card.store.memory import MemoryStore

TRANSPARENT = FileNode("3F00/2F01", 0x2F01, Structure.TRANSPARENT, size=8)
LINEAR = FileNode("3F00/2F02", 0x2F02, Structure.LINEAR_FIXED, size=6, record_length=2)
CYCLIC = FileNode("3F00/2F03", 0x2F03, Structure.CYCLIC, size=6, record_length=2)
MF = FileNode("3F00", 0x3F00, Structure.MF)


@pytest.fixture
def contents() -> FileContents:
    return FileContents(NonVolatile(MemoryStore()))


def test_an_unwritten_file_is_all_ff(contents: FileContents) -> None:
    assert contents.whole(TRANSPARENT) == b"\xff" * 8
    assert contents.records(LINEAR) == [b"\xff\xff"] * 3


def test_short_content_is_padded_and_long_content_refused(contents: FileContents) -> None:
    contents.replace(TRANSPARENT, b"abc")
    assert contents.whole(TRANSPARENT) == b"abc" + b"\xff" * 5
    with pytest.raises(LengthMismatch):
        contents.replace(TRANSPARENT, bytes(9))


@pytest.mark.parametrize(("offset", "length", "found"), [(0, 8, "abcdefgh"), (3, 2, "de"), (6, 100, "gh"), (7, 1, "h")])
def test_read_binary(contents: FileContents, offset: int, length: int, found: str) -> None:
    contents.replace(TRANSPARENT, b"abcdefgh")
    assert contents.read_binary(TRANSPARENT, offset, length) == found.encode()


def test_update_binary(contents: FileContents) -> None:
    contents.replace(TRANSPARENT, b"abcdefgh")
    contents.update_binary(TRANSPARENT, 2, b"XY")
    contents.update_binary(TRANSPARENT, 7, b"Z")
    assert contents.whole(TRANSPARENT) == b"abXYefgZ"


def test_outside_a_transparent_file(contents: FileContents) -> None:
    with pytest.raises(OutsideFile):
        contents.read_binary(TRANSPARENT, 8, 1)
    with pytest.raises(OutsideFile):
        contents.update_binary(TRANSPARENT, 8, b"x")
    with pytest.raises(LengthMismatch):
        contents.update_binary(TRANSPARENT, 7, b"xx")
    assert contents.whole(TRANSPARENT) == b"\xff" * 8


def test_records(contents: FileContents) -> None:
    contents.replace(LINEAR, b"aabbcc")
    contents.update_record(LINEAR, 2, b"XX")
    assert contents.records(LINEAR) == [b"aa", b"XX", b"cc"]
    assert contents.read_record(LINEAR, 3) == b"cc"


@pytest.mark.parametrize("number", [-1, 0, 4, 255])
def test_no_such_record(contents: FileContents, number: int) -> None:
    with pytest.raises(RecordNotFound):
        contents.read_record(LINEAR, number)
    with pytest.raises(RecordNotFound):
        contents.update_record(LINEAR, number, b"xx")


@pytest.mark.parametrize("data", [b"", b"x", b"xxx"])
def test_a_record_is_written_whole(contents: FileContents, data: bytes) -> None:
    with pytest.raises(LengthMismatch):
        contents.update_record(LINEAR, 1, data)
    with pytest.raises(LengthMismatch):
        contents.append_cyclic(CYCLIC, data)


def test_a_new_first_record_drops_the_oldest(contents: FileContents) -> None:
    contents.replace(CYCLIC, b"332211")
    contents.append_cyclic(CYCLIC, b"44")
    assert contents.records(CYCLIC) == [b"44", b"33", b"22"]


@pytest.mark.parametrize("node", [LINEAR, CYCLIC, MF], ids=lambda node: node.structure.value)
def test_binary_access_to_records(contents: FileContents, node: FileNode) -> None:
    with pytest.raises(WrongStructure):
        contents.read_binary(node, 0, 1)
    with pytest.raises(WrongStructure):
        contents.update_binary(node, 0, b"x")


@pytest.mark.parametrize("node", [TRANSPARENT, MF], ids=lambda node: node.structure.value)
def test_record_access_to_a_file_without(contents: FileContents, node: FileNode) -> None:
    with pytest.raises(WrongStructure):
        contents.read_record(node, 1)
    with pytest.raises(WrongStructure):
        contents.update_record(node, 1, b"xx")
    with pytest.raises(WrongStructure):
        contents.append_cyclic(node, b"xx")


def test_a_linear_file_does_not_append(contents: FileContents) -> None:
    with pytest.raises(WrongStructure):
        contents.append_cyclic(LINEAR, b"xx")
