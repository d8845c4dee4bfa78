"""What scripts must never do to a card."""

from __future__ import annotations

from pathlib import Path

import pytest

from card.codec.apdu import CommandApdu
from card.crypto.secret import Secret
from host_tools.apdu.client import ApduClient
from host_tools.script.capabilities import probe_card
from host_tools.script.results import Status
from host_tools.script.runner import RunOptions
from host_tools.script.safety import RefusedPins, pin_objection
from tests.unit.host_tools.script.fakes import ICCID, PIN, TableLink, demo_link, run_text, statuses

VERIFY_WRONG = '[[step]]\napdu = "00200001 08 39393939FFFFFFFF"\nsw = "63CX"\n'
SELECT = '[[step]]\napdu = "00A4040C [{usim_aid}]"\n'


def test_a_wrong_pin_is_never_tried_to_the_end(tmp_path: Path) -> None:
    link = demo_link()
    results = run_text(tmp_path, SELECT + VERIFY_WRONG * 6, link, RunOptions(pin=Secret(PIN)))
    assert statuses(results) == ["passed", "passed", "passed", "skipped", "skipped", "skipped", "skipped"]
    assert "has 1 tries left; below two none is made" in results[-1].reason
    assert link.transmit(bytes.fromhex("00200001")) == b"\x63\xc1"


@pytest.mark.parametrize("left", [0, 1])
def test_the_runner_itself_gives_no_pin_with_fewer_than_two_tries(left: int) -> None:
    entry = bytes.fromhex("61094F07A0000000871002")
    link = TableLink(
        {
            "00A4": bytes.fromhex("620E8205422100300183022F008A01059000"),
            "00B2": entry + b"\x90\x00",
            "00200001": bytes((0x63, 0xC0 | left)),
        }
    )
    probe_card(ApduClient(link), Secret(PIN), RefusedPins())
    assert "00200001" in link.sent
    assert not [text for text in link.sent if text.startswith("0020000108")]


@pytest.mark.parametrize(
    ("command", "answer", "objects"),
    [
        ("0020000108", "63C3", False),
        ("0020000108", "63C2", False),
        ("0020000108", "63C1", True),
        ("0020000108", "6983", True),
        ("0020000108", "6A88", True),
        ("0020000108", "9000", False),
        ("0020000108", "6984", False),
        ("0028000108", "6984", True),
        ("0024000108", "63C1", True),
        ("002C000110", "63CA", False),
        ("002C000110", "63C1", True),
        ("A020000108", "9000", True),
        ("0020000100", "63C0", False),
        ("00B0000008", "63C0", False),
    ],
)
def test_objection(command: str, answer: str, objects: bool) -> None:
    cla, ins, p1, p2, size = bytes.fromhex(command)
    apdu = CommandApdu(cla, ins, p1, p2, bytes(size))
    link = TableLink({command[:2]: bytes.fromhex(answer)})
    assert bool(pin_objection(ApduClient(link), apdu)) is objects


DESTRUCTIVE = SELECT + '[[step]]\nname = "write"\napdu = "00D60000 01 00"\nsw = "XXXX"\ndestructive = true\n'


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (RunOptions(), Status.SKIPPED, "asked for with --destructive"),
        (RunOptions(destructive=True), Status.SKIPPED, f"({ICCID}) is not on the list"),
        (RunOptions(destructive=True, allowed_iccids=frozenset({"1"})), Status.SKIPPED, "is not on the list"),
        (RunOptions(destructive=True, allowed_iccids=frozenset({ICCID})), Status.PASSED, ""),
    ],
)
def test_destruction_needs_the_option_and_the_right_card(
    tmp_path: Path, options: RunOptions, status: Status, words: str
) -> None:
    result = run_text(tmp_path, DESTRUCTIVE, demo_link(), options)[-1]
    assert result.status is status
    assert words in result.reason


def test_a_card_without_an_iccid_is_never_changed(tmp_path: Path) -> None:
    text = '[[step]]\napdu = "00D60000 01 00"\ndestructive = true\n'
    link = TableLink({"00D6": b"\x90\x00"})
    options = RunOptions(destructive=True, allowed_iccids=frozenset({""}))
    assert statuses(run_text(tmp_path, text, link, options)) == ["skipped"]
    assert not [sent for sent in link.sent if sent.startswith("00D6")]


@pytest.mark.parametrize("command", ["00FE0000", "00E80000", "00E6000002 7F10", "00E400000 26F00", "80E2000001 00"])
def test_irreversible_commands_count_as_destructive_unmarked(tmp_path: Path, command: str) -> None:
    link = TableLink({"": b"\x90\x00"})
    (result,) = run_text(tmp_path, f'[[step]]\napdu = "{command.replace(" ", "")}"\n', link)
    assert result.status is Status.SKIPPED
    assert "destructive" in result.reason
    assert not [sent for sent in link.sent if sent == command.replace(" ", "")]
