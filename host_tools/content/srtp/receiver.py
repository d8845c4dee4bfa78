"""SRTP with the traffic keys of the key ladder (RFC 3711), on top of libsrtp.

The TEK is the master key (16 bytes), the salt of the STKM the master salt (14); `srtp_format` says which suite and
which MKI the packets have.

Two things pylibsrtp does not offer are done here. The MKI, which tells the receiver under which TEK a packet
is, is put in after `protect` and taken out before `unprotect`. And the roll-over counter (ROC): it goes on counting
when the key changes, but libsrtp starts every new key at zero (`host_tools.content.srtp.session` begins elsewhere).

No packet carries the ROC. A receiver that tunes in late finds it by the authentication tag
(`host_tools.content.srtp.roc`). The limit that remains: beyond 1024 wraps of the sequence number (two weeks of
audio) nothing authenticates. By its tag, too, the key of a packet is found that does not name one, or names it in
another way than we know.

A source that starts anew under another key is followed. Under the same key, an index below those that came is a copy or
too old to tell (RFC 3711 clause 3.3.2): it is refused as such, wherever the sequence numbers jump.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from typing import TypeVar

from host_tools.content.rtp import HEADER_SIZE, PLAIN, RTCP_TYPES, SEQUENCES, RtpPacket, read_header
from host_tools.content.srtp.errors import ReplayedPacket, SrtpError, UnknownTrafficKey
from host_tools.content.srtp.format import MKI_SIZE, SrtpFormat, SrtpSuite
from host_tools.content.srtp.roc import Authenticator
from host_tools.content.srtp.session import LARGEST_PACKET, TOO_LONG, Session, SessionMaker
from host_tools.content.traffic_key import TrafficKey

TAG_SIZE = SrtpSuite.AES_CM_128_HMAC_SHA1_80.tag_size

_HALF = SEQUENCES // 2
_KEYS_KEPT = 64
_KEYS_TRIED = 32  # of the keys kept, for a packet that names none
_KEYS_SEARCHED = 8  # of those, at any roll-over counter
_SEARCHES = 256  # in vain, until another key comes
_SEARCHES_OF_SOURCE = 4  # of those, for packets of one source: a damaged one must not spoil what follows it
_STRANGER_TRIALS = 8  # packets in a row after which an MKI that names no key is taken at its word
_SOURCES_KEPT = 256
_REPLAY = "replay check failed: the packet came before, or its source was further under this key"

_N = TypeVar("_N")
_V = TypeVar("_V")


class SrtpSender:
    """Protects the packets of one RTP source, whose key may change at any packet."""

    def __init__(self, packet_format: SrtpFormat) -> None:
        self._mki_size, self._tag_size = packet_format.mki_size, packet_format.suite.tag_size
        self._index = _PacketIndex()
        self._maker = SessionMaker(packet_format.suite)
        self._key: TrafficKey | None = None
        self._session: Session | None = None

    def protect(self, packet: bytes, mki: bytes, key: TrafficKey) -> bytes:
        """Return the SRTP packet, longer by MKI and tag and then of at most 65,507 bytes, for an RTP packet.

        `mki` goes into the packet and has the size that the format says. Its index follows from those before, the first
        has not wrapped yet. Raises `SrtpError`.
        """
        index = self._index.of(_sequence(packet))
        protected = self.protect_at(index, packet, mki, key)
        self._index.reach(index)
        return protected

    def protect_at(self, index: int, packet: bytes, mki: bytes, key: TrafficKey) -> bytes:
        """Do the same for a packet of this index: its sequence number, and 65,536 for each time it wrapped before."""
        if self._session is None or key is not self._key:
            if self._session is None or key != self._key:
                self._session = self._maker.sender(key, _ssrc(packet), index)
            self._key = key
        if len(mki) != self._mki_size:
            raise SrtpError(f"an MKI has {self._mki_size} bytes here, not {len(mki)}")
        return self._session.protect_with(packet, mki, self._tag_size)


class SrtpReceiver:
    """Unprotects packets of any number of sources with traffic keys that come in as time goes by.

    Keeps the 64 newest keys and the 256 newest sources, so that a hostile capture cannot fill the memory. A packet
    whose MKI does not name the right key is tried with the last key of its source and then with the newest 32.
    """

    def __init__(self, packet_format: SrtpFormat) -> None:
        self._format = packet_format
        self._names_key = packet_format.names_key
        self._trailer = packet_format.mki_size + packet_format.suite.tag_size
        self._maker = SessionMaker(packet_format.suite)
        self._keys: OrderedDict[bytes, _KeySessions] = OrderedDict()
        self._sources: OrderedDict[int, _Source] = OrderedDict()
        self._searches_left = _SEARCHES
        self._found: set[int] = set()  # sources whose roll-over counter was found since the newest key came
        self._in_vain: Counter[int] = Counter()  # searches in vain since then, by source
        self._strangers: OrderedDict[bytes, int] = OrderedDict()  # trials in vain, by MKI, since the newest key came

    def add_key(self, mki: bytes, key: TrafficKey) -> None:
        """Take the key named `mki` (6 bytes); the same again changes nothing. Raises `SrtpError`."""
        if len(mki) != MKI_SIZE:
            raise SrtpError(f"an MKI has {MKI_SIZE} bytes, not {len(mki)}")
        known = self._keys.get(mki)
        if known is None or known.key != key:
            _keep_newest(self._keys, mki, _KeySessions(key, self._format.suite), _KEYS_KEPT)
            self._searches_left = _SEARCHES
            self._found.clear()
            self._in_vain.clear()
            self._strangers.clear()

    def forget_key(self, mki: bytes) -> None:
        """Drop the key named `mki` and what came from it; nothing where it is not here."""
        gone = self._keys.pop(mki, None)
        for source in self._sources.values():
            if source.keys is gone:
                source.keys = None

    def has_key(self, mki: bytes) -> bool:
        """Tell whether the key named `mki` is here."""
        return mki in self._keys

    def unprotect(self, packet: bytes, newest: bytes | None = None) -> bytes:
        """Return the RTP packet inside an SRTP packet of at most 65,507 bytes.

        `newest` spares a packet that was tried before the keys that did not fit it: it is the MKI of the one key that
        came since. Raises `UnknownTrafficKey` when the packet names no key that is here and none fits,
        `ReplayedPacket` when it was seen before, `SrtpError` when it does not authenticate. A packet that fails
        leaves no trace.
        """
        if len(packet) > LARGEST_PACKET:
            raise SrtpError(TOO_LONG)
        mki, bare = self._format.split(packet)
        ssrc = _ssrc(bare)
        source = self._sources.get(ssrc) or _Source()
        guess = source.index.of(_sequence(bare))
        keys = self._keys.get(mki) if self._names_key else None
        if keys is not None:
            plain = self._open_named(keys, source, bare, guess)
        else:
            keys, index = self._fitting(mki, source, bare, guess, newest)
            plain = self._open(keys, source, bare, index, guess)
        _keep_newest(self._sources, ssrc, source, _SOURCES_KEPT)
        return plain

    def open_next(self, packet: bytes) -> RtpPacket | None:
        """Return the RTP packet inside the very next packet of a source under the key of the one before.

        That is what nearly all packets are. None leaves every other one as it is to `unprotect`, which gives the same
        for these.
        """
        size = len(packet)
        start = size - self._trailer
        if start < HEADER_SIZE or size > LARGEST_PACKET or not self._names_key:
            return None
        flags, kind, sequence, timestamp, ssrc = read_header(packet)
        if flags != PLAIN or kind in RTCP_TYPES:
            return None
        end = start + MKI_SIZE
        source, keys = self._sources.get(ssrc), self._keys.get(packet[start:end])
        if source is None or keys is None or source.keys is not keys:
            return None
        heard, index = keys.by_source.get(ssrc), source.index.highest + 1
        if heard is None or heard.highest + 1 != index or index % SEQUENCES != sequence:
            return None
        payload = heard.session.payload(packet, start, end)
        if payload is None:
            return None
        heard.highest = source.index.highest = index
        keys.by_source.move_to_end(ssrc)
        self._sources.move_to_end(ssrc)
        return RtpPacket(kind & 0x7F, sequence, timestamp, ssrc, payload, kind > 0x7F)

    def _open_named(self, named: _KeySessions, source: _Source, bare: bytes, index: int) -> bytes:
        """Return what is in a packet whose MKI names a key; in another layout the name may be that of a wrong key."""
        try:
            return self._open(named, source, bare, index, index)
        except ReplayedPacket:
            raise
        except SrtpError:
            other = _tagged(self._likely(source), bare, index)
            if other is None or other is named:
                raise
            return self._open(other, source, bare, index, index)

    def _likely(self, source: _Source) -> list[_KeySessions]:
        newest = list(reversed(self._keys.values()))[:_KEYS_TRIED]
        return newest if source.keys is None else [source.keys, *newest]

    def _fitting(
        self, mki: bytes, source: _Source, bare: bytes, index: int, newest: bytes | None
    ) -> tuple[_KeySessions, int]:
        """Return the key under which a packet authenticates, and the packet's index. Raises `UnknownTrafficKey`."""
        # Where the roll-over counter of a source has just been found, older keys may fit its packets, too.
        only = None if newest is None or _ssrc(bare) in self._found else self._keys.get(newest)
        if only is None and self._strangers.get(mki, 0) >= _STRANGER_TRIALS:
            raise UnknownTrafficKey(mki)
        keys = _tagged(self._likely(source) if only is None else [only], bare, index)
        if keys is not None:
            self._strangers.pop(mki, None)
            return keys, index
        if self._format.names_key:
            if only is None:
                _keep_newest(self._strangers, mki, self._strangers.get(mki, 0) + 1, _KEYS_KEPT)
            raise UnknownTrafficKey(mki)
        return self._search_all(mki, source, bare)

    def _search_all(self, mki: bytes, source: _Source, bare: bytes) -> tuple[_KeySessions, int]:
        """Search with the newest keys, in vain a few times for each source until another key comes."""
        ssrc = _ssrc(bare)
        if self._searches_left and self._in_vain[ssrc] < _SEARCHES_OF_SOURCE:
            for keys in self._likely(source)[:_KEYS_SEARCHED]:
                found = self._search(bare, keys)
                if found is not None:
                    self._found.add(ssrc)
                    return keys, found
            self._in_vain[ssrc] += 1
        raise UnknownTrafficKey(mki)

    def _open(self, keys: _KeySessions, source: _Source, bare: bytes, index: int, guess: int) -> bytes:
        """Return what is in a packet of this index, and note in `source` how it was found. Raises `SrtpError`.

        `guess` is the index that the packets before let expect.
        """
        ssrc = _ssrc(bare)
        heard = keys.by_source.get(ssrc)
        if heard is None:
            heard = _SourceSession(self._maker.receiver(keys.key, ssrc, index))
        try:
            plain = heard.session.convert(bare)
        except SrtpError:
            # Where libsrtp stands wrong, and whether it took a good packet before, the packet's true index tells.
            is_there = keys.authenticator.fits(bare, index // SEQUENCES)
            found = index if is_there else self._search(bare, keys)
            if found is None:
                raise
            if found <= heard.highest:
                raise ReplayedPacket(_REPLAY) from None
            index = found
            heard = _SourceSession(self._maker.receiver(keys.key, ssrc, index))
            plain = heard.session.convert(bare)
        if index > heard.highest:
            heard.highest = index
        source.index.reach(index, anew=index != guess)
        source.keys = keys
        _keep_newest(keys.by_source, ssrc, heard, _SOURCES_KEPT)
        return plain

    def _search(self, bare: bytes, keys: _KeySessions) -> int | None:
        """Return the index under which a packet authenticates, or `None`.

        A search is dear, so too many in vain, as in a flood of forged packets, end them until a new key comes.
        """
        if not self._searches_left:
            return None
        roc = keys.authenticator.find_roc(bare)
        self._searches_left = self._searches_left - 1 if roc is None else _SEARCHES
        return None if roc is None else roc * SEQUENCES + _sequence(bare)


class _PacketIndex:
    """Follows the 48-bit packet index of one source across keys (RFC 3711 clause 3.3.1); `highest` is -1 at first."""

    __slots__ = ("highest",)

    def __init__(self) -> None:
        self.highest = -1

    def of(self, sequence: int) -> int:
        """Return the index that a packet with this sequence number most likely has."""
        if self.highest < 0:
            return sequence
        index = self.highest + (sequence - self.highest + _HALF) % SEQUENCES - _HALF
        return index if index > sequence else sequence

    def reach(self, index: int, *, anew: bool = False) -> None:
        """Take note that a packet with this index was good; `anew`: the source goes on from there, also backwards."""
        if anew or index > self.highest:
            self.highest = index


class _Source:
    """What is known of one source: how far it has come, and the key of its newest packet."""

    __slots__ = ("index", "keys")

    def __init__(self) -> None:
        self.index = _PacketIndex()
        self.keys: _KeySessions | None = None


class _SourceSession:
    """The receiving session of one source under one key, and the highest index that was opened with it."""

    __slots__ = ("highest", "session")

    def __init__(self, session: Session) -> None:
        self.session = session
        self.highest = -1


class _KeySessions:
    """The receiving sessions of one key, one for each source that was heard under it."""

    def __init__(self, key: TrafficKey, suite: SrtpSuite) -> None:
        self.key = key
        self.authenticator = Authenticator(key, suite.tag_size)
        self.by_source: OrderedDict[int, _SourceSession] = OrderedDict()


def _tagged(likely: Iterable[_KeySessions], bare: bytes, index: int) -> _KeySessions | None:
    """Return the first key whose authentication tag a packet of this index carries."""
    return next((keys for keys in likely if keys.authenticator.fits(bare, index // SEQUENCES)), None)


def _sequence(packet: bytes) -> int:
    if len(packet) < HEADER_SIZE:
        raise SrtpError("too short for an RTP packet")
    return packet[2] << 8 | packet[3]


def _ssrc(packet: bytes) -> int:
    return int.from_bytes(packet[8:12], "big")


def _keep_newest(kept: OrderedDict[_N, _V], name: _N, value: _V, limit: int) -> None:
    """Put `value` at the new end of `kept` and drop what exceeds `limit` at the old one."""
    kept[name] = value
    kept.move_to_end(name)
    if len(kept) > limit:
        kept.popitem(last=False)
