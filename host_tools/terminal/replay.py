"""Plays recorded content through the card, piece by piece: play on, rewind, zap.

The TEKs of a recording are kept until its playing ends, so that a rewind costs nothing; a terminal that forgets them
hands the STKM to the card again, which may take it for a further play-back and have it paid.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from card.errors import DecodeError
from host_tools.content.captures.pcap import Datagram
from host_tools.content.containers.recording import RecordedContent
from host_tools.content.protection import PacketFormat
from host_tools.content.sinks.media_out import MediaOut
from host_tools.terminal.bcast import StkmOutcome, Tek
from host_tools.terminal.decision import Decision
from host_tools.terminal.departure import TunedServices
from host_tools.terminal.key_source import FeedLayer, KeySource
from host_tools.terminal.player import Hooks, Player, PlayOptions, leave
from host_tools.terminal.statistics import PlayStatistics


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece to play: from and to (seconds into the recording; None: to its end), and of which media port."""

    start: float = 0.0
    end: float | None = None
    port: int | None = None


@dataclass(slots=True)
class TekBuffer(FeedLayer):
    """Keeps what the card gave, by key IDs, and asks it only for what is not there; `answered` counts what was."""

    answered: int = 0
    _held: dict[bytes, Tek] = field(default_factory=dict, repr=False)

    def feed(self, stkm: bytes) -> StkmOutcome:
        """Return the TEK that is there, or the card's verdict. Raises as the feed below."""
        try:
            name = self.read(stkm).identity
        except DecodeError:
            return self.feed_below.feed(stkm)
        if name in self._held:
            self.answered += 1
            return self._held[name]
        outcome = self.feed_below.feed(stkm)
        if isinstance(outcome, Tek):
            self._held[name] = outcome
        return outcome


class Replay:
    """Plays segments of one recording, one after the other. Stops at the first STKM that stays refused.

    `played` has the counters of each segment, also of one that broke off.
    """

    def __init__(
        self,
        content: RecordedContent,
        feed: KeySource,
        out: MediaOut,
        *,
        keep_teks: bool = True,
        protection: PacketFormat | None = None,
    ) -> None:
        """Take the recording, where its STKMs go and where its media go.

        `protection` is that of its media, where the recording is wrong about it.
        """
        self._content = content
        self._feed = feed
        self._buffer = TekBuffer(feed) if keep_teks else None
        self._out = out
        self._protection = protection or content.index.protection
        self._protections = content.protections.inside(self._protection)
        self._tuned = TunedServices()
        self._port: int | None = None
        self.played: list[PlayStatistics] = []
        self.refused: Decision | None = None

    def play(self, segment: Segment, hooks: Hooks | None = None) -> PlayStatistics:
        """Play one segment and return its counters. Raises `LinkError`, `TerminalError`, `MediaError`.

        Another port than that of the segment before is a zap: the services played until then are left.
        """
        self.refused = None
        hooks = hooks or Hooks()
        if segment.port != self._port:
            self.stop(hooks)
        self._port = segment.port
        buffer = self._buffer or TekBuffer(self._feed)
        before = answered = buffer.answered

        def watch(decision: Decision) -> None:
            nonlocal answered
            by_card, answered = buffer.answered == answered, buffer.answered
            self.refused = None if decision.granted else decision
            if by_card:
                hooks.on_decision(decision)

        # A packet may be opened once, so every segment has openers of its own.
        options = PlayOptions(self._protections, teks_wanted_once=True)
        player = Player(buffer, self._out, options, tuned=self._tuned)
        self.played.append(player.statistics)
        try:
            return player.play(self._until_refused(segment), replace(hooks, on_decision=watch))
        finally:
            player.statistics.stkms_fed -= buffer.answered - before

    def stop(self, hooks: Hooks | None = None) -> None:
        """End the play-back: the card is told which services are left. Raises `LinkError`."""
        leave(self._tuned.leave_all(), self._feed, hooks or Hooks())

    def _until_refused(self, segment: Segment) -> Iterator[Datagram]:
        for datagram in self._content.datagrams(segment.start, segment.end, segment.port, self._protection):
            if self.refused is not None:
                return
            yield datagram
