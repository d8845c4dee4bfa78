from __future__ import annotations

from pathlib import Path

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
        "# left out: SELECT: {fid} has no value: {c} has no value: it is captured from an answer",
    ]  # fmt: skip


def test_values_that_are_given_leave_nothing_out(tmp_path: Path) -> None:
    lines = exported(tmp_path, {"usim_aid": Value(bytes(5)), "c": Value(b"\x3f\x00")})
    assert [line for line in lines if not line.startswith("#")] == [
        "00 A4 04 0C 05 00 00 00 00 00", "00 84 00 00 04", "00 82 00 00 02 3F 00",
        "00 A4 00 0C 02 2F 00", "00 A4 00 0C 02 3F 00",
    ]  # fmt: skip


def test_an_exported_suite_runs_inside_the_usim() -> None:
    script = parse_lines(list(script_as_scriptor(load_script(shipped_suites()["usim"]), {})), "usim", "usim")
    results = list(Runner(demo_link()).run(script))
    assert results[0].status is Status.PASSED
    selected = [item for item in results if item.exchange and (item.exchange.file or "").startswith("ADF.USIM")]
    assert len(selected) > 20
