"""Realism on the command line without a reader: learning, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from card import CardProfile, memory_card
from host_tools.cli.exits import ExitCode
from host_tools.cli.main import invoke
from host_tools.links.inprocess import InProcessLink
from host_tools.realism.latency import parse_latency
from host_tools.trace.jsonl import JsonLinesSink
from host_tools.trace.tracer import TracedLink, Tracer
from tests.unit.host_tools.realism.cards import SELECT


def recorded(path: Path) -> Path:
    """Write a trace of three commands."""
    with path.open("w") as file:
        link = InProcessLink(memory_card(CardProfile.demo()))
        traced = TracedLink(link, Tracer("reader", [JsonLinesSink(file)]))
        for _ in range(3):
            traced.transmit(SELECT)
        traced.close()
    return path


def test_latency_is_learned_from_a_trace(tmp_path: Path) -> None:
    learned = tmp_path / "latency.toml"
    assert invoke(["realism", "learn", str(recorded(tmp_path / "t.jsonl")), "-o", str(learned)]) == ExitCode.OK
    assert parse_latency(learned.read_text(), "x").commands.keys() == {"SELECT"}


def test_a_latency_profile_that_exists_is_replaced_only_when_asked_to(tmp_path: Path) -> None:
    trace, mine = recorded(tmp_path / "t.jsonl"), tmp_path / "latency.toml"
    mine.write_text("mine")
    assert invoke(["realism", "learn", str(trace), "-o", str(mine)]) == ExitCode.ENVIRONMENT
    assert mine.read_text() == "mine"
    assert invoke(["realism", "learn", str(trace), "-o", str(mine), "--force"]) == ExitCode.OK
    assert "SELECT" in mine.read_text()
    assert invoke(["realism", "learn", str(trace), "-o", str(trace), "--force"]) == ExitCode.USAGE


@pytest.mark.parametrize("content", ["", "no json\n"])
def test_a_trace_without_times_is_refused(tmp_path: Path, content: str) -> None:
    trace = tmp_path / "t.jsonl"
    trace.write_text(content)
    assert invoke(["realism", "learn", str(trace)]) == ExitCode.INPUT


@pytest.mark.parametrize("option", ["--latency", "--faults"])
def test_wrong_files_are_told_before_a_card_is_opened(
    tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("[nothing]\n")
    assert invoke(["run", "usim", "--fresh", option, str(wrong)]) == ExitCode.INPUT
    assert "wrong.toml:1: unknown key 'nothing'" in capsys.readouterr().err
    wrong.write_bytes(b"\xff\xfe")
    assert invoke(["run", "usim", "--fresh", option, str(wrong)]) == ExitCode.INPUT
