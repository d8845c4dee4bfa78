from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.codec.redaction import Redactor
from card.spec.bcast.p1 import P1
from card.spec.bcast.x2 import X2
from host_tools.links.base import ReaderGone
from host_tools.trace.commands import describe_command
from host_tools.trace.decode import decode_exchange, object_name, tlv_lines
from host_tools.trace.ladder import LadderWatch
from host_tools.trace.text import TextSink, event_lines, show_with_gaps, summary_line
from host_tools.trace.tracer import TracedLink, Tracer
from tests.unit.host_tools.script.fakes import TableLink
from tests.unit.host_tools.trace.fakes import RESET, Collector, exchange, exchanges


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("00A40004023F00", "SELECT by FID 3F00"),
        ("01A40404 07 A0000000871002", "SELECT by AID A0000000871002, channel 1"),
        ("00B0870009", "READ BINARY SFI 07, 9 bytes at 0"),
        ("00B0010203", "READ BINARY 3 bytes at 258"),
        ("00D60011 02 AABB", "UPDATE BINARY 2 bytes at 17"),
        ("00B2010410", "READ RECORD record 1"),
        ("00B2000210", "READ RECORD next"),
        ("00B201F410", "READ RECORD SFI 1E, record 1"),
        ("00200001", "VERIFY PIN 1, tries left?"),
        ("0088008122" + "00" * 34, "AUTHENTICATE 3G context"),
        ("00890085 01 00", "AUTHENTICATE (odd) next block, MBMS context"),
        ("001B800102 7300", "OMA BCAST first block, mode 01"),
        ("0070000001", "MANAGE CHANNEL open the next"),
        ("00708002", "MANAGE CHANNEL close 2"),
        ("80E0000000", "CREATE FILE"),
        ("00990102", "INS 99 P1 01 P2 02"),
        ("00A4", "no APDU (2 bytes)"),
    ],
)
def test_commands_in_words(command: str, words: str) -> None:
    assert describe_command(bytes.fromhex(command)) == words


FCP = "6217 8202 4121 8302 6F07 8A0105 8B03 6F0603 8002 0009 880138"


@pytest.mark.parametrize(
    ("steps", "name"),
    [
        ([], "MF"),
        (["00A40004022FE2"], "MF/EF_ICCID"),
        (["00A4040407A0000000871002"], "ADF.USIM"),
        (["00A4040407A0000000871002", "00A40004026F07"], "ADF.USIM/EF_IMSI"),
        (["00A4040407A0000000871002", "00B0870009"], "ADF.USIM/EF_IMSI"),
        (["00A4040407A0000000871002", "00A40004025F3A"], "ADF.USIM/DF_PHONEBOOK"),
        (["00A4040407A0000000871002", "00A40004025F3A", "00A40004024F30"], "ADF.USIM/DF_PHONEBOOK/EF_PBR"),
        (["00A4040407A0000000871002", "00A40004025F3A", "00A4030C"], "ADF.USIM"),
        (["00A4040407A0000000871002", "00A40004026FFE"], "ADF.USIM/6FFE"),
        (["00A4040407A0000000871002", "00A40004026F07", "00A40004023F00"], "MF"),
        (["00A40804047F106F3A"], "MF/DF_TELECOM/EF_ADN"),
        (["00A4040407A0000003431002", "00A40004026F22"], "ADF.CSIM/EF_IMSI_M"),
        (["01A4040407A0000000871002", "00A40004022FE2"], "MF/EF_ICCID"),
        (["00A4040407A0000000871002", "00A40004027FFF"], "ADF.USIM"),
    ],
)
def test_current_file_is_followed(steps: list[str], name: str) -> None:
    redactor = Redactor()
    current = redactor.exchange(bytes.fromhex("80F20000"), b"\x90\x00").file
    for step in steps:
        current = redactor.exchange(bytes.fromhex(step), b"\x90\x00").file
    assert current.name == name


def test_a_refused_selection_changes_nothing() -> None:
    redactor = Redactor()
    redactor.exchange(bytes.fromhex("00A40004022FE2"), b"\x90\x00")
    assert redactor.exchange(bytes.fromhex("00A40004026F07"), b"\x6a\x82").file.name == "MF/EF_ICCID"
    redactor.reset()
    assert redactor.exchange(bytes.fromhex("80F20000"), b"\x90\x00").file.name == "MF"


def test_channels_have_selections_of_their_own() -> None:
    redactor = Redactor()
    redactor.exchange(bytes.fromhex("0070000001"), bytes.fromhex("019000"))
    redactor.exchange(bytes.fromhex("01A40004022FE2"), b"\x90\x00")
    redactor.exchange(bytes.fromhex("00708001"), b"\x90\x00")
    assert redactor.exchange(bytes.fromhex("81F20000"), b"\x90\x00").file.name == ""
    redactor.exchange(bytes.fromhex("0070000001"), bytes.fromhex("019000"))
    assert redactor.exchange(bytes.fromhex("81F20000"), b"\x90\x00").file.name == "MF"


