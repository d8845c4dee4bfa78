"""What is played: frames of 20 ms, by number. This is where content comes into the BSD/A (BSA, FA/SA)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from host_tools.content.sinks.tone import SAMPLE_RATE, mulaw_cycle
from host_tools.headend.bsda.slots import FRAME_MILLISECONDS

FRAME_SAMPLES: Final = SAMPLE_RATE * FRAME_MILLISECONDS // 1000
"""Samples of a frame, which are its bytes in PCMU."""
SILENCE: Final = b"\xff" * FRAME_SAMPLES
"""A frame of PCMU in which nothing is heard."""


class FrameSource(Protocol):
    """The media of one service as PCMU."""

    def frame(self, number: int, /) -> bytes:
        """Return the frame of this number (160 bytes). Numbers rise; some may be left out."""


class CycleFrames:
    """Frames that begin anew after the last one."""

    def __init__(self, frames: Sequence[bytes]) -> None:
        """Take at least one frame."""
        if not frames:
            raise ValueError("no frame to play")
        self._frames = tuple(frames)

    def frame(self, number: int) -> bytes:
        """Return the frame of this number."""
        return self._frames[number % len(self._frames)]


def tone_frames(service: str) -> CycleFrames:
    """Return the melody of a service."""
    return CycleFrames(mulaw_cycle(service, FRAME_SAMPLES))
