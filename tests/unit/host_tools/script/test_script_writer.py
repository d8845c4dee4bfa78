from __future__ import annotations

import io
from pathlib import Path

import pytest

from card import CardProfile
from card.crypto.secret import Secret
from card.spec.bcast.p1 import P1
from host_tools.content.captures.pcap import CaptureReader
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.subscribers.personalised import subscriber_of
from host_tools.script.load import load_script
from host_tools.script.oneline import parse_lines
from host_tools.script.runner import Runner, RunOptions
from host_tools.script.scriptor import script_as_scriptor
from host_tools.script.values import Value
from host_tools.script.writer import ScriptWriter
from host_tools.terminal.bcast import Tek
from host_tools.terminal.middleware import TerminalMiddleware
from host_tools.trace.tracer import TracedLink, Tracer
from tests.unit.host_tools.headend.networks import small_scenario
from tests.unit.host_tools.script.fakes import ICCID, PIN, demo_link, statuses, write

SESSION = [
    "00A40004023F0000", "00A4040410A0000000871002FFFFFFFF890709000000", "0020000108" + "31323334FFFFFFFF",
    "00A40004026F0700", "00B0000009", "0088008111" + "10" + "00" * 16 + "00", "00D6000001FF",
]  # fmt: skip

OPTIONS = RunOptions(
    pin=Secret(PIN),
    variables={"pin": Value(PIN.ljust(8, b"\xff"), secret=True)},
    destructive=True,
    allowed_iccids=frozenset({ICCID}),
)


def recorded(*, expect_data: bool = True) -> str:
    """Return the script recorded from a session with a fresh demo card."""
    file = io.StringIO()
    link = demo_link()
    recording = TracedLink(link, Tracer("test", [ScriptWriter(file, 'a "title"', expect_data=expect_data)]))
    for command in SESSION:
        recording.transmit(bytes.fromhex(command))
    recording.reset()
    recording.transmit(bytes.fromhex("00A40004022FE200"))
    text = file.getvalue()
    recording.close()
    return text


def test_a_recorded_session_passes_on_an_equal_card(tmp_path: Path) -> None:
    text = recorded()
    script = load_script(write(tmp_path, text))
    results = list(Runner(demo_link(), OPTIONS).run(script))
    assert set(statuses(results)) == {"passed"}
    assert len(results) == len(SESSION) + 2


def test_no_secret_is_recorded() -> None:
    text = recorded()
    assert "31323334" not in text
    assert "{pin}" in text


def test_a_recorded_script_finds_another_card_different(tmp_path: Path) -> None:
    script = load_script(write(tmp_path, recorded()))
    results = list(Runner(demo_link("usim-t1"), RunOptions()).run(script))
    assert "failed" in statuses(results)


def test_without_data_only_status_and_length_count() -> None:
    text = recorded(expect_data=False)
    assert "data = " not in text
    assert "length = 9" in text


def script_of(*exchanges: tuple[str, str]) -> str:
    """Return what is written of commands and answers in hex."""
    file = io.StringIO()
    recorder = Tracer("test", [ScriptWriter(file, "t")])
    for command, response in exchanges:
        recorder.exchange(bytes.fromhex(command), bytes.fromhex(response), 0.0)
    return file.getvalue()


@pytest.mark.parametrize(
    "exchanges",
    [
        [("0084000008", "01020304050607089000")],
        [("0078000100", "6104"), ("00C0000004", "010203049000")],
    ],
)
def test_of_a_random_answer_only_the_length_counts(exchanges: list[tuple[str, str]]) -> None:
    text = script_of(*exchanges)
    assert f"length = {len(exchanges[-1][1]) // 2 - 2}" in text
    assert "0102" not in text


def test_of_a_partly_secret_answer_the_rest_counts() -> None:
    res, secret = "A54211D5E3BA50BF", "10" + "AB" * 16 + "10" + "CD" * 16
    text = script_of(("0088008122" + "10" + "11" * 16 + "10" + "22" * 16, "DB08" + res + secret + "9000"))
    assert f'data = "DB08{res}{"?" * len(secret)}"' in text
    assert "# the card takes a challenge once" in text


