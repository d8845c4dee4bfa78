"""Keys that are pressed at a terminal, and no terminal at all."""

from __future__ import annotations

import io
import os
import pty
import sys
import termios
import time

import pytest

from host_tools.cli.terminal.key_presses import KeyPresses


def test_keys_need_no_enter_and_the_terminal_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    person, terminal = pty.openpty()
    with os.fdopen(person, "wb", buffering=0) as keyboard, os.fdopen(terminal) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        before = termios.tcgetattr(terminal)
        with KeyPresses() as keys:
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


def test_without_a_terminal_nothing_is_pressed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("n"))
    with KeyPresses() as keys:
        assert keys.poll() is None
