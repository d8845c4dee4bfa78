"""Typed calls to the USIM against a scripted link: the bytes that go out and what comes back."""

from __future__ import annotations

import pytest

from card.codec.bcd import encode_imsi
from card.codec.fcp import DescriptorByte, Fcp
from card.crypto.secret import Secret
from card.spec.bcast.p1 import P1
from card.spec.gba import naf_id
from host_tools.apdu.client import ApduClient
from host_tools.apdu.response import StatusError
from host_tools.terminal.aka import GbaResponse
from host_tools.terminal.bcast import Refusal, RefusalReason, feed_stkm
from host_tools.terminal.errors import (
    MalformedAnswerError,
    NetworkRefusedError,
    NoUsimError,
    PinBlockedError,
    PinNeededError,
    PinWrongError,
)
from host_tools.terminal.gba import bootstrap
from host_tools.terminal.identity import Identity
from host_tools.terminal.middleware import TerminalMiddleware
from host_tools.terminal.usim import Usim
from tests.unit.host_tools.links.fakes import ScriptedLink

AID = "A0000000871002FF49FF0589"
MF_FCP = Fcp(DescriptorByte.DIRECTORY, 0x3F00).encode().hex()
USIM_FCP = Fcp(DescriptorByte.DIRECTORY, 0x7FF0, df_name=bytes.fromhex(AID)).encode().hex()
DIR_FCP = Fcp(DescriptorByte.LINEAR_FIXED, 0x2F00, record_length=24, record_count=1).encode().hex()
DIR_RECORD = "61164F0C" + AID + "5006" + b"USIM 1".hex()

SELECT_MF = f"00A40004023F0000 -> {MF_FCP}9000"
SELECT_DIR = f"00A40004022F0000 -> {DIR_FCP}9000"
READ_DIR = f"00B2010418 -> {DIR_RECORD}9000"
SELECT_USIM = f"00A404040C{AID}00 -> {USIM_FCP}9000"
CONNECT = (SELECT_MF, SELECT_DIR, READ_DIR, SELECT_USIM)
PIN_1234 = "31323334FFFFFFFF"


def select_line(fid: int, size: int) -> str:
    fcp = Fcp(DescriptorByte.TRANSPARENT, fid, file_size=size).encode()
    return f"00A4000402{fid:04X}00 -> {fcp.hex()}9000"


def file_lines(fid: int, content: str) -> tuple[str, str]:
    size = len(bytes.fromhex(content))
    return select_line(fid, size), f"00B00000{size:02X} -> {content}9000"


def usim(*script: str) -> tuple[Usim, ScriptedLink]:
    link = ScriptedLink(*script)
    return Usim(ApduClient(link), P1), link


class TestSelection:
    def test_the_usim_is_found_through_ef_dir(self) -> None:
        card, link = usim(*CONNECT)
        assert card.select_usim().file_id == 0x7FF0
        assert link.finished

    def test_labels_are_read(self) -> None:
        card, _ = usim(*CONNECT[:3])
        (application,) = card.applications()
        assert (application.aid.hex().upper(), application.label) == (AID, "USIM 1")

    def test_a_card_without_usim(self) -> None:
        card, _ = usim(SELECT_MF, SELECT_DIR, "00B2010418 -> " + "FF" * 24 + "9000")
        with pytest.raises(NoUsimError, match="no USIM"):
            card.select_usim()

    def test_a_broken_fcp_is_one_sentence(self) -> None:
        card, _ = usim("00A40004023F0000 -> 62059000")
        with pytest.raises(MalformedAnswerError, match="3F00"):
            card.select(0x3F00)

    def test_a_large_file_is_read_in_pieces(self) -> None:
        card, _ = usim(
            select_line(0x6F07, 300),
            "00B00000FF -> " + "AA" * 255 + "9000",
            "00B000FF2D -> " + "BB" * 45 + "9000",
        )
        assert card.read_file(0x6F07) == b"\xaa" * 255 + b"\xbb" * 45

    def test_a_file_that_gives_nothing_is_malformed(self) -> None:
        card, _ = usim(select_line(0x6F07, 9), "00B0000009 -> 9000")
        with pytest.raises(MalformedAnswerError, match="0 bytes"):
            card.read_file(0x6F07)


