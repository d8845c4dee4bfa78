"""A second protection plays, is recorded and replayed without a change in the product: it is registered, no more."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from card.codec.bcast import StkmManagement
from card.codec.mikey import MbmsKeyIds
from card.crypto.secret import Secret
from card.spec.bcast.p1 import P1
from card.spec.bcast.tables import TrafficProtection
from host_tools.content.captures.pcap import CaptureWriter, Datagram, Endpoint, open_capture
from host_tools.content.containers.index import RecordingIndex
from host_tools.content.containers.recording import open_recording, record_to
from host_tools.content.known import KNOWN
from host_tools.content.protection import NeedsKey, OpenedFile
from host_tools.content.registry import Protections
from host_tools.content.rtp import RtpPacket
from host_tools.content.sinks.g711 import decode_mulaw
from host_tools.content.sinks.media_out import MediaOut
from host_tools.content.srtp.format import HEADEND_FORMAT
from host_tools.content.srtp.receiver import SrtpSender
from host_tools.content.stkm_name import tek_name
from host_tools.content.traffic_key import TrafficKey
from host_tools.headend.stkm import StkmContent, seal_stkm
from host_tools.terminal.bcast import Refusal, RefusalReason, StkmOutcome, Tek
from host_tools.terminal.card_stkm import CardStkmView
from host_tools.terminal.departure import Service
from host_tools.terminal.key_source import StkmView
from host_tools.terminal.player import Player, PlayOptions
from host_tools.terminal.replay import Replay, Segment
from host_tools.terminal.statistics import PlayStatistics
from tests.unit.host_tools.content.toy import NUMBER, TOY, TOYS, WRONG, ToyFileFormat, ToyFormat

HERE, STKM_PORT = Endpoint("10.0.0.1", 4000), 2269
DOMAIN = bytes.fromhex("00F110")
TOY_HOST, SRTP_HOST = "239.1.1.1", "239.1.1.2"
TOY_PORT, SRTP_PORT = 5004, 5006
FRAMES = [bytes([number]) * 160 for number in range(1, 7)]


def ids(group: int, number: int) -> MbmsKeyIds:
    return MbmsKeyIds(DOMAIN, bytes((0, group, 0, 1)), number.to_bytes(2, "big"))


def named(key: MbmsKeyIds) -> bytes:
    return tek_name(key.msk_id, key.mtk_id or b"")


def key_of(name: MbmsKeyIds, salt_size: int) -> TrafficKey:
    return TrafficKey(Secret((named(name) * 3)[:16]), Secret(bytes(range(salt_size))))


class KeysOf:
    """A key source in software: it knows the TEKs, and STKMs only name them."""

    def __init__(self, keys: dict[bytes, TrafficKey]) -> None:
        self._keys = keys
        self.left: list[Service] = []

    def read(self, stkm: bytes) -> StkmView:
        return CardStkmView.decode(stkm, P1)

    def feed(self, stkm: bytes) -> StkmOutcome:
        key = self._keys.get(self.read(stkm).key_name)
        if key is None:
            return Refusal(RefusalReason.UNKNOWN_KEY, "no key")
        return Tek(key.tek, key.salt, is_bcast=True)

    def leave(self, service: Service) -> None:
        self.left.append(service)


def stkm(name: MbmsKeyIds, at: float, host: str, protection: int) -> Datagram:
    management = StkmManagement(traffic_protection_protocol=protection).to_extension(P1)
    content = StkmContent(name, Secret(bytes(16)), None, int(at * 100) + 1, management)
    return Datagram(at, HERE, Endpoint(host, STKM_PORT), seal_stkm(content, Secret(bytes(16)), 1, bytes(16)))


def rtp(number: int, ssrc: int) -> RtpPacket:
    return RtpPacket(0, number, 160 * number, ssrc, FRAMES[number])


def toys(layout: ToyFormat = TOY) -> Iterator[Datagram]:
    """Yield a toy broadcast: two TEKs, three packets under each; the first packet comes before its STKM."""
    for number, frame in enumerate(FRAMES):
        name = ids(1, number // 3)
        payload = layout.protect(rtp(number, 1), named(name), key_of(name, 3))
        media = Datagram(1 + number, HERE, Endpoint(TOY_HOST, TOY_PORT), payload)
        message = stkm(name, 1 + number, TOY_HOST, NUMBER)
        yield from (media, message) if number == 0 else (message, media) if number == 3 else (media,)
        assert frame not in payload


def srtp() -> Iterator[Datagram]:
    name, sender = ids(2, 9), SrtpSender(HEADEND_FORMAT)
    yield stkm(name, 1, SRTP_HOST, TrafficProtection.SRTP)
    for number in range(len(FRAMES)):
        protected = sender.protect(rtp(number, 2).encode(), named(name), key_of(name, 14))
        yield Datagram(1 + number, HERE, Endpoint(SRTP_HOST, SRTP_PORT), protected)


@pytest.fixture
def source() -> KeysOf:
    names = [(ids(1, 0), 3), (ids(1, 1), 3), (ids(2, 9), 14)]
    return KeysOf({named(name): key_of(name, size) for name, size in names})


def write(path: Path, datagrams: Iterable[Datagram]) -> Path:
    with path.open("wb") as file:
        writer = CaptureWriter(file)
        for datagram in datagrams:
            writer.write(datagram)
    return path


def play(source: KeysOf, datagrams: Iterable[Datagram], protections: Protections = TOYS) -> PlayStatistics:
    return Player(source, MediaOut(), PlayOptions(protections)).play(datagrams)


def heard(out: MediaOut, port: int) -> bytes:
    """Return the samples of the one file of a port."""
    (path,) = (stream.sink.path for stream in out.streams if stream.sink and stream.destination.port == port)
    with wave.open(str(path)) as file:
        return bytes(file.readframes(file.getnframes()))


def test_a_capture_of_two_protections_becomes_sound(source: KeysOf, tmp_path: Path) -> None:
    both = sorted([*toys(), *srtp()], key=lambda datagram: datagram.timestamp)
    out = MediaOut(tmp_path / "heard")
    with open_capture(write(tmp_path / "both.pcap", both)) as capture, closing(out):
        result = Player(source, out, PlayOptions(TOYS)).play(capture)
    assert (result.teks, result.packets_decrypted, result.packets_shut, result.others) == (3, 12, 0, {})
    sound = b"".join(map(decode_mulaw, FRAMES))
    assert heard(out, TOY_PORT) == heard(out, SRTP_PORT) == sound
    assert source.left == [Service(DOMAIN, b"\0\1"), Service(DOMAIN, b"\0\2")]


def test_a_recording_says_its_protection_and_plays(source: KeysOf, tmp_path: Path) -> None:
    marked, path = ToyFormat(b"other mark"), tmp_path / "film.bcrec"
    with record_to(path, "film", STKM_PORT, protection=marked) as writer:
        for datagram in [*toys(marked), *srtp()]:
            writer.take(datagram)
    assert writer.index().packets == len(FRAMES)
    out = MediaOut(tmp_path / "heard")
    with open_recording(path, TOYS) as content, closing(out):
        assert content.index.protection == marked
        played = Replay(content, source, out).play(Segment())
    assert (played.teks, played.packets_decrypted, played.packets_shut) == (2, 6, 0)
    assert heard(out, TOY_PORT) == b"".join(map(decode_mulaw, FRAMES))


def test_a_recording_of_an_unknown_protection_is_refused_by_name(tmp_path: Path) -> None:
    with record_to(tmp_path / "film", "film", STKM_PORT, protection=TOY) as writer:
        pass
    with pytest.raises(ValueError, match="protected with 'toy'; known here: srtp"):
        RecordingIndex.parse(writer.index().to_json(), KNOWN)


def test_each_answer_of_an_opener_is_counted(source: KeysOf) -> None:
    datagrams = list(toys())
    damaged = datagrams[-1].payload[:-1] + bytes((datagrams[-1].payload[-1] ^ 1,))
    stranger = TOY.protect(rtp(0, 1), b"nobody", key_of(ids(1, 0), 3))
    more = [Datagram(9, HERE, Endpoint(TOY_HOST, TOY_PORT), raw) for raw in (damaged, stranger, b"\x80" * 40)]
    result = play(source, [*datagrams, datagrams[-1], *more])
    assert (result.packets_decrypted, result.packets_repeated) == (6, 1)
    assert (result.failures, result.missing_keys, result.others) == ({WRONG: 1}, {b"nobody": 1}, {"no toy": 1})


def test_a_key_that_a_protection_cannot_use_is_said() -> None:
    name = ids(1, 0)
    source = KeysOf({named(name): key_of(name, 14)})
    result = play(source, toys())
    assert result.unplayable == {"a toy wants a salt of three bytes": 1}
    assert result.packets_decrypted == 0


def test_a_protection_that_is_not_registered_is_no_srtp(source: KeysOf) -> None:
    result = play(source, toys(), KNOWN)
    assert result.unplayable == {f"the STKM names traffic protection {NUMBER}, which is not known here": 2}
    assert (result.packets_seen, result.others) == (0, {"no RTP": 6})


def test_a_protected_file_is_found_by_how_it_begins() -> None:
    name, text = ids(1, 0), "hello broadcast file"
    key = key_of(name, 3)
    raw = ToyFileFormat().protect(text, named(name), key)
    assert TOYS.of_file(b"\0\0\0\x14ftypodcf") is None
    found = TOYS.of_file(raw[:64])
    assert found is not None
    opener = found.opener()
    assert opener.open(io.BytesIO(raw)) == NeedsKey(named(name))
    opener.add_key(named(name), key)
    opened = opener.open(io.BytesIO(raw))
    assert isinstance(opened, OpenedFile)
    assert (opened.media_type, b"".join(opened.pieces)) == ("text/plain", text.encode())


def test_the_layout_that_a_user_names_is_that_of_its_kind_only() -> None:
    other = ToyFormat(b"other")
    changed = TOYS.with_layout(other)
    assert (changed.of_stkm(NUMBER), changed.of_stkm(None)) == (other, HEADEND_FORMAT)
    inside = TOYS.inside(other)
    assert (inside.of_stkm(TrafficProtection.SRTP), inside.of_stkm(7), inside.usual) == (other, other, other)
