"""The very next packet of a source goes a short way; whatever happens, both ways give the same."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from card.crypto.secret import Secret
from host_tools.content.captures.datagrams import Datagram, Endpoint
from host_tools.content.protection import NeedsKey, Opened, Opening, PacketOpener
from host_tools.content.rtp import HeaderExtension, RtpPacket, why_no_media
from host_tools.content.srtp.format import HEADEND_FORMAT, SrtpFormat, SrtpSuite
from host_tools.content.srtp.receiver import SrtpSender
from host_tools.content.traffic_key import TrafficKey

HERE = Endpoint("10.0.0.1", 4000)
LAYOUTS = [
    HEADEND_FORMAT,
    SrtpFormat(SrtpSuite.AES_CM_128_HMAC_SHA1_32),
    SrtpFormat(mki_size=4),
    SrtpFormat(mki_size=0),
]
NAMES = (b"\0\1\0\1\0\1", b"\0\1\0\1\0\2", b"\0\2\0\1\0\1")
EDGE = 65_530  # so near the wrap of the sequence number every source begins


def key(number: int) -> TrafficKey:
    return TrafficKey(Secret(bytes((number,)) * 16), Secret(bytes((number,)) * 14))


def unit(payload: bytes) -> Datagram:
    return Datagram(0.0, HERE, HERE, payload)


@dataclass
class Sources:
    """Several sources under keys that change, and what they sent."""

    layout: SrtpFormat
    senders: dict[int, SrtpSender] = field(default_factory=dict)
    sequences: dict[int, int] = field(default_factory=dict)
    sent: list[Datagram] = field(default_factory=list)

    def send(self, ssrc: int, number: int, step: int, looks: str) -> Datagram:
        sequence = (self.sequences.get(ssrc, EDGE) + step) % 65_536
        self.sequences[ssrc] = sequence
        csrcs = (5, 6) if looks == "CSRCs" else ()
        extension = HeaderExtension(1, b"more") if looks == "extension" else None
        kind = 72 if looks == "RTCP" else 0
        marker = looks in ("RTCP", "marker")
        packet = RtpPacket(kind, sequence, 160 * sequence, ssrc, b"sound" * 4, marker, csrcs, extension).encode()
        if looks == "padding":
            packet = bytes((packet[0] | 0x20,)) + packet[1:] + b"\0\0\3"
        if looks == "padding of nothing":
            packet = bytes((packet[0] | 0x20,)) + packet[1:] + b"\0"
        if not 0 < step < 1000:  # the source starts anew
            self.senders.pop(ssrc, None)
        sender = self.senders.setdefault(ssrc, SrtpSender(self.layout))
        name = NAMES[number % len(NAMES)][: self.layout.mki_size]
        self.sent.append(unit(sender.protect(packet, name, key(number))))
        return self.sent[-1]


def short_or_long(opener: PacketOpener, packet: Datagram) -> tuple[bool, Opening]:
    found = opener.open_next(packet)
    if found is None:
        return False, opener.open(packet)
    assert why_no_media(packet.payload) is None, "what is no media is for the long way to tell"
    return True, Opened((found,))


steps = st.sampled_from([1, 1, 1, 1, 1, 2, 0, -1, 5, 40_000])
looks = st.sampled_from(["plain"] * 6 + ["marker", "CSRCs", "extension", "padding", "padding of nothing", "RTCP"])
sending = st.tuples(st.just("send"), st.integers(1, 3), st.integers(0, 3), steps, looks)
again = st.tuples(st.just("again"), st.integers(0, 9))
lost = st.tuples(st.just("lose"), st.integers(1, 3), st.integers(0, 2))
damaged = st.tuples(st.just("damage"), st.integers(1, 3), st.integers(0, 2), st.integers(0, 60), st.integers(1, 255))
cut = st.tuples(st.just("cut"), st.integers(1, 3), st.integers(0, 2), st.integers(0, 60))
swapped = st.tuples(st.just("swap"), st.integers(1, 3), st.integers(0, 2))
new_key = st.tuples(st.just("key"), st.integers(0, 3))
gone_key = st.tuples(st.just("forget"), st.integers(0, 2))
events = st.one_of(sending, sending, sending, sending, again, lost, damaged, cut, swapped, new_key, gone_key)


@settings(max_examples=100)
@given(st.sampled_from(LAYOUTS), st.lists(events, max_size=40))
def test_both_ways_give_the_same(layout: SrtpFormat, happenings: list[tuple[object, ...]]) -> None:
    sources, short, long = Sources(layout), layout.opener(), layout.opener()

    def both(*packets: Datagram) -> None:
        for packet in packets:
            assert short_or_long(short, packet)[1] == long.open(packet)

    for opener in (short, long):
        opener.add_key(NAMES[0], key(0))
    for happening in happenings:
        match happening:
            case ("send", int(ssrc), int(number), int(step), str(how)):
                both(sources.send(ssrc, number, step, how))
            case ("again", int(back)) if sources.sent:
                both(sources.sent[-1 - back % len(sources.sent)])
            case ("lose", int(ssrc), int(number)):
                sources.send(ssrc, number, 1, "plain")
            case ("damage", int(ssrc), int(number), int(at), int(change)):
                raw = bytearray(sources.send(ssrc, number, 1, "plain").payload)
                raw[at % len(raw)] ^= change
                both(unit(bytes(raw)))
            case ("cut", int(ssrc), int(number), int(size)):
                both(unit(sources.send(ssrc, number, 1, "plain").payload[:size]))
            case ("swap", int(ssrc), int(number)):
                first, second = (sources.send(ssrc, number, 1, "plain") for _ in range(2))
                both(second, first)
            case ("key", int(number)):
                for opener in (short, long):
                    opener.add_key(NAMES[number % len(NAMES)], key(number))
            case ("forget", int(number)):
                for opener in (short, long):
                    opener.forget_key(NAMES[number])


def in_a_row(count: int, ssrc: int = 1) -> Iterator[Datagram]:
    sources = Sources(HEADEND_FORMAT)
    for _ in range(count):
        yield sources.send(ssrc, 0, 1, "plain")


def test_packets_in_a_row_go_the_short_way_also_where_the_sequence_wraps() -> None:
    opener = HEADEND_FORMAT.opener()
    opener.add_key(NAMES[0], key(0))
    ways = [short_or_long(opener, packet)[0] for packet in in_a_row(20)]
    assert ways == [False] + [True] * 19


def test_a_packet_without_its_key_goes_no_short_way() -> None:
    opener, packets = HEADEND_FORMAT.opener(), in_a_row(4)
    opener.add_key(NAMES[0], key(0))
    assert [short_or_long(opener, next(packets))[0] for _ in range(2)] == [False, True]
    opener.forget_key(NAMES[0])
    assert short_or_long(opener, next(packets)) == (False, NeedsKey(NAMES[0]))
    opener.add_key(NAMES[0], key(1))  # another key of the same name
    assert opener.open_next(next(packets)) is None


def test_more_sources_than_are_kept_make_no_difference() -> None:
    short, long = HEADEND_FORMAT.opener(), HEADEND_FORMAT.opener()
    for opener in (short, long):
        opener.add_key(NAMES[0], key(0))
    sources = Sources(HEADEND_FORMAT)
    order = [*range(1, 301), *range(300, 200, -1), *range(1, 20), *range(200, 301)]
    for ssrc in order:
        packet = sources.send(ssrc, 0, 1, "plain")
        assert short_or_long(short, packet)[1] == long.open(packet)


def test_a_packet_larger_than_any_is_left_to_the_long_way() -> None:
    opener, packets = HEADEND_FORMAT.opener(), in_a_row(2)
    opener.add_key(NAMES[0], key(0))
    assert short_or_long(opener, next(packets))[0] is False
    following = next(packets).payload
    assert opener.open_next(unit(following[:20] + os.urandom(65_508) + following[20:])) is None
