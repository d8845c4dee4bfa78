"""`bcast-uicc card`: what it prints, where, and its exit statuses."""

from __future__ import annotations

import json
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from card import CardProfile, open_card
from host_tools.cli import main
from host_tools.cli.card.commands import card
from host_tools.cli.exits import ExitCode


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def usim(folder: Path) -> Path:
    assert invoke("new", "usim").exit_code == ExitCode.OK
    return folder / "usim.card"


def invoke(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(card, arguments, input=text)


def key_of(profile: str) -> str:
    return CardProfile.demo(profile).usim.k.reveal().hex().upper()


# --- new


def test_new_makes_a_card_file_for_its_owner_alone(folder: Path) -> None:
    result = invoke("new", "usim")
    assert (result.exit_code, result.stdout) == (0, "usim.card: new card made from usim\n")
    assert stat.S_IMODE((folder / "usim.card").stat().st_mode) == 0o600
    open_card(folder / "usim.card").close()


def test_new_takes_a_profile_file_and_a_name(folder: Path) -> None:
    shutil.copy(_shipped("usim"), folder / "mine.toml")
    assert invoke("new", "mine.toml", "-o", "other.card").exit_code == ExitCode.OK
    assert [path.name for path in folder.iterdir() if path.suffix == ".card"] == ["other.card"]


def _shipped(name: str) -> Path:
    from card.profile.schema import demo_path

    return demo_path(name)


def test_new_does_not_write_over_a_card(usim: Path) -> None:
    before = usim.read_bytes()
    result = invoke("new", "usim")
    assert (result.exit_code, result.stderr.count("\n")) == (ExitCode.ENVIRONMENT, 1)
    assert "exists already" in result.stderr
    assert usim.read_bytes() == before


def test_new_with_a_wrong_profile_names_line_and_field_and_leaves_nothing(folder: Path) -> None:
    (folder / "bad.toml").write_text('name = "x"\niccid = "12"\n')
    result = invoke("new", "bad.toml")
    assert result.exit_code == ExitCode.INPUT
    assert "bad.toml:2" in result.stderr
    assert [path.name for path in folder.iterdir()] == ["bad.toml"]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["new", "nothing.toml"], ExitCode.INPUT, "cannot be read"),
        (["new", "letter.txt"], ExitCode.INPUT, "one that ships: csim, usim, usim-t1"),
        (["new", "usim", "-o", "nowhere/x.card"], ExitCode.ENVIRONMENT, "the directory is not there"),
        (["show", "nothing.card"], ExitCode.ENVIRONMENT, "no such card file"),
        (["show", "letter.txt"], ExitCode.INPUT, "not a usable card file"),
        (["edit", "letter.txt", "EF_IMSI", "--hex", "00"], ExitCode.INPUT, "not a usable card file"),
        (["edit", "usim.card", "EF_NOPE", "--hex", "00"], ExitCode.INPUT, "no such file on the card"),
        (["edit", "usim.card", "EF_IMSI", "--value", "1"], ExitCode.INPUT, "6 to 15 digits"),
        (["edit", "usim.card", "EF_IMSI"], ExitCode.USAGE, "--hex or with --value"),
        (["edit", "usim.card", "EF_IMSI", "--hex", "00", "--value", "1"], ExitCode.USAGE, "--hex or with --value"),
        (["edit", "usim.card", "EF_IMSI", "--hex", "0g"], ExitCode.USAGE, "two hex digits"),
        (["edit", "usim.card", "EF_DIR", "--record", "0", "--hex", ""], ExitCode.USAGE, "--record"),
        (["snapshot", "nothing.card"], ExitCode.ENVIRONMENT, "no such card file"),
        (["snapshot", "usim.card", "-o", "nowhere/x"], ExitCode.ENVIRONMENT, "the directory is not there"),
        (["snapshot", "usim.card", "-o", "usim.card", "--replace"], ExitCode.INPUT, "the card file itself"),
        (["restore", "usim.card", "letter.txt"], ExitCode.INPUT, "letter.txt is not a usable card file"),
        (["restore", "usim.card", "nothing"], ExitCode.ENVIRONMENT, "no such card file"),
        (["diff", "usim.card", "nothing"], ExitCode.ENVIRONMENT, "no such card file"),
        (["diff", "letter.txt", "usim.card"], ExitCode.INPUT, "letter.txt is not a usable card file"),
        (["wipe", "letter.txt", "--yes"], ExitCode.INPUT, "not a usable card file"),
        (["wipe", "nothing.card", "--yes"], ExitCode.ENVIRONMENT, "no such card file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_errors_are_one_sentence_and_an_exit_status(
    usim: Path, folder: Path, arguments: list[str], status: ExitCode, said: str
) -> None:
    (folder / "letter.txt").write_text("dear friend\n" * 200)
    before = usim.read_bytes()
    result = invoke(*arguments)
    assert (result.exit_code, result.stdout) == (status, "")
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert usim.read_bytes() == before


