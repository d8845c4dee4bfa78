from __future__ import annotations

from pathlib import Path

import pytest

from host_tools.script.errors import ScriptError
from host_tools.script.lint import lint_script
from host_tools.script.load import find_scripts, load_script
from host_tools.script.model import ApduStep, GroupStep
from tests.unit.host_tools.script.fakes import write

STEP = '[[step]]\napdu = "00A40004023F00"\n'


def refused(folder: Path, text: str) -> str:
    with pytest.raises(ScriptError) as caught:
        load_script(write(folder, text))
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('[[step]]\nadpu = "00"\n', 2, "unknown key 'adpu' (did you mean 'apdu'?)"),
        ('[[step]]\napdu = "0G"\n', 2, "apdu: cannot read '0G'"),
        ("[[step]]\napdu = 7\n", 2, "apdu is a number (text in quotes is wanted)"),
        (f'{STEP}sw = "90"\n', 3, "'90' is no status word"),
        (f'{STEP}data = "xx"\n', 3, "data: cannot read"),
        (f'{STEP}length = "a"\n', 3, "is no length"),
        (f'{STEP}length = "9..2"\n', 3, "9..2 is no length: from the smaller to the larger, up to 65536"),
        (f'{STEP}length = "1..65537"\n', 3, "is no length: from the smaller to the larger"),
        (f"{STEP}timeout = -1\n", 3, "timeout is no duration"),
        (f'{STEP}tlv = {{ "6" = "00" }}\n', 3, "is no path of tags"),
        (f'{STEP}capture = {{ x = "date" }}\n', 3, "a capture is data, sw or tlv:PATH"),
        (f'{STEP}secret = "x"\n', 3, "'x' is not captured here"),
        (f'{STEP}when = "moonlight"\n', 3, "is no condition; there are: usim"),
        (f'{STEP}until = "9000"\n', 3, "this loop may never end (say at_most = N)"),
        (f"{STEP}repeat = 99999999\n", 3, "repeat is 99999999 (from 1 to 1000000)"),
        (f'{STEP}for = {{ variable = "n", from = 5, to = 1 }}\n', 3, "the loop goes nowhere or too far"),
        (f'{STEP}for = {{ variable = "n", from = 1, to = 300 }}\n', 3, "numbers that fit 1 bytes"),
        (f'{STEP}for = {{ variable = "N", in = ["00"] }}\n', 3, "is no name for a variable"),
        (f'{STEP}transport = "pigeon"\n', 3, "there is no transport 'pigeon' (client or raw)"),
        (f"{STEP}reset = true\n", 1, "a step has exactly one of"),
        ("[[step]]\nname = 'nothing'\n", 1, "found: none"),
        ("[[step]]\nreset = true\nsw = '9000'\n", 3, "sw does not go with reset"),
        ('[[step]]\ncompute = { a = "nonsense(b)" }\n', 2, "there is no function 'nonsense'"),
        ('[[step]]\ncompute = { a = "autn(b)" }\n', 2, "autn takes 5 arguments: k, opc, rand, sqn, amf"),
        ('[[step]]\napdu = "00 {x}"\n', 2, "apdu uses {x}, which nothing sets before"),
        ('[variables]\niccd = "00"\n[[step]]\napdu = "00 {iccid} {icd}"\n', 4, "{icd}, which nothing sets before (did"),
        ('[variables]\nx = { evn = "A" }\n' + STEP, 2, "unknown key 'evn'"),
        ('[variables]\niccid = "00"\n' + STEP, 2, "iccid is set from the card"),
        ("[script]\nreset = 'yes'\n" + STEP, 2, "reset is text (true or false is wanted)"),
        ("[script]\ntitle = 'x'\n", 1, "the script has no step"),
        ("[[step]\n", 1, "not TOML, at column 7: Expected"),
        ("[[step]]\napdu = '''", 2, "not TOML: Expected"),
        (f'{STEP}\ndata = "{{x}}*"\n', 4, "data uses {x}, which nothing sets before"),
        (f'{STEP}sw = "9000"\n[step.tlv]\n"62" = "{{x}}"\n', 5, "tlv uses {x}"),
        ("[[step]]\nname = 'a'\n[step.compute]\na = '00'\nb = '{x}'\n", 5, "b uses {x}"),
        ("[[step]]\nreset = true\natr = '{x}'\n", 3, "atr uses {x}"),
        (f'{STEP}[step.for]\nvariable = "n"\nin = ["{{x}}"]\n', 3, "for uses {x}"),
        ('[variables]\na = "00"\nb = "{x}"\n' + STEP, 3, "variable b uses {x}"),
        ("step = 3\n", 1, "step is a list of tables"),
    ],
)
def test_error_names_line_and_hint(tmp_path: Path, text: str, line: int, words: str) -> None:
    message = refused(tmp_path, text)
    assert f"test.toml:{line}: " in message
    assert words in message


def test_all_problems_are_told_in_the_order_of_lines(tmp_path: Path) -> None:
    message = refused(tmp_path, '[[step]]\napdu = "0"\n[[step]]\napdu = "00000000"\nsw = "1"\n')
    assert [line.partition(": ")[0].rpartition(":")[2] for line in message.splitlines()] == ["2", "5"]


def test_very_many_problems_are_cut(tmp_path: Path) -> None:
    message = refused(tmp_path, '[[step]]\nbad = 1\napdu = "00000000"\n' * 50)
    assert message.splitlines()[-1] == "and 30 more problems"


