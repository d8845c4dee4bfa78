"""Secrets of a script: they show nowhere, wherever the card gives them back."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_tools.cli.main import invoke
from host_tools.script.reports import explain
from tests.unit.host_tools.script.fakes import ICCID, TableLink, run_text, write

CARD = ("--link", "inprocess", "--profile", "usim", "--destructive", "--allow-iccid", ICCID)
SECRET = "A1A2A3A4A5A6A7A8"
ECHO = """
[variables]
s = { env = "LAB_SECRET" }
pin = { env = "LAB_PIN", form = "pin" }
[[step]]
apdu = "00A40404 [{usim_aid}]"
[[step]]
apdu = "00200001 [{pin}]"
[[step]]
apdu = "00A40004 02 6F7E"
[[step]]
name = "write the secret"
apdu = "00D60000 [{s}]"
destructive = true
[[step]]
name = "read it back"
apdu = "00B0000008"
data = "0000"
[[step]]
name = "read a part"
apdu = "00B0000206"
length = 1
"""


def test_no_output_shows_a_secret_that_the_card_gives_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAB_SECRET", SECRET)
    monkeypatch.setenv("LAB_PIN", "1234")
    outputs = [tmp_path / name for name in ("r.xml", "r.jsonl", "t.jsonl", "t.pcapng")]
    options = ["-v", "--junit", str(outputs[0]), "--json", str(outputs[1]), "--trace", str(outputs[2]),
               "--trace", str(outputs[3])]  # fmt: skip
    assert invoke(["script", "run", str(write(tmp_path, ECHO)), *CARD, *options]) == 1
    shown = "".join(capsys.readouterr())
    assert "FAILED" in shown
    assert "READ BINARY 8 bytes at 0" in shown
    binary = b"".join(path.read_bytes() for path in outputs)
    for text in (shown, binary.decode("latin-1")):
        digits = text.replace(" ", "").upper()
        assert SECRET[:8] not in digits
        assert SECRET[8:] not in digits
    assert bytes.fromhex(SECRET)[2:6] not in binary
    assert "test: 4 passed, 2 failed" in shown  # the steps in front did their work


def test_parts_and_computed_values_of_a_secret_are_secret_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_SECRET", SECRET)
    text = """
[variables]
s = { env = "LAB_SECRET" }
[[step]]
[step.compute]
turned = "xor(s, 0xFFFFFFFFFFFFFFFF)"
[[step]]
name = "sends"
apdu = "00A201F4 [{s[2:6]}00{turned}]"
[[step]]
name = "answers"
apdu = "00B08200"
sw = "6A82"
"""
    link = TableLink({"00A2": b"\x90\x00", "00B0": bytes.fromhex("00A3A4A5A600" + "5E5D5C5B5A595857" + "9000")})
    results = run_text(tmp_path, text, link)
    assert "00A201F40DA3A4A5A6005E5D5C5B5A595857" in link.sent
    shown = "\n".join(line for result in results for line in explain(result))
    assert "> 00 A2 01 F4 0D ·· ·· ·· ·· 00 ·· ·· ·· ·· ·· ·· ·· ··" in shown
    assert "< 00 ·· ·· ·· ·· 00 ·· ·· ·· ·· ·· ·· ·· ·· 90 00" in shown


def test_given_and_captured_secrets_stay_hidden_behind_any_number_of_derived_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_SECRET", SECRET)
    text = """
[variables]
s = { env = "LAB_SECRET" }
[[step]]
apdu = "00B0000008"
capture = { key = "data" }
secret = "key"
[[step]]
for = { variable = "n", from = 1, to = 1100, size = 2 }
compute = { other = "add(s, n)", another = "add(key, n)" }
[[step]]
name = "answers"
apdu = "00B0820000"
sw = "6A82"
"""
    key = "C1C2C3C4C5C6C7C8"
    link = TableLink({"00B0": bytes.fromhex(key + "9000"), "00B082": bytes.fromhex(SECRET + "00" + key + "9000")})
    shown = "\n".join(explain(run_text(tmp_path, text, link)[-1]))
    assert "< ·· ·· ·· ·· ·· ·· ·· ·· 00 ·· ·· ·· ·· ·· ·· ·· ·· 90 00" in shown
