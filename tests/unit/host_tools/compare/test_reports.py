"""The reports: everything is in them, nothing secret, and nothing in them can act."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from host_tools.cli.compare.table import print_comparison
from host_tools.compare.allow import default_rules
from host_tools.compare.as_json import write_json
from host_tools.compare.comparison import compare_runs
from host_tools.compare.html import write_html
from host_tools.compare.model import Comparison
from host_tools.compare.play import play_scripts
from host_tools.drawing.page import text
from host_tools.script.load import load_script
from host_tools.script.runner import RunOptions
from tests.unit.host_tools.compare.sides import Steps, compared, side
from tests.unit.host_tools.script.fakes import TableLink

EVIL = '"><script>alert(1)</script>\x1b[31m\u202e&'
VOID = {"meta", "input", "br", "line", "rect"}
PIN = "31323334"
RECORD = "00B2010426"
GSM = "0088008011" + "10" + "5A" * 16 + "00"
KC = "C7" * 8


def label(value: bytes) -> str:
    inner = "50" + f"{len(value):02x}" + value.hex()
    return "61" + f"{len(inner) // 2:02x}" + inner + "9000"


def steps(value: bytes, kc: str = KC) -> Steps:
    return [
        (f"evil {EVIL}", [("00A40004022F0000", "6A82"), (RECORD, label(value)), ("0084000008", "00" * 8 + "9000")]),
        ("PIN", [(f"0020000108{PIN}FFFFFFFF", "9000")]),
        ("keys", [(GSM, f"0411223344 08 {kc} 9000".replace(" ", ""))]),
    ]


def evil_comparison() -> Comparison:
    a = side(f"reader {EVIL}", steps(b"<img src=x onerror=alert(1)>"))
    b = side("B", steps(b"<b>other</b><script>", "C8" * 8))
    return compare_runs(a, b, default_rules())


class Structure(HTMLParser):
    """Checks that tags nest, and collects what matters."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.scripts: list[str] = []
        self.shown = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        else:
            self.shown += data


def page(comparison: Comparison) -> tuple[str, Structure]:
    file = io.StringIO()
    write_html(comparison, file)
    structure = Structure()
    structure.feed(file.getvalue())
    structure.close()
    return file.getvalue(), structure


class TestHtml:
    def test_it_is_well_formed_and_has_every_command(self) -> None:
        _, structure = page(evil_comparison())
        assert structure.open == []
        assert structure.tags.count("details") == 5
        assert structure.tags.count("svg") == 1
        assert {"form", "output", "summary"} <= set(structure.tags)

    def test_nothing_from_outside_becomes_markup(self) -> None:
        source, structure = page(evil_comparison())
        assert structure.tags.count("script") == 1
        assert "img" not in structure.tags
        assert "<script>alert" not in source
        assert "\x1b" not in source
        assert "\u202e" not in source
        assert "<script>alert(1)</script>\\x1b[31m\\u202e&" in structure.shown
        assert not [name for name, _ in structure.attributes if name.startswith("on")]

    def test_it_needs_no_network_and_runs_its_own_script_only(self) -> None:
        source, structure = page(evil_comparison())
        assert not [value for name, value in structure.attributes if name in ("src", "href")]
        assert "url(" not in source
        assert "@import" not in source
        digest = base64.b64encode(hashlib.sha256(structure.scripts[0].encode()).digest()).decode()
        policy = next(value for name, value in structure.attributes if name == "content" and "default-src" in value)
        assert policy == f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"

    def test_both_sides_stand_beside_each_other_where_they_differ(self) -> None:
        source, structure = page(compared([("s", [("00B0820001", "A19000")])], [("s", [("00B0820001", "A29000")])]))
        sides = re.search(r'<div class="sides"><pre>(.*?)</pre><pre>(.*?)</pre></div>', source, re.DOTALL)
        assert sides is not None
        assert "&lt; <mark>A1</mark> 90 00" in sides.group(1)
        assert "&lt; <mark>A2</mark> 90 00" in sides.group(2)
        assert ("data-kinds", "value") in structure.attributes

    def test_a_line_of_another_length_is_marked_whole(self) -> None:
        source, _ = page(compared([("s", [("00B0820001", "A19000")])], [("s", [("00B0820001", "A1A29000")])]))
        assert "<mark>&lt; A1 90 00</mark>" in source
        assert "<mark>&lt; A1 A2 90 00</mark>" in source

    def test_bytes_that_differ_are_marked_together(self) -> None:
        a, b = ([("s", [("00B0820005", f"{data}9000")])] for data in ("0102030405", "01A2A30405"))
        source, _ = page(compared(a, b))
        assert "&lt; 01 <mark>02 03</mark> 04 05 90 00" in source

    def test_characters_nobody_sees_are_spelled_out(self) -> None:
        assert text("a\0b\u200bc\nd") == "a\\x00b\\u200bc\nd"


