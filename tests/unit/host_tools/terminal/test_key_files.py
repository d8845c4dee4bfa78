"""Key files of the card as a terminal reads them, against the bytes that the texts give (TS 31.102 clause 4.2)."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.codec.mikey import MbmsKeyIds, is_newer
from host_tools.content.stkm_name import tek_name
from host_tools.terminal.card_stkm import CardStkmView
from host_tools.terminal.key_files import (
    Bootstrapping,
    MskEntry,
    MukEntry,
    NafEntry,
    decode_gbabp,
    decode_msks,
    decode_muk,
    decode_naf,
)
from host_tools.terminal.mtk_gate import MtkGate, Stale
from host_tools.terminal.session_keys import SessionKeys
from tests.vectors.loader import load_text

B_TID = b"I1U8vpY3qJ0hiuZNrke/NQ==@bsf.mnc001.mcc001.pub.3gppnetwork.org".hex()
FQDN = b"bmsc.mnc001.mcc001.pub.3gppnetwork.org".hex()
DOMAIN = bytes.fromhex("00f110")


def padded(text: str, size: int) -> bytes:
    return bytes.fromhex(text).ljust(size, b"\xff")


@pytest.mark.norm("68")
@pytest.mark.parametrize(
    ("record", "found"),
    [
        ("00f110010001000100000001ffffffffffffffff", [MskEntry(DOMAIN, b"\0\1\0\1", 1)]),
        (
            "00f110020001000200000000000100010000000a",
            [MskEntry(DOMAIN, b"\0\1\0\2", 0), MskEntry(DOMAIN, b"\0\1\0\1", 10)],
        ),
        ("ff" * 20, []),  # a free record, its count FF, too
        ("00f11003" + "0001000100000001" * 2, []),
        ("00f11002" + "0001000100000001", [MskEntry(DOMAIN, b"\0\1\0\1", 1)]),  # cut off
        ("", []),
    ],
)
def test_ef_msk(record: str, found: list[MskEntry]) -> None:
    assert list(decode_msks(bytes.fromhex(record))) == found


@pytest.mark.norm("66")
def test_ef_muk() -> None:
    record = padded(f"a068803e{B_TID}8226{FQDN}810400000001", 200)
    assert decode_muk(record) == MukEntry(bytes.fromhex(FQDN), bytes.fromhex(B_TID), 1)
    assert decode_muk(b"\xff" * 200) is None
    assert decode_muk(record[:50]) is None


def test_ef_gbanl() -> None:
    record = padded(f"802b{FQDN}0100000001813e{B_TID}", 200)
    assert decode_naf(record) == NafEntry(bytes.fromhex(FQDN + "0100000001"), bytes.fromhex(B_TID))
    assert decode_naf(b"\xff" * 200) is None


@pytest.mark.norm("69")
class TestEfGbabp:
    RAND = "23553cbe9637a89d218ae64dae47bf35"

    def test_complete(self) -> None:
        lifetime = b"2031-01-01T00:00:00Z".hex()
        found = decode_gbabp(padded(f"10{self.RAND}3e{B_TID}14{lifetime}", 128))
        assert found is not None
        assert (found.rand.hex(), found.b_tid.encode().hex()) == (self.RAND, B_TID)
        assert found.expires == datetime(2031, 1, 1, tzinfo=UTC)
        assert not found.has_ended(datetime(2030, 12, 31, 23, 59, 59, tzinfo=UTC))
        assert found.has_ended(datetime(2031, 1, 1, tzinfo=UTC))

    @pytest.mark.parametrize("content", ["ff" * 128, "", "00", "0f" + "00" * 15])
    def test_no_ks(self, content: str) -> None:
        assert decode_gbabp(bytes.fromhex(content)) is None

    @pytest.mark.parametrize("tail", ["0000", "", "ff" * 20])
    def test_before_the_terminal_wrote_its_part(self, tail: str) -> None:
        assert decode_gbabp(bytes.fromhex(f"10{self.RAND}{tail}")) == Bootstrapping(bytes.fromhex(self.RAND), "", "")

    def test_a_lifetime_that_is_none_does_not_end(self) -> None:
        assert not Bootstrapping(bytes(16), "b", "for ever").has_ended(datetime.max.replace(tzinfo=UTC))


@given(st.binary(max_size=60))
def test_any_record(record: bytes) -> None:
    for decode in (decode_gbabp, decode_muk, decode_naf):
        decode(record)
    assert len(list(decode_msks(record))) <= 2


@pytest.mark.norm("17", "66")
def test_newer_by_rfc_1982() -> None:
    for old, new, newer in load_text("serial_numbers")["cases"]:
        assert is_newer(new, old) is newer


def ids(number: int, msk: int = 1, group: int = 1) -> MbmsKeyIds:
    return MbmsKeyIds(DOMAIN, bytes((0, group, 0, msk)), number.to_bytes(2, "big"))


class File:
    """EF_MSK with one key."""

    def __init__(self, counter: int) -> None:
        self.counter = counter
        self.reads = 0

    def read_msks(self) -> tuple[MskEntry, ...]:
        self.reads += 1
        return (MskEntry(DOMAIN, b"\0\1\0\1", self.counter),)


@pytest.mark.norm("67")
class TestGate:
    def test_a_key_not_heard_yet_takes_any_t(self) -> None:
        """A server may count the seconds of NTP, which are above 80000000: 00000000 is no counter to compare with."""
        assert MtkGate(File(0)).judge(ids(1), 0xE9000000) is None

    @pytest.mark.parametrize(
        ("counter", "number", "verdict"),
        [(11, 4, None), (10, 4, Stale.COUNTER), (9, 4, Stale.COUNTER), (11, 3, Stale.MTK_ID), (11, 2, Stale.MTK_ID)],
    )
    def test_t_first_then_the_mtk_id(self, counter: int, number: int, verdict: Stale | None) -> None:
        gate = MtkGate(File(5))
        gate.took(ids(3), 10)
        gate.judge(ids(9, msk=2), 1)
        gate.took(ids(3), 10)
        assert gate.judge(ids(number), counter) is verdict

    def test_an_unknown_key_is_the_cards_to_refuse_and_costs_no_reading(self) -> None:
        file = File(5)
        gate = MtkGate(file)
        assert {gate.judge(ids(1, msk=msk), 1) for msk in range(2, 50)} == {None}
        assert file.reads == 1

    def test_a_key_under_bcast_policies_is_left_to_the_card(self) -> None:
        gate = MtkGate(File(5))
        gate.took(ids(3), 10, is_bcast=True)
        assert gate.judge(ids(3), 10) is None

    def test_after_an_ltkm_the_file_is_read_again(self) -> None:
        file = File(5)
        gate = MtkGate(file)
        gate.judge(ids(1), 6)
        file.counter = 8
        gate.keys_changed()
        assert gate.judge(ids(1), 7) is Stale.COUNTER


def view(mtk: MbmsKeyIds) -> CardStkmView:
    return CardStkmView(
        identity=mtk.encode(), key_name=tek_name(mtk.msk_id, mtk.mtk_id or b""),
        session=mtk.key_domain_id + mtk.key_group, long_term_key=mtk.key_domain_id + mtk.msk_id,
        label="", timestamp=1, ids=mtk,
    )  # fmt: skip


def added(keys: SessionKeys, mtk: MbmsKeyIds) -> tuple[bytes, ...]:
    return keys.add(view(mtk))


@pytest.mark.norm("71")
class TestSessionKeys:
    def test_the_two_newest_of_a_session_stay(self) -> None:
        keys = SessionKeys()
        assert [added(keys, ids(number)) for number in (1, 2, 3)] == [(), (), (b"\0\1\0\1\0\1",)]
        assert added(keys, ids(9, group=2)) == ()
        assert added(keys, ids(3)) == ()

    def test_an_msk_that_is_gone_takes_its_mtks_along(self) -> None:
        keys = SessionKeys()
        added(keys, ids(1))
        added(keys, ids(2, msk=2))
        assert keys.drop(view(ids(5))) == (b"\0\1\0\1\0\1",)
        assert keys.end() == (b"\0\1\0\2\0\2",)

    def test_none_stays_when_it_is_over(self) -> None:
        keys = SessionKeys()
        added(keys, ids(1))
        assert keys.end() == (b"\0\1\0\1\0\1",)
        assert keys.end() == ()
