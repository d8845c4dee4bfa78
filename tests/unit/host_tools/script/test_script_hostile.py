"""Scripts from anybody: what they may include, and how large what comes out of them may become."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_tools.cli.exits import ExitCode
from host_tools.cli.main import invoke
from host_tools.script import scriptor
from host_tools.script.errors import NoScript, ScriptError
from host_tools.script.load import find_scripts, load_script
from host_tools.script.scriptor import script_as_scriptor
from host_tools.script.template import LONGEST_RESULT
from tests.unit.host_tools.script.fakes import write

STEP = '[[step]]\napdu = "00A40004023F0000"\n'
SECRET = "465B5CE8B199B49FAA5F0A2EE238A6BC is the key"


def including(name: str) -> str:
    return f"[[step]]\ninclude = '{name}'\n"


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../outside.txt", "sub/../../outside.txt", "link.txt", "folder/x.toml"]
)
def test_nothing_outside_the_folder_of_the_script_is_included(tmp_path: Path, name: str) -> None:
    (tmp_path / "outside.txt").write_text(SECRET)
    (tmp_path / "outside").mkdir()
    write(tmp_path / "outside", STEP, "x.toml")
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    (scripts / "link.txt").symlink_to("../outside.txt")
    (scripts / "folder").symlink_to("../outside")
    script = write(scripts, including(name))
    with pytest.raises(ScriptError) as caught:
        load_script(script)
    assert str(caught.value) == f"{script}:1: the include leads out of the folder of the script (keep it below)"


def test_what_lies_below_is_included_from_anywhere_below(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write(tmp_path, STEP, "common.toml")
    write(tmp_path / "sub", including("../common.toml"), "inner.toml")
    assert len(load_script(write(tmp_path, including("sub/inner.toml"))).steps) == 1


def test_of_an_included_file_nothing_is_quoted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text(f"{SECRET}\n")
    script = write(tmp_path, including("notes.txt"))
    assert invoke(["script", "lint", str(script)]) == ExitCode.INPUT
    said = capsys.readouterr().err
    assert f"{tmp_path / 'notes.txt'}:1: this line is no command" in said
    assert SECRET[:8] not in said
    assert invoke(["script", "lint", str(tmp_path / "notes.txt")]) == ExitCode.INPUT
    assert SECRET[:8] in capsys.readouterr().err, "what a person names, a person may see"


def test_an_include_that_is_no_plain_file(tmp_path: Path) -> None:
    (tmp_path / "device").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    for name, words in (("device", "leads out of the folder"), ("folder", "Is a directory"), ("no", "No such file")):
        with pytest.raises(ScriptError, match=words):
            load_script(write(tmp_path, including(name)))


def test_a_folder_without_a_script_is_a_mistake(tmp_path: Path) -> None:
    write(tmp_path, STEP, "_part.toml")
    (tmp_path / "notes.txt").touch()
    with pytest.raises(NoScript, match="the folder holds no script"):
        find_scripts([str(tmp_path)])


REPEATED = """
[script]
title = "x"
[variables]
a = "00000000"
[[step]]
repeat = 60
compute = { a = "concat(a, a)" }
[[step]]
name = "grown"
apdu = "{a}"
"""
DOUBLED = "\n".join(
    (
        "[variables]\nv0 = '00'",
        *(f"v{number + 1} = '{{v{number}}}{{v{number}}}'" for number in range(40)),
        "[[step]]\nname = 'grown'\napdu = '{v40}'",
    )
)


@pytest.mark.parametrize("text", [REPEATED, DOUBLED], ids=["repeated", "doubled"])
def test_variables_that_grow_without_end_leave_a_comment(tmp_path: Path, text: str) -> None:
    lines = list(script_as_scriptor(load_script(write(tmp_path, text)), {}))
    assert "would have " in lines[-1]
    assert lines[-1].startswith("# left out: grown: ")
    assert lines[-1].count("has no value: ") == 1, "the first reason, not the chain that leads to it"


def test_a_template_becomes_no_longer_than_what_one_could_write_out(tmp_path: Path) -> None:
    text = f"[variables]\na = '{'00' * 60_000}'\n[[step]]\nname = 'long'\napdu = '{'{a}' * 90_000}'\n"
    (_, line) = script_as_scriptor(load_script(write(tmp_path, text)), {})
    assert line == f"# left out: long: it would have more than {LONGEST_RESULT} bytes"


def test_an_export_ends_where_it_would_become_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = load_script(write(tmp_path, STEP + "repeat = 1000000\n"))
    monkeypatch.setattr(scriptor, "_MOST_CHARACTERS", 500)
    lines = list(script_as_scriptor(script, {}))
    assert lines[-1] == "# left out: more than 500 characters"
    assert sum(map(len, lines)) < 600


def test_an_export_ends_where_it_would_take_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scriptor, "_MOST_STEPS", 100)
    text = '[variables]\na = "00"\n[[step]]\nrepeat = 1000000\ncompute = { a = "flip(a)" }\n'
    assert list(script_as_scriptor(load_script(write(tmp_path, text)), {}))[1:] == ["# left out: more than 100 steps"]


def test_several_scripts_are_not_exported_into_one_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, STEP, "a.toml")
    write(tmp_path, STEP, "b.toml")
    for name, count in ((str(tmp_path), 2), ("all", len(find_scripts(["all"])))):
        assert invoke(["script", "export", name, "-o", str(tmp_path / "x.scriptor")]) == ExitCode.USAGE
        assert f"{name} stands for {count} scripts; name one of them" in capsys.readouterr().err
    assert not (tmp_path / "x.scriptor").exists()
