"""Which services an application offers, read from its service table (TS 31.102 clause 4.2.8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from card.codec.ef import CODECS
from card.domain.errors import ServiceNotAvailable
from card.filesystem.filesystem import FileSystem
from card.filesystem.node import FileNode

GSM_ACCESS = 27
DOWNLOAD_SMS_PP = 28
GSM_SECURITY_CONTEXT = 38
GBA = 68
MBMS_SECURITY = 69
OMA_BCAST = 75
LOCAL_KEY_ESTABLISHMENT = 76
VGCS = 57
VBS = 58
VGCS_SECURITY = 64
VBS_SECURITY = 65

# Numbers of EF_IST (TS 31.103 clause 4.2.7).
P_CSCF = 1
ISIM_GBA = 2
P_CSCF_DISCOVERY = 5
ISIM_NUMBERS: Mapping[int, int] = {GBA: ISIM_GBA, LOCAL_KEY_ESTABLISHMENT: 4}
"""The services of a USIM that an ISIM has too, and their number there."""

# Numbers of EF_CSIM_ST (C.S0065-B).
BCMCS = 18
CSIM_NUMBERS: Mapping[int, int] = {GBA: BCMCS, MBMS_SECURITY: BCMCS, OMA_BCAST: BCMCS}
"""provisional: BCMCS brings a CSIM what GBA, MBMS security and OMA BCAST bring a USIM. No other number was found."""


class ServiceTable:
    """Answers from the service table file as it stands, so that an update of the file takes effect at once.

    `numbers` translates from the numbers of a USIM where the table counts in another way; what it lacks is not offered.
    """

    def __init__(self, files: FileSystem, table: FileNode | None, numbers: Mapping[int, int] | None = None) -> None:
        self._files = files
        self._table = table
        self._numbers = numbers
        self._read: bytes | None = None
        self._offered: frozenset[int] = frozenset()

    def offers(self, number: int) -> bool:
        """Tell whether service `number` of a USIM (counted from 1) is available."""
        if self._numbers is not None:
            number = self._numbers.get(number, 0)
        if self._table is None or not number:
            return False
        content = self._files.contents.whole(self._table)
        if content is not self._read:
            self._read, self._offered = content, frozenset(CODECS["services"].decode(content))
        return number in self._offered

    def require(self, *numbers: int) -> None:
        """Raise `ServiceNotAvailable` unless all services are available."""
        if not all(self.offers(number) for number in numbers):
            raise ServiceNotAvailable

    def require_one_of(self, sets: Sequence[tuple[int, ...]]) -> None:
        """Raise `ServiceNotAvailable` unless all services of one of the sets are available; no set asks for nothing."""
        if sets and not any(all(self.offers(number) for number in numbers) for numbers in sets):
            raise ServiceNotAvailable
