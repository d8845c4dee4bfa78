"""What happens at a head-end, as lines for an operator: the newest are kept, and listeners hear each as it comes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from card.codec.mikey import Identity, MikeyMessage, Timestamp
from card.errors import DecodeError
from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.messages.trigger import FIRST_OCTET
from host_tools.exchange.transport import Datagram, Peer, Server
from host_tools.headend.clock import NetworkClock

MOST_KEPT = 200
_LONGEST = 300
"""Characters of a line; what others send may be longer."""


class Kind(Enum):
    """What kind of thing happened; the value is the word for it."""

    ASKED = "asked"
    SENT = "sent"
    HEARD = "heard"
    DONE = "operator"


@dataclass(frozen=True, slots=True)
class Happening:
    """One line: its number, when, where at the head-end, and what. It names no secret."""

    number: int
    at: datetime
    kind: Kind
    where: str
    words: str


Hearer = Callable[[Happening], None]


class Happenings:
    """Keeps the newest happenings and tells listeners. What a listener raises is not caught: it must not."""

    def __init__(self, clock: NetworkClock) -> None:
        """Take the time."""
        self._clock = clock
        self._kept: deque[Happening] = deque(maxlen=MOST_KEPT)
        self._hearers: dict[int, Hearer] = {}
        self._number = 0

    def note(self, kind: Kind, where: str, words: str) -> None:
        """Note that something happened, now."""
        self._number += 1
        happening = Happening(self._number, self._clock.now(), kind, where, words[:_LONGEST])
        self._kept.append(happening)
        for hearer in tuple(self._hearers.values()):
            hearer(happening)

    def sent(self, datagram: Datagram) -> None:
        """Note a datagram that goes out to a terminal."""
        to = f"to {datagram.destination.address}:{datagram.destination.port}"
        what = "trigger" if datagram.payload.startswith(FIRST_OCTET) else _ltkm(datagram.payload, "LTKM")
        self.note(Kind.SENT, "push", f"{what} {to}")

    def heard(self, datagram: Datagram, taken: bool) -> None:
        """Note a datagram that came from a terminal; `taken`: it acknowledges what was outstanding."""
        what = _ltkm(datagram.payload, "acknowledgement") if taken else "a datagram that is dropped"
        self.note(Kind.HEARD, "push", f"{what} from {datagram.source.address}:{datagram.source.port}")

    def newest(self) -> tuple[Happening, ...]:
        """Return what is kept, the oldest first."""
        return tuple(self._kept)

    def listen(self, hearer: Hearer) -> Callable[[], None]:
        """Tell a listener of everything from now on; call what is returned to stop."""
        name = id(hearer)
        self._hearers[name] = hearer

        def leave() -> None:
            self._hearers.pop(name, None)

        return leave


class Watched:
    """A server all of whose answers are noted: what was asked for and the status, and no header and no body."""

    def __init__(self, server: Server, where: str, happenings: Happenings) -> None:
        """Take the server, what it is called, and where it is noted."""
        self._server = server
        self._where = where
        self._happenings = happenings

    def handle(self, request: HttpRequest, peer: Peer) -> HttpResponse:
        """Answer as the server does."""
        response = self._server.handle(request, peer)
        path = request.target.partition("?")
        shown = path[0] + (f"?{path[2]}" if path[2].startswith("requesttype=") else "")
        words = f"{request.method} {shown[:120]} from {peer.address}: {response.status} {response.reason}".rstrip()
        self._happenings.note(Kind.ASKED, self._where, words)
        return response


def _ltkm(payload: bytes, what: str) -> str:
    """Return words for a key message: whom it is for, and its T."""
    try:
        message = MikeyMessage.decode(payload)
        names = [one.value.decode("ascii", "replace") for one in message.all(Identity)]
        return f"{what}, T {message.one(Timestamp).value}, {names[-1] if names else 'for nobody'}"
    except DecodeError:
        return what
