"""Subscribers from files: what they give, and what is said about every mistake."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from card.crypto.bcmcs import PROVISIONAL_SET, RegistrationKey, find_functions
from card.crypto.milenage import Milenage, derive_opc
from card.crypto.primitives import xor_bytes
from card.crypto.secret import Secret
from card.crypto.tuak import Tuak, derive_topc
from host_tools.exchange.messages.zn import KeyChoice
from host_tools.headend.errors import HeadendError
from host_tools.headend.subscribers.files import SubscribersError, load_subscribers, parse_subscribers
from host_tools.headend.subscribers.gba_settings import UICC_BASED_MBMS, GbaSettings, UiccType
from tests.unit.host_tools.headend.networks import IMPI, IMSI, OPC, K, subscriber

RAND = bytes(range(16))
OP = "cdc202d5123e20f62b6d676ac72cb318"  # test set 1 of TS 35.207, of which OPC comes
KEY = K.reveal().hex()
RK = "00112233445566778899aabbccddeeff"
TOML = f"""
[[subscriber]]
imsi = "{IMSI}"
k = "{KEY}"
opc = "{OPC.reveal().hex()}"
amf = "0000"

[[subscriber]]
imsi = "310410123456789"
mnc_length = 3
algorithm = "tuak"
k = "{KEY}"
top = "{OP}{OP}"
sqn = "000000000641"
ind_bits = 4
uicc = "GBA"
lifetime = 3600

[[subscriber]]
imsi = "001010000000003"
impi = "me@home.example"
k = "{KEY}"
op = "{OP}"
plain_res = true
key_choice = "ME-UICC-based-keys"

[[subscriber]]
imsi = "001010000000004"
nai = "someone@cdma.example"
rk = "{RK}"
"""
CSV = f"""imsi, impi, mnc_length, algorithm, k, opc, op, top, amf, sqn, ind_bits, uicc, key_choice, lifetime, plain_res, nai, rk
{IMSI},,,,{KEY},{OPC.reveal().hex()},,,0000,,,,,,,,
310410123456789,,3,tuak,{KEY},,,{OP}{OP},,000000000641,4,GBA,,3600,,,

