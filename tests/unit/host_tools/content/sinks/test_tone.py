"""Test audio: each service has its own melody, and it is the same every time."""

from __future__ import annotations

from itertools import islice, pairwise

from host_tools.content.sinks.g711 import decode_mulaw
from host_tools.content.sinks.tone import melody, mulaw_frames


def frames(service: str, count: int) -> list[bytes]:
    return list(islice(mulaw_frames(service, 160), count))


def test_services_sound_different() -> None:
    assert melody("tone-a") != melody("tone-b")
    assert frames("tone-a", 50) != frames("tone-b", 50)


def test_the_melody_repeats_and_is_no_silence() -> None:
    two_seconds = 100
    heard = frames("tone-a", 2 * two_seconds)
    assert heard[:two_seconds] == heard[two_seconds:]
    samples = memoryview(decode_mulaw(b"".join(heard[:two_seconds]))).cast("h")
    assert max(samples) > 8000
    assert min(samples) < -8000
    # One note crosses zero upwards as often as its frequency says.
    quarter = list(samples[:2000])
    rising = sum(before < 0 <= after for before, after in pairwise(quarter))
    assert abs(rising - melody("tone-a")[0] / 4) <= 2
