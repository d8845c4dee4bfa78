"""What a run never does to a card unasked: PINs that were refused, writing, endless loops."""

from __future__ import annotations

from pathlib import Path

import pytest

from card.codec.apdu import CommandApdu
from card.crypto.secret import Secret
from host_tools.script.errors import ScriptError
from host_tools.script.load import load_script
from host_tools.script.oneline import parse_lines
from host_tools.script.results import Status
from host_tools.script.runner import Runner, RunOptions
from host_tools.script.safety import RefusedPins
from host_tools.script.values import Value
from tests.unit.host_tools.script.fakes import ICCID, PIN, TableLink, demo_link, run_text, statuses, write

SELECT = '[[step]]\napdu = "00A4040C [{usim_aid}]"\n'
VERIFY = '[variables]\npin = { env = "LAB_NO_PIN", form = "pin" }\n' + SELECT + '[[step]]\napdu = "00200001 [{pin}]"\n'
WRONG = b"4321"
TRIES = bytes.fromhex("00200001")


def mistyped() -> RunOptions:
    return RunOptions(pin=Secret(WRONG), variables={"pin": Value(WRONG.ljust(8, b"\xff"), secret=True)})


def test_a_mistyped_pin_costs_one_try_in_the_whole_run(tmp_path: Path) -> None:
    link = demo_link()
    runner = Runner(link, mistyped())
    script = load_script(write(tmp_path, VERIFY))
    results = [result for _ in range(2) for result in runner.run(script)]
    assert statuses(results) == ["passed", "failed"] * 2
    assert results[-1].reason == (
        "the card refused this PIN before (63C2: verification failed, 2 tries left), so it is not given again"
    )
    link.transmit(bytes.fromhex("00A4040C07A0000000871002"))
    assert link.transmit(TRIES) == b"\x63\xc2"


def test_a_card_with_two_applications_is_given_a_mistyped_pin_once(tmp_path: Path) -> None:
    link = demo_link("csim")
    list(Runner(link, mistyped()).run(load_script(write(tmp_path, SELECT))))
    link.transmit(bytes.fromhex("00A4040C07A0000000871002"))
    assert link.transmit(TRIES) == b"\x63\xc2"


def test_a_wrong_pin_on_purpose_is_still_given(tmp_path: Path) -> None:
    wrong = '[[step]]\napdu = "00200001 08 39393939FFFFFFFF"\nsw = "63CX"\n'
    results = run_text(tmp_path, SELECT + wrong * 2, demo_link(), RunOptions(pin=Secret(PIN)))
    assert statuses(results) == ["passed", "passed", "passed"]


def test_a_pin_in_a_loop_that_waits_is_given_once(tmp_path: Path) -> None:
    waiting = '[[step]]\napdu = "00200001 08 39393939FFFFFFFF"\nuntil = "9000"\nat_most = 10\n'
    link = demo_link()
    assert statuses(run_text(tmp_path, SELECT + waiting, link)) == ["passed", "failed"]
    assert link.transmit(TRIES) == b"\x63\xc2"


def test_an_accepted_pin_makes_the_refused_ones_forgotten() -> None:
    refused = RefusedPins()
    wrong, right, puk = (CommandApdu(0, ins, 0, 1, bytes((ins,)) * 8) for ins in (0x20, 0x24, 0x2C))
    refused.note(wrong, 0x63C2)
    refused.note(puk, 0x63C9)
    assert (refused.refusal(wrong), refused.refusal(puk), refused.refusal(right)) == (0x63C2, 0x63C9, None)
    assert refused.refusal(CommandApdu(0, 0x20, 0, 0x81, wrong.data)) is None
    refused.note(right, 0x9000)
    assert (refused.refusal(wrong), refused.refusal(puk)) == (None, 0x63C9)


UPDATE = "00D60000 03 62F220"


@pytest.mark.parametrize(
    ("sw", "sent"),
    [(None, False), ("9000", False), ("91XX", False), ("6982|9000", False), ("XXXX", False), ("63CX", False),
     ("6982", True), ("6A82|6986", True), ("6XXX", False)],
)  # fmt: skip
def test_writing_is_destructive_unless_the_card_should_refuse_it(tmp_path: Path, sw: str | None, sent: bool) -> None:
    link = TableLink({"00D6": b"\x69\x82"})
    (result,) = run_text(tmp_path, f'[[step]]\napdu = "{UPDATE}"\n' + (f'sw = "{sw}"\n' if sw else ""), link)
    assert (UPDATE.replace(" ", "") in link.sent) is sent
    assert (result.status is Status.SKIPPED) is not sent


@pytest.mark.parametrize(("answer", "sent"), [("", False), ("<- 9000: \n", False), ("<- 6982: \n", True)])
def test_a_pasted_log_changes_nothing_unasked(answer: str, sent: bool) -> None:
    script = parse_lines(f"-> 00d600000362f220\n{answer}".splitlines(), "x", "x.log")
    link = TableLink({"00D6": b"\x69\x82"})
    list(Runner(link).run(script))
    assert ("00D600000362F220" in link.sent) is sent


def test_a_pasted_log_may_change_the_card_that_is_named() -> None:
    script = parse_lines(["-> 00a4000c022fe2", "-> 00d6000001ff"], "x", "x.log")
    results = list(Runner(demo_link(), RunOptions(destructive=True, allowed_iccids=frozenset({ICCID}))).run(script))
    assert statuses(results) == ["passed", "passed"]


@pytest.mark.parametrize("inner", ['until = "9000"\nat_most = 1000000\n', "repeat = 1000000\n"])
def test_loops_in_loops_have_a_bound_together(tmp_path: Path, inner: str) -> None:
    text = f'[[step]]\nrepeat = 2\n  [[step.step]]\n  apdu = "00B0000001"\n{inner}'
    with pytest.raises(ScriptError, match=r":3: the loops around this step amount to 2000000 rounds \(at most 1000000"):
        load_script(write(tmp_path, text))
    load_script(write(tmp_path, text.replace("repeat = 2\n", "repeat = 1\n")))


def test_loops_of_an_include_count(tmp_path: Path) -> None:
    write(tmp_path, '[[step]]\napdu = "00B0000001"\nrepeat = 1000\n', "inner.toml")
    with pytest.raises(ScriptError, match=r"inner\.toml:1: the loops around this step amount to 1001000 rounds"):
        load_script(write(tmp_path, '[[step]]\ninclude = "inner.toml"\nrepeat = 1001\n'))
