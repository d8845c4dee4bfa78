"""Keys of voice group and broadcast calls (TS 31.102 clauses 4.2.73 to 4.2.78, 7.1.1.3, 7.1.2.2 and annex K)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from card import CardProfile
from card.codec.group_call import VoiceCall, VoiceService, decode_groups, encode_groups
from card.crypto.secret import Secret
from card.errors import DecodeError, EncodeError, ProfileError
from card.profile.schema import demo_path
from card.profile.usim import GroupKeyProfile, ServicesProfile
from tests.oracle import milenage
from tests.support.profiles import OPC, card_profile
from tests.support.testcard import TestCard, lv

# Group 12345678 as annex K has it.
VGCS, VBS = bytes.fromhex("178C29D0"), bytes.fromhex("178C29C0")
GROUP_KEY, BROADCAST_KEY = bytes(range(16, 32)), bytes(range(32, 48))
RAND = bytes.fromhex("0102030450")
EF_VGCS, EF_VGCSS, EF_VBS, EF_VBSS, EF_VGCSCA, EF_VBSCA = 0x6FB1, 0x6FB2, 0x6FB3, 0x6FB4, 0x6FD4, 0x6FD5

KEYS = (
    GroupKeyProfile(VoiceCall.VGCS, "12345678", 2, Secret(GROUP_KEY), cipher=3),
    GroupKeyProfile(VoiceCall.VGCS, "0012", 1, Secret(GROUP_KEY)),
    GroupKeyProfile(VoiceCall.VBS, "12345678", 1, Secret(BROADCAST_KEY)),
)


def card_with(*keys: GroupKeyProfile, disabled: tuple[int, ...] = ()) -> TestCard:
    base = card_profile()
    usim = replace(base.usim, group_keys=keys, services=ServicesProfile(disabled=disabled))
    return TestCard.new(replace(base, usim=usim)).ready()


def ask(service_id: bytes, key_id: int, rand: bytes = RAND) -> bytes:
    data = lv(service_id, bytes((key_id,)), rand)
    return bytes.fromhex("00880082") + bytes((len(data),)) + data


def vstk(key: bytes, rand: bytes = RAND) -> bytes:
    """Return the answer: our A8_V is f3 under the group key, over VSTK_RAND behind zeros."""
    return b"\xdb" + lv(milenage.vector(key, OPC, rand.rjust(16, b"\0"), bytes(6), bytes(2))["f3"])


def test_both_kinds_of_call() -> None:
    card = card_with(*KEYS)
    assert card.ok(ask(VGCS, 2)) == vstk(GROUP_KEY)
    assert card.ok(ask(VBS, 1)) == vstk(BROADCAST_KEY)
    assert card.ok(ask(VoiceService(VoiceCall.VGCS, 12).encode(), 1)) == vstk(GROUP_KEY)


@pytest.mark.norm("53")
@pytest.mark.parametrize(
    ("missing", "group_call", "broadcast_call"),
    [(57, "9864", "9000"), (64, "9864", "9000"), (58, "9000", "9864"), (65, "9000", "9864")],
)
def test_the_service_flag_says_which_services_are_needed(missing: int, group_call: str, broadcast_call: str) -> None:
    card = card_with(*KEYS, disabled=(missing,))
    assert card.exchange(ask(VGCS, 2)).sw == group_call
    assert card.exchange(ask(VBS, 1)).sw == broadcast_call


@pytest.mark.norm("53")
def test_without_keys_there_is_no_service() -> None:
    card_with().refused("9864", ask(VGCS, 2))
    card_with().refused("9864", "0088008203", b"abc")  # before the data are looked at, as in every context


@pytest.mark.norm("54")
@pytest.mark.parametrize("low", range(16))
def test_acknowledgement_and_priority_do_not_count(low: int) -> None:
    card = card_with(*KEYS)
    assert card.ok(ask(VGCS[:-1] + bytes((VGCS[-1] | low,)), 2)) == vstk(GROUP_KEY)


@pytest.mark.norm("55")
def test_a_group_that_the_file_does_not_list() -> None:
    """The key stays where it is; without the entry the card does not use it."""
    card = card_with(*KEYS).unlocked()
    card.ok(f"00A4000C02{EF_VGCS:04X}")
    card.ok("00D6000004 21FFFFFF")
    card.refused("6A88", ask(VGCS, 2))
    assert card.ok(ask(VBS, 1)) == vstk(BROADCAST_KEY)  # EF_VBS lists it still
    card.ok("00D60000 0A 21FFFFFF 21436587 FFFF")
    assert card.ok(ask(VGCS, 2)) == vstk(GROUP_KEY)


@pytest.mark.norm("55")
@pytest.mark.parametrize(
    ("service_id", "key_id"),
    [
        (VGCS, 1),
        (VGCS, 3),
        (VBS, 2),
        (VoiceService(VoiceCall.VGCS, 1).encode(), 2),
        (VoiceService(VoiceCall.VBS, 12).encode(), 1),
        (b"\xff" * 4, 1),  # a number that no 8 digits can write
    ],
)
def test_an_unknown_group_or_key(service_id: bytes, key_id: int) -> None:
    card_with(*KEYS).refused("6A88", ask(service_id, key_id))


@pytest.mark.norm("56")
def test_vstk_rand_has_36_bits() -> None:
    card = card_with(*KEYS)
    assert card.ok(ask(VGCS, 2, RAND[:-1] + b"\x5f")) == vstk(GROUP_KEY)
    assert card.ok(ask(VGCS, 2, RAND[:-1] + b"\x60")) == vstk(GROUP_KEY, RAND[:-1] + b"\x60") != vstk(GROUP_KEY)


@pytest.mark.parametrize(
    "data",
    [
        lv(VGCS, b"\x02"),
        lv(VGCS, b"\x02", b""),
        lv(VGCS, b"\x02", RAND[1:]),
        lv(VGCS, b"\x02", RAND + b"\0"),
        lv(VGCS[1:], b"\x02", RAND),
        lv(VGCS, b"", RAND),
        lv(VGCS, b"\x02\x02", RAND),
        lv(VGCS, b"\x02", RAND) + b"\0",
        b"\x04",
    ],
)
def test_wrong_lengths(data: bytes) -> None:
    card_with(*KEYS).refused("6700", "00880082", bytes((len(data),)), data)


# --- files


def test_files() -> None:
    card = card_with(*KEYS)
    assert card.read(EF_VGCS) == bytes.fromhex("21436587 21FFFFFF").ljust(128, b"\xff")
    assert card.read(EF_VBS) == bytes.fromhex("21436587").ljust(128, b"\xff")
    assert card.read(EF_VGCSS) == bytes.fromhex("03 0000000000 FC")
    assert card.read(EF_VBSS) == bytes.fromhex("01 0000000000 FC")
    assert card.read(EF_VGCSCA) == bytes.fromhex("FF03 01FF").ljust(64, b"\xff")
    assert card.read(EF_VBSCA) == bytes.fromhex("01FF").ljust(64, b"\xff")


def test_files_without_groups() -> None:
    base = card_profile()
    usim = replace(base.usim, services=ServicesProfile(extra=(57,)))
    card = TestCard.new(replace(base, usim=usim)).ready()
    assert card.read(EF_VGCS) == b"\xff" * 128
    assert card.read(EF_VGCSS) == bytes.fromhex("000000000000FC")
    card.refused("6A82", f"00A4000C02{EF_VBS:04X}")


def test_nobody_but_an_administrator_writes_the_list() -> None:
    card = card_with(*KEYS)
    card.ok(f"00A4000C02{EF_VGCS:04X}")
    card.refused("6982", "00D6000004 21FFFFFF")


# --- codec

ANNEX_K = [
    ("0", "F0FFFFFF", "00000000", "00000010"),
    ("1", "F1FFFFFF", "00000020", "00000030"),
    ("12", "21FFFFFF", "00000180", "00000190"),
    ("123", "21F3FFFF", "00000F60", "00000F70"),
    ("1234", "2143FFFF", "00009A40", "00009A50"),
    ("12345", "2143F5FF", "00060720", "00060730"),
    ("123456", "214365FF", "003C4800", "003C4810"),
    ("1234567", "214365F7", "025AD0E0", "025AD0F0"),
    ("12345678", "21436587", "178C29C0", "178C29D0"),
    ("99999999", "99999999", "BEBC1FE0", "BEBC1FF0"),
    ("13452670", "31546207", "19A8AFC0", "19A8AFD0"),
]
"""Group, entry of EF_VBS or EF_VGCS, Vservice_Id of a broadcast call and of a group call."""


@pytest.mark.norm("54", "55")
@pytest.mark.parametrize(("group", "entry", "broadcast_call", "group_call"), ANNEX_K)
def test_annex_k(group: str, entry: str, broadcast_call: str, group_call: str) -> None:
    assert encode_groups([group.rjust(8, "0")]).hex().upper() == entry
    assert decode_groups(bytes.fromhex(entry)) == [group]
    for call, coded in ((VoiceCall.VBS, broadcast_call), (VoiceCall.VGCS, group_call)):
        service = VoiceService(call, int(group))
        assert service.encode().hex().upper() == coded
        assert VoiceService.decode(bytes.fromhex(coded)) == service


@pytest.mark.parametrize("group", ["", "x", "123456789", "-1", "٣"])
def test_a_group_that_is_none(group: str) -> None:
    with pytest.raises(EncodeError):
        encode_groups([group])


def test_an_entry_that_is_no_number() -> None:
    with pytest.raises(DecodeError):
        decode_groups(bytes.fromhex("2143A5FF"))


# --- profile


def parse(text: str) -> CardProfile:
    return CardProfile.parse(demo_path().read_text().replace("[usim]\n", f"[usim]\ngroup_keys = [{text}]\n", 1))


KEY = 'key = "000102030405060708090A0B0C0D0E0F"'


def test_a_key_in_the_profile() -> None:
    (key,) = parse(f'{{ service = "vbs", group = "0012", key_id = 2, {KEY} }}').usim.group_keys
    assert (key.voice_service, key.key_id, key.cipher) == (VoiceService(VoiceCall.VBS, 12), 2, 1)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ('service = "call", group = "1", key_id = 1', '"vgcs"'),
        ('service = "vgcs", group = "123456789", key_id = 1', "1 to 8 digits"),
        ('service = "vgcs", group = "1", key_id = 3', "1 to 2"),
        ('service = "vgcs", group = "1", key_id = 1, cipher = 8', "0 to 7"),
    ],
)
def test_problems_are_told(fields: str, said: str) -> None:
    with pytest.raises(ProfileError, match=said):
        parse(f"{{ {fields}, {KEY} }}")


def test_a_key_given_twice() -> None:
    twice = ", ".join(f'{{ service = "vgcs", group = "{group}", key_id = 1, {KEY} }}' for group in ("12", "012"))
    with pytest.raises(ProfileError, match="each key of a group once"):
        parse(twice)
