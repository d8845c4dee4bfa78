"""What is on the air: a service, what OMA BCAST puts into its STKMs, and its programmes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StkmPolicy:
    """What the management data of a service's STKMs say.

    `protection_after_reception` (0 to 3; 3 is service protection only). With `binding_key_id` the TEKs are bound to
    terminals: they are encrypted with the terminal binding key of this ID (32 bits), which `permissions_issuer`, an
    HTTPS address, gives out.
    """

    protection_after_reception: int = 3
    binding_key_id: int | None = None
    permissions_issuer: str = ""


@dataclass(frozen=True, slots=True)
class Programme:
    """A part of a service, from `begins` to before `ends` (milliseconds), with a parental rating: type and value."""

    service: str
    begins: int
    ends: int
    rating_type: int
    rating: int


@dataclass(frozen=True, slots=True)
class Service:
    """One service: key domain as MCC-MNC text, key group, where STKMs and media go, RTP format.

    `sek_size` is that of its SEKs: 16, 24 or 32 bytes. `bcast` is what OMA BCAST puts into its STKMs; without it they
    are plain MBMS.
    """

    id: str
    key_domain: str
    key_group: int
    address: str
    port: int
    payload_type: int
    first_sequence: int | None
    bcast: StkmPolicy | None = None
    sek_size: int = 16
