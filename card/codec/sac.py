"""Messages of MANAGE SECURE CHANNEL, both ways, and the block of TRANSACT DATA (TS 102 221 clauses 11.1.20, 11.1.21).

Every message is the value of one data object 73. Tags and sizes: `card/spec/sac_tables.py`, in part provisional.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from card.codec.reader import Reader
from card.codec.terminal_id import LONGEST_TERMINAL_ID
from card.codec.tlv import Tlv, decode_tlv, decode_tlvs, encode_tlv, encode_tlvs, iter_tlvs
from card.crypto.local_key import LONGEST_TERMINAL_APPLI_ID
from card.errors import DecodeError
from card.lean import lean_dataclass
from card.spec.sac_tables import ID_SIZE, MAC_SIZE, NONCE_SIZE, SacTag

_ICCID_SIZE = 10
_ENDPOINT_HEAD = 7
# As in a local key (TS 33.110 clause A.2).
_TERMINAL_ID = range(1, LONGEST_TERMINAL_ID + 1)
_TERMINAL_APPLI_ID = range(1, LONGEST_TERMINAL_APPLI_ID + 1)
_AID = range(5, 17)


def _exactly(size: int) -> range:
    return range(size, size + 1)


def _read(value: bytes, wanted: Mapping[SacTag, range]) -> list[bytes]:
    """Return the values of the wanted objects in their order. Raises `DecodeError` for any other set or size."""
    found = decode_tlvs(value)
    if set(found) != set(wanted):
        raise DecodeError("secure channel: other data objects than wanted")
    for tag, sizes in wanted.items():
        if len(found[tag]) not in sizes:
            raise DecodeError(f"secure channel: tag {tag:02X} has {len(found[tag])} bytes")
    return [found[tag] for tag in wanted]


def _write(objects: Mapping[SacTag, bytes]) -> bytes:
    return encode_tlvs(Tlv(tag, value) for tag, value in objects.items())


@lean_dataclass(frozen=True, slots=True)
class Endpoint:
    """One end on the card: kind, four capability bytes, port (2 bytes) and identifier, the AID of an application."""

    kind: int
    transport: int
    channels: int
    methods: int
    container_size: int
    identifier: bytes
    port: int = 0

    def encode(self) -> bytes:
        """Return the value of tag 82: 7 bytes and the identifier."""
        head = bytes((self.kind, self.transport, self.channels, self.methods, self.container_size))
        return head + self.port.to_bytes(2, "big") + self.identifier

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Read the value of tag 82. Raises `DecodeError` when it is shorter than 7 bytes."""
        reader = Reader(value)
        kind, transport, channels, methods, size = reader.take(_ENDPOINT_HEAD - 2, "endpoint")
        port = reader.u16("port")
        return cls(kind, transport, channels, methods, size, reader.rest(), port)