PIN_OF_1234 = "31323334FFFFFFFF"


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        ("0020000108" + PIN_OF_1234, "63C2"),  # a wrong PIN costs a try
        ("0024000110" + 2 * PIN_OF_1234, "9000"),  # two PINs
        ("0020000A08" + PIN_OF_1234, "9000"),  # an administrator's
        ("0073010000", "9000"),  # a secure channel
    ],
)
def test_what_cannot_be_done_again_is_left_out_with_the_reason(command: str, sw: str) -> None:
    text = script_of((command, sw), ("00C0000000", "6F00"), ("0084000001", "AA9000"))
    assert "# left out: " in text
    assert f"the card answered {sw}" in text
    assert "# left out: GET RESPONSE [MF]: it belongs to what was left out" in text
    assert text.count("[[step]]") == 1


def test_each_pin_has_a_variable_of_its_own() -> None:
    text = script_of(*((f"002000{reference}08" + PIN_OF_1234, "9000") for reference in ("01", "81", "11", "81")))
    assert [line for line in text.splitlines() if line.startswith(("[variables", "apdu"))] == [
        "[variables.pin]", 'apdu = "00200001 08 {pin}"', "[variables.pin2]", 'apdu = "00200081 08 {pin2}"',
        "[variables.universal_pin]", 'apdu = "00200011 08 {universal_pin}"', 'apdu = "00200081 08 {pin2}"',
    ]  # fmt: skip


def test_a_terminals_whole_session_passes_on_a_fresh_card_and_only_there(tmp_path: Path) -> None:
    file = io.StringIO()
    link = TracedLink(demo_link(), Tracer("test", [ScriptWriter(file, "a session")]))
    network = UsimNetwork(small_scenario(), subscriber_of(CardProfile.demo()), tables=P1)
    terminal = TerminalMiddleware(link, tables=P1)
    terminal.connect(Secret(PIN))
    b_tid = terminal.bootstrap(network.bsf).b_tid
    terminal.establish(network.bsm.naf_id)
    for delivery in network.deliveries:
        terminal.deliver(network.ltkm(delivery, b_tid))
    capture = CaptureReader(io.BytesIO(network.recording().pcap))
    stkms = [datagram.payload for datagram in capture if datagram.destination.port == 2269]
    assert all(isinstance(terminal.feed(stkm), Tek) for stkm in dict.fromkeys(stkms))
    link.transmit(bytes.fromhex("0084000008"))
    script = load_script(write(tmp_path, file.getvalue()))

    fresh = demo_link()
    assert set(statuses(list(Runner(fresh, OPTIONS).run(script)))) == {"passed"}
    again = [result.name for result in Runner(fresh, OPTIONS).run(script) if result.status != "passed"]
    assert any(name.startswith("AUTHENTICATE GBA context, bootstrapping") for name in again)
    assert not any(name.startswith("GET CHALLENGE") for name in again)


def test_scriptor_export_unrolls_and_leaves_out_what_it_cannot_know(tmp_path: Path) -> None:
    text = """
[script]
title = "t"
[variables]
pin = { env = "X", form = "pin" }
base = "2F"
[[step]]
reset = true
[[step]]
name = "select"
apdu = "00A4000C [{base}{n}]"
for = { variable = "n", from = 1, to = 2 }
[[step]]
name = "verify"
apdu = "00200001 [{pin}]"
[[step]]
apdu = "0084000004"
capture = { c = "data" }
[[step]]
name = "answer"
apdu = "00820000 [{c}]"
"""
    lines = list(script_as_scriptor(load_script(write(tmp_path, text)), {}))
    commands = [line for line in lines if not line.startswith("#")]
    assert commands == ["reset", "00 A4 00 0C 02 2F 01", "00 A4 00 0C 02 2F 02", "00 84 00 00 04"]
    assert "# left out: verify: {pin} has no value: it comes from the environment variable X" in lines
    assert "# left out: answer: {c} has no value: it is captured from an answer" in lines
    again = parse_lines(lines, "x", "x")
    assert len(again.steps) == 4
