"""The player: which STKMs reach the card, which packets get decrypted, and what is counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from card.codec.mikey import MbmsKeyIds
from card.crypto.secret import Secret
from card.spec.bcast.p1 import P1
from host_tools.chronicle.chronicler import Chronicler
from host_tools.content.captures.pcap import Datagram, Endpoint
from host_tools.content.known import KNOWN
from host_tools.content.rtp import RtpPacket
from host_tools.content.sinks.media_out import MediaOut
from host_tools.content.srtp.errors import NOT_AUTHENTIC
from host_tools.content.srtp.format import HEADEND_FORMAT, MKI_SIZE, SrtpFormat, SrtpSuite
from host_tools.content.srtp.protection import SrtpOpener
from host_tools.content.srtp.receiver import SrtpSender
from host_tools.content.srtp.roc import Authenticator
from host_tools.content.stkm_name import tek_name
from host_tools.content.traffic_key import TrafficKey
from host_tools.headend.stkm import StkmContent, seal_stkm
from host_tools.links.base import ReaderGone
from host_tools.sessions.telling import Teller
from host_tools.terminal.absent import WithoutKey
from host_tools.terminal.bcast import Refusal, RefusalReason, StkmOutcome, Tek
from host_tools.terminal.card_stkm import CardStkmView
from host_tools.terminal.departure import Departure, Service
from host_tools.terminal.key_source import StkmView
from host_tools.terminal.player import Hooks, Player, PlayOptions
from host_tools.terminal.statistics import PlayStatistics

DOMAIN, MSK_ID = bytes.fromhex("00F110"), bytes.fromhex("00010001")
SALT = Secret(bytes(range(14)))
SEK, RAND = Secret(bytes(16)), bytes(16)
MEDIA_PORT = 5004
HERE = Endpoint("10.0.0.1", 4000)
UNKNOWN = Refusal(RefusalReason.UNKNOWN_KEY, "no key (6A88)", 0x6A88)


def tek(number: int) -> Secret:
    return Secret(bytes([number]) * 16)


def ids(number: int) -> MbmsKeyIds:
    return MbmsKeyIds(DOMAIN, MSK_ID, number.to_bytes(2, "big"))


def stkm(number: int, counter: int) -> Datagram:
    raw = seal_stkm(StkmContent(ids(number), tek(number), SALT, counter), SEK, 1, RAND)
    return Datagram(0.0, HERE, Endpoint("239.1.1.1", 2269), raw)


class Media:
    """One SRTP source whose packets carry their number as payload."""

    def __init__(
        self, port: int = MEDIA_PORT, payload_type: int = 0, packet_format: SrtpFormat = HEADEND_FORMAT
    ) -> None:
        self._sender = SrtpSender(packet_format)
        self._mki_size = packet_format.mki_size
        self._sequence = 0
        self._port = port
        self._payload_type = payload_type

    def packet(self, number: int) -> Datagram:
        self._sequence += 1
        payload = bytes([self._sequence]) * 160
        plain = RtpPacket(self._payload_type, self._sequence, 160 * self._sequence, self._port, payload).encode()
        mki = tek_name(MSK_ID, number.to_bytes(2, "big"))[: self._mki_size]
        protected = self._sender.protect(plain, mki, TrafficKey(tek(number), SALT))
        return Datagram(0.0, HERE, Endpoint("239.1.1.2", self._port), protected)


class FakeCard:
    """Gives the TEK of the MTK ID in the message, unless it is told to refuse."""

    def __init__(self) -> None:
        self.fed: list[bytes] = []
        self.refuse = False

    def read(self, message: bytes) -> StkmView:
        return CardStkmView.decode(message, P1)

    def feed(self, message: bytes) -> StkmOutcome:
        self.fed.append(message)
        if self.refuse:
            return UNKNOWN
        numbers = [number for number in range(10) if ids(number).encode() in message]
        return Tek(tek(numbers[0]), SALT)

    def leave(self, service: Service) -> Departure:
        raise AssertionError(f"a plain MBMS service has no event: {service}")


@pytest.fixture
def card() -> FakeCard:
    return FakeCard()


def play(card: FakeCard, *datagrams: Datagram, options: PlayOptions | None = None) -> PlayStatistics:
    return Player(card, MediaOut(), options or PlayOptions(KNOWN)).play(datagrams)


class TestStkms:
    def test_an_identical_repeat_is_kept_from_the_card(self, card: FakeCard) -> None:
        message = stkm(1, 1)
        result = play(card, message, message, message)
        assert (result.stkms_seen, result.stkms_resent, result.stkms_filtered, len(card.fed)) == (3, 2, 2, 1)

    def test_feed_all_gives_every_copy_to_the_card(self, card: FakeCard) -> None:
        message = stkm(1, 1)
        result = play(card, message, message, options=PlayOptions(KNOWN, feed_all=True))
        assert (result.stkms_resent, result.stkms_filtered, len(card.fed)) == (1, 0, 2)

    def test_a_repeat_with_a_new_counter_goes_to_the_card(self, card: FakeCard) -> None:
        result = play(card, stkm(1, 1), stkm(1, 2))
        assert (result.stkms_resent, result.stkms_fed, result.teks) == (1, 2, 1)

    def test_a_refused_stkm_is_tried_again(self, card: FakeCard) -> None:
        message = stkm(1, 1)
        player = Player(card, MediaOut(), PlayOptions(KNOWN))
        card.refuse = True

        def datagrams() -> Iterator[Datagram]:
            yield message
            card.refuse = False
            yield message

        result = player.play(datagrams())
        assert result.refusals == {"no key (6A88)": 1}
        assert (result.stkms_refused, result.teks, result.stkms_resent) == (1, 1, 1)

    def test_copies_are_counted_even_when_all_are_refused(self, card: FakeCard) -> None:
        card.refuse = True
        result = play(card, stkm(1, 1), stkm(1, 1), stkm(1, 2), stkm(2, 3))
        assert (result.stkms_seen, result.stkms_resent, result.stkms_filtered, result.stkms_refused) == (4, 2, 0, 4)

    @pytest.mark.parametrize("raw", [b"", b"\x01", b"\x01\x00\x15" + bytes(40), bytes(2000)])
    def test_what_is_no_stkm_never_reaches_the_card(self, card: FakeCard, raw: bytes) -> None:
        result = play(card, Datagram(0.0, HERE, Endpoint("239.1.1.1", 2269), raw))
        assert (result.stkms_seen, result.stkms_unreadable, card.fed) == (0, 1, [])

    def test_another_port_for_stkms(self, card: FakeCard) -> None:
        message = stkm(1, 1)
        moved = Datagram(0.0, HERE, Endpoint("239.1.1.1", 4711), message.payload)
        assert play(card, moved, options=PlayOptions(KNOWN, stkm_port=4711)).stkms_seen == 1

    def test_the_tek_is_reported_with_its_names(self, card: FakeCard) -> None:
        seen: list[tuple[bytes, Secret]] = []
        hooks = Hooks(on_tek=lambda view, got: seen.append((view.identity, got.key)))
        Player(card, MediaOut(), PlayOptions(KNOWN)).play([stkm(3, 1)], hooks)
        assert seen == [(ids(3).encode(), tek(3))]


class TestMedia:
    def test_packets_are_decrypted_with_the_key_they_name(self, card: FakeCard) -> None:
        media = Media()
        out = MediaOut()
        datagrams = [stkm(1, 1), media.packet(1), stkm(2, 2), media.packet(1), media.packet(2)]
        result = Player(card, out, PlayOptions(KNOWN)).play(datagrams)
        assert (result.packets_seen, result.packets_decrypted) == (3, 3)
        assert [stream.packets for stream in out.streams] == [3]

    def test_packets_wait_for_their_key_in_order(self, card: FakeCard, tmp_path: Path) -> None:
        media = Media()
        early, late = MediaOut(), MediaOut()
        packets = [media.packet(1) for _ in range(5)]
        Player(card, early, PlayOptions(KNOWN)).play([stkm(1, 1), *packets])
        result = Player(card, late, PlayOptions(KNOWN)).play([*packets[:3], stkm(1, 2), *packets[3:]])
        assert result.packets_decrypted == 5
        assert late.streams[0].digest == early.streams[0].digest

    @pytest.mark.parametrize("suite", SrtpSuite)
    @pytest.mark.parametrize("mki_size", [0, 4])
    def test_packets_that_name_no_key_wait_for_the_one_that_fits(
        self, card: FakeCard, suite: SrtpSuite, mki_size: int
    ) -> None:
        other = SrtpFormat(suite, mki_size)
        media, out = Media(packet_format=other), MediaOut()
        early, second = [media.packet(1) for _ in range(3)], [media.packet(2) for _ in range(3)]
        player = Player(card, out, PlayOptions(KNOWN.with_layout(other)))
        result = player.play([*early, stkm(1, 1), *second[:1], stkm(2, 2), *second[1:], media.packet(3)])
        assert (result.packets_decrypted, result.packets_failed, result.packets_without_key) == (6, 0, 1)
        assert [stream.packets for stream in out.streams] == [6]

    def test_the_window_is_bounded(self, card: FakeCard) -> None:
        media = Media()
        packets = [media.packet(1) for _ in range(10)]
        result = play(card, *packets, stkm(1, 1), options=PlayOptions(KNOWN, held_packets=4))
        assert (result.packets_decrypted, result.packets_without_key) == (4, 6)

    def test_packets_whose_key_never_comes(self, card: FakeCard) -> None:
        media = Media()
        result = play(card, stkm(1, 1), media.packet(2), media.packet(2))
        assert (result.packets_decrypted, result.packets_without_key) == (0, 2)
        assert result.missing_keys == {tek_name(MSK_ID, b"\0\2"): 2}

    def test_only_so_many_missing_keys_are_told_apart(self) -> None:
        statistics = PlayStatistics()
        for number in range(1000):
            statistics.count_without_key(number.to_bytes(6, "big"), WithoutKey.NO_STKM)
        assert (statistics.packets_without_key, len(statistics.missing_keys)) == (1000, 64)

    def test_why_packets_have_no_key(self, card: FakeCard) -> None:
        """Before the first key, without an STKM, refused, gone, too late: each is counted as what it is."""
        sources = [Media(5004 + 2 * number) for number in range(8)]

        def media(source: int, number: int) -> Datagram:
            return replace(sources[source].packet(number), destination=Endpoint("239.1.1.1", 5004 + 2 * source))

        def datagrams() -> Iterator[Datagram]:
            yield media(0, 9)
            yield stkm(1, 1)
            yield media(0, 9)  # the same key: whoever missed its STKM missed it before
            yield media(1, 8)
            yield stkm(2, 2)
            yield stkm(3, 3)
            yield media(2, 1)
            card.refuse = True
            yield stkm(4, 4)
            yield media(3, 4)

        options = PlayOptions(KNOWN, held_packets=50)
        result = Player(card, MediaOut(), options).play(datagrams())
        assert result.why_without_key == {
            WithoutKey.BEFORE_FIRST: 2, WithoutKey.NO_STKM: 1, WithoutKey.GONE: 1, WithoutKey.REFUSED: 1,
        }  # fmt: skip
        assert result.packets_without_key == 5
        card.refuse = False
        late = play(card, stkm(1, 1), media(4, 2), media(4, 2), media(4, 2), stkm(2, 2),
                    options=PlayOptions(KNOWN, held_packets=2))  # fmt: skip
        assert (+late.why_without_key, late.packets_decrypted) == ({WithoutKey.LATE: 1}, 2)

    def test_packets_wait_so_long_by_their_own_time(self, card: FakeCard) -> None:
        media = Media()
        packets = [replace(media.packet(1), timestamp=float(number)) for number in range(10)]
        last = replace(stkm(1, 1), timestamp=10.0)
        result = play(card, *packets, last, options=PlayOptions(KNOWN, held_seconds=3.0))
        assert (result.packets_decrypted, result.packets_without_key) == (3, 7)

    def test_stkms_that_lacked_a_key_are_given_again_when_it_has_come(self, card: FakeCard) -> None:
        media, out = Media(), MediaOut()
        player = Player(card, out, PlayOptions(KNOWN))

        def datagrams() -> Iterator[Datagram]:
            card.refuse = True
            yield stkm(1, 1)
            yield media.packet(1)
            yield stkm(1, 2)  # a newer message for the same key: only this one is given again
            yield stkm(2, 3)
            yield media.packet(2)
            player.key_came(b"another key")
            assert (player.statistics.stkms_again, player.held) == (0, 2)
            card.refuse = False
            player.key_came(DOMAIN + MSK_ID)
            assert (player.statistics.stkms_again, player.held) == (2, 0)
            player.key_came(DOMAIN + MSK_ID)
            yield media.packet(2)

        result = player.play(datagrams())
        assert (result.stkms_seen, result.stkms_again, result.teks, result.packets_decrypted) == (3, 2, 2, 3)
        assert card.fed[-2:] == [stkm(1, 2).payload, stkm(2, 3).payload]

    def test_after_a_zap_nothing_goes_to_the_card_for_the_service_that_was_left(self, card: FakeCard) -> None:
        """Its key may come later, and each STKM of it might cost something."""
        player = Player(card, MediaOut(), PlayOptions(KNOWN))

        def datagrams() -> Iterator[Datagram]:
            card.refuse = True
            yield stkm(1, 1)
            card.refuse = False
            player.retuned()
            player.key_came(DOMAIN + MSK_ID)
            yield replace(stkm(2, 1), destination=Endpoint("239.1.1.2", 2269))

        result = player.play(datagrams())
        assert card.fed == [stkm(1, 1).payload, stkm(2, 1).payload]
        assert (result.stkms_again, result.teks) == (0, 1)

    def test_what_was_counted_before_the_reader_vanished_stays(self, card: FakeCard) -> None:
        player = Player(card, MediaOut(), PlayOptions(KNOWN))

        def datagrams() -> Iterator[Datagram]:
            yield stkm(1, 1)
            yield Media().packet(2)
            raise ReaderGone("it vanished")

        with pytest.raises(ReaderGone):
            player.play(datagrams())
        assert (player.statistics.teks, player.statistics.packets_without_key) == (1, 1)

    def test_a_damaged_packet_fails_alone(self, card: FakeCard) -> None:
        media = Media()
        good, other = media.packet(1), media.packet(1)
        damaged = Datagram(0.0, HERE, good.destination, good.payload[:20] + b"\xff" + good.payload[21:])
        result = play(card, stkm(1, 1), damaged, other)
        assert (result.packets_decrypted, result.packets_failed) == (1, 1)
        assert result.failures == {NOT_AUTHENTIC: 1}

    def test_every_failure_is_counted_by_its_own_reason(self, card: FakeCard) -> None:
        good = Media().packet(1)
        payloads = [
            good.payload[:20],
            b"\x8f" + good.payload[1:20] + good.payload[-MKI_SIZE - 10 :],
            good.payload[:-1] + bytes((good.payload[-1] ^ 1,)),
        ]
        result = play(card, stkm(1, 1), *(replace(good, payload=payload) for payload in payloads))
        assert result.failures == {
            "too short for an SRTP packet with an MKI of 6 and a tag of 10 bytes": 1,
            "unsupported parameter": 1,
            NOT_AUTHENTIC: 1,
        }

    def test_a_copy_of_a_packet_is_repeated_and_a_damaged_copy_failed(self, card: FakeCard) -> None:
        good = Media().packet(1)
        damaged = Datagram(0.0, HERE, good.destination, good.payload[:-1] + bytes([good.payload[-1] ^ 1]))
        result = play(card, good, good, stkm(1, 1), good, damaged)
        assert (result.packets_decrypted, result.packets_repeated, result.packets_failed) == (1, 2, 1)

    @pytest.mark.parametrize("mki_size", [0, MKI_SIZE])
    def test_packets_that_wait_are_tried_with_new_keys_only(
        self, card: FakeCard, mki_size: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tried: list[int] = []
        whole = Authenticator.fits

        def fits(authenticator: Authenticator, packet: bytes, roc: int) -> bool:
            tried.append(roc)
            return whole(authenticator, packet, roc)

        wanted = SrtpFormat(mki_size=mki_size)
        foreign = Media(packet_format=wanted)
        packets = [foreign.packet(9) for _ in range(50)]
        monkeypatch.setattr(Authenticator, "fits", fits)
        monkeypatch.setattr(Authenticator, "find_roc", lambda _authenticator, _packet: None)
        keys = [stkm(number, number) for number in range(1, 9)]
        result = play(card, *packets, *keys, options=PlayOptions(KNOWN.with_layout(wanted)))
        assert result.packets_without_key == 50
        assert len(tried) == 50 * 8

    def test_a_service_without_key_is_soon_taken_at_its_word(
        self, card: FakeCard, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tried: list[int] = []
        monkeypatch.setattr(Authenticator, "fits", lambda _self, _packet, roc: tried.append(roc))
        foreign = Media()
        keys = [stkm(number, number) for number in range(1, 5)]
        result = play(card, *keys, *[foreign.packet(9) for _ in range(200)])
        assert result.packets_without_key == 200
        assert len(tried) == 8 * 2  # of the keys of a session, two are kept (TS 33.246 clause 6.5.4)

    @pytest.mark.norm("71")
    def test_the_two_newest_keys_of_a_session_are_kept(self, card: FakeCard) -> None:
        keys = [stkm(number, number) for number in (1, 2, 3)]
        result = play(card, *keys, *[Media(5004 + 2 * number).packet(number) for number in (1, 2, 3)])
        assert (result.packets_decrypted, result.packets_without_key) == (2, 1)
        assert list(result.missing_keys) == [tek_name(MSK_ID, b"\0\1")]

    @pytest.mark.norm("71")
    def test_the_keys_of_an_msk_that_is_gone_go_with_it(self, card: FakeCard) -> None:
        media = Media()

        def datagrams() -> Iterator[Datagram]:
            yield stkm(1, 1)
            yield media.packet(1)
            card.refuse = True
            yield stkm(2, 2)
            yield media.packet(1)

        result = Player(card, MediaOut(), PlayOptions(KNOWN)).play(datagrams())
        assert (result.packets_decrypted, result.packets_without_key) == (1, 1)

    @pytest.mark.norm("27")
    def test_a_key_that_srtp_cannot_use_is_counted(self, card: FakeCard, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(card, "feed", lambda _message: Tek(Secret(bytes(32)), SALT))
        result = play(card, stkm(1, 1), Media().packet(1))
        assert (result.teks, result.teks_unplayable, result.packets_without_key) == (1, 1, 1)

    def test_only_the_ports_asked_for(self, card: FakeCard) -> None:
        media, foreign = Media(), Media(6000)
        datagrams = [stkm(1, 1), media.packet(1), foreign.packet(1)]
        options = PlayOptions(KNOWN, media_ports=frozenset({MEDIA_PORT}))
        result = play(card, *datagrams, options=options)
        assert (result.packets_seen, result.others) == (1, {"to another port": 1})

    def test_rtcp_and_other_traffic_are_no_media(self, card: FakeCard) -> None:
        rtcp = Datagram(0.0, HERE, Endpoint("239.1.1.2", 5005), b"\x80\xc8" + bytes(26))
        dns = Datagram(0.0, HERE, Endpoint("10.0.0.2", 53), bytes(30))
        muxed = Datagram(0.0, HERE, Endpoint("239.1.1.2", 5004), b"\x80\xc8" + bytes(26))
        result = play(card, rtcp, dns, muxed)
        assert (result.packets_seen, result.others) == (0, {"RTCP": 2, "no RTP": 1})
        assert result.as_dict()["other_datagrams"] == result.others

    def test_two_services_make_two_files(self, card: FakeCard, tmp_path: Path) -> None:
        out = MediaOut(tmp_path / "broadcast")
        one, two = Media(), Media(5006)
        Player(card, out, PlayOptions(KNOWN)).play([stkm(1, 1), one.packet(1), two.packet(1)])
        out.close()
        assert [path.name for path in out.files] == ["broadcast-5004.wav", "broadcast-5006.wav"]
        assert all(path.stat().st_size > 44 for path in out.files)


class TestStatistics:
    def test_times_come_from_the_timer(self, card: FakeCard) -> None:
        ticks = iter(range(100))
        player = Player(card, MediaOut(), PlayOptions(KNOWN), timer=lambda: float(next(ticks)))
        result = player.play([stkm(1, 1), stkm(2, 2)])
        assert (result.median_ms, result.p99_ms) == (1000.0, 1000.0)

    def test_percentiles_of_many(self) -> None:
        statistics = PlayStatistics()
        for milliseconds in range(1, 101):
            statistics.add_time(milliseconds / 1000)
        assert statistics.median_ms == pytest.approx(50.5)
        assert statistics.p99_ms == pytest.approx(100)

    def test_nothing_played(self, card: FakeCard) -> None:
        assert (play(card).median_ms, play(card).p99_ms) == (0.0, 0.0)

    def test_json(self, card: FakeCard) -> None:
        media = Media()
        summary = play(card, stkm(1, 1), media.packet(1)).as_dict()
        assert json.loads(json.dumps(summary))["packets"] == {
            "seen": 1, "decrypted": 1, "repeated": 0, "failed": 0, "failures": {}, "without_key": 0,
            "why_without_key": {}, "missing_mkis": {},
        }  # fmt: skip

    def test_progress_and_time_are_told(self, card: FakeCard) -> None:
        times: list[float] = []
        counts: list[int] = []
        player = Player(card, MediaOut(), PlayOptions(KNOWN))
        hooks = Hooks(on_time=times.append, on_progress=lambda: counts.append(player.statistics.stkms_seen))
        player.play([stkm(1, 1), stkm(2, 2)], hooks)
        assert times == [0.0, 0.0]
        assert counts == [1, 2, 2]


def test_the_page_has_what_waited_for_its_key_where_it_came(card: FakeCard) -> None:
    media, notes = Media(), Chronicler()
    packets = [replace(media.packet(1), timestamp=number / 50) for number in range(100)]
    player = Player(card, MediaOut(), PlayOptions(KNOWN))
    player.play([*packets, replace(stkm(1, 1), timestamp=2.0)], Teller(notes).hooks(Hooks()))
    services = notes.finish("x").services
    assert {one.start for service in services for one in service.media} == {number / 8 for number in range(16)}
    assert [one.at for service in services for one in service.stkms] == [2.0]


class _LongWay:
    """SRTP whose opener has no short way."""

    def __init__(self) -> None:
        self._opener = SrtpOpener(HEADEND_FORMAT)

    def __getattr__(self, name: str) -> object:
        return getattr(self._opener, name)

    def open_next(self, _unit: Datagram) -> None:
        return None


class _Watch:
    def __init__(self) -> None:
        self.heard: list[object] = []

    def stkm(self, *heard: object) -> None:
        self.heard.append(heard)

    def unreadable(self, *heard: object) -> None:
        self.heard.append(heard)

    def media(self, *heard: object) -> None:
        self.heard.append(heard)


_packets = st.lists(
    st.one_of(
        st.tuples(st.just("media"), st.sampled_from([5004, 5006]), st.integers(1, 3)),
        st.tuples(st.just("media"), st.sampled_from([5004, 5006]), st.just(1)),
        st.tuples(st.just("stkm"), st.integers(1, 3), st.integers(1, 4)),
        st.tuples(st.just("lost"), st.sampled_from([5004, 5006])),
        st.tuples(st.just("swap"), st.integers(1, 5)),
        st.tuples(st.just("twice"), st.integers(1, 5)),
        st.tuples(st.just("other"), st.sampled_from([b"", b"\x80\xc8" + bytes(40), b"\x80\x00" + bytes(40), b"junk"])),
    ),
    max_size=40,
)


@settings(max_examples=60)
@given(happenings=_packets, ports=st.sampled_from([frozenset[int](), frozenset({5004})]))
def test_a_player_without_the_short_way_plays_the_same(
    happenings: list[tuple[object, ...]], ports: frozenset[int]
) -> None:
    media, datagrams = {port: Media(port) for port in (5004, 5006)}, [stkm(1, 1)]
    for happening in happenings:
        match happening:
            case ("media", int(port), int(number)):
                datagrams.append(media[port].packet(number))
            case ("stkm", int(number), int(counter)):
                datagrams.append(stkm(number, counter))
            case ("lost", int(port)):
                media[port].packet(1)
            case ("swap", int(back)) if back < len(datagrams):
                datagrams[-1], datagrams[-1 - back] = datagrams[-1 - back], datagrams[-1]
            case ("twice", int(back)) if back < len(datagrams):
                datagrams.append(datagrams[-back])
            case ("other", bytes(payload)):
                datagrams.append(Datagram(0.0, HERE, Endpoint("239.1.1.2", 5004), payload))

    def played() -> tuple[object, ...]:
        watch, out = _Watch(), MediaOut()
        player = Player(FakeCard(), out, PlayOptions(KNOWN, media_ports=ports), timer=lambda: 0.0)
        statistics = player.play(datagrams, Hooks(watch=watch))
        heard = [(stream.destination, stream.ssrc, stream.packets, stream.digest) for stream in out.streams]
        return statistics, watch.heard, heard, out.left_out

    short = played()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SrtpFormat, "opener", lambda _layout: _LongWay())
        assert played() == short
