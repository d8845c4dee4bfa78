"""What follows from a file's path."""

from __future__ import annotations

import pytest

from card.filesystem.node import FileNode
from card.spec.files.rows import Structure

MF = FileNode("3F00", 0x3F00, Structure.MF)
ADF = FileNode("ADF.USIM", 0x7FFF, Structure.ADF, aid=b"aid")
DF = FileNode("ADF.USIM/5F3A", 0x5F3A, Structure.DF)
EF = FileNode("ADF.USIM/5F3A/4F30", 0x4F30, Structure.LINEAR_FIXED, size=60, record_length=20)
EF_DIR = FileNode("3F00/2F00", 0x2F00, Structure.LINEAR_FIXED, size=50, record_length=50)


@pytest.mark.parametrize(
    ("node", "parent", "application", "arr"),
    [
        (MF, "", "", "3F00/2F06"),
        (ADF, "3F00", "USIM", "ADF.USIM/6F06"),
        (DF, "ADF.USIM", "USIM", "ADF.USIM/6F06"),
        (EF, "ADF.USIM/5F3A", "USIM", "ADF.USIM/6F06"),
        (EF_DIR, "3F00", "", "3F00/2F06"),
    ],
    ids=["MF", "ADF", "DF", "EF under the DF", "EF under the MF"],
)
def test_place(node: FileNode, parent: str, application: str, arr: str) -> None:
    assert (node.parent_path, node.application, node.arr_path) == (parent, application, arr)


def test_record_count() -> None:
    assert (EF.record_count, EF_DIR.record_count, MF.record_count) == (3, 1, 0)
