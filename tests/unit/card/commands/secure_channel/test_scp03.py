"""GlobalPlatform SCP03 on the card, with `yubikit` as a host that was not made for it, and against attacks."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from yubikit.core import TRANSPORT
from yubikit.core.smartcard import ApduError, SmartCardConnection, SmartCardProtocol
from yubikit.core.smartcard.scp import KeyRef, Scp03KeyParams, ScpKid, StaticKeys

from card.crypto.scp03 import derive_session_keys
from card.crypto.secret import Secret
from card.spec.sac_tables import Kind
from tests.oracle.mikey import Ltkm
from tests.support.network import MTK_GENERATION, stkm
from tests.support.profiles import AID, OPEN_TRANSPARENT, PIN1
from tests.support.sac import KEY_ENC, KEY_MAC, sac_card, sac_card_with_msk
from tests.support.sac_terminal import ANSWER
from tests.support.testcard import Answer, TestCard, pin_bytes, tlv

Change = Callable[[bytes], bytes]


class Connection(SmartCardConnection):
    """yubikit's port to a test card; `change` is somebody on the way."""

    def __init__(self, card: TestCard, change: Change = bytes) -> None:
        self.card = card
        self.change = change
        self.log: list[tuple[bytes, bytes]] = []

    @property
    def transport(self) -> TRANSPORT:
        return TRANSPORT.USB

    def send_and_receive(self, apdu: bytes) -> tuple[bytes, int]:
        response = self.card.card.transmit(self.change(apdu))
        self.log.append((apdu, response))
        return response[:-2], int.from_bytes(response[-2:], "big")

    def close(self) -> None:
        pass


def params(key_enc: bytes = KEY_ENC, key_mac: bytes = KEY_MAC, version: int = 0x30) -> Scp03KeyParams:
    return Scp03KeyParams(KeyRef(ScpKid.SCP03, version), StaticKeys(key_enc, key_mac))


class Host:
    """A session opened by yubikit."""

    def __init__(self, card: TestCard) -> None:
        self.card = card
        self.connection = Connection(card)
        self.protocol = SmartCardProtocol(self.connection, ins_send_remaining=0xC0)
        self.protocol.init_scp(params())

    def send(self, command: str | bytes) -> tuple[bytes, int]:
        """Send a command; return plain data and status word."""
        raw = command if isinstance(command, bytes) else bytes.fromhex(command)
        try:
            cla, ins, p1, p2 = raw[:4]
            return self.protocol.send_apdu(cla, ins, p1, p2, raw[5:]), 0x9000
        except ApduError as error:
            return bytes(error.data), error.sw


@pytest.fixture
def card() -> TestCard:
    return sac_card()


@pytest.fixture
def host(card: TestCard) -> Host:
    return Host(card)


# --- with yubikit


@pytest.mark.parametrize("version", [0, 0x30])
def test_yubikit_opens_a_session(card: TestCard, version: int) -> None:
    protocol = SmartCardProtocol(Connection(card))
    protocol.init_scp(params(version=version))
    assert protocol.send_apdu(0x80, 0xF2, 0, 0x0C) == b""


def test_commands_with_and_without_data(host: Host) -> None:
    assert host.send(f"00A4000C02{OPEN_TRANSPARENT:04X}") == (b"", 0x9000)
    assert host.send("00B00000") == (bytes(range(16)), 0x9000)
    assert host.send("00D6000004DEADBEEF") == (b"", 0x9000)
    assert host.send("00B00000") == (bytes.fromhex("DEADBEEF") + bytes(range(4, 16)), 0x9000)


def test_nothing_but_the_header_is_readable(host: Host) -> None:
    host.send(f"00A4000C02{OPEN_TRANSPARENT:04X}")
    host.send("00B00000")
    for sent, received in host.connection.log[2:]:
        assert bytes(range(8)) not in received
        assert OPEN_TRANSPARENT.to_bytes(2, "big") not in sent


def test_refusals(host: Host) -> None:
    assert host.send("00A4000C024242") == (b"", 0x6A82)
    assert host.send("00FF0000") == (b"", 0x6D00)
    assert host.send("80F2000C") == (b"", 0x9000)


