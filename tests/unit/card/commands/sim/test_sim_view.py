"""Class A0: the card as a SIM (TS 51.011), with DF_GSM and DF_TELECOM as views of the USIM."""

from __future__ import annotations

from dataclasses import replace

import pytest

from card.profile.usim import PhonebookEntry
from tests.support.platform_cards import platform_card
from tests.support.profiles import PIN1, PIN2, PUK1, card_profile
from tests.support.testcard import TestCard, pin_bytes

RAND = "23553cbe9637a89d218ae64dae47bf35"


@pytest.fixture
def card() -> TestCard:
    return platform_card()


def select(card: TestCard, fid: str) -> bytes:
    """Select a file the way a SIM terminal does and return its description."""
    answer = card.send("A0A4000002" + fid)
    assert answer.sw[:2] == "9F", answer
    described = card.send("A0C00000" + answer.sw[2:])
    assert described.sw == "9000"
    return bytes.fromhex(described.data)


def chv(card: TestCard, code: str = PIN1, number: str = "01") -> str:
    return card.send("A02000" + number + "08", pin_bytes(code)).sw


def test_description_of_the_mf(card: TestCard) -> None:
    described = select(card, "3F00")
    assert len(described) == 22
    assert described[4:7].hex() == "3f0001"
    assert described[12] == 9
    assert described[14] == 2, "DF_TELECOM and DF_GSM"
    assert described[18:22].hex() == "838a838a", "CHV1 and CHV2 with all tries"
    assert described[13] == 0x31, "CHV1 is enabled; clock stop, 3 V and 1.8 V (TS 51.011 clause 9.2.1)"


def test_description_of_files(card: TestCard) -> None:
    select(card, "7F20")
    assert select(card, "6F07").hex() == "000000096f070400" + "14ff44" + "01020000"
    select(card, "7F10")
    assert select(card, "6F3A").hex() == "000005786f3a0400" + "11ff44" + "0102011c"
    assert select(card, "6F44")[13] == 3, "cyclic"


def test_reading_needs_chv1(card: TestCard) -> None:
    select(card, "7F20")
    select(card, "6F07")
    card.refused("9804", "A0B0000009")
    assert chv(card) == "9000"
    assert card.ok("A0B0000009")[0] == 8
    card.refused("6700", "A0B000000A")
    card.refused("9402", "A0B0000901")


def test_views_and_originals_are_one(card: TestCard) -> None:
    card.ready()
    card.ok("00A4000C026F7B")
    card.ok("00D600000313F010")
    card.ok("00A4080C047F206F7B")
    assert card.ok("00B0000003").hex() == "13f010"
    card.card.reset()
    chv(card)
    select(card, "3F00")
    select(card, "7F20")
    select(card, "6F7B")
    card.ok("A0D6000003", "32F451")
    card.card.reset()
    card.ready()
    card.ok("00A4000C026F7B")
    assert card.ok("00B0000003").hex() == "32f451"


def test_records(card: TestCard) -> None:
    chv(card)
    select(card, "7F10")
    select(card, "6F3C")
    assert card.ok("A0B20104B0")[0] == 0
    card.ok("A0DC0104B0", "01" + "FF" * 175)
    assert card.ok("A0B20002B0")[0] == 1, "next is the first"
    assert card.ok("A0B20004B0")[0] == 1, "the current one"
    card.refused("6700", "A0B2010420")
    card.refused("9402", "A0B21504B0")
    card.refused("9408", "A0B0000001")


def test_seek() -> None:
    base = card_profile()
    entries = (PhonebookEntry("Ann", "123"), PhonebookEntry("Bob", "456"), PhonebookEntry("Ann", "789"))
    card = TestCard.new(replace(base, usim=replace(base.usim, phonebook=entries)))
    chv(card)
    select(card, "7F10")
    select(card, "6F3A")
    ann = "03" + b"Ann".hex()
    assert card.send("A0A20010" + ann).sw == "9F01"
    assert card.send("A0C0000001").data == "01"
    assert card.exchange("A0A20012" + ann).sw == "9F01"
    assert card.send("A0C0000001").data == "03", "from the next record"
    card.refused("9404", "A0A20002" + ann)
    card.ok("A0A20001" + ann)
    card.ok("A0A20003" + ann)
    assert card.ok("A0B200041C")[:3] == b"Ann"
    card.refused("9404", "A0A20000 03 585858".replace(" ", ""))


