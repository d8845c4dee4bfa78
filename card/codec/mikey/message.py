"""A whole MIKEY message: header and payload chain (RFC 3830 clauses 3 and 6, RFC 4563)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Self, TypeVar

from card.codec.mikey.header import Header
from card.codec.mikey.key_ids import MbmsKeyIds
from card.codec.mikey.numbers import DataType, ExtensionType, PayloadType
from card.codec.mikey.payloads import (
    PAYLOADS,
    ErrorNumber,
    Extension,
    Kemac,
    Payload,
    Rand,
    Timestamp,
    Verification,
)
from card.codec.reader import Reader
from card.errors import DecodeError, EncodeError
from card.lean import lean_dataclass

_P = TypeVar("_P", bound=Payload)


@lean_dataclass(frozen=True, slots=True)
class MikeyMessage:
    """Header and payloads in their order. The chain of next-payload numbers is made when encoding."""

    header: Header
    payloads: tuple[Payload, ...]

    @classmethod
    def decode(cls, raw: bytes) -> Self:
        """Read a whole message.

        Takes any order of payloads, but exactly one T, at most one RAND, one type 3 extension, one KEMAC,
        one V; KEMAC or V only at the end. A pre-shared key message ends with KEMAC, a verification message
        with V, and nothing follows. Raises `DecodeError` naming payload and offset.
        """
        reader = Reader(raw)
        try:
            header, next_payload = Header.decode(reader)
        except DecodeError as error:
            raise DecodeError(f"MIKEY HDR at offset 0: {error}") from None
        payloads: list[Payload] = []
        while next_payload != PayloadType.LAST:
            payload, next_payload = _decode_payload(reader, next_payload)
            payloads.append(payload)
        reader.expect_end("MIKEY message")
        problem = _chain_problem(header.data_type, payloads)
        if problem:
            raise DecodeError(f"MIKEY message: {problem}")
        return cls(header, tuple(payloads))

    def encode(self) -> bytes:
        """Return the whole message. Raises `EncodeError` for a chain that `decode` would refuse."""
        problem = _chain_problem(self.header.data_type, self.payloads)
        if problem:
            raise EncodeError(f"MIKEY message: {problem}")
        following = [payload.payload_type for payload in self.payloads[1:]] + [PayloadType.LAST]
        chain = zip(following, self.payloads, strict=True)
        body = b"".join(bytes((after,)) + payload.encode() for after, payload in chain)
        return self.header.encode(self.payloads[0].payload_type) + body

    def one(self, kind: type[_P]) -> _P:
        """Return the only payload of this kind. Raises `DecodeError` when there is none or more than one."""
        found = self.all(kind)
        if len(found) != 1:
            name = kind.payload_type.name
            raise DecodeError(f"MIKEY message: one {name} payload wanted, {len(found)} found")
        return found[0]

    def all(self, kind: type[_P]) -> tuple[_P, ...]:
        """Return every payload of this kind in its order."""
        return tuple([payload for payload in self.payloads if isinstance(payload, kind)])

    def extension(self, kind: int) -> Extension | None:
        """Return the first general extension of this type, or `None`."""
        return next((extension for extension in self.all(Extension) if extension.type == kind), None)

    def key_ids(self) -> MbmsKeyIds:
        """Return the MBMS key IDs. Raises `DecodeError` when the extension is missing or malformed."""
        extension = self.extension(ExtensionType.MBMS_KEY_IDS)
        if extension is None:
            raise DecodeError("MIKEY message: the extension with the MBMS key IDs is missing")
        return MbmsKeyIds.decode(extension.data)

    def mac_input(self, raw: bytes | None = None) -> bytes:
        """Return what the MAC of the last payload covers: everything before the MAC (RFC 3830 clause 5.2).

        A receiver passes the bytes that arrived as `raw`, so that never a re-encoding is verified; a builder
        passes nothing. Raises `DecodeError` when the message ends with neither KEMAC nor V.
        """
        whole = self.encode() if raw is None else raw
        return whole[: len(whole) - len(self._authenticated().mac)]

    def with_mac(self, mac: bytes) -> Self:
        """Return this message with `mac` in its last payload. Raises `DecodeError` as `mac_input` does."""
        return replace(self, payloads=(*self.payloads[:-1], replace(self._authenticated(), mac=mac)))

    def _authenticated(self) -> Kemac | Verification:
        match self.payloads:
            case (*_, Kemac() | Verification() as last):
                return last
            case _:
                raise DecodeError("MIKEY message: it carries no MAC")


def _decode_payload(reader: Reader, number: int) -> tuple[Payload, int]:
    """Read one payload; return it with the number of the one after it."""
    start = reader.position
    kind = PAYLOADS.get(number)
    if kind is None:
        raise DecodeError(f"MIKEY payload {number} at offset {start} is not supported")
    try:
        next_payload = reader.u8("next payload")
        return kind.decode(reader), next_payload
    except DecodeError as error:
        raise DecodeError(f"MIKEY {kind.payload_type.name} payload at offset {start}: {error}") from None


def _chain_problem(data_type: DataType, payloads: Sequence[Payload]) -> str | None:
    """Say what is wrong with this chain, or `None`."""
    kinds = [type(payload) for payload in payloads]
    if kinds.count(Timestamp) != 1:
        return f"exactly one T payload wanted, {kinds.count(Timestamp)} found"
    for single in (Rand, Kemac, Verification):
        if kinds.count(single) > 1:
            return f"the {single.payload_type.name} payload is repeated"
    for final in (Kemac, Verification):
        if final in kinds[:-1]:
            return f"the {final.payload_type.name} payload is not the last"
    extensions = [payload.type for payload in payloads if isinstance(payload, Extension)]
    if extensions.count(ExtensionType.MBMS_KEY_IDS) > 1:
        return "the extension with the MBMS key IDs is repeated"
    return _ending_problem(data_type, kinds)


def _ending_problem(data_type: DataType, kinds: Sequence[type[Payload]]) -> str | None:
    """Say what is missing from a message of this data type, or `None`."""
    match data_type:
        case DataType.PRE_SHARED if kinds[-1] is not Kemac:
            return "a pre-shared key message ends with KEMAC"
        case DataType.VERIFICATION if kinds[-1] is not Verification:
            return "a verification message ends with V"
        case DataType.ERROR if ErrorNumber not in kinds:
            return "an error message needs ERR"
        case _:
            return None
