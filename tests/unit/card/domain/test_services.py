"""The service table answers from the file as it stands."""

from __future__ import annotations

import pytest

from card.domain.errors import ServiceNotAvailable
from card.domain.services import ServiceTable
from card.filesystem.filesystem import FileSystem, store_nodes
from card.filesystem.node import FileNode
from card.spec.files.rows import Structure
from card.state.nonvolatile import NonVolatile
from card.store.memory import MemoryStore

UST = FileNode("ADF.USIM/6F38", 0x6F38, Structure.TRANSPARENT, size=3)


@pytest.fixture
def files() -> FileSystem:
    nv = NonVolatile(MemoryStore())
    store_nodes(nv, [UST])
    files = FileSystem(nv)
    files.contents.replace(UST, bytes.fromhex("018000"))
    return files


def test_bits_count_from_one(files: FileSystem) -> None:
    table = ServiceTable(files, UST)
    assert [number for number in range(1, 30) if table.offers(number)] == [1, 16]
    assert not table.offers(25), "beyond the end of the file"


def test_an_update_takes_effect_at_once(files: FileSystem) -> None:
    table = ServiceTable(files, UST)
    files.contents.replace(UST, bytes.fromhex("020000"))
    table.require(2)
    with pytest.raises(ServiceNotAvailable):
        table.require(2, 1)


def test_no_table_offers_nothing(files: FileSystem) -> None:
    assert not ServiceTable(files, None).offers(1)
