from __future__ import annotations

import threading
import tracemalloc
from pathlib import Path

import pytest

from card.crypto.secret import Secret
from host_tools.apdu.client import ApduClient
from host_tools.links.base import LinkError, ReaderGone
from host_tools.script.capabilities import probe_card
from host_tools.script.load import load_script
from host_tools.script.reports import explain
from host_tools.script.results import Aspect, Status
from host_tools.script.runner import Runner, RunOptions
from host_tools.script.safety import RefusedPins
from host_tools.script.timed import AnswerLate, TimedLink
from host_tools.script.values import Value
from tests.unit.host_tools.script.fakes import ICCID, PIN, TableLink, demo_link, run_text, statuses, write

FCP = bytes.fromhex("6207 8202 7821 8A0105 9000")


def test_passing_and_failing_steps(tmp_path: Path) -> None:
    link = TableLink({"00A4": FCP, "00B0": b"\x6a\x82"})
    results = run_text(tmp_path, '[[step]]\napdu="00A40004023F00"\n[[step]]\napdu="00B0000001"\n', link)
    assert statuses(results) == ["passed", "failed"]
    (difference,) = results[1].differences
    assert difference.aspect is Aspect.SW
    assert str(difference) == (
        "status word: 9000: normal ending of the command or 91XX wanted, 6A82: file not found came"
    )
    assert results[1].name == "READ BINARY 1 bytes at 0"


def test_tlv_expectations_are_explained_by_name(tmp_path: Path) -> None:
    text = """
[[step]]
apdu = "00A40004023F00"
tlv = { "62/82" = "41 21", "62/8A" = "absent", "62/83" = "present" }
data = "62 07 82 02 41 *"
length = 3
"""
    (result,) = run_text(tmp_path, text, TableLink({"00A4": FCP}))
    assert [str(item) for item in result.differences] == [
        "length: 3 bytes wanted, 9 bytes came",
        "data in 62/82 (descriptor): at byte 4 41 wanted, 78218A0105 (9 bytes in all) came",
        "TLV 62/82 (descriptor): at byte 0 41 wanted, 7821 (2 bytes in all) came",
        "TLV 62/8A (life cycle): no such object wanted, one came",
        "TLV 62/83 (file id): the object wanted, none came",
    ]
    assert any("62 FCP template" in line for line in explain(result))


def test_captures_loops_and_computed_values(tmp_path: Path) -> None:
    text = """
[variables]
start = "00FF"
[[step]]
apdu = "0084000002"
capture = { c = "data[0:2]", code = "sw" }
[[step]]
[step.compute]
next = "add(start, 0x01)"
both = "{c}{code}"
[[step]]
apdu = "00D0 0000 [{next}{both}{n}{fid}]"
for = { variable = "n", from = 1, to = 2 }
[[step]]
name = "inner"
repeat = 2
  [[step.step]]
  apdu = "00D1 0000 [{fid}]"
  for = { variable = "fid", in = ["2F00", "2F05"] }
"""
    text = text.replace("{n}{fid}", "{n}")
    link = TableLink({"0084": bytes.fromhex("AABB9000"), "00D0": b"\x90\x00", "00D1": b"\x90\x00"})
    results = run_text(tmp_path, text, link)
    assert set(statuses(results)) == {"passed"}
    tail = link.script_commands()[-6:]
    assert tail[:2] == ["00D00000070100AABB900001", "00D00000070100AABB900002"]
    assert tail[2:] == ["00D10000022F00", "00D10000022F05"] * 2
    assert [result.round for result in results][-2:] == ["2, fid=2F00", "2, fid=2F05"]


def test_until_repeats_and_gives_up(tmp_path: Path) -> None:
    answers = iter([b"\x93\x00", b"\x93\x00", b"\x90\x00"])
    link = TableLink({"80F2": lambda: next(answers, b"\x93\x00")})
    text = '[[step]]\napdu = "80F2000000"\nuntil = "9000"\nat_most = 5\n'
    assert statuses(run_text(tmp_path, text, link)) == ["passed"]
    (result,) = run_text(tmp_path, text, link)
    assert result.status is Status.FAILED
    assert link.sent.count("80F2000000") == 3 + 5


def test_a_capture_that_does_not_fit_is_an_error(tmp_path: Path) -> None:
    text = '[[step]]\napdu = "0084000002"\ncapture = { c = "data[0:9]" }\n[[step]]\napdu = "00D00000 [{c}]"\n'
    results = run_text(tmp_path, text, TableLink({"0084": b"\xaa\x90\x00"}))
    assert statuses(results) == ["error", "error"]
    assert "too short to capture c: 1 bytes" in results[0].reason
    assert "{c} has no value" in results[1].reason


def test_raw_transport_follows_nothing(tmp_path: Path) -> None:
    link = TableLink({"00A4": b"\x61\x02", "00C0000002": bytes.fromhex("62009000")})
    raw = '[[step]]\napdu = "00A40004023F00"\ntransport = "raw"\nsw = "6102"\n'
    assert statuses(run_text(tmp_path, raw, link)) == ["passed"]
    joined = '[[step]]\napdu = "00A40004023F00"\ndata = "6200"\n'
    assert statuses(run_text(tmp_path, joined, link)) == ["passed"]


