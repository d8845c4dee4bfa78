"""The plugin as its users meet it: pytest in a process of its own, on suites that pass, fail and are mistaken."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.meta.tree import ROOT

EXAMPLES = ROOT / "docs" / "examples"
PATIENCE = 120.0

Run = Callable[..., "Outcome"]


class Outcome:
    """What a run of pytest came to."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.text = done.stdout + done.stderr
        self.status = done.returncode

    def count(self, what: str) -> int:
        found = re.search(rf"(\d+) {what}", self.text.strip().splitlines()[-1])
        return int(found.group(1)) if found else 0


def run_pytest(folder: Path, *arguments: str) -> Outcome:
    """Run pytest on `folder` as a user would; `--rootdir` keeps this project's settings out."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, str(folder)]
    return Outcome(subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False))


@pytest.fixture
def suite(tmp_path: Path) -> Run:
    """Run a suite given as text."""

    def run(text: str, *arguments: str, ini: str = "") -> Outcome:
        (tmp_path / "pytest.ini").write_text(f"[pytest]\naddopts = --strict-markers\n{ini}")
        (tmp_path / "test_suite.py").write_text(textwrap.dedent(text))
        return run_pytest(tmp_path, *arguments)

    return run


@pytest.mark.pcscd
@pytest.mark.parametrize("workers", ["0", "2"])
def test_the_example_suite_passes_alone_and_in_parallel(workers: str) -> None:
    outcome = run_pytest(EXAMPLES, "-n", workers)
    assert (outcome.status, outcome.count("passed")) == (0, 7), outcome.text


@pytest.mark.pcscd
def test_readers_are_used_again_and_several_stand_side_by_side(suite: Run) -> None:
    outcome = suite(
        """
        import pytest
        from card import CardProfile, memory_card

        @pytest.mark.parametrize("number", range(3))
        def test_each_time_a_new_card(virtual_reader, number):
            card = virtual_reader.open()
            assert card.send("002000010831313131FFFFFFFF").sw == 0x63C2
            card.close()

        def test_no_slot_is_left(virtual_reader, insert_card):
            second = insert_card(memory_card(CardProfile.demo("usim-t1")))
            assert second.name != virtual_reader.name
            with pytest.raises(Exception, match="uicc_slots"):
                insert_card(memory_card(CardProfile.demo()))
        """,
        ini="uicc_slots = 2\n",
    )
    assert (outcome.status, outcome.count("passed")) == (0, 4), outcome.text


def test_a_wrong_status_word_is_explained_with_what_led_to_it(suite: Run) -> None:
    outcome = suite(
        """
        def test_select(uicc):
            assert uicc.send("00A40004022F77").sw == 0x9000
        """
    )
    assert outcome.count("failed") == 1
    assert "status word 6A82 != 9000" in outcome.text
    assert "answered 6A82: file not found" in outcome.text
    assert "SELECT by FID 2F77" in outcome.text


def test_wrong_data_are_explained_by_their_tag(suite: Run) -> None:
    outcome = suite(
        """
        def test_value(uicc):
            data = uicc.send("00A40004023F0000").data
            assert data == data.replace(bytes.fromhex("83023F00"), bytes.fromhex("83023F01"))

        def test_missing(uicc):
            uicc.send("00A40004023F0000").tlv("62/99")
        """
    )
    assert outcome.count("failed") == 2
    assert "byte 9 is 00 against 01, in tag 62/83 (file id)" in outcome.text
    assert re.search(r"no data object 62/99; the card answered 9000.*, with 62, 62/82, 62/83", outcome.text)


def test_a_wrong_data_object_is_named(suite: Run) -> None:
    outcome = suite(
        """
        def test_descriptor(uicc):
            assert uicc.send("00A40004023F0000").tlv("62/82") == bytes.fromhex("4121")
        """
    )
    assert re.search(r"TLV 62/82 \([^)]*descriptor\): 78 21, wanted 41 21", outcome.text), outcome.text


@pytest.mark.parametrize(("apdu", "why"), [("00A4zz", "'z' is no hex digit"), ("00A40", "a byte has two digits")])
def test_bad_hex_is_a_decode_error(suite: Run, apdu: str, why: str) -> None:
    outcome = suite(
        f"""
        import pytest
        from card.errors import DecodeError

        def test_send(uicc):
            for send in (uicc.send, uicc.send_raw):
                with pytest.raises(DecodeError, match={why!r}):
                    send({apdu!r})
        """
    )
    assert outcome.status == 0, outcome.text


IN_A_READER = """
from smartcard.System import readers

