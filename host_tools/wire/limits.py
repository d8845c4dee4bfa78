"""How much and how long each end of a connection waits for the other: ours, as no text says so."""

from __future__ import annotations

from dataclasses import dataclass

from host_tools.exchange.http import LARGEST_BODY


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Bounds of a server; sizes in octets, times in seconds.

    `idle` also bounds how long the head of a request may take, `body` how long its body, `answer` how long the client
    may take to read the answer. Of answers without an end there are `streams` at a time; one ends when so many pieces
    wait for its client, and shows every `heartbeat` that it is still there.
    """

    body_size: int = LARGEST_BODY
    line_size: int = 4096
    field_size: int = 8190
    connections: int = 512
    idle: float = 15.0
    body: float = 10.0
    answer: float = 10.0
    linger: float = 1.0
    shutdown: float = 1.0
    streams: int = 16
    stream_backlog: int = 256
    heartbeat: float = 5.0


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """Bounds of a client: octets of an answer's body, seconds for one request with its answer."""

    body_size: int = LARGEST_BODY
    whole: float = 15.0
