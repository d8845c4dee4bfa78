"""Writes bcast_negative.json: messages a card must refuse, each with its status and "nothing changed".

    python -m tests.vectors.make_bcast_negative

Everything comes from the oracle, nothing from `card`: the bytes from `tests.oracle.mikey` and `bcast_wire`, the answers
of the rules from `bcast_model`, those of the syntax written here from the fact sheet. The status words for malformed
messages and the values of the BCAST status byte are provisional.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.oracle import bcast_wire, mikey
from tests.oracle.aes import counter_mode
from tests.oracle.bcast_model import LtkmData, Model, StkmData
from tests.oracle.bcast_wire import P1
from tests.support.bcast import CSB_ID, KEY_DOMAIN, OTHER_DOMAIN, OTHER_SEK, RAND, SEK, tek
from tests.support.network import BM_SC, Bootstrap, rand, vector
from tests.support.testcard import pin_bytes, tlv

PATH = Path(__file__).with_name("bcast_negative.json")
MOST = 2**32 - 1
MALFORMED, WRONG_MAC, UNKNOWN, NO_PLACE, CONDITIONS = "6A80", "9862", "6A88", "9866", "6985"
G1, G2, G3 = (KEY_DOMAIN, b"\0\1"), (KEY_DOMAIN, b"\0\2"), (KEY_DOMAIN, b"\0\3")
FREE, POOR, COUNTED, OLD, PLAIN = (*G1, b"\0\1"), (*G1, b"\0\2"), (*G2, b"\0\1"), (*G2, b"\0\2"), (*G3, b"\0\1")
LAST_LTKM = 20

_made = vector(1, rand(1), 1)
NETWORK = Bootstrap(_made["f3"] + _made["f4"], rand(1))
SMK = NETWORK.muk()


@dataclass(frozen=True)
class Vector:
    """One command: its data object, and the status word or the status byte (after 9000) of its refusal."""

    comment: str
    flags: tuple[str, ...]
    data: bytes
    sw: str = "9000"
    status: int | None = None
    ins: int = 0x89
    p2: int = 0x85


# --- messages in pieces


@dataclass(frozen=True)
class Message:
    """A MIKEY message in pieces: payloads (number, body) before the KEMAC, plain key data, and the KEMAC's numbers."""

    head: bytes  # version, data type
    flags: int
    payloads: tuple[tuple[int, bytes], ...]
    plain: bytes
    psk: bytes
    ts: int
    encryption: int = 1
    mac: int = 1
    after: int = 0
    map_info: bytes = b"\x00\x01"
    rand: bytes = RAND

    def build(self) -> bytes:
        keys = mikey.keys(self.psk, CSB_ID, self.rand)
        numbers = [number for number, _ in self.payloads] + [1, self.after]
        raw = self.head + bytes((numbers[0], self.flags)) + CSB_ID.to_bytes(4, "big") + self.map_info
        for following, (_, body) in zip(numbers[1:], self.payloads, strict=False):
            raw += bytes((following,)) + body
        encrypted = counter_mode(keys.encryption, mikey.iv(keys.salt, CSB_ID, self.ts), self.plain)
        if not self.encryption:
            encrypted = self.plain
        raw += bytes((self.after, self.encryption)) + len(encrypted).to_bytes(2, "big") + encrypted + bytes((self.mac,))
        return raw + (mikey._hmac(keys.authentication, raw) if self.mac == 1 else b"")

    def without(self, number: int, nth: int = 0) -> Message:
        found = [n for n, (kind, _) in enumerate(self.payloads) if kind == number]
        return replace(self, payloads=tuple(p for n, p in enumerate(self.payloads) if n != found[nth]))

    def twice(self, number: int) -> Message:
        extra = next(p for p in self.payloads if p[0] == number)
        return replace(self, payloads=(*self.payloads, extra))

    def with_body(self, number: int, body: bytes, nth: int = 0) -> Message:
        found = [n for n, (kind, _) in enumerate(self.payloads) if kind == number]
        return replace(
            self,
            payloads=tuple((kind, body if n == found[nth] else old) for n, (kind, old) in enumerate(self.payloads)),
        )


