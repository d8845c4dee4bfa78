"""`bcast-uicc trace` on captures that are cut, lie about sizes and times, or hold what T=0 has no form for."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from host_tools.cli.exits import ExitCode
from host_tools.cli.main import invoke
from host_tools.content.captures.pcap import CaptureWriter, Datagram, Endpoint
from host_tools.trace.events import TraceEvent
from host_tools.trace.gsmtap import PORT, PcapngSink, encode_gsmtap
from host_tools.trace.jsonl import JsonLinesSink
from tests.unit.host_tools.content.captures.test_pcap import enhanced
from tests.unit.host_tools.trace.fakes import RESET, exchange

Run = Callable[..., tuple[int, str, str]]
READ, FOUND = "00B000000A", "98" * 10 + "9000"
EVENTS: list[TraceEvent] = [
    RESET,
    exchange(2, "00A4000C022FE2", "9000"),
    exchange(3, READ, FOUND),
    exchange(4, "00B00000000258", "55" * 600 + "9000"),
    exchange(5, "00D60000000258" + "AA" * 600, "9000"),
    exchange(6, "00A40004022FE200", "62028200" + "9000"),
    *(exchange(7 + channel, f"{0x40 + channel:02X}A40004022FE200", "62028200" + "9000") for channel in range(16)),
]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def invoked(*arguments: object) -> tuple[int, str, str]:
        status = invoke([str(argument) for argument in ("trace", *arguments)])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return status, out, err

    return invoked


@pytest.fixture
def pcapng(tmp_path: Path) -> Path:
    path = tmp_path / "s.pcapng"
    sink = PcapngSink(path.open("wb"))
    for event in EVENTS:
        sink.emit(event)
    sink.close()
    return path


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    path = tmp_path / "s.jsonl"
    sink = JsonLinesSink(path.open("w", encoding="utf-8"))
    for event in EVENTS:
        sink.emit(event)
    sink.close()
    return path


LIES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut": (lambda whole: whole[:700], "cut off inside a packet"),
    "a block of 2 GB": (lambda whole: whole + struct.pack("<II", 6, 1 << 31), "a block that claims 2147483648 bytes"),
    "the year 10000": (lambda whole: whole + enhanced(0, 253_402_300_800_000_000, b""), "beyond the year 9999"),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_was_read_is_shown_and_where_it_ends_is_told(run: Run, pcapng: Path, lie: str) -> None:
    change, words = LIES[lie]
    whole = run("show", pcapng, "--brief")[1]
    pcapng.write_bytes(change(pcapng.read_bytes()))
    status, out, err = run("show", pcapng, "--brief")
    assert (status, err.count("\n")) == (ExitCode.INPUT, 1)
    assert f"{pcapng}: " in err
    assert words in err
    assert "unreadable from byte" in err
    assert out == whole if lie != "cut" else out and whole.startswith(out)


def test_so_it_is_when_traces_are_compared_and_filtered(run: Run, pcapng: Path, lines: Path, tmp_path: Path) -> None:
    pcapng.write_bytes(pcapng.read_bytes()[:-1])
    status, _, err = run("diff", lines, pcapng)
    assert (status, "unreadable from byte" in err) == (ExitCode.INPUT, True)
    status, _, err = run("filter", pcapng, "-o", tmp_path / "o.jsonl")
    assert (status, "unreadable from byte" in err) == (ExitCode.INPUT, True)
    assert not (tmp_path / "o.jsonl").exists(), "whole, or not at all"


@pytest.mark.parametrize("kind", ["pcapng", "jsonl"])
def test_no_script_is_made_of_half_a_trace(pcapng: Path, lines: Path, kind: str, tmp_path: Path) -> None:
    trace, script = {"pcapng": pcapng, "jsonl": lines}[kind], tmp_path / "made.toml"
    assert invoke(["script", "record", "--from", str(trace), str(script)]) == ExitCode.OK
    script.unlink()
    trace.write_bytes(trace.read_bytes()[:-3])
    assert invoke(["script", "record", "--from", str(trace), str(script)]) == ExitCode.INPUT
    assert not script.exists(), "whole, or not at all"


@pytest.mark.parametrize(
    "command",
    ["realism learn {}", "compare learn --link inprocess --profile usim --from-trace {} -o learned.toml usim"],
)
def test_a_capture_in_place_of_json_lines_is_told(
    pcapng: Path, capfd: pytest.CaptureFixture[str], command: str
) -> None:
    assert invoke([part.format(pcapng) for part in command.split()]) == ExitCode.INPUT
    assert "`bcast-uicc trace filter` with -o NAME.jsonl makes one of it" in capfd.readouterr().err


def test_a_trace_in_both_forms_shows_no_difference(run: Run, pcapng: Path, lines: Path) -> None:
    assert run("diff", lines, pcapng) == (ExitCode.OK, "", "no difference\n")
    assert run("diff", pcapng, lines) == (ExitCode.OK, "", "no difference\n")


def test_extended_commands_are_shown_as_in_json_lines(run: Run, pcapng: Path, lines: Path) -> None:
    shown = [run("show", path, "--brief")[1] for path in (pcapng, lines)]
    assert all("READ BINARY 600 bytes at 0" in out and "UPDATE BINARY 600 bytes at 0" in out for out in shown)


def test_every_logical_channel_is_its_own(run: Run, pcapng: Path) -> None:
    for channel in range(4, 20):
        _, out, _ = run("filter", pcapng, f"channel={channel}")
        names = [line.partition(" -> ")[0].split(" ", 2)[2] for line in out.splitlines()]
        # Nothing in the trace opened the channel: where it stands is not known, and the file gets no name.
        assert names == [f"SELECT by FID 2FE2, channel {channel}", f"GET RESPONSE, channel {channel}"]


def test_packets_that_are_no_part_of_the_trace_are_told(run: Run, tmp_path: Path) -> None:
    path, here = tmp_path / "x.pcap", Endpoint("127.0.0.1", PORT)
    with path.open("wb") as file:
        writer = CaptureWriter(file)
        for payload in (encode_gsmtap(bytes.fromhex(READ + FOUND), 1), b"dns", b"dns"):
            writer.write(Datagram(1.0, here, here, payload))
    status, out, err = run("show", path, "--brief")
    assert (status, out.count("\n")) == (ExitCode.OK, 1)
    assert err == f"{path}: packets that are no part of the trace: 2 no GSMTAP packet of a SIM, or too short for one.\n"
