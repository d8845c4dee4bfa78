from __future__ import annotations

from pathlib import Path

import pytest

from card.spec.bcast.p1 import P1
from host_tools.script.load import load_script, shipped_suites
from host_tools.script.oneline import parse_lines
from host_tools.script.results import Status
from host_tools.script.runner import Runner
from host_tools.script.scriptor import script_as_scriptor
from host_tools.script.values import Value
from tests.unit.host_tools.script.fakes import demo_link, write

TEXT = """
[script]
title = "how it exits"
[[step]]
name = "select\\nthe USIM"
apdu = "00A4040C [{usim_aid}]"
[[step]]
apdu = "0084000004"
capture = { c = "data" }
[[step]]
apdu = "00820000 [{c}]"
[[step]]
apdu = "00A4000C [{fid}]"
for = { variable = "fid", in = ["2F00", "{c}"] }
"""


def exported(folder: Path, variables: dict[str, Value]) -> list[str]:
    return list(script_as_scriptor(load_script(write(folder, TEXT)), variables))


def test_an_aid_that_nobody_gives_is_the_part_all_cards_share(tmp_path: Path) -> None:
    lines = exported(tmp_path, {})
    assert lines == [
        "# how it ex-its",
        "# select the USIM = ok", "00 A4 04 0C 07 A0 00 00 00 87 10 02",
        "# GET CHALLENGE = ok", "00 84 00 00 04",
        "# left out: EXTERNAL AUTHENTICATE: {c} has no value: it is captured from an answer",
        "# SELECT = ok", "00 A4 00 0C 02 2F 00",
        "# left out: SELECT: {fid} has no value: it is captured from an answer",
    ]  # fmt: skip


def test_values_that_are_given_leave_nothing_out(tmp_path: Path) -> None:
    lines = exported(tmp_path, {"usim_aid": Value(bytes(5)), "c": Value(b"\x3f\x00")})
    assert [line for line in lines if not line.startswith("#")] == [
        "00 A4 04 0C 05 00 00 00 00 00", "00 84 00 00 04", "00 82 00 00 02 3F 00",
        "00 A4 00 0C 02 2F 00", "00 A4 00 0C 02 3F 00",
    ]  # fmt: skip


COMPUTED = """
[variables]
tables = { env = "LAB_TABLES", form = "text", default = "P1", secret = false }
k = { env = "LAB_K" }
base = "2F"
[[step]]
[step.compute]
mode = "bcast_number(tables, 'mode spe_audit')"
fid = "concat(base, 0xE2)"
hidden = "flip(k)"
challenge = "0102"
[[step]]
name = "audit"
apdu = "001B80 {mode} [7300]"
[[step]]
name = "select"
apdu = "00A4000C [{fid}]"
[[step]]
name = "with a key"
apdu = "00D60000 [{hidden}]"
[[step]]
name = "before"
apdu = "00820000 [{challenge}]"
[[step]]
apdu = "0084000002"
capture = { challenge = "data" }
[[step]]
name = "behind"
apdu = "00820000 [{challenge}]"
"""


def test_what_follows_from_constants_is_computed_and_no_secret_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_K", "A1A2A3A4")
    monkeypatch.delenv("LAB_TABLES", raising=False)
    lines = list(script_as_scriptor(load_script(write(tmp_path, COMPUTED)), {}))
    assert lines[1:] == [
        "# audit = ok", f"00 1B 80 {P1.modes['spe_audit']:02X} 02 73 00",
        "# select = ok", "00 A4 00 0C 02 2F E2",
        "# left out: with a key: {hidden} has no value: it comes from the environment variable LAB_K",
        "# before = ok", "00 82 00 00 02 01 02",
        "# GET CHALLENGE = ok", "00 84 00 00 02",
        "# left out: behind: {challenge} has no value: it is captured from an answer",
    ]  # fmt: skip


def test_a_secret_that_is_computed_or_given_is_not_written(tmp_path: Path) -> None:
    given = {"k": Value(bytes.fromhex("A1A2A3A4"), secret=True)}
    lines = list(script_as_scriptor(load_script(write(tmp_path, COMPUTED)), given))
    assert "# left out: with a key: {hidden} has no value: it is a secret" in lines
    assert not any("A2 A3" in line for line in lines)


def test_before_what_changes_the_card_stands_a_warning(tmp_path: Path) -> None:
    text = """
[[step]]
name = "read"
apdu = "00B0000001"
[[step]]
name = "write"
apdu = "00D60000 [00]"
[[step]]
destructive = true
name = "group"
[[step.step]]
name = "authenticate"
apdu = "00880081 [00]"
"""
    lines = list(script_as_scriptor(load_script(write(tmp_path, text)), {}))
    assert lines[1:] == [
        "# read = ok", "00 B0 00 00 01",
        "# destructive", "# write = ok", "00 D6 00 00 01 00",
        "# destructive", "# authenticate = ok", "00 88 00 81 01 00",
    ]  # fmt: skip


def test_of_the_bcast_suite_only_what_needs_a_key_or_an_answer_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BCAST_UICC_K", "BCAST_UICC_PIN", "BCAST_UICC_PARENTAL_PIN", "BCAST_UICC_TABLES"):
        monkeypatch.delenv(name, raising=False)
    lines = list(script_as_scriptor(load_script(shipped_suites()["bcast"]), {}))
    left_out = [line for line in lines if line.startswith("# left out: ")]
    assert all(line.endswith(("environment variable BCAST_UICC_K", "PIN", "an answer")) for line in left_out)
    assert sum(not line.startswith("#") for line in lines) > 2 * len(left_out)


def test_an_exported_suite_runs_inside_the_usim() -> None:
    script = parse_lines(list(script_as_scriptor(load_script(shipped_suites()["usim"]), {})), "usim", "usim")
    results = list(Runner(demo_link()).run(script))
    assert results[0].status is Status.PASSED
    selected = [item for item in results if item.exchange and (item.exchange.file or "").startswith("ADF.USIM")]
    assert len(selected) > 20
