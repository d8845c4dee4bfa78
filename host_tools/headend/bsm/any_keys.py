"""The keys of subscribers of both kinds: a B-TID leads to GBA, the NAI of a CSIM to its home."""

from __future__ import annotations

from datetime import datetime

from card.crypto.secret import Secret
from host_tools.headend.bounded import BoundedTable
from host_tools.headend.bsm.mbms_naf import MbmsNaf
from host_tools.headend.bsm.ports import SubscriberKeys
from host_tools.headend.bsm.rk_home import RkHome
from host_tools.headend.errors import IdentityUnknownError

_REMEMBERED = 4096


class AnyKeys:
    """Knows the keys of all subscribers."""

    def __init__(self, naf: MbmsNaf, home: RkHome) -> None:
        """Take who knows those with GBA, and the home of those with a registration key."""
        self._naf = naf
        self._home = home
        self._nais: BoundedTable[str, None] = BoundedTable(1, _REMEMBERED)

    def smk(self, subscriber: str, naf_id: bytes, rand: bytes) -> Secret:
        """Return the SMK for LTKMs that carry `rand`, also when its time is over. Raises `HeadendError`."""
        return self._of(subscriber).smk(subscriber, naf_id, rand)

    def srk(self, subscriber: str, naf_id: bytes) -> Secret:
        """Return the SRK. Raises `HeadendError`."""
        return self._of(subscriber).srk(subscriber, naf_id)

    def expires(self, subscriber: str, naf_id: bytes) -> datetime | None:
        """Return when the SMK is over; None: never. Raises `HeadendError`."""
        return self._of(subscriber).expires(subscriber, naf_id)

    def identity(self, subscriber: str, naf_id: bytes) -> str:
        """Return who it is, the same under every SMK. Raises `HeadendError`."""
        return self._of(subscriber).identity(subscriber, naf_id)

    def _of(self, subscriber: str) -> SubscriberKeys:
        """Return who knows the keys: a NAI that is known is one, every other name a B-TID."""
        if self._naf.knows(subscriber):
            return self._naf
        if self._nais.owner(subscriber) is None:
            try:
                self._home.identity(subscriber, b"")
            except IdentityUnknownError:
                return self._naf
            self._nais.put(subscriber, subscriber, None)
        return self._home
