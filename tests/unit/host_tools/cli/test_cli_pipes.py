"""Whoever reads our output leaves: one exit status, however the output is printed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from card import CardProfile, create_card
from host_tools.cli.exits import ExitCode

CARD = ("--link", "inprocess", "--profile", "usim", "--pin", "1234")


@pytest.mark.parametrize(
    "arguments",
    [
        ("terminal", "info", *CARD),
        ("terminal", "info", *CARD, "--json"),
        ("card", "show", "demo.card"),
        ("card", "show", "demo.card", "--json"),
        ("doctor", "--json"),
    ],
)
def test_a_broken_pipe_has_one_exit_status(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    create_card(CardProfile.demo(), tmp_path / "demo.card").close()
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "host_tools.cli.main", *arguments],
            stdout=writer, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False, timeout=60,
        )  # fmt: skip
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (ExitCode.BROKEN_PIPE, "")