def test_a_decoded_event() -> None:
    event = exchange(2, "00A40004026F0700", FCP + "9000", file="ADF.USIM/EF_IMSI")
    lines = list(event_lines(event, LadderWatch()))
    assert lines[0] == (
        "00:16:42.000 #2 SELECT by FID 6F07 [ADF.USIM/EF_IMSI] -> 9000: normal ending of the command  2.00 ms"
    )
    assert "        82 descriptor: 4121 (transparent)" in lines
    assert "        88 SFI: 38 (07)" in lines
    read = exchange(3, "00B0000009", "080910101032547698" + "9000", file="ADF.USIM/EF_IMSI")
    assert "      EF_IMSI: 001010123456789" in list(event_lines(read, LadderWatch()))
    assert list(event_lines(RESET, LadderWatch())) == ["00:16:40.000 #1 -- reset  ATR 3B80"]


def test_an_application_of_oma_is_named() -> None:
    """The BSIM of OMA BCAST, which cards of others may have (OMNA, A000000412 and 0001)."""
    aid = "A0000004120001" + "01" * 5
    record = f"610E4F0C{aid}" + "FF" * 8 + "9000"
    read = exchange(3, "00B2010418", record, file="MF/EF_DIR")
    assert any("(OMA BCAST BSIM)" in line for line in event_lines(read, LadderWatch()))
    selected = exchange(2, f"00A404040C{aid}", f"6212 8202 7821 840C {aid} 9000", file="MF")
    assert any(line.endswith("(OMA BCAST BSIM)") for line in event_lines(selected, LadderWatch()))


def test_ratings_are_named() -> None:
    answer = exchange(2, "0089A085", "7309 AE07 800107 8804 82 03 04 03 9000".replace("7309 AE07", "730BAE09"))
    lines = list(event_lines(answer, LadderWatch()))
    assert any("MPAA R, level granted PG-13, PIN reference 82" in line for line in lines)
    granted = exchange(2, "0089A085", "7309AE07 800100 8A02 05 02 9000")
    assert any("level granted RIAA no parental advisory" in line for line in event_lines(granted, LadderWatch()))


def test_a_summary_tells_the_fault_and_leaves_out_an_unknown_duration() -> None:
    event = exchange(2, "0084000008", "6581", seconds=0.0, fault="fault: wrong-sw 6581 at GET CHALLENGE #1")
    assert summary_line(event) == (
        "00:16:42.000 #2 GET CHALLENGE -> 6581: memory problem  [fault: wrong-sw 6581 at GET CHALLENGE #1]"
    )


def test_hidden_bytes_are_dots() -> None:
    assert show_with_gaps(bytes(5), [(1, 3)]) == "00 ·· ·· 00 00"
    assert "(36 bytes)" in show_with_gaps(bytes(100), [])


def test_an_answer_that_never_came_is_told() -> None:
    collector, printed = Collector(), list[str]()
    link = TableLink({"00B0": ReaderGone("The reader is gone.")})
    recording = TracedLink(link, Tracer("test", [collector, TextSink(printed.append)], clock=lambda: 1000.0))
    with pytest.raises(ReaderGone):
        recording.transmit(bytes.fromhex("00B0000001"))
    (event,) = exchanges(collector)
    assert (event.sw, event.error) == (None, "The reader is gone.")
    assert any("-> The reader is gone." in line for line in printed)
    recording.close()
    assert collector.closed == 1


def test_a_recorded_link_behaves_as_before() -> None:
    inner = TableLink({"00A4": b"\x90\x00"})
    recording = TracedLink(inner, Tracer("test", [Collector()]))
    assert (recording.name, recording.atr, recording.protocol) == (inner.name, inner.atr, inner.protocol)
    assert recording.transmit(bytes.fromhex("00A40004023F00")) == b"\x90\x00"
    assert recording.reset() == inner.atr


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_any_exchange_can_be_shown(command: bytes, response: bytes) -> None:
    event = exchange(1, command.hex(), response.hex(), file="ADF.USIM/EF_IMSI")
    assert list(event_lines(event, LadderWatch()))
    list(decode_exchange(event))
    list(tlv_lines(response))


def test_deeply_nested_tlv_ends() -> None:
    data = b""
    for _ in range(60):
        data = b"\x62" + (bytes((len(data),)) if len(data) < 0x80 else b"\x81" + bytes((len(data),))) + data
    assert len(list(tlv_lines(data))) < 20


def test_tags_of_answers_name_the_tables_they_are_of() -> None:
    """A trace does not say which tables its card has (`card.spec.bcast.tables`)."""
    names = [object_name(f"73/AE/{tag:02X}") for tag in (P1.response_tags["tek"], X2.response_tags["tek"], 0xBF)]
    assert names == ["TEK by P1", "TEK by X2", ""]
    assert not set(P1.response_tags.values()) & set(X2.response_tags.values())
