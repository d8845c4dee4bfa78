"""Messages whose form is wrong: cut, lengthened, reordered, with lengths that lie, weak algorithms, wrong MACs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, permutations, takewhile
from operator import eq

from tests.vectors.bcast_negative.messages import EXTENSION, IDENTITY, MAC_SIZE, Message, T
from tests.vectors.bcast_negative.vector import CONDITIONS, UNUSABLE, WRONG_MAC, Vector, mode

_ALL_ORDERS = 3  # up to so many payloads before the KEMAC are put in every order; of more, every two change places


def syntax(
    kind: str, good: Message, accepted: Vector, tried: bytes = b"", *, no_server: str = CONDITIONS
) -> Iterator[Vector]:
    """Everything of this module, for one message; `accepted` is the vector of the message as it should be.

    `tried` is a message that was cut before in the same state; `no_server` answers an LTKM of an unknown server.
    """
    yield from cut(kind, good, tried)
    yield from payloads(kind, good)
    yield from orders(kind, good, accepted, no_server)
    yield from algorithms(kind, good)
    yield from headers(kind, good)
    yield from lying_lengths(kind, good)
    yield from wrong_macs(kind, good)


def cut(kind: str, good: Message, tried: bytes) -> Iterator[Vector]:
    """Truncated, and with bytes behind the end.

    Pieces that `tried` begins with, too, are left out, and so is the empty one, which is a matter of the mode.
    """
    raw = good.build()
    first = sum(takewhile(bool, map(eq, raw, tried))) + 1
    for size in sorted({*range(first, 24), *range(24, len(raw), 5), len(raw) - 1}):
        yield Vector(f"{kind} cut to {size} bytes", ("Truncated",), mode(kind, raw[:size]), UNUSABLE)
    for extra in (b"\0", b"\xff" * 20, raw):
        yield Vector(f"{kind} with {len(extra)} bytes behind it", ("Oversized",), mode(kind, raw + extra), UNUSABLE)


def payloads(kind: str, good: Message) -> Iterator[Vector]:
    """Payloads missing, twice, and announced behind the KEMAC."""
    for number, name in ((T, "T"), (EXTENSION, "EXT 3")):
        yield Vector(f"{kind} without {name}", ("Missing",), mode(kind, good.without(number).build()), UNUSABLE)
        yield Vector(f"{kind} with {name} twice", ("Duplicated",), mode(kind, good.twice(number).build()), UNUSABLE)
    if "EXT 5" in good.names():
        double = good.twice(EXTENSION, 1).build()
        yield Vector(f"{kind} with EXT 5 twice", ("Duplicated",), mode(kind, double), UNUSABLE)
    for after in (1, 5, 9, 21, 99):
        following = replace(good, after=after).build()
        yield Vector(f"{kind}: KEMAC announces payload {after}", ("Reordered",), mode(kind, following), UNUSABLE)


def orders(kind: str, good: Message, accepted: Vector, no_server: str) -> Iterator[Vector]:
    """Other orders of the payloads, each under its own MAC and under that of the right order; KEMAC not the last.

    Any order before the KEMAC is taken, unless it turns the identities round: the first one is the server's.
    """
    names = good.names()
    for order in changed_orders(len(names)):
        other, text = good.ordered(order), f"{kind} in the order {', '.join(names[n] for n in order)}"
        own, moved = other.build(), other.build()[:-MAC_SIZE] + good.build()[-MAC_SIZE:]
        turned = other.bodies(IDENTITY) != good.bodies(IDENTITY)
        if turned:
            yield Vector(f"{text}, server last", ("Identity",), mode(kind, own), no_server)
        else:
            taken = replace(accepted, flags=("PayloadOrder",), result="acceptable")
            yield replace(taken, comment=text, data=mode(kind, own))
        sw = no_server if turned else WRONG_MAC
        yield Vector(f"{text}, MAC of the right one", ("Reordered",), mode(kind, moved), sw)
    for order in orders_with_kemac(len(names)):
        text = ", ".join("KEMAC" if n < 0 else names[n] for n in order)
        whole = mode(kind, good.ordered(order).build())
        yield Vector(f"{kind} in the order {text}", ("Reordered",), whole, UNUSABLE)


def changed_orders(count: int) -> Iterator[tuple[int, ...]]:
    """Yield orders of so many payloads, without the right one."""
    right = tuple(range(count))
    if count <= _ALL_ORDERS:
        yield from (order for order in permutations(right) if order != right)
        return
    for one, other in combinations(right, 2):
        swapped = list(right)
        swapped[one], swapped[other] = other, one
        yield tuple(swapped)


def orders_with_kemac(count: int) -> Iterator[tuple[int, ...]]:
    """Yield orders in which the KEMAC (-1) is not the last."""
    right = tuple(range(count))
    for order in permutations(right) if count <= _ALL_ORDERS else (right,):
        yield from ((*order[:before], -1, *order[before:]) for before in range(count))


def algorithms(kind: str, good: Message) -> Iterator[Vector]:
    """NULL and unknown algorithms in the KEMAC."""
    for encryption in (0, 2, 3, 255):
        weak = replace(good, encryption=encryption).build()
        yield Vector(f"{kind}: encryption {encryption}", ("Algorithm",), mode(kind, weak), UNUSABLE)
    for mac in (0, 2, 255):
        weak = replace(good, mac=mac).build()
        yield Vector(f"{kind}: MAC algorithm {mac}", ("Algorithm",), mode(kind, weak), UNUSABLE)
    weak = replace(good, encryption=0, mac=0).build()
    yield Vector(f"{kind}: NULL encryption and NULL MAC", ("Algorithm",), mode(kind, weak), UNUSABLE)


def headers(kind: str, good: Message) -> Iterator[Vector]:
    """Common headers and timestamps that are not those of MBMS."""
    for head in (b"\0\0", b"\2\0", b"\1\1", b"\1\2", b"\1\6", b"\1\xff"):
        other = replace(good, head=head).build()
        yield Vector(f"{kind}: version and data type {head.hex()}", ("Header",), mode(kind, other), UNUSABLE)
    for flags in (1, 0x7F, 0xFF):
        other = replace(good, flags=flags).build()
        yield Vector(f"{kind}: PRF {flags & 0x7F}, V bit {flags >> 7}", ("Header",), mode(kind, other), UNUSABLE)
    for info in (b"\1\1", b"\0\2", b"\xff\0"):
        other = replace(good, map_info=info).build()
        yield Vector(f"{kind}: CS ID map {info.hex()}", ("Header",), mode(kind, other), UNUSABLE)
    for body, name in ((b"\0" + bytes(8), "NTP-UTC"), (b"\1" + bytes(8), "NTP"), (b"\3" + bytes(4), "type 3")):
        other = good.with_body(T, body).build()
        yield Vector(f"{kind}: timestamp {name}", ("Timestamp",), mode(kind, other), UNUSABLE)


def lying_lengths(kind: str, good: Message) -> Iterator[Vector]:
    """Lengths inside the extensions and the KEMAC that are too long or too short, under a MAC that is right."""
    for nth, body in enumerate(good.bodies(EXTENSION)):
        for by in (-1, 1, 255):
            size = max(0, int.from_bytes(body[1:3], "big") + by)
            other = good.with_body(EXTENSION, body[:1] + size.to_bytes(2, "big") + body[3:], nth).build()
            yield Vector(f"{kind}: length of EXT {body[0]} off by {by}", ("Length",), mode(kind, other), UNUSABLE)
    for by in (-1, 1, 1000, 65000):
        raw = bytearray(good.build())
        at = len(raw) - MAC_SIZE - 1 - len(good.plain) - 2
        size = (int.from_bytes(raw[at : at + 2], "big") + by) % 65536
        raw[at : at + 2] = size.to_bytes(2, "big")
        text = f"{kind}: length of the encrypted data off by {by}"
        yield Vector(text, ("Length",), mode(kind, bytes(raw)), UNUSABLE)


def wrong_macs(kind: str, good: Message) -> Iterator[Vector]:
    """One bit of each byte of the MAC."""
    raw = good.build()
    for position in range(MAC_SIZE):
        forged = bytearray(raw)
        forged[-1 - position] ^= 0x80 >> position % 8
        text = f"{kind}: MAC byte {MAC_SIZE - 1 - position} is wrong"
        yield Vector(text, ("Forged",), mode(kind, bytes(forged)), WRONG_MAC)
