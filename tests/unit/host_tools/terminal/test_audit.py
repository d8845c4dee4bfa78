"""The OMA BCAST command as the terminal sends it, and answers that are not what they should be."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.codec.tlv import encode_tlv
from card.spec.bcast.p1 import P1
from card.spec.bcast.tables import Reason
from host_tools.apdu.client import ApduClient
from host_tools.apdu.response import StatusError
from host_tools.content.containers.index import RecordedSpan
from host_tools.links.base import TransmissionProtocol
from host_tools.terminal.audit import Auditor, Policy, Quantities
from host_tools.terminal.errors import MalformedAnswerError, TerminalError
from host_tools.terminal.key_files import decode_msks
from host_tools.terminal.usim import Usim

DOMAIN, GROUP = bytes.fromhex("00f110"), bytes.fromhex("0001")
SPAN = RecordedSpan(DOMAIN, bytes.fromhex("00010001"), 1, 12)
POLICY = Policy(DOMAIN, bytes.fromhex("00010001"), 1, 12, frozenset(), 6, Quantities())


@dataclass
class CannedLink:
    """A card that gives one response object, in two blocks, to any command in blocks."""

    answer: bytes
    refuse: int = 0
    sent: list[bytes] = field(default_factory=list)
    name: str = "canned"
    atr: bytes = b"\x3b\x00"
    protocol: TransmissionProtocol = TransmissionProtocol.DIRECT

    def transmit(self, apdu: bytes) -> bytes:
        self.sent.append(apdu)
        if self.refuse:
            return self.refuse.to_bytes(2, "big")
        match apdu[2]:
            case 0xA0:
                return self.answer[:7] + (b"\x62\xf1" if len(self.answer) > 7 else b"\x90\x00")
            case 0x20:
                return self.answer[7:] + b"\x90\x00"
            case _:
                return b"\x62\xf3"

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        pass


def auditor(answer: bytes = b"", refuse: int = 0) -> tuple[Auditor, CannedLink]:
    link = CannedLink(answer, refuse)
    return Auditor(Usim(ApduClient(link), P1)), link


def objects(*pairs: tuple[int, str]) -> bytes:
    return b"".join(encode_tlv(tag, bytes.fromhex(value)) for tag, value in pairs)


GROUP_ANSWER = encode_tlv(0x73, encode_tlv(0xA1, objects((0x81, "00f110"), (0x82, "0001"), (0x88, "00000007"))))
POLICY_FIELDS = (
    (0x81, "00f110"), (0x82, "0001"), (0x83, "0002"), (0x84, "000000010000000c"), (0x85, "03"), (0x86, "06"),
)  # fmt: skip


class TestWire:
    def test_audit_of_keys(self) -> None:
        found, link = auditor(GROUP_ANSWER)
        (group,) = found.key_groups()
        assert (group.key_domain_id, group.key_group, group.quantities) == (DOMAIN, GROUP, Quantities(user_purse=7))
        assert [sent.hex() for sent in link.sent] == ["001b8001027300", "001ba00100", "001b200100"]

    def test_audit_of_policies(self) -> None:
        answer = encode_tlv(0x73, encode_tlv(0xA2, objects(*POLICY_FIELDS, (0x8B, "00000002"))))
        found, link = auditor(answer)
        (policy,) = found.policies(DOMAIN, GROUP)
        assert policy.properties == {"recorded", "terminal_binding"}
        assert (policy.msk_id.hex(), policy.first_ts, policy.last_ts) == ("00010002", 1, 12)
        assert dict(policy.quantities.items()) == {"playback_counter": 2}
        assert link.sent[0].hex() == "001b80010b7309" + "810300f110" + "82020001"

    def test_recording_signalling(self) -> None:
        found, link = auditor(encode_tlv(0x73, objects((0x92, "0001"))))
        assert found.signal_recording(bytes(17), b"film", SPAN) == ()
        sent = link.sent[0].hex()
        assert sent.startswith("001b8002")
        assert sent.endswith("8f0466696c6d" + "810300f110" + "82020001" + "83020001" + "9108000000010000000c")

    def test_deletion_rides_on_authenticate(self) -> None:
        found, link = auditor(encode_tlv(0x73, encode_tlv(0xAE, objects((0x80, "00")))))
        assert found.delete_policies(POLICY) is Reason.DONE
        assert link.sent[0][:4].hex() == "00898085"
        sent = "900101" + "810300f110" + "82020001" + "83020001" + "8408000000010000000c" + "860106"
        assert link.sent[0][5:].hex() == "731fae1d" + sent

    def test_a_long_query_goes_in_blocks(self) -> None:
        found, link = auditor(encode_tlv(0x73, b""))
        with contextlib.suppress(StatusError):
            found.signal_recording(bytes(17), bytes(255), SPAN)
        assert link.sent[0][4] == 255

    def test_a_card_with_nothing_to_tell(self) -> None:
        found, _ = auditor(refuse=0x6A88)
        assert (found.key_groups(), found.policies(DOMAIN, GROUP), found.recordings()) == ((), (), ())

    def test_another_refusal_is_an_error(self) -> None:
        found, _ = auditor(refuse=0x6982)
        with pytest.raises(StatusError, match="6982"):
            found.key_groups()

    @pytest.mark.parametrize(("terminal", "content"), [(bytes(16), b"x"), (bytes(17), b""), (bytes(17), bytes(256))])
    def test_what_fits_no_field(self, terminal: bytes, content: bytes) -> None:
        with pytest.raises(ValueError):
            auditor()[0].signal_recording(terminal, content, SPAN)


class TestHostileAnswers:
    @pytest.mark.parametrize("missing", range(6))
    def test_a_policy_that_lacks_a_field(self, missing: int) -> None:
        kept = [pair for number, pair in enumerate(POLICY_FIELDS) if number != missing]
        found, _ = auditor(encode_tlv(0x73, encode_tlv(0xA2, objects(*kept))))
        with pytest.raises(MalformedAnswerError, match="audit of policies"):
            found.policies(DOMAIN, GROUP)

    @pytest.mark.parametrize("answer", ["5300", "73", "7305a1", "73058005", "730aa1088103000000820201"])
    def test_malformed_objects(self, answer: str) -> None:
        found, _ = auditor(bytes.fromhex(answer))
        with pytest.raises(MalformedAnswerError):
            found.key_groups()

    @pytest.mark.parametrize("answer", ["7300", "7302ae00", "7306ae0480020000", "7304ae028000", "7305a103800100"])
    def test_a_deletion_without_status(self, answer: str) -> None:
        found, _ = auditor(bytes.fromhex(answer))
        with pytest.raises(MalformedAnswerError):
            found.delete_recording(bytes(17), b"x")

    @given(st.binary(max_size=60))
    def test_any_bytes(self, answer: bytes) -> None:
        found, _ = auditor(answer)
        for ask in (
            found.key_groups, lambda: found.policies(DOMAIN, GROUP), found.recordings,
            lambda: found.delete_policies(POLICY), lambda: found.signal_recording(bytes(17), b"x", SPAN),
        ):  # fmt: skip
            with contextlib.suppress(TerminalError, StatusError):
                ask()

    @given(st.binary(max_size=40))
    def test_any_descriptions(self, inner: bytes) -> None:
        for tag in (0xA1, 0xA2, 0xA3):
            found, _ = auditor(encode_tlv(0x73, encode_tlv(tag, inner)))
            for ask in (found.key_groups, lambda: found.policies(DOMAIN, GROUP), found.recordings):  # noqa: B023
                with contextlib.suppress(TerminalError, StatusError):
                    ask()


class TestEfMsk:
    """Reading the live counters, also out of a file that is not as it should be."""

    @given(st.lists(st.binary(min_size=20, max_size=20), max_size=3))
    def test_any_records(self, records: list[bytes]) -> None:
        for record in records:
            found = list(decode_msks(record))
            assert all((len(msk.key_domain_id), len(msk.msk_id)) == (3, 4) for msk in found)
            assert len(found) == (record[3] if record[3] <= 2 else 0)