@lean_dataclass(frozen=True, slots=True)
class Endpoints:
    """The card's answer to the first question: its UICC_ID (10 bytes, as in EF_ICCID) and its endpoints."""

    uicc_id: bytes
    endpoints: tuple[Endpoint, ...]

    def encode(self) -> bytes:
        """Return the message."""
        described = b"".join(encode_tlv(SacTag.ENDPOINT, endpoint.encode()) for endpoint in self.endpoints)
        return encode_tlv(SacTag.UICC_ID, self.uicc_id) + described

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Read the message. Raises `DecodeError`."""
        first, *others = list(iter_tlvs(value)) or [Tlv(0, b"")]
        if first.tag != SacTag.UICC_ID or len(first.value) != _ICCID_SIZE:
            raise DecodeError("endpoints: the UICC_ID is missing")
        if any(item.tag != SacTag.ENDPOINT for item in others):
            raise DecodeError("endpoints: other data objects than endpoints")
        return cls(first.value, tuple(Endpoint.decode(item.value) for item in others))


@lean_dataclass(frozen=True, slots=True)
class MasterRequest:
    """The terminal asks for a Master SA: methods it offers, its own names, and the endpoint's AID."""

    methods: int
    terminal_id: bytes
    terminal_appli_id: bytes
    uicc_appli_id: bytes

    def encode(self) -> bytes:
        """Return the message."""
        names = (self.terminal_id, self.terminal_appli_id, self.uicc_appli_id)
        return _write(dict(zip(self._sizes(), (bytes((self.methods,)), *names), strict=True)))

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Read the message. Raises `DecodeError`."""
        methods, terminal_id, terminal_appli_id, uicc_appli_id = _read(value, cls._sizes())
        return cls(methods[0], terminal_id, terminal_appli_id, uicc_appli_id)

    @staticmethod
    def _sizes() -> dict[SacTag, range]:
        return {
            SacTag.METHODS: _exactly(1),
            SacTag.TERMINAL_ID: _TERMINAL_ID,
            SacTag.TERMINAL_APPLI_ID: _TERMINAL_APPLI_ID,
            SacTag.UICC_APPLI_ID: _AID,
        }


@lean_dataclass(frozen=True, slots=True)
class MasterResponse:
    """The card's choice of method and the name of the Master SA (16 bytes)."""

    method: int
    msa_id: bytes

    def encode(self) -> bytes:
        """Return the message."""
        return _write({SacTag.METHOD: bytes((self.method,)), SacTag.MSA_ID: self.msa_id})

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Read the message. Raises `DecodeError`."""
        method, msa_id = _read(value, {SacTag.METHOD: _exactly(1), SacTag.MSA_ID: _exactly(ID_SIZE)})
        return cls(method[0], msa_id)


@lean_dataclass(frozen=True, slots=True)
class ConnectionRequest:
    """The terminal asks for a Connection SA: Master SA, algorithms it offers (2 bytes), its nonce (16)."""

    msa_id: bytes
    offered: bytes
    nonce: bytes

    def encode(self) -> bytes:
        """Return the message."""
        return _write({SacTag.MSA_ID: self.msa_id, SacTag.ALGORITHMS: self.offered, SacTag.NONCE: self.nonce})

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Read the message. Raises `DecodeError`."""
        sizes = {
            SacTag.MSA_ID: _exactly(ID_SIZE),
            SacTag.ALGORITHMS: _exactly(2),
            SacTag.NONCE: _exactly(NONCE_SIZE),
        }
        return cls(*_read(value, sizes))


@lean_dataclass(frozen=True, slots=True)
class ConnectionResponse:
    """The card's choice of algorithms (2 bytes), the name of the Connection SA, its nonce and its proof (16 each)."""

    chosen: bytes
    csa_id: bytes
    nonce: bytes
    mac: bytes

    def encode(self) -> bytes:
        """Return the message."""
        return _write(
            {
                SacTag.ALGORITHMS: self.chosen,
                SacTag.CSA_ID: self.csa_id,
                SacTag.NONCE: self.nonce,
                SacTag.CSA_MAC: self.mac,
            }
        )

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Read the message. Raises `DecodeError`."""
        sizes = {
            SacTag.ALGORITHMS: _exactly(2),
            SacTag.CSA_ID: _exactly(ID_SIZE),
            SacTag.NONCE: _exactly(NONCE_SIZE),
            SacTag.CSA_MAC: _exactly(MAC_SIZE),
        }
        return cls(*_read(value, sizes))


@lean_dataclass(frozen=True, slots=True)
class StartRequest:
    """The terminal starts a Secured APDU channel: algorithms, Connection SA, its proof, container size (1 byte)."""

    chosen: bytes
    csa_id: bytes
    mac: bytes
    size: int

    def encode(self) -> bytes:
        """Return the message."""
        return _write(
            {
                SacTag.ALGORITHMS: self.chosen,
                SacTag.CSA_ID: self.csa_id,
                SacTag.START_MAC: self.mac,
                SacTag.CONTAINER_SIZE: bytes((self.size,)),
            }
        )

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Read the message. Raises `DecodeError`."""
        sizes = {
            SacTag.ALGORITHMS: _exactly(2),
            SacTag.CSA_ID: _exactly(ID_SIZE),
            SacTag.START_MAC: _exactly(MAC_SIZE),
            SacTag.CONTAINER_SIZE: _exactly(1),
        }
        chosen, csa_id, mac, size = _read(value, sizes)
        return cls(chosen, csa_id, mac, size[0])