def two(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def key_ids(*found: bytes) -> bytes:
    data = b"".join(bytes((kind, len(item))) + item for kind, item in enumerate(found))
    return b"\x03" + two(data)


def key_data(key: bytes, lower: bytes, upper: bytes, kind: int = 0x22) -> bytes:
    return bytes((0, kind)) + two(key) + bytes((len(lower),)) + lower + bytes((len(upper),)) + upper


def four(value: int) -> bytes:
    return value.to_bytes(4, "big")


def ltkm(m: LtkmData, extension: bytes | None = None) -> Message:
    """Return an LTKM in pieces; `extension` replaces subtype and management data."""
    found = bcast_wire.ltkm_extension(m, P1) if extension is None else extension
    size = 4 if m.policy else 2
    payloads = [(21, key_ids(m.key_id[0], m.key_id[1] + m.key_id[2]))]
    if found is not None:
        payloads.append((21, b"\x05" + two(found)))
    payloads += [(5, b"\x02" + four(m.ts)), (11, bytes((len(RAND),)) + RAND)]
    payloads += [(6, b"\x01" + two(BM_SC)), (6, b"\x00" + two(NETWORK.b_tid))]
    plain = key_data(m.key, m.lower.to_bytes(size, "big"), m.upper.to_bytes(size, "big"))
    return Message(b"\x01\x00", 0, tuple(payloads), plain, SMK, m.ts)


def stkm(m: StkmData, extension: bytes | None = None) -> Message:
    """Return an STKM in pieces."""
    found = bcast_wire.stkm_extension(m, P1) if extension is None else extension
    payloads = [(21, key_ids(m.key_id[0], m.key_id[1] + m.key_id[2], m.mtk.to_bytes(2, "big")))]
    if found is not None:
        payloads.append((21, b"\x05" + two(found)))
    payloads.append((5, b"\x02" + four(m.ts)))
    return Message(b"\x01\x00", 0, tuple(payloads), b"\x00\x20" + two(tek(m.mtk)), m.key, m.ts)


# --- what the card holds before each vector


def setup() -> Iterator[tuple[int, bytes, Any]]:
    """Yield mode, message and the model's view of it: LTKMs with every kind of right, and one STKM that was used."""
    yield from (
        (1, ltkm(m).build(), m)
        for m in (
            LtkmData(FREE, SEK, 10, 1000, 1, "live_free"),
            LtkmData(FREE, SEK, 10, 500, 2, "playback_counted", counter=0),
            LtkmData(POOR, SEK, 0, MOST, 3, "live_ppt_user", cost=5, tokens=4),
            LtkmData(COUNTED, SEK, 0, MOST, 4, "live_teks", counter=0),
            LtkmData(OLD, SEK, 1, 50, 5, "playback_ppt_key", cost=1),
            LtkmData(PLAIN, SEK, 1, 100, 6),
        )
    )
    yield 1, parental(LAST_LTKM, None, (1, 9)).build(), None
    used = StkmData(FREE, SEK, 5, 100)
    yield 2, stkm(used).build(), used
    used = StkmData(PLAIN, SEK, 5, 100)
    yield 2, stkm(used).build(), used


def parental(ts: int, pin: bytes | None, level: tuple[int, int] | None) -> Message:
    extension = bcast_wire.parental_extension(pin is not None, level, False, P1)
    m = LtkmData((KEY_DOMAIN, b"\0\0", b"\0\0"), pin or b"", 0, 0, ts)
    return ltkm(m, extension)


def model() -> Model:
    """Return the model in the state of the setup."""
    made = Model(P1.rules)
    for mode, _, m in setup():
        if m is None:
            made.parental(LAST_LTKM, None, (1, 9))
        elif mode == 1:
            assert made.ltkm(m).outcome == "done"
        else:
            assert made.stkm(m).tek
    return made


# --- vectors


NEXT_LTKM = LtkmData(FREE, SEK, 10, 2000, LAST_LTKM + 1, "live_free")
NEXT_STKM = StkmData(FREE, SEK, 6, 101, extended=True)
MODES = {"LTKM": 1, "STKM": 2}


def mode(kind: str, message: bytes) -> bytes:
    return tlv(0x53, bytes((MODES[kind],)) + message)


def syntax(kind: str, good: Message) -> Iterator[Vector]:
    """Truncated, lengthened, reordered, duplicated; lengths that lie; NULL and unknown algorithms."""
    raw = good.build()
    for size in (*range(24), *range(24, len(raw), 5), len(raw) - 1):
        yield Vector(f"{kind} cut to {size} bytes", ("Truncated",), mode(kind, raw[:size]), MALFORMED)
    for extra in (b"\0", b"\xff" * 20, raw):
        yield Vector(f"{kind} with {len(extra)} bytes behind it", ("Oversized",), mode(kind, raw + extra), MALFORMED)
    for number, name in ((5, "T"), (21, "EXT 3")):
        yield Vector(f"{kind} without {name}", ("Missing",), mode(kind, good.without(number).build()), MALFORMED)
        yield Vector(f"{kind} with {name} twice", ("Duplicated",), mode(kind, good.twice(number).build()), MALFORMED)
    double = replace(good, payloads=(*good.payloads, good.payloads[1]))
    yield Vector(f"{kind} with EXT 5 twice", ("Duplicated",), mode(kind, double.build()), MALFORMED)
    for after in (1, 5, 9, 21, 99):
        following = replace(good, after=after).build()
        yield Vector(f"{kind}: KEMAC announces payload {after}", ("Reordered",), mode(kind, following), MALFORMED)
    for encryption in (0, 2, 3, 255):
        weak = replace(good, encryption=encryption).build()
        yield Vector(f"{kind}: encryption {encryption}", ("Algorithm",), mode(kind, weak), MALFORMED)
    for mac in (0, 2, 255):
        weak = replace(good, mac=mac).build()
        yield Vector(f"{kind}: MAC algorithm {mac}", ("Algorithm",), mode(kind, weak), MALFORMED)
    yield Vector(
        f"{kind}: NULL encryption and NULL MAC", ("Algorithm",), mode(kind, replace(good, encryption=0, mac=0).build()),
        MALFORMED,
    )  # fmt: skip
    for head in (b"\0\0", b"\2\0", b"\1\1", b"\1\2", b"\1\6", b"\1\xff"):
        other = replace(good, head=head).build()
        yield Vector(f"{kind}: version and data type {head.hex()}", ("Header",), mode(kind, other), MALFORMED)
    for flags in (1, 0x7F, 0xFF):
        other = replace(good, flags=flags).build()
        yield Vector(f"{kind}: PRF {flags & 0x7F}", ("Header",), mode(kind, other), MALFORMED)
    for info in (b"\1\1", b"\0\2", b"\xff\0"):
        other = replace(good, map_info=info).build()
        yield Vector(f"{kind}: CS ID map {info.hex()}", ("Header",), mode(kind, other), MALFORMED)
    for body, name in ((b"\0" + bytes(8), "NTP-UTC"), (b"\1" + bytes(8), "NTP"), (b"\3" + bytes(4), "type 3")):
        other = good.with_body(5, body).build()
        yield Vector(f"{kind}: timestamp {name}", ("Timestamp",), mode(kind, other), MALFORMED)
    yield from lying_lengths(kind, good)
    for position in range(20):
        forged = bytearray(raw)
        forged[-1 - position] ^= 0x80 >> position % 8
        yield Vector(f"{kind}: MAC byte {19 - position} is wrong", ("Forged",), mode(kind, bytes(forged)), WRONG_MAC)


def lying_lengths(kind: str, good: Message) -> Iterator[Vector]:
    """Lengths inside the extensions and the KEMAC that are too long or too short, under a MAC that is right."""
    for nth, (number, body) in enumerate(good.payloads):
        if number == 21:
            for by in (-1, 1, 255):
                size = max(0, int.from_bytes(body[1:3], "big") + by)
                lying = body[:1] + size.to_bytes(2, "big") + body[3:]
                which = [n for n, (kind_, _) in enumerate(good.payloads) if kind_ == 21].index(nth)
                other = good.with_body(21, lying, which).build()
                yield Vector(f"{kind}: length of EXT {body[0]} off by {by}", ("Length",), mode(kind, other), MALFORMED)
    for by in (-1, 1, 1000, 65000):
        raw = bytearray(good.build())
        at = len(raw) - 21 - len(good.plain) - 2
        size = (int.from_bytes(raw[at : at + 2], "big") + by) % 65536
        raw[at : at + 2] = size.to_bytes(2, "big")
        yield Vector(
            f"{kind}: length of the encrypted data off by {by}", ("Length",), mode(kind, bytes(raw)), MALFORMED
        )


def ltkm_contents() -> Iterator[Vector]:
    """Wrong SMK, server, subscriber; counters that are not new; keys, bounds and management data that cannot be."""
    good = ltkm(NEXT_LTKM)
    yield Vector("LTKM under another SMK", ("Key",), mode("LTKM", replace(good, psk=bytes(32)).build()), WRONG_MAC)
    other = replace(good, psk=NETWORK.ks_ext_naf()).build()
    yield Vector("LTKM under the SRK", ("Key",), mode("LTKM", other), WRONG_MAC)
    other = replace(good, rand=bytes(16)).build()
    yield Vector("LTKM made with another RAND than it carries", ("Key",), mode("LTKM", other), WRONG_MAC)
    for nth, name in ((0, "server"), (1, "subscriber")):
        for identity in (b"", b"nobody", b"\xff" * 300):
            other = good.with_body(6, b"\x01" + two(identity), nth).build()
            text = f"LTKM of an unknown {name}, {len(identity)} bytes"
            yield Vector(text, ("Identity",), mode("LTKM", other), UNKNOWN)
        other = good.without(6, nth).build()
        yield Vector(f"LTKM without the identity of the {name}", ("Missing",), mode("LTKM", other), MALFORMED)
    yield Vector("LTKM without RAND", ("Missing",), mode("LTKM", good.without(11).build()), MALFORMED)
    yield Vector("LTKM with RAND twice", ("Duplicated",), mode("LTKM", good.twice(11).build()), MALFORMED)
    yield Vector("LTKM with three identities", ("Duplicated",), mode("LTKM", good.twice(6).build()), MALFORMED)
    with_mtk = good.with_body(21, key_ids(KEY_DOMAIN, b"\0\1\0\1", b"\0\1")).build()
    yield Vector("LTKM with an MTK ID", ("KeyId",), mode("LTKM", with_mtk), MALFORMED)
    for ts in (0, 1, LAST_LTKM - 1, LAST_LTKM):
        old = ltkm(replace(NEXT_LTKM, ts=ts)).build()
        yield Vector(f"LTKM with counter {ts}", ("Replay",), mode("LTKM", old), "9865")
        old = ltkm(replace(NEXT_LTKM, ts=ts, policy=None)).build()
        yield Vector(f"plain LTKM with counter {ts}", ("Replay",), mode("LTKM", old), WRONG_MAC)
    for plain, name in ltkm_keys():
        yield Vector(f"LTKM with {name}", ("KeyData",), mode("LTKM", replace(good, plain=plain).build()), MALFORMED)
    yield from management()
    room = LtkmData((OTHER_DOMAIN, b"\0\1", b"\0\1"), SEK, 0, MOST, LAST_LTKM + 1, "live_free")
    yield Vector(
        "LTKM for a key group without a place in EF_MSK", ("Room",), mode("LTKM", ltkm(room).build()), NO_PLACE
    )
    room = replace(room, policy=None, upper=0xFFFF)
    yield Vector("plain LTKM for such a group", ("Room",), mode("LTKM", ltkm(room).build()), NO_PLACE)


def ltkm_keys() -> Iterator[tuple[bytes, str]]:
    """Yield key data that an LTKM with a policy must not bring, each with its name."""
    lower, upper = four(10), four(2000)
    for size in (1, 15, 17, 32):
        yield key_data(bytes(size), lower, upper), f"a key of {size} bytes"
    for kind in (0x42, 0xF2, 0x23, 0x2F):
        yield key_data(SEK, lower, upper, kind), f"key and validity type {kind:02X}"
    yield key_data(SEK, lower, upper)[:-1], "a validity cut short"
    yield key_data(SEK, lower, upper) + b"\0", "a byte behind the key data"
    yield b"\x14" + key_data(SEK, lower, upper)[1:] + key_data(SEK, lower, upper), "two keys"
    yield b"\0\x20" + two(SEK), "a key without validity"
    yield b"\0\x21" + two(SEK) + b"\x04abcd", "an SPI instead of a validity"
    yield key_data(SEK, b"", upper), "an empty lower bound"
    yield key_data(SEK, lower, bytes(9)), "an upper bound of 9 bytes"
    yield key_data(SEK, lower, b"\1" + bytes(4)), "an upper bound of 2^32"
    yield key_data(SEK, b"\xff" * 8, b"\xff" * 8), "bounds of 2^64 - 1"
    yield b"", "nothing encrypted"


def management() -> Iterator[Vector]:
    """Management data cut, lengthened, of another subtype, with policies and tokens that cannot be."""
    rich = LtkmData(FREE, SEK, 10, 2000, LAST_LTKM + 1, "live_ppt_user", cost=1, tokens=2)
    whole = bcast_wire.ltkm_extension(rich, P1, rating=(1, 5))
    assert whole is not None
    for size in range(1, len(whole)):
        cut = ltkm(rich, whole[:size]).build()
        yield Vector(f"LTKM management data cut to {size} bytes", ("Management",), mode("LTKM", cut), MALFORMED)
    for extra in (b"\0", bytes(300)):
        more = ltkm(rich, whole + extra).build()
        text = f"LTKM management data with {len(extra)} bytes behind"
        yield Vector(text, ("Management",), mode("LTKM", more), MALFORMED)
    for subtype in (0, 2, 3, 5, 255):
        other = ltkm(rich, bytes((subtype,)) + whole[1:]).build()
        yield Vector(f"LTKM with OMA BCAST subtype {subtype}", ("Subtype",), mode("LTKM", other), MALFORMED)
    yield Vector(
        "LTKM with an empty OMA BCAST extension", ("Subtype",), mode("LTKM", ltkm(rich, b"").build()), MALFORMED
    )
    for spe in (0xB, 0xC, 0xD, 0xE, 0xF):
        other = ltkm(rich, bytes((1, 0x08, spe << 4))).build()
        yield Vector(f"LTKM with SPE {spe:X}", ("Spe",), mode("LTKM", other), status=0x01)
    for policy in ("live_free", "playback_free", "playback_counted", "live_teks", "playback_teks"):
        stray = replace(rich, policy=policy, tokens=1)
        text = f"tokens for {policy}, which has no purse"
        yield Vector(text, ("Tokens",), mode("LTKM", ltkm(stray).build()), MALFORMED)
    none = replace(rich, key_id=(*G1, b"\0\0"), tokens=None)
    yield Vector("neither key nor tokens", ("Tokens",), mode("LTKM", ltkm(none).build()), MALFORMED)
    empty = replace(rich, key=b"", tokens=None)
    yield Vector("an empty key and no tokens", ("Tokens",), mode("LTKM", ltkm(empty).build()), MALFORMED)
    for rating in (b"", b"\1", b"\1\2\3"):
        bad = whole[:-4] + bytes((1, len(rating))) + rating
        other = ltkm(rich, bad).build()
        yield Vector(f"a parental rating of {len(rating)} bytes", ("Criteria",), mode("LTKM", other), MALFORMED)
    for pin in (b"", b"1234", pin_bytes("123"), b"12345678\xff", b"12\xff\xff34\xff\xff", b"abcdefgh", bytes(8)):
        other = parental(LAST_LTKM + 1, pin, None).build()
        yield Vector(
            f"parental control with PINCODE {pin.hex() or 'of no bytes'}", ("Pin",), mode("LTKM", other), MALFORMED
        )
    for data in (b"\x04", b"\x04\x40", b"\x04\x40\x01", b"\x04\x00\x00", b"\x04\x40\x01\x02\x03"):
        other = ltkm(replace(rich, key=b"", policy=None), data).build()
        text = f"parental control data {data.hex()}"
        yield Vector(text, ("Management",), mode("LTKM", other), MALFORMED)


def stkm_contents() -> Iterator[Vector]:
    """Wrong keys and identifiers; key data that hold no TEK; management data that cannot be."""
    good = stkm(NEXT_STKM)
    yield Vector("STKM under another SEK", ("Key",), mode("STKM", replace(good, psk=OTHER_SEK).build()), WRONG_MAC)
    yield Vector("STKM under the SMK", ("Key",), mode("STKM", replace(good, psk=SMK).build()), WRONG_MAC)
    other = replace(good, rand=bytes(16)).build()
    yield Vector("STKM with another RAND than the SEK came with", ("Key",), mode("STKM", other), WRONG_MAC)
    for ids, name in (
        ((OTHER_DOMAIN, b"\0\1\0\1"), "key domain"),
        ((KEY_DOMAIN, b"\0\4\0\1"), "key group"),
        ((KEY_DOMAIN, b"\0\1\0\4"), "key number"),
        ((KEY_DOMAIN, b"\0\1\0\0"), "key number 0"),
    ):
        other = good.with_body(21, key_ids(*ids, b"\0\6")).build()
        yield Vector(f"STKM of an unknown {name}", ("KeyId",), mode("STKM", other), UNKNOWN)
    for found in ((KEY_DOMAIN, b"\0\1\0\1"), (KEY_DOMAIN,), (KEY_DOMAIN[:2], b"\0\1\0\1", b"\0\6"), (b"", b"", b"")):
        other = good.with_body(21, key_ids(*found)).build()
        sizes = [len(item) for item in found]
        yield Vector(f"STKM with identifiers of {sizes} bytes", ("KeyId",), mode("STKM", other), MALFORMED)
    for plain, name in (
        (b"", "nothing encrypted"),
        (b"\0\x20" + two(bytes(15)), "a TEK of 15 bytes"),
        (b"\0\x20" + two(bytes(17)), "a TEK of 17 bytes"),
        (b"\0\x20" + two(b""), "an empty TEK"),
        (b"\0\x30" + two(bytes(16)), "a salt that is missing"),
        (b"\0\x30" + two(bytes(16)) + two(bytes(17)), "a salt of 17 bytes"),
        (b"\x14\x20" + two(bytes(16)) + b"\0\x20" + two(bytes(16)), "two TEKs"),
        (b"\0\x40" + two(bytes(16)), "key type 4"),
        (b"\0\x20\xff\xff" + bytes(16), "a key length that lies"),
        (b"\0\x20" + two(bytes(16)) + b"\0", "a byte behind the TEK"),
    ):
        other = replace(good, plain=plain).build()
        yield Vector(f"STKM with {name}", ("KeyData",), mode("STKM", other), MALFORMED)
    whole = bcast_wire.stkm_extension(replace(NEXT_STKM, rating=(1, 5)), P1, binding=7)
    assert whole is not None
    for size in range(1, len(whole)):
        cut = stkm(NEXT_STKM, whole[:size]).build()
        yield Vector(f"STKM management data cut to {size} bytes", ("Management",), mode("STKM", cut), MALFORMED)
    more = stkm(NEXT_STKM, whole + b"\0").build()
    yield Vector("STKM management data with a byte behind", ("Management",), mode("STKM", more), MALFORMED)
    for subtype in (0, 1, 3, 4, 255):
        other = stkm(NEXT_STKM, bytes((subtype,)) + whole[1:]).build()
        yield Vector(f"STKM with OMA BCAST subtype {subtype}", ("Subtype",), mode("STKM", other), MALFORMED)


def stkm_rules() -> Iterator[Vector]:
    """What the rules refuse. The answers are the model's."""
    cases = [
        *(StkmData(FREE, SEK, 6, ts) for ts in (1001, 1002, 2**31, MOST)),
        *(StkmData(FREE, SEK, mtk, ts) for ts in (0, 1, 9) for mtk in (5, 6)),
        *(StkmData(FREE, SEK, mtk, ts) for ts in (10, 11, 99, 100) for mtk in (5, 6)),
        *(StkmData(FREE, SEK, 6, ts, True, (1, value)) for ts in (101, 50) for value in (10, 255)),
        *(StkmData(POOR, SEK, 1, ts) for ts in (1, 2, MOST)),
        StkmData(POOR, SEK, 1, 0),
        *(StkmData(COUNTED, SEK, 1, ts) for ts in (1, MOST)),
        StkmData(COUNTED, SEK, 1, 0),
        *(StkmData(OLD, SEK, 1, ts) for ts in (0, 1, 49, 50, 51, MOST)),
        *(StkmData(PLAIN, SEK, mtk, ts) for mtk in (1, 6, 100) for ts in (0, 1, 99, 100)),
        *(StkmData(PLAIN, SEK, mtk, 101) for mtk in (0, 101, 0xFFFF)),
        *(StkmData(PLAIN, SEK, 6, ts, True) for ts in (0, 100)),
        StkmData(PLAIN, SEK, 6, 101, True, (1, 10)),
    ]
    for m in cases:
        answer = model().stkm(m)
        assert not answer.tek, m
        text = f"key {m.key_id[1].hex()}{m.key_id[2].hex()}, timestamp {m.ts}, MTK ID {m.mtk}: {answer.outcome}"
        yield Vector(text, ("Rule",), mode("STKM", stkm(m).build()), *answer_of(answer.outcome, plain=answer.plain))


def answer_of(outcome: str, *, plain: bool) -> tuple[str, int | None]:
    if plain and outcome == "replayed":
        return WRONG_MAC, None
    if outcome == "outside interval":
        return CONDITIONS, None
    value = P1.status[outcome]
    return ("9000", value) if value < 0x100 else (f"{value:04X}", None)


def objects() -> Iterator[Vector]:
    """Data objects, modes and operations that do not exist."""
    raw = stkm(NEXT_STKM).build()
    for number in (0, 5, 6, 0x7F, 0xFF):
        yield Vector(f"mode {number}", ("Mode",), tlv(0x53, bytes((number,)) + raw), MALFORMED)
    for name, number in MODES.items():
        yield Vector(f"{name} of no bytes", ("Mode",), tlv(0x53, bytes((number,))), MALFORMED)
    yield Vector("an empty object", ("Mode",), tlv(0x53, b""), MALFORMED)
    for body in (b"", bytes(4), bytes(6)):
        yield Vector(f"MSK deletion with {len(body)} bytes", ("Mode",), tlv(0x53, b"\x03" + body), MALFORMED)
    yield Vector("MSK deletion of an unknown group", ("Mode",), tlv(0x53, b"\x03" + bytes(5)), UNKNOWN)
    for content in (b"", tlv(0xAF, b""), tlv(0xAE, b""), tlv(0xAE, tlv(0x90, b"")), tlv(0xAE, tlv(0x90, b"\x09"))):
        yield Vector(f"object 73 {content.hex()}", ("Deletion",), tlv(0x73, content), MALFORMED)
    group = tlv(0x81, KEY_DOMAIN) + tlv(0x82, b"\0\1")
    for fields in (
        tlv(0x81, KEY_DOMAIN),
        group + tlv(0x83, b"\0\1"),
        group + tlv(0x86, b"\4"),
        group + tlv(0x83, b"\0\1") + tlv(0x84, bytes(7)) + tlv(0x86, b"\4"),
        group + tlv(0x8F, b"x"),
        group + group,
    ):
        body = tlv(0x73, tlv(0xAE, tlv(0x90, b"\x01") + fields))
        yield Vector(f"SPE deletion with {fields.hex()}", ("Deletion",), body, MALFORMED)
    unknown = tlv(0x81, OTHER_DOMAIN) + tlv(0x82, b"\0\1")
    body = tlv(0x73, tlv(0xAE, tlv(0x90, b"\x01") + unknown))
    yield Vector("SPE deletion of an unknown group", ("Deletion",), body, UNKNOWN)
    content = tlv(0x8E, bytes(17)) + tlv(0x8F, b"x")
    body = tlv(0x73, tlv(0xAE, tlv(0x90, b"\x02") + content))
    yield Vector("deletion of an unknown recording", ("Deletion",), body, UNKNOWN)
    for number, fields, sw in (
        (1, group[:-4], MALFORMED),
        (1, unknown, UNKNOWN),
        (1, content, MALFORMED),
        (2, b"", MALFORMED),
        (2, content + group + tlv(0x83, b"\0\1") + tlv(0x91, four(9) + four(8)), MALFORMED),
        (2, content + group + tlv(0x83, b"\0\1") + tlv(0x91, four(1001) + four(1002)), UNKNOWN),
        (2, content + unknown + tlv(0x83, b"\0\1") + tlv(0x91, four(8) + four(9)), UNKNOWN),
        (3, b"", UNKNOWN),
        (3, group, MALFORMED),
        (4, tlv(0x81, KEY_DOMAIN), MALFORMED),
        (0, b"", "6A86"),
        (5, b"", "6A86"),
        (0xFF, b"", "6A86"),
    ):
        text = f"OMA BCAST command, mode {number}, objects {fields.hex() or 'none'}"
        yield Vector(text, ("Operation",), tlv(0x73, fields), sw, ins=0x1B, p2=number)


def vectors() -> list[Vector]:
    """Return all vectors in their order."""
    return [
        *syntax("LTKM", ltkm(NEXT_LTKM)),
        *ltkm_contents(),
        *syntax("STKM", stkm(NEXT_STKM)),
        *stkm_contents(),
        *stkm_rules(),
        *objects(),
    ]


def render() -> str:
    """Return the text of the file."""
    tests = []
    for number, vector_ in enumerate(vectors(), 1):
        entry = {
            "tcId": number, "comment": vector_.comment, "flags": list(vector_.flags), "ins": f"{vector_.ins:02x}",
            "p2": f"{vector_.p2:02x}", "object": vector_.data.hex(), "result": "invalid", "sw": vector_.sw,
        }  # fmt: skip
        if vector_.status is not None:
            entry["status"] = f"{vector_.status:02x}"
        tests.append(entry)
    content = {
        "algorithm": "OMA BCAST Smartcard Profile, table set P1",
        "source": "computed by tests/vectors/make_bcast_negative.py from the oracle; status values are provisional",
        "numberOfTests": len(tests),
        "setup": [{"mode": mode_, "message": message.hex()} for mode_, message, _ in setup()],
        "tests": tests,
    }
    return json.dumps(content, indent=1) + "\n"


if __name__ == "__main__":
    PATH.write_text(render(), "utf-8")
