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
from host_tools.media.errors import ReplayedPacket, RtpError, SrtpError, UnknownTrafficKey
from host_tools.media.pcap import Datagram
from host_tools.media.rtp import RtpPacket, looks_like_rtp
from host_tools.media.srtp import SrtpReceiver
from host_tools.media.srtp_format import HEADEND_FORMAT, SrtpFormat
from host_tools.media.traffic_key import TrafficKey, mki_of
from host_tools.terminal.bcast import Refusal, RefusalReason, StkmOutcome, Tek
from host_tools.terminal.decision import Decision, Explanation, StkmFeed, StkmView
from host_tools.terminal.departure import Departure, Service, TunedServices
from host_tools.terminal.media_out import MediaOut
from host_tools.terminal.mtk_gate import MtkGate
from host_tools.terminal.session_keys import SessionKeys
from host_tools.terminal.statistics import PlayStatistics
from host_tools.terminal.stkm_filter import Sighting, StkmFilter

STKM_PORT = 2269  # MIKEY (IANA)
_HELD_PACKETS = 512  # media packets that may wait for their key
_RTCP_TYPES = range(192, 224)  # second byte of RTCP where it shares a port with RTP (RFC 5761 clause 4)
_OTHER_PORT, _NO_RTP, _RTCP = "to another port", "no RTP", "RTCP"  # why a datagram is no media
_OTHER_INSIDE = "authentic, but no RTP inside"


@dataclass(frozen=True, slots=True)
class PlayOptions:
    """How to read a capture.

    Without `media_ports`, whatever looks like RTP is media. `feed_all` gives identical repeats to the card,
    too, which a real terminal does not do. `teks_wanted_once` keeps every further STKM of a TEK that is there from the
    card, as a terminal does with a recording: it saves what a rewind would cost. `srtp` is the layout of the media.
    """

    stkm_port: int = STKM_PORT
    media_ports: frozenset[int] = frozenset()
    feed_all: bool = False
    held_packets: int = _HELD_PACKETS
    teks_wanted_once: bool = False
    srtp: SrtpFormat = HEADEND_FORMAT


@dataclass(frozen=True, slots=True)
class Hooks:
    """What others want to know: each TEK with its IDs, each datagram's time before it is played, progress.

    `on_decision` hears of every STKM that went to the card, `explain` adds to it. `on_refusal` may cure a refusal; it
    returns True when the STKM is to be fed again, which happens once. `on_departure` hears of every service that was
    left and signalled to the card.
    """

    on_tek: Callable[[MbmsKeyIds, Tek], None] = lambda _ids, _tek: None
    on_time: Callable[[float], None] = lambda _timestamp: None
    on_progress: Callable[[], None] = lambda: None
    on_decision: Callable[[Decision], None] = lambda _decision: None
    explain: Callable[[], Explanation | None] = lambda: None
    on_refusal: Callable[[StkmView, Refusal], bool] = lambda _view, _refusal: False
    on_departure: Callable[[Departure], None] = lambda _departure: None


def leave(services: Iterable[Service], feed: StkmFeed, hooks: Hooks) -> list[Departure]:
    """Signal to the card that services are left; return the result. Raises `LinkError`."""
    departures = [departure for service in services if (departure := feed.leave(service)) is not None]
    for departure in departures:
        hooks.on_departure(departure)
    return departures


