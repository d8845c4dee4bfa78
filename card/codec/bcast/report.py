"""The LTKM reporting message (subtype 3 of the OMA BCAST extension): outcome, purses and counters for the server.

provisional: no source gives the layout; this one is ours.
"""

from __future__ import annotations

from typing import Self

from card.codec.bcast.management import Subtype
from card.codec.mikey import Extension
from card.codec.mikey.fields import unsigned
from card.codec.reader import Reader
from card.errors import DecodeError, EncodeError
from card.lean import lean_dataclass

_QUANTITIES = ("live_ppt", "playback_ppt", "user", "playback_counter", "tek_counter")


@lean_dataclass(frozen=True, slots=True)
class ReportEntry:
    """One policy: SPE (1 byte), Key Domain ID (3), MSK ID (4), and the quantities it may be paid from (None: none)."""

    spe: int
    key_domain: bytes
    msk_id: bytes
    live_ppt: int | None = None
    playback_ppt: int | None = None
    user: int | None = None
    playback_counter: int | None = None
    tek_counter: int | None = None

    @classmethod
    def decode(cls, reader: Reader) -> Self:
        """Read one entry; the byte before the quantities says which are there, bit 1 for the first."""
        spe, domain, msk_id, presence = reader.u8("SPE"), reader.take(3), reader.take(4), reader.u8("presence")
        if presence >> len(_QUANTITIES):
            raise DecodeError("LTKM report: an unknown quantity")
        return cls(spe, domain, msk_id, *(reader.u32() if presence >> n & 1 else None for n in range(5)))

    def encode(self) -> bytes:
        """Return one entry. Raises `EncodeError` for a value out of range."""
        if len(self.key_domain) != 3 or len(self.msk_id) != 4:
            raise EncodeError("LTKM report: Key Domain ID has 3 bytes and MSK ID 4")
        values = [getattr(self, name) for name in _QUANTITIES]
        presence = sum(1 << n for n, value in enumerate(values) if value is not None)
        given = b"".join(unsigned(value, 4, "quantity") for value in values if value is not None)
        return unsigned(self.spe, 1, "SPE") + self.key_domain + self.msk_id + bytes((presence,)) + given


@lean_dataclass(frozen=True, slots=True)
class LtkmReport:
    """Status byte of the LTKM's processing and one entry for each policy of the key."""

    status: int
    entries: tuple[ReportEntry, ...] = ()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read the data behind the subtype byte. Raises `DecodeError`."""
        reader = Reader(data)
        status = reader.u8("status")
        entries = []
        while reader.remaining:
            entries.append(ReportEntry.decode(reader))
        return cls(status, tuple(entries))

    def encode(self) -> bytes:
        """Return the data behind the subtype byte."""
        return unsigned(self.status, 1, "status") + b"".join(entry.encode() for entry in self.entries)

    def to_extension(self) -> Extension:
        """Return the extension payload that carries this."""
        return Extension.of_bcast(Subtype.LTKM_REPORTING, self.encode())
