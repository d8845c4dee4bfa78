from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools.script.errors import ExpressionError
from host_tools.script.pattern import Pattern, SwPattern
from host_tools.script.template import Template
from host_tools.script.values import Scope, Value


def scope(**values: bytes) -> Scope:
    made = Scope(1)
    for name, data in values.items():
        made.set(name, Value(data))
    return made


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("00 A4 0004 [3F00] 00", "00A40004023F0000"),
        ("53(01 {m})", "5306011122334455"),
        ("[53(01 {m})]", "085306011122334455"),
        ("{m|lv} {m|len} {m[1:3]} {m[:1]} {m[3:]}", "051122334455" + "05" + "2233" + "11" + "4455"),
        ("{m|pin}", "1122334455FFFFFF"),
        ("[]", "00"),
        ("", ""),
    ],
)
def test_template_gives(text: str, expected: str) -> None:
    assert Template.parse(text).expand(scope(m=bytes.fromhex("1122334455"))).data.hex().upper() == expected


def test_long_contents_get_long_lengths() -> None:
    long = scope(m=bytes(300))
    assert Template.parse("({m})").expand(long).data[:3] == bytes.fromhex("82012C")
    assert Template.parse("[{m}]").expand(long).data[:3] == bytes.fromhex("00012C")


@pytest.mark.parametrize(
    "text", ["0", "XY", "[00", "00]", "[00)", "{Name}", "{a|nothing}", "{a", "[" * 20 + "]" * 20, "00 {a[x:]}"]
)
def test_template_refuses(text: str) -> None:
    with pytest.raises(ExpressionError):
        Template.parse(text)


def test_a_secret_makes_the_whole_secret_and_never_shows() -> None:
    secret = Scope()
    secret.set("pin", Value(b"1234", secret=True))
    value = Template.parse("00 [{pin}]").expand(secret)
    assert value.secret
    assert "31323334" not in repr(value) + str(value)


def test_missing_value_says_why() -> None:
    empty = Scope()
    empty.miss("pin", "set the environment variable X")
    with pytest.raises(ExpressionError, match=r"\{pin\} has no value: set the environment variable X"):
        Template.parse("{pin}").expand(empty)


@given(st.text(alphabet="0123456789abcdefAF {}[]()|:pinlv?*", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (Template.parse, Pattern.parse, SwPattern.parse):
        message = "read"
        try:
            parse(text)
        except ExpressionError as error:
            message = str(error)
        assert message


@pytest.mark.parametrize(
    ("pattern", "data", "offset"),
    [
        ("62 ?? 82", "621782", None),
        ("62 ?? 82", "621783", 2),
        ("0? ?9", "0809", None),
        ("0? ?9", "1809", 0),
        ("DB 08 *", "DB0811", None),
        ("DB 08 *", "DB08", None),
        ("DB 08 *", "DC08", 0),
        ("* 9000", "11229000", None),
        ("* 9000", "112290", 0),
        ("11", "1122", 1),
        ("1122", "11", 1),
        ("", "", None),
        ("", "00", 0),
        ("{m} ??", "AABB00", None),
        ("{m} ??", "AABC00", 1),
    ],
)
def test_pattern(pattern: str, data: str, offset: int | None) -> None:
    mismatch = Pattern.parse(pattern).match(bytes.fromhex(data), scope(m=b"\xaa\xbb"))
    assert (None if mismatch is None else mismatch.offset) == offset


@given(st.binary(max_size=40))
def test_data_fit_their_own_hex(data: bytes) -> None:
    assert Pattern.parse(data.hex()).match(data, Scope()) is None
    assert Pattern.parse("*").match(data, Scope()) is None


@pytest.mark.parametrize(
    ("pattern", "sw", "fits"),
    [
        ("ok", 0x9000, True),
        ("ok", 0x910C, True),
        ("ok", 0x6A82, False),
        ("63CX", 0x63C2, True),
        ("63CX", 0x63D2, False),
        ("6A82|6a86", 0x6A86, True),
        ("XXXX", 0x0000, True),
    ],
)
def test_status_words(pattern: str, sw: int, fits: bool) -> None:
    assert SwPattern.parse(pattern).fits(sw) is fits


@pytest.mark.parametrize("text", ["", "900", "90000", "9G00", "9000|", "okay"])
def test_status_words_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        SwPattern.parse(text)
