"""What the BSM needs of others."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from card.crypto.secret import Secret


class SubscriberKeys(Protocol):
    """Who knows the keys of subscribers. A GBA subscriber goes by B-TID, a CSIM by its NAI."""

    def smk(self, subscriber: str, naf_id: bytes, rand: bytes, /) -> Secret:
        """Return the SMK for LTKMs that carry `rand`, also when its time is over. Raises `HeadendError`."""

    def srk(self, subscriber: str, naf_id: bytes, /) -> Secret:
        """Return the SRK. Raises `HeadendError`."""

    def expires(self, subscriber: str, naf_id: bytes, /) -> datetime | None:
        """Return when the SMK is over; None: never. Raises `HeadendError`."""

    def identity(self, subscriber: str, naf_id: bytes, /) -> str:
        """Return who it is, the same under every SMK. Raises `HeadendError`."""