def test_a_file_that_is_included_again_and_again_tells_its_problem_once(tmp_path: Path) -> None:
    for number in range(12):
        write(tmp_path, f'[[step]]\ninclude = "{number + 1}.toml"\n' * 2, f"{number}.toml")
    write(tmp_path, '[[step]]\nadpu = "00"\n', "12.toml")
    with pytest.raises(ScriptError) as caught:
        load_script(tmp_path / "0.toml")
    assert [line.rpartition("/")[2] for line in str(caught.value).splitlines() if "12.toml" in line] == [
        "12.toml:1: a step has exactly one of apdu, reset, compute, include, step; found: none",
        "12.toml:2: unknown key 'adpu' (did you mean 'apdu'?)",
    ]
    assert "more than 1000 includes" in str(caught.value)


def test_deep_nesting_is_refused(tmp_path: Path) -> None:
    text = "".join(f"[[{'.'.join(['step'] * depth)}]]\nname = 'x'\n" for depth in range(1, 16))
    assert "nested deeper than 8" in refused(tmp_path, text)
    assert "test.toml:1: nested more than 16 deep" in refused(tmp_path, "a = " + "[" * 100_000)


def test_cyclic_includes_are_told_as_a_chain(tmp_path: Path) -> None:
    write(tmp_path, '[[step]]\ninclude = "b.toml"\n', "a.toml")
    write(tmp_path, '[[step]]\nreset = true\n[[step]]\ninclude = "a.toml"\n', "b.toml")
    with pytest.raises(ScriptError, match=r"b.toml:3: includes go round in a circle: a.toml -> b.toml -> a.toml"):
        load_script(tmp_path / "a.toml")


def test_a_missing_include_names_the_line_that_asks_for_it(tmp_path: Path) -> None:
    assert "test.toml:1: " in refused(tmp_path, '[[step]]\ninclude = "gone.toml"\n')


def test_a_problem_inside_an_include_names_the_included_file(tmp_path: Path) -> None:
    write(tmp_path, '[[step]]\napdu = "0"\n', "inner.toml")
    assert "inner.toml:2: " in refused(tmp_path, '[[step]]\ninclude = "inner.toml"\n')


def test_included_variables_can_be_replaced(tmp_path: Path) -> None:
    write(tmp_path, '[variables]\nx = "11"\ny = "22"\n[[step]]\napdu = "00000000 [{x}{y}]"\n', "inner.toml")
    script = load_script(write(tmp_path, '[variables]\nx = "33"\n[[step]]\ninclude = "inner.toml"\n'))
    assert sorted(script.variables) == ["x", "y"]
    assert getattr(script.variables["x"], "text") == "33"  # noqa: B009  # the union has it on one side only
    assert isinstance(script.steps[0], GroupStep)


def test_a_capture_is_known_to_the_steps_behind_it(tmp_path: Path) -> None:
    text = '[[step]]\napdu = "0084000008"\ncapture = { c = "data" }\n[[step]]\napdu = "00820000 [{c}]"\n'
    assert len(load_script(write(tmp_path, text)).steps) == 2


def test_places_point_at_steps_also_inside_groups(tmp_path: Path) -> None:
    text = '[[step]]\nname = "g"\n\n  [[step.step]]\n  apdu = "00000000"\n\n  [[step.step]]\n  apdu = "00000001"\n'
    (group,) = load_script(write(tmp_path, text)).steps
    assert isinstance(group, GroupStep)
    assert [step.head.place.line for step in group.steps] == [4, 7]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[step]]\napdu = "00200001 08 31323334FFFFFFFF"\n', "a PIN is written in the script"),
        ('[[step]]\napdu = "00D60000 01 00"\n', "changes the card and is not marked so"),
        ('[[step]]\napdu = "00B0000001"\ncapture = { c = "data" }\n', "c is captured and never used"),
        ('[variables]\nx = "00"\n' + STEP, "variable x is never used"),
        (STEP + 'sw = "XXXX"\n', "any answer will do"),
    ],
)
def test_lint_remarks(tmp_path: Path, text: str, words: str) -> None:
    remarks = [str(problem) for problem in lint_script(load_script(write(tmp_path, text)))]
    assert any(words in remark for remark in remarks), remarks


def test_lint_is_silent_about_a_good_script(tmp_path: Path) -> None:
    text = STEP + '[[step]]\napdu = "00D60000 01 00"\ndestructive = true\n'
    assert list(lint_script(load_script(write(tmp_path, text)))) == []


def test_files_folders_and_suites_are_found(tmp_path: Path) -> None:
    write(tmp_path, STEP, "b.toml")
    write(tmp_path, STEP, "a.toml")
    write(tmp_path, STEP, "_part.toml")
    assert [path.name for path in find_scripts([str(tmp_path)])] == ["a.toml", "b.toml"]
    assert [path.name for path in find_scripts(["usim"])] == ["usim.toml"]
    assert "uicc.toml" in {path.name for path in find_scripts(["all"])}
    with pytest.raises(ScriptError, match="a suite that ships: all, authenticate"):
        find_scripts(["no-such-thing"])


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ScriptError, match=r"x\.toml:1: not UTF-8 text, at column 1"):
        load_script(tmp_path / "x.toml")


def test_step_without_a_name_is_named_by_its_command(tmp_path: Path) -> None:
    (step,) = load_script(write(tmp_path, STEP)).steps
    assert isinstance(step, ApduStep)
    assert step.head.name == ""
