"""Wireshark decodes our traces: GSMTAP in pcapng, field for field."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from card.crypto.secret import Secret
from host_tools.script.load import load_script, shipped_suites
from host_tools.script.runner import Runner, RunOptions
from host_tools.script.values import Value
from host_tools.trace.gsmtap import PcapngSink
from host_tools.trace.tracer import TracedLink, Tracer
from tests.unit.host_tools.script.fakes import ICCID, OPC, PIN, K, demo_link
from tests.unit.host_tools.trace.fakes import exchange


def dissect(capture: Path, *fields: str) -> list[list[str]]:
    """Return the fields of every packet as tshark reads them."""
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.fail("tshark is missing; install it with: apt-get install tshark")
    chosen = [part for field in fields for part in ("-e", field)]
    command = [tshark, "-r", str(capture), "-T", "json", *chosen]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    packets: list[dict[str, Any]] = json.loads(done.stdout)
    layers = [packet["_source"]["layers"] for packet in packets]
    return [[",".join(layer.get(field, [])) for field in fields] for layer in layers]


def trace(tmp_path: Path, suite: str) -> Path:
    """Run a suite on a demo card in this process and return the capture of it."""
    capture = tmp_path / f"{suite}.pcapng"
    link = TracedLink(demo_link(), Tracer("demo card", [PcapngSink(capture.open("wb"))]))
    variables = {
        "pin": Value(PIN.ljust(8, b"\xff"), secret=True),
        "k": Value(bytes.fromhex(K), secret=True),
        "opc": Value(bytes.fromhex(OPC), secret=True),
    }
    options = RunOptions(Secret(PIN), variables, destructive=True, allowed_iccids=frozenset({ICCID}))
    for _ in Runner(link, options).run(load_script(shipped_suites()[suite])):
        pass
    link.close()
    return capture


def test_packets_are_gsmtap_of_a_sim_and_none_is_malformed(tmp_path: Path) -> None:
    packets = dissect(trace(tmp_path, "usim"), "frame.protocols", "_ws.malformed")
    assert len(packets) > 60
    assert {packet[0] for packet in packets} == {"raw:ip:udp:gsmtap:gsm_sim"}
    assert {packet[1] for packet in packets} == {""}


def test_a_header_with_the_size_of_the_command_is_passed_over(tmp_path: Path) -> None:
    capture = tmp_path / "t.pcapng"
    sink = PcapngSink(capture.open("wb"))
    sink.emit(exchange(1, "00B00000000258", "55" * 600 + "9000"))
    sink.emit(exchange(2, "00D60000000258" + "AA" * 600, "9000"))
    sink.close()
    fields = ("frame.protocols", "gsm_sim.apdu.ins", "gsm_sim.apdu.sw", "_ws.malformed")
    assert dissect(capture, *fields) == [
        ["raw:ip:udp:gsmtap:gsm_sim", "0xb0", "0x9000", ""], ["raw:ip:udp:gsmtap:gsm_sim", "0xd6", "0x9000", ""],
    ]  # fmt: skip


def test_commands_files_and_status_words_are_named(tmp_path: Path) -> None:
    capture = trace(tmp_path, "uicc")
    packets = dissect(capture, "gsm_sim.apdu.ins", "gsm_sim.file_id", "gsm_sim.apdu.sw", "frame.comment")
    instructions = {packet[0] for packet in packets}
    assert {"0xa4", "0xb0", "0xb2", "0xc0", "0xf2"} <= instructions
    assert {"0x3f00", "0x2f00", "0x2fe2"} <= {packet[1] for packet in packets}
    assert {"0x9000", "0x6a82", "0x6d00"} <= {packet[2] for packet in packets}
    comments = "\n".join(packet[3] for packet in packets)
    assert "SELECT by FID 2FE2 [MF/EF_ICCID] -> 9000" in comments


def test_the_interface_is_named_after_the_reader(tmp_path: Path) -> None:
    packets = dissect(trace(tmp_path, "channels"), "frame.interface_name")
    assert {packet[0] for packet in packets} == {"demo card"}


def test_no_key_is_in_the_file(tmp_path: Path) -> None:
    content = trace(tmp_path, "mbms").read_bytes()
    assert PIN.ljust(8, b"\xff") not in content
    for secret in (K, OPC):
        assert bytes.fromhex(secret) not in content


@pytest.mark.parametrize("suite", ["authenticate", "gba", "mbms"])
def test_authentication_is_decoded_without_complaint(tmp_path: Path, suite: str) -> None:
    packets = dissect(trace(tmp_path, suite), "gsm_sim.apdu.ins", "_ws.malformed", "udp.payload")
    assert {"0x88", "0x89"} & {packet[0] for packet in packets}
    malformed = [payload.replace(":", "")[32:] for _, complaint, payload in packets if complaint]
    # Wireshark takes every AUTHENTICATE in the GSM context for the RUN GSM ALGORITHM of a SIM, which has no lengths.
    assert [tpdu for tpdu in malformed if not tpdu.startswith("00880080")] == []
