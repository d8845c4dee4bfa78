"""The journal as a file: what is written is read again, what is not ours is refused, one process has it."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.errors import UnusableFile
from host_tools.exchange.messages.provisioning import PurchaseItem
from host_tools.files.holding import FileInUse, held
from host_tools.files.writing import UnwritableFile
from host_tools.terminal.client.journal import Item, Journal, KeptLtkm, Pending
from host_tools.terminal.client.journal_text import decode_state, encode_state
from host_tools.terminal.state_file import open_state
from tests.support.client import START

FULL = Journal(
    b_tid="b@bsf",
    tmpi="t@tmpi",
    is_registered=True,
    items={"urn:a": Item("urn:a", START), "urn:b": Item("urn:b")},
    pending={"r": Pending("r", "token purchase", b"<x/>", START)},
    ltkms=[
        KeptLtkm(b"one", "b", 1, START, is_bcast=True, taken=True, verification=b"v"),
        KeptLtkm(b"two", "b", 2, START, taken=True, owed=True),
        KeptLtkm(b"three", "b", 0xFFFF_FFFF, START),
    ],
    triggers={"t": START},
)


def test_there_and_back() -> None:
    text = encode_state("8988", {"bsm.example": FULL, "other.example": Journal()}).decode()
    assert decode_state(text, "x") == ("8988", {"bsm.example": FULL, "other.example": Journal()})


def test_the_longest_service_ids_and_the_earliest_end_are_read_again() -> None:
    """A GlobalPurchaseItemID and a PurchaseDataID have 1,024 characters each, and a BSM may answer any time."""
    service_id = PurchaseItem("urn:" + "g" * 1020, "urn:" + "d" * 1020).service_id
    journal = Journal(stock=(service_id,), items={service_id: Item(service_id, datetime.min.replace(tzinfo=UTC))})
    assert decode_state(encode_state("8988", {"bsm": journal}).decode(), "x") == ("8988", {"bsm": journal})


@pytest.mark.parametrize("text", ["no JSON", '{"format": 2}'])
def test_what_is_no_state_is_named_and_to_be_moved_away(text: str) -> None:
    with pytest.raises(UnusableFile, match=r"^8988\.json: is no state of a terminal: .*move the file away"):
        decode_state(text, "8988.json")


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
def test_anything_is_read_or_refused(text: str) -> None:
    with pytest.raises(UnusableFile):
        decode_state(text, "x")


@given(st.integers(0, 5000), st.sampled_from(["", "0", "null", '"', "[]", "{", "-1", "1e999"]))
def test_one_place_changed_is_read_or_refused(at: int, other: str) -> None:
    text = encode_state("8988", {"bsm.example": FULL}).decode()
    at %= len(text)
    changed = text[:at] + other + text[at + 1 :]
    try:
        _, journals = decode_state(changed, "x")
    except UnusableFile:
        return
    assert all(isinstance(one, Journal) for one in journals.values())


def test_a_state_file_keeps_one_journal_for_each_bsm(tmp_path: Path) -> None:
    path = tmp_path / "new" / "s.json"
    with open_state(path, "8988", "one.example") as state:
        state.journal.put_item(Item("urn:a"))
        state.save()
    assert path.stat().st_mode & 0o777 == 0o600
    with open_state(path, "8988", "two.example") as state:
        assert state.journal == Journal()
        state.save()
    with open_state(path, "8988", "one.example") as state:
        assert list(state.journal.items) == ["urn:a"]
    assert sorted(one.name for one in path.parent.iterdir()) == ["s.json"]


def test_the_state_of_another_card_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    with open_state(path, "8988", "one.example") as state:
        state.save()
    with pytest.raises(UnusableFile, match="of the card 8988"), open_state(path, "8989", "one.example"):
        pass


def test_a_second_process_is_told_who_has_it(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    code = "import sys; from pathlib import Path; from host_tools.files.holding import held\n"
    code += "with held(Path(sys.argv[1])):\n    print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(FileInUse, match=f"in use by process {holder.pid}"), held(path):
            pass
        holder.kill()  # its lock goes with it
        holder.wait()
    with held(path), pytest.raises(FileInUse, match=str(os.getpid())), held(path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_is_none_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "s.json.lock").write_text("my diary")
    with pytest.raises(UnwritableFile, match="is no lock"), held(tmp_path / "s.json"):
        pass
    (tmp_path / "t.json.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnwritableFile, match="symbolic link"), held(tmp_path / "t.json"):
        pass
    assert (tmp_path / "s.json.lock").read_text() == "my diary"


def test_what_is_over_goes_and_what_is_owed_stays() -> None:
    journal = Journal(items={"urn:a": Item("urn:a", START)}, ltkms=list(FULL.ltkms))
    assert journal.purge(START + timedelta(hours=24)) == ("urn:a",)
    assert [one.octets for one in journal.ltkms] == [b"two", b"three"]