class TestPin:
    @pytest.mark.parametrize("sw", ["9000", "6984"])
    def test_right_or_disabled(self, sw: str) -> None:
        card, link = usim(f"0020000108{PIN_1234} -> {sw}")
        card.verify_pin(Secret(b"1234"))
        assert link.finished

    def test_wrong_tells_the_tries_left(self) -> None:
        card, _ = usim(f"0020000108{PIN_1234} -> 63C2")
        with pytest.raises(PinWrongError, match="2 tries are left") as caught:
            card.verify_pin(Secret(b"1234"))
        assert caught.value.tries_left == 2
        assert "1234" not in str(caught.value)

    @pytest.mark.parametrize("sw", ["6983", "63C0"])
    def test_blocked(self, sw: str) -> None:
        card, _ = usim(f"0020000108{PIN_1234} -> {sw}")
        with pytest.raises(PinBlockedError, match="PUK"):
            card.verify_pin(Secret(b"1234"))

    @pytest.mark.parametrize(("sw", "tries"), [("63C3", 3), ("6983", 0), ("9000", None), ("6984", None)])
    def test_tries_left(self, sw: str, tries: int | None) -> None:
        card, _ = usim(f"00200001 -> {sw}")
        assert card.pin_tries_left() == tries

    def test_another_refusal_is_explained(self) -> None:
        card, _ = usim(f"0020000108{PIN_1234} -> 6A88")
        with pytest.raises(StatusError, match="referenced data not found"):
            card.verify_pin(Secret(b"1234"))


class TestMbms:
    def test_msk_update_fetches_the_verification_message(self) -> None:
        card, _ = usim("0089808504530201AA -> 62F3", "0089A08500 -> 5303DBCAFE9000")
        assert card.msk_update(b"\xaa").verification == b"\xca\xfe"

    def test_mtk_generation(self) -> None:
        card, _ = usim("008980850453 0202BB -> 62F3", "0089A08500 -> 5311DB" + "11" * 16 + "9000")
        assert card.mtk_generation(b"\xbb").key == Secret(b"\x11" * 16)

    def test_deletions(self) -> None:
        card, link = usim(
            "0089808508530603 00F110 0001 -> 62F3", "0089A08500 -> 5301DB9000",
            "008980850B530904A006800172820169 -> 62F3", "0089A08500 -> 5301DB9000",
        )  # fmt: skip
        card.msk_deletion(bytes.fromhex("00F110"), b"\x00\x01")
        card.muk_deletion(b"r", b"i")
        assert link.finished

    def test_refusal_names_the_command(self) -> None:
        card, _ = usim("008980850453 0202BB -> 9865")
        with pytest.raises(StatusError, match="MTK generation: 9865: key freshness failure"):
            card.mtk_generation(b"\xbb")


@pytest.mark.norm("70")
@pytest.mark.parametrize(
    ("sw", "reason", "words"),
    [
        ("9862", RefusalReason.WRONG_MAC, "message authentication failed"),
        ("9865", RefusalReason.NOT_FRESH, "number is outside the key's validity or was reached before"),
        ("6985", RefusalReason.CONDITIONS, "the key was invalidated"),
        ("6A88", RefusalReason.UNKNOWN_KEY, "no key for this service"),
    ],
)
def test_why_an_stkm_gave_no_tek(sw: str, reason: RefusalReason, words: str) -> None:
    """The status words of MTK generation (TS 31.102 clause 7.1.1.8)."""
    card, _ = usim(f"0089808504530202BB -> {sw}")
    outcome = feed_stkm(card, b"\xbb")
    assert isinstance(outcome, Refusal)
    assert (outcome.reason, outcome.sw) == (reason, int(sw, 16))
    assert words in outcome.words


