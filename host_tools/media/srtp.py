"""SRTP with the traffic keys of the key ladder (RFC 3711), on top of libsrtp.

Profile: AES_CM_128_HMAC_SHA1_80; the TEK is the master key (16 bytes), the salt of the STKM the master salt
(14).

Two things pylibsrtp does not offer are done here. The MKI, which tells the receiver under which TEK a packet
is: it stands between the encrypted payload and the authentication tag and is not authenticated (RFC 3711
clause 3.1), so it is put in after `protect` and taken out before `unprotect`. And the roll-over counter
(ROC): it goes on counting when the key changes, but libsrtp starts every new key at zero and pylibsrtp has no
call to set it. A new session is therefore walked to the right packet index with empty packets that never
leave this module.

No packet carries the ROC. A receiver that tunes in late finds it by the authentication tag
(`host_tools.media.roc`). The limit that remains: beyond 1024 wraps of the sequence number (two weeks of
audio) nothing authenticates.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TypeVar

from pylibsrtp import Error as LibsrtpError
from pylibsrtp import Policy, Session

from host_tools.media.errors import SrtpError, UnknownTrafficKey
from host_tools.media.roc import find_roc
from host_tools.media.traffic_key import MKI_SIZE, TrafficKey, mki_of

__all__ = ["MKI_SIZE", "TAG_SIZE", "SrtpReceiver", "SrtpSender", "TrafficKey", "mki_of", "read_mki"]

TAG_SIZE = 10

_RTP_HEADER = 12
_SEQUENCES = 1 << 16
_LONGEST_STEP = 30_000  # libsrtp recognises a wrap when the sequence number moves less than half its range
_REPLAY_WINDOW = 128
_KEYS_KEPT = 64
_SEARCHES = 64
_SOURCES_KEPT = 64

_V = TypeVar("_V")


def read_mki(packet: bytes) -> bytes:
    """Return the MKI (6 bytes) of a protected packet. Raises `SrtpError` when it is too short."""
    if len(packet) < _RTP_HEADER + MKI_SIZE + TAG_SIZE:
        raise SrtpError(f"{len(packet)} bytes are too few for an SRTP packet with MKI")
    return packet[-TAG_SIZE - MKI_SIZE : -TAG_SIZE]


class SrtpSender:
    """Protects the packets of one RTP source, whose key may change at any packet."""

    def __init__(self) -> None:
        self._index = _PacketIndex()
        self._mki = b""
        self._session: Session | None = None

    def protect(self, packet: bytes, mki: bytes, key: TrafficKey) -> bytes:
        """Return the SRTP packet, 16 bytes longer, for an RTP packet of at most 1356 bytes.

        `mki` (6 bytes) names `key`; another name than the last packet's starts a new key. Raises `SrtpError`.
        """
        index = self._index.of(_sequence(packet))
        if self._session is None or mki != self._mki:
            self._session, self._mki = _sender_at(key, _ssrc(packet), index), mki
        protected = _run(self._session.protect, packet)
        self._index.reach(index)
        return protected[:-TAG_SIZE] + mki + protected[-TAG_SIZE:]


class SrtpReceiver:
    """Unprotects packets of any number of sources with traffic keys that come in as time goes by.

    Keeps the 64 newest keys and the 64 newest sources, so that a hostile capture cannot fill the memory.
    """

    def __init__(self) -> None:
        self._keys: OrderedDict[bytes, _KeySessions] = OrderedDict()
        self._sources: OrderedDict[bytes, _PacketIndex] = OrderedDict()
        self._searches_left = _SEARCHES

    def add_key(self, mki: bytes, key: TrafficKey) -> None:
        """Take the key named `mki` (6 bytes); the same again changes nothing. Raises `SrtpError`."""
        if len(mki) != MKI_SIZE:
            raise SrtpError(f"an MKI has {MKI_SIZE} bytes, not {len(mki)}")
        known = self._keys.get(mki)
        if known is None or known.key != key:
            key.master()
            _keep_newest(self._keys, mki, _KeySessions(key), _KEYS_KEPT)

    def has_key(self, mki: bytes) -> bool:
        """Tell whether the key named `mki` is here."""
        return mki in self._keys

    def unprotect(self, packet: bytes) -> bytes:
        """Return the RTP packet inside an SRTP packet of at most 1500 bytes.

        Raises `UnknownTrafficKey` when the key it names is not here, `SrtpError` when it does not
        authenticate or was seen before. A packet that fails leaves no trace.
        """
        mki = read_mki(packet)
        key_sessions = self._keys.get(mki)
        if key_sessions is None:
            raise UnknownTrafficKey(mki)
        ssrc, bare = _ssrc(packet), packet[: -TAG_SIZE - MKI_SIZE] + packet[-TAG_SIZE:]
        source = self._sources.get(ssrc) or _PacketIndex()
        index = source.of(_sequence(packet))
        session = key_sessions.session(ssrc, index)
        try:
            plain = _run(session.unprotect, bare)
        except SrtpError:
            found = self._search(bare, key_sessions.key)
            if found is None or found == index:
                raise
            index = found
            session = _receiver_at(key_sessions.key, ssrc, index)
            plain = _run(session.unprotect, bare)
        source.reach(index)
        _keep_newest(self._sources, ssrc, source, _SOURCES_KEPT)
        _keep_newest(key_sessions.by_source, ssrc, session, _SOURCES_KEPT)
        return plain

    def _search(self, bare: bytes, key: TrafficKey) -> int | None:
        """Return the index under which a packet authenticates, or `None`.

        A search is dear, so too many in vain, as in a flood of forged packets, end them.
        """
        if not self._searches_left:
            return None
        roc = find_roc(bare, TAG_SIZE, key)
        self._searches_left = self._searches_left - 1 if roc is None else _SEARCHES
        return None if roc is None else roc * _SEQUENCES + _sequence(bare)


class _PacketIndex:
    """Follows the 48-bit packet index of one source across keys (RFC 3711 clause 3.3.1)."""

    def __init__(self) -> None:
        self._highest: int | None = None

    def of(self, sequence: int) -> int:
        """Return the index that a packet with this sequence number most likely has."""
        if self._highest is None:
            return sequence
        half = _SEQUENCES // 2
        distance = (sequence - self._highest + half) % _SEQUENCES - half
        return max(self._highest + distance, sequence)

    def reach(self, index: int) -> None:
        """Take note that a packet with this index was good."""
        self._highest = index if self._highest is None else max(self._highest, index)


class _KeySessions:
    """The receiving sessions of one key, one for each source that was heard under it."""

    def __init__(self, key: TrafficKey) -> None:
        self.key = key
        self.by_source: OrderedDict[bytes, Session] = OrderedDict()

    def session(self, ssrc: bytes, index: int) -> Session:
        """Return the session for this source, a new one when it was not heard under this key before."""
        return self.by_source.get(ssrc) or _receiver_at(self.key, ssrc, index)


def _sender_at(key: TrafficKey, ssrc: bytes, index: int) -> Session:
    """Return a sending session whose next packet may have this index."""
    session = Session(Policy(key=key.master(), ssrc_type=Policy.SSRC_ANY_OUTBOUND))
    for packet in _walk(ssrc, index):
        _run(session.protect, packet)
    return session


def _receiver_at(key: TrafficKey, ssrc: bytes, index: int) -> Session:
    """Return a receiving session whose next packet may have this index."""
    session = Session(Policy(key=key.master(), ssrc_type=Policy.SSRC_ANY_INBOUND))
    sender = _sender_at(key, ssrc, 0)
    for packet in _walk(ssrc, index):
        _run(session.unprotect, _run(sender.protect, packet))
    return session


def _walk(ssrc: bytes, index: int) -> Iterator[bytes]:
    """Yield empty RTP packets that lead from index 0 to just outside the replay window of `index`."""
    if index < _SEQUENCES:
        return
    end = index - _REPLAY_WINDOW - 1
    for step in (*range(_LONGEST_STEP, end, _LONGEST_STEP), end):
        yield b"\x80\x00" + (step % _SEQUENCES).to_bytes(2, "big") + bytes(4) + ssrc


def _run(operation: Callable[[bytes], bytes], packet: bytes) -> bytes:
    """Let libsrtp work on a packet. Raises `SrtpError` with libsrtp's reason."""
    try:
        return bytes(operation(packet))
    except (LibsrtpError, ValueError) as error:
        raise SrtpError(str(error)) from None


def _sequence(packet: bytes) -> int:
    if len(packet) < _RTP_HEADER:
        raise SrtpError(f"{len(packet)} bytes are too few for an RTP packet")
    return int.from_bytes(packet[2:4], "big")


def _ssrc(packet: bytes) -> bytes:
    return packet[8:12]


def _keep_newest(kept: OrderedDict[bytes, _V], name: bytes, value: _V, limit: int) -> None:
    """Put `value` at the new end of `kept` and drop what exceeds `limit` at the old one."""
    kept[name] = value
    kept.move_to_end(name)
    while len(kept) > limit:
        kept.popitem(last=False)