def test_bytes_that_are_no_apdu_are_sent_as_they_are(tmp_path: Path) -> None:
    link = TableLink({"00A400": b"\x67\x00"})
    assert statuses(run_text(tmp_path, '[[step]]\napdu = "00A400"\nsw = "6700"\n', link)) == ["passed"]


def test_a_reader_that_vanishes_ends_the_script_unless_asked(tmp_path: Path) -> None:
    text = '[[step]]\napdu = "00B0000001"\n[[step]]\napdu = "00B0000002"\n'
    link = TableLink({"00B0": ReaderGone("The reader is gone.")})
    results = run_text(tmp_path, text, link)
    assert [(result.status, result.lost, result.reason) for result in results] == [
        (Status.ERROR, True, "The reader is gone.")
    ]
    going_on = run_text(tmp_path, text, link, RunOptions(stop_on_lost=False))
    assert statuses(going_on) == ["error", "error"]


def test_a_step_without_an_answer_says_what_it_asked(tmp_path: Path) -> None:
    text = """
[variables]
x = "2FE2"
[[step]]
apdu = "0084000004"
capture = { c = "data[0:9]" }
[[step]]
apdu = "00A40004 [{x}]"
[[step]]
apdu = "00A40004 [{c}]"
"""
    link = TableLink({"0084": b"\x01\x90\x00", "00A4": ReaderGone("The reader is gone.")})
    results = run_text(tmp_path, text, link, RunOptions(stop_on_lost=False))
    assert [(result.name, result.status.value) for result in results] == [
        ("GET CHALLENGE", "error"), ("SELECT by FID 2FE2", "error"), ("SELECT", "error"),
    ]  # fmt: skip
    lost = results[1]
    assert explain(lost)[-1] == "  > 00 A4 00 04 02 2F E2"
    assert (lost.lost, lost.exchange is not None and lost.exchange.error) == (True, "The reader is gone.")


def test_a_reader_that_is_gone_from_the_start_is_a_result(tmp_path: Path) -> None:
    class Gone(TableLink):
        def reset(self) -> bytes:
            raise ReaderGone("The reader is gone.")

    (result,) = run_text(tmp_path, '[[step]]\nname = "a"\napdu = "00B0000001"\n', Gone())
    assert (result.status, result.lost) == (Status.ERROR, True)


def test_garbage_is_reported_as_such(tmp_path: Path) -> None:
    results = run_text(tmp_path, '[[step]]\napdu = "00B0000001"\n', TableLink({"00B0": b"\x90"}))
    assert results[0].reason == "The card answered 1 bytes; a response has at least 2."


def test_stop_on_failure(tmp_path: Path) -> None:
    text = '[[step]]\napdu = "00B0000001"\nON[[step]]\napdu = "00B0000002"\n'
    link = TableLink()
    assert len(run_text(tmp_path, text.replace("ON", ""), link)) == 2
    assert len(run_text(tmp_path, text.replace("ON", 'on_failure = "stop"\n'), link)) == 1
    assert len(run_text(tmp_path, text.replace("ON", ""), link, RunOptions(stop_on_failure=True))) == 1


