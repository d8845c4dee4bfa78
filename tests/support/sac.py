"""A card with secure channels for tests, and terminals that talk to it."""

from __future__ import annotations

from dataclasses import replace

from card import CardProfile
from card.crypto.secret import Secret
from card.profile.sac import SacProfile, Scp03Profile, SharedSecret
from card.spec.sac_tables import Kind, TekPolicy
from host_tools.links.base import TransmissionProtocol
from host_tools.terminal.sac.association import Credentials
from host_tools.terminal.sac.link import SacLink
from tests.oracle.mikey import Ltkm
from tests.support.network import Bootstrap, bootstrap, deliver, derive_naf_keys
from tests.support.ports import SeededRng
from tests.support.profiles import card_profile
from tests.support.testcard import TestCard

IMEI = "490154203237518"
TERMINAL, OTHER_TERMINAL = bytes.fromhex("17084A09512430325781"), bytes.fromhex("0A1032547698103254F6")
TERMINAL_APPLI = b"player"
PSK = Secret(bytes(range(32)))
OTHER_PSK = Secret(bytes(range(1, 33)))
KEY_ENC, KEY_MAC = bytes(range(0x40, 0x50)), bytes(range(0x50, 0x60))
CREDENTIALS = Credentials(TERMINAL, TERMINAL_APPLI, PSK)


def sac_profile(tek: TekPolicy = TekPolicy.CHANNEL, **changes: object) -> CardProfile:
    """Return the test profile with every kind of channel, and a policy."""
    kinds = (Kind.SECURED_APDU, Kind.TLS, Kind.SCP03)
    secrets = (SharedSecret(TERMINAL, PSK), SharedSecret(OTHER_TERMINAL, OTHER_PSK))
    keys = Scp03Profile(Secret(KEY_ENC), Secret(KEY_MAC))
    sac = SacProfile(kinds, tek, psk=secrets, scp03=keys, naf_key_centre="nkc.example.org")
    return replace(card_profile(), sac=replace(sac, **changes))  # type: ignore[arg-type]


def sac_card(tek: TekPolicy = TekPolicy.CHANNEL, **changes: object) -> TestCard:
    """Return a powered card with secure channels."""
    return TestCard.new(sac_profile(tek, **changes))


def sac_card_with_msk(tek: TekPolicy = TekPolicy.CHANNEL) -> tuple[TestCard, Bootstrap, Ltkm]:
    """Return such a card after PIN, bootstrapping and an LTKM, all in clear."""
    card = sac_card(tek).ready()
    session = bootstrap(card)
    derive_naf_keys(card)
    message = session.ltkm()
    deliver(card, message)
    return card, session, message


class Wire:
    """A link to a test card that records the exchanges and lets a test change them on the way."""

    def __init__(self, card: TestCard) -> None:
        self.card = card
        self.log: list[tuple[bytes, bytes]] = []

    name = "wire"
    protocol = TransmissionProtocol.DIRECT

    @property
    def atr(self) -> bytes:
        return self.card.card.atr

    def transmit(self, apdu: bytes) -> bytes:
        answer = self.back(self.card.card.transmit(self.forth(apdu)))
        self.log.append((apdu, answer))
        return answer

    def forth(self, apdu: bytes) -> bytes:
        return apdu

    def back(self, answer: bytes) -> bytes:
        return answer

    def reset(self) -> bytes:
        return self.card.card.reset()

    def close(self) -> None:
        self.card.card.power_off()


def sac_link(wire: Wire, credentials: Credentials = CREDENTIALS, **options: object) -> SacLink:
    """Return the terminal's link over a wire, with repeatable randomness."""
    return SacLink(wire, credentials, random_bytes=SeededRng(7).random_bytes, **options)  # type: ignore[arg-type]
