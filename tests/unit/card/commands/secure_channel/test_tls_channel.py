"""TLS-PSK inside TRANSACT DATA: OpenSSL on both sides, in memory."""

from __future__ import annotations

import ssl
import sys

import pytest

from card.crypto import tls_psk
from card.crypto.secret import Secret
from card.crypto.tls_psk import TlsEnd, has_tls_psk, open_client, open_server
from card.errors import TlsFailure, TlsUnavailable
from host_tools.terminal.sac.association import Association
from host_tools.terminal.sac.channels import TlsChannel
from host_tools.terminal.sac.errors import ChannelError
from tests.oracle.sac import Names, kdf
from tests.support.network import MTK_GENERATION, stkm
from tests.support.sac import OTHER_PSK, PSK, Wire, sac_card, sac_card_with_msk, sac_link
from tests.support.sac_terminal import ANSWER, OracleTerminal, stkm_commands
from tests.support.testcard import Answer, TestCard, tlv

STATUS = bytes.fromhex("80F2000C")


def test_this_python_can_do_it() -> None:
    assert has_tls_psk()


class TlsTerminal:
    """A TLS client on one session, block by block."""

    def __init__(self, card: TestCard, names: Names, psk: bytes = PSK.reveal()) -> None:
        self.card, self.names = card, names
        self.terminal = OracleTerminal(card)
        self.session = self.terminal.ask(3, tlv(0x88, names.msa_id) + tlv(0x8E, b"\xf0"))[0x8F][0]
        key = kdf(psk, 0xF4, b"x-sac-1", *names.fields())
        self.end: TlsEnd = open_client(Secret(key), names.msa_id.hex())

    def send(self, records: bytes) -> Answer:
        parts = [records[start : start + 240] for start in range(0, len(records), 240)] or [b""]
        answer = Answer("", "")
        for number, part in enumerate(parts):
            data = tlv(0x80, part)
            left = len(parts) - 1 - number
            answer = self.card.send(f"0075{self.session << 6 | 4:02X}{left:02X}{len(data):02X}", data)
        return answer

    def fetch(self) -> bytes:
        found, sw = b"", "92"
        while sw.startswith("92"):
            answer = self.card.send(f"0075{self.session << 6:02X}0000")
            data, sw = bytes.fromhex(answer.data), answer.sw
            found += data[2 if data[1] < 0x80 else 3 :]
        assert sw == "9000"
        return found

    def handshake(self) -> None:
        flight = self.end.begin()
        while not self.end.established:
            assert self.send(flight).sw.startswith("92")
            self.end.receive(self.fetch())
            flight = self.end.flight()

    def run(self, command: bytes) -> bytes:
        assert self.send(self.end.send(command)).sw.startswith("92")
        return self.end.receive(self.fetch())


@pytest.fixture
def card() -> TestCard:
    return sac_card()


@pytest.fixture
def tls(card: TestCard) -> TlsTerminal:
    made = TlsTerminal(card, OracleTerminal(card).master())
    made.handshake()
    return made


def is_gone(tls: TlsTerminal) -> None:
    tls.card.refused("9863", f"0075{tls.session << 6:02X}0000")
    assert tls.send(b"\x17\x03\x03\x00\x01\x00") == Answer("", "9863")


def test_commands_run_inside(tls: TlsTerminal) -> None:
    assert tls.run(STATUS) == b"\x90\x00"
    assert tls.run(bytes.fromhex("00A4000C024242")) == b"\x6a\x82"
    assert tls.run(bytes.fromhex("00A4000C022FE2")) == b"\x90\x00"
    assert tls.run(bytes.fromhex("00B000000A")) == bytes.fromhex("980001010000000010F99000")


def test_a_tek_leaves_inside_only() -> None:
    card, _, message = sac_card_with_msk()
    card.mbms_refused("6989", MTK_GENERATION, stkm(message, 1).build())
    tls = TlsTerminal(card, OracleTerminal(card).master())
    tls.handshake()
    assert tls.run(stkm_commands(message, 1)[0]) == b"\x62\xf3"
    card.refused("6985", "0089A00000")
    assert tls.run(bytes.fromhex("0089A00000")) == ANSWER + b"\x90\x00"


def test_the_master_is_kept_once_the_terminal_has_proved_itself(card: TestCard) -> None:
    names = OracleTerminal(card).master()
    tls = TlsTerminal(card, names)
    tls.handshake()
    assert not [key for key in card.persistent() if key.startswith("sac-master/")]
    tls.run(STATUS)
    again = TlsTerminal(card.reopened(), names)
    again.handshake()
    assert again.run(STATUS) == b"\x90\x00"


