"""Each processor against a scripted link."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.codec.apdu import CommandApdu
from host_tools.apdu.client import ApduClient
from host_tools.apdu.processors import (
    BlockFetcher,
    BlockSender,
    FetchProcessor,
    FormatProcessor,
    GetResponseProcessor,
    WrongLengthProcessor,
)
from host_tools.apdu.response import GarbledResponse, Response, StatusError
from host_tools.links.base import TransmissionProtocol
from tests.unit.host_tools.links.fakes import ScriptedLink

SELECT_MF = CommandApdu(0, 0xA4, 0, 4, b"\x3f\x00", le=256)
READ = CommandApdu(0, 0xB0, 0, 0, le=10)


def mbms(size: int) -> CommandApdu:
    return CommandApdu(0, 0x89, 0x80, 0x85, bytes(size))


class TestFormat:
    def test_le_travels_when_nothing_is_between(self) -> None:
        link = ScriptedLink("00A40004023F0000 -> 62009000")
        assert FormatProcessor(link).transmit(SELECT_MF) == Response(b"\x62\x00", 0x9000)

    def test_t0_drops_le_behind_data(self) -> None:
        link = ScriptedLink("00A40004023F00 -> 6110", protocol=TransmissionProtocol.T0)
        assert FormatProcessor(link).transmit(SELECT_MF).sw == 0x6110

    def test_t0_keeps_le_without_data(self) -> None:
        link = ScriptedLink("00B000000A -> 9000", protocol=TransmissionProtocol.T0)
        assert FormatProcessor(link).transmit(READ).sw == 0x9000

    def test_data_over_255_bytes_makes_it_extended(self) -> None:
        link = ScriptedLink("00D60000000100" + "00" * 256 + " -> 9000")
        assert FormatProcessor(link).transmit(CommandApdu(0, 0xD6, 0, 0, bytes(256))).ok

    @pytest.mark.parametrize("answer", ["", "90"])
    def test_answer_without_status_word_is_garbled(self, answer: str) -> None:
        with pytest.raises(GarbledResponse, match="at least 2"):
            FormatProcessor(ScriptedLink(f"00B000000A -> {answer}")).transmit(READ)


class TestGetResponse:
    def test_pieces_are_joined(self) -> None:
        link = ScriptedLink("00A40004023F0000 -> 6102", "00C0000002 -> AABB6101", "00C0000001 -> CC9000")
        assert GetResponseProcessor(FormatProcessor(link)).transmit(SELECT_MF) == Response(b"\xaa\xbb\xcc", 0x9000)

    def test_zero_means_256(self) -> None:
        link = ScriptedLink("00A40004023F0000 -> 6100", "00C0000000 -> 9000")
        assert GetResponseProcessor(FormatProcessor(link)).transmit(SELECT_MF).ok

    @pytest.mark.parametrize(("cla", "expected"), [("80", "00"), ("82", "02"), ("C3", "43"), ("A0", "A0")])
    def test_class_keeps_the_channel(self, cla: str, expected: str) -> None:
        link = ScriptedLink(f"{cla}F2000001 -> 6101", f"{expected}C0000001 -> AA9000")
        command = CommandApdu(int(cla, 16), 0xF2, 0, 0, le=1)
        assert GetResponseProcessor(FormatProcessor(link)).transmit(command).data == b"\xaa"

    def test_a_card_that_drips_bytes_for_ever_is_garbled(self) -> None:
        with pytest.raises(GarbledResponse, match="without end"):
            GetResponseProcessor(FormatProcessor(_HostileLink([b"\xaa\x61\x01"]))).transmit(SELECT_MF)

    def test_a_card_that_announces_nothing_for_ever_is_garbled(self) -> None:
        link = ScriptedLink("00A40004023F0000 -> 6102", "00C0000002 -> 6102")
        with pytest.raises(GarbledResponse, match="without end"):
            GetResponseProcessor(FormatProcessor(link)).transmit(SELECT_MF)

    @pytest.mark.parametrize("warning", ["6283", "6285"])
    def test_a_warning_of_select_comes_before_its_data(self, warning: str) -> None:
        """TS 102 221 annex C, T=0: the warning, then GET RESPONSE; the whole ends with the warning."""
        link = ScriptedLink(f"00A40004023F00 -> {warning}", "00C0000000 -> 62009000", protocol=TransmissionProtocol.T0)
        response = GetResponseProcessor(FormatProcessor(link)).transmit(SELECT_MF)
        assert response == Response(b"\x62\x00", int(warning, 16))

    def test_a_warning_with_nothing_behind_it(self) -> None:
        link = ScriptedLink("00A40004023F0000 -> 6283", "00C0000000 -> 6F00")
        assert GetResponseProcessor(FormatProcessor(link)).transmit(SELECT_MF) == Response(b"", 0x6283)

    @pytest.mark.parametrize("command", [READ, CommandApdu(0, 0xA4, 0, 0x0C, b"\x3f\x00")])
    def test_no_data_were_wanted_behind_a_warning(self, command: CommandApdu) -> None:
        link = ScriptedLink(f"{command.encode().hex().upper()} -> 6283")
        assert GetResponseProcessor(FormatProcessor(link)).transmit(command).sw == 0x6283
        assert link.finished

    def test_refusal_passes(self) -> None:
        link = ScriptedLink("00A40004023F0000 -> 6A82")
        assert GetResponseProcessor(FormatProcessor(link)).transmit(SELECT_MF).sw == 0x6A82


class TestWrongLength:
    def test_repeats_once_with_the_right_length(self) -> None:
        link = ScriptedLink("00B000000A -> 6C03", "00B0000003 -> 0102039000")
        assert WrongLengthProcessor(FormatProcessor(link)).transmit(READ).data == b"\x01\x02\x03"

    def test_does_not_repeat_twice(self) -> None:
        link = ScriptedLink("00B000000A -> 6C03", "00B0000003 -> 6C04")
        assert WrongLengthProcessor(FormatProcessor(link)).transmit(READ).sw == 0x6C04
        assert link.finished


class TestBlocks:
    def test_one_block_is_first_and_last(self) -> None:
        link = ScriptedLink("0089808503000000 -> 9000")
        assert BlockSender(FormatProcessor(link)).transmit(mbms(3)).ok

    def test_300_bytes_go_in_two_blocks(self) -> None:
        link = ScriptedLink(
            "00898085FF" + "00" * 255 + " -> 63F1",
            "008900852D" + "00" * 45 + " -> 62F3",
        )
        assert BlockSender(FormatProcessor(link)).transmit(mbms(300)).sw == 0x62F3

    def test_proactive_variant_of_more_goes_on(self) -> None:
        link = ScriptedLink("00898085FF" + "00" * 255 + " -> 63F2", "0089008501 00 -> 9000")
        assert BlockSender(FormatProcessor(link)).transmit(mbms(256)).ok

    def test_a_refused_block_ends_it(self) -> None:
        link = ScriptedLink("00898085FF" + "00" * 255 + " -> 6982")
        assert BlockSender(FormatProcessor(link)).transmit(mbms(300)).sw == 0x6982

    def test_other_instructions_are_not_cut(self) -> None:
        link = ScriptedLink("00D60000000100" + "00" * 256 + " -> 9000")
        assert BlockSender(FormatProcessor(link)).transmit(CommandApdu(0, 0xD6, 0, 0, bytes(256))).ok

    def test_the_response_object_is_fetched(self) -> None:
        link = ScriptedLink(
            "008980850100 -> 62F3", "0089A08500 -> AA62F1", "0089208500 -> BB62F2", "0089208500 -> CC9000"
        )
        response = BlockFetcher(BlockSender(FormatProcessor(link))).transmit(mbms(1))
        assert response == Response(b"\xaa\xbb\xcc", 0x9000)

    def test_a_direct_answer_is_taken_too(self) -> None:
        link = ScriptedLink("008980850100 -> 5301DB9000")
        assert BlockFetcher(BlockSender(FormatProcessor(link))).transmit(mbms(1)).data == b"\x53\x01\xdb"

    def test_more_without_data_is_garbled(self) -> None:
        link = ScriptedLink("008980850100 -> 62F3", "0089A08500 -> 62F1")
        with pytest.raises(GarbledResponse, match="without end"):
            BlockFetcher(BlockSender(FormatProcessor(link))).transmit(mbms(1))


class TestFetch:
    def test_a_proactive_command_is_served(self) -> None:
        link = ScriptedLink("00B000000A -> AA9103", "8012000003 -> D001009000", "8014000002 8300 -> 9000")
        seen: list[bytes] = []

        def handler(command: bytes) -> bytes:
            seen.append(command)
            return b"\x83\x00"

        response = FetchProcessor(FormatProcessor(link), handler).transmit(READ)
        assert response == Response(b"\xaa", 0x9000)
        assert seen == [b"\xd0\x01\x00"]

    def test_several_in_a_row(self) -> None:
        link = ScriptedLink(
            "00B000000A -> 9101", "8012000001 -> D09000", "8014000001 00 -> 9101",
            "8012000001 -> D09000", "8014000001 00 -> 9000",
        )  # fmt: skip
        assert FetchProcessor(FormatProcessor(link), lambda _: b"\x00").transmit(READ).sw == 0x9000
        assert link.finished

    def test_without_a_handler_the_client_shows_it(self) -> None:
        assert ApduClient(ScriptedLink("00B000000A -> 9103")).transmit(READ).sw == 0x9103

    def test_an_endless_row_ends(self) -> None:
        row = ["8012000001 -> D09000", "8014000001 00 -> 9101"] * 32
        link = ScriptedLink("00B000000A -> 9101", *row)
        assert FetchProcessor(FormatProcessor(link), lambda _: b"\x00").transmit(READ).ok
        assert link.finished


class TestClient:
    def test_t0_select_with_wrong_length_and_get_response(self) -> None:
        link = ScriptedLink(
            "00A40004023F00 -> 6120", "00C0000020 -> 6C02", "00C0000002 -> AABB9000",
            protocol=TransmissionProtocol.T0,
        )  # fmt: skip
        assert ApduClient(link).expect(SELECT_MF, "selecting") == b"\xaa\xbb"

    def test_expect_explains_the_refusal(self) -> None:
        client = ApduClient(ScriptedLink("00A40004023F0000 -> 6A82"))
        with pytest.raises(StatusError, match="selecting the MF: 6A82: file not found") as caught:
            client.expect(SELECT_MF, "selecting the MF")
        assert caught.value.sw == 0x6A82

    def test_close_closes_the_link(self) -> None:
        link = ScriptedLink()
        ApduClient(link).close()
        assert link.closed


class TestTrace:
    def test_a_pin_is_hidden(self) -> None:
        lines: list[str] = []
        pin = b"73915FFF"
        link = ScriptedLink(f"0020000108{pin.hex()} -> 63C2")
        client = ApduClient(link, trace=lambda event: lines.append(f"{event} {event!r}"))
        client.transmit(CommandApdu(0, 0x20, 0, 1, pin))
        assert "[8 bytes hidden]" in lines[0]
        assert pin.hex().upper() not in lines[0].upper()
        assert "73915" not in lines[0]
        assert "2 tries left" in lines[0]

    def test_keys_behind_get_response_are_hidden(self) -> None:
        lines: list[str] = []
        key = "C0FFEE00" * 4
        link = ScriptedLink(
            "008800810200AA -> 6110", f"00C0000010 -> {key}9000",
            protocol=TransmissionProtocol.T0,
        )  # fmt: skip
        client = ApduClient(link, trace=lambda event: lines.append(f"{event} {event!r}"))
        assert client.transmit(CommandApdu(0, 0x88, 0, 0x81, b"\x00\xaa", le=256)).data == bytes.fromhex(key)
        assert len(lines) == 2
        assert all("C0FFEE" not in line.upper() for line in lines)
        assert "[16 bytes hidden]" in lines[1]

    def test_ordinary_data_is_shown(self) -> None:
        lines: list[str] = []
        link = ScriptedLink("00B082000A -> 98109000")
        client = ApduClient(link, trace=lambda event: lines.append(str(event)))
        client.transmit(replace(READ, p1=0x82))  # EF_ICCID under the MF
        assert "READ BINARY" in lines[0]
        assert "9810" in lines[0]


class _HostileLink(ScriptedLink):
    """Answers anything, from a list that is used over and over."""

    def __init__(self, answers: list[bytes]) -> None:
        super().__init__()
        self._answers = answers

    def transmit(self, apdu: bytes) -> bytes:
        self.sent.append(apdu)
        return self._answers[len(self.sent) % len(self._answers)]


_STATUS = st.sampled_from(["9000", "6100", "6105", "6C02", "62F1", "62F3", "63F1", "9105", "6F00"])
_ANSWER = st.builds(lambda data, sw: data + bytes.fromhex(sw), st.binary(max_size=4), _STATUS)


@given(answers=st.lists(_ANSWER | st.binary(max_size=3), min_size=1, max_size=6), command=st.sampled_from(
    [READ, SELECT_MF, mbms(600)]
))  # fmt: skip
def test_any_card_ends_in_a_response_or_a_link_error(answers: list[bytes], command: CommandApdu) -> None:
    client = ApduClient(_HostileLink(answers), on_proactive=lambda _: b"")
    try:
        response = client.transmit(command)
    except GarbledResponse:
        return
    assert 0 <= response.sw <= 0xFFFF
    assert len(response.data) <= 65536 + 256