class Player:
    """Takes datagrams in order of capture and plays them. Use once.

    The card is told when a service of OMA BCAST is left: when it fell silent while another one goes on, and when
    playing ends. Players that share `tuned` go on with each other's services; then only its owner knows the end.
    A `gate` keeps plain MTK messages from the card that were sent before.
    """

    def __init__(
        self,
        middleware: StkmFeed,
        out: MediaOut,
        options: PlayOptions | None = None,
        timer: Callable[[], float] = time.perf_counter,
        *,
        tuned: TunedServices | None = None,
        gate: MtkGate | None = None,
    ) -> None:
        self.statistics = PlayStatistics()
        self._middleware = middleware
        self._out = out
        self._options = options or PlayOptions()
        self._hooks = Hooks()
        self._timer = timer
        self._filter = StkmFilter()
        self._receiver = SrtpReceiver(self._options.srtp)
        self._held: deque[tuple[bytes, Datagram]] = deque()
        self._tuned = tuned or TunedServices()
        self._owns_the_end = tuned is None
        self._gate = gate
        self._session_keys = SessionKeys()

    def play(self, datagrams: Iterable[Datagram], hooks: Hooks | None = None) -> PlayStatistics:
        """Play everything and return the counters. Raises `LinkError`, `TerminalError`, `MediaError`.

        After an error `statistics` tells what was played before it.
        """
        self._hooks = hooks or Hooks()
        try:
            for datagram in datagrams:
                self._hooks.on_time(datagram.timestamp)
                self._take(datagram)
                self._hooks.on_progress()
        except KeyboardInterrupt:
            self._leave_all()
            raise
        finally:
            for mki, _datagram in self._held:
                self.statistics.count_without_key(mki)
            self._held.clear()
            self._out.flush()
            self._forget(self._session_keys.end())
        self._leave_all()
        self._hooks.on_progress()
        return self.statistics

    def _take(self, datagram: Datagram) -> None:
        self._tuned.hear(datagram.destination.host, datagram.timestamp)
        if datagram.destination.port == self._options.stkm_port:
            self._leave(self._tuned.leave_silent(datagram.timestamp))
            self._take_stkm(datagram)
        elif (reason := self._no_media(datagram)) is None:
            self._take_media(datagram)
        else:
            self.statistics.others[reason] += 1

    def _leave_all(self) -> None:
        if self._owns_the_end:
            self._leave(self._tuned.leave_all())

    def _leave(self, services: Iterable[Service]) -> None:
        for departure in leave(services, self._middleware, self._hooks):
            self.statistics.count_departure(departure)

    def _take_stkm(self, datagram: Datagram) -> None:
        stkm = datagram.payload
        try:
            view = StkmView.decode(stkm, self._middleware.tables)
        except DecodeError:
            self.statistics.stkms_unreadable += 1
            return
        self.statistics.stkms_seen += 1
        sighting = self._filter.sight(view.ids, stkm)
        self.statistics.stkms_resent += self._filter.is_repeat(view.ids)
        if self._is_spared(sighting):
            self.statistics.stkms_filtered += 1
            return
        if self._is_stale(view):
            self.statistics.stkms_stale += 1
            return
        match self._feed_with_remedy(view, stkm, sighting):
            case Tek() as tek:
                self._filter.remember(view.ids, stkm)
                if self._gate is not None:
                    self._gate.took(view.ids, view.timestamp, is_bcast=tek.is_bcast)
                self.statistics.teks += sighting is Sighting.NEW
                self._tune(datagram, view)
                self._keep(view, is_bcast=view.is_bcast or tek.is_bcast)
                self._use(view.ids, tek)
            case refusal:
                self.statistics.refusals[refusal.words] += 1
                if refusal.reason is RefusalReason.UNKNOWN_KEY:
                    self._forget(self._session_keys.drop_msk(view.ids))

    def _keep(self, view: StkmView, *, is_bcast: bool) -> None:
        """Make room for a new MTK. TEKs of OMA BCAST are kept as SRTP keeps them: they may come again in any order."""
        if not is_bcast:
            self._forget(self._session_keys.add(view.ids))

    def _forget(self, mkis: Iterable[bytes]) -> None:
        for mki in mkis:
            self._receiver.forget_key(mki)

    def _tune(self, datagram: Datagram, view: StkmView) -> None:
        """Note that a service is played; a plain MBMS one means nothing to the command that signals events."""
        if view.is_bcast:
            service = Service(view.ids.key_domain_id, view.ids.key_group)
            self._tuned.tune(datagram.destination.host, service, datagram.timestamp)

    def _is_spared(self, sighting: Sighting) -> bool:
        """Tell whether the card need not see an STKM."""
        if sighting is Sighting.RESENT:
            return self._options.teks_wanted_once
        return sighting is Sighting.IDENTICAL and not self._options.feed_all

    def _is_stale(self, view: StkmView) -> bool:
        """Tell whether a message of a plain MBMS key was sent before, so that the card would refuse it."""
        if self._gate is None or view.is_bcast or self._options.feed_all:
            return False
        return self._gate.judge(view.ids, view.timestamp) is not None

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
        if not key.is_playable:
            self.statistics.teks_unplayable += 1
            return
        self._receiver.add_key(mki, key)
        waiting, self._held = self._held, deque()
        for _mki, datagram in waiting:
            self._decrypt(datagram, mki)

    def _no_media(self, datagram: Datagram) -> str | None:
        """Return why a datagram is no media packet, None where it is one."""
        if self._options.media_ports and datagram.destination.port not in self._options.media_ports:
            return _OTHER_PORT
        if not looks_like_rtp(datagram.payload):
            return _NO_RTP
        return _RTCP if datagram.payload[1] in _RTCP_TYPES else None

    def _take_media(self, datagram: Datagram) -> None:
        self.statistics.packets_seen += 1
        self._decrypt(datagram)

    def _decrypt(self, datagram: Datagram, newest: bytes | None = None) -> None:
        """Play a packet, or hold it; one that was held is tried with the `newest` key."""
        try:
            packet = RtpPacket.decode(self._receiver.unprotect(datagram.payload, newest))
        except UnknownTrafficKey as unknown:
            self._hold(unknown.mki, datagram)
        except ReplayedPacket:
            self.statistics.packets_repeated += 1
        except SrtpError as error:
            self.statistics.failures[str(error)] += 1
        except RtpError:
            self.statistics.failures[_OTHER_INSIDE] += 1
        else:
            self.statistics.packets_decrypted += 1
            self._out.write(packet, datagram)

    def _hold(self, mki: bytes, datagram: Datagram) -> None:
        """Keep a packet until its key comes; the oldest gives way when the window is full."""
        self._held.append((mki, datagram))
        if len(self._held) > self._options.held_packets:
            self.statistics.count_without_key(self._held.popleft()[0])
