"""Answers without an end, as server-sent events are: who hears, and how what is heard is written.

A server returns `Streamed` in place of a whole answer. Whoever carries it (`http_server`) calls `listen`, writes what
comes, and leaves when the client goes or the server ends.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from host_tools.exchange.http import Headers, HttpRequest, HttpResponse
from host_tools.exchange.transport import Peer

EVENT_STREAM = "text/event-stream"
"""Media type of server-sent events (HTML living standard, clause 9.2)."""
LAST_EVENT = "Last-Event-ID"
"""Header in which a browser says where a stream broke (same clause)."""
STILL_HERE = b": still here\n\n"
"""A comment, which keeps a silent stream alive and shows whether anybody is there."""
Listener = Callable[[bytes], None]
"""Takes a piece of the body; it never waits."""
Leave = Callable[[], None]
"""Ends listening."""


@dataclass(frozen=True, slots=True)
class Streamed:
    """The head of an answer, and how to hear its body; `listen` may give the first pieces at once."""

    listen: Callable[[Listener], Leave] = field(repr=False)
    headers: Headers = (("Content-Type", EVENT_STREAM), ("Cache-Control", "no-store"))


class StreamingServer(Protocol):
    """A server some of whose answers have no end. It raises nothing."""

    def handle(self, request: HttpRequest, peer: Peer, /) -> HttpResponse | Streamed:
        """Return the answer."""


def event(name: str, data: str, number: int | None = None) -> bytes:
    """Return one event of an event stream."""
    lines = [f"event: {name}"] if name else []
    if number is not None:
        lines.append(f"id: {number}")
    lines += [f"data: {line}" for line in data.splitlines() or [""]]
    return ("\n".join(lines) + "\n\n").encode()
