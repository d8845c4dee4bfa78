"""What BSM and BSD/A say to each other (OMA BCAST architecture, clauses 5.4.4.2.1 and 5.4.5.3): each flow a message.

| flow | message |
|---|---|
| a TEK with its parameters, for STKMs that the BSM makes | `TekOffer`, answered with `Stkms` |
| a SEK or PEK, for STKMs that the BSD/A makes | `KeyWish`, answered with `KeyGrant` |
| names of SEKs that are taken up out of turn, and when | an empty object, answered with `SekRolls` |
| the same of one SEK, as soon as it is known, and its key where the BSD/A makes STKMs | `SekHandover` |
| finished STKMs, either way: to be broadcast, or for the interaction channel | `Stkms` |
| registration material and LTKMs, for broadcast | `Handover`; of the DRM profile alone (SPCP, clause 4.3.1) |

The texts name the flows and no format: JSON, paths and fields are ours. Keys are wrapped (RFC 3394) under a transport
key that both ends have, so no log of a body shows one; a MAC under another key from it, in a header, shows who sent a
body. Whatever is sent twice acts once, as every message names what it is about.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum

from card.codec.mikey import MbmsKeyIds
from card.crypto.primitives import aes_key_unwrap, aes_key_wrap, equal_bytes, hmac_sha256
from card.crypto.secret import Secret
from card.errors import DecodeError
from host_tools.exchange.http import HttpRequest

MAC_HEADER = "X-Bcast-Uicc-Mac"
TRANSPORT_KEY_SIZE = 32
MOST_STKMS = 512
"""STKMs of one message; ours."""
MOST_ROLLS = 4096
"""SEKs out of turn in one message; ours."""
_LAST_PERIOD = 1 << 48
_SALT_SIZE = 14
_KEY_SIZES = (16, 24, 32)
_LARGEST_STKM = 1400
_END_OF_TIME = 253_402_300_799_000  # the last second of the year 9999, in milliseconds since 1970
_LARGEST_HANDOVER = 32_768
_Json = Mapping[str, object]


class TransportKey:
    """Wraps keys, and signs bodies, between two servers."""

    def __init__(self, key: Secret) -> None:
        """Take 32 bytes."""
        if len(key) != TRANSPORT_KEY_SIZE:
            raise ValueError(f"a transport key has {TRANSPORT_KEY_SIZE} bytes")
        self._wrapping = Secret(hmac_sha256(key.reveal(), b"bcast-uicc back end: wrap"))
        self._signing = Secret(hmac_sha256(key.reveal(), b"bcast-uicc back end: sign"))

    def __repr__(self) -> str:
        return "TransportKey()"

    def wrap(self, key: Secret) -> str:
        """Return a key (16, 24 or 32 bytes), wrapped, as hex."""
        return aes_key_wrap(self._wrapping.reveal(), key.reveal()).hex()

    def unwrap(self, text: str, *sizes: int) -> Secret:
        """Return a key of one of these sizes. Raises `DecodeError`, also for one wrapped under another key."""
        wrapped = _hex(text, "a wrapped key", 64)
        key = aes_key_unwrap(self._wrapping.reveal(), wrapped) if len(wrapped) >= 24 and not len(wrapped) % 8 else None
        if key is None or len(key) not in sizes:
            raise DecodeError("a key is not wrapped under the transport key that is used here")
        return Secret(key)

    def sign(self, method: str, target: str, body: bytes) -> str:
        """Return the MAC of a message."""
        return hmac_sha256(self._signing.reveal(), f"{method} {target}\n".encode() + body).hex()

    def is_signed(self, request: HttpRequest) -> bool:
        """Tell whether a request comes from the other end. Raises `DecodeError` for two MACs."""
        shown = request.one(MAC_HEADER) or ""
        return equal_bytes(self.sign(request.method, request.target, request.body).encode(), shown.encode())


@dataclass(frozen=True, slots=True)
class TekOffer:
    """A TEK for one crypto period and what its STKMs are to say.

    `key_ids` names the TEK, `counters` are the T of the STKMs that are wanted, `extension` is what goes into extension
    type 5, `begins` when its crypto period does.
    """

    service: str
    key_ids: MbmsKeyIds
    tek: Secret
    salt: Secret | None
    counters: tuple[int, ...]
    begins: datetime
    extension: bytes | None = None

    def encode(self, keys: TransportKey) -> bytes:
        """Return the body."""
        salt = None if self.salt is None else keys.wrap(Secret(self.salt.reveal() + bytes(16 - _SALT_SIZE)))
        return _write(
            service=self.service,
            **_ids(self.key_ids),
            tek=keys.wrap(self.tek),
            salt=salt,
            counters=list(self.counters),
            begins=_milliseconds(self.begins),
            extension=None if self.extension is None else self.extension.hex(),
        )

    @classmethod
    def decode(cls, body: bytes, keys: TransportKey) -> TekOffer:
        """Read the body. Raises `DecodeError`."""
        found = _read(body)
        counters = found.get("counters")
        if not isinstance(counters, list) or not 0 < len(counters) <= MOST_STKMS:
            raise DecodeError(f"an offer is for 1 to {MOST_STKMS} STKMs")
        salt, extension = found.get("salt"), found.get("extension")
        return cls(
            _text(found, "service"),
            _key_ids(found, with_mtk=True),
            keys.unwrap(_text(found, "tek"), *_KEY_SIZES),
            None if salt is None else Secret(keys.unwrap(_text(found, "salt"), 16).reveal()[:_SALT_SIZE]),
            tuple(_whole(counter, "a counter", 0xFFFF_FFFF) for counter in counters),
            _moment(found),
            None if extension is None else _hex(_text(found, "extension"), "extension", 1024),
        )


@dataclass(frozen=True, slots=True)
class FinishedStkm:
    """An STKM, the T in it, and from when on it may be heard."""

    counter: int
    begins: datetime
    octets: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Stkms:
    """Finished STKMs of one service."""

    service: str
    stkms: tuple[FinishedStkm, ...]

    def encode(self) -> bytes:
        """Return the body."""
        found = [
            {"counter": one.counter, "begins": _milliseconds(one.begins), "octets": one.octets.hex()}
            for one in self.stkms
        ]
        return _write(service=self.service, stkms=found)

    @classmethod
    def decode(cls, body: bytes) -> Stkms:
        """Read the body. Raises `DecodeError`."""
        found = _read(body)
        stkms = found.get("stkms")
        if not isinstance(stkms, list) or len(stkms) > MOST_STKMS or not all(isinstance(one, dict) for one in stkms):
            raise DecodeError(f"stkms is no list of at most {MOST_STKMS} objects")
        return cls(_text(found, "service"), tuple(map(_stkm, stkms)))


@dataclass(frozen=True, slots=True)
class KeyWish:
    """Which SEK or PEK a BSD/A wants."""

    service: str
    key_ids: MbmsKeyIds

    def encode(self) -> bytes:
        """Return the body."""
        return _write(service=self.service, **_ids(self.key_ids))

    @classmethod
    def decode(cls, body: bytes) -> KeyWish:
        """Read the body. Raises `DecodeError`."""
        found = _read(body)
        return cls(_text(found, "service"), _key_ids(found))


@dataclass(frozen=True, slots=True)
class KeyGrant:
    """A SEK or PEK with what its STKMs need: RAND (16 bytes), CSB ID (32 bits), the MTK IDs it is good for."""

    service: str
    key_ids: MbmsKeyIds
    first_mtk_id: int
    last_mtk_id: int
    key: Secret
    rand: bytes
    csb_id: int

    def encode(self, keys: TransportKey) -> bytes:
        """Return the body."""
        return _write(**_granted(self, keys))

    @classmethod
    def decode(cls, body: bytes, keys: TransportKey) -> KeyGrant:
        """Read the body. Raises `DecodeError`."""
        return _grant(_read(body), keys)


@dataclass(frozen=True, slots=True)
class SekRoll:
    """The name of a SEK out of turn, the crypto periods (from 0) and the MTK IDs it is for, all included."""

    service: str
    key_ids: MbmsKeyIds
    begins: int
    ends: int
    first_mtk_id: int
    last_mtk_id: int


@dataclass(frozen=True, slots=True)
class SekRolls:
    """SEKs out of turn that a BSD/A must know of. There is no key in it."""

    rolls: tuple[SekRoll, ...]

    def encode(self) -> bytes:
        """Return the body."""
        return _write(rolls=list(map(_rolled, self.rolls)))

    @classmethod
    def decode(cls, body: bytes) -> SekRolls:
        """Read the body. Raises `DecodeError`."""
        rolls = _read(body).get("rolls")
        if not isinstance(rolls, list) or len(rolls) > MOST_ROLLS or not all(isinstance(one, dict) for one in rolls):
            raise DecodeError(f"rolls is no list of at most {MOST_ROLLS} objects")
        return cls(tuple(map(_roll, rolls)))


@dataclass(frozen=True, slots=True)
class SekHandover:
    """A SEK that is taken up out of turn, told by the BSM; with its key where the BSD/A makes the STKMs."""

    roll: SekRoll
    grant: KeyGrant | None = None

    def encode(self, keys: TransportKey) -> bytes:
        """Return the body."""
        grant = None if self.grant is None else _granted(self.grant, keys)
        return _write(roll=_rolled(self.roll), grant=grant)

    @classmethod
    def decode(cls, body: bytes, keys: TransportKey) -> SekHandover:
        """Read the body. Raises `DecodeError`, also for a key of another name than the SEK that is taken up."""
        found = _read(body)
        told, granted = found.get("roll"), found.get("grant")
        if not isinstance(told, dict) or not isinstance(granted, dict | None):
            raise DecodeError("a SEK is told by the objects roll and grant, which may be null")
        roll, grant = _roll(told), None if granted is None else _grant(granted, keys)
        if grant is not None and (grant.service, grant.key_ids) != (roll.service, roll.key_ids):
            raise DecodeError("the key is not that of the SEK which is taken up")
        return cls(roll, grant)


class KeyProfile(Enum):
    """The two key profiles of OMA BCAST."""

    SMARTCARD = "smartcard"
    DRM = "drm"


@dataclass(frozen=True, slots=True)
class Handover:
    """Registration material, or an LTKM, that is to be broadcast; `service` is empty where it belongs to none."""

    profile: KeyProfile
    service: str
    octets: bytes = field(repr=False)

    def encode(self) -> bytes:
        """Return the body."""
        return _write(profile=self.profile.value, service=self.service, octets=self.octets.hex())

    @classmethod
    def decode(cls, body: bytes) -> Handover:
        """Read the body. Raises `DecodeError`."""
        found = _read(body)
        try:
            profile = KeyProfile(_text(found, "profile"))
        except ValueError:
            raise DecodeError("there are the profiles smartcard and drm") from None
        return cls(profile, _text(found, "service"), _hex(_text(found, "octets"), "octets", _LARGEST_HANDOVER))


def _milliseconds(moment: datetime) -> int:
    """Return a moment as milliseconds since 1970."""
    return round(moment.timestamp() * 1000)


def _moment(found: _Json) -> datetime:
    return datetime.fromtimestamp(_whole(found.get("begins"), "begins", _END_OF_TIME) / 1000, UTC)


def _stkm(found: _Json) -> FinishedStkm:
    counter = _whole(found.get("counter"), "counter", 0xFFFF_FFFF)
    return FinishedStkm(counter, _moment(found), _hex(_text(found, "octets"), "octets", _LARGEST_STKM))


def _granted(grant: KeyGrant, keys: TransportKey) -> dict[str, object]:
    return {
        "service": grant.service,
        **_ids(grant.key_ids),
        "first_mtk_id": grant.first_mtk_id,
        "last_mtk_id": grant.last_mtk_id,
        "key": keys.wrap(grant.key),
        "rand": grant.rand.hex(),
        "csb_id": grant.csb_id,
    }


def _grant(found: _Json, keys: TransportKey) -> KeyGrant:
    rand = _hex(_text(found, "rand"), "rand", 16)
    if len(rand) != 16:
        raise DecodeError("rand has not 16 bytes")
    return KeyGrant(
        _text(found, "service"),
        _key_ids(found),
        _whole(found.get("first_mtk_id"), "first_mtk_id", 0xFFFF),
        _whole(found.get("last_mtk_id"), "last_mtk_id", 0xFFFF),
        keys.unwrap(_text(found, "key"), *_KEY_SIZES),
        rand,
        _whole(found.get("csb_id"), "csb_id", 0xFFFF_FFFF),
    )


def _rolled(roll: SekRoll) -> dict[str, object]:
    return {
        "service": roll.service,
        **_ids(roll.key_ids),
        "begins": roll.begins,
        "ends": roll.ends,
        "first_mtk_id": roll.first_mtk_id,
        "last_mtk_id": roll.last_mtk_id,
    }


def _roll(found: _Json) -> SekRoll:
    return SekRoll(
        _text(found, "service"),
        _key_ids(found),
        _whole(found.get("begins"), "begins", _LAST_PERIOD),
        _whole(found.get("ends"), "ends", _LAST_PERIOD),
        _whole(found.get("first_mtk_id"), "first_mtk_id", 0xFFFF),
        _whole(found.get("last_mtk_id"), "last_mtk_id", 0xFFFF),
    )


def _ids(ids: MbmsKeyIds) -> dict[str, object]:
    mtk = None if ids.mtk_id is None else ids.mtk_id.hex()
    return {"key_domain": ids.key_domain_id.hex(), "msk_id": ids.msk_id.hex(), "mtk_id": mtk}


def _key_ids(found: _Json, *, with_mtk: bool = False) -> MbmsKeyIds:
    domain = _hex(_text(found, "key_domain"), "key_domain", 3)
    msk = _hex(_text(found, "msk_id"), "msk_id", 4)
    mtk = found.get("mtk_id")
    mtk_id = None if mtk is None else _hex(_text(found, "mtk_id"), "mtk_id", 2)
    if (len(domain), len(msk)) != (3, 4) or (mtk_id is not None and len(mtk_id) != 2) or (with_mtk and mtk_id is None):
        raise DecodeError("a key is named by 3 bytes of key domain, 4 of MSK ID, and a TEK by 2 of MTK ID besides")
    return MbmsKeyIds(domain, msk, mtk_id)


def _write(**content: object) -> bytes:
    return json.dumps(content).encode()


def _read(body: bytes) -> _Json:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise DecodeError("the body is no JSON") from None
    if not isinstance(found, dict):
        raise DecodeError("the body is no JSON object")
    return found


def _text(found: _Json, name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str):
        raise DecodeError(f"{name} is no text")
    return value


def _hex(text: str, what: str, most: int) -> bytes:
    try:
        value = bytes.fromhex(text) if len(text) <= 2 * most and text.isascii() else None
    except ValueError:
        value = None
    if value is None:
        raise DecodeError(f"{what} is no hex of at most {most} bytes")
    return value


def _whole(value: object, what: str, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise DecodeError(f"{what} is no number from 0 to {most}")
    return value
