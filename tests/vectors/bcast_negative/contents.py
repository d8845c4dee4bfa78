"""Messages of sound form with contents that a card must not take: keys, identities, bounds, management data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.oracle import bcast_wire
from tests.oracle.bcast_model import LtkmData, StkmData
from tests.oracle.bcast_wire import Wire
from tests.support.bcast import KEY_DOMAIN, OTHER_DOMAIN, OTHER_SEK, SEK, tek
from tests.support.testcard import pin_bytes
from tests.vectors.bcast_negative.messages import (
    EXTENSION,
    IDENTITY,
    RAND_PAYLOAD,
    Message,
    Site,
    four,
    key_data,
    key_ids,
    two,
)
from tests.vectors.bcast_negative.states import FREE, G1, LAST_LTKM, MOST, PLAIN
from tests.vectors.bcast_negative.vector import (
    CONDITIONS,
    NO_PLACE,
    UNKNOWN,
    UNUSABLE,
    WRONG_MAC,
    Vector,
    answer_of,
    mode,
)

NEXT_LTKM = LtkmData(FREE, SEK, 10, 2000, LAST_LTKM + 1, "live_free")
NEXT_STKM = StkmData(FREE, SEK, 6, 101, extended=True)
PLAIN_LTKM = LtkmData(PLAIN, SEK, 1, 200, LAST_LTKM + 1)
PLAIN_STKM = StkmData(PLAIN, SEK, 6, 101)
_RICH = LtkmData(FREE, SEK, 10, 2000, LAST_LTKM + 1, "live_ppt_user", cost=1, tokens=2)


def accepted_ltkm(site: Site, m: LtkmData = NEXT_LTKM) -> Vector:
    """Return an LTKM that is taken."""
    status = site.wire.status["done"] if m.policy else None
    return Vector("an LTKM in order", ("Normal",), mode("LTKM", site.ltkm(m).build()), status=status, result="valid")


def accepted_stkm(site: Site, m: StkmData = NEXT_STKM, extension: bytes | None = None) -> Vector:
    """Return an STKM that gives its TEK; without extension and for the plain key the answer has the plain MBMS form."""
    plain = m.key_id == PLAIN and not m.extended
    status, whole = None if plain else site.wire.status["done"], mode("STKM", site.stkm(m, extension).build())
    return Vector("an STKM in order", ("Normal",), whole, status=status, result="valid", tek=tek(m.mtk))


# --- LTKM


def ltkm_contents(site: Site) -> Iterator[Vector]:
    """Wrong SMK, server, subscriber; counters that are not new; keys, bounds and management data that cannot be."""
    good = site.ltkm(NEXT_LTKM)
    yield from ltkm_keys(good, site)
    yield from identities(good, site)
    with_mtk = good.with_body(EXTENSION, key_ids(KEY_DOMAIN, b"\0\1\0\1", b"\0\1")).build()
    yield Vector("LTKM with an MTK ID", ("KeyId",), mode("LTKM", with_mtk), UNUSABLE)
    yield from old_counters(site)
    for plain, name in ltkm_key_data():
        yield Vector(f"LTKM with {name}", ("KeyData",), mode("LTKM", replace(good, plain=plain).build()), UNUSABLE)
    yield from management(site)
    yield from purses(site)
    yield from parental_control(site)
    room = LtkmData((OTHER_DOMAIN, b"\0\1", b"\0\1"), SEK, 0, MOST, LAST_LTKM + 1, "live_free")
    text = "LTKM for a key group without a place in EF_MSK"
    yield Vector(text, ("Room",), mode("LTKM", site.ltkm(room).build()), NO_PLACE)
    room = replace(room, policy=None, upper=0xFFFF)
    yield Vector("plain LTKM for such a group", ("Room",), mode("LTKM", site.ltkm(room).build()), NO_PLACE)


def ltkm_keys(good: Message, site: Site) -> Iterator[Vector]:
    """Another SMK, and another RAND than the one that goes with the message's keys."""
    for psk, name in ((bytes(32), "another SMK"), (site.srk, "the SRK")):
        yield Vector(f"LTKM under {name}", ("Key",), mode("LTKM", replace(good, psk=psk).build()), WRONG_MAC)
    other = replace(good, rand=bytes(16)).build()
    yield Vector("LTKM made with another RAND than it carries", ("Key",), mode("LTKM", other), WRONG_MAC)
    yield Vector("LTKM without RAND", ("Missing",), mode("LTKM", good.without(RAND_PAYLOAD).build()), UNUSABLE)
    yield Vector("LTKM with RAND twice", ("Duplicated",), mode("LTKM", good.twice(RAND_PAYLOAD).build()), UNUSABLE)