001010000000003,me@home.example,,,{KEY},,{OP},,,,,,ME-UICC-based-keys,,true,,
001010000000004,,,,,,,,,,,,,,,someone@cdma.example,{RK}
"""  # noqa: E501


def sequence_of(autn: bytes, ak: bytes) -> int:
    return int.from_bytes(xor_bytes(autn[:6], ak), "big")


@pytest.mark.parametrize(("text", "name"), [(TOML, "x.toml"), (CSV, "x.csv")])
def test_both_forms_give_the_same_subscribers(text: str, name: str) -> None:
    found = parse_subscribers(text, name)
    assert len(found) == 4
    first = found.by_impi(IMPI)
    assert (first.imsi, first.settings) == (IMSI, UICC_BASED_MBMS)
    assert first.vector(RAND) == subscriber().vector(RAND)

    second = found.by_impi("310410123456789@ims.mnc410.mcc310.3gppnetwork.org")
    assert second.settings == GbaSettings(UiccType.GBA, KeyChoice.ME_BASED, timedelta(hours=1))
    tuak = Tuak(K, derive_topc(K, Secret(bytes.fromhex(OP + OP))))
    vector = second.vector(RAND)
    assert vector.xres == tuak.f2345(RAND).res
    assert vector.autn[6:8].hex() == "8000"
    assert sequence_of(vector.autn, tuak.f2345(RAND).ak) >> 4 == (0x641 >> 4) + 1

    third = found.by_impi("me@home.example")
    assert third.settings == GbaSettings(UiccType.GBA_U, KeyChoice.BOTH, plain_res=True)
    milenage = Milenage(K, derive_opc(K, Secret(bytes.fromhex(OP))))
    assert third.vector(RAND).xres == milenage.f2345(RAND).res == first.vector(RAND).xres

    csim = found.by_nai("someone@cdma.example")
    root = RegistrationKey(Secret(bytes.fromhex(RK)), find_functions(PROVISIONAL_SET))
    assert (csim.imsi, csim.root.derive_tk(RAND)) == ("001010000000004", root.derive_tk(RAND))


@pytest.mark.parametrize(("field", "value", "words"), [
    ("imsi", '"12345"', "imsi: '12345' is not allowed; 6 to 15 digits is wanted"),
    ("imsi", '""', "imsi: is missing; 6 to 15 digits is wanted"),
    ("imsi", "1.5", "imsi: '<float>' is not allowed"),
    ("imsi", "[1]", "imsi: '<list>' is not allowed"),
    ("imsi", "0x" + "f" * 10_000, "imsi: '<int>' is not allowed"),
    ("impi", '"me"', "impi: 'me' is not allowed; text of the form user@realm is wanted"),
    ("mnc_length", "4", "mnc_length: '4' is not allowed; 2 or 3"),
    ("algorithm", '"comp128"', "algorithm: 'comp128' is not allowed; milenage, tuak or xor"),
    ("algorithm", '"xor"', "opc: with xor, none of opc, op, topc, top is wanted"),
    ("algorithm", '"tuak"', "opc: with tuak, topc or top, one of the two is wanted"),
    ("k", '"00"', "k: a value of 2 characters is not allowed; 32 hex digits"),
    ("k", f'"{KEY}{KEY}"', "k: has 64 hex digits; with milenage it has 32"),
    ("op", f'"{OP}"', "opc: with milenage, opc or op, one of the two is wanted"),
    ("amf", '"800"', "amf: '800' is not allowed; 4 hex digits"),
    ("sqn", '"1"', "sqn: '1' is not allowed; 12 hex digits"),
    ("ind_bits", "11", "ind_bits: '11' is not allowed"),
    ("uicc", '"gba"', "uicc: 'gba' is not allowed; GBA_U, or GBA for GBA_ME"),
    ("key_choice", '"both"', "key_choice: 'both' is not allowed; ME-based-key or UICC-based-key"),
    ("lifetime", "0", "lifetime: '0' is not allowed; seconds"),
    ("plain_res", '"yes"', "plain_res: 'yes' is not allowed; true or false"),
    ("nai", '"a@b"', "k: is not for a CSIM"),
    ("rk", f'"{RK}"', "k: is not for a CSIM"),
    ("functions", '"x"', "functions: is for the subscriber of a CSIM"),
    ("kk", '"1"', "kk: is not a field of a subscriber; did you mean k?"),
    ("zzzzzz", '"1"', "zzzzzz: is not a field of a subscriber; allowed are imsi, impi"),
])  # fmt: skip
def test_each_mistake_has_file_line_and_field(field: str, value: str, words: str) -> None:
    fields = {"imsi": f'"{IMSI}"', "k": f'"{KEY}"', "opc": f'"{OPC.reveal().hex()}"'} | {field: value}
    text = "# a comment\n[[subscriber]]\n" + "".join(f"{name} = {text}\n" for name, text in fields.items())
    at = words.split(":")[0]
    line = 3 + list(fields).index(at)
    with pytest.raises(SubscribersError) as caught:
        parse_subscribers(text, "people.toml")
    assert f"people.toml:{line}: {words}" in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(("text", "words"), [
    ("", "people.csv:1: no subscriber is in it"),
    ("imsi,k,opc\n", "people.csv:1: no subscriber is in it"),
    ("imsi,k\n1,2,3\n", "people.csv:2: 3 fields, where the first line names 2"),
    ("imsi,imsi\n", "people.csv:1: imsi: stands twice in the first line"),
    (f"{IMSI},{KEY},x\n", "people.csv:1: a name of 32 characters: is not a field"),
    (f"imsi,k,opc\n{IMSI},{KEY}\"\n", "people.csv:2: 2 fields"),
    (f'imsi,k,opc\n{IMSI},"{KEY}"x,\n', "people.csv:2: not CSV"),
    (f"k,imsi\n{IMSI},{KEY}\n", "people.csv:2: imsi: a value of 32 characters is not allowed"),
    (f"imsi,nai\n{IMSI},a@b\n", "people.csv:2: rk: is missing; 32 hex digits is wanted for a CSIM"),
    (f"imsi,nai,rk,functions\n{IMSI},a@b,{RK},none\n", "people.csv:2: functions: BCMCS functions none are not"),
    (f"imsi,uicc,key_choice,k,algorithm\n{IMSI},GBA,UICC-based-key,{KEY},xor\n", "people.csv:2: key_choice: UICC"),
    (f"imsi,k,algorithm\n{IMSI},{KEY},xor\n\n{IMSI},{KEY},xor\n", f"people.csv:4: imsi: {IMSI} is that of line 2"),
    ("imsi,x\0y\n", "people.csv:"),
])  # fmt: skip
def test_mistakes_in_csv(text: str, words: str) -> None:
    with pytest.raises(SubscribersError) as caught:
        parse_subscribers(text, "people.csv")
    assert words in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(("text", "words"), [
    ("subscriber = 1", "people.toml:1: subscriber: at most"),
    ("\nsubscriber = [1]", "people.toml:2: subscriber: a table [[subscriber]] is wanted"),
    ("[[subscribers]]\nimsi = \"1\"", "people.toml:1: subscribers: is not allowed here; only [[subscriber]] is"),
    ("[[subscriber]\n", "people.toml:1: not TOML"),
])  # fmt: skip
def test_mistakes_in_toml(text: str, words: str) -> None:
    with pytest.raises(SubscribersError) as caught:
        parse_subscribers(text, "people.toml")
    assert words in str(caught.value)


def test_of_many_mistakes_twenty_are_listed() -> None:
    with pytest.raises(SubscribersError) as caught:
        parse_subscribers("imsi\n" + "x\n" * 50, "people.csv")
    assert len(str(caught.value).splitlines()) == 22
    assert str(caught.value).endswith("and 30 more")


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(f"imsi,k,algorithm\n{IMSI},{KEY},xor\n")
    assert load_subscribers(path).by_impi(IMPI).imsi == IMSI
    with pytest.raises(SubscribersError, match="cannot be read"):
        load_subscribers(tmp_path / "nobody.toml")
    with pytest.raises(SubscribersError, match=r"ends in \.csv or \.toml"):
        load_subscribers(tmp_path / "people.txt")


@settings(deadline=None)
@given(st.sampled_from(["x.csv", "x.toml"]), st.data())
def test_any_text_gives_subscribers_or_a_clear_error(name: str, data: st.DataObject) -> None:
    base = CSV if name == "x.csv" else TOML
    at = data.draw(st.integers(0, len(base)))
    text = base[:at] + data.draw(st.text(max_size=8)) + base[at + data.draw(st.integers(0, 40)) :]
    try:
        assert len(parse_subscribers(text, name)) >= 1
    except HeadendError as error:
        assert KEY not in str(error)  # noqa: PT017
        assert name in str(error)  # noqa: PT017


def test_ten_thousand_lines() -> None:
    lines = "".join(f"{number:015},{KEY},xor\n" for number in range(10_000))
    assert len(parse_subscribers("imsi,k,algorithm\n" + lines, "many.csv")) == 10_000
