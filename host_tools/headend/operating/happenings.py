"""What happens at a head-end, as lines for an operator: the newest are kept, and listeners hear each as it comes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from card.codec.mikey import Identity, MikeyMessage, Timestamp
from card.errors import DecodeError
from host_tools.exchange.digest.headers import Credentials
from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.messages.trigger import FIRST_OCTET
from host_tools.exchange.transport import Datagram, Peer, Server
from host_tools.headend.clock import NetworkClock

MOST_KEPT = 200
_LONGEST_USER = 200
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
    """One line: its number, when, where at the head-end, and what. It names no secret.

    `details` says the same to programs.
    """

    number: int
    at: datetime
    kind: Kind
    where: str
    words: str
    details: tuple[tuple[str, str | int], ...] = ()


Hearer = Callable[[Happening], None]


class Happenings:
    """Keeps the newest happenings and tells listeners. What a listener raises is not caught: it must not."""

    def __init__(self, clock: NetworkClock) -> None:
        """Take the time."""
        self._clock = clock
        self._kept: deque[Happening] = deque(maxlen=MOST_KEPT)
        self._hearers: dict[int, Hearer] = {}
        self._number = 0

    def note(self, kind: Kind, where: str, words: str, details: Mapping[str, str | int] | None = None) -> None:
        """Note that something happened, now; without `details` they are the words."""
        self._number += 1
        shown = words[:_LONGEST]
        named = tuple((details or {"words": shown}).items())
        happening = Happening(self._number, self._clock.now(), kind, where, shown, named)
        self._kept.append(happening)
        for hearer in tuple(self._hearers.values()):
            hearer(happening)

    def sent(self, datagram: Datagram) -> None:
        """Note a datagram that goes out to a terminal."""
        to = f"{datagram.destination.address}:{datagram.destination.port}"
        is_trigger = datagram.payload.startswith(FIRST_OCTET)
        what, details = _ltkm(datagram.payload, "LTKM", "trigger" if is_trigger else "short message")
        self.note(Kind.SENT, "push", f"{what} to {to}", {"what": what.partition(",")[0], "to": to, **details})

    def heard(self, datagram: Datagram, taken: bool) -> None:
        """Note a datagram that came from a terminal; `taken`: it acknowledges what was outstanding."""
        dropped = "a datagram that is dropped"
        what, details = _ltkm(datagram.payload if taken else b"", "acknowledgement", dropped)
        came = f"{datagram.source.address}:{datagram.source.port}"
        self.note(Kind.HEARD, "push", f"{what} from {came}", {"what": what.partition(",")[0], "from": came, **details})

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
        details: dict[str, str | int] = {"method": request.method[:20], "path": shown[:120]}
        details |= {"status": response.status, "from": peer.address}
        user = _user(request)
        self._happenings.note(Kind.ASKED, self._where, words, details | ({"user": user} if user else {}))
        return response


def _ltkm(payload: bytes, what: str, other: str) -> tuple[str, dict[str, str | int]]:
    """Return words for a key message, and details: whom it is for, and its T. For what is none, `other`."""
    try:
        message = MikeyMessage.decode(payload)
        counter = message.one(Timestamp).value
    except DecodeError:
        return other, {}
    names = [one.value.decode("ascii", "replace")[:_LONGEST_USER] for one in message.all(Identity)]
    words = f"{what}, T {counter}, {names[-1] if names else 'for nobody'}"
    return words, {"t": counter, **({"user": names[-1]} if names else {})}


def _user(request: HttpRequest) -> str:
    """Return the user name (B-TID, NAI, IMPI) that a request shows; whether it is true, the status tells."""
    try:
        shown = request.one("Authorization")
        return "" if shown is None else Credentials.parse(shown).username[:_LONGEST_USER]
    except DecodeError:
        return ""
