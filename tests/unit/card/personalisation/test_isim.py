"""The ISIM: its files, its service table and its authentications beside those of the USIM."""

from __future__ import annotations

import pytest

from card.crypto.secret import Secret
from card.errors import ProfileError
from card.profile.files import EfPath, FileProfile
from card.profile.isim import IsimProfile
from tests.oracle import gba, milenage
from tests.support.network import IMPI, autn_star, rand, vector
from tests.support.platform_cards import platform_card, platform_profile
from tests.support.profiles import OPC, PIN1
from tests.support.testcard import SELECT_USIM, TestCard, lv

SELECT_ISIM = "00A4040C10A0000000871004FFFFFFFF8907090000"


def ready(isim: IsimProfile | None = None) -> TestCard:
    card = platform_card(isim=isim or IsimProfile())
    card.ok(SELECT_ISIM)
    assert card.verify(0x01, PIN1).sw == "9000"
    return card


def text(card: TestCard, fid: int) -> str:
    data = card.read(fid)
    assert data[0] == 0x80
    return data[2 : 2 + data[1]].decode()


def test_identities_follow_the_usim() -> None:
    card = ready()
    assert text(card, 0x6F02) == IMPI.decode()
    assert text(card, 0x6F03) == IMPI.decode().partition("@")[2]
    assert b"sip:" + IMPI in card.record(0x6F04, 1)
    assert card.read(0x6F07).hex() == "020000"
    card.refused("6A82", "00A4000C026F09")


def test_identities_of_its_own() -> None:
    isim = IsimProfile(impi="a@b.c", impu=("sip:a@b.c", "tel:+1"), domain="b.c", pcscf=("p.b.c", "2001:db8::1"))
    card = ready(isim)
    assert text(card, 0x6F02) == "a@b.c"
    assert card.record(0x6F04, 2).rstrip(b"\xff") == b"\x80\x06tel:+1"
    assert card.record(0x6F09, 1).rstrip(b"\xff") == b"\x80\x06\x00p.b.c"
    assert card.record(0x6F09, 2).rstrip(b"\xff").hex() == "8011022001" + "0db8" + "00" * 11 + "01"
    assert card.read(0x6F07).hex() == "130000", "services 1, 2 and 5"


def test_it_is_in_ef_dir() -> None:
    card = platform_card()
    assert bytes.fromhex("A0000000871004") in card.record(0x2F00, 2)


def test_next_and_previous_application() -> None:
    card = platform_card()
    usim, isim = "a0000000871002", "a0000000871004"
    for p2, expected in (("0C", usim), ("0E", isim), ("0F", usim), ("0D", isim), ("0C", usim)):
        card.ok(f"00A404{p2}05A000000087")
        assert card.ok("80F2000100")[2:9].hex() == expected, p2
    card.ok("00A4040E05A000000087")
    card.refused("6A82", "00A4040E05A000000087")


def test_ims_aka() -> None:
    card = ready()
    made = vector(1, rand(1))
    answer = card.ok("0088008122", lv(rand(1), made["autn"]))
    assert answer == b"\xdb" + lv(made["f2"], made["f3"], made["f4"]), "without Kc"
    assert card.ok("0088008122", lv(rand(1), made["autn"]))[0] == 0xDC


def test_sequence_numbers_are_its_own() -> None:
    card = ready()
    made = vector(1, rand(1))
    assert card.ok("0088008122", lv(rand(1), made["autn"]))[0] == 0xDB
    card.ok(SELECT_USIM)
    assert card.ok("0088008122", lv(rand(1), made["autn"]))[0] == 0xDB


def test_keys_of_its_own() -> None:
    k = bytes(range(16))
    card = ready(IsimProfile(k=Secret(k)))
    made = milenage.vector(k, OPC, rand(1), (32).to_bytes(6, "big"), b"\x80\x00")
    assert card.ok("0088008122", lv(rand(1), made["autn"])) == b"\xdb" + lv(made["f2"], made["f3"], made["f4"])


@pytest.mark.norm("1", "3")
def test_gba_works_on_its_own_files() -> None:
    """An ISIM is given the NAF_ID alone and takes its own IMPI (TS 31.103 clauses 7.1.1.2 and 7.1.1.3)."""
    card = ready()
    made = vector(1, rand(1))
    assert card.ok("0088008423DD", lv(rand(1), autn_star(made))) == b"\xdb" + lv(gba.flip(made["f2"]))
    assert card.read(0x6FD5)[:17] == lv(rand(1))
    naf_id = b"naf.example" + bytes.fromhex("0100000002")
    with_impi, data = b"\xde" + lv(naf_id, IMPI), b"\xde" + lv(naf_id)
    card.refused("6700", "00880084", bytes((len(with_impi),)), with_impi)
    ks = made["f3"] + made["f4"]
    assert card.ok("00880084", bytes((len(data),)), data) == b"\xdb" + lv(gba.ks_ext_naf(ks, rand(1), IMPI, naf_id))
    assert naf_id in card.record(0x6FD7, 1)


def test_what_an_isim_does_not_offer() -> None:
    card = ready()
    card.refused("9864", "0088008011", lv(rand(1)))
    card.refused("9864", "0088008203", b"abc")  # P2 82 is HTTP digest here (TS 31.103 clause 7.1.2)
    assert card.send("008980850453020100").sw == "9864"


def test_a_file_for_an_isim_that_is_not_there() -> None:
    profile = platform_profile(isim=None, files=(FileProfile(EfPath.parse("ADF.ISIM/6F02"), b"\x80\x00"),))
    with pytest.raises(ProfileError, match=r"no ADF\.ISIM"):
        TestCard.new(profile)
