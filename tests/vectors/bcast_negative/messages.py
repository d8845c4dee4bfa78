"""LTKMs and STKMs in pieces, so that any piece can be wrong, and the site they are made for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from tests.oracle import bcast_wire, bcmcs, mikey
from tests.oracle.aes import counter_mode
from tests.oracle.bcast_model import LtkmData, StkmData
from tests.oracle.bcast_wire import P1, X2, Wire
from tests.support.bcast import CSB_ID, KEY_DOMAIN, RAND, tek
from tests.support.csim import NAI, RK
from tests.support.network import FQDN, Bootstrap, rand, vector

MAC_SIZE = 20
KEMAC, T, IDENTITY, RAND_PAYLOAD, EXTENSION = 1, 5, 6, 11, 21
PAYLOAD_NAMES = {T: "T", IDENTITY: "ID", RAND_PAYLOAD: "RAND"}
Payload = tuple[int, bytes]


def bootstrapping(number: int) -> Bootstrap:
    """Return what the network knows after the n-th bootstrapping of the test subscriber."""
    made = vector(number, rand(number), number)
    return Bootstrap(made["f3"] + made["f4"], rand(number))


NETWORK, LATER = bootstrapping(1), bootstrapping(2)


@dataclass(frozen=True)
class Message:
    """A MIKEY message: payloads (number, body) around the KEMAC, plain key data, and the KEMAC's numbers.

    `trailing` payloads stand behind the KEMAC, whose MAC covers what is before it.
    """

    head: bytes  # version, data type
    flags: int
    payloads: tuple[Payload, ...]
    plain: bytes
    psk: bytes
    ts: int
    encryption: int = 1
    mac: int = 1
    after: int = 0
    map_info: bytes = b"\x00\x01"
    rand: bytes = RAND
    trailing: tuple[Payload, ...] = ()

    def build(self) -> bytes:
        """Return the message."""
        keys = mikey.keys(self.psk, CSB_ID, self.rand)
        after = self.trailing[0][0] if self.trailing else self.after
        first = self.payloads[0][0] if self.payloads else KEMAC
        raw = self.head + bytes((first, self.flags)) + CSB_ID.to_bytes(4, "big") + self.map_info
        raw += chain(self.payloads, KEMAC)
        encrypted = counter_mode(keys.encryption, mikey.iv(keys.salt, CSB_ID, self.ts), self.plain)
        if not self.encryption:
            encrypted = self.plain
        raw += bytes((after, self.encryption)) + two(encrypted) + bytes((self.mac,))
        return raw + (mikey._hmac(keys.authentication, raw) if self.mac == 1 else b"") + chain(self.trailing, 0)

    def without(self, number: int, nth: int = 0) -> Message:
        """Return the message without the n-th payload of this number."""
        gone = self._places(number)[nth]
        return replace(self, payloads=tuple(p for n, p in enumerate(self.payloads) if n != gone))

    def twice(self, number: int, nth: int = 0) -> Message:
        """Return the message with the n-th payload of this number once more, right before the KEMAC."""
        return replace(self, payloads=(*self.payloads, self.payloads[self._places(number)[nth]]))

    def with_body(self, number: int, body: bytes, nth: int = 0) -> Message:
        """Return the message with another body in the n-th payload of this number."""
        place = self._places(number)[nth]
        changed = tuple((kind, body if n == place else old) for n, (kind, old) in enumerate(self.payloads))
        return replace(self, payloads=changed)

    def ordered(self, order: Iterable[int]) -> Message:
        """Return the message with its payloads in another order; those behind -1 stand behind the KEMAC."""
        places = [*order, -1]
        before, behind = places[: places.index(-1)], places[places.index(-1) + 1 :]
        return replace(
            self,
            payloads=tuple(self.payloads[n] for n in before),
            trailing=tuple(self.payloads[n] for n in behind if n >= 0),
        )

    def bodies(self, number: int) -> list[bytes]:
        """Return the bodies of the payloads of this number."""
        return [body for kind, body in self.payloads if kind == number]

    def names(self) -> list[str]:
        """Return a name for each payload before the KEMAC."""
        return [PAYLOAD_NAMES.get(number) or f"EXT {body[0]}" for number, body in self.payloads]

    def _places(self, number: int) -> list[int]:
        return [n for n, (kind, _) in enumerate(self.payloads) if kind == number]


def chain(payloads: tuple[Payload, ...], last: int) -> bytes:
    """Return payloads, each with the number of the next; `last` is what the final one announces."""
    following = [*(number for number, _ in payloads[1:]), last]
    return b"".join(bytes((after,)) + body for after, (_, body) in zip(following, payloads, strict=False))


def two(data: bytes) -> bytes:
    """Return data behind their length in 2 bytes."""
    return len(data).to_bytes(2, "big") + data


def four(value: int) -> bytes:
    """Return a number in 4 bytes."""
    return value.to_bytes(4, "big")


def key_ids(*found: bytes) -> bytes:
    """Return the body of the extension with the MBMS key IDs."""
    data = b"".join(bytes((kind, len(item))) + item for kind, item in enumerate(found))
    return b"\x03" + two(data)


def key_data(key: bytes, lower: bytes, upper: bytes, kind: int = 0x22) -> bytes:
    """Return the key data of an LTKM."""
    return bytes((0, kind)) + two(key) + bytes((len(lower),)) + lower + bytes((len(upper),)) + upper


@dataclass(frozen=True)
class Site:
    """A card application and its tables: who the messages are for, and under which SMK."""

    wire: Wire
    application: str
    smk: bytes
    srk: bytes
    subscriber: bytes

    def ltkm(self, m: LtkmData, extension: bytes | None = None) -> Message:
        """Return an LTKM in pieces; `extension` replaces subtype and management data."""
        found = bcast_wire.ltkm_extension(m, self.wire) if extension is None else extension
        size = 4 if m.policy else 2
        payloads = [(EXTENSION, key_ids(m.key_id[0], m.key_id[1] + m.key_id[2]))]
        if found is not None:
            payloads.append((EXTENSION, b"\x05" + two(found)))
        payloads += [(T, b"\x02" + four(m.ts)), (RAND_PAYLOAD, bytes((len(RAND),)) + RAND)]
        payloads += [(IDENTITY, b"\x00" + two(FQDN)), (IDENTITY, b"\x00" + two(self.subscriber))]
        plain = key_data(m.key, m.lower.to_bytes(size, "big"), m.upper.to_bytes(size, "big"))
        return Message(b"\x01\x00", 0, tuple(payloads), plain, self.smk, m.ts)

    def stkm(self, m: StkmData, extension: bytes | None = None) -> Message:
        """Return an STKM in pieces."""
        found = bcast_wire.stkm_extension(m, self.wire) if extension is None else extension
        payloads = [(EXTENSION, key_ids(m.key_id[0], m.key_id[1] + m.key_id[2], m.mtk.to_bytes(2, "big")))]
        if found is not None:
            payloads.append((EXTENSION, b"\x05" + two(found)))
        payloads.append((T, b"\x02" + four(m.ts)))
        return Message(b"\x01\x00", 0, tuple(payloads), b"\x00\x20" + two(tek(m.mtk)), m.key, m.ts)

    def parental(self, ts: int, pin: bytes | None, level: tuple[int, int] | None) -> Message:
        """Return a parental control message; `pin` as it travels (8 bytes)."""
        extension = bcast_wire.parental_extension(pin is not None, level, False, self.wire)
        m = LtkmData((KEY_DOMAIN, b"\0\0", b"\0\0"), pin or b"", 0, 0, ts)
        return self.ltkm(m, extension)


def usim(wire: Wire) -> Site:
    """Return the USIM of the test subscriber: SMK and SRK from GBA."""
    return Site(wire, "USIM", NETWORK.muk(), NETWORK.ks_ext_naf(), NETWORK.b_tid)


def csim(wire: Wire) -> Site:
    """Return the CSIM of the test subscriber: SMK and SRK from RK."""
    return Site(wire, "CSIM", bcmcs.tk(RK, RAND), bcmcs.auth_key(RK, RAND), NAI.encode())


USIM_P1, USIM_X2, CSIM_P1 = usim(P1), usim(X2), csim(P1)
