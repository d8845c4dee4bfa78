"""How files are found (TS 102 221 clause 8.4)."""

from __future__ import annotations

import pytest

from card.filesystem.errors import FileNotFound
from card.filesystem.node import FileNode
from card.filesystem.tree import FileTree
from card.spec.files.rows import Structure


def node(path: str, structure: Structure = Structure.TRANSPARENT, sfi: int = 0, aid: bytes = b"") -> FileNode:
    fid = 0x7FFF if structure is Structure.ADF else int(path.rpartition("/")[2], 16)
    return FileNode(path, fid, structure, sfi=sfi, aid=aid)


TREE = FileTree(
    [
        node("3F00", Structure.MF),
        node("3F00/2F05", sfi=5),
        node("3F00/7F10", Structure.DF),
        node("3F00/7F10/6F3C"),
        node("3F00/7F10/5F3A", Structure.DF),
        node("3F00/7F10/5F3A/4F30", sfi=5),
        node("3F00/7F20", Structure.DF),
        node("ADF.USIM", Structure.ADF, aid=bytes.fromhex("A0000000871002FF01")),
        node("ADF.USIM/6F07", sfi=7),
        node("ADF.USIM/5F3B", Structure.DF),
        node("ADF.USIM/5F3B/4F20"),
        node("ADF.ISIM", Structure.ADF, aid=bytes.fromhex("A0000000871004FF01")),
        node("ADF.ISIM/6F02"),
    ]
)


@pytest.mark.parametrize(
    ("fid", "directory", "application", "found"),
    [
        (0x3F00, "ADF.USIM/5F3B", "USIM", "3F00"),  # the MF, from anywhere
        (0x2F05, "3F00", "", "3F00/2F05"),  # a child
        (0x7F10, "3F00", "", "3F00/7F10"),
        (0x7F10, "3F00/7F10", "", "3F00/7F10"),  # the current DF
        (0x7F10, "3F00/7F10/5F3A", "", "3F00/7F10"),  # its parent
        (0x7F20, "3F00/7F10", "", "3F00/7F20"),  # a DF beside it
        (0x6F07, "ADF.USIM", "USIM", "ADF.USIM/6F07"),
        (0x7FFF, "3F00", "USIM", "ADF.USIM"),  # the ADF of the current application
        (0x7FFF, "3F00/7F10/5F3A", "ISIM", "ADF.ISIM"),
        (0x7F10, "ADF.USIM", "USIM", "3F00/7F10"),
    ],
)
def test_by_identifier(fid: int, directory: str, application: str, found: str) -> None:
    assert TREE.select_by_fid(fid, directory, application).path == found
    assert TREE.select_by_fid(fid, directory, application).path == found, "the second time, from what was kept"


@pytest.mark.parametrize(
    ("fid", "directory", "application"),
    [
        (0x2F05, "3F00/7F10", ""),  # an EF beside the current DF
        (0x6F3C, "3F00", ""),  # an EF below a child
        (0x4F30, "3F00/7F10", ""),
        (0x5F3A, "3F00", ""),  # a grandchild
        (0x6F07, "ADF.ISIM", "ISIM"),  # another application's file
        (0x7FFF, "3F00", ""),  # no current application
        (0x7FFF, "3F00", "CSIM"),  # an application that is not there
        (0x0000, "3F00", ""),
    ],
)
def test_not_reachable_by_identifier(fid: int, directory: str, application: str) -> None:
    with pytest.raises(FileNotFound):
        TREE.select_by_fid(fid, directory, application)


@pytest.mark.parametrize(
    ("fids", "start", "found"),
    [
        ((0x7F10, 0x5F3A, 0x4F30), "3F00", "3F00/7F10/5F3A/4F30"),
        ((0x5F3A,), "3F00/7F10", "3F00/7F10/5F3A"),
        ((0x7FFF,), "3F00", "ADF.USIM"),
        ((0x7FFF, 0x5F3B, 0x4F20), "3F00", "ADF.USIM/5F3B/4F20"),
    ],
)
def test_by_path(fids: tuple[int, ...], start: str, found: str) -> None:
    assert TREE.select_by_path(fids, start, "USIM").path == found


@pytest.mark.parametrize(
    "fids",
    [(0x3F00, 0x2F05), (0x2F05, 0x2F05), (0x5F3A,), (0x7F10, 0x7FFF), (0x7F10, 0x3F00), (0x2F99,)],
)
def test_no_such_path(fids: tuple[int, ...]) -> None:
    with pytest.raises(FileNotFound):
        TREE.select_by_path(fids, "3F00", "USIM")


def test_by_path_to_an_application_that_is_not_current() -> None:
    with pytest.raises(FileNotFound):
        TREE.select_by_path((0x7FFF,), "3F00", "")


def test_by_sfi() -> None:
    assert TREE.by_sfi("3F00", 5).path == "3F00/2F05"
    assert TREE.by_sfi("3F00/7F10/5F3A", 5).path == "3F00/7F10/5F3A/4F30"
    for directory, sfi in (("3F00", 7), ("3F00/7F10", 5), ("3F00", 0)):
        with pytest.raises(FileNotFound):
            TREE.by_sfi(directory, sfi)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("A0000000871002FF01", ["ADF.USIM"]),
        ("A0000000871004", ["ADF.ISIM"]),
        ("A00000008710", ["ADF.USIM", "ADF.ISIM"]),
        ("A0000000871002FF0100", []),
        ("A1", []),
    ],
)
def test_by_aid(name: str, found: list[str]) -> None:
    assert [adf.path for adf in TREE.by_aid(bytes.fromhex(name))] == found
