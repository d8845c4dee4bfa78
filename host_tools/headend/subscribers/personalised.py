"""Makes the network's record of a subscriber from the profile of its card."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from card.crypto.secret import Secret
from host_tools.headend.subscribers.gba_settings import UICC_BASED_MBMS
from host_tools.headend.subscribers.record import SubscriberRecord
from host_tools.headend.subscribers.subscriber import Subscriber


class SequenceSettings(Protocol):
    """How a card counts (TS 33.102 annex C)."""

    @property
    def initial_seq(self) -> int:
        """The SEQ that the card starts from."""

    @property
    def ind_bits(self) -> int:
        """How many low bits of SQN are IND."""


class UsimRecord(Protocol):
    """What the network must know of a USIM; the `usim` of a card profile has it."""

    @property
    def imsi(self) -> str:
        """Six to fifteen digits."""

    @property
    def impi(self) -> str:
        """The private identity."""

    @property
    def algorithm(self) -> Enum:
        """The AKA algorithm; its value is the name that `make_algorithm` knows."""

    @property
    def k(self) -> Secret:
        """K."""

    @property
    def amf(self) -> bytes:
        """The AMF (2 bytes) of the network's vectors."""

    @property
    def sqn(self) -> SequenceSettings:
        """How the card counts."""

    def derive_operator_constant(self) -> Secret:
        """Return OPc, TOPc, or nothing where the algorithm has none."""


class PersonalisedCard(Protocol):
    """A card profile, as far as the network looks into it."""

    @property
    def usim(self) -> UsimRecord:
        """The USIM."""


def record_of(profile: PersonalisedCard) -> SubscriberRecord:
    """Return what the network writes down of the subscriber whose card is personalised from `profile`."""
    usim = profile.usim
    constant, counting = usim.derive_operator_constant(), usim.sqn
    return SubscriberRecord(
        usim.imsi,
        usim.impi,
        usim.algorithm.value,
        usim.k,
        constant,
        usim.amf,
        counting.initial_seq,
        counting.ind_bits,
        UICC_BASED_MBMS,
    )


def subscriber_of(profile: PersonalisedCard) -> Subscriber:
    """Return the network's record of the subscriber whose card is personalised from `profile`."""
    return record_of(profile).made()