class TestSecrets:
    def test_no_report_shows_a_pin_or_a_key(self) -> None:
        comparison = evil_comparison()
        as_json = io.StringIO()
        write_json(comparison, as_json)
        html, _ = page(comparison)
        for report in (html, as_json.getvalue(), printed(comparison), repr(comparison)):
            squeezed = report.replace(" ", "").upper()
            assert KC not in squeezed
            assert f"{PIN}FFFFFFFF" not in squeezed


def printed(comparison: Comparison) -> str:
    file = io.StringIO()
    print_comparison(comparison, Console(file=file, width=200), show_allowed=True)
    return file.getvalue()


class TestJson:
    def test_it_says_what_was_found(self) -> None:
        file = io.StringIO()
        write_json(evil_comparison(), file)
        data = json.loads(file.getvalue())
        assert data["allowed"] is False
        assert data["a"]["reader"] == f"reader {EVIL}"
        assert [pair["judgement"] for pair in data["pairs"]] == ["same", "different", "same", "same", "different"]
        assert data["pairs"][1]["differences"][0]["where"] == "61/50"
        assert {row["command"] for row in data["timing"]} >= {"SELECT", "READ RECORD"}

    def test_a_comparison_of_nothing_is_json_too(self) -> None:
        file = io.StringIO()
        write_json(compared([], []), file)
        assert json.loads(file.getvalue())["pairs"] == []


class TestTable:
    def test_the_terminal_cannot_be_steered(self) -> None:
        shown = printed(evil_comparison())
        assert "\x1b" not in shown
        assert "\\x1b[31m" in shown

    def test_the_verdict_closes_it(self) -> None:
        assert printed(compared([], [])).strip().endswith("No difference.")
        assert "2 differences that are not allowed" in printed(evil_comparison())


def test_no_report_shows_a_secret_of_a_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both cards give the secret back, each in its own company, where no rule of the redaction expects it."""
    monkeypatch.setenv("LAB_SECRET", "A1A2A3A4A5A6A7A8")
    script = tmp_path / "secret.toml"
    script.write_text(
        '[variables]\ns = { env = "LAB_SECRET" }\n'
        '[[step]]\napdu = "00D60000 [{s}]"\ndestructive = true\nsw = "XXXX"\n'
        '[[step]]\napdu = "00B0000009"\nsw = "XXXX"\n'
    )
    answers = ("A1A2A3A4A5A6A7A8019000", "02A1A2A3A4A5A6A7A89000")
    one, other = (
        play_scripts(TableLink({"00B0": bytes.fromhex(answer)}), [load_script(script)], RunOptions())
        for answer in answers
    )
    comparison = compare_runs(one, other, default_rules())
    html, _ = page(comparison)
    as_json = io.StringIO()
    write_json(comparison, as_json)
    shown = [text.replace(" ", "").upper() for text in (html, as_json.getvalue(), printed(comparison))]
    assert "00B0000009" in shown[0]
    assert not any(part in text for text in shown for part in ("A1A2A3A4", "A5A6A7A8"))
