"""Recorded content: what the file holds, play-back under each policy, rewind, zap, purchase, damaged files."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from card.spec.bcast.tables import Direction, Reason
from host_tools.content.containers.index import RecordedSpan, RecordingIndex
from host_tools.content.containers.recording import (
    INDEX,
    MEDIA,
    STKMS,
    RecordedContent,
    RecordingError,
    open_recording,
    record_to,
)
from host_tools.content.errors import MediaError, OutputError
from host_tools.content.known import KNOWN
from host_tools.content.srtp.format import HEADEND_FORMAT, SrtpFormat, SrtpSuite
from host_tools.terminal.bcast import RefusalReason
from host_tools.terminal.decision import ExplainingFeed
from host_tools.terminal.replay import Replay, Segment
from tests.support.mutation import watched
from tests.support.stage import STKM_PORT, Stage, variant

TERMINAL = bytes(17)
SUITE = SrtpSuite.AES_CM_128_HMAC_SHA1_80.name
ALL = range(1, 7)


def recorded(stage: Stage, path: Path) -> Path:
    """Record everything without the card, and play all live that the card allows."""
    with record_to(path, "film", STKM_PORT, protection=HEADEND_FORMAT) as writer:
        for datagram in stage.capture:
            writer.take(datagram)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "film.bcrec"


def watch_live(stage: Stage) -> None:
    stage.play()
    stage.teks.clear()
    stage.heard.clear()
    stage.decisions.clear()


class TestFile:
    def test_it_holds_media_track_and_index(self, file: Path) -> None:
        stage = Stage("counted_playback")
        with open_recording(recorded(stage, file), KNOWN) as content:
            index = content.index
            assert (index.content_id, index.stkms, index.packets) == ("film", 12, 600)
            assert index.spans == (RecordedSpan(bytes.fromhex("00f110"), bytes.fromhex("00010001"), 1, 12),)
            assert content.duration == pytest.approx(11.98)
            media = [d for d in content.datagrams() if d.destination.port != STKM_PORT]
        assert media == [d for d in stage.capture if d.destination.port != STKM_PORT]

    @pytest.mark.parametrize("mki_size", [HEADEND_FORMAT.mki_size, 0])
    def test_a_capture_that_runs_backwards_is_recorded_whole(self, file: Path, mki_size: int) -> None:
        capture = Stage("counted_playback").capture
        with record_to(file, "film", STKM_PORT, protection=SrtpFormat(mki_size=mki_size)) as writer:
            for number, datagram in enumerate(capture):
                writer.take(replace(datagram, timestamp=10_000.0 - number))
        with open_recording(file, KNOWN) as content:
            assert (content.index.begins, content.duration) == (10_000.0, 0.0)
            played = [datagram.payload for datagram in content.datagrams()]
        stkms = {datagram.payload for datagram in capture if datagram.destination.port == STKM_PORT}
        assert [one for one in played if one not in stkms] == [d.payload for d in capture if d.payload not in stkms]
        assert set(played) & stkms

    def test_the_same_content_gives_the_same_file(self, file: Path) -> None:
        first = recorded(Stage("counted_playback"), file).read_bytes()
        assert recorded(Stage("counted_playback"), file).read_bytes() == first

    def test_it_holds_no_key(self, file: Path) -> None:
        stage = Stage("counted_playback")
        raw = recorded(stage, file).read_bytes()
        for key in stage.network.truth.teks.values():
            assert key.tek.reveal() not in raw
            assert key.salt is not None
            assert key.salt.reveal() not in raw

    def test_a_segment_begins_with_the_stkm_it_needs(self, file: Path) -> None:
        stage = Stage("counted_playback")
        with open_recording(recorded(stage, file), KNOWN) as content:
            piece = list(content.datagrams(4.5, 6.5))
        assert [number for number, d in enumerate(piece) if d.destination.port == STKM_PORT] == [0, 76]

    def test_it_says_how_the_media_are_protected(self, file: Path) -> None:
        wanted = SrtpFormat(SrtpSuite.AES_CM_128_HMAC_SHA1_32, 4)
        with record_to(file, "film", STKM_PORT, protection=wanted):
            pass
        with open_recording(file, KNOWN) as content:
            assert content.index.protection == wanted

    def test_an_older_recording_is_of_our_head_end(self, file: Path) -> None:
        with record_to(file, "film", STKM_PORT, protection=HEADEND_FORMAT) as writer:
            text = json.loads(writer.index().to_json())
        del text["protection"]
        older = json.dumps({**text, "format": "bcast-uicc recording 1"})
        assert RecordingIndex.parse(older, KNOWN).protection == HEADEND_FORMAT

    @pytest.mark.parametrize(
        "srtp",
        [{}, [], "x", {"suite": "NULL", "mki_length": 6}, {"suite": SUITE, "mki_length": 129},
         {"suite": SUITE, "mki_length": "many"}],
    )  # fmt: skip
    def test_a_layout_that_does_not_exist_is_refused(self, file: Path, srtp: object) -> None:
        with record_to(file, "film", STKM_PORT, protection=HEADEND_FORMAT) as writer:
            text = json.loads(writer.index().to_json())
        older = {**text, "format": "bcast-uicc recording 1", "srtp": srtp}
        newer = {**text, "protection": {"kind": "srtp", **srtp} if isinstance(srtp, dict) else srtp}
        for wrong in (older, newer):
            with pytest.raises(ValueError, match=r"layout|lacks a field|invalid literal"):
                RecordingIndex.parse(json.dumps(wrong), KNOWN)

    def test_a_protection_that_is_not_known_is_named(self, file: Path) -> None:
        with record_to(file, "film", STKM_PORT, protection=HEADEND_FORMAT) as writer:
            text = json.loads(writer.index().to_json())
        with pytest.raises(ValueError, match="protected with 'ismacryp'; known here: srtp"):
            RecordingIndex.parse(json.dumps({**text, "protection": {"kind": "ismacryp"}}), KNOWN)

    def test_an_interrupted_recording_leaves_no_file(self, file: Path) -> None:
        with (
            pytest.raises(KeyboardInterrupt),
            record_to(file, "film", STKM_PORT, protection=HEADEND_FORMAT),
        ):
            raise KeyboardInterrupt
        assert list(file.parent.iterdir()) == []

    def test_a_folder_that_is_not_there(self, file: Path) -> None:
        missing = file.parent / "no" / "where"
        with (
            pytest.raises(OutputError, match="cannot be written"),
            record_to(missing, "film", STKM_PORT, protection=HEADEND_FORMAT),
        ):
            pass


class TestPlayBack:
    """Under each play-back policy; the live reception before it is unlimited."""

    def play(self, stage: Stage, file: Path, *segments: Segment, keep_teks: bool = True) -> Replay:
        feed = ExplainingFeed(stage.middleware, stage.middleware.usim)
        with open_recording(file, KNOWN) as content:
            replay = Replay(content, feed, stage.out(), keep_teks=keep_teks)
            hooks = stage.hooks(on_time=lambda _moment: None)
            for segment in segments:
                replay.play(segment, hooks)
        return replay

    def stage(self, file: Path, spe: int, extra: str) -> Stage:
        counted = "spe = 0x6                       # counted play-back\ncounter = 2"
        stage = Stage(variant("counted_playback", **{counted: f"spe = {spe}\n{extra}"}))
        recorded(stage, file)
        watch_live(stage)
        return stage

    @pytest.mark.parametrize(
        ("spe", "extra", "balance", "left"),
        [
            (0x1, "cost = 3\ntokens = 20", "playback_ppt", 20 - 6 * 3),
            (0x3, "cost = 3\ntokens = 20", "user_purse", 20 - 6 * 3),
            (0x6, "counter = 2", "playback_counter", 1),
            (0x8, "cost = 3\ntokens = 20", "user_purse", 17),
            (0xA, "counter = 20", "tek_counter", 14),
        ],
    )
    def test_one_play_back_costs_what_the_policy_says(
        self, file: Path, spe: int, extra: str, balance: str, left: int
    ) -> None:
        stage = self.stage(file, spe, extra)
        replay = self.play(stage, file, Segment())
        stage.require("news", ALL)
        assert replay.refused is None
        policy = next(policy for policy in stage.policies("news") if policy.spe == spe)
        assert getattr(policy.quantities, balance) == left

    def test_without_limit(self, file: Path) -> None:
        stage = self.stage(file, 0x5, "")
        self.play(stage, file, Segment(), Segment(), Segment(), keep_teks=False)
        assert stage.teks == stage.true_teks("news", ALL)
        assert stage.heard.total() == 3 * 600

    @pytest.mark.parametrize(
        ("spe", "extra", "heard"),
        [(0x1, "cost = 3\ntokens = 8", 2), (0x3, "cost = 3\ntokens = 11", 3), (0xA, "counter = 4", 4)],
    )
    def test_it_ends_where_the_credit_ends(self, file: Path, spe: int, extra: str, heard: int) -> None:
        stage = self.stage(file, spe, extra)
        replay = self.play(stage, file, Segment())
        assert stage.teks == stage.true_teks("news", range(1, heard + 1))
        assert replay.refused is not None

    def test_two_play_backs_and_no_third(self, file: Path) -> None:
        stage = self.stage(file, 0x6, "counter = 2")
        assert self.play(stage, file, Segment(), Segment(), keep_teks=False).refused is None
        replay = self.play(stage, file, Segment())
        assert replay.refused is not None
        assert stage.refusals() == [(1, f"{RefusalReason.PLAYBACK_USED_UP.value} (BCAST status 03)")]
        assert stage.heard.total() == 2 * 600

    def test_a_rewind_is_free_while_the_teks_are_kept(self, file: Path) -> None:
        stage = self.stage(file, 0x6, "counter = 1")
        assert self.play(stage, file, Segment(0, 8), Segment(2, 6), Segment(8)).refused is None
        assert len(stage.decisions) == 6  # one for each TEK, none for the rewind
        assert stage.heard.total() == 600 + 200

    def test_a_rewind_without_the_teks_is_another_play_back(self, file: Path) -> None:
        stage = self.stage(file, 0x6, "counter = 1")
        replay = self.play(stage, file, Segment(0, 8), Segment(2, 6), keep_teks=False)
        assert replay.refused is not None
        assert stage.heard.total() == 400

    def test_zapping_between_two_recorded_services(self, file: Path) -> None:
        stage = Stage("subscribe")
        recorded(stage, file)
        stage.delivery.deliver_until(stage.network.scenario.start.timestamp())
        (sport,) = stage.network.shop.buy("sport-month", stage.b_tid)
        stage.middleware.deliver(sport)
        pieces = [Segment(0, 2, 5004), Segment(2, 4, 5006), Segment(4, 6, 5004), Segment(6, 8, 5006)]
        # The keys are live here: the first time a recording is heard counts as live when it was not heard before.
        self.play(stage, file, *pieces)
        assert stage.teks == stage.true_teks("news", [1, 3]) | stage.true_teks("sport", [2, 4])
        assert stage.heard == stage.packets_of(stage.teks)

    def test_unwatched_and_bought_when_played(self, file: Path) -> None:
        stage = Stage("recorded")
        recorded(stage, file)
        flow = stage.purchase()
        with open_recording(file, KNOWN) as content:
            replay = Replay(content, stage.middleware, stage.out())
            replay.play(Segment(), stage.hooks(flow, on_time=lambda _moment: None))
        stage.require("news", ALL)
        assert (flow.made, replay.refused) == (1, None)

    def test_a_further_play_back_is_bought(self, file: Path) -> None:
        stage = self.stage(file, 0x6, "counter = 0")
        with open_recording(file, KNOWN) as content:
            replay = Replay(content, stage.middleware, stage.out())
            replay.play(Segment(), stage.hooks(stage.purchase(), on_time=lambda _moment: None))
        assert replay.refused is None
        stage.require("news", ALL)

    def test_a_play_back_is_explained(self, file: Path) -> None:
        stage = self.stage(file, 0x6, "counter = 2")
        feed = ExplainingFeed(stage.middleware, stage.middleware.usim)
        feed.feed(next(d.payload for d in stage.capture if d.destination.port == STKM_PORT))
        explanation = feed.take()
        assert explanation is not None
        assert explanation.direction is Direction.PLAYBACK
        assert [str(paid) for paid in explanation.payments] == ["1 from the play-back counter, 1 left"]
        assert feed.take() is None


class TestSignalling:
    def test_a_recording_flags_its_policies_until_it_is_deleted(self, file: Path) -> None:
        stage = Stage("counted_playback")
        recorded(stage, file)
        watch_live(stage)
        with open_recording(file, KNOWN) as content:
            (span,) = content.index.spans
        flagged = stage.auditor.signal_recording(TERMINAL, b"film", span)
        assert {policy.spe for policy in flagged} == {4, 6}
        (known,) = stage.auditor.recordings()
        assert (known.terminal_id, known.content_id) == (TERMINAL, b"film")
        assert all("recorded" in policy.properties for policy in stage.policies("news"))
        policy = stage.policies("news")[0]
        assert stage.auditor.delete_policies(policy) is not Reason.DONE
        assert stage.auditor.delete_recording(TERMINAL, b"film") is Reason.DONE
        assert stage.auditor.recordings() == ()
        assert stage.auditor.delete_policies(policy) is Reason.DONE
        assert len(stage.policies("news")) == 1

    def test_a_long_content_id_goes_in_blocks(self) -> None:
        stage = Stage("counted_playback")
        watch_live(stage)
        span = RecordedSpan(bytes.fromhex("00f110"), bytes.fromhex("00010001"), 1, 12)
        name = bytes(range(255))
        stage.auditor.signal_recording(TERMINAL, name, span)
        assert [content.content_id for content in stage.auditor.recordings()] == [name]


def _without(member: str, path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        kept = {name: archive.read(name) for name in archive.namelist() if name != member}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in kept.items():
            archive.writestr(name, data)


def _deflated(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        kept = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in kept.items():
            archive.writestr(name, data)


def _flip_media(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 3] ^= 0xFF
    path.write_bytes(bytes(raw))


class TestHostileFiles:
    @pytest.mark.parametrize(
        "damage",
        [
            lambda path: _without(INDEX, path),
            lambda path: _without(STKMS, path),
            lambda path: _without(MEDIA, path),
            _deflated,
            _flip_media,
            lambda path: path.write_bytes(path.read_bytes()[:-30]),
            lambda path: path.write_bytes(b""),
            lambda path: path.write_bytes(bytes(100_000)),
            Path.unlink,
        ],
    )
    def test_is_refused_with_a_sentence(self, file: Path, damage: Callable[[Path], object]) -> None:
        damage(recorded(Stage("counted_playback"), file))
        with pytest.raises(RecordingError), open_recording(file, KNOWN) as content:
            list(content.datagrams())

    @pytest.mark.parametrize("member", [MEDIA, STKMS, INDEX])
    def test_a_member_whose_two_sizes_differ(self, file: Path, member: str) -> None:
        raw = bytearray(recorded(Stage("counted_playback"), file).read_bytes())
        entry = raw.rindex(b"PK\x01\x02", 0, raw.rindex(member.encode()))
        raw[entry + 20 : entry + 24] = (0x4000_0000).to_bytes(4, "little")  # the compressed size
        file.write_bytes(bytes(raw))
        with (
            watched(60, 100),
            pytest.raises(RecordingError, match=rf"{member} has two sizes, \d+ and 1073741824 bytes"),
            open_recording(file, KNOWN) as content,
        ):
            list(content.datagrams())

    @pytest.mark.parametrize("member", [MEDIA, STKMS])
    def test_a_member_that_breaks_off(self, file: Path, member: str) -> None:
        """The archive and its checksums are in order, the capture in it is not."""
        with zipfile.ZipFile(recorded(Stage("counted_playback"), file)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(file, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data[:-7] if name == member else data)
        with (
            pytest.raises(RecordingError, match=rf"{member}: .*unreadable from byte"),
            open_recording(file, KNOWN) as content,
        ):
            list(content.datagrams())

    @pytest.mark.parametrize(
        "change",
        [
            {"begins": 1e308}, {"ends": float("nan")}, {"begins": -1}, {"ends": 253402300800}, {"ends": float("inf")},
            {"content_id": "\ud800"},
            {"format": "other"}, {"content_id": ""}, {"content_id": 7}, {"begins": "soon"}, {"stkms": None},
            {"spans": [{}]}, {"spans": 4},
            {"ends": 1e308}, {"begins": float("nan")},
            {"spans": [{"key_domain": "00", "msk_id": "00", "first_ts": 1, "last_ts": 2}]},
            {"spans": [{"key_domain": "00f110", "msk_id": "00010001", "first_ts": 5, "last_ts": 2}]},
            {"spans": [{"key_domain": "00f110", "msk_id": "00010001", "first_ts": "x", "last_ts": 2}]},
        ],
    )  # fmt: skip
    def test_a_wrong_index(self, change: dict[str, object]) -> None:
        good = {"format": "bcast-uicc recording 1", "content_id": "film", "begins": 0, "ends": 1, "stkms": 1,
                "packets": 1, "spans": []}  # fmt: skip
        assert RecordingIndex.parse(json.dumps(good), KNOWN).content_id == "film"
        with pytest.raises(ValueError):
            RecordingIndex.parse(json.dumps(good | change), KNOWN)

    def test_a_directory_beyond_all_measure_is_not_read(self, tmp_path: Path) -> None:
        path = tmp_path / "any"
        with path.open("wb") as file:
            file.truncate(1 << 31)
            file.seek(0, 2)
            file.write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 3, 3, 1 << 30, 1 << 30, 0))
        with pytest.raises(RecordingError, match="its directory is too large"), open_recording(path, KNOWN):
            pass

    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
    @given(index=st.binary(max_size=200), track=st.binary(max_size=200), media=st.binary(max_size=200))
    def test_any_members(self, tmp_path: Path, index: bytes, track: bytes, media: bytes) -> None:
        path = tmp_path / "any"
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in ((INDEX, index), (STKMS, track), (MEDIA, media)):
                archive.writestr(name, data)
        with zipfile.ZipFile(path) as archive, pytest.raises(MediaError):
            list(RecordedContent(archive, "any", KNOWN).datagrams())
