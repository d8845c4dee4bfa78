"""`terminal audit`, `record`, `replay`, what `play` can do beside playing, and the permissions issuer as a process."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest

from card import CardProfile, create_card
from card.profile.schema import demo_path
from card.spec.bcast.p1 import P1
from host_tools.cli.exits import ExitCode
from host_tools.cli.main import invoke
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.scenario.recorder import record
from host_tools.headend.scenario.seeded_keys import service_keys

Run = Callable[..., tuple[int, str, str]]
PROFILE = str(demo_path())
PATIENCE = 60.0


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("BCAST_UICC_PIN", "1234")

    def invoked(*arguments: object) -> tuple[int, str, str]:
        status = invoke([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return status, out, err

    return invoked


@pytest.fixture
def card(tmp_path: Path) -> tuple[object, ...]:
    """The options that name a card file and its subscriber."""
    path = tmp_path / "my.card"
    create_card(CardProfile.demo(), path).close()
    return "--link", "inprocess", "--profile", path, "--subscriber", PROFILE


def capture_of(name: str, folder: Path) -> Path:
    path = folder / f"{name}.pcap"
    path.write_bytes(record(shipped_scenario(name), tables=P1).pcap)
    return path


def without_subscriber(card: tuple[object, ...]) -> tuple[object, ...]:
    return card[:4]


class TestPlay:
    def test_decisions_are_explained(self, run: Run, card: tuple[object, ...], tmp_path: Path) -> None:
        capture = capture_of("pay_per_time", tmp_path)
        status, _, err = run("terminal", "play", capture, *card, "--scenario", "pay_per_time", "--explain")
        assert status == ExitCode.OK
        assert "TEK, paid 5 from the live PPT purse, 15 left" in err
        assert "refused, not enough credit" in err

    def test_decisions_in_json(self, run: Run, card: tuple[object, ...], tmp_path: Path) -> None:
        capture = capture_of("pay_per_time", tmp_path)
        status, out, err = run(
            "terminal", "play", capture, *card, "--scenario", "pay_per_time", "--explain", "--buy", "--json"
        )
        result = json.loads(out)
        assert (status, err) == (ExitCode.OK, "")
        assert (result["stkms"]["remedies"], result["packets"]["decrypted"]) == (1, 600)
        paid = [one["payments"] for one in result["decisions"] if one["payments"]]
        assert paid[0] == [{"source": "live_ppt", "before": 20, "after": 15}]
        assert result["decisions"][0]["protection_after_reception"] == 3

    def test_the_parental_pin(self, run: Run, card: tuple[object, ...], tmp_path: Path) -> None:
        capture = capture_of("parental", tmp_path)
        arguments = ("terminal", "play", capture, *card, "--scenario", "parental", "--json")
        status, out, _ = run(*arguments, "--parental-pin", "2580")
        assert (status, json.loads(out)["packets"]["decrypted"]) == (ExitCode.OK, 600)

    def test_a_wrong_parental_pin(self, run: Run, card: tuple[object, ...], tmp_path: Path) -> None:
        capture = capture_of("parental", tmp_path)
        status, _, err = run(
            "terminal", "play", capture, *card, "--scenario", "parental", "--parental-pin", "1111", "--json"
        )
        assert status == ExitCode.CARD
        assert "2 tries are left" in err

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            (("--buy",), "--buy needs somebody who sells"),
            (("--scenario", "demo"), "--scenario needs --profile"),
            (("--permissions-issuer", "here"), "HOST:PORT"),
            (("--permissions-issuer", "here:99999"), "HOST:PORT"),
            (("--parental-pin", "12"), "4 to 8 digits"),
        ],
    )
    def test_options_that_do_not_go_together(
        self, run: Run, tmp_path: Path, options: tuple[str, ...], words: str
    ) -> None:
        status, _, err = run("terminal", "play", tmp_path / "x.pcap", *options)
        assert status == ExitCode.USAGE
        assert words in err

    def test_ltkms_from_a_file(self, run: Run, card: tuple[object, ...], tmp_path: Path) -> None:
        capture, ltkms = tmp_path / "x.pcap", tmp_path / "ltkms.json"
        run("headend", "record", "pay_per_view", "-o", capture, "--profile", PROFILE, "--ltkms", ltkms)
        status, out, _ = run("terminal", "play", capture, *without_subscriber(card), "--ltkms", ltkms, "--json")
        assert (status, json.loads(out)["packets"]["decrypted"]) == (ExitCode.OK, 400)

    def test_a_policy_the_card_does_not_know(self, run: Run, card: tuple[object, ...], tmp_path: Path) -> None:
        text = (files("host_tools.headend") / "scenarios" / "subscribe.toml").read_text("utf-8")
        scenario = tmp_path / "odd.toml"
        scenario.write_text(text.replace("spe = 0x4  ", "spe = 0xB  "))
        capture = capture_of("subscribe", tmp_path)
        status, _, err = run("terminal", "play", capture, *card, "--scenario", scenario)
        assert status == ExitCode.DIFFERENT
        assert "the card did not take an LTKM: spe not supported" in err

    def test_a_binding_folder_without_certificates(self, run: Run, card: tuple[object, ...], tmp_path: Path) -> None:
        capture = capture_of("terminal_binding", tmp_path)
        status, _, err = run(
            "terminal", "play", capture, *card, "--scenario", "terminal_binding", "--binding", tmp_path
        )
        assert status == ExitCode.CARD
        assert "certificates" in err


class TestAudit:
    def test_an_empty_card(self, run: Run, card: tuple[object, ...]) -> None:
        status, out, _ = run("terminal", "audit", *without_subscriber(card))
        assert (status, out) == (ExitCode.OK, "The card reports no key of OMA BCAST.\n")

    def test_table_and_json(self, run: Run, card: tuple[object, ...], tmp_path: Path) -> None:
        capture = capture_of("pay_per_time", tmp_path)
        run("terminal", "play", capture, *card, "--scenario", "pay_per_time")
        status, out, _ = run("terminal", "audit", *without_subscriber(card))
        assert status == ExitCode.OK
        assert "live PPT purse 0" in re.sub(r"[\s│]+", " ", out)
        status, out, _ = run("terminal", "audit", *without_subscriber(card), "--json")
        result = json.loads(out)
        assert result["key_groups"][0]["live_ppt"] == 0
        assert [(one["spe"], one["cost"], one["first_ts"], one["last_ts"]) for one in result["policies"]] == [
            (0, 5, 1, 12)
        ]
        assert result["recordings"] == []


class TestRecordAndReplay:
    def test_watched_recorded_and_played_back_twice(self, run: Run, card: tuple[object, ...], tmp_path: Path) -> None:
        capture, film = capture_of("counted_playback", tmp_path), tmp_path / "film.bcrec"
        status, out, _ = run("terminal", "record", capture, "-o", film, *card, "--scenario", "counted_playback")
        assert status == ExitCode.OK
        assert "600 packets, 12 STKMs of 1 key\n" in out
        _, out, _ = run("terminal", "audit", *without_subscriber(card), "--json")
        (known,) = json.loads(out)["recordings"]
        assert bytes.fromhex(known["content_id"]) == b"film"
        again = ("terminal", "replay", film, *without_subscriber(card))
        for left in (1, 0):
            status, out, _ = run(*again, "--json", "--explain")
            result = json.loads(out)
            assert (status, result["pieces"][0]["packets"]["decrypted"]) == (ExitCode.OK, 600)
            assert result["decisions"][0]["payments"][0]["after"] == left
        status, _, err = run(*again)
        assert status == ExitCode.CARD
        assert "the number of play-backs is used up" in err

    def test_rewind_costs_only_without_the_teks(self, run: Run, card: tuple[object, ...], tmp_path: Path) -> None:
        capture, film = capture_of("counted_playback", tmp_path), tmp_path / "film.bcrec"
        run("terminal", "record", capture, "-o", film, *card, "--scenario", "counted_playback")
        pieces = ("--piece", "0-8", "--piece", "2-6", "--piece", "5004@8-")
        again = ("terminal", "replay", film, *without_subscriber(card), *pieces, "--json")
        status, out, _ = run(*again)
        heard = [piece["packets"]["decrypted"] for piece in json.loads(out)["pieces"]]
        assert (status, heard) == (ExitCode.OK, [400, 200, 200])
        status, out, _ = run(*again, "--forget-teks")
        assert status == ExitCode.CARD

    def test_unwatched_and_bought_later(self, run: Run, card: tuple[object, ...], tmp_path: Path) -> None:
        capture, film = capture_of("recorded", tmp_path), tmp_path / "film.bcrec"
        status, _, _ = run("terminal", "record", capture, "-o", film, "--no-card", "--content", "a film")
        assert status == ExitCode.OK
        arguments = ("terminal", "replay", film, *card, "--scenario", "recorded", "--json")
        assert run(*arguments)[0] == ExitCode.CARD
        status, out, _ = run(*arguments, "--buy", "-o", tmp_path / "heard")
        assert (status, json.loads(out)["pieces"][0]["packets"]["decrypted"]) == (ExitCode.OK, 600)
        assert [Path(file).name for file in json.loads(out)["files"]] == ["heard-5004.wav"]

    def test_a_page_of_what_was_played(self, run: Run, card: tuple[object, ...], tmp_path: Path) -> None:
        capture, page = capture_of("pay_per_time", tmp_path), tmp_path / "page.html"
        arguments = ("terminal", "play", capture, *card, "--scenario", "pay_per_time", "--report")
        status, _, err = run(*arguments, page)
        assert status == ExitCode.OK
        assert f"{page}: what happened" in err
        told = page.read_text()
        assert "400 of 600 media packets decrypted, 200 without key" in told
        assert "live PPT purse, news: 5" in told
        assert "not enough credit" in told
        assert "live pay per time, key purse, cost 5, 20 tokens" in told
        assert run(*arguments, capture)[0] == ExitCode.USAGE

    def test_a_page_of_what_was_played_back(self, run: Run, card: tuple[object, ...], tmp_path: Path) -> None:
        capture, film, page = capture_of("recorded", tmp_path), tmp_path / "film.bcrec", tmp_path / "page.html"
        assert run("terminal", "record", capture, "-o", film, "--no-card")[0] == ExitCode.OK
        arguments = ("terminal", "replay", film, *card, "--scenario", "recorded", "--buy", "--report", page)
        assert run(*arguments)[0] == ExitCode.OK
        assert "play-back" in page.read_text()

    def test_what_the_card_did_not_open_is_kept_too(self, run: Run, card: tuple[object, ...], tmp_path: Path) -> None:
        capture, film = capture_of("recorded", tmp_path), tmp_path / "film.bcrec"
        status, _, err = run("terminal", "record", capture, "-o", film, *card, "--scenario", "recorded")
        assert status == ExitCode.OK
        assert "recorded all the same" in err
        assert film.is_file()

    def test_unwatched_with_a_card_that_lacks_the_key(self, run: Run, card: tuple[object, ...], tmp_path: Path) -> None:
        capture, film = capture_of("recorded", tmp_path), tmp_path / "film.bcrec"
        status, out, err = run("terminal", "record", capture, "-o", film, *without_subscriber(card), "--unwatched")
        assert status == ExitCode.OK
        assert "600 packets" in out
        assert "keeps nothing for MSK ID 00010001" in err
        assert "6A88" in err

    @pytest.mark.parametrize("how", [("--no-card",), ("--unwatched",), ()])
    def test_a_capture_that_breaks_off_is_recorded_as_far_as_it_goes(
        self, run: Run, card: tuple[object, ...], tmp_path: Path, how: tuple[str, ...]
    ) -> None:
        capture, film = capture_of("recorded", tmp_path), tmp_path / "film.bcrec"
        capture.write_bytes(capture.read_bytes()[:-7])
        status, out, err = run("terminal", "record", capture, "-o", film, *card, "--scenario", "recorded", *how)
        assert status == ExitCode.INPUT
        assert "unreadable from byte" in err
        assert f"{film}: 599 packets" in out
        assert film.exists()

    def test_a_wrong_pin_leaves_no_recording(self, run: Run, card: tuple[object, ...], tmp_path: Path) -> None:
        capture, film = capture_of("recorded", tmp_path), tmp_path / "film.bcrec"
        status, _, err = run("terminal", "record", capture, "-o", film, *without_subscriber(card), "--pin", "9999")
        assert status == ExitCode.CARD
        assert "PIN is wrong" in err
        assert not film.exists()

    @pytest.mark.parametrize("piece", ["8-4", "x", "5-5", "1@", "99999999-"])
    def test_pieces_that_are_none(self, run: Run, tmp_path: Path, piece: str) -> None:
        assert run("terminal", "replay", tmp_path / "x", "--piece", piece)[0] == ExitCode.USAGE

    def test_a_file_that_is_no_recording(self, run: Run, card: tuple[object, ...]) -> None:
        status, _, err = run("terminal", "replay", PROFILE, *without_subscriber(card))
        assert status == ExitCode.INPUT
        assert "is no recording" in err


class TestHeadend:
    def test_check_tells_policies_and_offers(self, run: Run) -> None:
        status, out, _ = run("headend", "check", "pay_per_view")
        assert status == ExitCode.OK
        assert "tokens, SPE 7, tokens 10" in out
        assert "for sale    ten-tokens, for cinema" in out

    def test_a_pincode_is_not_shown(self, run: Run) -> None:
        _, out, _ = run("headend", "check", "parental")
        assert "PINCODE" in out
        assert "2580" not in out

    def test_a_scenario_without_binding_has_no_issuer(self, run: Run, tmp_path: Path) -> None:
        assert run("headend", "permissions", "demo", "--folder", tmp_path)[0] == ExitCode.INPUT

    def test_the_issuer_as_a_process(self, run: Run, card: tuple[object, ...], tmp_path: Path) -> None:
        capture, folder = capture_of("terminal_binding", tmp_path), tmp_path / "certificates"
        command = [sys.executable, "-u", "-m", "host_tools.cli.main", "headend", "permissions", "terminal_binding"]
        with subprocess.Popen(
            [*command, "--folder", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as issuer:
            try:
                assert issuer.stdout is not None
                address = re.search(r"at (127\.0\.0\.1:\d+)", issuer.stdout.readline())
                assert address is not None
                status, out, _ = run(
                    "terminal", "play", capture, *card, "--scenario", "terminal_binding", "--json",
                    "--binding", folder, "--permissions-issuer", address[1],
                )  # fmt: skip
                issuer.send_signal(signal.SIGINT)
                issuer.communicate(timeout=PATIENCE)
            finally:
                issuer.kill()
        assert (status, json.loads(out)["packets"]["decrypted"]) == (ExitCode.OK, 600)
        assert issuer.returncode == ExitCode.OK, "Ctrl-C is how it is meant to end"


class TestSecrets:
    def test_nothing_that_is_printed_or_recorded_holds_a_key(
        self, run: Run, card: tuple[object, ...], tmp_path: Path
    ) -> None:
        said = ""
        for name in ("parental", "counted_playback"):
            plan = shipped_scenario(name)
            capture, film = capture_of(name, tmp_path), tmp_path / f"{name}.bcrec"
            with_keys = (*card, "--scenario", name, "--parental-pin", "2580", "--explain", "-v")
            for arguments in (
                ("headend", "check", name),
                ("terminal", "record", capture, "-o", film, *with_keys),
                ("terminal", "replay", film, *with_keys, "--json"),
                ("terminal", "audit", *without_subscriber(card), "-v"),
                ("terminal", "audit", *without_subscriber(card), "--json"),
            ):
                said += "".join(run(*arguments)[1:]).lower()
            secrets = [key.key for key in service_keys(plan)]
            secrets += [key.tek for key in record(plan, tables=P1).truth.teks.values()]
            usim = CardProfile.demo().usim
            for secret in (*secrets, usim.k, usim.derive_opc()):
                assert secret.reveal().hex() not in re.sub(r"[^0-9a-f]", "", said)
                assert secret.reveal() not in film.read_bytes()
        assert b"2580".hex() + "ffffffff" not in re.sub(r"[^0-9a-f]", "", said)
        assert "stkm 00f110" in said
