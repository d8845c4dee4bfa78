"""A terminal's start-up is answered as recorded, byte for byte."""

from __future__ import annotations

from tests.golden.startup import TRANSCRIPT, card, commands
from tests.support.testcard import TestCard


def exchanges() -> list[tuple[str, str, str]]:
    """Return note, command and response of every exchange in the transcript."""
    lines = TRANSCRIPT.read_text("ascii").splitlines()[1:]
    groups = zip(lines[::3], lines[1::3], lines[2::3], strict=True)
    return [(note[2:], command[2:], response[2:]) for note, command, response in groups]


def test_the_transcript_holds_the_commands_of_the_script() -> None:
    assert [(note, command) for note, command, _ in exchanges()] == list(commands())


def test_every_answer_is_the_recorded_one() -> None:
    terminal: TestCard = card()
    for note, command, response in exchanges():
        answer = terminal.send(command)
        assert answer.data + answer.sw == response, f"{note}: {command}"


def test_every_step_of_the_start_up_succeeds() -> None:
    good = ("90", "91", "61", "63C3", "6C")
    for note, command, response in exchanges():
        assert response[-4:].startswith(good), f"{note}: {command} was answered {response[-4:]}"
