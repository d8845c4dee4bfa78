"""Traces from anybody: shown, they do not steer a terminal; and written, they are there at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from host_tools.cli.main import invoke
from host_tools.script.reports import explain
from host_tools.trace.events import CardEvent, TracedExchange
from host_tools.trace.jsonl import decode_event, encode_event, read_json_lines
from host_tools.trace.sinks import file_sink
from host_tools.trace.text import TextSink
from host_tools.trace.tracer import Tracer
from tests.unit.host_tools.script.fakes import TableLink, run_text

EVIL = "a\x1b]0;owned\x07\n\u202eb\ud800"
SHOWN = "a\\x1b]0;owned\\x07\\n\\u202eb\\ud800"
LABEL = bytes.fromhex("611A 4F10 A0000000871002FFFFFFFF8907090000 5006") + b"a\x1b[31m" + b"\x90\x00"
READ = bytes.fromhex("00B2013420")  # EF_ARR of the MF
NAF = b"a\x1b[2Jb" + b"\x01\x00\x00\x00\x02"
DERIVE = bytes((0x00, 0x88, 0x00, 0x84, 2 + len(NAF), 0xDE, len(NAF))) + NAF


def hostile_lines() -> list[str]:
    """Return an exchange and a card event whose texts are all evil."""
    exchange = TracedExchange(1, 1.0, EVIL, bytes(4), b"", 0.1, error=EVIL, file=EVIL, fault=EVIL)
    return [encode_event(event) for event in (exchange, CardEvent(2, 1.0, EVIL, EVIL))]


def test_texts_of_a_trace_file_are_printable() -> None:
    exchange, card = map(decode_event, hostile_lines())
    assert isinstance(exchange, TracedExchange)
    assert isinstance(card, CardEvent)
    texts = [exchange.link, exchange.error, exchange.file, exchange.fault, card.link, card.what]
    assert texts == [SHOWN] * 6


@pytest.mark.parametrize("command", [("show",), ("show", "--brief"), ("filter",)])
def test_a_trace_file_does_not_steer_the_terminal(
    tmp_path: Path, command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    trace = tmp_path / "t.jsonl"
    trace.write_text("\n".join(hostile_lines()))
    assert invoke(["trace", *command, str(trace)]) == 0
    shown = capsys.readouterr().out
    assert SHOWN in shown
    assert all(line.isprintable() for line in shown.splitlines())
    assert len(shown.splitlines()) == (3 if command == ("show",) else 2)


def test_a_hostile_trace_can_be_turned_into_a_capture(tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl"
    card = json.loads(hostile_lines()[1])
    trace.write_text(json.dumps(card | {"atr": "3B00"}))
    assert invoke(["trace", "filter", str(trace), "-o", str(tmp_path / "t.pcapng")]) == 0
    assert SHOWN.encode() in (tmp_path / "t.pcapng").read_bytes()


def test_texts_of_a_card_do_not_steer_the_terminal(tmp_path: Path) -> None:
    lines: list[str] = []
    recorder = Tracer("reader \x1b[1m", [TextSink(lines.append)])
    recorder.exchange(READ, LABEL, 0.1)
    recorder.exchange(DERIVE, bytes.fromhex("DB10") + bytes(16) + b"\x90\x00", 0.1)
    assert any("a\\x1b[31m" in line for line in lines)
    assert any("Ks_int_NAF for a\\x1b[2Jb" in line for line in lines)
    assert all(line.isprintable() for event in lines for line in event.split("\n"))
    step = '[[step]]\nname = "label"\napdu = "00B2013420"\nsw = "6A82"\n'
    (result,) = run_text(tmp_path, step, TableLink({"00B2": LABEL}))
    assert "a\\x1b[31m" in "".join(explain(result))
    assert all(line.isprintable() for line in explain(result))


@pytest.mark.parametrize("name", ["t.jsonl", "t.pcapng"])
def test_an_event_is_in_the_file_before_the_sink_is_closed(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    sink = file_sink(path)
    recorder = Tracer("reader", [sink])
    sizes = []
    for _ in range(3):
        recorder.exchange(bytes.fromhex("0084000002"), bytes.fromhex("AABB9000"), 0.1)
        sizes.append(path.stat().st_size)
    assert 0 < sizes[0] < sizes[1] < sizes[2]
    copy = tmp_path / f"copy-{name}"  # what is left when the process is killed
    copy.write_bytes(path.read_bytes())
    assert invoke(["trace", "filter", str(copy), "-o", str(tmp_path / "all.jsonl")]) == 0
    assert len(list(read_json_lines(tmp_path / "all.jsonl"))) == 3
    sink.close()
    assert path.stat().st_size == sizes[2]
