from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools.cli.exits import ExitCode
from host_tools.cli.main import invoke
from host_tools.content.captures.pcap import CaptureWriter, Datagram, Endpoint, open_capture
from host_tools.trace.captured import CapturedTrace, as_captured
from host_tools.trace.diff import diff_traces, difference_lines, explain_data
from host_tools.trace.events import CardEvent, TracedExchange, TraceEvent
from host_tools.trace.filter import FilterError, parse_filter
from host_tools.trace.gsmtap import (
    GsmtapPacket,
    GsmtapSink,
    PcapngSink,
    decode_gsmtap,
    encode_gsmtap,
    gsmtap_packets,
)
from host_tools.trace.jsonl import JsonLinesSink, TraceFileError, decode_event, encode_event, read_json_lines
from host_tools.trace.sinks import file_sink
from host_tools.trace.tpdu import join_exchange, split_exchange
from host_tools.trace.tracer import Tracer
from tests.unit.host_tools.trace.fakes import RESET, Collector, exchange, exchanges

EVENTS: list[TraceEvent] = [
    RESET,
    exchange(2, "00A40004022FE200", "6204820241219000", file="MF/EF_ICCID"),
    exchange(3, "00B000000A", "98" * 10 + "9000", file="MF/EF_ICCID"),
    exchange(4, "0020000108" + "00" * 8, "63C2", hidden_command=((5, 13),)),
    exchange(5, "00B0000001", "", error="gone", fault="fault: mute at READ BINARY #2"),
]


def test_json_lines_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    sink = JsonLinesSink(path.open("w", encoding="utf-8"))
    for event in EVENTS:
        sink.emit(event)
    sink.close()
    sink.close()
    assert list(read_json_lines(path)) == EVENTS


@pytest.mark.parametrize(
    "line",
    [
        "{", "[]", "7", '{"type": "exchange"}', '{"type": "x", "number": 1, "at": 0, "link": ""}',
        encode_event(EVENTS[3]).replace("[5, 13]", "[5, 99]"), encode_event(RESET).replace("1000.0", "NaN"),
        encode_event(RESET).replace("1000.0", "1e300"), encode_event(RESET).replace("3b80", "xy"), "[" * 100_000,
    ],
)  # fmt: skip
def test_a_line_that_is_no_event_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(f"{encode_event(RESET)}\n\n{line}\n")
    with pytest.raises(TraceFileError, match=r"t.jsonl:3: not a line of a trace"):
        list(read_json_lines(path))


