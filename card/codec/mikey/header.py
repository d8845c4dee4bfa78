"""The MIKEY common header, HDR (RFC 3830 clause 6.1)."""

from __future__ import annotations

from struct import Struct
from typing import Self

from card.codec.mikey.fields import known, unsigned
from card.codec.mikey.numbers import VERSION, CsIdMapType, DataType, PayloadType, Prf
from card.codec.reader import Reader
from card.errors import DecodeError, EncodeError
from card.lean import lean_dataclass

_VERIFICATION_BIT = 0x80
# Version, data type, next payload, V bit and PRF, CSB ID, number of crypto sessions, CS ID map type.
_FIXED_PART = Struct(">BBBBIBB")


@lean_dataclass(frozen=True, slots=True)
class CryptoSession:
    """One SRTP stream in the SRTP-ID map: security policy number (1 byte), SSRC and ROC (4 bytes each)."""

    policy: int
    ssrc: int
    roc: int

    @classmethod
    def decode(cls, reader: Reader) -> Self:
        """Read the 9 bytes of one stream."""
        return cls(reader.u8("policy number"), reader.u32("SSRC"), reader.u32("ROC"))

    def encode(self) -> bytes:
        """Return 9 bytes. Raises `EncodeError` for a number out of range."""
        stream = unsigned(self.ssrc, 4, "SSRC") + unsigned(self.roc, 4, "ROC")
        return unsigned(self.policy, 1, "policy number") + stream


@lean_dataclass(frozen=True, slots=True)
class Header:
    """HDR without its version and next-payload bytes, which the message writes.

    `csb_id` is an unsigned 32-bit number. `verification_requested` is the V bit. With the Empty map (RFC 4563
    clause 5) there are no sessions; with the SRTP-ID map there are 0 to 255.
    """

    data_type: DataType
    csb_id: int
    verification_requested: bool = False
    prf: Prf = Prf.MIKEY_1
    map_type: CsIdMapType = CsIdMapType.EMPTY
    sessions: tuple[CryptoSession, ...] = ()

    @classmethod
    def decode(cls, reader: Reader) -> tuple[Self, int]:
        """Read HDR; return it with the number of the first payload. Raises `DecodeError`."""
        fixed = reader.take(_FIXED_PART.size, "HDR")
        version, data_type_value, next_payload, flags, csb_id, session_count, map_value = _FIXED_PART.unpack(fixed)
        if version != VERSION:
            raise DecodeError(f"version {version} is not supported")
        data_type = known(DataType, data_type_value, "data type")
        prf = known(Prf, flags & ~_VERIFICATION_BIT, "PRF")
        map_type = known(CsIdMapType, map_value, "CS ID map type")
        if map_type is CsIdMapType.EMPTY and session_count:
            raise DecodeError(f"the Empty map cannot name {session_count} crypto sessions")
        sessions = tuple(CryptoSession.decode(reader) for _ in range(session_count))
        return cls(data_type, csb_id, bool(flags & _VERIFICATION_BIT), prf, map_type, sessions), next_payload

    def encode(self, next_payload: PayloadType) -> bytes:
        """Return 10 bytes and 9 more per crypto session. Raises `EncodeError` for a value out of range."""
        if self.map_type is CsIdMapType.EMPTY and self.sessions:
            raise EncodeError("the Empty map cannot name crypto sessions")
        flags = self.prf | (_VERIFICATION_BIT if self.verification_requested else 0)
        return b"".join(
            (
                bytes((VERSION, self.data_type, next_payload, flags)),
                unsigned(self.csb_id, 4, "CSB ID"),
                unsigned(len(self.sessions), 1, "number of crypto sessions"),
                bytes((self.map_type,)),
                *(session.encode() for session in self.sessions),
            )
        )
