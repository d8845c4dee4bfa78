"""Every kind of file that the product reads, and how large it may be: declared once."""

from __future__ import annotations

from card.lean import lean_dataclass

_MIB = 1 << 20


@lean_dataclass(frozen=True, slots=True)
class FileKind:
    """What a file is read as, in words with their article, and how many bytes it may have.

    Without `most` the file is walked piece by piece, and its reader keeps the memory it needs within bounds. One that
    may be `live` can be a pipe, too, into which somebody writes.
    """

    words: str
    most: int | None = None
    live: bool = False


PROFILE = FileKind("a profile", _MIB)
CARD = FileKind("a card file", 128 * _MIB)
"""With the log of a killed process that may lie beside it, each."""
SCENARIO = FileKind("a scenario", _MIB)
NETWORK = FileKind("a network file", _MIB)
ANNOUNCEMENT = FileKind("an announcement", _MIB)
TERMINAL_STATE = FileKind("a state of a terminal", 16 * _MIB)
CATALOGUE = FileKind("a catalogue", _MIB)
SUBSCRIBERS = FileKind("a file of subscribers", 64 * _MIB)
STORE_KEY = FileKind("a key of a store", 1024)
SETTINGS = FileKind("a file of options", _MIB)
SCRIPT = FileKind("a script", _MIB)
APDU_LOG = FileKind("a log of APDUs", _MIB)
RULES = FileKind("a file of allowed differences", _MIB)
LATENCY = FileKind("a latency profile", _MIB)
FAULTS = FileKind("a plan of faults", _MIB)
LTKMS = FileKind("a file of LTKMs", 4 * _MIB)
SHORT_MESSAGE = FileKind("a short message", 1 << 12)
GBA_PUSH = FileKind("a GBA push message", 1 << 16)
CERTIFICATE = FileKind("a certificate or key in PEM", _MIB)
HISTORY = FileKind("a history of lines", 4 * _MIB)
LOG = FileKind("a log", 64 * _MIB)
TRACE = FileKind("a trace")
SOUND = FileKind("a sound file")
AIR_CLOCK = FileKind("a clock of a broadcast", 1 << 12)
TRANSPORT_KEY = FileKind("a transport key", 1 << 10)
RANDOM_KEYS = FileKind("a file of random keys", 1 << 10)
CAPTURE = FileKind("a capture", live=True)
RECORDING = FileKind("a recording")