@given(st.text(max_size=200))
def test_any_line_is_read_or_refused(line: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        decode_event(line)


@pytest.mark.parametrize(
    ("command", "response", "tpdus"),
    [
        ("00A4000C", "9000", ["00A4000C009000"]),
        ("00B0000003", "AABBCC9000", ["00B0000003AABBCC9000"]),
        ("00B0000000", "AABBCC9000", ["00B0000003AABBCC9000"]),
        ("00B0000000", "6C09", ["00B00000006C09"]),
        ("00A4000C023F00", "9000", ["00A4000C023F009000"]),
        ("00A40004023F0000", "62009000", ["00A40004023F006102", "00C000000262009000"]),
        ("01A40004023F0000", "62009000", ["01A40004023F006102", "01C000000262009000"]),
        ("0089A08500", "53019000", ["0089A0850253019000"]),
        ("00A4", "6700", ["00A46700"]),
    ],
)
def test_exchanges_as_tpdus(command: str, response: str, tpdus: list[str]) -> None:
    made = split_exchange(bytes.fromhex(command), bytes.fromhex(response))
    assert [(sent + came).hex().upper() for sent, came in made] == tpdus


def test_long_answers_are_fetched_in_pieces() -> None:
    data = bytes(range(250)) * 2
    (_, first), *rest = split_exchange(bytes.fromhex("00CB8000020080"), data + b"\x90\x00")
    assert first == b"\x61\x00"
    assert b"".join(came[:-2] for _, came in rest) == data
    assert [came[-2:].hex() for _, came in rest] == ["61f4", "9000"]


@pytest.mark.parametrize(
    ("cla", "asks"),
    [(0x00, 0x00), (0x83, 0x03), (0x40, 0x40), (0x44, 0x44), (0x4F, 0x4F), (0xCB, 0x4B), (0x6F, 0x4F), (0xA0, 0xA0)],
)
def test_the_answer_is_fetched_on_the_channel_of_its_command(cla: int, asks: int) -> None:
    """TS 102 221 table 10.4a: the low four bits of 4X are channel 4 to 19."""
    (_, _), (sent, _) = split_exchange(bytes((cla, 0xA4, 0, 4, 2, 0x3F, 0, 0)), b"\x62\x00\x90\x00")
    assert sent == bytes((asks, 0xC0, 0, 0, 2))


# Cases 2E to 4E, short lengths in extended form, and commands whose direction the instruction does not tell.
UNSEEN_BORDERS = [
    ("00B00000000258", "55" * 600 + "9000"),
    ("00B00000000000", "55" * 3000 + "9000"),
    ("00B00000000100", "00FE" + "55" * 252 + "9000"),  # as long as a short READ BINARY of 256 bytes
    ("00B00000000258", "6B00"),
    ("00D60000000258" + "AA" * 600, "9000"),
    ("00D6000000000501020304050000", "9000"),
    ("00D60000000005" + "0102030405", "9000"),
    ("00A400040000023F000000", "62" + "7F" + "00" * 300 + "9000"),
    ("8012000005", "0102030405" + "9000"),
    ("00A4", "6700"),
    ("00B0000001", "90"),
    ("00B0000000", "11" * 300 + "9000"),
]


@pytest.mark.parametrize(("command", "response"), UNSEEN_BORDERS)
def test_what_cannot_be_split_by_looking_comes_back_from_a_capture_as_it_was(
    tmp_path: Path, command: str, response: str
) -> None:
    """What is read from a file that is not open to all comes back as zeros; the border shows all the same."""
    event = exchange(2, command, response)
    path = tmp_path / "t.pcapng"
    sink = PcapngSink(path.open("wb"))
    sink.emit(event)
    sink.close()
    (found,) = CapturedTrace(path)
    assert isinstance(found, TracedExchange)
    assert (len(found.command), len(found.response)) == (len(event.command), len(event.response))
    assert (found.command[:4], found.response[-2:]) == (event.command[:4], event.response[-2:])


@pytest.mark.parametrize(("command", "response"), [row for row in UNSEEN_BORDERS if row[0].startswith("00B0")])
def test_what_is_open_comes_back_byte_for_byte(tmp_path: Path, command: str, response: str) -> None:
    events = [exchange(1, "00A4000C022FE2", "9000"), exchange(2, command, response)]
    path = tmp_path / "t.pcapng"
    sink = PcapngSink(path.open("wb"))
    for event in events:
        sink.emit(event)
    sink.close()
    _, found = CapturedTrace(path)
    assert isinstance(found, TracedExchange)
    assert (found.command, found.response) == (events[1].command, events[1].response)
    assert list(diff_traces(as_captured(events), list(CapturedTrace(path)))) == []


@given(st.binary(min_size=1, max_size=300), st.binary(min_size=1, max_size=300))
def test_every_packet_says_where_its_command_ends(command: bytes, response: bytes) -> None:
    event = exchange(2, command.hex(), response.hex())
    packets = [decode_gsmtap(raw) for raw in gsmtap_packets(event)]
    tpdus = [join_exchange(packet.payload, packet.command_size) for packet in packets]
    assert tpdus == list(split_exchange(command, response))


@pytest.mark.parametrize(
    ("tpdu", "command", "response"),
    [
        ("00A4000C023F009000", "00A4000C023F00", "9000"),
        ("00B0000003AABBCC9000", "00B0000003", "AABBCC9000"),
        ("00B00000006C09", "00B0000000", "6C09"),
        ("00708001009000", "00708001", "9000"),
        ("0089A0850253019000", "0089A08502", "53019000"),
        ("00898085025300" + "62F3", "00898085025300", "62F3"),
    ],
)
def test_tpdus_as_exchanges(tpdu: str, command: str, response: str) -> None:
    assert join_exchange(bytes.fromhex(tpdu)) == (bytes.fromhex(command), bytes.fromhex(response))


def test_a_sink_that_cannot_be_finished_leaves_no_other_unfinished() -> None:
    sinks = [Collector(), FullSink("first"), Collector(), FullSink("second")]
    with pytest.raises(OSError, match="first"):
        Tracer("test", sinks).close()
    assert [sink.closed for sink in sinks] == [1] * 4


class FullSink(Collector):
    """A sink whose end finds no place."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self._words = words

    def close(self) -> None:
        super().close()
        raise OSError(self._words)


def test_gsmtap_header() -> None:
    packet = encode_gsmtap(b"\x01\x02", 7)
    assert (len(packet), packet[:3].hex(), packet[8:12].hex()) == (18, "020404", "00000007")
    assert decode_gsmtap(packet) == GsmtapPacket(0, b"\x01\x02")
    longer = encode_gsmtap(b"\x01\x02", 7, command_size=1)
    assert (longer[1], decode_gsmtap(longer)) == (5, GsmtapPacket(0, b"\x01\x02", 1))
    assert longer[:1] + packet[1:2] + longer[2:16] + longer[20:] == packet


def test_pcapng_can_be_read_back_redacted(tmp_path: Path) -> None:
    path = tmp_path / "t.pcapng"
    sink = PcapngSink(path.open("wb"))
    for event in EVENTS:
        sink.emit(event)
    sink.close()
    with open_capture(path) as capture:
        assert len(list(capture)) == 5
        assert capture.report.truncated_at is None
    collector = Collector()
    for event in CapturedTrace(path):
        collector.emit(event)
    assert isinstance(collector.events[0], CardEvent)
    assert [event.command.hex().upper() for event in exchanges(collector)] == [
        "00A40004022FE2", "00C0000006", "00B000000A", "0020000108" + "00" * 8,
    ]  # fmt: skip
    assert exchanges(collector)[2].file == "MF/EF_ICCID"
    assert exchanges(collector)[3].hidden_command == ((5, 13),)


def test_what_has_no_packet_is_a_comment_of_the_next(tmp_path: Path) -> None:
    path = tmp_path / "t.pcapng"
    sink = PcapngSink(path.open("wb"))
    lost = exchange(1, "0084000008", "", error="The card is mute.", fault="fault: mute at GET CHALLENGE #1")
    for event in (lost, RESET, exchange(2, "0084000008", "00" * 8 + "9000")):
        sink.emit(event)
    sink.close()
    raw = path.read_bytes()
    wanted = (b"-> The card is mute.  [fault: mute at GET CHALLENGE #1]", b"reset", b"-> 9000")
    places = [raw.index(text) for text in wanted]
    assert places == sorted(places)
    assert raw.count(b"GET CHALLENGE -> The card") == 1


def captured(path: Path, *events: TraceEvent) -> Path:
    sink = PcapngSink(path.open("wb"))
    for event in events:
        sink.emit(event)
    sink.close()
    return path


def test_a_capture_that_breaks_off_gives_what_was_before_and_says_so(tmp_path: Path) -> None:
    path = captured(tmp_path / "t.pcapng", *EVENTS)
    whole = len(list(CapturedTrace(path)))
    path.write_bytes(path.read_bytes()[:-5])
    found: list[TraceEvent] = []
    with pytest.raises(TraceFileError, match=r"t\.pcapng: .*unreadable from byte \d+ on \(cut off inside a packet\)"):
        found.extend(CapturedTrace(path))
    assert len(found) == whole - 1


def test_two_readers_in_one_capture_are_two_cards(tmp_path: Path) -> None:
    select, read = ("00A4000C022FE2", "9000"), ("00B000000A", "98" * 10 + "9000")
    events = [exchange(1, *select, link="one"), exchange(2, *read, link="two"), exchange(3, *read, link="one")]
    found = list(CapturedTrace(captured(tmp_path / "t.pcapng", *events)))
    assert [(event.link, getattr(event, "file", None)) for event in found] == [
        ("one", "MF/EF_ICCID"), ("two", "MF"), ("one", "MF/EF_ICCID"),
    ]  # fmt: skip


def test_links_without_end_do_not_make_interfaces_without_end(tmp_path: Path) -> None:
    events = [exchange(number, "00B000000A", "98" * 10 + "9000", link=str(number)) for number in range(2000)]
    found = list(CapturedTrace(captured(tmp_path / "t.pcapng", *events)))
    assert (len(found), len({event.link for event in found})) == (2000, 65)


def test_what_is_no_part_of_the_trace_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "t.pcap"
    here, there = Endpoint("127.0.0.1", 4729), Endpoint("127.0.0.1", 53)
    good = encode_gsmtap(bytes.fromhex("00A4000C022FE29000"), 1)
    other = encode_gsmtap(b"", 1, subtype=2)
    with path.open("wb") as file:
        writer = CaptureWriter(file)
        for where, payload in ((here, good), (there, good), (here, b"dns"), (here, good[:18]), (here, other)):
            writer.write(Datagram(1.0, there, where, payload))
    trace = CapturedTrace(path)
    assert len(list(trace)) == 1
    assert trace.left_out == {
        "to another port": 1,
        "no GSMTAP packet of a SIM, or too short for one": 2,
        "GSMTAP of another kind than APDU and ATR": 1,
    }


def test_a_mute_card_does_not_fill_memory(tmp_path: Path) -> None:
    path = tmp_path / "t.pcapng"
    sink = PcapngSink(path.open("wb"))
    for number in range(100):
        sink.emit(exchange(number, "0084000008", "", error="mute"))
    sink.emit(RESET)
    sink.close()
    raw = path.read_bytes()
    assert (raw.count(b"-> mute"), b"#99 GET CHALLENGE" in raw) == (15, True)


def test_gsmtap_over_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(10)
        sink = GsmtapSink("127.0.0.1", listener.getsockname()[1])
        for event in EVENTS:
            sink.emit(event)
        sink.close()
        packets = [decode_gsmtap(listener.recv(2000)) for _ in range(5)]
    assert packets[0] == GsmtapPacket(1, bytes.fromhex("3B80"))
    assert [packet.subtype for packet in packets] == [1, 0, 0, 0, 0]


def chosen(*terms: str) -> list[int]:
    return [event.number for event in filter(parse_filter(terms), EVENTS)]


def test_filters() -> None:
    assert chosen() == [1, 2, 3, 4, 5]
    assert chosen("ins=SELECT") == [2]
    assert chosen("ins=b0") == [3, 5]
    assert chosen("sw=63CX") == [4]
    assert chosen("sw!=9000") == [4, 5]
    assert chosen("file=EF_ICCID", "ins=READ") == [3]
    assert chosen("ms>=3", "ms<5") == [3, 4]
    assert chosen("number!=2", "channel=0") == [3, 4, 5]
    assert chosen("text=tries left") == [4]
    assert chosen("link=other") == []
    assert chosen("text=fault: mute") == [5]


def test_an_unknown_duration_is_neither_long_nor_short() -> None:
    event = exchange(1, "00B0000001", "009000", seconds=0.0)
    assert list(filter(parse_filter(["ms<5"]), [event])) == []
    assert list(filter(parse_filter(["ms>=0"]), [event])) == []
    assert '"seconds": null' in encode_event(event)
    assert decode_event(encode_event(event)) == event


def test_a_line_of_an_older_trace_has_no_fault() -> None:
    event = exchange(1, "00B0000001", "009000")
    assert decode_event(encode_event(event).replace(', "fault": ""', "")) == event


@pytest.mark.parametrize("term", ["", "sw", "colour=red", "ms=slow", "sw>9000"])
def test_a_bad_filter_says_what_there_is(term: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse_filter([term])
    assert "=" in str(caught.value) or "number" in str(caught.value)


def test_diff_finds_answers_and_commands() -> None:
    other: list[TraceEvent] = [
        exchange(1, "00A40004022FE200", "6204820242219000"),
        exchange(2, "0084000008", "9000"),
        exchange(3, "00B000000A", "98" * 10 + "9000"),
        exchange(4, "0020000108" + "00" * 8, "63C1"),
    ]
    found = list(diff_traces(EVENTS, other))
    assert [difference.words for difference in found] == [
        "byte 4 is 41 against 42, in tag 62/82 (descriptor)",
        "only in the second trace",
        "status word 63C2: verification failed, 2 tries left against 63C1: verification failed, 1 tries left",
        "only in the first trace",
    ]
    marks = [line[:1] for difference in found for line in difference_lines(difference)]
    assert [mark for mark in marks if mark != " "] == ["!", "+", "!", "-"]
    assert list(diff_traces(EVENTS, EVENTS)) == []


@pytest.mark.parametrize(
    ("left", "right", "words"),
    [
        ("00B0000012", "00B0000000", "Le 12 against 00"),
        ("00B00000", "00B0000012", "Le none against 12"),
        ("00D60000020102", "00D60000020103", "command data: byte 1 is 02 against 03"),
        ("008800810201020C", "0088008102010300", "command data: byte 1 is 02 against 03; Le 0C against 00"),
        ("00B0000012", "00B00000000012", "command: byte 4 is 12 against 00"),
        ("00B0000005FF", "00B0000006FF", "command: byte 4 is 05 against 06"),
    ],
)
def test_commands_that_look_alike_say_what_differs(left: str, right: str, words: str) -> None:
    (found,) = diff_traces([exchange(1, left, "9000")], [exchange(1, right, "9000")])
    assert found.words == words
    assert list(difference_lines(found))[-1] == f"    #1 against #1: {words}"


def test_a_changed_command_and_its_changed_answer_are_one_difference() -> None:
    (found,) = diff_traces([exchange(1, "00B0000001", "009000")], [exchange(7, "00B0000002", "6A82")])
    assert found.words.startswith("Le 01 against 02; status word 9000")


def test_a_stretch_of_other_commands_keeps_its_order() -> None:
    left = [exchange(1, "00A4000C023F00", "9000"), exchange(2, "00B0000001", "009000")]
    right = [exchange(1, "0084000008", "9000"), exchange(2, "00B0000002", "009000")]
    marks = [next(difference_lines(found))[:1] for found in diff_traces(left, right)]
    assert marks == ["-", "+", "!"]


def test_long_traces_without_a_common_thread_are_compared_place_by_place() -> None:
    left: list[TraceEvent] = [exchange(n, "00B0000001", "009000") for n in range(3000)]
    right: list[TraceEvent] = [exchange(n, "00B0000001" if n % 2 else "00B0010001", "009000") for n in range(2999)]
    found = list(diff_traces(left, right))
    assert len(found) == 3001
    assert {difference.words for difference in found} == {"only in the first trace", "only in the second trace"}


@given(st.lists(st.sampled_from(["0001", "0002", "0003"])), st.lists(st.sampled_from(["0001", "0002", "0003"])))
def test_every_command_of_both_traces_is_accounted_for(left: list[str], right: list[str]) -> None:
    a: list[TraceEvent] = [exchange(n, f"{text}0000", "9000") for n, text in enumerate(left)]
    b: list[TraceEvent] = [exchange(n, f"{text}0000", "9000") for n, text in enumerate(right)]
    found = list(diff_traces(a, b))
    only_left = sum(difference.right is None for difference in found)
    only_right = sum(difference.left is None for difference in found)
    assert len(left) - only_left == len(right) - only_right
    assert bool(found) is (left != right)


@given(st.binary(max_size=30), st.binary(max_size=30))
def test_data_differ_or_not(left: bytes, right: bytes) -> None:
    assert bool(explain_data(left, right)) is (left != right)


def saved_capture(tmp_path: Path) -> Path:
    path = tmp_path / "t.pcapng"
    sink = file_sink(path)
    for event in EVENTS:
        sink.emit(event)
    sink.close()
    return path


def test_a_capture_that_is_cut_off_is_told_as_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved_capture(tmp_path)
    assert invoke(["trace", "show", "--brief", str(path)]) == ExitCode.OK
    whole = capsys.readouterr().out.splitlines()
    path.write_bytes(path.read_bytes()[:-7])
    for command in (["show", "--brief", path], ["diff", path, path], ["filter", path, "-o", tmp_path / "x.jsonl"]):
        assert invoke(["trace", *map(str, command)]) == ExitCode.INPUT
        out, err = capsys.readouterr()
        assert re.search(r"t\.pcapng: \d+ packets read, \d+ of them UDP, unreadable from byte \d+ on \(cut off", err)
        if command[0] == "show":
            shown = out.splitlines()
            assert shown == whole[: len(shown)], "what was read is shown"
            assert 0 < len(shown) < len(whole)
    assert not (tmp_path / "x.jsonl").exists()


def test_a_block_that_claims_more_than_there_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved_capture(tmp_path)
    with path.open("ab") as file:
        file.write(bytes.fromhex("06000000 00000080") + bytes(64))
    assert invoke(["trace", "show", str(path)]) == ExitCode.INPUT
    assert "a block that claims 2147483648 bytes" in capsys.readouterr().err


def test_a_time_beyond_the_calendar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = saved_capture(tmp_path)
    content = bytearray(path.read_bytes())
    packet = content.index(bytes.fromhex("06000000"), 28)
    content[packet + 12 : packet + 20] = b"\xff" * 8
    path.write_bytes(content)
    assert invoke(["trace", "show", str(path)]) == ExitCode.INPUT
    assert "beyond the year 9999" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"number": 1', ":1: not a whole line of a trace: was the file cut off?"),
        (b"nonsense\n", ":1: not a line of a trace"),
        (b"\n\xff\n", ":2: not a line of a trace"),
    ],
)
def test_lines_that_are_none(tmp_path: Path, content: bytes, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(content)
    assert invoke(["trace", "show", str(path)]) == ExitCode.INPUT
    assert f"{path}{words}" in capsys.readouterr().err
