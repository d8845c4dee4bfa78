"""Plays a capture through the card: STKMs become traffic keys, traffic keys open the media.

Datagrams are taken one by one as they were captured and nothing is kept but keys, a few held packets and
counters, so a capture may be of any length.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from card.codec.mikey import MbmsKeyIds
from card.errors import DecodeError
from host_tools.media.errors import RtpError, SrtpError, UnknownTrafficKey
from host_tools.media.pcap import Datagram
from host_tools.media.rtp import RtpPacket, looks_like_rtp
from host_tools.media.srtp import SrtpReceiver
from host_tools.media.traffic_key import TrafficKey, mki_of
from host_tools.terminal.bcast import Refusal, StkmOutcome, Tek
from host_tools.terminal.decision import Decision, Explanation, StkmFeed, StkmView
from host_tools.terminal.media_out import MediaOut
from host_tools.terminal.statistics import PlayStatistics
from host_tools.terminal.stkm_filter import Sighting, StkmFilter

STKM_PORT = 2269  # MIKEY (IANA)
_HELD_PACKETS = 512  # media packets that may wait for their key
_RTCP_TYPES = range(192, 224)  # second byte of RTCP where it shares a port with RTP (RFC 5761 clause 4)


@dataclass(frozen=True, slots=True)
class PlayOptions:
    """How to read a capture.

    Without `media_ports`, whatever looks like RTP is media. `feed_all` gives identical repeats to the card,
    too, which a real terminal does not do. `teks_wanted_once` keeps every further STKM of a TEK that is there from the
    card, as a terminal does with a recording: it saves what a rewind would cost.
    """

    stkm_port: int = STKM_PORT
    media_ports: frozenset[int] = frozenset()
    feed_all: bool = False
    held_packets: int = _HELD_PACKETS
    teks_wanted_once: bool = False


@dataclass(frozen=True, slots=True)
class Hooks:
    """What others want to know: each TEK with its IDs, each datagram's time before it is played, progress.

    `on_decision` hears of every STKM that went to the card, `explain` adds to it. `on_refusal` may cure a refusal; it
    returns True when the STKM is to be fed again, which happens once.
    """

    on_tek: Callable[[MbmsKeyIds, Tek], None] = lambda _ids, _tek: None
    on_time: Callable[[float], None] = lambda _timestamp: None
    on_progress: Callable[[], None] = lambda: None
    on_decision: Callable[[Decision], None] = lambda _decision: None
    explain: Callable[[], Explanation | None] = lambda: None
    on_refusal: Callable[[StkmView, Refusal], bool] = lambda _view, _refusal: False


class Player:
    """Takes datagrams in order of capture and plays them. Use once."""

    def __init__(
        self,
        middleware: StkmFeed,
        out: MediaOut,
        options: PlayOptions | None = None,
        timer: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.statistics = PlayStatistics()
        self._middleware = middleware
        self._out = out
        self._options = options or PlayOptions()
        self._hooks = Hooks()
        self._timer = timer
        self._filter = StkmFilter()
        self._receiver = SrtpReceiver()
        self._held: deque[tuple[bytes, Datagram]] = deque()

    def play(self, datagrams: Iterable[Datagram], hooks: Hooks | None = None) -> PlayStatistics:
        """Play everything and return the counters. Raises `LinkError`, `TerminalError`, `MediaError`."""
        self._hooks = hooks or Hooks()
        for datagram in datagrams:
            self._hooks.on_time(datagram.timestamp)
            if datagram.destination.port == self._options.stkm_port:
                self._take_stkm(datagram.payload)
            elif self._is_media(datagram):
                self._take_media(datagram)
            self._hooks.on_progress()
        self.statistics.packets_without_key += len(self._held)
        self._held.clear()
        self._hooks.on_progress()
        return self.statistics

    def _take_stkm(self, stkm: bytes) -> None:
        try:
            view = StkmView.decode(stkm)
        except DecodeError:
            self.statistics.stkms_unreadable += 1
            return
        self.statistics.stkms_seen += 1
        sighting = self._filter.sight(view.ids, stkm)
        self.statistics.stkms_resent += sighting is not Sighting.NEW
        if self._is_spared(sighting):
            self.statistics.stkms_filtered += 1
            return
        match self._feed_with_remedy(view, stkm, sighting):
            case Tek() as tek:
                self._filter.remember(view.ids, stkm)
                self.statistics.teks += sighting is Sighting.NEW
                self._use(view.ids, tek)
            case refusal:
                self.statistics.refusals[refusal.words] += 1

    def _is_spared(self, sighting: Sighting) -> bool:
        """Tell whether the card need not see an STKM."""
        if sighting is Sighting.RESENT:
            return self._options.teks_wanted_once
        return sighting is Sighting.IDENTICAL and not self._options.feed_all

    def _feed_with_remedy(self, view: StkmView, stkm: bytes, sighting: Sighting) -> StkmOutcome:
        """Feed an STKM, and once more when something was done about a refusal."""
        outcome = self._feed(view, stkm, sighting)
        if isinstance(outcome, Refusal) and self._hooks.on_refusal(view, outcome):
            self.statistics.remedies += 1
            outcome = self._feed(view, stkm, sighting)
        return outcome

    def _feed(self, view: StkmView, stkm: bytes, sighting: Sighting) -> StkmOutcome:
        started = self._timer()
        outcome = self._middleware.feed(stkm)
        self.statistics.add_time(self._timer() - started)
        self.statistics.stkms_fed += 1
        decision = Decision(view, outcome, sighting is not Sighting.NEW, self._hooks.explain())
        self.statistics.count_decision(decision)
        self._hooks.on_decision(decision)
        return outcome

    def _use(self, ids: MbmsKeyIds, tek: Tek) -> None:
        """Hand a TEK to SRTP and play the packets that waited for it."""
        self._hooks.on_tek(ids, tek)
        mki = mki_of(ids.msk_id, ids.mtk_id or b"")
        key = TrafficKey(tek.key) if tek.salt is None else TrafficKey(tek.key, tek.salt)
        self._receiver.add_key(mki, key)
        waiting = [datagram for held_for, datagram in self._held if held_for == mki]
        if waiting:
            self._held = deque(held for held in self._held if held[0] != mki)
        for datagram in waiting:
            self._decrypt(datagram)

    def _is_media(self, datagram: Datagram) -> bool:
        if self._options.media_ports and datagram.destination.port not in self._options.media_ports:
            return False
        return looks_like_rtp(datagram.payload) and datagram.payload[1] not in _RTCP_TYPES

    def _take_media(self, datagram: Datagram) -> None:
        self.statistics.packets_seen += 1
        self._decrypt(datagram)

    def _decrypt(self, datagram: Datagram) -> None:
        try:
            packet = RtpPacket.decode(self._receiver.unprotect(datagram.payload))
        except UnknownTrafficKey as unknown:
            self._hold(unknown.mki, datagram)
        except (SrtpError, RtpError):
            self.statistics.packets_failed += 1
        else:
            self.statistics.packets_decrypted += 1
            self._out.write(packet, datagram)

    def _hold(self, mki: bytes, datagram: Datagram) -> None:
        """Keep a packet until its key comes; the oldest gives way when the window is full."""
        self._held.append((mki, datagram))
        if len(self._held) > self._options.held_packets:
            self._held.popleft()
            self.statistics.packets_without_key += 1
