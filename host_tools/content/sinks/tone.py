"""Test audio: a short melody of its own for every service, so that an ear can tell what was decrypted."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from functools import lru_cache

from host_tools.content.sinks.g711 import encode_mulaw

SAMPLE_RATE = 8_000
_NOTES = (262, 294, 330, 392, 440, 523, 587, 659)  # Hz; a pentatonic scale sounds well in any order
_MELODY_LENGTH = 8
_NOTE_SAMPLES = SAMPLE_RATE // 4
_FADE_SAMPLES = SAMPLE_RATE // 100
_LOUDNESS = 9_000


def melody(service_id: str) -> tuple[int, ...]:
    """Return the notes (Hz) of a service: eight, chosen by its name."""
    digest = hashlib.sha256(service_id.encode()).digest()
    return tuple(_NOTES[byte % len(_NOTES)] for byte in digest[:_MELODY_LENGTH])


def mulaw_frames(service_id: str, frame_samples: int) -> Iterator[bytes]:
    """Yield PCMU frames of `frame_samples` bytes, 8000 samples a second, without end."""
    cycle = mulaw_cycle(service_id, frame_samples)
    while True:
        yield from cycle


def mulaw_cycle(service_id: str, frame_samples: int) -> tuple[bytes, ...]:
    """Return the frames of `frame_samples` bytes after which the melody of a service begins anew."""
    once = b"".join(map(_note, melody(service_id)))
    whole = once * (math.lcm(len(once), frame_samples) // len(once))
    return tuple(whole[start : start + frame_samples] for start in range(0, len(whole), frame_samples))


@lru_cache(maxsize=len(_NOTES))
def _note(frequency: int) -> bytes:
    """Return one note as mu-law: it is the same in every melody."""
    return encode_mulaw(_tone(frequency))


def _tone(frequency: int) -> Iterator[int]:
    """Yield one note; it fades in and out, because a hard edge clicks."""
    for position in range(_NOTE_SAMPLES):
        fade = min(1.0, position / _FADE_SAMPLES, (_NOTE_SAMPLES - position) / _FADE_SAMPLES)
        # Rounding makes the samples the same on machines whose last bit of sin() differs.
        yield round(_LOUDNESS * fade * round(math.sin(2 * math.pi * frequency * position / SAMPLE_RATE), 6))
