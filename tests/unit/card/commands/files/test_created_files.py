"""A file that a command creates stands in the file tree with the transaction, and goes with it.

The card has no command yet that creates files; a command of the test's own does it here.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from card.codec.apdu import ClassFamily, CommandApdu
from card.commands import table
from card.commands.context import Context
from card.commands.registry import CommandRow
from card.commands.reply import DONE, Refused, Reply
from card.filesystem.filesystem import NODE_TABLE
from card.filesystem.node import MF_PATH, FileNode
from card.personalisation.personalise import personalise
from card.spec.ins import INS
from card.spec.refs import Ref
from card.spec.status import SW
from card.state.stored import StoredTable
from card.store.memory import MemoryStore
from tests.support.faulty_store import FaultyStore, PowerCut
from tests.support.profiles import card_profile
from tests.support.testcard import SELECT_USIM, TestCard

PATH = f"{MF_PATH}/4F01"
SELECT_NEW = "00A4000C024F01"
CREATE, CREATE_AND_REFUSE, CREATE_A_KEY_FILE, DELETE = (f"80E0{p1:02X}00" for p1 in range(4))
KEY_FILE = "ADF.USIM/6FD6"


def create(ctx: Context, apdu: CommandApdu) -> Reply:
    """Create or delete a file, look at the tree, and refuse where P1 says so."""
    nodes = StoredTable(ctx.nv, NODE_TABLE, FileNode)
    tree = ctx.files.tree
    if apdu.p1 == 3:
        nodes.delete("9999")
        assert ctx.files.tree.get(PATH) is None
        return DONE
    if apdu.p1 == 2:
        assert ctx.files.tree.get(KEY_FILE) is not None
        name = next(name for name, node in nodes.items() if node.path == KEY_FILE)
        nodes.put(name, replace(ctx.files.tree[KEY_FILE], size=200))
        assert ctx.applications["USIM"].mbms is not None
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)
    nodes.put("9999", replace(tree[f"{MF_PATH}/2FE2"], path=PATH, fid=0x4F01, sfi=0))
    assert tree.get(PATH) is None, "a tree does not change under whoever holds it"
    node = ctx.files.tree[PATH]
    ctx.files.contents.replace(node, bytes(node.size))
    if apdu.p1 == 1:
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)
    return DONE


@pytest.fixture(autouse=True)
def _command(monkeypatch: pytest.MonkeyPatch) -> None:
    row = CommandRow("TEST FILE", INS.SELECT, (ClassFamily.ETSI,), lambda apdu: apdu, create, Ref("test", "1"))
    monkeypatch.setitem(table._BY_CODE, 0x80E0, row)


@pytest.fixture
def card() -> TestCard:
    return TestCard.new()


def paths(card: TestCard) -> set[str]:
    return {node.path for node in card.card._context.files.tree}


def test_a_file_that_was_created_is_there_at_once(card: TestCard) -> None:
    card.refused("6A82", SELECT_NEW)
    card.ok(CREATE)
    card.ok(SELECT_NEW)
    assert card.ok("00B0000000") == bytes(10)
    again = card.reopened()
    assert paths(again) == paths(card)
    again.ok(DELETE)
    again.refused("6A82", SELECT_NEW)


def test_a_refused_command_leaves_no_file(card: TestCard) -> None:
    before = paths(card)
    card.refused("6985", CREATE_AND_REFUSE)
    assert paths(card) == before
    card.refused("6A82", SELECT_NEW)
    card.ok(CREATE)
    assert paths(card) == before | {PATH}


def test_the_files_of_an_application_go_back_too(card: TestCard) -> None:
    card.ok(SELECT_USIM)
    size = card.card._context.files.tree[KEY_FILE].size
    card.refused("6985", CREATE_A_KEY_FILE)
    assert card.card._context.files.tree[KEY_FILE].size == size
    files = card.card._context.files
    assert card.card._context.applications["USIM"].mbms._muk_file._files is files, "one file system for all of them"


@pytest.mark.parametrize("before", [True, False])
def test_a_power_cut_leaves_all_of_the_file_or_nothing(before: bool) -> None:
    store = MemoryStore()
    personalise(card_profile(), store)
    card = TestCard(FaultyStore(store, 1, before=before))
    known = paths(card)
    with pytest.raises(PowerCut):
        card.send(CREATE)
    assert PATH not in paths(card), "the transaction is over for the card in whose hands the power went"
    again = TestCard(store)
    assert paths(again) == (known if before else known | {PATH})


def test_the_iccid_of_the_secure_channels_is_the_one_in_the_file(card: TestCard) -> None:
    """EF_ICCID can be updated; what was read from it once must not outlive that."""
    context = card.card._context
    old = context.secure_channels.endpoints()
    new = bytes(range(10))
    node = context.files.tree[f"{MF_PATH}/2FE2"]
    context.files.contents.replace(node, new)
    assert context.secure_channels.endpoints().uicc_id == new
    context.nv.rollback()
    assert context.secure_channels.endpoints() == old