def identities(good: Message, site: Site) -> Iterator[Vector]:
    """Unknown, missing and too many. On a CSIM the SMK comes from RK for whatever server.

    For a server without a NAF key the terminal must derive one (TS 31.102 clause 7.1.1.6).
    """
    for nth, name in ((0, "server"), (1, "subscriber")):
        for identity in (b"", b"nobody", b"\xff" * 300) if site.application == "USIM" or nth else ():
            other = good.with_body(IDENTITY, b"\x00" + two(identity), nth).build()
            text = f"LTKM of an unknown {name}, {len(identity)} bytes"
            yield Vector(text, ("Identity",), mode("LTKM", other), UNKNOWN if nth else CONDITIONS)
        other = good.without(IDENTITY, nth).build()
        yield Vector(f"LTKM without the identity of the {name}", ("Missing",), mode("LTKM", other), UNUSABLE)
    yield Vector("LTKM with three identities", ("Duplicated",), mode("LTKM", good.twice(IDENTITY).build()), UNUSABLE)


def old_counters(site: Site) -> Iterator[Vector]:
    """LTKMs whose counter is not above the last one's."""
    refused = answer_of("replayed ltkm", site.wire)
    for ts in (0, 1, LAST_LTKM - 1, LAST_LTKM):
        old = site.ltkm(replace(NEXT_LTKM, ts=ts)).build()
        yield Vector(f"LTKM with counter {ts}", ("Replay",), mode("LTKM", old), *refused)
        old = site.ltkm(replace(NEXT_LTKM, ts=ts, policy=None)).build()
        yield Vector(f"plain LTKM with counter {ts}", ("Replay",), mode("LTKM", old), WRONG_MAC)


def ltkm_key_data() -> Iterator[tuple[bytes, str]]:
    """Yield key data that an LTKM with a policy must not bring, each with its name."""
    lower, upper = four(10), four(2000)
    for size in (1, 15, 17, 23, 33):
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


def management(site: Site) -> Iterator[Vector]:
    """Management data cut, lengthened, of another subtype, with a rating of the wrong size."""
    whole = bcast_wire.ltkm_extension(_RICH, site.wire, rating=(1, 5))
    assert whole is not None
    for size in range(1, len(whole)):
        cut = site.ltkm(_RICH, whole[:size]).build()
        yield Vector(f"LTKM management data cut to {size} bytes", ("Management",), mode("LTKM", cut), UNUSABLE)
    for extra in (b"\0", bytes(300)):
        more = site.ltkm(_RICH, whole + extra).build()
        text = f"LTKM management data with {len(extra)} bytes behind"
        yield Vector(text, ("Management",), mode("LTKM", more), UNUSABLE)
    for subtype in (0, 2, 3, 5, 255):
        other = site.ltkm(_RICH, bytes((subtype,)) + whole[1:]).build()
        yield Vector(f"LTKM with OMA BCAST subtype {subtype}", ("Subtype",), mode("LTKM", other), UNUSABLE)
    none = site.ltkm(_RICH, b"").build()
    yield Vector("LTKM with an empty OMA BCAST extension", ("Subtype",), mode("LTKM", none), UNUSABLE)
    for rating in (b"", b"\1", b"\1\2\3"):
        # The descriptor of the rating is the last: tag, length, two bytes.
        bad = whole[:-4] + bytes((whole[-4], len(rating))) + rating
        other = site.ltkm(_RICH, bad).build()
        yield Vector(f"a parental rating of {len(rating)} bytes", ("Criteria",), mode("LTKM", other), UNUSABLE)


def purses(site: Site) -> Iterator[Vector]:
    """Policies that the card does not have, and tokens that have nowhere to go."""
    for data, spe in unsupported(site.wire):
        whole = mode("LTKM", site.ltkm(_RICH, data).build())
        yield Vector(f"LTKM with SPE {spe:X}", ("Spe",), whole, *answer_of("unsupported", site.wire))
    refused = answer_of("no purse", site.wire)
    for policy in ("live_free", "playback_free", "playback_counted", "live_teks", "playback_teks"):
        stray = replace(_RICH, policy=policy, tokens=1)
        text = f"tokens for {policy}, which has no purse"
        yield Vector(text, ("Tokens",), mode("LTKM", site.ltkm(stray).build()), *refused)
    none = replace(_RICH, key_id=(*G1, b"\0\0"), tokens=None)
    yield Vector("neither key nor tokens", ("Tokens",), mode("LTKM", site.ltkm(none).build()), *refused)
    empty = replace(_RICH, key=b"", tokens=None)
    yield Vector("an empty key and no tokens", ("Tokens",), mode("LTKM", site.ltkm(empty).build()), *refused)


def unsupported(wire: Wire) -> Iterator[tuple[bytes, int]]:
    """Yield subtype and management data with an SPE that the card does not support, and the SPE."""
    if wire.name == "P1":
        yield from ((bytes((1, 0x08, spe << 4)), spe) for spe in (0xB, 0xC, 0xD, 0xE, 0xF))
    else:
        yield from ((bytes((1, 0x80, 0, spe)), spe) for spe in (0x00, 0x04, 0xE2, 0xE5, 0xF1, 0xFF))


