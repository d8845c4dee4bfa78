"""A file that the card keeps itself."""

from __future__ import annotations

import pytest

from card.domain.errors import IdentifierTooLong
from card.domain.record_files import RecordFile
from card.filesystem.errors import ComposedFile
from card.filesystem.filesystem import FileSystem, store_nodes
from card.filesystem.node import FileNode
from card.spec.files.rows import Structure
from card.state.nonvolatile import NonVolatile
from card.store.memory import MemoryStore

NODE = FileNode("ADF.USIM/6FD8", 0x6FD8, Structure.LINEAR_FIXED, size=8, record_length=4)


@pytest.fixture
def files() -> FileSystem:
    nv = NonVolatile(MemoryStore())
    store_nodes(nv, [NODE])
    return FileSystem(nv)


def test_entries_are_padded(files: FileSystem) -> None:
    file = RecordFile(files, NODE)
    file.write(2, b"ab")
    assert files.contents.records(NODE) == [b"\xff" * 4, b"ab\xff\xff"]
    file.clear(2)
    assert files.contents.records(NODE)[1] == b"\xff" * 4
    assert file.count == 2


def test_an_entry_that_does_not_fit(files: FileSystem) -> None:
    with pytest.raises(IdentifierTooLong):
        RecordFile(files, NODE).write(1, b"12345")


def test_composed_entries_follow_what_they_show(files: FileSystem) -> None:
    entries = {1: b"ab", 2: b"12345"}
    RecordFile(files, NODE).show(entries.__getitem__)
    assert files.contents.records(NODE) == [b"ab\xff\xff", b"1234"]
    entries[1] = b"cd"
    with pytest.raises(ComposedFile):
        files.contents.update_record(NODE, 1, b"none")
    assert files.contents.read_record(NODE, 1) == b"cd\xff\xff"


def test_without_the_file(files: FileSystem) -> None:
    file = RecordFile(files, None)
    assert file.count == 0
    with pytest.raises(IdentifierTooLong):
        file.write(1, b"")
    file.show(bytes)
