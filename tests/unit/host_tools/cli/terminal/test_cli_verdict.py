"""What playing and replaying say when the card gives keys that open nothing: TEKs bound to a terminal."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from card.profile.schema import demo_path
from host_tools.cli.exits import ExitCode, explain
from host_tools.cli.main import invoke
from host_tools.content.captures.pcap import CaptureReport
from host_tools.content.known import KNOWN
from host_tools.sessions.errors import SessionError
from host_tools.sessions.events import NoListener
from host_tools.sessions.verdict import judge
from host_tools.terminal.player import PlayOptions
from host_tools.terminal.statistics import PlayStatistics

WITH_KEYS = (
    "--link", "inprocess", "--profile", str(demo_path()), "--pin", "1234", "--scenario", "terminal_binding"
)  # fmt: skip


@pytest.fixture
def broadcast(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = tmp_path / "bound.pcap"
    assert invoke(["headend", "record", "terminal_binding", "-o", str(path)]) == ExitCode.OK
    capsys.readouterr()
    return path


def test_playing_with_bound_keys(broadcast: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["terminal", "play", str(broadcast), *WITH_KEYS]) == ExitCode.DIFFERENT
    said = capsys.readouterr().err
    assert "none of 600 media packets opens" in said
    assert "--binding" in said


def test_replaying_with_bound_keys(broadcast: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording = broadcast.with_name("recording.pcap")
    assert invoke(["terminal", "record", str(broadcast), "-o", str(recording), "--no-card"]) == ExitCode.OK
    capsys.readouterr()
    assert invoke(["terminal", "replay", str(recording), *WITH_KEYS]) == ExitCode.DIFFERENT
    shown = capsys.readouterr()
    assert "None of 600 media packets opens" in shown.err
    assert "--binding" in shown.err
    assert "600" in shown.out  # the counters are printed all the same


def test_a_piece_without_media_is_no_failure(broadcast: Path) -> None:
    recording = broadcast.with_name("recording.pcap")
    assert invoke(["terminal", "record", str(broadcast), "-o", str(recording), "--no-card"]) == ExitCode.OK
    assert invoke(["terminal", "replay", str(recording), *WITH_KEYS, "--piece", "500-501"]) == ExitCode.OK


def test_a_card_without_keys_says_where_they_come_from(broadcast: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["terminal", "play", str(broadcast), *WITH_KEYS[:-2]]) == ExitCode.CARD
    assert "get it with --network, --scenario or --ltkms" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("counted", "status", "said"),
    [
        (PlayStatistics(stkms_seen=3, stkms_stale=3), ExitCode.CARD, "it was given each of these STKMs before"),
        (
            PlayStatistics(
                stkms_seen=1,
                teks=1,
                unplayable=Counter(("no key of 24 bytes",)),
                packets_seen=5,
                packets_without_key=5,
            ),
            ExitCode.DIFFERENT,
            "no key of 24 bytes",
        ),
    ],
)
def test_what_the_counters_say(counted: PlayStatistics, status: int, said: str) -> None:
    with pytest.raises(SessionError, match=said) as raised:
        judge(Path("x.pcap"), counted, CaptureReport(), PlayOptions(KNOWN), NoListener())
    known = explain(raised.value)
    assert known is not None
    assert known.exit_code == status
