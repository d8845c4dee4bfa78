"""The protected channels in a card profile. Provisional as a whole: docs/spec/secure-channel.md."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from card.codec.terminal_id import ALLOWED, parse_terminal_id
from card.crypto.secret import Secret
from card.profile.fields import ListOf, Table, secret_hex
from card.profile.loader import Fault
from card.spec.sac_tables import SAC_LIMITS, Kind, TekPolicy
from card.tables.kinds import choice, integer, matching, parsed, printable

TERMINAL_ID = parsed(ALLOWED, parse_terminal_id)
APPLICATION_NAME = printable(1, 255)
FQDN = matching(r"[0-9A-Za-z.-]{1,60}", "a host name of at most 60 letters, digits, dots and hyphens")
CONTAINER = integer(SAC_LIMITS["least_container"].value, SAC_LIMITS["container"].value)
MOST_TERMINALS = 16
DEFAULT_KEY_VERSION = 0x30
"""First of the key versions that GlobalPlatform sets aside for SCP03, 30 to 3F."""


@dataclass(frozen=True, slots=True)
class SharedSecret:
    """A secret that card and terminal were given beforehand."""

    terminal_id: Annotated[bytes, TERMINAL_ID]
    key: Annotated[Secret, secret_hex(32)]


@dataclass(frozen=True, slots=True)
class Scp03Profile:
    """Static keys of GlobalPlatform SCP03."""

    key_enc: Annotated[Secret, secret_hex(16)]
    key_mac: Annotated[Secret, secret_hex(16)]
    version: Annotated[int, integer(1, 127)] = DEFAULT_KEY_VERSION


@dataclass(frozen=True, slots=True)
class SacProfile:
    """Which protected channels the card offers, to whom, and whether a TEK may leave without one.

    `connections` is the number of Connection SAs at once, `container` the longest container block in bytes. Local
    keys are for `terminals` and, unless they are between platforms, for `terminal_applications`; for all where none
    is named.
    """

    kinds: Annotated[tuple[Kind, ...], ListOf(choice(Kind), len(Kind))] = (Kind.SECURED_APDU,)
    tek: Annotated[TekPolicy, choice(TekPolicy)] = TekPolicy.CLEAR
    container: Annotated[int, CONTAINER] = SAC_LIMITS["container"].value
    connections: Annotated[int, integer(2, 4)] = 2
    psk: Annotated[tuple[SharedSecret, ...], ListOf(Table(SharedSecret), MOST_TERMINALS)] = ()
    scp03: Annotated[Scp03Profile | None, Table(Scp03Profile)] = None
    naf_key_centre: Annotated[str | None, FQDN] = None
    terminals: Annotated[tuple[bytes, ...], ListOf(TERMINAL_ID, MOST_TERMINALS)] = ()
    terminal_applications: Annotated[tuple[str, ...], ListOf(APPLICATION_NAME, MOST_TERMINALS)] = ()

    def check(self) -> Iterator[Fault]:
        """Yield what does not fit together: SCP03 without keys, two secrets for one terminal."""
        if (Kind.SCP03 in self.kinds) != (self.scp03 is not None):
            yield Fault(("scp03",), 'allowed: both the table scp03 and "scp03" in kinds, or neither')
        seen: set[bytes] = set()
        for position, secret in enumerate(self.psk):
            if secret.terminal_id in seen:
                yield Fault(("psk", position, "terminal_id"), "found again; allowed: one secret for each terminal")
            seen.add(secret.terminal_id)
