"""The shell: names, completion, what lines do, recording, and that no PIN stays anywhere."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from card import CardProfile, memory_card
from card.crypto.secret import Secret
from host_tools.cli.exits import ExitCode
from host_tools.cli.main import invoke
from host_tools.links.inprocess import InProcessLink
from host_tools.shell.lines import history_file, holds_secret
from host_tools.shell.names import Application, FileId, FilePath, Target, UnknownName, file_names, find_target
from host_tools.shell.session import Quit, Session, ShellError

USIM = bytes.fromhex("A0000000871002")


class Desk:
    """A session on a demo card, and what it printed."""

    def __init__(self, pin: str = "1234") -> None:
        self.printed: list[str] = []
        self.asked: list[str] = []
        self._pin = pin
        self.session = Session(InProcessLink(memory_card(CardProfile.demo())), self.printed.append, self.ask)

    def ask(self, prompt: str) -> Secret | None:
        self.asked.append(prompt)
        return Secret(self._pin.encode()) if self._pin else None

    def run(self, *lines: str) -> str:
        self.printed.clear()
        for line in lines:
            self.session.run(line)
        return "\n".join(self.printed)


class TestNames:
    @pytest.mark.parametrize(
        ("text", "target"),
        [
            ("mf", FileId(0x3F00)),
            ("USIM", Application(USIM)),
            ("adf.usim", Application(USIM)),
            ("6F07", FileId(0x6F07)),
            ("a0000000871002", Application(USIM)),
            ("3F00/7F10/6F3A", FilePath(None, (0x7F10, 0x6F3A))),
            ("EF_IMSI", FilePath("ADF.USIM", (0x6F07,))),
            ("ef_imsi", FilePath("ADF.USIM", (0x6F07,))),
            ("MF/EF_ARR", FilePath(None, (0x2F06,))),
            ("ADF.USIM/EF_ARR", FilePath("ADF.USIM", (0x6F06,))),
            ("EF_ARR", FilePath("ADF.USIM", (0x6F06,))),
        ],
    )
    def test_targets(self, text: str, target: Target) -> None:
        assert find_target(text, "ADF.USIM") == target

    @pytest.mark.parametrize("text", ["EF_NOTHING", "", "A0000", "XYZ/EF_IMSI", "../../x", "6F0", "\x1b[2J"])
    def test_unknown_names(self, text: str) -> None:
        with pytest.raises(UnknownName):
            find_target(text, "3F00")

    def test_a_near_name_is_offered(self) -> None:
        with pytest.raises(UnknownName, match="Did you mean EF_IMSI"):
            find_target("EF_IMS", "3F00")

    def test_every_name_leads_somewhere(self) -> None:
        assert all(find_target(name, "3F00") for name in file_names())

    def test_inside_an_application_the_files_of_others_are_not_offered(self) -> None:
        inside, outside = set(file_names("ADF.USIM")), set(file_names())
        assert {"EF_IMSI", "EF_DIR", "MF", "CSIM"} <= inside < outside
        assert {"EF_IMSI_M", "EF_IMPI"} <= outside - inside


class TestLines:
    def test_select_and_read_by_name(self) -> None:
        desk = Desk()
        shown = desk.run("select USIM", "pin", "select EF_IMSI", "read")
        assert "EF_IMSI: 001010123456789" in shown
        assert desk.asked == ["PIN 1, 3 tries left: "]
        assert "31 32 33 34" not in shown

    def test_a_name_in_another_application_enters_it(self) -> None:
        assert "[ADF.USIM/EF_SPN]" in Desk().run("select EF_SPN", "read")

    def test_records_one_and_all(self) -> None:
        desk = Desk()
        assert desk.run("select EF_DIR", "read 1").count("READ RECORD") == 1
        assert desk.run("read").count("READ RECORD") > 1
        with pytest.raises(ShellError, match="records 1 to"):
            desk.run("read 99")

    def test_hex_is_sent_as_it_is(self) -> None:
        desk = Desk()
        assert "6A82" in desk.run("00 A4 0004 02 2F77  # not there")
        assert "SELECT" in desk.run("apdu 00A40004023F00")

    def test_applications_and_help(self) -> None:
        desk = Desk()
        *_, usim, _isim, last = desk.run("apps").splitlines()
        assert USIM.hex().upper() in usim
        assert usim.endswith("  USIM")
        assert last == "EF_DIR is the selected file now."
        assert "EF_DIR" in desk.run("apdu 00B2010400")
        assert all(verb.usage in desk.run("help") for verb in desk.session.verbs.values())

    def test_reset_and_atr(self) -> None:
        desk = Desk()
        assert "-- reset" in desk.run("reset")
        assert desk.run("atr").startswith("3B ")

    def test_empty_lines_and_remarks_do_nothing(self) -> None:
        assert Desk().run("", "   ", "# remark") == ""

    @pytest.mark.parametrize(
        ("line", "sentence"),
        [
            ("dance", "“dance” is neither"),
            ("apdu", "APDU of 0 bytes"),
            ("0", "two digits for each byte"),
            ("00 B0 0", "“00 B0 0” has one too few or too many"),
            ("00 B0 zz", "“zz” is not hex"),
            ("00A4", "APDU of 2 bytes"),
            ("select", "select what"),
            ("select EF_NOTHING", "no file or application"),
            ("select 2F77", "6A82"),
            ("read", "Select an elementary file first"),
            ("pin 1234", "do not write them on the line"),
            ("record", "needs the name"),
            ("stop", "Nothing is being recorded"),
        ],
    )
    def test_mistakes_are_sentences(self, line: str, sentence: str) -> None:
        with pytest.raises(ShellError, match=sentence):
            Desk().run(line)

    def test_quit(self) -> None:
        with pytest.raises(Quit):
            Desk().run("quit")

    def test_a_pin_is_not_tried_on_its_last_try(self) -> None:
        desk = Desk("9999")
        for _ in range(2):
            with pytest.raises(ShellError):
                desk.run("pin")
        with pytest.raises(ShellError, match="1 tries left; below 2"):
            desk.run("pin")
        assert len(desk.asked) == 2

    def test_a_pin_in_hex_is_not_tried_on_its_last_try_either(self) -> None:
        desk = Desk()
        desk.run("select USIM")
        for line in ("0020000108 39393939FFFFFFFF", "apdu 00200001 08 39393939FFFFFFFF"):
            desk.run(line)
        with pytest.raises(ShellError, match=r"Not sent: the PIN with key reference 01 has 1 tries left"):
            desk.run("00 20 00 01 08 31323334FFFFFFFF")
        assert "63C1" in desk.run("00200001")

    def test_nobody_there_to_give_a_pin(self) -> None:
        desk = Desk("")
        assert "VERIFY PIN" in desk.run("pin")
        assert "63C3" in desk.run("00200001")


class TestCompletion:
    def test_commands_names_and_aids(self) -> None:
        desk = Desk()
        assert desk.session.complete("re", "re") == ["read", "reset", "record"]
        assert desk.session.complete("select EF_IMS", "EF_IMS") == ["EF_IMSI", "EF_IMSI_M", "EF_IMSI_T"]
        assert desk.session.complete("select ef_ims", "ef_ims")[0] == "EF_IMSI"
        assert USIM.hex().upper() in desk.session.complete("select A0", "A0")
        desk.run("select USIM")
        assert desk.session.complete("select EF_IM", "EF_IM") == ["EF_IMSI"]
        desk.run("apps")
        assert any(aid.startswith(USIM.hex().upper()) for aid in desk.session.complete("select A0", "A0"))
        assert desk.session.complete("atr x", "x") == []
        assert set(desk.session.complete("", "")) == set(desk.session.verbs)


class TestRecording:
    def test_what_was_recorded_runs_as_a_script(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file = tmp_path / "session.toml"
        desk = Desk()
        desk.run(f"record {file}", "select USIM", "pin", "select EF_IMSI", "read", "stop")
        assert "31323334" not in file.read_text()
        monkeypatch.setenv("BCAST_UICC_PIN", "1234")
        assert invoke(["script", "run", str(file), "--link", "inprocess", "--profile", "usim"]) == ExitCode.OK
        assert "5 passed" in "".join(capsys.readouterr())

    def test_a_file_that_is_there_is_not_overwritten(self, tmp_path: Path) -> None:
        file = tmp_path / "kept.toml"
        file.write_text("kept")
        with pytest.raises(ShellError, match="is there already"):
            Desk().run(f"record {file}")
        assert file.read_text() == "kept"


class TestHistory:
    @pytest.mark.parametrize(
        ("line", "secret"),
        [
            ("00 20 00 01 08 31323334FFFFFFFF", True),
            ("apdu 002C000110" + "31" * 16, True),
            ("00200001", False),
            ("00A40004023F00", False),
            ("00D6000021 05 A1B2", True),
            ("80D8000021 A1B2C3", True),
            ("00210001 08 3132333435363738", True),
            ("select 6F07", False),
            ("", False),
        ],
    )
    def test_lines_with_a_secret_are_not_kept(self, line: str, secret: bool) -> None:
        assert holds_secret(line) is secret

    def test_where_it_is_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_STATE_HOME", "/somewhere")
        assert history_file() == Path("/somewhere/bcast-uicc/history")


class TestCommandLine:
    ARGUMENTS = ("shell", "--link", "inprocess", "--profile", "usim")

    def run(self, monkeypatch: pytest.MonkeyPatch, lines: str) -> int:
        monkeypatch.setattr("sys.stdin", io.StringIO(lines))
        return invoke(self.ARGUMENTS)

    def test_piped_lines(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.run(monkeypatch, "atr\nquit\ndance\n") == ExitCode.OK
        assert capsys.readouterr().out.splitlines()[-1].startswith("3B ")

    def test_a_failing_piped_line_ends_it(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.run(monkeypatch, "select 2F77\natr\n") == ExitCode.CARD
        out, err = capsys.readouterr()
        assert "6A82" in err
        assert not out.splitlines()[-1].startswith("3B ")
