"""Keys that are pressed at a terminal, and no terminal at all."""

from __future__ import annotations

import io
import os
import pty
import sys
import termios
import time

import pytest

from host_tools.cli.interrupts import Ending
from host_tools.cli.terminal.key_presses import KeyPresses


def test_keys_need_no_enter_and_the_terminal_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    person, terminal = pty.openpty()
    with os.fdopen(person, "wb", buffering=0) as keyboard, os.fdopen(terminal) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        before = termios.tcgetattr(terminal)
        with KeyPresses(Ending()) as keys:
            assert keys.poll() is None
            keyboard.write(b"N7")
            pressed: list[str] = []
            until = time.monotonic() + 10
            while len(pressed) < 2 and time.monotonic() < until:
                key = keys.poll()
                if key is not None:
                    pressed.append(key)
            assert pressed == ["n", "7"]
            assert termios.tcgetattr(terminal) != before
        assert termios.tcgetattr(terminal) == before


def test_keys_of_more_than_one_character_are_no_letters_and_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """F1 ends in P and F2 in Q, page up has a 5: none of them zaps or ends."""
    person, terminal = pty.openpty()
    with os.fdopen(person, "wb", buffering=0) as keyboard, os.fdopen(terminal) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with KeyPresses(Ending()) as keys:
            keyboard.write(b"\x1bOP\x1bOQ\x1b[5~\x1b[A\x1b[1;5Q\x1bn" + "\u00b2".encode() + b"2\x1b")
            pressed: list[str] = []
            until = time.monotonic() + 10
            while "2" not in pressed and time.monotonic() < until:
                key = keys.poll()
                if key is not None:
                    pressed.append(key)
            assert [key for key in pressed if key.isascii()] == ["2"]
            assert keys.poll() is None


def test_a_terminal_that_goes_away_presses_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    person, terminal = pty.openpty()
    with os.fdopen(terminal) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with KeyPresses(Ending()) as keys:
            os.close(person)
            assert [keys.poll() for _ in range(3)] == [None] * 3


def test_without_a_terminal_nothing_is_pressed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("n"))
    with KeyPresses(Ending()) as keys:
        assert keys.poll() is None


def test_a_signal_that_asks_for_the_end_is_the_key_for_it() -> None:
    ending = Ending()
    with KeyPresses(ending) as keys:
        assert keys.poll() is None
        ending.ask()
        assert keys.poll() == "q"