def test_a_tek_leaves_inside_only() -> None:
    card, _, message = sac_card_with_msk()
    card.mbms_refused("6989", MTK_GENERATION, stkm(message, 1).build())
    host = Host(card)
    assert get_tek(host, message, 1) == (ANSWER, 0x9000)
    assert host.send("00A4000C022FE2")[1] == 0x6A82  # the USIM is still current
    assert not any(ANSWER[5:21] in data for exchange in host.connection.log for data in exchange)


def get_tek(host: Host, message: Ltkm, counter: int) -> tuple[bytes, int]:
    data = tlv(0x53, b"\x02" + stkm(message, counter).build())
    assert host.send(b"\x00\x89\x80\x85" + bytes((len(data),)) + data) == (b"", 0x62F3)
    return host.send("0089A085")


def test_a_tek_that_waits_inside_cannot_be_fetched_in_clear() -> None:
    card, _, message = sac_card_with_msk()
    host = Host(card)
    data = tlv(0x53, b"\x02" + stkm(message, 1).build())
    host.send(b"\x00\x89\x80\x85" + bytes((len(data),)) + data)
    card.refused("6985", "0089A08500")
    assert host.send("0089A085") == (ANSWER, 0x9000)


def test_a_pin_given_inside(host: Host) -> None:
    assert host.send(f"00A4040C10{AID.hex()}")[1] == 0x9000
    assert host.send(b"\x00\x20\x00\x01\x08" + pin_bytes(PIN1)) == (b"", 0x9000)
    assert host.send(b"\x00\x20\x00\x01\x08" + pin_bytes("0000"))[1] == 0x63C2


def test_long_responses(host: Host) -> None:
    assert host.send("0073000000")[1] == 0x9000
    data, sw = host.send("00A4000402" + "3F00")
    assert (data[0], sw) == (0x62, 0x9000)


@pytest.mark.parametrize("wrong", [params(key_enc=bytes(16)), params(key_mac=bytes(16))], ids=["enc", "mac"])
def test_wrong_keys(card: TestCard, wrong: Scp03KeyParams) -> None:
    protocol = SmartCardProtocol(Connection(card))
    try:
        protocol.init_scp(wrong)
    except ValueError:
        return  # with another K-MAC the host finds the card's cryptogram wrong
    # With another K-ENC alone the proofs are right, and the first command is not.
    with pytest.raises(ApduError) as caught:
        protocol.send_apdu(0, 0xA4, 0, 0x0C, b"\x3f\x00")
    assert caught.value.sw == 0x6982


def test_unknown_key_version(card: TestCard) -> None:
    with pytest.raises(ValueError, match="parameters"):
        SmartCardProtocol(Connection(card)).init_scp(params(version=9))
    card.refused("6A88", "8050090008", bytes(8))


# --- attacks

SELECT = "00A4000C02" + f"{OPEN_TRANSPARENT:04X}"


def is_gone(host: Host) -> None:
    """Check that the session gives nothing any more."""
    assert host.send("80F2000C") == (b"", 0x6982)


def test_replay(host: Host) -> None:
    host.send(SELECT)
    assert host.card.send(wrapped(host)[-1]) == Answer("", "6982")
    is_gone(host)


def wrapped(host: Host) -> list[bytes]:
    """Return the commands that were sent under secure messaging."""
    return [sent for sent, _ in host.connection.log if sent[0] & 0x04]


def test_a_recorded_session_cannot_be_played_again(host: Host) -> None:
    host.send(SELECT)
    assert host.card.send(host.connection.log[0][0]).sw == "611D"
    for sent in wrapped(host):
        assert host.card.send(sent).sw in ("6982", "6985")


@pytest.mark.parametrize("position", range(4 + 1 + 24))
def test_flipped_bits_in_every_byte(card: TestCard, position: int) -> None:
    for bit in range(8):
        host = Host(card)
        host.send(SELECT)
        raw = bytearray()

        def spoil(apdu: bytes, bit: int = bit, raw: bytearray = raw) -> bytes:
            changed = bytearray(apdu)
            changed[position] ^= 1 << bit
            raw[:] = changed
            return bytes(changed)

        host.connection.change = spoil
        _, sw = host.send("00D600000400000000")
        assert sw != 0x9000, raw.hex()
        host.connection.change = bytes
        assert card.ok("00B0000010") == bytes(range(16))


