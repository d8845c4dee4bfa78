"""The root of the command line: lazy subcommands, one-sentence errors, exit codes."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from types import ModuleType

import click
import pytest

from card import errors
from host_tools.cli import exits, lazy, main, table
from host_tools.cli.exits import CliError, ExitCode
from host_tools.cli.lazy import Subcommand

Raised = BaseException


def install(monkeypatch: pytest.MonkeyPatch, outcome: Raised | None) -> None:
    """Make `bcast-uicc probe` a command that raises `outcome`, or prints a word."""

    @click.command()
    def probe() -> None:
        if outcome is not None:
            raise outcome
        click.echo("done")

    module = ModuleType("probe_module")
    module.__dict__["probe"] = probe
    monkeypatch.setitem(sys.modules, "probe_module", module)
    monkeypatch.setattr(lazy, "find_spec", lambda name: name if name == "probe_module" else None)
    monkeypatch.setattr(table, "COMMANDS", {"probe": Subcommand("probe_module", "probe", "A probe.")})


def test_a_command_that_ends_well_gives_zero(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch, None)
    assert main.invoke(["probe"]) == ExitCode.OK
    assert capsys.readouterr().out == "done\n"


@pytest.mark.parametrize(
    ("outcome", "status", "said"),
    [
        (CliError("the PIN is blocked", exits.CARD), ExitCode.CARD, "Error: the PIN is blocked"),
        (errors.CardFileLocked("a.card is held"), ExitCode.LOCKED, "Error: a.card is held"),
        (errors.ProfileError("a.toml:3: no"), ExitCode.INPUT, "Error: a.toml:3: no"),
        (errors.StoreError("disk full"), ExitCode.ENVIRONMENT, "Error: disk full"),
        (errors.CardError("refused"), ExitCode.CARD, "Error: refused"),
        (errors.MacMismatch("differs"), ExitCode.DIFFERENT, "Error: differs"),
        (FileNotFoundError(2, "No such file", "x.pcap"), ExitCode.ENVIRONMENT, "Error: x.pcap: No such file"),
        (ModuleNotFoundError("no", name="smartcard.scard"), ExitCode.ENVIRONMENT, "bcast-uicc[pcsc]"),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED, "interrupted"),
        (click.Abort(), ExitCode.INTERRUPTED, "interrupted"),
        (ValueError("key 0011"), ExitCode.INTERNAL, "internal error (ValueError)"),
        (ModuleNotFoundError("no", name="card.nowhere"), ExitCode.INTERNAL, "(ModuleNotFoundError)"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_errors_are_one_line_and_an_exit_status(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    outcome: Raised,
    status: ExitCode,
    said: str,
) -> None:
    monkeypatch.delenv(main.DEBUG_VARIABLE, raising=False)
    install(monkeypatch, outcome)
    assert main.invoke(["probe"]) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert len(captured.err.splitlines()) == 1


def test_an_interrupted_command_ends_the_same_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    install(monkeypatch, KeyboardInterrupt())
    monkeypatch.setattr(sys, "stderr", Gone())
    assert main.invoke(["probe"]) == ExitCode.INTERRUPTED


def test_an_internal_error_does_not_show_the_text_of_the_exception(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(main.DEBUG_VARIABLE, raising=False)
    install(monkeypatch, ValueError("key 0011"))
    main.invoke(["probe"])
    assert "0011" not in capsys.readouterr().err


def test_the_traceback_comes_when_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(main.DEBUG_VARIABLE, "1")
    install(monkeypatch, ValueError("odd"))
    assert main.invoke(["probe"]) == ExitCode.INTERNAL
    assert "Traceback" in capsys.readouterr().err


def test_a_subcommand_that_is_not_installed_is_neither_listed_nor_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ghost = Subcommand("host_tools.cli.no_such_module", "ghost", "Not there.")
    monkeypatch.setattr(table, "COMMANDS", {"ghost": ghost})
    assert main.invoke(["--help"]) == ExitCode.OK
    assert "ghost" not in capsys.readouterr().out
    assert main.invoke(["ghost"]) == ExitCode.USAGE


def test_an_unknown_subcommand_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.invoke(["nonsense"]) == ExitCode.USAGE
    assert "nonsense" in capsys.readouterr().err


def test_help_teaches_a_quick_start_in_three_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.invoke(["-h"]) == ExitCode.OK
    shown = capsys.readouterr().out.partition("Quick start:\n")[2].splitlines()
    assert [line.split()[:2] for line in shown] == [
        ["bcast-uicc", "demo"],
        ["bcast-uicc", "run"],
        ["bcast-uicc", "terminal"],
    ]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.invoke(["--version"]) == ExitCode.OK
    name, version, build = capsys.readouterr().out.split(maxsplit=2)
    assert build in ("(compiled card)\n", "(card in pure Python)\n")
    assert name == "bcast-uicc"
    assert version[0].isdigit()


@pytest.mark.parametrize("name", list(table.COMMANDS))
def test_installed_subcommands_explain_themselves(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    entry = table.COMMANDS[name]
    assert len(entry.summary) <= 60
    assert main.invoke([*name.split(), "--help"]) == ExitCode.OK
    assert f"bcast-uicc {name}" in capsys.readouterr().out


def test_a_reader_that_leaves_early_is_no_error_message() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        process = subprocess.run(
            [sys.executable, "-m", "host_tools.cli.main", "--help"],
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writing)
    assert process.returncode == ExitCode.BROKEN_PIPE
    assert process.stderr == b""
