"""Sound profiles: what the values become, the defaults, and that no text brings the loader down."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.crypto.secret import Secret
from card.errors import ProfileError
from card.profile.fields import ListOf, MapOf, ReservedName, Table
from card.profile.loader import entries
from card.profile.schema import (
    AccessCondition,
    AccessProfile,
    Algorithm,
    CardProfile,
    EfPath,
    Plmn,
    Root,
    Structure,
    Transport,
    UsimProfile,
    demo_path,
)
from card.profile.usim import DEFAULT_AID
from card.tables.kinds import Kind

MINIMAL = """\
name = "Small"
iccid = "8900101000000000019"
pins.pin1.value = "0000"
usim = { imsi = "001010123456789", mnc_length = 2, k = "00112233445566778899aabbccddeeff", opc = "%s" }
""" % ("ff" * 16)

DEMO = demo_path().read_text("utf-8")
SECOND_DEMO = demo_path("usim-t1").read_text("utf-8")
SECRET_FIELDS = {"k", "rk", "op", "opc", "top", "topc", "key", "value", "puk", "hex", "key_enc", "key_mac"}


def test_minimal_profile_has_the_documented_defaults() -> None:
    profile = CardProfile.parse(MINIMAL)
    assert (profile.transport, profile.atr, profile.files) == (Transport.T0, None, ())
    assert (profile.mbms.msk_groups, profile.mbms.muk_records, profile.mbms.naf_keys) == (16, 8, 8)
    usim = profile.usim
    assert (usim.algorithm, usim.amf, usim.aid, usim.label) == (
        Algorithm.MILENAGE,
        b"\x80\x00",
        DEFAULT_AID,
        "USIM",
    )
    assert (usim.sqn.ind_bits, usim.sqn.delta, usim.sqn.age_limit, usim.sqn.initial_seq) == (5, 1 << 28, 0, 0)
    assert (usim.ecc, usim.languages, usim.fplmn, usim.msisdn, usim.spn) == (
        ("112", "911"),
        ("en",),
        (),
        None,
        None,
    )
    pin = profile.pins.pin1
    assert (pin.tries, pin.puk, pin.puk_tries, pin.enabled) == (3, None, 10, True)
    assert profile.pins.pins_by_reference() == {0x01: pin}
    assert profile.pins.adms_by_reference() == {}


def test_demo_profile_holds_the_published_vectors() -> None:
    usim = CardProfile.demo().usim
    assert usim.imsi == "001010123456789"
    assert usim.impi == "001010123456789@ims.mnc001.mcc001.3gppnetwork.org"
    assert usim.home == Plmn("001", "01")
    assert usim.access_classes == (9,)
    assert usim.k == Secret(bytes.fromhex("465b5ce8b199b49faa5f0a2ee238a6bc"))
    assert usim.derive_opc() == Secret(bytes.fromhex("cd63cb71954a9f4e48a5994e37a02baf"))


def test_demo_profile_codes_are_as_verify_carries_them() -> None:
    pins = CardProfile.demo().pins
    by_reference = pins.pins_by_reference()
    assert set(by_reference) == {0x01, 0x81}
    assert by_reference[0x01].value == Secret(b"1234\xff\xff\xff\xff")
    assert by_reference[0x01].puk == Secret(b"12345678")
    assert {number: adm.value for number, adm in pins.adms_by_reference().items()} == {0x0A: Secret(b"11223344")}


def test_second_demo_profile_shows_what_the_first_leaves_out() -> None:
    profile = CardProfile.demo("usim-t1")
    assert profile.transport is Transport.T1
    assert profile.usim.home == Plmn("001", "001")
    assert profile.usim.impi == "second@ims.mnc001.mcc001.3gppnetwork.org"
    assert profile.usim.derive_opc() == Secret(bytes.fromhex("53c15671c60a4b731c55b4a441c0bde2"))
    assert profile.pins.adms_by_reference()[0x0A].value == Secret(bytes(range(1, 9)))
    spn, new = profile.files
    assert (spn.path, spn.hex) == (EfPath(Root.USIM, (0x6F46,)), b"\x00SECOND" + b"\xff" * 10)
    assert (new.path, new.sfi, new.structure) == (EfPath(Root.MF, (0x2F50,)), 9, Structure.LINEAR_FIXED)
    assert new.records == (b"\x01\xff\xff\xff", b"\x02\xff\xff\xff")
    assert new.access == AccessProfile(read=AccessCondition.ALWAYS, update=AccessCondition.ADM1)


def test_unknown_demo_profile_is_a_profile_error() -> None:
    with pytest.raises(ProfileError, match=r"other\.toml: cannot be read"):
        CardProfile.demo("other")


def test_load_reads_a_file_with_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "copy.toml"
    path.write_text(DEMO, "utf-8-sig")
    assert CardProfile.load(path) == CardProfile.demo()


def test_adm_references_cover_both_ranges() -> None:
    pins = "".join(f'pins.adm{number}.value = "12345678"\n' for number in range(1, 11))
    profile = CardProfile.parse(MINIMAL.replace("usim =", pins + "usim ="))
    assert list(profile.pins.adms_by_reference()) == [*range(0x0A, 0x0F), *range(0x8A, 0x8F)]


def test_usim_without_operator_constant_says_so() -> None:
    with pytest.raises(ProfileError, match="neither op nor opc"):
        UsimProfile("001010123456789", 2, Secret(bytes(16))).derive_opc()


@pytest.mark.parametrize(
    ("text", "root", "fids"),
    [
        ("ADF.USIM/6f46", Root.USIM, (0x6F46,)),
        ("ADF.USIM/5F3A/4F30", Root.USIM, (0x5F3A, 0x4F30)),
        ("3F00/7FFF/6F46", Root.USIM, (0x6F46,)),
        ("3f00/2F05", Root.MF, (0x2F05,)),
        ("MF/7F10/6F3A", Root.MF, (0x7F10, 0x6F3A)),
    ],
)
def test_path_forms(text: str, root: Root, fids: tuple[int, ...]) -> None:
    assert EfPath.parse(text) == EfPath(root, fids)


@pytest.mark.parametrize(
    "text", ["", "/", "MF", "MF/", "ADF.USIM", "MF/7FFF", "MF/6F4", "MF/+F46", "MF/3F00/2F05", "usim/6F46"]
)
def test_path_refused(text: str) -> None:
    with pytest.raises(ValueError):
        EfPath.parse(text)


_FIDS = st.integers(0, 0xFFFF).filter(lambda fid: fid not in (0x3F00, 0x7FFF))


@given(st.sampled_from(Root), st.lists(_FIDS, min_size=1, max_size=8))
def test_path_text_round_trips(root: Root, fids: list[int]) -> None:
    path = EfPath(root, tuple(fids))
    assert EfPath.parse(str(path)) == path


@given(st.from_regex(r"[0-9]{3}-[0-9]{2,3}", fullmatch=True).filter(str.isascii))
def test_plmn_text_round_trips(text: str) -> None:
    assert str(Plmn.parse(text)) == text


@given(
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=16, max_size=16),
    st.from_regex(r"[0-9]{4,8}", fullmatch=True).filter(str.isascii),
)
def test_secrets_are_read_back_and_stay_out_of_the_repr(k: bytes, opc: bytes, pin: str) -> None:
    text = MINIMAL.replace("00112233445566778899aabbccddeeff", k.hex()).replace("ff" * 16, opc.hex())
    profile = CardProfile.parse(text.replace('"0000"', f'"{pin}"'))
    assert profile.usim.k.reveal() == k
    assert profile.usim.derive_opc().reveal() == opc
    assert profile.pins.pin1.value.reveal().rstrip(b"\xff") == pin.encode()
    shown = repr(profile)
    assert k.hex() not in shown
    assert repr(k) not in shown
    assert f"value={pin}" not in shown


def test_raw_file_content_stays_out_of_the_repr() -> None:
    assert "SECOND" not in repr(CardProfile.demo("usim-t1"))


def _shapes(shape: type[object]) -> list[type[object]]:
    """The schema dataclass and all those below it."""
    below = [entry.spec.item if isinstance(entry.spec, ListOf) else entry.spec for entry in entries(shape)]
    return [shape, *(found for spec in below if isinstance(spec, Table) for found in _shapes(spec.shape))]


@pytest.mark.parametrize("shape", dict.fromkeys(_shapes(CardProfile)), ids=lambda shape: str(shape.__name__))
def test_every_field_of_the_schema_is_a_row(shape: type[object]) -> None:
    assert dataclasses.is_dataclass(shape)
    rows = entries(shape)
    assert [row.key for row in rows] == [field.name for field in dataclasses.fields(shape)]
    for row in rows:
        assert isinstance(row.spec, Kind | ListOf | MapOf | Table | ReservedName), row.key
        is_secret = isinstance(row.spec, Kind) and row.spec.secret
        named_secret = row.key in SECRET_FIELDS
        assert is_secret == named_secret, f"{shape.__name__}.{row.key}"


_LINES = st.sampled_from([*DEMO.splitlines(), *SECOND_DEMO.splitlines()])
_SCRAPS = st.sampled_from(
    ['"', "'", "[", "]", "{", "}", "=", ",", "\n", ".", "\\", "#", "-1", "1e400", "é", "\0", "\ud800", " "]
)


@given(st.lists(_LINES | _SCRAPS | st.text(max_size=5), max_size=40), st.sampled_from(["\n", "", "\r\n"]))
def test_any_text_is_a_profile_or_a_profile_error(pieces: list[str], glue: str) -> None:
    _load_or_refuse(glue.join(pieces))


@given(st.data())
def test_damaged_demo_is_a_profile_or_a_profile_error(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([DEMO, SECOND_DEMO]))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 30)))
    _load_or_refuse(text[:start] + data.draw(_SCRAPS | st.text(max_size=3) | _LINES) + text[end:])


def _load_or_refuse(text: str) -> None:
    """Load a profile; a refusal must be a `ProfileError` that shows none of the demo keys."""
    try:
        assert isinstance(CardProfile.parse(text, "any.toml"), CardProfile)
    except ProfileError as error:
        message = str(error).replace(" ", "").lower()
        assert message.startswith("any.toml:")
        assert "465b5ce8b199b49faa5f0a2ee238a6bc" not in message
        assert "0396eb317b6d1c36f19c1c84cd6ffd16" not in message


GUIDE = (Path(__file__).parents[4] / "docs/user/profiles.md").read_text("utf-8")


def test_guide_begins_with_a_profile_that_loads() -> None:
    example = GUIDE.split("```toml\n")[1].split("```")[0]
    assert CardProfile.parse(example).usim.imsi == "001010123456789"


@pytest.mark.parametrize("shape", dict.fromkeys(_shapes(CardProfile)), ids=lambda shape: str(shape.__name__))
def test_guide_explains_every_field(shape: type[object]) -> None:
    missing = [row.key for row in entries(shape) if not re.search(rf"^\| .*`{row.key}`.* \|", GUIDE, re.MULTILINE)]
    assert missing == []