def test_a_wrong_secret_fails_in_the_handshake(card: TestCard) -> None:
    tls = TlsTerminal(card, OracleTerminal(card).master(), OTHER_PSK.reveal())
    flight = tls.end.begin()
    answers = []
    for _ in range(3):
        answer = tls.send(flight)
        answers.append(answer.sw)
        if answer.sw == "9863":
            break
        try:
            tls.end.receive(tls.fetch())
        except TlsFailure:
            break
        flight = tls.end.flight()
    assert answers[-1] == "9863"
    is_gone(tls)


def test_another_identity_fails_in_the_handshake(card: TestCard) -> None:
    names = OracleTerminal(card).master()
    tls = TlsTerminal(card, names)
    tls.end = open_client(Secret(kdf(PSK.reveal(), 0xF4, b"x-sac-1", *names.fields())), "somebody")
    tls.send(tls.end.begin())
    tls.end.receive(tls.fetch())
    assert tls.send(tls.end.flight()) == Answer("", "9863")


def test_replay_and_reflection(tls: TlsTerminal) -> None:
    records = tls.end.send(STATUS)
    assert tls.send(records).sw.startswith("92")
    tls.fetch()
    assert tls.send(records) == Answer("", "9863")
    is_gone(tls)


def test_reflection(tls: TlsTerminal) -> None:
    tls.send(tls.end.send(STATUS))
    assert tls.send(tls.fetch()) == Answer("", "9863")
    is_gone(tls)


def test_flipped_bits_in_every_byte(card: TestCard) -> None:
    names = OracleTerminal(card).master()
    size = 0
    position = 0
    while position == 0 or position < size:
        tls = TlsTerminal(card, names)
        tls.handshake()
        assert tls.run(STATUS) == b"\x90\x00"
        records = bytearray(tls.end.send(STATUS))
        size = len(records)
        records[position] ^= 1 << position % 8
        assert tls.send(bytes(records)) == Answer("", "9863"), position
        is_gone(tls)
        position += 1
    assert position == size >= 20


@pytest.mark.parametrize("junk", [b"\0", bytes(100), b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\x00\x00"])
def test_junk_instead_of_a_hello(card: TestCard, junk: bytes) -> None:
    tls = TlsTerminal(card, OracleTerminal(card).master())
    answer = tls.send(junk)
    if answer.sw != "9863":  # less than a record: the card waits for the rest
        assert answer.sw.startswith("92")
        tls.fetch()
        assert tls.send(bytes(200)) == Answer("", "9863")
    is_gone(tls)


def test_sessions_nobody_proved_make_room(card: TestCard) -> None:
    terminal = OracleTerminal(card)
    names = terminal.master()
    kept = TlsTerminal(card, names)
    kept.handshake()
    kept.run(STATUS)
    for _ in range(10):
        TlsTerminal(card, names)
    assert kept.run(STATUS) == b"\x90\x00"


def test_proved_sessions_do_not(card: TestCard) -> None:
    terminal = OracleTerminal(card)
    names = terminal.master()
    for _ in range(4):
        tls = TlsTerminal(card, names)
        tls.handshake()
        tls.run(STATUS)
    assert terminal.manage(3, tlv(0x88, names.msa_id) + tlv(0x8E, b"\xf0")) == Answer("", "6A84")


def test_ending_the_master_ends_tls(tls: TlsTerminal) -> None:
    assert tls.terminal.end_master(tls.names).sw == "9000"
    is_gone(tls)


def test_an_unknown_master(card: TestCard) -> None:
    answer = OracleTerminal(card).manage(3, tlv(0x88, bytes(16)) + tlv(0x8E, b"\xf0"))
    assert answer == Answer("", "9863")


# --- the middleware's side


def test_a_card_with_another_secret_is_found_out() -> None:
    card = sac_card()
    wire = Wire(card)
    link = sac_link(wire)
    link.transmit(STATUS)
    assert link.association is not None
    wrong = Association(link.association.parties, OTHER_PSK, 240)
    with pytest.raises(ChannelError):
        TlsChannel.open(link._commands, wrong, 240, bytes)


# --- without TLS-PSK


def test_without_the_package_the_message_says_what_would_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 11))
    monkeypatch.setitem(sys.modules, "sslpsk3", None)
    assert not has_tls_psk()
    with pytest.raises(TlsUnavailable, match="or later"):
        open_server(PSK, "me")


def test_without_the_package_the_card_refuses_the_kind(card: TestCard, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = OracleTerminal(card)
    names = terminal.master()
    monkeypatch.setattr(sys, "version_info", (3, 11))
    monkeypatch.setitem(sys.modules, "sslpsk3", None)
    assert terminal.manage(3, tlv(0x88, names.msa_id) + tlv(0x8E, b"\xf0")) == Answer("", "6A81")


def test_only_strong_suites_are_offered() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers(tls_psk.CIPHERS)
    names = {suite["name"] for suite in context.get_ciphers() if suite["protocol"] == "TLSv1.2"}
    assert names == {"ECDHE-PSK-CHACHA20-POLY1305", "PSK-AES128-GCM-SHA256"}