# --- show


def test_show_is_a_tree_with_one_line_for_each_thing(usim: Path) -> None:
    lines = [line.strip("│├└─ ") for line in invoke("show", str(usim)).stdout.splitlines()]
    assert "6F07 EF_IMSI  transparent 9  SFI 07  read PIN1, update ADM1" in lines
    assert lines[lines.index("6F07 EF_IMSI  transparent 9  SFI 07  read PIN1, update ADM1") + 1] == "= 001010123456789"
    assert any(line.startswith("01  name PIN1, value hidden (8 bytes), enabled yes, tries left 3") for line in lines)
    assert any(line.startswith("USIM  algorithm milenage, k hidden (16 bytes)") for line in lines)


def test_show_json_is_one_document(usim: Path) -> None:
    document = json.loads(invoke("show", str(usim), "--json").stdout)
    assert document["files"]["ADF.USIM/6F07"]["value"] == "001010123456789"


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_show_tells_keys_only_when_asked(usim: Path, form: list[str]) -> None:
    hidden = invoke("show", str(usim), *form)
    shown = invoke("show", str(usim), "--reveal-keys", *form)
    assert hidden.exit_code == shown.exit_code == ExitCode.OK
    assert key_of("usim") not in hidden.stdout.upper()
    assert key_of("usim") in shown.stdout


def test_show_takes_a_profile_for_the_card_it_makes(folder: Path) -> None:
    result = invoke("show", "usim", "--json")
    assert json.loads(result.stdout)["card"]["atr"].startswith("3B")
    assert list(folder.iterdir()) == []


def test_what_a_card_holds_cannot_drive_the_terminal(usim: Path) -> None:
    name = b"\x00\x1b[31mred\x07".hex()
    assert invoke("edit", str(usim), "EF_SPN", "--hex", name).exit_code == ExitCode.OK
    shown = invoke("show", str(usim)).stdout
    assert "\\x1b[31mred\\x07" in shown
    assert "\x1b" not in shown


# --- edit


def test_edit_says_what_it_wrote(usim: Path) -> None:
    result = invoke("edit", str(usim), "EF_IMSI", "--value", "001010000000042")
    assert result.stdout == "ADF.USIM/6F07 EF_IMSI: 9 bytes written, now 001010000000042\n"
    result = invoke("edit", str(usim), "MF/2F08", "--hex", "3C05")
    assert result.stdout == "3F00/2F08 EF_UMPC: 5 bytes written, the last 3 filled with FF\n"
    result = invoke("edit", str(usim), "ADF.USIM/6FB7", "--record", "2", "--value", "110")
    assert result.stdout == "ADF.USIM/6FB7 EF_ECC, record 2: 4 bytes written, now 110\n"


def test_edit_forced(usim: Path) -> None:
    arguments = ["edit", str(usim), "EF_IMSI", "--hex", "00"]
    assert invoke(*arguments).exit_code == ExitCode.INPUT
    assert invoke(*arguments, "--force").exit_code == ExitCode.OK


# --- snapshot, diff, restore


def test_snapshot_diff_restore(usim: Path) -> None:
    assert invoke("snapshot", str(usim)).exit_code == ExitCode.OK
    snapshot = str(usim.with_suffix(".snapshot"))
    same = invoke("diff", snapshot, str(usim))
    assert (same.exit_code, same.stdout) == (ExitCode.OK, "")

    invoke("edit", str(usim), "EF_IMSI", "--value", "001010000000042")
    result = invoke("diff", snapshot, str(usim))
    assert result.exit_code == ExitCode.DIFFERENT
    assert result.stdout.splitlines()[2:] == [
        "ADF.USIM/6F07 EF_IMSI > value", "  - 001010123456789", "  + 001010000000042",
    ]  # fmt: skip

    assert invoke("restore", str(usim), snapshot).exit_code == ExitCode.OK
    assert invoke("diff", snapshot, str(usim)).exit_code == ExitCode.OK