def parental_control(site: Site) -> Iterator[Vector]:
    """PINCODEs that are none, and parental control data of the wrong length."""
    for pin in (b"", b"1234", pin_bytes("123"), b"12345678\xff", b"12\xff\xff34\xff\xff", b"abcdefgh", bytes(8)):
        whole = mode("LTKM", site.parental(LAST_LTKM + 1, pin, None).build())
        text = f"parental control with PINCODE {pin.hex() or 'of no bytes'}"
        yield Vector(text, ("Pin",), whole, UNUSABLE)
    subtype, level = bcast_wire.parental_extension(False, (1, 9), False, site.wire)[:2]
    for rest in ((), (level,), (level, 1), (0, 0), (level, 1, 2, 3)):
        data = bytes((subtype, *rest))
        whole = mode("LTKM", site.ltkm(replace(_RICH, key=b"", policy=None), data).build())
        yield Vector(f"parental control data {data.hex()}", ("Management",), whole, UNUSABLE)


# --- STKM


def stkm_contents(site: Site) -> Iterator[Vector]:
    """Wrong keys and identifiers; key data that hold no TEK; management data that cannot be."""
    good = site.stkm(NEXT_STKM)
    yield from stkm_keys(good, site)
    for plain, name in stkm_key_data():
        yield Vector(f"STKM with {name}", ("KeyData",), mode("STKM", replace(good, plain=plain).build()), UNUSABLE)
    whole = bcast_wire.stkm_extension(replace(NEXT_STKM, rating=(1, 5)), site.wire, binding=7)
    assert whole is not None
    for size in range(1, len(whole)):
        cut = site.stkm(NEXT_STKM, whole[:size]).build()
        yield Vector(f"STKM management data cut to {size} bytes", ("Management",), mode("STKM", cut), UNUSABLE)
    more = site.stkm(NEXT_STKM, whole + b"\0").build()
    yield Vector("STKM management data with a byte behind", ("Management",), mode("STKM", more), UNUSABLE)
    for subtype in (0, 1, 3, 4, 255):
        other = site.stkm(NEXT_STKM, bytes((subtype,)) + whole[1:]).build()
        yield Vector(f"STKM with OMA BCAST subtype {subtype}", ("Subtype",), mode("STKM", other), UNUSABLE)


def stkm_keys(good: Message, site: Site) -> Iterator[Vector]:
    """Another SEK, key identifiers that name none, and identifiers of the wrong size."""
    for psk, name in ((OTHER_SEK, "another SEK"), (site.smk, "the SMK")):
        yield Vector(f"STKM under {name}", ("Key",), mode("STKM", replace(good, psk=psk).build()), WRONG_MAC)
    other = replace(good, rand=bytes(16)).build()
    yield Vector("STKM with another RAND than the SEK came with", ("Key",), mode("STKM", other), WRONG_MAC)
    for ids, name in (
        ((OTHER_DOMAIN, b"\0\1\0\1"), "key domain"),
        ((KEY_DOMAIN, b"\0\4\0\1"), "key group"),
        ((KEY_DOMAIN, b"\0\1\0\4"), "key number"),
        ((KEY_DOMAIN, b"\0\1\0\0"), "key number 0"),
    ):
        other = good.with_body(EXTENSION, key_ids(*ids, b"\0\6")).build()
        yield Vector(f"STKM of an unknown {name}", ("KeyId",), mode("STKM", other), UNKNOWN)
    for found in ((KEY_DOMAIN, b"\0\1\0\1"), (KEY_DOMAIN,), (KEY_DOMAIN[:2], b"\0\1\0\1", b"\0\6"), (b"", b"", b"")):
        other = good.with_body(EXTENSION, key_ids(*found)).build()
        sizes = [len(item) for item in found]
        yield Vector(f"STKM with identifiers of {sizes} bytes", ("KeyId",), mode("STKM", other), UNUSABLE)


def stkm_key_data() -> Iterator[tuple[bytes, str]]:
    """Yield key data that an STKM must not bring, each with its name."""
    yield b"", "nothing encrypted"
    yield b"\0\x20" + two(bytes(15)), "a TEK of 15 bytes"
    yield b"\0\x20" + two(bytes(17)), "a TEK of 17 bytes"
    yield b"\0\x20" + two(b""), "an empty TEK"
    yield b"\0\x30" + two(bytes(16)), "a salt that is missing"
    yield b"\0\x30" + two(bytes(16)) + two(bytes(17)), "a salt of 17 bytes"
    yield b"\x14\x20" + two(bytes(16)) + b"\0\x20" + two(bytes(16)), "two TEKs"
    yield b"\0\x40" + two(bytes(16)), "key type 4"
    yield b"\0\x20\xff\xff" + bytes(16), "a key length that lies"
    yield b"\0\x20" + two(bytes(16)) + b"\0", "a byte behind the TEK"
