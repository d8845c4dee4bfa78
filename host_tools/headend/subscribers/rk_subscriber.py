"""The network's record of a CSIM subscriber."""

from __future__ import annotations

from dataclasses import dataclass

from card.crypto.bcmcs import PROVISIONAL_SET, RegistrationKey


@dataclass(frozen=True, slots=True)
class RkSubscriber:
    """A CSIM subscription as the home network knows it; `functions` is the name of its set of BCMCS functions."""

    imsi: str
    nai: str
    root: RegistrationKey
    functions: str = PROVISIONAL_SET