def test_truncated_and_extended(host: Host) -> None:
    host.connection.change = lambda apdu: apdu[:4] + bytes((apdu[4] - 1,)) + apdu[5:-1]
    assert host.send(SELECT) == (b"", 0x6982)
    host.connection.change = bytes
    is_gone(host)


@pytest.mark.parametrize("size", range(8))
def test_less_than_a_mac(host: Host, size: int) -> None:
    assert host.card.send(f"04A4000C{size:02X}", bytes(size)).sw == ("6982" if size else "6700")


def test_wrapped_without_a_session(card: TestCard) -> None:
    card.refused("6982", "04A4000C0A", bytes(10))
    card.refused("6882", "0CA4000C0A", bytes(10))
    plain = sac_card(kinds=(Kind.SECURED_APDU,), scp03=None)
    plain.refused("6882", "04A4000C0A", bytes(10))
    plain.refused("6D00", "8050000008", bytes(8))
    plain.refused("6D00", "8482330010", bytes(16))


def test_wrapped_before_the_host_has_proved_itself(card: TestCard) -> None:
    card.ok("8050000008", bytes(8), "00")
    assert card.send("04A4000C10", bytes(16)) == Answer("", "6982")


def test_a_forged_host_cryptogram(card: TestCard) -> None:
    card.ok("8050000008", bytes(8), "00")
    assert card.send("8482330010", bytes(16)) == Answer("", "6982")
    card.refused("6985", "8482330010", bytes(16))


@pytest.mark.parametrize("level", ["00", "01", "03", "13"])
def test_weaker_levels_are_refused(card: TestCard, level: str) -> None:
    card.ok("8050000008", bytes(8), "00")
    assert card.send("8482", level, "0010", bytes(16)) == Answer("", "6982")
    card.refused("6985", "8482330010", bytes(16))


def test_a_level_that_was_weakened_on_the_way(card: TestCard) -> None:
    def weaken(apdu: bytes) -> bytes:
        return re.sub(rb"^\x84\x82\x33", b"\x84\x82\x01", apdu)

    protocol = SmartCardProtocol(Connection(card, weaken))
    protocol.init_scp(params())  # yubikit does not look at the status word of this
    with pytest.raises(ApduError):
        protocol.send_apdu(0x80, 0xF2, 0, 0x0C)


def test_opening_needs_secure_messaging_and_a_challenge(card: TestCard) -> None:
    card.refused("6E00", "8082330010", bytes(16))
    card.refused("6985", "8482330010", bytes(16))
    card.refused("6700", "8050000007", bytes(7))


def test_a_new_session_ends_the_old_one(host: Host) -> None:
    host.card.ok("8050000008", bytes(8), "00")
    is_gone(host)


def test_reset_ends_a_session(host: Host) -> None:
    host.card.card.reset()
    is_gone(host)


def test_a_session_belongs_to_its_logical_channel(host: Host) -> None:
    assert host.card.send("0070000001").sw == "9000"

    def to_channel_1(apdu: bytes) -> bytes:
        return bytes((apdu[0] | 1,)) + apdu[1:]

    host.connection.change = to_channel_1
    assert host.send("80F2000C") == (b"", 0x6982)


def test_challenges_are_fresh(card: TestCard) -> None:
    answers = {card.ok("8050000008", bytes(8), "00") for _ in range(5)}
    assert len(answers) == 5
    assert {answer[:13] for answer in answers} == {bytes(10) + bytes.fromhex("300360")}


def test_keys_stay_out_of_the_repr(host: Host) -> None:
    session = host.card.card._context.session
    shown = repr(session)
    assert session.notes.scp03 is not None
    keys = derive_session_keys(Secret(KEY_ENC), Secret(KEY_MAC), session.notes.scp03.session.context)
    for key in (KEY_ENC, KEY_MAC, keys.mac.reveal(), keys.encryption.reveal()):
        assert key.hex() not in shown
        assert repr(key)[2:-1] not in shown