def test_snapshot_needs_to_be_told_to_replace(usim: Path) -> None:
    assert invoke("snapshot", str(usim), "-o", "x").exit_code == ExitCode.OK
    refused = invoke("snapshot", str(usim), "-o", "x")
    assert refused.exit_code == ExitCode.ENVIRONMENT
    assert "--replace" in refused.stderr
    assert invoke("snapshot", str(usim), "-o", "x", "--replace").exit_code == ExitCode.OK


def test_diff_with_the_profile_tells_what_has_happened_since(usim: Path) -> None:
    assert invoke("diff", "usim", str(usim)).exit_code == ExitCode.OK
    invoke("edit", str(usim), "EF_SPN", "--value", "OTHER")
    assert "+ OTHER" in invoke("diff", "usim", str(usim)).stdout


def test_diff_json(usim: Path) -> None:
    invoke("edit", str(usim), "MF/2F08", "--hex", "00")
    result = invoke("diff", "usim", str(usim), "--json")
    assert result.exit_code == ExitCode.DIFFERENT
    assert json.loads(result.stdout) == [
        {"place": ["files", "3F00/2F08", "content"], "name": "EF_UMPC", "left": "3C05000000", "right": "00FFFFFFFF"}
    ]


def test_diff_of_other_keys_tells_no_key(folder: Path) -> None:
    text = _shipped("usim").read_text()
    (folder / "other.toml").write_text(re.sub(r'(?m)^k = ".*"$', f'k = "{"5a" * 16}"', text))
    result = invoke("diff", "usim", "other.toml")
    assert "applications > USIM > k\n  differs, hidden (16 bytes)" in result.stdout
    assert "5A5A" not in result.stdout.upper()
    revealed = invoke("diff", "usim", "other.toml", "--reveal-keys")
    assert f"  - {key_of('usim')}\n  + {'5A' * 16}" in revealed.stdout


# --- wipe


def test_wipe_asks(usim: Path) -> None:
    result = invoke("wipe", str(usim), text="n\n")
    assert result.exit_code != ExitCode.OK
    assert usim.exists()
    assert invoke("wipe", str(usim), text="y\n").exit_code == ExitCode.OK
    assert not usim.exists()


def test_wipe_does_not_ask_when_told_so(usim: Path) -> None:
    result = invoke("wipe", str(usim), "--yes")
    assert (result.exit_code, result.stdout) == (ExitCode.OK, f"{usim}: wiped\n")
    assert list(usim.parent.iterdir()) == []


# --- through the console script


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "host_tools.cli.main", "card", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def test_exit_statuses_of_the_process(usim: Path, folder: Path) -> None:
    assert run("show", "usim.card", folder=folder).returncode == ExitCode.OK
    assert run("diff", "usim", "usim-t1", folder=folder).returncode == ExitCode.DIFFERENT
    assert run("show", folder=folder).returncode == ExitCode.USAGE
    assert run("show", "none.card", folder=folder).returncode == ExitCode.ENVIRONMENT
    assert run("edit", "usim.card", "EF_IMSI", "--hex", "00", folder=folder).returncode == ExitCode.INPUT
    asked = run("wipe", "usim.card", folder=folder)
    assert (asked.returncode, usim.exists()) == (ExitCode.INTERRUPTED, True)


def test_a_card_in_use_is_exit_status_6_and_names_the_process(usim: Path, folder: Path) -> None:
    holder = open_card(usim)
    try:
        for arguments in (
            ["show", "usim.card"], ["edit", "usim.card", "EF_SPN", "--value", "x"], ["snapshot", "usim.card"],
            ["restore", "new.card", "usim.card"], ["diff", "usim", "usim.card"], ["wipe", "usim.card", "--yes"],
        ):  # fmt: skip
            result = run(*arguments, folder=folder)
            assert result.returncode == ExitCode.LOCKED, arguments
            assert re.fullmatch(r"Error: usim\.card is in use by process \d+\n", result.stderr)
    finally:
        holder.close()
    assert [path.name for path in folder.iterdir()] == ["usim.card"]


@pytest.mark.parametrize("command", ["new", "show", "edit", "snapshot", "restore", "diff", "wipe"])
def test_every_command_teaches_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.invoke(["card", command, "--help"]) == ExitCode.OK
    shown = capsys.readouterr().out
    assert re.search(r"Examples?:\n +bcast-uicc card ", shown)


def test_the_group_lists_whole_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.invoke(["card", "--help"]) == ExitCode.OK
    commands = capsys.readouterr().out.partition("Commands:")[2]
    assert "wipe" in commands
    assert "..." not in commands
