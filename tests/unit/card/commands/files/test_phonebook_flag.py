"""EF_PBC tells of changes made under DF_TELECOM (TS 31.102 clauses 4.4.2 and 4.4.2.5); SFIs of the phone book."""

from __future__ import annotations

from dataclasses import replace

import pytest

from card.codec.fcp import Fcp
from card.profile.usim import PhonebookEntry
from tests.support.profiles import PIN1, card_profile
from tests.support.testcard import TestCard, pin_bytes


@pytest.fixture
def card() -> TestCard:
    base = card_profile()
    entries = tuple(PhonebookEntry(name, "123") for name in ("Ann", "Bob", "Cid"))
    return TestCard.new(replace(base, usim=replace(base.usim, phonebook=entries)))


def by_sim(card: TestCard, fid: str, number: int, record: bytes) -> None:
    """Update a record under DF_TELECOM as a GSM terminal does."""
    card.card.reset()
    card.ok("A020000108", pin_bytes(PIN1))
    for each in ("7F10", fid):
        assert card.send("A0A4000002", each).sw[:2] == "9F"
    card.ok(f"A0DC{number:02X}04{len(record):02X}", record)


def flags(card: TestCard) -> list[int]:
    """Return the entries that EF_PBC says were modified."""
    card.card.reset()
    card.ready()
    card.ok("00A4080C047FFF5F3A")
    records = [card.record(0x4F09, number) for number in range(1, 6)]
    assert all(record[1] == 0 for record in records), "nothing is hidden"
    return [number for number, record in enumerate(records, 1) if record[0] & 1]


def entry(name: str, extension: int) -> bytes:
    return name.encode().ljust(14, b"\xff") + bytes.fromhex("028121" + "FF" * 10) + bytes((extension,))


def test_no_flag_on_a_new_card(card: TestCard) -> None:
    assert flags(card) == []


def test_adn_updated_by_class_a0(card: TestCard) -> None:
    by_sim(card, "6F3A", 2, entry("Bea", 0xFF))
    assert flags(card) == [2]


def test_adn_updated_under_df_telecom_by_class_00(card: TestCard) -> None:
    card.ready()
    card.ok("00A4080C047F106F3A")
    card.ok("00DC03041C", entry("Cea", 0xFF))
    assert flags(card) == [3]


def test_adn_updated_in_the_phone_book_itself(card: TestCard) -> None:
    card.ready()
    card.ok("00A4080C067FFF5F3A4F3A")
    card.ok("00DC03041C", entry("Cea", 0xFF))
    assert flags(card) == []


def test_ext1_flags_the_entries_that_lead_to_it(card: TestCard) -> None:
    """Entry 1 has record 2 and, by its chain, record 4; entry 3 has record 4 alone; the chain 5, 5 has no end."""
    card.ready()
    card.ok("00A4080C047FFF5F3A")
    for number, extension in ((1, 2), (3, 4), (2, 5)):
        card.ok("00A4000C024F3A")
        card.ok(f"00DC{number:02X}041C", entry("Eve", extension))
    card.ok("00A4000C024F4A")
    for number, following in ((2, 4), (4, 0xFF), (5, 5)):
        card.ok(f"00DC{number:02X}040D", b"\x02" + b"\xff" * 11 + bytes((following,)))
    by_sim(card, "6F4A", 4, b"\x02\x01\x21" + b"\xff" * 10)
    assert flags(card) == [1, 3]


def test_a_refused_update_sets_no_flag(card: TestCard) -> None:
    card.ready()
    card.ok("00A4080C047F106F3A")
    card.refused("6700", "00DC030404AABBCCDD")
    assert flags(card) == []


@pytest.mark.parametrize(("fid", "sfi"), [(0x4F21, 8), (0x4F22, 9), (0x4F23, 10), (0x4F24, 11)])
def test_files_of_the_synchronisation_have_an_sfi(card: TestCard, fid: int, sfi: int) -> None:
    """TS 31.102 clauses 4.4.2.12.1 to 4.4.2.12.4 give each an SFI of the issuer's choice."""
    card.ready()
    card.ok("00A4080C047FFF5F3A")
    assert Fcp.decode(card.ok(f"00A4000402{fid:04X}")).sfi == sfi


def test_ef_pbr_names_the_sfi_of_every_file(card: TestCard) -> None:
    """TS 31.102 clause 4.4.2.1: what EF_PBR says of an SFI is what the file has."""
    card.ready()
    card.ok("00A4080C047FFF5F3A")
    reference = card.record(0x4F30, 1)
    found = {}
    for template in (reference[2:32], reference[34:44]):
        for start in range(0, len(template), 5):
            tag, length, *value = template[start : start + 5]
            assert (tag >> 4, length) == (0xC, 3)
            found[int.from_bytes(bytes(value[:2]), "big")] = value[2]
    assert len(found) == 8
    for fid, sfi in found.items():
        assert Fcp.decode(card.ok(f"00A4000402{fid:04X}")).sfi == sfi