def test_chv_tries_and_blocking(card: TestCard) -> None:
    assert [chv(card, "9999") for _ in range(3)] == ["9804", "9804", "9840"]
    assert chv(card) == "9840"
    assert card.send("A02C000010", pin_bytes("00000000"), pin_bytes("4321")).sw == "9804"
    assert card.send("A02C000010", pin_bytes(PUK1), pin_bytes("4321")).sw == "9000"
    assert chv(card, "4321") == "9000"
    assert chv(card, PIN2, "02") == "9000"


def test_chv_management(card: TestCard) -> None:
    assert card.send("A024000110", pin_bytes(PIN1), pin_bytes("7777")).sw == "9000"
    assert card.send("A026000108", pin_bytes("7777")).sw == "9000"
    assert chv(card, "7777") == "9808"
    assert card.send("A026000108", pin_bytes("7777")).sw == "9808"
    assert select(card, "3F00")[13] == 0xB1, "CHV1 is disabled"
    assert card.send("A028000108", pin_bytes("7777")).sw == "9000"
    assert card.verify(0x01, "7777").sw == "9000", "CHV1 is PIN 01"


def test_second_chv_guards_as_in_the_usim(card: TestCard) -> None:
    chv(card)
    select(card, "7F10")
    select(card, "6F3B")
    card.refused("9804", "A0DC01041C", "FF" * 28)
    assert chv(card, PIN2, "02") == "9000"
    card.ok("A0DC01041C", "41" + "FF" * 27)


def test_run_gsm_algorithm(card: TestCard) -> None:
    card.refused("9408", "A088000010" + RAND)
    select(card, "7F20")
    card.refused("9804", "A088000010" + RAND)
    chv(card)
    assert card.send("A088000010" + RAND).sw == "9F0C"
    assert card.send("A0C000000C").data == "46F8416AEAE4BE823AF9A08B"
    card.refused("6700", "A08800000F" + RAND[2:])


def test_increase_and_invalidate(card: TestCard) -> None:
    chv(card)
    select(card, "3F00")
    select(card, "2F71")
    assert card.send("A032000003000001").sw == "9F06"
    assert card.send("A0C0000006").data == "000006000001"
    card.refused("9804", "A0040000")
    assert card.send("0020000A08", pin_bytes("11223344")).sw == "9000"
    card.ok("A0040000")
    card.refused("9810", "A0040000")
    card.refused("9810", "A0B2010403")
    assert select(card, "2F71")[11] == 0
    card.ok("A0440000")
    card.refused("9810", "A0440000")


def test_status_and_sleep(card: TestCard) -> None:
    assert card.ok("A0F2000016") == select(card, "3F00")
    assert len(card.ok("A0F200000D")) == 13
    card.ok("A0FA0000")


def test_what_a_sim_does_not_know(card: TestCard) -> None:
    card.refused("9404", "A0A40000022F72")
    card.refused("9404", "A0A4000002DEAD")
    card.refused("9404", "A0A40000027FFF")
    card.refused("6D00", "A070000001")
    card.refused("6700", "A0A40000033F0000")


def test_without_gsm_access_there_is_no_sim() -> None:
    card = TestCard.new(card_profile(disabled=(27,)))
    card.refused("6E00", "A0A40000023F00")
    card.refused("6A82", "00A4000C027F20")
    card.ok("00A4000C027F10")


def test_pysim_read_s_path(card: TestCard) -> None:
    """The files that a client without a known ATR reads by the legacy path."""
    chv(card)
    select(card, "2FE2")
    assert card.ok("A0B000000A")
    select(card, "7F20")
    for fid in ("6F07", "6F30", "6F60", "6F61", "6F62", "6F78", "6FAD", "6F38"):
        size = int.from_bytes(select(card, fid)[2:4], "big")
        assert len(card.ok(f"A0B00000{size:02X}")) == size
    select(card, "3F00")
    select(card, "7F10")
    assert select(card, "6F42")[14] == 42
    assert card.ok("A0B201042A")


def test_the_record_pointer_of_a_cyclic_file_stands_at_the_record_updated_last(card: TestCard) -> None:
    """TS 51.011 clause 8.1: after SELECT it is there already, so that NEXT is the one before."""
    chv(card)
    select(card, "3F00")
    select(card, "2F71")
    assert card.ok("A0B2000403").hex() == "000005", "the current record"
    assert card.ok("A0B2000203").hex() == "000004", "the next one"
    assert card.send("A032000003000001").sw == "9F06"
    assert card.ok("A0B2000403").hex() == "000006"
    select(card, "2F71")
    assert card.ok("A0B2000303").hex() == "000005", "the oldest is before the newest"


def test_the_record_pointer_of_a_linear_file_is_not_set_by_select(card: TestCard) -> None:
    chv(card)
    select(card, "7F10")
    select(card, "6F3C")
    card.refused("9402", "A0B20004B0")
