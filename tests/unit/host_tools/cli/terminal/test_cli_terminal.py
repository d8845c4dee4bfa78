"""`bcast-uicc terminal` with a card in the process: results, and each error as one sentence with its exit code."""

from __future__ import annotations

import json
import os
import wave
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from card import CardProfile, create_card
from card.profile.schema import demo_path
from card.spec.bcast.p1 import P1
from host_tools.cli.exits import ExitCode
from host_tools.cli.main import invoke
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.scenario.recorder import record
from host_tools.links.base import ReaderGone
from host_tools.links.inprocess import InProcessLink

Run = Callable[..., tuple[int, str, str]]
PROFILE = str(demo_path())
CARD = ("--link", "inprocess", "--profile", PROFILE)
WITH_KEYS = (*CARD, "--pin", "1234", "--scenario", "demo")


@pytest.fixture(scope="module")
def pcap() -> bytes:
    return record(shipped_scenario("demo"), tables=P1).pcap


@pytest.fixture
def capture(pcap: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "demo.pcap"
    path.write_bytes(pcap)
    return path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.delenv("BCAST_UICC_PIN", raising=False)

    def invoked(*arguments: object) -> tuple[int, str, str]:
        status = invoke([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return status, out, err

    return invoked


class TestPlay:
    def test_json_is_all_there_is_on_standard_output(self, run: Run, capture: Path, tmp_path: Path) -> None:
        status, out, err = run("terminal", "play", capture, *WITH_KEYS, "--json", "-o", tmp_path / "heard")
        result = json.loads(out)
        assert (status, err) == (ExitCode.OK, "")
        assert result["stkms"]["refused"] == 0
        assert result["packets"]["decrypted"] == result["packets"]["seen"] == 1200
        assert [Path(stream["file"]).name for stream in result["streams"]] == ["heard-5004.wav", "heard-5006.wav"]
        with wave.open(str(tmp_path / "heard-5004.wav")) as audio:
            assert audio.getframerate() == 8000
            assert audio.getnframes() == 14 * 8000

    def test_the_table_names_the_counters(self, run: Run, capture: Path) -> None:
        status, out, _ = run("terminal", "play", capture, *WITH_KEYS)
        assert status == ExitCode.OK
        for word in ("STKMs seen", "resent", "refused", "TEKs obtained", "decrypted", "median", "p99"):
            assert word in out

    def test_the_pin_may_come_from_the_environment(
        self, run: Run, capture: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BCAST_UICC_PIN", "1234")
        status, _, _ = run("terminal", "play", capture, *CARD, "--scenario", "demo")
        assert status == ExitCode.OK

    def test_a_person_is_asked_for_the_pin(self, run: Run, capture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
        monkeypatch.setattr("click.prompt", lambda *_arguments, **_options: "1234")
        status, _, _ = run("terminal", "play", capture, *CARD, "--scenario", "demo")
        assert status == ExitCode.OK

    def test_a_trace_shows_no_pin_and_no_key(self, run: Run, capture: Path) -> None:
        status, _, err = run("terminal", "play", capture, *WITH_KEYS, "-v")
        assert status == ExitCode.OK
        assert "VERIFY PIN 1" in err
        assert "31323334FFFFFFFF" not in err  # the digits alone are in the IMPI too
        assert "00 20 00 01 08 ·· ··" in err
        truth = record(shipped_scenario("demo"), tables=P1).truth
        assert not [name for name, key in truth.teks.items() if key.tek.reveal().hex() in err.lower()]

    def test_ltkms_from_a_file(self, run: Run, capture: Path, tmp_path: Path) -> None:
        ltkms, other = tmp_path / "ltkms.json", tmp_path / "other.pcap"
        status, _, _ = run("headend", "record", "demo", "--profile", PROFILE, "-o", other, "--ltkms", ltkms)
        assert status == ExitCode.OK
        status, out, _ = run("terminal", "play", other, *CARD, "--pin", "1234", "--ltkms", ltkms, "--json")
        assert status == ExitCode.OK
        assert json.loads(out)["packets"]["decrypted"] == 1200

    def test_one_media_port_alone(self, run: Run, capture: Path) -> None:
        _, out, _ = run("terminal", "play", capture, *WITH_KEYS, "--media", "5006", "--json")
        assert json.loads(out)["packets"]["seen"] == 500


class TestErrors:
    def check(self, outcome: tuple[int, str, str], code: ExitCode, *words: str) -> None:
        status, out, err = outcome
        assert (status, out) == (code, "")
        assert len(err.strip().splitlines()) == 1
        for word in words:
            assert word in err

    def test_wrong_pin(self, run: Run, capture: Path) -> None:
        outcome = run("terminal", "play", capture, *CARD, "--pin", "9999", "--json")
        self.check(outcome, ExitCode.CARD, "PIN is wrong", "2 tries are left")
        assert "9999" not in outcome[2]

    def test_blocked_pin(self, run: Run, capture: Path, tmp_path: Path) -> None:
        card_file = tmp_path / "demo.card"
        create_card(CardProfile.demo(), card_file).close()
        card = ("--link", "inprocess", "--profile", card_file, "--pin", "9999")
        outcomes = [run("terminal", "info", *card) for _ in range(3)]
        self.check(outcomes[1], ExitCode.CARD, "1 try is left")
        self.check(outcomes[2], ExitCode.CARD, "blocked", "PUK")

    def test_no_pin(self, run: Run, capture: Path) -> None:
        self.check(run("terminal", "play", capture, *CARD), ExitCode.CARD, "BCAST_UICC_PIN")

    def test_a_pin_that_is_none_is_not_shown(self, run: Run, capture: Path) -> None:
        status, _, err = run("terminal", "play", capture, *CARD, "--pin", "12a4")
        assert status == ExitCode.USAGE
        assert "4 to 8 digits" in err
        assert "12a4" not in err

    def test_card_file_in_use(self, run: Run, capture: Path, tmp_path: Path) -> None:
        card_file = tmp_path / "demo.card"
        card = create_card(CardProfile.demo(), card_file)
        try:
            arguments = ("--link", "inprocess", "--profile", card_file, "--pin", "1234")
            self.check(run("terminal", "info", *arguments), ExitCode.LOCKED, str(os.getpid()))
        finally:
            card.close()

    def test_capture_that_is_not_there(self, run: Run, tmp_path: Path) -> None:
        self.check(run("terminal", "play", tmp_path / "none.pcap", *WITH_KEYS), ExitCode.INPUT, "none.pcap")

    def test_foreign_file(self, run: Run, tmp_path: Path) -> None:
        path = tmp_path / "letter.txt"
        path.write_text("Dear reader, this is no capture at all.")
        self.check(run("terminal", "play", path, *WITH_KEYS), ExitCode.INPUT, "letter.txt")

    def test_truncated_capture_is_played_as_far_as_it_goes(self, run: Run, capture: Path) -> None:
        capture.write_bytes(capture.read_bytes()[:-7])
        status, out, err = run("terminal", "play", capture, *WITH_KEYS, "--json")
        assert status == ExitCode.INPUT
        assert json.loads(out)["packets"]["decrypted"] == 1199
        assert "unreadable from byte" in err

    def test_no_stkm_in_the_capture(self, run: Run, capture: Path) -> None:
        outcome = run("terminal", "play", capture, *WITH_KEYS, "--stkm-port", "4000")
        self.check(outcome, ExitCode.INPUT, "no STKM on UDP port 4000", "packets read")

    def test_a_card_without_keys(self, run: Run, capture: Path) -> None:
        status, out, err = run("terminal", "play", capture, *CARD, "--pin", "1234")
        assert status == ExitCode.CARD
        assert "no traffic key" in err
        assert "6A88" in out

    def test_scenario_for_another_subscriber(self, run: Run, capture: Path, tmp_path: Path) -> None:
        other = tmp_path / "other.toml"
        other.write_text(Path(PROFILE).read_text().replace("001010123456789", "001010123456780"))
        arguments = ("--link", "inprocess", "--profile", other, "--pin", "1234", "--scenario", "demo")
        self.check(run("terminal", "play", capture, *arguments), ExitCode.INPUT, "001010123456780")

    def test_wrong_file_of_ltkms(self, run: Run, capture: Path, tmp_path: Path) -> None:
        path = tmp_path / "ltkms.json"
        path.write_text("[]")
        outcome = run("terminal", "play", capture, *CARD, "--pin", "1234", "--ltkms", path)
        self.check(outcome, ExitCode.INPUT, "ltkms.json")

    def test_reader_vanishes_in_the_middle(self, run: Run, capture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = InProcessLink.transmit
        calls = iter(range(1000))

        def vanishing(link: InProcessLink, apdu: bytes) -> bytes:
            if next(calls) > 34:
                raise ReaderGone("The card in reader “X” vanished while it was in use.")
            return whole(link, apdu)

        monkeypatch.setattr(InProcessLink, "transmit", vanishing)
        status, out, err = run("terminal", "play", capture, *WITH_KEYS)
        assert (status, err.count("\n")) == (ExitCode.ENVIRONMENT, 1)
        assert "vanished" in err
        assert "STKMs seen" in out

    @pytest.mark.parametrize(
        "arguments",
        [
            ("--scenario", "demo"),
            ("--link", "inprocess"),
            ("--profile", PROFILE, "--scenario", "demo", "--ltkms", "x.json"),
            ("--media", "0"),
        ],
    )
    def test_options_that_do_not_go_together(self, run: Run, capture: Path, arguments: tuple[str, ...]) -> None:
        status, _, err = run("terminal", "play", capture, "--pin", "1234", *arguments)
        assert status == ExitCode.USAGE
        assert "Error:" in err


class TestInfo:
    def test_json(self, run: Run) -> None:
        status, out, _ = run("terminal", "info", *CARD, "--pin", "1234", "--json")
        result = json.loads(out)
        assert status == ExitCode.OK
        assert result["imsi"] == "001010123456789"
        assert result["applications"][0]["aid"].startswith("A0000000871002")
        assert [one["name"] for one in result["applications"]] == ["USIM", "ISIM"]
        assert {68, 69} <= set(result["services"])
        assert result["pin_tries_left"] == 3

    def test_table(self, run: Run) -> None:
        status, out, _ = run("terminal", "info", *CARD, "--pin", "1234")
        assert status == ExitCode.OK
        assert "MBMS security" in out


class TestDemo:
    def test_in_process_says_so_and_ends_well(self, run: Run, tmp_path: Path) -> None:
        folder = tmp_path / "kept"
        status, out, _ = run("demo", "--link", "inprocess", "--keep", folder)
        assert status == ExitCode.OK
        assert "neither pcscd nor vpcd" in out
        names = sorted(path.name for path in folder.iterdir())
        assert {"broadcast-5004.wav", "broadcast-5006.wav", "broadcast.pcap", "demo.card"} <= set(names)

    def test_json(self, run: Run) -> None:
        status, out, _ = run("demo", "--link", "inprocess", "--no-keep", "--json")
        result = json.loads(out)
        assert status == ExitCode.OK
        assert (result["differences"], result["files"]) == ([], [])
        assert (result["sek_roll_overs"], result["service_switches"]) == (1, 1)

    def test_the_audio_is_kept_and_it_says_where(
        self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        for _ in range(2):
            status, out, _ = run("demo", "--link", "inprocess", "--json")
            assert status == ExitCode.OK
            assert json.loads(out)["files"] == ["bcast-demo/broadcast-5004.wav", "bcast-demo/broadcast-5006.wav"]
            assert json.loads(out)["page"] == "bcast-demo/broadcast.html"
        assert "1200 of 1200 media packets decrypted" in Path("bcast-demo/broadcast.html").read_text()
        assert [path.name for path in tmp_path.iterdir()] == ["bcast-demo"]
        with wave.open("bcast-demo/broadcast-5004.wav") as audio:
            assert audio.getnframes() == 14 * 8000
        assert "bcast-demo/broadcast-5004.wav" in run("demo", "--link", "inprocess")[1]

    def test_where_no_audio_can_be_written_it_says_so_at_once(
        self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "bcast-demo").write_text("mine")
        status, out, err = run("demo", "--link", "inprocess")
        assert (status, out) == (ExitCode.ENVIRONMENT, "")
        assert "--no-keep" in err

    def test_its_ltkms_come_in_blocks(self, run: Run) -> None:
        _, _, err = run("demo", "--link", "inprocess", "--no-keep", "-v")
        assert err.count("63F1") >= 3

    def test_a_difference_is_exit_code_1(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        from host_tools.headend.scenario.usim import UsimNetwork

        truth = record(shipped_scenario("demo"), tables=P1).truth
        monkeypatch.setattr(UsimNetwork, "truth", type(truth)(truth.teks, {}, truth.ports, 1, 1))
        status, out, err = run("demo", "--link", "inprocess", "--no-keep")
        assert status == ExitCode.DIFFERENT
        assert "differs from the head-end's own" in err
        assert "STKMs seen: 48 instead of 1" in " ".join(out.split())

    def test_without_pcscd_it_names_the_other_way(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("vpicc_bridge.pcscd.find_program", lambda _name: None)
        status, _, err = run("demo")
        assert status == ExitCode.ENVIRONMENT
        assert "pcscd is not installed" in err
        assert "--link inprocess" in err

    def test_a_folder_in_use_is_refused(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "mine.txt").write_text("mine")
        status, _, err = run("demo", "--link", "inprocess", "--keep", tmp_path)
        assert status == ExitCode.USAGE
        assert "not empty" in err
        assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]

    def test_no_temporary_folder_stays(self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        run("demo", "--link", "inprocess", "--no-keep", "--json")
        assert list(tmp_path.iterdir()) == []
