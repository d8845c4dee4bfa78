from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

from card.tables.problems import Place
from host_tools.script.reports import JsonReport, JunitReport
from host_tools.script.results import Aspect, Difference, Status, StepResult
from host_tools.trace.events import TracedExchange

HOSTILE = 'a"<&>\x00\x1b]]>\ud800'


def result(number: int, status: Status = Status.PASSED, script: str = "one", **changes: object) -> StepResult:
    fields: dict[str, object] = {"name": f"step {number}", "clause": "TS 1", "seconds": 0.25, **changes}
    place = Place("one.toml", number)
    return StepResult(script=script, number=number, place=place, status=status, **fields)  # type: ignore[arg-type]


RESULTS = [
    result(1),
    result(2, Status.FAILED, name=HOSTILE, differences=(Difference(Aspect.DATA, HOSTILE, "x"),),
           exchange=TracedExchange(1, 0.0, "r", b"\x00\xb0\x00\x00", b"\x90\x00", 0.1)),
    result(3, Status.ERROR, reason=HOSTILE),
    result(4, Status.SKIPPED, script="two", reason="not here"),
]  # fmt: skip


def test_junit(tmp_path: Path) -> None:
    path = tmp_path / "r.xml"
    report = JunitReport(path.open("w", encoding="utf-8"))
    for item in RESULTS:
        report.add(item)
    report.close()
    report.close()
    suites = ElementTree.parse(path).getroot()
    assert [(suite.get("name"), suite.get("tests"), suite.get("failures"), suite.get("errors"), suite.get("skipped"))
            for suite in suites] == [("one", "3", "1", "1", "0"), ("two", "1", "0", "0", "1")]  # fmt: skip
    cases = list(suites.iter("testcase"))
    assert [[child.tag for child in case] for case in cases] == [[], ["failure"], ["error"], ["skipped"]]
    failure = cases[1][0]
    assert failure.text is not None
    assert "00 B0 00 00" in failure.text
    assert cases[0].get("time") == "0.250000"


def test_junit_of_nothing_is_still_xml(tmp_path: Path) -> None:
    JunitReport((tmp_path / "r.xml").open("w", encoding="utf-8")).close()
    assert list(ElementTree.parse(tmp_path / "r.xml").getroot()) == []


def test_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    report = JsonReport(path.open("w", encoding="utf-8"))
    for item in RESULTS:
        report.add(item)
    report.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line.get("status") for line in lines] == ["passed", "failed", "error", "skipped", None]
    assert lines[-1]["summary"] == {
        "passed": 1, "failed": 1, "errors": 1, "skipped": 1, "seconds": 1.0, "good": False,
        "interrupted": False,
    }  # fmt: skip
    assert lines[1]["command"] == "00 B0 00 00"


def test_secret_spans_stay_out_of_reports(tmp_path: Path) -> None:
    exchange = TracedExchange(1, 0.0, "r", bytes(13), bytes(2), 0.1, hidden_command=((5, 13),))
    path = tmp_path / "r.jsonl"
    report = JsonReport(path.open("w", encoding="utf-8"))
    report.add(result(1, exchange=exchange, response=b"\xaa\xbb\x90\x00"))
    report.close()
    text = path.read_text()
    assert json.loads(text.splitlines()[0])["command"].count("··") == 8
    assert "AABB" not in text.upper()
