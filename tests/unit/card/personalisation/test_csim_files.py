"""What a new CSIM holds, and that it is the equal of the applications beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card import CardProfile, inspect_card
from card.codec.ef import CODECS
from card.codec.ef import csim as ef_csim
from card.codec.fcp import Fcp
from card.errors import DecodeError, EncodeError, ProfileError
from card.personalisation.personalise import personalise
from card.profile.csim import HOME
from card.spec.files.csim import CSIM_FILES
from card.store.sqlite import SqliteStore
from tests.oracle import bcmcs
from tests.support.csim import CSIM_AID, ISIM_AID, NAI, RK, SELECT_CSIM, csim_card, csim_profile
from tests.support.profiles import AID, IMSI
from tests.support.testcard import SELECT_USIM, TestCard


@pytest.fixture
def card() -> TestCard:
    return csim_card()


def by_path(card: TestCard, fid: int) -> bytes:
    """Read a transparent file by its path from the MF, as terminals with a path table do."""
    card.ok(f"00A4080C047FFF{fid:04X}")
    return card.ok("00B0000000")


class TestContents:
    @pytest.mark.parametrize(
        ("fid", "codec", "value"),
        [
            (0x6F22, "imsi_m", IMSI),
            (0x6F23, "imsi_m", ""),
            (0x6F32, "services", [6, 8, 10, 18]),
            (0x6F3A, "csim languages", ["en"]),
            (0x6F41, "csim spn", "CDMA TEST"),
            (0x6F57, "hrpd nai", NAI),
            (0x6F5A, "prl id", 7),
            (0x6F31, "ruim id", bytes.fromhex("80000001")),
        ],
    )
    def test_values(self, card: TestCard, fid: int, codec: str, value: object) -> None:
        assert CODECS[codec].decode(by_path(card, fid)) == value

    def test_records(self, card: TestCard) -> None:
        assert bcmcs.read_mdn(card.record(0x6F44, 1)) == "9990012340"
        assert [ef_csim.decode_home(card.record(0x6F28, number)) for number in (1, 2)] == ["4100/1", "4101/65535"]

    def test_the_spc_needs_adm(self, card: TestCard) -> None:
        card.ok("00A4000C026F33")
        card.refused("6982", "00B0000003")
        assert card.verify(0x0A, "11223344").sw == "9000"
        assert card.ok("00B0000003") == bytes(3)

    def test_keys_are_in_no_file(self, card: TestCard) -> None:
        assert all(RK not in value for key, value in card.persistent().items() if key.startswith("ef/"))

    def test_every_mandatory_file_is_there(self, card: TestCard) -> None:
        for row in CSIM_FILES:
            if not row.service:
                card.ok(f"00A4000402{row.fid:04X}00")

    def test_files_of_a_service_go_with_it(self) -> None:
        card = csim_card(tail="[csim.services]\ndisabled = [18]")
        for fid in ("6F63", "6F64", "6FD7", "6FD8"):
            card.refused("6A82", "00A4000C02", fid)


class TestRuim:
    """DF_CDMA, where terminals look for an R-UIM."""

    def test_it_shows_the_files_of_the_csim(self, card: TestCard) -> None:
        card.ok("00A4080C047F256F22")
        assert CODECS["imsi_m"].decode(card.ok("00B000000A")) == IMSI

    def test_an_update_reaches_both(self, card: TestCard) -> None:
        card.ok("00A4080C047F256F26")
        card.ok("00D600000101")
        assert by_path(card, 0x6F26) == b"\x01"

    def test_its_service_table_counts_in_its_own_way(self, card: TestCard) -> None:
        card.ok("00A4080C047F256F32")
        assert CODECS["sim services"].decode(card.ok("00B0000000")) == [1, 4, 5, 17, 39]

    def test_the_old_class(self, card: TestCard) -> None:
        assert card.send("A0A40000027F25").sw.startswith("9F")
        assert card.send("A0A40000026F43").sw.startswith("9F")
        assert card.send("A0B0000003") == ("000000", "9000")

    def test_without_a_csim_there_is_none(self) -> None:
        TestCard.new().refused("6A82", "00A4000C027F25")


class TestEquals:
    def test_ef_dir_lists_all(self, card: TestCard) -> None:
        entries = [CODECS["application"].decode(_directory(card, number))[0] for number in (1, 2, 3)]
        assert entries == [AID, CSIM_AID, ISIM_AID]

    def test_a_csim_may_come_first(self) -> None:
        card = csim_card(extra="first = true")
        assert CODECS["application"].decode(_directory(card, 1))[0] == CSIM_AID
        card.ok("00A4040C05A000000343")
        assert _dfname(card) == CSIM_AID

    @pytest.mark.parametrize("length", [5, 7, 16])
    def test_selection_by_part_of_the_aid(self, card: TestCard, length: int) -> None:
        card.ok(SELECT_USIM)
        answer = card.ok(f"00A40404{length:02X}", CSIM_AID[:length], "00")
        assert Fcp.decode(answer).df_name == CSIM_AID

    def test_each_channel_has_its_own(self, card: TestCard) -> None:
        channels = [card.ok("0070000001")[0] for _ in range(2)]
        card.ok(f"{channels[0]:02X}A4040C10", AID)
        card.ok(f"{channels[1]:02X}A4040C10", ISIM_AID)
        found = [_dfname(card, channel) for channel in (0, *channels)]
        assert found == [CSIM_AID, AID, ISIM_AID]

    def test_the_second_pin_is_its_own(self, card: TestCard) -> None:
        assert card.verify(0x81, "0000").sw == "63C2"
        card.ok(SELECT_USIM)
        assert card.send("00200081") == ("", "63C3")

    def test_a_card_without_a_csim(self) -> None:
        card = TestCard.new()
        card.refused("6A82", SELECT_CSIM)
        card.refused("6985", "8058020003800100")


def _directory(card: TestCard, number: int) -> bytes:
    card.ok("00A4000C023F00")
    return card.record(0x2F00, number)


def _dfname(card: TestCard, channel: int = 0) -> bytes:
    return card.ok(f"{0x80 | channel:02X}F2000100")[2:]


class TestImsi:
    @given(st.text("0123456789", min_size=15, max_size=15))
    def test_both_ways(self, imsi: str) -> None:
        data = ef_csim.encode_imsi_m(imsi)
        assert ef_csim.decode_imsi_m(data) == imsi
        assert bcmcs.read_imsi_m(data) == imsi

    @given(st.binary(max_size=12))
    def test_any_bytes(self, data: bytes) -> None:
        try:
            imsi = ef_csim.decode_imsi_m(data)
        except DecodeError:
            return
        assert imsi == "" or (len(imsi) == 15 and imsi.isdigit())

    @given(st.text("0123456789", min_size=1, max_size=15))
    def test_mdn(self, number: str) -> None:
        data = ef_csim.encode_mdn(number)
        assert (ef_csim.decode_mdn(data), bcmcs.read_mdn(data)) == (number, number)

    @pytest.mark.parametrize(
        "imsi", ["", "00101", "0" * 14, "0" * 16, "00101012345678x", "\N{ARABIC-INDIC DIGIT ZERO}" * 15]
    )
    def test_no_imsi(self, imsi: str) -> None:
        with pytest.raises(EncodeError):
            ef_csim.encode_imsi_m(imsi)


_CODECS = [name for name in CODECS if name in {row.codec for row in CSIM_FILES} and name != "services"]


@pytest.mark.parametrize("name", _CODECS)
@given(data=st.binary(max_size=96))
def test_no_content_is_a_crash(name: str, data: bytes) -> None:
    try:
        value: Any = CODECS[name].decode(data)
    except DecodeError:
        return
    assert value is None or value is not NotImplemented


class TestProfile:
    def test_the_demo_profile(self) -> None:
        profile = CardProfile.demo("csim")
        assert profile.csim is not None
        assert repr(profile).count("Secret(16 bytes)") >= 2
        assert TestCard.new(profile).ok("00A4040C07A0000003431002") == b""

    @pytest.mark.parametrize(
        ("extra", "tail", "complaint"),
        [
            ('functions = "x-none"', "", "csim.functions: found text of 6 characters|x-none"),
            ('imsi = "00101"', "", "csim.imsi: found .*; allowed: text of 15 decimal digits"),
            ('ruim_id = "01"', "", "csim.ruim_id: .*hex digits for 4 to 7 bytes"),
            ('spc = "12"', "", "csim.spc: .*text of 6 decimal digits"),
            ("", "[csim.tags]\nflow_id = 0x81", "csim.tags.*tag of another object"),
            ("", "[csim.tags]\nflow_idd = 1", 'did you mean "flow_id"'),
        ],
    )
    def test_a_wrong_field_is_named(self, extra: str, tail: str, complaint: str) -> None:
        with pytest.raises(ProfileError, match=complaint) as caught:
            csim_profile(extra, tail)
        assert RK.hex() not in str(caught.value)

    @pytest.mark.parametrize("text", ["", "1", "70000/1", "1/70000", "-1/2", "1/2/3", "1/" + "9" * 5000])
    def test_a_home_system(self, text: str) -> None:
        with pytest.raises(ValueError):
            HOME.parse(text)

    def test_an_imsi_that_is_too_short_for_a_csim(self) -> None:
        profile = csim_profile()
        short = replace(profile, usim=replace(profile.usim, imsi="0010112345"))
        with pytest.raises(ProfileError, match="csim: imsi missing"):
            TestCard.new(short)
        assert short.csim is not None
        TestCard.new(replace(short, csim=replace(short.csim, imsi=IMSI)))


def test_a_csim_card_can_be_inspected(tmp_path: Any) -> None:
    path = tmp_path / "csim.card"
    store = SqliteStore(path, create=True)
    personalise(csim_profile(), store)
    store.close()
    shown = str(inspect_card(path))
    assert IMSI in shown
    assert RK.hex() not in shown