@lean_dataclass(frozen=True, slots=True)
class TlsStartRequest:
    """The terminal starts a TLS channel under a Master SA; the handshake is the proof. provisional."""

    msa_id: bytes
    size: int

    def encode(self) -> bytes:
        """Return the message."""
        return _write({SacTag.MSA_ID: self.msa_id, SacTag.CONTAINER_SIZE: bytes((self.size,))})

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Read the message. Raises `DecodeError`."""
        sizes = {SacTag.MSA_ID: _exactly(ID_SIZE), SacTag.CONTAINER_SIZE: _exactly(1)}
        msa_id, size = _read(value, sizes)
        return cls(msa_id, size[0])


def decode_start(value: bytes) -> StartRequest | TlsStartRequest:
    """Read the command of the procedure Start: one that names a Master SA asks for TLS. Raises `DecodeError`."""
    is_tls = any(item.tag == SacTag.MSA_ID for item in iter_tlvs(value))
    return TlsStartRequest.decode(value) if is_tls else StartRequest.decode(value)


@lean_dataclass(frozen=True, slots=True)
class StartResponse:
    """The number (0 to 3) of the session that was started."""

    session: int

    def encode(self) -> bytes:
        """Return the message."""
        return _write({SacTag.SESSION: bytes((self.session,))})

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Read the message. Raises `DecodeError`."""
        (session,) = _read(value, {SacTag.SESSION: _exactly(1)})
        if session[0] > 3:
            raise DecodeError(f"secure channel: session number {session[0]}")
        return cls(session[0])


@lean_dataclass(frozen=True, slots=True)
class Termination:
    """One association to end, and the proof: MSA_ID or CSA_ID, and a MAC (16 bytes each)."""

    sa_id: bytes
    mac: bytes


@lean_dataclass(frozen=True, slots=True)
class TerminateRequest:
    """The terminal ends one Master SA, or several Connection SAs."""

    masters: tuple[Termination, ...] = ()
    connections: tuple[Termination, ...] = ()

    def encode(self) -> bytes:
        """Return the message."""
        tagged = [(SacTag.MSA_ID, item) for item in self.masters]
        tagged += [(SacTag.CSA_ID, item) for item in self.connections]
        return b"".join(encode_tlv(tag, item.sa_id + item.mac) for tag, item in tagged)

    @classmethod
    def decode(cls, value: bytes) -> Self:
        """Read the message. Raises `DecodeError` for anything but one Master SA or one to four Connection SAs."""
        found = list(iter_tlvs(value))
        if any(len(item.value) != ID_SIZE + MAC_SIZE for item in found):
            raise DecodeError("terminate: 32 bytes are wanted in each data object")
        ended = tuple(Termination(item.value[:ID_SIZE], item.value[ID_SIZE:]) for item in found)
        tags = {item.tag for item in found}
        if tags == {SacTag.MSA_ID} and len(found) == 1:
            return cls(masters=ended)
        if tags == {SacTag.CSA_ID} and len(found) <= 4:
            return cls(connections=ended)
        raise DecodeError("terminate: one Master SA or one to four Connection SAs are wanted")


def encode_block(part: bytes) -> bytes:
    """Return the data of TRANSACT DATA that carries a part of a container."""
    return encode_tlv(SacTag.CONTAINER, part)


def decode_block(data: bytes) -> bytes:
    """Return the part of a container in the data of TRANSACT DATA. Raises `DecodeError`."""
    item = decode_tlv(data)
    if item.tag != SacTag.CONTAINER:
        raise DecodeError(f"TRANSACT DATA: tag {item.tag:02X} instead of {SacTag.CONTAINER:02X}")
    return item.value
