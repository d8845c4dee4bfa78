"""The terminal's link: opens, keeps, rekeys and closes the channel, and never goes round it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from card.crypto.local_key import LocalKeyInputs
from card.crypto.secret import Secret
from card.spec.bcast.p1 import P1
from card.spec.sac_tables import Kind, TekPolicy
from host_tools.apdu.client import ApduClient
from host_tools.apdu.response import StatusError
from host_tools.apdu.trace import Exchange
from host_tools.links.base import LinkError
from host_tools.terminal.bcast import Tek
from host_tools.terminal.errors import TerminalError
from host_tools.terminal.middleware import TerminalMiddleware
from host_tools.terminal.sac.association import Credentials
from host_tools.terminal.sac.errors import CardNotGenuine, ChannelBroken, ChannelError, ChannelRefused
from host_tools.terminal.sac.link import SacLink
from host_tools.terminal.sac.local_key import establish_local_key, is_local_key_available
from tests.oracle.sac import LocalKey
from tests.support.network import BM_SC, bootstrap, derive_naf_keys, stkm
from tests.support.profiles import AID, PIN1
from tests.support.sac import (
    CREDENTIALS,
    OTHER_PSK,
    PSK,
    TERMINAL,
    TERMINAL_APPLI,
    Wire,
    sac_card,
    sac_card_with_msk,
    sac_link,
)
from tests.support.testcard import TestCard

STATUS = bytes.fromhex("80F2000C")
KINDS = (Kind.SECURED_APDU, Kind.TLS)
OK = b"\x90\x00"


def instructions(wire: Wire) -> list[int]:
    return [apdu[1] for apdu, _ in wire.log]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.value)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


# --- the whole job


def test_the_whole_job_inside(kind: Kind) -> None:
    card, _, message = sac_card_with_msk()
    card.card.reset()
    wire = Wire(card)
    middleware = TerminalMiddleware(sac_link(wire, kind=kind), tables=P1)
    assert middleware.connect(Secret(PIN1.encode())).imsi == "001010123456789"
    for counter in (1, 2, 3):
        outcome = middleware.feed(stkm(message, counter, mtk_id=counter.to_bytes(2, "big")).build())
        assert isinstance(outcome, Tek)
        assert outcome.key.reveal() == bytes(range(0xB0, 0xC0))
    middleware.close()
    assert set(instructions(wire)) <= {0x73, 0x75, 0xC0}
    assert not any(PIN1.encode() in data for exchange in wire.log for data in exchange)


def test_the_middleware_gets_no_tek_in_clear() -> None:
    card, _, message = sac_card_with_msk()
    middleware = TerminalMiddleware(Wire(card), tables=P1)
    outcome = middleware.feed(stkm(message, 1).build())
    assert not isinstance(outcome, Tek)
    assert outcome.sw == 0x6989


# --- opening and keeping


def test_the_channel_is_opened_once(kind: Kind) -> None:
    wire = Wire(sac_card())
    link = sac_link(wire, kind=kind)
    assert not wire.log
    for _ in range(3):
        assert link.transmit(STATUS) == OK
    manage = [apdu[2:4] for apdu, _ in wire.log if apdu[1] == 0x73]
    assert manage.count(b"\x03\x80") == 1


def test_the_association_is_used_again_after_a_reset(kind: Kind) -> None:
    wire = Wire(sac_card())
    link = sac_link(wire, kind=kind)
    link.transmit(STATUS)
    first = link.association
    link.reset()
    assert link.transmit(STATUS) == OK
    assert link.association is first


def test_an_association_can_be_handed_on() -> None:
    card = sac_card()
    first = sac_link(Wire(card))
    first.transmit(STATUS)
    wire = Wire(card)
    second = sac_link(wire, association=first.association)
    assert second.transmit(STATUS) == OK
    assert [apdu[2] for apdu, _ in wire.log if apdu[1] == 0x73 and apdu[3] == 0x80] == [2, 3]


def test_a_card_that_was_reset_behind_the_links_back(kind: Kind) -> None:
    card = sac_card()
    link = sac_link(Wire(card), kind=kind)
    link.transmit(STATUS)
    card.card.reset()
    assert link.transmit(STATUS) == OK


def test_another_card_in_the_reader(kind: Kind) -> None:
    wire = Wire(sac_card())
    link = sac_link(wire, kind=kind)
    link.transmit(STATUS)
    first = link.association
    wire.card = sac_card()
    assert link.transmit(STATUS) == OK
    assert link.association is not first


def test_names_and_protocol() -> None:
    wire = Wire(sac_card())
    link = sac_link(wire)
    assert link.name == "wire (x-sac-1)"
    assert link.atr == wire.atr
    assert link.protocol == Wire.protocol


# --- rekeying


def test_keys_are_renewed_after_so_many_commands() -> None:
    wire = Wire(sac_card())
    link = sac_link(wire, rekey_after=3)
    for _ in range(10):
        assert link.transmit(STATUS) == OK
    sent = [apdu[2] for apdu, _ in wire.log if apdu[1] == 0x73 and apdu[3] == 0x80]
    assert sent == [1, 2, 3] + [2, 3, 4] * 3


def test_renewing_does_not_disturb_a_transfer_in_blocks() -> None:
    card, _, message = sac_card_with_msk()
    wire = Wire(card)
    link = sac_link(wire, rekey_after=1)
    data = b"\x53\x61\x02" + stkm(message, 1).build()
    assert data[1] == len(data) - 2
    assert link.transmit(b"\x00\x89\x80\x85\x32" + data[:50]) == b"\x63\xf1"
    assert link.transmit(b"\x00\x89\x00\x85" + bytes((len(data) - 50,)) + data[50:]) == b"\x62\xf3"
    assert link.transmit(bytes.fromhex("0089A08510"))[-2:] == b"\x62\xf1"
    assert link.transmit(bytes.fromhex("0089208500"))[-2:] == OK
    connections = [apdu for apdu, _ in wire.log if apdu[1:4] == b"\x73\x02\x80"]
    assert len(connections) == 1
    assert link.transmit(STATUS) == OK
    assert len([apdu for apdu, _ in wire.log if apdu[1:4] == b"\x73\x02\x80"]) == 2


# --- closing


def test_closing_ends_the_channel_on_the_card(kind: Kind) -> None:
    card = sac_card()
    link = sac_link(Wire(card), kind=kind)
    link.transmit(STATUS)
    session = card.card._context.session
    assert session.notes["secure channels"].sessions
    wire = link._link
    wire.close = lambda: None  # type: ignore[method-assign]
    link.close()
    assert not card.card._context.session.notes["secure channels"].sessions
    link.close()


def test_closing_a_link_that_was_never_used() -> None:
    wire = Wire(sac_card())
    sac_link(wire).close()
    assert not wire.log


def test_closing_when_the_card_is_gone(kind: Kind) -> None:
    class Gone(Wire):
        gone = False

        def transmit(self, apdu: bytes) -> bytes:
            if self.gone:
                raise LinkError("gone")
            return super().transmit(apdu)

    wire = Gone(sac_card())
    link = sac_link(wire, kind=kind)
    link.transmit(STATUS)
    wire.gone = True
    link.close()


# --- refusals and attacks


@pytest.mark.parametrize(
    ("credentials", "sw"),
    [
        (Credentials(b"unknown", TERMINAL_APPLI, PSK), 0x6A88),
        (Credentials(TERMINAL, TERMINAL_APPLI, ks_local=PSK), 0x6A88),
        (Credentials(TERMINAL, TERMINAL_APPLI), 0x6A81),
    ],
)
def test_refusals_of_the_card(credentials: Credentials, sw: int) -> None:
    link = sac_link(Wire(sac_card()), credentials)
    with pytest.raises(ChannelRefused) as caught:
        link.transmit(STATUS)
    assert caught.value.sw == sw


def test_a_wrong_secret(kind: Kind) -> None:
    link = sac_link(Wire(sac_card()), replace(CREDENTIALS, psk=OTHER_PSK), kind=kind)
    with pytest.raises(CardNotGenuine):
        link.transmit(STATUS)


def test_a_kind_the_card_does_not_offer() -> None:
    link = sac_link(Wire(sac_card(kinds=(Kind.SECURED_APDU,), scp03=None)), kind=Kind.TLS)
    with pytest.raises(ChannelError, match="tls-psk"):
        link.transmit(STATUS)


def test_a_card_without_channels() -> None:
    link = sac_link(Wire(TestCard.new()))
    with pytest.raises(ChannelRefused) as caught:
        link.transmit(STATUS)
    assert caught.value.sw == 0x6D00


class Meddler(Wire):
    """Changes one answer of the card: the n-th to an instruction, at one position."""

    def __init__(self, card: TestCard, ins: int, number: int, position: int) -> None:
        super().__init__(card)
        self.ins, self.number, self.position = ins, number, position
        self.current = b""
        self.changed = False

    def forth(self, apdu: bytes) -> bytes:
        self.current = apdu
        return apdu

    def back(self, answer: bytes) -> bytes:
        if self.current[1] != self.ins or len(answer) <= self.position + 2:
            return answer
        self.number -= 1
        if self.number != -1:
            return answer
        self.changed = True
        return answer[: self.position] + bytes((answer[self.position] ^ 1,)) + answer[self.position + 1 :]


def test_every_byte_of_a_protected_answer_counts(kind: Kind) -> None:
    wire = Meddler(sac_card(), 0x75, -1, 0)
    link = sac_link(wire, kind=kind)
    link.transmit(STATUS)
    size = len(wire.log[-1][1]) - 2
    assert size > 20
    for position in range(size):
        link.transmit(STATUS)  # on a new channel, after the first time
        wire.number, wire.position, wire.changed = 0, position, False
        with pytest.raises((ChannelBroken, LinkError)):
            link.transmit(STATUS)
        assert wire.changed


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("position", range(3, 56, 4))
def test_what_the_card_says_in_clear_cannot_be_changed_unnoticed(number: int, position: int) -> None:
    wire = Meddler(sac_card(), 0x73, number, position)
    link = sac_link(wire)
    try:
        assert link.transmit(STATUS) == OK
    except (TerminalError, LinkError):
        return
    # Capabilities, ports and session numbers are no secrets and under no MAC: what counts is that it works or fails.
    assert set(instructions(wire)) <= {0x73, 0x75}


def test_a_replayed_answer() -> None:
    class Replaying(Wire):
        recorded: bytes = b""
        on = False
        current = b""

        def forth(self, apdu: bytes) -> bytes:
            self.current = apdu
            return apdu

        def back(self, answer: bytes) -> bytes:
            if self.current[1] != 0x75 or len(answer) < 10:
                return answer
            if self.on:
                return self.recorded
            self.recorded = answer
            return answer

    wire = Replaying(sac_card())
    link = sac_link(wire)
    link.transmit(STATUS)
    wire.on = True
    with pytest.raises(ChannelBroken):
        link.transmit(STATUS)


def test_a_forged_end_of_session_does_not_lead_to_clear_text() -> None:
    class Forging(Wire):
        def transmit(self, apdu: bytes) -> bytes:
            self.log.append((apdu, b""))
            return b"\x98\x63" if apdu[1] == 0x75 else super().transmit(apdu)

    wire = Forging(sac_card())
    link = sac_link(wire)
    with pytest.raises(ChannelRefused):
        link.transmit(STATUS)
    assert set(instructions(wire)) == {0x73, 0x75}


def test_an_answer_without_end() -> None:
    class Endless(Wire):
        block = b"\x80\x01\x00"

        def transmit(self, apdu: bytes) -> bytes:
            is_fetch = apdu[1] == 0x75 and not apdu[2] & 4
            return self.block + b"\x92\x02" if is_fetch else super().transmit(apdu)

    for block in (b"\x80\x00", b"\x80\x81\xf0" + bytes(240)):
        wire = Endless(sac_card())
        wire.block = block
        with pytest.raises(LinkError, match="without end"):
            sac_link(wire).transmit(STATUS)


def test_the_trace_shows_containers_only() -> None:
    events: list[Exchange] = []
    card, _, message = sac_card_with_msk()
    middleware = TerminalMiddleware(SacLink(Wire(card), CREDENTIALS, trace=events.append), tables=P1)
    middleware.connect(Secret(PIN1.encode()))
    assert isinstance(middleware.feed(stkm(message, 1).build()), Tek)
    shown = "\n".join(map(str, events)).upper()
    assert bytes(range(0xB0, 0xC0)).hex().upper() not in shown
    assert PIN1.encode().hex().upper() not in shown
    assert "TRANSACT" in shown


def test_credentials_stay_out_of_the_repr() -> None:
    assert PSK.reveal().hex() not in repr(CREDENTIALS)


# --- Ks_local


def test_a_channel_on_a_local_key(kind: Kind) -> None:
    card = sac_card(TekPolicy.CHANNEL, psk=()).ready()
    session = bootstrap(card)
    derive_naf_keys(card)
    inputs = LocalKeyInputs(
        session.b_tid, BM_SC, TERMINAL, bytes.fromhex("980001010000000010F9"), TERMINAL_APPLI, AID, b"r" * 16, 3
    )
    oracle = LocalKey(session.muk(), session.b_tid, BM_SC, TERMINAL, inputs.iccid, TERMINAL_APPLI, AID, b"r" * 16, 3)
    ks_local = Secret(oracle.key)
    client = ApduClient(Wire(card))
    assert not is_local_key_available(client, inputs)
    with pytest.raises(StatusError) as caught:
        establish_local_key(client, OTHER_PSK, inputs)
    assert caught.value.sw == 0x9862
    establish_local_key(client, ks_local, inputs)
    assert is_local_key_available(client, inputs)
    link = sac_link(Wire(card), Credentials(TERMINAL, TERMINAL_APPLI, ks_local=ks_local), kind=kind)
    assert link.transmit(STATUS) == OK
    assert link.association is not None
    assert link.association.parties.method == 0x81


def test_a_card_that_lies_about_the_local_key() -> None:
    card = sac_card().ready()
    session = bootstrap(card)
    derive_naf_keys(card)
    inputs = LocalKeyInputs(
        session.b_tid, BM_SC, TERMINAL, bytes.fromhex("980001010000000010F9"), TERMINAL_APPLI, AID, b"r" * 16, 3
    )
    key = LocalKey(session.muk(), session.b_tid, BM_SC, TERMINAL, inputs.iccid, TERMINAL_APPLI, AID, b"r" * 16, 3)
    wire = Meddler(card, 0x89, 0, 10)
    with pytest.raises(CardNotGenuine):
        establish_local_key(ApduClient(wire), Secret(key.key), inputs)
    assert wire.changed
