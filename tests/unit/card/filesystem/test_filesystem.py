"""Tree, contents, rules, life cycle and FCP in one place."""

from __future__ import annotations

import pytest

from card.codec.access_rule import ALWAYS, NEVER, AccessRule, Operation, needs
from card.codec.fcp import Fcp, PinStatus
from card.filesystem.filesystem import ACTIVATED, DEACTIVATED, FileSystem, store_nodes
from card.filesystem.node import FileNode
from card.spec.files.rows import Structure
from card.state.nonvolatile import NonVolatile
from card.store.memory import MemoryStore

RULES = [AccessRule(((Operation.READ, ALWAYS),)), AccessRule(((Operation.READ, needs(0x01)),))]
MF = FileNode("3F00", 0x3F00, Structure.MF)
ARR = FileNode("3F00/2F06", 0x2F06, Structure.LINEAR_FIXED, size=60, record_length=20, sfi=6)
EF = FileNode("3F00/2F50", 0x2F50, Structure.TRANSPARENT, size=5, arr_record=2)
ADF = FileNode("ADF.USIM", 0x7FFF, Structure.ADF, aid=b"\xa0\x01")


@pytest.fixture
def files() -> FileSystem:
    nv = NonVolatile(MemoryStore())
    store_nodes(nv, [MF, ARR, EF, ADF])
    files = FileSystem(nv)
    for number, rule in enumerate(RULES, 1):
        files.contents.update_record(ARR, number, rule.encode().ljust(20, b"\xff"))
    return files


def test_nodes_come_back_as_stored(files: FileSystem) -> None:
    assert list(files.tree) == [MF, ARR, EF, ADF]


def test_a_rule_is_read_from_the_file(files: FileSystem) -> None:
    assert files.rule(EF) == RULES[1]
    files.contents.update_record(ARR, 2, RULES[0].encode().ljust(20, b"\xff"))
    assert files.rule(EF) == RULES[0], "an update of EF_ARR takes effect at once"


@pytest.mark.parametrize("record", [b"\xff" * 20, b"\x80\x01\x01\xa4".ljust(20, b"\x30"), bytes(20)])
def test_an_unreadable_rule_denies_all(files: FileSystem, record: bytes) -> None:
    files.contents.update_record(ARR, 2, record)
    assert files.rule(EF).condition(Operation.READ) == NEVER


@pytest.mark.parametrize("number", [0, 4])
def test_a_reference_to_no_record_denies_all(files: FileSystem, number: int) -> None:
    node = FileNode("3F00/2F51", 0x2F51, Structure.TRANSPARENT, size=5, arr_record=number)
    assert files.rule(node).condition(Operation.READ) == NEVER


def test_no_arr_file_denies_all(files: FileSystem) -> None:
    assert files.rule(ADF).condition(Operation.READ) == NEVER


def test_life_cycle(files: FileSystem) -> None:
    assert files.life_cycle(EF) == ACTIVATED
    files.set_life_cycle(EF, DEACTIVATED)
    assert files.life_cycle(EF) == DEACTIVATED
    assert Fcp.decode(files.fcp(EF, ())).life_cycle == DEACTIVATED
    files.set_life_cycle(EF, ACTIVATED)
    assert Fcp.decode(files.fcp(EF, ())).life_cycle == ACTIVATED


def test_fcp_of_files(files: FileSystem) -> None:
    ef, arr = Fcp.decode(files.fcp(EF, ())), Fcp.decode(files.fcp(ARR, ()))
    assert (ef.file_id, ef.file_size, ef.arr, ef.sfi) == (0x2F50, 5, (0x2F06, 2), None)
    assert (arr.record_length, arr.record_count, arr.file_size, arr.sfi) == (20, 3, 60, 6)


def test_fcp_of_directories(files: FileSystem) -> None:
    pins = (PinStatus(0x01, True),)
    mf, adf = Fcp.decode(files.fcp(MF, pins)), Fcp.decode(files.fcp(ADF, pins))
    assert (mf.file_id, mf.is_directory, mf.pins) == (0x3F00, True, pins)
    assert (adf.file_id, adf.df_name, adf.arr) == (0x7FFF, b"\xa0\x01", (0x6F06, 1))


def test_the_fcp_follows_the_pins(files: FileSystem) -> None:
    on, off = (PinStatus(0x01, True),), (PinStatus(0x01, False),)
    assert [Fcp.decode(files.fcp(MF, pins)).pins for pins in (on, off, on)] == [on, off, on]
