"""What `bcast-uicc script` prints and writes: reports that tell the truth, files that are not lost."""

from __future__ import annotations

import io
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from host_tools.cli.main import invoke
from host_tools.cli.new_file import new_file
from host_tools.cli.script import run as script_run
from host_tools.files.writing import UnwritableFile
from host_tools.script.results import StepResult
from tests.unit.host_tools.script.fakes import write

CARD = ("--link", "inprocess", "--profile", "usim")
GOOD = '[[step]]\nname = "MF"\napdu = "00A40004023F0000"\n'
DESTRUCTIVE = "".join(f'[[step]]\nname = "{name}"\napdu = "00D60000 01 00"\ndestructive = true\n' for name in "ab")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BCAST_UICC_PIN", "BCAST_UICC_ALLOW_ICCID"):
        monkeypatch.delenv(name, raising=False)


def record(output: Path, session: str, monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(session))
    return invoke(["script", "record", str(output), *CARD, *options])


def test_a_script_that_exists_is_not_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = write(tmp_path, GOOD, "mine.toml")
    assert record(mine, "00B0000001\n", monkeypatch) == 3
    assert invoke(["script", "import", str(mine), "-o", str(mine)]) == 5
    assert invoke(["script", "import", str(write(tmp_path, "00B0000001\n", "x.log")), "-o", str(mine)]) == 3
    assert invoke(["script", "export", "uicc", "-o", str(mine)]) == 3
    assert mine.read_text() == GOOD
    assert capsys.readouterr().err.count(f"{mine} exists already; add --force or choose another name") == 3
    assert record(mine, "00B0000001\n", monkeypatch, "--force") == 0
    assert "00B00000" in mine.read_text()
    assert [path.name for path in tmp_path.iterdir() if "part" in path.name] == []


@pytest.mark.parametrize("session", ["", "# nothing\n", "nonsense\n"])
def test_a_session_without_a_command_leaves_no_file(
    tmp_path: Path, session: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert record(tmp_path / "new.toml", session, monkeypatch) == 5
    assert ("line 1: cannot read" if "nonsense" in session else "nothing was recorded") in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_session_that_ends_badly_keeps_what_was_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert record(tmp_path / "new.toml", "00A40004023F00\nnonsense\n", monkeypatch) == 5
    assert invoke(["script", "run", str(tmp_path / "new.toml"), *CARD]) == 0


def test_a_draft_goes_where_no_name_can_be_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for target in (Path("-"), Path("/dev/null")):
        with new_file(target, force=False) as draft:
            draft.file.write("text\n")
            draft.keep = True
    assert capsys.readouterr().out == "text\n"
    assert Path("/dev/null").is_char_device()
    assert invoke(["script", "export", "uicc", "-o", str(tmp_path / "no" / "x")]) == 3


def test_a_draft_takes_no_name_from_the_folder_and_leaves_nothing(tmp_path: Path) -> None:
    target, mine = tmp_path / "x.toml", tmp_path / "x.toml.part"
    mine.write_text("mine")
    with pytest.raises(ZeroDivisionError), new_file(target, force=False):
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == [mine.name]
    with new_file(target, force=False) as draft:
        draft.file.write("new")
        draft.keep = True
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"x.toml": "new", "x.toml.part": "mine"}


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    real, link, nowhere = tmp_path / "folder" / "real.toml", tmp_path / "link.toml", tmp_path / "nowhere.toml"
    real.write_text("old")
    link.symlink_to(real)
    nowhere.symlink_to(tmp_path / "new.toml")
    for target in (link, nowhere):
        with pytest.raises(UnwritableFile, match=f"{target}: is a symbolic link"), new_file(target, force=True):
            pass
    assert real.read_text() == "old"
    assert len(list(tmp_path.rglob("*"))) == 4


def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path: Path) -> None:
    real = tmp_path / "real.toml"
    real.write_text("old")
    real.chmod(0o640)
    with new_file(real, force=True) as draft:
        draft.file.write("new")
        draft.keep = True
    assert (real.read_text(), real.stat().st_mode & 0o777) == ("new", 0o640)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("option", ["--junit", "--json", "--trace"])
