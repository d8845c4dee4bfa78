"""Framing: any cutting of the stream gives the same events, and nonsense gives a domain error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpicc_bridge.protocol import ApduReceived, Control, Event, FrameDecoder, ProtocolError, encode


def drain(decoder: FrameDecoder) -> list[Event]:
    return list(iter(decoder.next_event, None))


@pytest.mark.parametrize(
    ("body", "event"),
    [
        ("00", Control.POWER_OFF),
        ("01", Control.POWER_ON),
        ("02", Control.RESET),
        ("04", Control.ATR_REQUEST),
        ("03", ApduReceived(b"\x03")),
        ("05", ApduReceived(b"\x05")),
        ("0000", ApduReceived(b"\x00\x00")),
        ("00a40000", ApduReceived(bytes.fromhex("00a40000"))),
    ],
)
def test_a_body_becomes_its_event(body: str, event: Event) -> None:
    decoder = FrameDecoder()
    decoder.feed(encode(bytes.fromhex(body)))
    assert drain(decoder) == [event]
    assert not decoder.mid_frame


@given(bodies=st.lists(st.binary(min_size=1, max_size=40), max_size=8), cuts=st.data())
def test_portions_do_not_matter(bodies: list[bytes], cuts: st.DataObject) -> None:
    stream = b"".join(map(encode, bodies))
    whole = FrameDecoder()
    whole.feed(stream)
    expected = drain(whole)
    assert len(expected) == len(bodies)
    pieces, events, start = FrameDecoder(), [], 0
    while start < len(stream):
        end = cuts.draw(st.integers(start + 1, len(stream)))
        pieces.feed(stream[start:end])
        events += drain(pieces)
        start = end
    assert events == expected
    assert not pieces.mid_frame


@given(st.binary(max_size=300))
def test_any_bytes_give_events_or_a_protocol_error(stream: bytes) -> None:
    decoder = FrameDecoder()
    decoder.feed(stream)
    try:
        events = drain(decoder)
    except ProtocolError:
        return
    sizes = [len(event.apdu) if isinstance(event, ApduReceived) else 1 for event in events]
    left = len(stream) - sum(sizes) - 2 * len(sizes)
    assert left >= 0
    assert decoder.mid_frame == (left > 0)


def test_half_a_frame_is_no_event_yet() -> None:
    decoder = FrameDecoder()
    decoder.feed(b"\x00\x04\x00\xa4")
    assert decoder.next_event() is None
    assert decoder.mid_frame


def test_an_empty_frame_is_refused() -> None:
    decoder = FrameDecoder()
    decoder.feed(b"\x00\x00")
    with pytest.raises(ProtocolError, match="empty frame"):
        decoder.next_event()


def test_the_longest_frame_passes_and_more_is_refused() -> None:
    decoder = FrameDecoder()
    decoder.feed(encode(bytes(65_535)))
    assert drain(decoder) == [ApduReceived(bytes(65_535))]
    with pytest.raises(ProtocolError, match="65536"):
        encode(bytes(65_536))


def test_an_empty_reply_is_never_framed() -> None:
    with pytest.raises(ProtocolError, match="this one has 0"):
        encode(b"")
