from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools.trace.events import TracedExchange, TraceEvent
from host_tools.trace.known_secrets import MOST_DERIVED, MOST_KEPT, SHORTEST, KnownSecrets, merge
from host_tools.trace.tracer import Tracer

SECRET = bytes.fromhex("A1A2A3A4A5A6A7A8")


@pytest.mark.parametrize(
    ("data", "spans"),
    [
        ("00A1A2A3A4A5A6A7A800", [(1, 9)]),
        ("A1A2A3A4A5A6A7A8A1A2A3A4A5A6A7A8", [(0, 16)]),
        ("00A1A2A3A4", [(1, 5)]),  # the chain goes on in the next command
        ("A5A6A7A800", [(0, 4)]),
        ("A3A4A5A6", [(0, 4)]),  # read piece by piece
        ("00A1A2A3", []),  # three bytes are anybody's
        ("A1A2A3A400A5A6A7A8", []),
        ("", []),
    ],
)
def test_a_secret_is_found_whole_or_cut_off(data: str, spans: list[tuple[int, int]]) -> None:
    assert list(KnownSecrets([SECRET]).spans(bytes.fromhex(data))) == spans


def test_a_pin_is_found_without_its_padding_and_with_it() -> None:
    known = KnownSecrets([b"1234\xff\xff\xff\xff"])
    assert known.spans(b"..1234..") == ((2, 6),)
    assert known.spans(b"..1234\xff\xff\xff\xff..") == ((2, 10),)


def numbered(number: int) -> bytes:
    return number.to_bytes(5, "big") + b"\x01"


def test_short_secrets_are_not_looked_for_and_old_ones_are_forgotten() -> None:
    known = KnownSecrets([b"abc", SECRET])
    assert known.spans(b"abc") == ()
    for number in range(MOST_DERIVED - 1):
        known.learn(numbered(number))
    assert known.spans(SECRET) == ((0, 8),)
    known.learn(bytes(5))
    assert known.spans(SECRET) == ()
    assert known.spans(numbered(0)) == ((0, 6),)


@pytest.mark.parametrize("size", [8, 100])
def test_a_secret_that_is_kept_outlives_all_that_is_derived(size: int) -> None:
    secret = bytes(range(size))
    known = KnownSecrets([secret])
    known.learn(secret, keep=True)
    known.learn(secret)  # a copy of it, such as a variable that is the same
    for number in range(2 * MOST_DERIVED):
        known.learn(numbered(number) + bytes(size))
    assert known.spans(b"." + secret) == ((1, 1 + size),)
    assert known.spans(numbered(0) + bytes(size)) != ((0, size + 6),)


def test_with_more_secrets_to_keep_than_there_is_room_for_everything_is_hidden() -> None:
    known = KnownSecrets()
    for number in range(MOST_KEPT):
        known.learn(numbered(number), keep=True)
    assert known.spans(b"harmless") == ()
    known.learn(SECRET, keep=True)
    assert known.spans(b"harmless") == ((0, 8),)


def test_what_was_looked_at_is_looked_at_again_with_a_new_secret() -> None:
    known = KnownSecrets([b"other"])
    assert known.spans(SECRET) == known.spans(SECRET) == ()
    known.learn(SECRET)
    assert known.spans(SECRET) == ((0, 8),)


def test_a_secret_of_one_byte_over_and_over_is_one_span() -> None:
    known = KnownSecrets([bytes(20_000)])
    assert known.spans(b"." + bytes(65_000) + b".") == ((1, 65_001),)


def by_hand(secret: bytes, data: bytes) -> tuple[tuple[int, int], ...]:
    """Return where the secret stands when it is laid at every place: whole, or cut off by an end of the data."""
    found = []
    for at in range(-len(secret) + 1, len(data)):
        start, end = max(at, 0), min(at + len(secret), len(data))
        if end - start >= SHORTEST and data[start:end] == secret[start - at : end - at]:
            found.append((start, end))
    return merge(found)


FEW_BYTES = st.sampled_from([b"\0", b"\1"])


@given(st.lists(FEW_BYTES, min_size=4, max_size=90), st.lists(FEW_BYTES, max_size=100))
def test_secrets_that_repeat_themselves_are_found_as_by_hand(secret: list[bytes], data: list[bytes]) -> None:
    whole, text = b"".join(secret), b"".join(data)
    assert KnownSecrets([whole]).spans(text) == by_hand(whole, text)


@given(st.binary(min_size=4, max_size=40), st.binary(max_size=40), st.binary(max_size=40), st.integers(0, 80))
def test_no_four_bytes_of_a_secret_stay_at_a_cut(secret: bytes, before: bytes, after: bytes, cut: int) -> None:
    known, whole = KnownSecrets([secret]), before + secret + after
    for start, end in ((0, cut), (cut, len(whole))):
        piece = whole[start:end]
        hidden = {at + start for first, last in known.spans(piece) for at in range(first, last)}
        of_secret = set(range(max(start, len(before)), min(end, len(before) + len(secret))))
        assert len(of_secret) < 4 or of_secret <= hidden
        assert hidden <= set(range(start, start + len(piece)))


def test_a_recorder_hides_what_is_known_on_both_ways() -> None:
    events: list[TraceEvent] = []

    class Sink:
        def emit(self, event: TraceEvent) -> None:
            events.append(event)

        def close(self) -> None:
            pass

    recorder = Tracer("test", [Sink()], known=KnownSecrets([SECRET]))
    recorder.exchange(bytes.fromhex("00D6820008") + SECRET, b"\x90\x00", 0.0)
    recorder.exchange(bytes.fromhex("00B0820009"), b"\x01" + SECRET + b"\x90\x00", 0.0)
    recorder.exchange(SECRET[:2] + SECRET, b"\x6d\x00", 0.0)  # no APDU at all
    written, read, garbage = (event for event in events if isinstance(event, TracedExchange))
    assert (written.command[5:], written.hidden_command) == (bytes(8), ((5, 13),))
    assert (read.response, read.hidden_response) == (b"\x01" + bytes(8) + b"\x90\x00", ((1, 9),))
    assert SECRET not in garbage.command