def test_variables_from_environment_options_and_chance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
[variables]
secret = { env = "LAB_TEST_SECRET" }
unset = { env = "LAB_TEST_UNSET" }
open = { env = "LAB_TEST_OPEN", form = "text", secret = false, default = "hi" }
given = "00"
chance = { random = 4 }
[[step]]
apdu = "00D00000 [{secret}{open}{given}{chance}]"
[[step]]
apdu = "00D00000 [{unset}]"
"""
    monkeypatch.setenv("LAB_TEST_SECRET", "AABB")
    monkeypatch.delenv("LAB_TEST_UNSET", raising=False)
    link = TableLink({"00D0": b"\x90\x00"})
    options = RunOptions(variables={"given": Value(b"\x77")}, seed=5)
    results = run_text(tmp_path, text, link, options)
    assert statuses(results) == ["passed", "error"]
    assert results[1].reason == "{unset} has no value: set the environment variable LAB_TEST_UNSET"
    first = link.script_commands()[-1]
    assert first.startswith("00D0000009AABB686977")
    run_text(tmp_path, text, link, options)
    assert link.script_commands()[-1] == first


def test_a_malformed_secret_is_told_without_showing_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_TEST_SECRET", "nothexatall")
    text = '[variables]\ns = { env = "LAB_TEST_SECRET" }\n[[step]]\napdu = "00D00000 [{s}]"\n'
    (result,) = run_text(tmp_path, text, TableLink())
    assert result.status is Status.ERROR
    assert "nothexatall" not in result.reason


def test_conditions_on_the_card(tmp_path: Path) -> None:
    conditions = (
        "usim", "csim", "not csim", "service 68", "service 117", "csim service 1", "pin enabled", "known x",
    )  # fmt: skip
    text = "".join(f'[[step]]\nname = "{when}"\napdu = "00A4000C023F00"\nwhen = "{when}"\n' for when in conditions)
    results = run_text(tmp_path, text, demo_link(), RunOptions(pin=Secret(PIN)))
    assert [result.name for result in results if result.status is Status.PASSED] == [
        "usim", "not csim", "service 68", "pin enabled",
    ]  # fmt: skip
    assert results[1].reason == "needs: csim"


def test_without_the_pin_services_are_unknown_and_it_says_so(tmp_path: Path) -> None:
    text = '[script]\nrequires = ["service 68"]\n[[step]]\napdu = "00A4000C023F00"\n'
    (result,) = run_text(tmp_path, text, demo_link())
    assert result.status is Status.SKIPPED
    assert "the script needs: service 68 (the service table of the USIM cannot be read" in result.reason


def test_what_a_card_is_asked() -> None:
    capabilities = probe_card(ApduClient(demo_link("csim")), Secret(PIN), RefusedPins())
    assert set(capabilities.aids) == {"usim", "csim"}
    assert {68, 69} <= capabilities.services["usim"]
    assert capabilities.services["csim"]
    assert "isim" not in capabilities.services
    assert capabilities.pin_enabled
    assert capabilities.iccid == "8900101000000000035"


def test_what_an_isim_offers() -> None:
    capabilities = probe_card(ApduClient(demo_link()), Secret(PIN), RefusedPins())
    assert capabilities.services["isim"] == {2}


def test_a_mute_card_runs_into_the_timeout_and_late_answers_are_dropped() -> None:
    release = threading.Event()

    def late() -> bytes:
        release.wait(10)
        return b"\x11\x90\x00"

    link = TimedLink(TableLink({"0001": late, "0002": b"\x90\x00"}))
    link.timeout = 0.05
    with pytest.raises(AnswerLate, match=r"did not answer within 0\.05 s"):
        link.transmit(bytes.fromhex("00010000"))
    with pytest.raises(AnswerLate):
        link.transmit(bytes.fromhex("00020000"))
    release.set()
    link.timeout = 10
    assert link.transmit(bytes.fromhex("00020000")) == b"\x90\x00"
    link.close()


def test_errors_cross_the_thread() -> None:
    link = TimedLink(TableLink({"00": LinkError("broken")}))
    link.timeout = 5
    with pytest.raises(LinkError, match="broken"):
        link.transmit(bytes(4))
    assert link.reset() == b"\x3b\x80"
    link.close()


def test_timeout_of_a_step_is_a_result(tmp_path: Path) -> None:
    release = threading.Event()

    def late() -> bytes:
        release.wait(10)
        return b"\x90\x00"

    text = '[[step]]\napdu = "00B0000001"\ntimeout = 0.05\n'
    (result,) = run_text(tmp_path, text, TableLink({"00B0": late}))
    release.set()
    assert (result.status, result.lost) == (Status.ERROR, True)
    assert "did not answer within 0.05 s" in result.reason


def test_memory_stays_flat_over_ten_thousand_steps(tmp_path: Path) -> None:
    def peak(rounds: int) -> int:
        script = load_script(write(tmp_path, f'[[step]]\napdu = "00B0000000"\nrepeat = {rounds}\n'))
        link = TableLink({"00B0": bytes(200) + b"\x90\x00"})
        link.sent = _Nothing()
        tracemalloc.start()
        count = sum(1 for _ in Runner(link).run(script))
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count == rounds
        return size

    peak(10)
    assert peak(10_000) < peak(500) + 100_000


class _Nothing(list[str]):
    def append(self, item: str, /) -> None:
        pass


def test_ten_thousand_written_steps_need_no_more_while_running(tmp_path: Path) -> None:
    script = load_script(write(tmp_path, '[[step]]\napdu = "00B0000000"\n' * 10_000))
    link = TableLink({"00B0": bytes(200) + b"\x90\x00"})
    link.sent = _Nothing()
    tracemalloc.start()
    count = sum(result.status is Status.PASSED for result in Runner(link).run(script))
    grown = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 10_000
    assert grown < 500_000


def test_results_show_no_secret(tmp_path: Path) -> None:
    text = """
[variables]
pin = { env = "LAB_PIN", form = "pin", default = "1234" }
[[step]]
apdu = "00A40404 [{usim_aid}]"
[[step]]
apdu = "00200001 [{pin}]"
sw = "6982"
"""
    results = run_text(tmp_path, text, demo_link(), RunOptions(pin=Secret(PIN)))
    shown = repr(results) + "\n".join(line for result in results for line in explain(result))
    assert results[-1].status is Status.FAILED
    assert "31323334" not in shown.replace(" ", "")
    assert ICCID not in shown


def test_a_card_is_asked_only_where_a_script_needs_to_know_it(tmp_path: Path) -> None:
    link = TableLink({"00B0": b"\x90\x00"})
    run_text(tmp_path, '[script]\nreset = false\n[[step]]\napdu = "00B0000001"\n', link)
    assert (link.sent, link.resets) == (["00B0000001"], 0)
    run_text(tmp_path, '[[step]]\napdu = "00B0000001"\nwhen = "not csim"\n', link)
    assert "00A40004023F0000" in link.sent
    assert link.sent[-1] == "00B0000001"
