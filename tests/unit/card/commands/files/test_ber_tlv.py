"""BER-TLV files: RETRIEVE DATA and SET DATA (TS 102 221 clause 11.3)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from card import CardProfile
from card.errors import ProfileError
from tests.support.platform_cards import FILES, OBJECTS, OBJECTS_SIZE, platform_card, platform_profile
from tests.support.testcard import TestCard

SELECT = f"00A4000C02{OBJECTS:04X}"


@pytest.fixture
def card() -> TestCard:
    made = platform_card()
    made.ok(SELECT)
    return made


def store(card: TestCard, data: bytes, block_size: int = 255) -> str:
    """Send an object in blocks; return the last status word."""
    sw = "63F1"
    for start in range(0, len(data), block_size):
        assert sw == "63F1"
        part = data[start : start + block_size]
        sw = card.send("80DB00", "00" if start else "80", bytes((len(part),)), part).sw
    return sw


def fetch(card: TestCard, tag: str) -> bytes:
    """Fetch an object in blocks as long as the card says that there is more."""
    answer = card.exchange("80CB0080", f"{len(tag) // 2:02X}", tag, "00")
    data = answer.data
    while answer.sw == "62F1":
        answer = card.exchange("80CB000000")
        data += answer.data
    assert answer.sw == "9000"
    return bytes.fromhex(data)


def test_what_personalisation_put_there(card: TestCard) -> None:
    assert fetch(card, "80").hex() == "8003010203"
    assert fetch(card, "5C").hex() == "5c0180"


def test_fcp() -> None:
    data = platform_card().ok(f"00A4000402{OBJECTS:04X}").hex().upper()
    assert "82027921" in data
    assert "880160" in data


@pytest.mark.parametrize("tag", ["81", "9F1F", "9F8101", "A0", "BF7F"])
def test_one_to_three_byte_tags(card: TestCard, tag: str) -> None:
    assert store(card, bytes.fromhex(tag + "02CAFE")) == "9000"
    assert fetch(card, tag).hex().upper() == tag + "02CAFE"
    assert tag in fetch(card, "5C").hex().upper()


@pytest.mark.parametrize("size", [0, 127, 128, 255, 256, 300, 590])
def test_any_length_in_blocks(card: TestCard, size: int) -> None:
    length = bytes((size,)) if size < 128 else bytes((0x81, size)) if size < 256 else b"\x82" + size.to_bytes(2, "big")
    value = bytes(index % 251 for index in range(size))
    whole = b"\x81" + length + value
    assert store(card, whole) == "9000"
    assert fetch(card, "81") == whole
    again = card.reopened()
    again.ok(SELECT)
    assert fetch(again, "81") == whole


def test_the_previous_block_once_more(card: TestCard) -> None:
    store(card, b"\x81\x81\xc8" + bytes(range(200)))
    first = card.exchange("80CB00800181", "40")
    assert first.sw == "62F1"
    assert card.exchange("80CB004040") == first
    second = card.exchange("80CB000040")
    assert second.data != first.data
    assert card.exchange("80CB004040") == second


def test_deletion_by_a_tag_alone(card: TestCard) -> None:
    assert card.send("80DB00800180").sw == "9000"
    assert fetch(card, "5C").hex() == "5c00"
    card.refused("6A88", "80DB00800180")
    card.refused("6A88", "80CB0080018000")


def test_sfi_makes_the_file_current() -> None:
    card = platform_card()
    assert card.ok("80CB008C018000").hex() == "8003010203"
    assert fetch(card, "5C").hex() == "5c0180"


def test_a_transfer_survives_other_commands_but_no_selection(card: TestCard) -> None:
    whole = b"\x81\x82\x01\x2c" + bytes(300)
    assert card.send("80DB0080FF", whole[:255]).sw == "63F1"
    card.ok("80F2000C")
    assert card.send("80DB0000", bytes((len(whole) - 255,)), whole[255:]).sw == "9000"
    assert card.send("80DB0080FF", whole[:255]).sw == "63F1"
    card.ok(SELECT)
    card.refused("6985", "80DB0000", bytes((len(whole) - 255,)), whole[255:])


def test_full(card: TestCard) -> None:
    card.refused("6A84", "80DB0080FF", b"\x81\x82" + OBJECTS_SIZE.to_bytes(2, "big") + bytes(251))
    assert store(card, b"\x81\x82\x01\x90" + bytes(400)) == "9000"
    assert store(card, b"\x82\x81\xc8" + bytes(200)) == "6A84"
    assert fetch(card, "5C").hex() == "5c028081"
    assert store(card, b"\x81\x82\x01\x91" + bytes(401)) == "9000", "replacing frees what was there"


@pytest.mark.parametrize(
    ("sw", "command"),
    [
        ("6A88", "80CB0080018100"),
        ("6985", "80CB000000"),
        ("6985", "80CB004000"),
        ("6700", "80CB008000"),
        ("6700", "80CB0000018000"),
        ("6A80", "80CB0080010100"),
        ("6A80", "80CB008002808100"),
        ("6A86", "80CB0180018000"),
        ("6A86", "80CB00A0018000"),
        ("6A80", "80DB0080 03 010100"),
        ("6A80", "80DB0080 03 5C0180"),
        ("6A80", "80DB0080 04 81010000"),
        ("6A80", "80DB0080 02 8180"),
        ("6985", "80DB0000 01 00"),
        ("6A86", "80DB0040 01 81"),
        ("6700", "80DB0080"),
    ],
)
def test_refused(card: TestCard, sw: str, command: str) -> None:
    card.refused(sw, command)


def test_only_ber_tlv_files(card: TestCard) -> None:
    card.refused("6981", "00B0000001")
    card.refused("6981", "00B2010400")
    card.ok("00A4000C022FE2")
    card.refused("6981", "80CB0080018000")
    card.refused("6981", "80DB008003810100")
    card.ok("00A4000C023F00")
    card.refused("6986", "80CB0080018000")


@pytest.mark.parametrize("content", ["80", "8002AA", "010100", "8001AA8001BB"])
def test_a_profile_with_broken_objects_is_refused(content: str) -> None:
    broken = replace(FILES[2], hex=bytes.fromhex(content))
    profile: CardProfile = platform_profile(files=(broken,))
    with pytest.raises(ProfileError, match="2F72"):
        TestCard.new(profile)