class FakeBsf:
    """Answers with fixed values and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def challenge(self, impi: str) -> FakeBsf:
        self.asked.append(f"challenge {impi}")
        return self

    def complete(self, rand: bytes, res: bytes) -> FakeBsf:
        self.asked.append(f"complete {res.decode()}")
        return self

    def resynchronise(self, impi: str, rand: bytes, auts: bytes) -> None:
        self.asked.append(f"resynchronise {auts.hex()}")

    rand = b"\x01" * 16
    autn_star = b"\x02" * 16
    b_tid = "b@bsf"
    lifetime = "2030-01-01T00:00:00Z"


GBA = "0088008423DD10" + "01" * 16 + "10" + "02" * 16 + "00"
GBABP = (
    "00A40804047FFF6FD600 -> " + Fcp(DescriptorByte.TRANSPARENT, 0x6FD6, file_size=104).encode().hex() + "9000",
    "00D600111B05" + b"b@bsf".hex() + "14" + b"2030-01-01T00:00:00Z".hex() + " -> 9000",
)


class TestGba:
    def test_success_writes_b_tid_behind_rand(self) -> None:
        bsf = FakeBsf()
        card, link = usim(f"{GBA} -> DB0472657370 9000", *GBABP)
        done = bootstrap(card, bsf, "me@home")
        assert (done.b_tid, done.resynchronised) == ("b@bsf", False)
        assert bsf.asked == ["challenge me@home", "complete resp"]
        assert link.finished

    def test_a_stale_sequence_number_is_resynchronised(self) -> None:
        bsf = FakeBsf()
        auts = "0E" + "0A" * 14
        card, _ = usim(f"{GBA} -> DC{auts}9000", f"{GBA} -> DB0472657370 9000", *GBABP)
        assert bootstrap(card, bsf, "me@home").resynchronised
        assert bsf.asked[1] == "resynchronise " + "0a" * 14

    def test_stale_twice_gives_up(self) -> None:
        auts = "0E" + "0A" * 14
        card, _ = usim(*[f"{GBA} -> DC{auts}9000"] * 2)
        with pytest.raises(NetworkRefusedError, match="even after"):
            bootstrap(card, FakeBsf(), "me@home")

    def test_a_network_that_is_not_authentic(self) -> None:
        card, _ = usim(f"{GBA} -> 9862")
        with pytest.raises(NetworkRefusedError, match="not authentic"):
            bootstrap(card, FakeBsf(), "me@home")

    def test_plain_call(self) -> None:
        card, _ = usim(f"{GBA} -> DB0472657370 9000")
        assert card.gba_bootstrap(b"\x01" * 16, b"\x02" * 16) == GbaResponse(b"resp")

    def test_naf_derivation_sends_both_names(self) -> None:
        card, _ = usim("008800840CDE066E010000000103696D7000 -> DB20" + "33" * 32 + "9000")
        assert card.gba_naf_derivation(naf_id(b"n"), b"imp") == Secret(b"\x33" * 32)


class TestIdentity:
    def test_names_of_ts_23_003(self) -> None:
        identity = Identity("001010123456789", 2)
        assert identity.impi == "001010123456789@ims.mnc001.mcc001.3gppnetwork.org"
        assert Identity("310410123456789", 3).home_domain == "mnc410.mcc310"


class TestMiddleware:
    IMSI = encode_imsi("001010123456789").hex()

    def test_connect_reads_who_it_is(self) -> None:
        link = ScriptedLink(
            *CONNECT, f"0020000108{PIN_1234} -> 9000",
            *file_lines(0x6F07, self.IMSI), *file_lines(0x6FAD, "00000002"),
        )  # fmt: skip
        middleware = TerminalMiddleware(link, tables=P1)
        assert middleware.connect(Secret(b"1234")).imsi == "001010123456789"
        assert middleware.identity.mnc_length == 2
        middleware.close()
        assert link.closed

    def test_no_pin_given_and_one_wanted(self) -> None:
        select, _ = file_lines(0x6F07, self.IMSI)
        link = ScriptedLink(*CONNECT, select, "00B0000009 -> 6982")
        with pytest.raises(PinNeededError):
            TerminalMiddleware(link, tables=P1).connect()

    def test_broken_imsi(self) -> None:
        link = ScriptedLink(*CONNECT, *file_lines(0x6F07, "FF" * 9), *file_lines(0x6FAD, "00000002"))
        with pytest.raises(MalformedAnswerError, match="IMSI"):
            TerminalMiddleware(link, tables=P1).connect()
