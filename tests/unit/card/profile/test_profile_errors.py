"""Every kind of problem a profile can have: line, field, what was found, what is allowed, and no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from card.disk.kinds import PROFILE
from card.errors import ProfileError
from card.profile.schema import CardProfile
from card.tables.problems import MOST_LISTED

K = "465b5ce8b199b49faa5f0a2ee238a6bc"
MOST_BYTES = PROFILE.most or 0
BASE = f"""\
name = "Test"
iccid = "8900101000000000019"
[pins]
pin1 = {{ value = "1234" }}
[usim]
imsi = "001010123456789"
mnc_length = 2
k = "{K}"
opc = "cd63cb71954a9f4e48a5994e37a02baf"
"""
BASE_LINES = BASE.count("\n")


def problems(text: str) -> str:
    with pytest.raises(ProfileError) as caught:
        CardProfile.parse(text, "t.toml")
    assert caught.value.__context__ is None, "a chained error could show what the message leaves out"
    return str(caught.value)


def test_base_is_sound() -> None:
    assert CardProfile.parse(BASE).name == "Test"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "Test"', "", "t.toml:1: name: missing; allowed: printable text of 1 to 64 characters"),
        ('"Test"', "7", "t.toml:1: name: found the number 7; allowed: printable text of 1 to 64 characters"),
        ('"Test"', '"a\\u001bb"', 't.toml:1: name: found "a\\x1bb"; allowed: printable'),
        ('"Test"', "1979-05-27", "t.toml:1: name: found a date or time; allowed: printable"),
        ('"Test"', "true", "t.toml:1: name: found true; allowed: printable"),
        (
            "8900101000000000019",
            "89",
            't.toml:2: iccid: found "89"; allowed: text of 18 to 20 decimal digits',
        ),
        ('{ value = "1234" }', '"1234"', "t.toml:4: pins.pin1: found text of 4 characters; allowed: a table"),
        ('value = "1234"', "", "t.toml:4: pins.pin1.value: missing; allowed: text of 4 to 8 decimal digits"),
        ('value = "1234"', "valeu = 1", 't.toml:4: pins.pin1.valeu: unknown key; did you mean "value"?'),
        ("imsi", "colour", "t.toml:6: usim.colour: unknown key; allowed: imsi, mnc_length, k, "),
        ("imsi", "IMSI", 't.toml:6: usim.IMSI: unknown key; did you mean "imsi"?'),
        ("imsi", "'a b'", 't.toml:6: usim."a b": unknown key;'),
        (
            '010123456789"\nmnc_length = 2',
            '010"\nmnc_length = 3',
            "t.toml:6: usim.imsi: ends with the MNC; allowed: more than 6 digits",
        ),
        (
            "mnc_length = 2",
            "mnc_length = 4",
            "t.toml:7: usim.mnc_length: found the number 4; allowed: 2 or 3,",
        ),
        (
            "mnc_length = 2",
            "mnc_length = 2.0",
            "t.toml:7: usim.mnc_length: found the number 2.0; allowed: 2 or",
        ),
        ("mnc_length = 2", "mnc_length = true", "t.toml:7: usim.mnc_length: found true; allowed: 2 or 3,"),
        (
            K,
            K[:-1],
            "t.toml:8: usim.k: found text of 31 characters with 31 hex digits, an odd number; allowed: 32",
        ),
        (
            K,
            K[:-2],
            "t.toml:8: usim.k: found text of 30 characters with 30 hex digits; allowed: 32 hex digits",
        ),
        (
            K,
            K[:-1] + "g",
            "t.toml:8: usim.k: found text of 32 characters with characters that are not hex digits;",
        ),
        ("opc", "op_c", 't.toml:9: usim.op_c: unknown key; did you mean "opc"?'),
        (
            'opc = "cd63cb71954a9f4e48a5994e37a02baf"',
            "",
            "t.toml:5: usim.opc: missing; allowed: opc or op, 32 hex",
        ),
    ],
)
def test_wrong_value(old: str, new: str, message: str) -> None:
    assert old in BASE
    assert message in problems(BASE.replace(old, new, 1))


@pytest.mark.parametrize(
    ("addition", "line", "message"),
    [
        (f'op = "{K}"', 1, "usim.op: found beside opc; allowed: one of the two"),
        ('algorithm = "tuak"', -4, "usim.topc: missing; allowed: topc or top, 64 hex digits (32 bytes)"),
        ('algorithm = "xor"', 0, "usim.opc: found with xor; allowed: not with this algorithm"),
        ('algorithm = "a3a8"', 1, 'usim.algorithm: found "a3a8"; allowed: "milenage", "tuak", "xor"'),
        (
            'aid = "A0000000871004"',
            1,
            'usim.aid: found "A0000000871004"; allowed: hex digits for 7 to 16 bytes',
        ),
        (
            'fplmn = [\n"001-01",\n"1-1"]',
            3,
            'usim.fplmn[2]: found "1-1"; allowed: "MCC-MNC", such as "001-01"',
        ),
        ('fplmn = ["\\u0660\\u0660\\u0661-01"]', 1, "usim.fplmn[1]: found "),
        (
            'fplmn = "001-01"',
            1,
            'usim.fplmn: found text of 6 characters; allowed: a list of at most 64 values, each "MCC-MNC"',
        ),
        (
            "access_classes = [9, 10]",
            1,
            "usim.access_classes[2]: found the number 10; allowed: an integer from 0",
        ),
        ('spn = "sm@rt"', 1, 'usim.spn: found "sm@rt"; allowed: 1 to 16 letters'),
        (
            "[usim.sqn]\nind_bits = 5\ninitial_seq = 0x800_0000_0000",
            3,
            "usim.sqn.initial_seq: found 8796093022208;",
        ),
        (
            "[usim.services]\nextra = [1, 4]\ndisabled = [4]",
            3,
            "usim.services.disabled: found 4, which is in extra",
        ),
        ('[[files]]\nhex = ""', 1, "files[1].path: missing; allowed: a path of four-digit FIDs"),
        ('[[files]]\npath = "6F46"', 2, 'files[1].path: found "6F46"; allowed: a path of four-digit FIDs'),
        ('[[files]]\npath = "ADF.USIM/3F00"', 2, "files[1].path: found "),
        ('[[files]]\npath = "ADF.XSIM/6F02"', 2, "files[1].path: found "),
        (
            '[[files]]\npath = "MF/2F50"\nhex = "0G"',
            3,
            "files[1].hex: found text of 2 characters with characters that",
        ),
        ('[[files]]\npath = "MF/2F50"\nhex = "00"\nrecords = []', 4, "files[1].records: found beside hex;"),
        (
            '[[files]]\npath = "MF/2F50"\nhex = "00"\nstructure = "cyclic"',
            3,
            "files[1].hex: found in a cyclic file; allowed: records",
        ),
        (
            '[[files]]\npath = "MF/2F50"\nrecords = []\nstructure = "ber-tlv"',
            3,
            "files[1].records: found in a ber-tlv file; allowed: hex",
        ),
        (
            '[[files]]\npath = "MF/2F50"\nhex = "0011"\nsize = 1',
            4,
            "files[1].size: found 1; allowed: at least 2",
        ),
        (
            '[[files]]\npath = "MF/2F50"\nhex = "00"\ncount = 1',
            4,
            "files[1].count: found in a file without records",
        ),
        (
            '[[files]]\npath = "MF/2F50"\nrecords = ["00"]\nsize = 300',
            4,
            "files[1].size: found 300; allowed for a",
        ),
        (
            '[[files]]\npath = "MF/2F50"\nrecords = ["00", "01"]\ncount = 1',
            4,
            "files[1].count: found 1; allowed: at",
        ),
        (
            '[[files]]\npath = "MF/2F50"\naccess.read = "pin"',
            3,
            'files[1].access.read: found "pin"; allowed: "ALW",',
        ),
        (
            '[[files]]\npath = "MF/2F50"\n[[files]]\npath = "3F00/2f50"',
            4,
            "files[2].path: found MF/2F50 again;",
        ),
        (
            "[bcast.tables.modes]\nspe_audit = 2",
            1,
            "bcast.tables.modes: found 02 twice; allowed: every mode once",
        ),
        ('[isim]\nimpu = ["x"]', 2, "isim.impu[1]: found"),
        ('[cat]\n[[cat.steps]]\ncommand = "display-text"', 2, "cat.steps[1].text: missing; display-text needs it"),
        ("[card]", 1, "card: unknown key; allowed: name, iccid, pins, usim, transport, atr, mbms, files"),
        ("[mbms]\nmsk_group = 1", 2, 'mbms.msk_group: unknown key; did you mean "msk_groups"?'),
        (
            "[mbms]\nmsk_groups = 255",
            2,
            "mbms.msk_groups: found the number 255; allowed: an integer from 1 to 254",
        ),
    ],
)
def test_wrong_addition(addition: str, line: int, message: str) -> None:
    assert f"t.toml:{BASE_LINES + line}: {message}" in problems(BASE + addition)


def test_top_level_rows_for_transport_and_atr() -> None:
    text = problems('transport = "T=2"\natr = "3C00"\n' + BASE)
    assert 't.toml:1: transport: found "T=2"; allowed: "T=0", "T=1"' in text
    assert 't.toml:2: atr: found "3C00"; allowed: hex digits for 2 to 33 bytes beginning 3B or 3F' in text


def test_all_problems_are_told_in_the_order_of_lines() -> None:
    text = BASE.replace('"Test"', "1").replace("mnc_length = 2", "mnc_length = 1").replace("[pins]", "[pnis]")
    lines = [int(line.split(":")[1]) for line in problems(text).splitlines()]
    assert lines == sorted(lines)
    assert len(lines) == 4  # name, the unknown table, the missing one, mnc_length


def test_stops_after_twenty_problems() -> None:
    text = problems(BASE + "".join(f"unknown{number} = 1\n" for number in range(100)))
    assert len(text.splitlines()) == MOST_LISTED + 1
    assert text.endswith("stopped after 20 problems; there may be more")


def test_line_numbers_hold_with_windows_line_ends() -> None:
    assert "t.toml:7: usim.mnc_length" in problems(BASE.replace("= 2", "= 9").replace("\n", "\r\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = \n", "t.toml:1: not TOML, at column 8: Invalid value"),
        (BASE + "imsi = '1'", f"t.toml:{BASE_LINES + 1}: not TOML: Cannot overwrite a value"),
        ("\n\nname = '''", "t.toml:3: not TOML: "),
        ("a = " + "9" * 5000, "t.toml:1: not TOML: a number is too long"),
        ("a = " + "[" * 17, "t.toml:1: nested more than 16 deep"),
        ("\na" + ".a" * 17 + " = 1", "t.toml:2: nested more than 16 deep"),
        ("a = 1\n" + "[" * 100_000, "t.toml:2: nested more than 16 deep"),
        ("#" * (MOST_BYTES + 1), f"t.toml: larger than {MOST_BYTES} bytes"),
    ],
)
def test_text_that_is_no_profile(text: str, message: str) -> None:
    assert problems(text).startswith(message)


FILE = '[[files]]\npath = "MF/2F50"\n'


@pytest.mark.parametrize(
    ("addition", "message"),
    [
        ("[[files]]\n" * 513, "files: found a list of 513 values; allowed: a list of at most 512 tables"),
        (
            FILE + f"records = [{'0,' * 255}]",
            "files[1].records: found a list of 255 values; allowed: a list of",
        ),
        (
            FILE + f"records = ['{'00' * 256}']",
            "files[1].records[1]: found text of 512 characters with 512 hex",
        ),
        (FILE + f"hex = '{'00' * 0x10000}'", "files[1].hex: found text of 131072 characters with 131072 hex"),
        (FILE.replace("2F50", "/5F00" * 9), 'files[1].path: found "MF//5F00/5F00'),
        (
            f"services.extra = [{'1,' * 300}]",
            "usim.services.extra: found a list of 300 values; allowed: a list",
        ),
    ],
)
def test_limits_on_size_and_count(addition: str, message: str) -> None:
    text = problems(BASE + addition)
    assert f": {message}" in text
    assert len(text) < 400, "a hostile value must not fill the screen"


def problems_of_file(path: Path | str) -> str:
    with pytest.raises(ProfileError) as caught:
        CardProfile.load(path)
    return str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    missing, large, latin = tmp_path / "missing.toml", tmp_path / "large.toml", tmp_path / "latin.toml"
    large.write_bytes(b"#" * (MOST_BYTES + 1))
    latin.write_bytes(b"# first\nname = \xe9\n")
    assert problems_of_file(missing) == f"{missing}: cannot be read: No such file or directory"
    assert problems_of_file(tmp_path) == f"{tmp_path}: cannot be read: Is a directory"
    assert problems_of_file(large) == f"{large}: larger than {MOST_BYTES} bytes, the most a profile may have"
    assert problems_of_file(latin) == f"{latin}:2: not UTF-8 text, at column 8"
    assert problems_of_file("a\0b") == "a\0b: cannot be read: not a file name"


SECRET_FIELDS = {
    'pin1 = { value = "1234" }': 'pin1 = {{ value = "{}" }}',
    "mnc_length": 'op = "{}"\nmnc_length',
    f'k = "{K}"': 'k = "{}"',
    "[pins]": '[pins]\npin2 = {{ value = "1234", puk = "{}" }}',
    "[pins]\n": '[pins]\nadm1 = {{ value = "{}" }}\n',
}


@pytest.mark.parametrize("secret", ["98x76543", "9876543219", "f00dfeed", "0f1e2d3c4b5a69788796a5b4c3d2e1fx"])
@pytest.mark.parametrize("place", SECRET_FIELDS)
def test_wrong_secret_is_never_shown(place: str, secret: str) -> None:
    text = problems(BASE.replace(place, SECRET_FIELDS[place].format(secret)))
    assert f"text of {len(secret)} characters" in text
    assert secret not in text


@pytest.mark.parametrize(
    "wrapped", [K, f"{K[:16]} {K[16:]}", K.upper(), " ".join(K[i : i + 2] for i in range(0, 32, 2))]
)
def test_key_in_the_wrong_field_is_not_shown(wrapped: str) -> None:
    text = problems(BASE.replace('"001010123456789"', f'"{wrapped}"'))
    assert "usim.imsi: found text of" in text
    assert wrapped not in text


def test_key_as_a_name_is_not_shown() -> None:
    text = problems(BASE + f"{K[::-1]} = 1")
    assert "usim.(long hex): unknown key" in text
    assert K[::-1] not in text
