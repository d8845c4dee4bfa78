"""Plays a recording through the card, piece by piece."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from host_tools.content.containers.recording import open_recording
from host_tools.content.known import KNOWN
from host_tools.content.protection import PacketFormat
from host_tools.content.sinks.media_out import MediaOut
from host_tools.sessions.errors import SessionError, Trouble
from host_tools.sessions.events import Events, Replayed
from host_tools.sessions.extras import Extras
from host_tools.sessions.keys import PlayKeys
from host_tools.sessions.play import Connected
from host_tools.sessions.report_page import ReportPage, noted
from host_tools.sessions.verdict import judge_replay
from host_tools.terminal.player import Hooks
from host_tools.terminal.replay import Replay, Segment

if TYPE_CHECKING:
    from host_tools.terminal.application_middleware import CardMiddleware
    from host_tools.terminal.purchase import Remedy


@dataclass(frozen=True, slots=True)
class ReplayJob:
    """Which pieces of a recording to play, with which card, into which files.

    `layout` returns the layout of the media for the one that the recording tells. With `forget_teks` the card is asked
    again after a rewind. With `page`, a page shows how it played.
    """

    recording: Path
    pieces: tuple[Segment, ...]
    output: Path | None
    connected: Connected
    keys: PlayKeys
    extras: Extras
    layout: Callable[[PacketFormat], PacketFormat]
    forget_teks: bool = False
    page: ReportPage | None = None

    def run(self, events: Events) -> None:
        """Play until the end or until the card refuses; `Replayed` tells the result. Raises `SessionError`."""
        out = MediaOut(self.output, (self.recording,))
        with open_recording(self.recording, KNOWN) as content, closing(out):
            protection = self.layout(content.index.protection)
            with self.connected() as middleware, noted(self.page, middleware, self.extras, events) as extras:
                purchase = self._fetch_keys(middleware, content.index.begins)
                feed, hooks = extras.apply(middleware, purchase, Hooks(), events)
                replaying = Replay(content, feed, out, keep_teks=not self.forget_teks, protection=protection)
                try:
                    _play(replaying, self.pieces, hooks)
                finally:
                    played = list(zip(self.pieces, replaying.played, strict=False))
                    events.emit(Replayed(self.recording, played, out))
        if replaying.refused is not None:
            raise SessionError(f"The card refused: {replaying.refused.why}.", Trouble.CARD)
        judge_replay(replaying.played, KNOWN.inside(protection), events)

    def _fetch_keys(self, middleware: CardMiddleware, begins: float) -> Remedy | None:
        """Get a fresh card's keys; all LTKMs of a scenario that have a time are delivered at once."""
        delivery, purchase = self.keys.fetch(middleware, begins)
        if delivery is not None:
            delivery.deliver_until(float("inf"))
        return purchase


def _play(replaying: Replay, pieces: tuple[Segment, ...], hooks: Hooks) -> None:
    """Play the pieces until the card refuses; whoever has enough before leaves the services, too."""
    try:
        for piece in pieces:
            replaying.play(piece, hooks)
            if replaying.refused is not None:
                break
    except KeyboardInterrupt:
        replaying.stop(hooks)
        raise
    replaying.stop(hooks)
