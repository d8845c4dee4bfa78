"""The line locator, checked against lines that are known because the text was built around them."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from card.disk.toml_lines import Path, line_of, lines_of

EXAMPLE = '''\
# comment with [brackets] and key = value
name = "a # b"          # not a comment inside the string
dotted.key."quo.ted" = 1

[table]
text = """
key = "not a key"
[not-a-table]
"""
raw = \'\'\'
[[nor-this]]\'\'\'
list = [
  "one",  # [first]
  ["two",
   "three"],
  { a = 1, b = [
    2 ] },
]
inline = { x = "}", y.z = 1.5 }

[[files]]
path = "1"
[files.access]
read = "ALW"
[[ files ]]
path = "2"
"e\\u0073c" = 1979-05-27T07:32:00.5Z
'''

EXPECTED: dict[Path, int] = {
    ("name",): 2,
    ("dotted",): 3,
    ("dotted", "key", "quo.ted"): 3,
    ("table",): 5,
    ("table", "text"): 6,
    ("table", "raw"): 10,
    ("table", "list"): 12,
    ("table", "list", 0): 13,
    ("table", "list", 1): 14,
    ("table", "list", 1, 0): 14,
    ("table", "list", 1, 1): 15,
    ("table", "list", 2): 16,
    ("table", "list", 2, "a"): 16,
    ("table", "list", 2, "b"): 16,
    ("table", "list", 2, "b", 0): 17,
    ("table", "inline"): 19,
    ("table", "inline", "x"): 19,
    ("table", "inline", "y", "z"): 19,
    ("files",): 21,
    ("files", 0): 21,
    ("files", 0, "path"): 22,
    ("files", 0, "access"): 23,
    ("files", 0, "access", "read"): 24,
    ("files", 1): 25,
    ("files", 1, "path"): 26,
    ("files", 1, "esc"): 27,
}


def _paths(value: Any, path: Path = ()) -> set[Path]:
    """Every path in a value that tomllib returned."""
    found = {path} if path else set()
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return found.union(*(_paths(item, (*path, key)) for key, item in pairs))


def test_lines_of_every_kind_of_key() -> None:
    lines = lines_of(EXAMPLE)
    assert {path: lines.get(path) for path in EXPECTED} == EXPECTED


def test_finds_exactly_the_paths_that_tomllib_finds() -> None:
    assert set(lines_of(EXAMPLE)) == _paths(tomllib.loads(EXAMPLE))


def test_unknown_path_falls_back_to_what_is_around_it() -> None:
    lines = lines_of(EXAMPLE)
    assert line_of(lines, ("table", "missing")) == 5
    assert line_of(lines, ("files", 1, "access", "read")) == 25
    assert line_of(lines, ("nowhere",)) == 1


_KEYS = st.sampled_from(["a", "b", "c", '"q.1"', "'r #'", "d-e_1"])
_SCALARS = st.sampled_from(['"x"', "'[y]'", "1", "1.5", "true", '"""\n\n\\""""', "'''\n'''", '"#"', "07:32:00"])
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[\n" + ",\n ".join(items) + " # end\n]")
        | st.dictionaries(_KEYS, inner, max_size=2).map(
            lambda items: "{" + ", ".join(f"{key} = {value}" for key, value in items.items()) + "}"
        )
    ),
    max_leaves=6,
)


@given(st.lists(st.dictionaries(_KEYS, _VALUES, max_size=3), min_size=1, max_size=4), st.data())
def test_agrees_with_tomllib_on_generated_documents(tables: list[dict[str, str]], data: st.DataObject) -> None:
    document, expected = "", {}
    for number, table in enumerate(tables):
        document += data.draw(st.sampled_from(["", "\n", "# [x]\n"])) + "[[t]]\n"
        for key, value in table.items():
            expected["t", number, tomllib.loads(f"{key} = 1").popitem()[0]] = document.count("\n") + 1
            document += f"{key} = {value}\n"
    lines = lines_of(document)
    assert set(lines) == _paths(tomllib.loads(document))
    assert {path: lines[path] for path in expected} == expected


@given(st.text(alphabet="ab[]{}=,.#\"'\\\n 1", max_size=80))
def test_any_text_ends_in_lines_within_the_text(text: str) -> None:
    assert all(1 <= line <= text.count("\n") + 1 for line in lines_of(text).values())