class Kept:
    connection = None

def test_who_asks_does_not_matter(virtual_reader):
    (reader,) = (item for item in readers() if str(item) == virtual_reader.name)
    Kept.connection = reader.createConnection()
    Kept.connection.connect()
    Kept.connection.transmit(list(bytes.fromhex("002000010831323334FFFFFFFF")))
    assert Kept.connection.transmit(list(bytes.fromhex("00A40004022F77")))[1:] == (0x90, 0x00)

def test_a_card_closes_itself(virtual_reader):
    with virtual_reader.open() as card:
        assert card.send("00A40004023F00").ok
        assert card.reset() == card.atr
        assert card.link.name == virtual_reader.name
    card.close()  # twice is harmless

def test_a_wrong_status_word(virtual_reader):
    with virtual_reader.open() as card:
        assert card.send_raw("00A40004022F78").sw == 0x9000

def test_a_wrong_object(virtual_reader):
    with virtual_reader.open() as card:
        assert card.send("00A40004023F0000").tlv("62/82") == bytes.fromhex("4121")
"""


@pytest.mark.pcscd
def test_a_failure_in_a_reader_shows_the_transcript_and_nothing_is_left_behind(suite: Run) -> None:
    outcome = suite(IN_A_READER)
    assert (outcome.count("failed"), outcome.count("passed")) == (3, 1), outcome.text
    assert re.search(r"what the card in “Virtual PCD .*” was asked and answered", outcome.text)
    assert "SELECT by FID 2F77" in outcome.text
    assert "status word 6A82 != 9000" in outcome.text
    assert re.search(r"TLV 62/82 \([^)]*descriptor\): 78 21, wanted 41 21", outcome.text), outcome.text
    shown = outcome.text.partition("was asked and answered")[2].replace(" ", "")
    assert "31323334FFFF" not in shown
    assert "Exception ignored" not in outcome.text
    assert "Unraisable" not in outcome.text


def test_a_failure_shows_no_pin_and_no_key(suite: Run) -> None:
    outcome = suite(
        """
        def test_keys(uicc, uicc_profile):
            assert uicc.send("002000010831323334FFFFFFFF").sw == 0x9000
            aid = uicc_profile.usim.aid
            assert uicc.send(b"\\x00\\xa4\\x04\\x0c" + bytes([len(aid)]) + aid).sw == 0x9000
            answer = uicc.send("0088008011 10" + "5A" * 16 + "00")
            assert answer.sw == 0x9000
            assert len(answer.data) == 14
            print("Kc is", answer.data[5:13].hex())
            assert answer.data == b"other"
        """
    )
    assert outcome.count("failed") == 1
    kc = re.search(r"Kc is (\w{16})", outcome.text)
    assert kc is not None
    shown = re.sub(r"Kc is \w+", "", outcome.text).replace(" ", "").lower()
    assert "notshown:theymayholdakey" in shown
    assert kc.group(1) not in shown
    assert "31323334ffffffff->" not in shown
    assert "0020000108··" in shown


MISTAKES = """
import pytest

@pytest.mark.uicc_profile('nobody')
def test_unknown_profile(uicc): pass

@pytest.mark.uicc_profile('gone.toml')
def test_profile_file_that_is_gone(uicc): pass

@pytest.mark.uicc_profile()
def test_no_profile(uicc): pass

@pytest.mark.uicc_scenario('nobody')
def test_unknown_scenario(headend): pass

@pytest.mark.uicc_profile('usim-t1')
def test_another_subscriber(headend): pass

def test_no_slots(virtual_reader): pass
"""


def test_mistakes_are_told_in_a_sentence(suite: Run) -> None:
    outcome = suite(MISTAKES, ini="uicc_slots = many\n")
    assert outcome.count("error") == 6
    for sentence in (
        "card profile 'nobody'", "card profile 'gone.toml'", "takes one name or file", "scenario 'nobody'",
        "is for IMSI", "uicc_slots: a number from 1 to 16, not 'many'",
    ):  # fmt: skip
        assert sentence in outcome.text
    assert "Traceback" not in outcome.text


def test_markers_and_fixtures_are_declared(suite: Run) -> None:
    text = suite("", "--markers", "--fixtures").text + suite("", "--fixtures").text
    for name in ("uicc_profile", "uicc_scenario", "uicc", "virtual_reader", "headend", "subscriber", "insert_card"):
        assert re.search(rf"^(@pytest\.mark\.)?{name}\b", text, re.MULTILINE), name
