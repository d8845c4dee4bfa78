"""TOML text and the line of what is wrong with it."""

from __future__ import annotations

import pytest

from card.disk.toml import MOST_NESTING, NotToml, parse_toml, quoted


def test_what_a_text_says() -> None:
    assert parse_toml("a = 1\r\n[b]\nc.d = [[2]]\n") == {"a": 1, "b": {"c": {"d": [[2]]}}}


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("a = 1\nb = oops\n", 2, "not TOML, at column 5: Invalid value"),
        ("a = 1\nb = '''", 2, "not TOML: Expected \"'''\" (at end of document)"),
        ("a = " + "9" * 5000, 1, "not TOML: a number is too long or the nesting too deep"),
        ("\na = " + "[" * (MOST_NESTING + 1), 2, "nested more than 16 deep"),
        ("\n\na" + ".a" * (MOST_NESTING + 1) + " = 1", 3, "nested more than 16 deep"),
        ("a" + ".a" * 400_000 + " = 1", 1, "nested more than 16 deep"),
    ],
)
def test_what_is_wrong_has_a_line(text: str, line: int, reason: str) -> None:
    with pytest.raises(NotToml) as caught:
        parse_toml(text)
    assert (caught.value.line, caught.value.reason) == (line, reason)


def test_brackets_in_text_and_comments_do_not_count() -> None:
    assert parse_toml(f'a = "{"[" * 50}" # {"{" * 50}\nb = "{"." * 50}"\n')["b"] == "." * 50


@pytest.mark.parametrize("text", ["", 'a "b" \\ c', "\x00\n\t\x1b\x7f\x85", "é \U0001f600", "'''"])
def test_quoted_text_comes_back(text: str) -> None:
    assert parse_toml(f"a = {quoted(text)}") == {"a": text}


def test_half_a_character_becomes_a_question_mark() -> None:
    assert parse_toml(f"a = {quoted('x' + chr(0xDCFF))}") == {"a": "x?"}
