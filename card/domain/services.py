"""Which services an application offers, read from its service table (TS 31.102 clause 4.2.8)."""

from __future__ import annotations

from card.domain.errors import ServiceNotAvailable
from card.filesystem.filesystem import FileSystem
from card.filesystem.node import FileNode

GSM_ACCESS = 27
GSM_SECURITY_CONTEXT = 38
GBA = 68
MBMS_SECURITY = 69
OMA_BCAST = 75
LOCAL_KEY_ESTABLISHMENT = 76


class ServiceTable:
    """Answers from the service table file as it stands, so that an update of the file takes effect at once."""

    def __init__(self, files: FileSystem, table: FileNode | None) -> None:
        self._files = files
        self._table = table

    def offers(self, number: int) -> bool:
        """Tell whether service `number` (counted from 1) is available."""
        if self._table is None:
            return False
        content = self._files.contents.whole(self._table)
        index, bit = divmod(number - 1, 8)
        return index < len(content) and bool(content[index] >> bit & 1)

    def require(self, *numbers: int) -> None:
        """Raise `ServiceNotAvailable` unless all services are available."""
        if not all(self.offers(number) for number in numbers):
            raise ServiceNotAvailable