def test_a_report_never_becomes_a_script_that_is_read(
    tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    inner = write(tmp_path, GOOD, "inner.toml")
    outer = write(tmp_path, '[[step]]\ninclude = "inner.toml"\n', "outer.toml")
    (tmp_path / "other-name.toml").hardlink_to(outer)
    for target in (inner, outer, tmp_path / "other-name.toml"):
        assert invoke(["script", "run", str(outer), *CARD, option, str(target)]) == 2
        assert "is what this command reads" in capsys.readouterr().err
    assert inner.read_text() == GOOD
    twice = ["--trace", str(tmp_path / "r")]
    assert invoke(["script", "run", str(outer), *CARD, option, f"{tmp_path}/./r", *twice]) == 2
    assert "would be written twice" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def test_a_trace_is_not_filtered_into_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = tmp_path / "t.jsonl"
    assert invoke(["script", "run", "uicc", *CARD, "--trace", str(trace)]) == 0
    before = trace.read_bytes()
    (tmp_path / "link.jsonl").symlink_to(trace)
    for target in (trace, tmp_path / "link.jsonl"):
        assert invoke(["trace", "filter", str(trace), "ins=SELECT", "-o", str(target)]) == 2
    assert trace.read_bytes() == before
    assert "write to another file" in capsys.readouterr().err


KEYS_SESSION = """
00 A4 04 04 A0000000871002
00 20 00 01 31323334FFFFFFFF
00 A4 00 04 6F08
00 B0 00 00 /21
"""


def test_a_recorded_session_shows_no_key_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert record(tmp_path / "new.toml", KEYS_SESSION, monkeypatch) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[-1] == f"9000: {'00' * 33} (secret parts are zero)"
    assert shown[-2].startswith("61")
    more = "reset\n00 A4 00 04 2FE2\n00 B0 00 00 /0A\n"
    assert record(tmp_path / "more.toml", KEYS_SESSION + more, monkeypatch) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "9000: 980001010000000010F9"


def test_a_recorded_session_never_blocks_the_pin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = "00 20 00 01 39393939FFFFFFFF\n"
    trace = tmp_path / "t.jsonl"
    assert record(tmp_path / "new.toml", 4 * wrong + "00 20 00 01\n", monkeypatch, "--trace", str(trace)) == 4
    shown = capsys.readouterr()
    refused = "not sent: the PIN with key reference 01 has 1 tries left; below two none is made"
    assert shown.out.splitlines() == ["63C2", "63C1", refused, refused, "63C1"]
    assert shown.err == "Error: 2 commands were not sent\n"
    text = (tmp_path / "new.toml").read_text()
    assert text.count("[[step]]") == 1  # what the card is asked for besides is not in the script
    assert text.count("# left out: VERIFY PIN 1") == 2
    commands = [json.loads(line).get("command", "") for line in trace.read_text().splitlines()]
    assert commands.count("00200001") == 5  # but in the trace it is: once for each PIN
    assert sum(len(command) > 8 for command in commands) == 2


def test_a_session_recorded_to_standard_output_is_a_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert record(Path("-"), "00A40004023F00\nreset\n", monkeypatch) == 0
    shown = capsys.readouterr()
    assert [line[:4] for line in shown.err.splitlines()] == ["611F", "3B9F"]
    assert 'title = "recorded session"' in shown.out
    assert invoke(["script", "run", str(write(tmp_path, shown.out, "again.toml")), *CARD]) == 0


def test_why_steps_are_skipped_is_told_once_for_each_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(write(tmp_path, GOOD + DESTRUCTIVE))
    assert invoke(["script", "run", path, *CARD, "--destructive", "--allow-iccid", "1"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("SKIPPED") == 1
    assert f"SKIPPED {path}:4: a and 1 more: destructive: the ICCID of this card (8900101000000000019) is not" in shown
    assert invoke(["script", "run", path, *CARD, "-q"]) == 0
    assert "SKIPPED" not in capsys.readouterr().out


class InterruptedProgress:
    """Progress of a run in which somebody presses Ctrl-C behind the first step."""

    def __init__(self, _quiet: bool, *, to_stderr: bool) -> None:
        pass

    def show(self, script: str, result: StepResult, counts: object) -> None:
        raise KeyboardInterrupt


def test_reports_of_an_interrupted_run_do_not_say_that_all_is_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script_run, "_Progress", InterruptedProgress)
    junit, lines = tmp_path / "r.xml", tmp_path / "r.jsonl"
    path = str(write(tmp_path, GOOD * 3))
    assert invoke(["script", "run", path, *CARD, "--junit", str(junit), "--json", str(lines)]) == 130
    summary = json.loads(lines.read_text().splitlines()[-1])["summary"]
    assert (summary["passed"], summary["good"], summary["interrupted"]) == (1, False, True)
    (suite,) = ElementTree.parse(junit).getroot()
    assert (suite.get("tests"), suite.get("errors")) == ("2", "1")
    assert [error.get("type") for error in suite.iter("error")] == ["interrupted"]


def test_a_setting_that_no_script_has_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(write(tmp_path, '[variables]\nfid = "3F00"\n[[step]]\napdu = "00A4000C [{fid}]"\n'))
    for setting, words in (
        ("nope=00", "--set nope: no script has such a variable (there are: fid)"),
        ("fdi=00", "did you mean fid?"),
        ("usim_aid=00", "--set usim_aid: it is set from the card"),
    ):
        assert invoke(["script", "run", path, *CARD, "--set", setting]) == 2
        assert words in capsys.readouterr().err
    assert invoke(["script", "run", path, *CARD, "--set", "fid=2F00"]) == 0


def test_junit_on_standard_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = str(write(tmp_path, GOOD))
    assert invoke(["script", "run", path, *CARD, "--junit", "-"]) == 0
    assert ElementTree.fromstring(capsys.readouterr().out)[0].get("tests") == "1"
    assert not (tmp_path / "-").exists()
    assert invoke(["script", "run", path, *CARD, "--junit", "-", "--json", "-"]) == 2


def test_lines_that_were_not_understood_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = str(write(tmp_path, "-> 00a40004023f00\n00b0000001\n", "s.log"))
    for command in (["script", "import", log], ["script", "run", log, *CARD]):
        assert invoke(command) == 0
        assert f"{log}:2: 1 line was not understood" in capsys.readouterr().err


def test_the_help_says_what_is_changed_unasked(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["script", "run", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "Nothing on the card is changed" not in shown
    assert "AUTHENTICATE moves the card's sequence number on" in shown
