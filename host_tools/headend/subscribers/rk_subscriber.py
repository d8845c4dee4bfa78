"""The network's record of a CSIM subscriber."""

from __future__ import annotations

from dataclasses import dataclass

from card.crypto.bcmcs import RegistrationKey


@dataclass(frozen=True, slots=True)
class RkSubscriber:
    """A CSIM subscription as the home network knows it."""

    imsi: str
    nai: str
    root: RegistrationKey
