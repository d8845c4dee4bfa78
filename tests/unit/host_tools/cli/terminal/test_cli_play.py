"""`bcast-uicc terminal play` on captures that were made elsewhere, are damaged, or hold nothing for this card."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from card import CardProfile, create_card
from card.crypto.secret import Secret
from card.profile.schema import demo_path
from card.spec.bcast.p1 import P1
from host_tools.cli.exits import ExitCode
from host_tools.cli.main import invoke
from host_tools.content.captures.pcap import CaptureWriter, Datagram, Endpoint, open_capture
from host_tools.content.rtp import RtpPacket
from host_tools.content.srtp.format import HEADEND_FORMAT, MKI_SIZE, SrtpFormat, SrtpSuite
from host_tools.content.srtp.receiver import SrtpReceiver, SrtpSender
from host_tools.content.stkm_name import tek_name
from host_tools.content.traffic_key import TrafficKey
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.scenario.recorder import Recording, record
from host_tools.links.base import ReaderGone
from host_tools.links.inprocess import InProcessLink

Run = Callable[..., tuple[int, str, str]]
STKM_PORT = 2269
CARD = ("--link", "inprocess", "--profile", str(demo_path()), "--pin", "1234")
WITH_KEYS = (*CARD, "--scenario", "demo")
TAG_SIZE = 10


@cache
def demo() -> Recording:
    return record(shipped_scenario("demo"), tables=P1)


@pytest.fixture(scope="module")
def broadcast(tmp_path_factory: pytest.TempPathFactory) -> list[Datagram]:
    path = tmp_path_factory.mktemp("broadcast") / "demo.pcap"
    path.write_bytes(demo().pcap)
    with open_capture(path) as capture:
        return list(capture)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.delenv("BCAST_UICC_PIN", raising=False)

    def invoked(*arguments: object) -> tuple[int, str, str]:
        status = invoke([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return status, out, err

    return invoked


def changed(broadcast: list[Datagram], path: Path, change: Callable[[bytes], bytes], *, stkms: bool = False) -> Path:
    """Write the broadcast with the payloads of its media (or of its STKMs) changed."""
    with path.open("wb") as file:
        writer = CaptureWriter(file)
        for datagram in broadcast:
            wanted = (datagram.destination.port == STKM_PORT) is stkms
            writer.write(replace(datagram, payload=change(datagram.payload)) if wanted else datagram)
    return path


class Translator:
    """Turns media as our head-end makes them into another format, with the head-end's own keys."""

    def __init__(self, wanted: SrtpFormat) -> None:
        self._keys: dict[bytes, TrafficKey] = {}
        self._receiver = SrtpReceiver(HEADEND_FORMAT)
        for name, key in demo().truth.teks.items():
            mki = tek_name(name.msk_id, name.mtk_id)
            self._keys[mki] = TrafficKey(key.tek, key.salt)
            self._receiver.add_key(mki, self._keys[mki])
        self._wanted = wanted
        self._senders: dict[bytes, SrtpSender] = {}

    def __call__(self, payload: bytes) -> bytes:
        plain, name = self._receiver.unprotect(payload), payload[-TAG_SIZE - MKI_SIZE : -TAG_SIZE]
        sender = self._senders.setdefault(plain[8:12], SrtpSender(self._wanted))
        mki = bytes(self._wanted.mki_size - MKI_SIZE) + name if self._wanted.mki_size >= MKI_SIZE else b""
        return sender.protect(plain, mki[: self._wanted.mki_size], self._keys[name])


class Foreign:
    """Protects media under a key that no card has, with the MKI that is given."""

    def __init__(self, name: bytes) -> None:
        self._name = name
        self._key = TrafficKey(Secret(b"\xfe" * 16))
        self._translated = Translator(SrtpFormat(mki_size=0))
        self._senders: dict[bytes, SrtpSender] = {}

    def __call__(self, payload: bytes) -> bytes:
        plain = self._translated(payload)[:-TAG_SIZE]
        return self._senders.setdefault(plain[8:12], SrtpSender(HEADEND_FORMAT)).protect(plain, self._name, self._key)


def mixed(broadcast: list[Datagram], foreign: int) -> list[Datagram]:
    """Return the broadcast with its last so many media packets under a key that no card has."""
    media = [number for number, datagram in enumerate(broadcast) if datagram.destination.port != STKM_PORT]
    last, protect = set(media[-foreign:]), Foreign(bytes.fromhex("DEAD00010001"))
    return [
        replace(datagram, payload=protect(datagram.payload)) if number in last else datagram
        for number, datagram in enumerate(broadcast)
    ]


@pytest.mark.parametrize("suite", SrtpSuite)
@pytest.mark.parametrize("mki_size", [0, 6, 8])
def test_media_in_another_format(
    run: Run, broadcast: list[Datagram], tmp_path: Path, suite: SrtpSuite, mki_size: int
) -> None:
    path = changed(broadcast, tmp_path / "other.pcap", Translator(SrtpFormat(suite, mki_size)))
    how = ("--srtp-suite", suite.name, "--mki-length", mki_size)
    status, out, err = run("terminal", "play", path, *WITH_KEYS, *how, "--json", "-o", tmp_path / "heard")
    assert (status, err) == (ExitCode.OK, "")
    packets = json.loads(out)["packets"]
    assert (packets["seen"], packets["decrypted"], packets["failed"]) == (1200, 1200, 0)
    assert (tmp_path / "heard-5004.wav").stat().st_size == 44 + 2 * 14 * 8000


@pytest.mark.parametrize(
    "layout",
    [
        lambda name: name[4:] + name[:4],  # some of these are the names of other keys
        lambda name: bytes(4) + name[4:],
        lambda _name: bytes.fromhex("DEAD00010001"),
    ],
)
def test_an_mki_of_six_bytes_in_another_layout(
    run: Run, broadcast: list[Datagram], tmp_path: Path, layout: Callable[[bytes], bytes]
) -> None:
    def renamed(raw: bytes) -> bytes:
        name = raw[-TAG_SIZE - MKI_SIZE : -TAG_SIZE]
        return raw[: -TAG_SIZE - MKI_SIZE] + layout(name) + raw[-TAG_SIZE:]

    path = changed(broadcast, tmp_path / "x.pcap", renamed)
    status, out, err = run("terminal", "play", path, *WITH_KEYS, "--json")
    assert (status, err, json.loads(out)["packets"]["decrypted"]) == (ExitCode.OK, "", 1200)


@pytest.mark.parametrize("mki_size", [0, 6])
def test_every_datagram_twice(run: Run, broadcast: list[Datagram], tmp_path: Path, mki_size: int) -> None:
    path = changed(broadcast, tmp_path / "x.pcap", Translator(SrtpFormat(mki_size=mki_size)))
    with open_capture(path) as capture:
        twice = [datagram for datagram in capture for _ in range(2)]
    changed(twice, path, bytes)
    status, out, err = run("terminal", "play", path, *WITH_KEYS, "--mki-length", mki_size, "--json")
    packets = json.loads(out)["packets"]
    assert (status, err) == (ExitCode.OK, "")
    assert [packets[name] for name in ("seen", "decrypted", "repeated", "failed")] == [2400, 1200, 1200, 0]


def test_neighbours_that_changed_places_sound_as_they_were_sent(
    run: Run, broadcast: list[Datagram], tmp_path: Path
) -> None:
    media = [number for number, datagram in enumerate(broadcast) if datagram.destination.port == 5004]
    swapped = list(broadcast)
    for one, other in zip(media[::2], media[1::2], strict=False):
        swapped[one], swapped[other] = broadcast[other], broadcast[one]
    for name, datagrams in (("sent", broadcast), ("swapped", swapped)):
        path = changed(datagrams, tmp_path / f"{name}.pcap", bytes)
        status, out, _ = run("terminal", "play", path, *WITH_KEYS, "--json", "-o", tmp_path / name)
        assert (status, json.loads(out)["left_out"]) == (ExitCode.OK, {"packets": {}, "seconds_of_silence": {}})
    assert (tmp_path / "swapped-5004.wav").read_bytes() == (tmp_path / "sent-5004.wav").read_bytes()


class Sources:
    """Media of many sources, under a key of the demo."""

    def __init__(self, payload_type: int = 0) -> None:
        *_, (name, key) = demo().truth.teks.items()  # the newest: older keys of MBMS are forgotten
        self._mki, self._key = tek_name(name.msk_id, name.mtk_id), TrafficKey(key.tek, key.salt)
        self._payload_type = payload_type
        self._senders: dict[int, SrtpSender] = {}

    def packet(self, ssrc: int, number: int, timestamp: int) -> Datagram:
        plain = RtpPacket(self._payload_type, number, timestamp, ssrc, bytes(4)).encode()
        sender = self._senders.setdefault(ssrc, SrtpSender(HEADEND_FORMAT))
        protected = sender.protect(plain, self._mki, self._key)
        return Datagram(1.0, Endpoint("10.0.0.1", 4000), Endpoint("239.9.9.9", 5004), protected)


@pytest.mark.parametrize("with_files", [False, True])
def test_seventy_sources_on_one_port(run: Run, broadcast: list[Datagram], tmp_path: Path, with_files: bool) -> None:
    sources = Sources()
    stkms = [datagram for datagram in broadcast if datagram.destination.port == STKM_PORT]
    many = [sources.packet(ssrc, number, 4 * number) for number in (1, 2) for ssrc in range(70)]
    path = changed([*stkms, *many], tmp_path / "x.pcap", bytes)
    how = ("-o", f"{tmp_path / 'heard'}/") if with_files else ()
    status, out, err = run("terminal", "play", path, *WITH_KEYS, "--json", *how)
    result = json.loads(out)
    assert (status, err, result["packets"]["decrypted"], len(result["streams"])) == (ExitCode.OK, "", 140, 64)
    assert result["left_out"]["packets"] == {"of more than 64 streams": 12}
    if with_files:
        assert len(list((tmp_path / "heard").iterdir())) == 64
    assert "12 packets" in run("terminal", "play", path, *WITH_KEYS)[1]


def test_packets_that_claim_silence_do_not_fill_the_disk(run: Run, broadcast: list[Datagram], tmp_path: Path) -> None:
    sources = Sources(payload_type=10)
    stkms = [datagram for datagram in broadcast if datagram.destination.port == STKM_PORT]
    far = [sources.packet(7, number, number * 441_001) for number in range(300)]
    path = changed([*stkms, *far], tmp_path / "x.pcap", bytes)
    heard = tmp_path / "heard-5004.wav"
    status, out, _ = run("terminal", "play", path, *WITH_KEYS, "--json", "-o", tmp_path / "heard")
    assert (status, list(json.loads(out)["left_out"]["seconds_of_silence"])) == (ExitCode.OK, [str(heard)])
    assert heard.stat().st_size < 2_000_000


STRANGE_CLOCKS: dict[str, Callable[[float, float], float]] = {
    "all 0": lambda _at, _begins: 0.0,
    "backwards": lambda at, begins: 2 * begins - at,
    "backwards, from long before": lambda at, begins: 1000 - (at - begins),
    "since the machine was switched on": lambda at, begins: 300 + at - begins,
}


@pytest.mark.parametrize("clock", STRANGE_CLOCKS)
@pytest.mark.parametrize("from_file", [False, True])
def test_ltkms_are_delivered_whatever_the_clock_of_the_capture_says(
    run: Run, broadcast: list[Datagram], tmp_path: Path, clock: str, from_file: bool
) -> None:
    begins, change = broadcast[0].timestamp, STRANGE_CLOCKS[clock]
    told = [replace(datagram, timestamp=change(datagram.timestamp, begins)) for datagram in broadcast]
    path, ltkms = changed(told, tmp_path / "x.pcap", bytes), tmp_path / "ltkms.json"
    keys = ("--scenario", "demo")
    if from_file:
        made = run("headend", "record", "demo", "-o", tmp_path / "y.pcap", "--ltkms", ltkms, "--profile", demo_path())
        assert made[0] == ExitCode.OK, made[2]
        keys = ("--ltkms", str(ltkms))
    status, out, err = run("terminal", "play", path, *CARD, *keys, "--json")
    result = json.loads(out)
    assert (status, err) == (ExitCode.OK, "")
    assert (result["teks"], result["packets"]["decrypted"], result["stkms"]["refused"]) == (7, 1200, 0)


class TestMostStaysShut:
    def test_the_key_that_most_of_them_name_is_told(self, run: Run, broadcast: list[Datagram], tmp_path: Path) -> None:
        path = changed(mixed(broadcast, 700), tmp_path / "x.pcap", bytes)
        status, out, err = run("terminal", "play", path, *WITH_KEYS, "--json")
        assert (status, err.count("\n")) == (ExitCode.OK, 1)
        assert "700 of 1200 media packets stay shut: they name MKI DEAD00010001, for which no key came" in err
        assert json.loads(out)["packets"]["without_key"] == 700

    def test_as_long_as_most_opens_nothing_is_said(self, run: Run, broadcast: list[Datagram], tmp_path: Path) -> None:
        path = changed(mixed(broadcast, 500), tmp_path / "x.pcap", bytes)
        assert run("terminal", "play", path, *WITH_KEYS)[::2] == (ExitCode.OK, "")

    def test_in_a_recording_too(self, run: Run, broadcast: list[Datagram], tmp_path: Path) -> None:
        path, film = changed(mixed(broadcast, 700), tmp_path / "x.pcap", bytes), tmp_path / "x.bcrec"
        assert run("terminal", "record", path, "-o", film, "--no-card")[0] == ExitCode.OK
        status, _, err = run("terminal", "replay", film, *WITH_KEYS)
        assert status == ExitCode.OK
        assert "700 of 1200 media packets stay shut: they name MKI DEAD00010001" in err


class TestNothingOpens:
    def test_the_wrong_suite(self, run: Run, broadcast: list[Datagram], tmp_path: Path) -> None:
        path = changed(broadcast, tmp_path / "x.pcap", bytes)
        status, _, err = run("terminal", "play", path, *WITH_KEYS, "--srtp-suite", "AES_CM_128_HMAC_SHA1_32")
        assert status == ExitCode.DIFFERENT
        assert " or many others, for which no key came" in err
        assert "--srtp-suite" in err

    def test_without_mki_and_without_the_option(self, run: Run, broadcast: list[Datagram], tmp_path: Path) -> None:
        path = changed(broadcast, tmp_path / "bare.pcap", Translator(SrtpFormat(mki_size=0)))
        status, out, err = run("terminal", "play", path, *WITH_KEYS)
        assert status == ExitCode.DIFFERENT
        assert "none of 1200 media packets opens: they name MKI" in err
        assert "--mki-length 0" in err
        assert "without key" in out

    def test_keys_that_the_card_does_not_have_are_named(
        self, run: Run, broadcast: list[Datagram], tmp_path: Path
    ) -> None:
        name = bytes.fromhex("DEAD00010001")
        path = changed(broadcast, tmp_path / "x.pcap", Foreign(name))
        status, out, err = run("terminal", "play", path, *WITH_KEYS, "--json")
        assert status == ExitCode.DIFFERENT
        assert "they name MKI DEAD00010001, for which" in err
        assert json.loads(out)["packets"]["missing_mkis"] == {"dead00010001": 1200}

    def test_damaged_tags(self, run: Run, broadcast: list[Datagram], tmp_path: Path) -> None:
        path = changed(broadcast, tmp_path / "x.pcap", lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]))
        status, _, err = run("terminal", "play", path, *WITH_KEYS)
        assert status == ExitCode.DIFFERENT
        assert "The card gave 7 traffic keys, but none of 1200 media packets opens: they are not authentic" in err

    def test_no_key_fits(self, run: Run, broadcast: list[Datagram], tmp_path: Path) -> None:
        path = changed(broadcast, tmp_path / "x.pcap", lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]))
        status, _, err = run("terminal", "play", path, *WITH_KEYS, "--mki-length", 0)
        assert status == ExitCode.DIFFERENT
        assert "no key fits" in err

    def test_a_port_without_media(self, run: Run, broadcast: list[Datagram], tmp_path: Path) -> None:
        path = changed(broadcast, tmp_path / "x.pcap", bytes)
        status, out, err = run("terminal", "play", path, *WITH_KEYS, "--media", 5999, "--json")
        assert status == ExitCode.DIFFERENT
        assert "no media packet on UDP port 5999" in err
        assert json.loads(out)["teks"] == 7

    def test_a_capture_of_stkms_alone_is_fine(self, run: Run, broadcast: list[Datagram], tmp_path: Path) -> None:
        stkms = [datagram for datagram in broadcast if datagram.destination.port == STKM_PORT]
        path = changed(stkms, tmp_path / "x.pcap", bytes)
        assert run("terminal", "play", path, *WITH_KEYS)[0] == ExitCode.OK


class TestNotReadable:
    def test_frames_that_are_skipped(self, run: Run, broadcast: list[Datagram], tmp_path: Path) -> None:
        path = changed(broadcast, tmp_path / "x.pcap", bytes)
        junk = bytes(8) + 2 * (20).to_bytes(4, "little") + b"\x45" + bytes(19)
        path.write_bytes(path.read_bytes() + 3 * junk)
        status, out, _ = run("terminal", "play", path, *WITH_KEYS)
        assert status == ExitCode.OK
        assert "skipped:" in out
        status, out, _ = run("terminal", "play", path, *WITH_KEYS, "--json")
        capture = json.loads(out)["capture"]
        assert capture["packets"] - capture["udp"] == sum(capture["skipped_reasons"].values()) == 3

    def test_no_stkm_is_readable(self, run: Run, broadcast: list[Datagram], tmp_path: Path) -> None:
        path = changed(broadcast, tmp_path / "x.pcap", lambda raw: raw[:7], stkms=True)
        status, out, err = run("terminal", "play", path, *WITH_KEYS)
        assert (status, out) == (ExitCode.INPUT, "")
        assert "none of the 48 datagrams on UDP port 2269 is readable as STKM" in err

    def test_a_capture_that_breaks_off_and_a_card_without_keys(
        self, run: Run, broadcast: list[Datagram], tmp_path: Path
    ) -> None:
        path = changed(broadcast, tmp_path / "x.pcap", bytes)
        path.write_bytes(path.read_bytes()[:-7])
        status, out, err = run("terminal", "play", path, *CARD, "--json")
        assert status == ExitCode.CARD
        assert "no traffic key" in err
        assert "unreadable from byte" in err
        result = json.loads(out)
        assert result["capture"]["problem"] == "cut off inside a packet"
        assert (result["stkms"]["seen"], result["stkms"]["refused"], result["stkms"]["resent"]) == (48, 48, 41)


def vanish(reader: str) -> None:
    raise ReaderGone(f"The card in reader “{reader}” vanished while it was in use.")


def interrupt_after(monkeypatch: pytest.MonkeyPatch, count: int, interrupt: Callable[[], None]) -> None:
    """Let a card answer so many commands, and `interrupt` be called at each one after them."""
    whole, calls = InProcessLink.transmit, iter(range(1000))

    def transmit(link: InProcessLink, apdu: bytes) -> bytes:
        if next(calls) > count:
            interrupt()
        return whole(link, apdu)

    monkeypatch.setattr(InProcessLink, "transmit", transmit)


def test_a_reader_that_vanishes_leaves_what_was_counted(
    run: Run, broadcast: list[Datagram], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = changed(broadcast, tmp_path / "x.pcap", bytes)
    interrupt_after(monkeypatch, 60, lambda: vanish("X"))
    status, out, err = run("terminal", "play", path, *WITH_KEYS, "--json")
    result = json.loads(out)
    assert (status, err.count("\n")) == (ExitCode.ENVIRONMENT, 1)
    assert 0 < result["stkms"]["seen"] < 48
    assert 0 < result["packets"]["decrypted"] < 1200


class TestRecordings:
    """Of media that were protected elsewhere."""

    @pytest.mark.parametrize("mki_size", [0, 8])
    @pytest.mark.parametrize("told_when", ["record", "replay"])
    def test_media_in_another_format(
        self, run: Run, broadcast: list[Datagram], tmp_path: Path, mki_size: int, told_when: str
    ) -> None:
        suite = SrtpSuite.AES_CM_128_HMAC_SHA1_32
        path = changed(broadcast, tmp_path / "x.pcap", Translator(SrtpFormat(suite, mki_size)))
        how, film = ("--srtp-suite", suite.name, "--mki-length", mki_size), tmp_path / "x.bcrec"
        told = {"record": how if told_when == "record" else (), "replay": how if told_when == "replay" else ()}
        assert run("terminal", "record", path, "-o", film, "--no-card", *told["record"])[0] == ExitCode.OK
        status, out, err = run("terminal", "replay", film, *WITH_KEYS, "--json", *told["replay"])
        (piece,) = json.loads(out)["pieces"]
        assert (status, err) == (ExitCode.OK, "")
        assert (piece["packets"]["seen"], piece["packets"]["decrypted"]) == (1200, 1200)

    def test_a_piece_of_media_that_name_no_key(self, run: Run, broadcast: list[Datagram], tmp_path: Path) -> None:
        path = changed(broadcast, tmp_path / "x.pcap", Translator(SrtpFormat(mki_size=0)))
        film = tmp_path / "x.bcrec"
        assert run("terminal", "record", path, "-o", film, *WITH_KEYS, "--mki-length", 0)[0] == ExitCode.OK
        status, out, _ = run("terminal", "replay", film, *WITH_KEYS, "--json", "--piece", "9-12")
        (piece,) = json.loads(out)["pieces"]
        assert status == ExitCode.OK
        assert piece["packets"]["decrypted"] >= piece["packets"]["seen"] * 0.8 > 0
        assert piece["stkms"]["fed"] < 7

    def test_a_reader_that_vanishes_leaves_what_was_counted(
        self, run: Run, broadcast: list[Datagram], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path, film = changed(broadcast, tmp_path / "x.pcap", bytes), tmp_path / "x.bcrec"
        assert run("terminal", "record", path, "-o", film, "--no-card")[0] == ExitCode.OK
        interrupt_after(monkeypatch, 50, lambda: vanish("X"))
        status, out, err = run("terminal", "replay", film, *WITH_KEYS, "--piece", "0-4", "--piece", "4-", "--json")
        pieces = json.loads(out)["pieces"]
        assert (status, err.count("\n")) == (ExitCode.ENVIRONMENT, 1)
        assert 0 < sum(piece["packets"]["decrypted"] for piece in pieces) < 1200


class TestOutput:
    def test_a_folder_that_is_not_there(self, run: Run, tmp_path: Path) -> None:
        status, out, err = run("terminal", "play", tmp_path / "x.pcap", *WITH_KEYS, "-o", tmp_path / "none" / "x")
        assert (status, out) == (ExitCode.ENVIRONMENT, "")
        assert "there is no folder" in err

    @pytest.mark.parametrize("there", [True, False])
    def test_into_a_folder(self, run: Run, broadcast: list[Datagram], tmp_path: Path, there: bool) -> None:
        path, folder = changed(broadcast, tmp_path / "x.pcap", bytes), tmp_path / "broadcast"
        if there:
            folder.mkdir()
        status, _, err = run("terminal", "play", path, *WITH_KEYS, "-o", f"{folder}/")
        assert (status, err) == (ExitCode.OK, "")
        assert sorted(file.name for file in folder.iterdir()) == ["media-5004.wav", "media-5006.wav"]

    def test_a_file_in_the_place_of_a_folder(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("mine")
        status, _, err = run("terminal", "play", tmp_path / "x.pcap", *WITH_KEYS, "-o", f"{tmp_path / 'file'}/")
        assert status == ExitCode.ENVIRONMENT
        assert "cannot be made" in err

    @pytest.mark.parametrize("mistake", ["capture", "PIN"])
    def test_a_folder_is_made_with_its_first_file(
        self, run: Run, broadcast: list[Datagram], tmp_path: Path, mistake: str
    ) -> None:
        path = tmp_path / "x.pcap"
        if mistake == "PIN":
            changed(broadcast, path, bytes)
        status, _, _ = run("terminal", "play", path, *CARD[:-1], "9999", "-o", f"{tmp_path / 'new'}/")
        assert status == (ExitCode.CARD if mistake == "PIN" else ExitCode.INPUT)
        assert not (tmp_path / "new").exists()


def test_a_card_file_names_no_subscriber(run: Run, tmp_path: Path) -> None:
    card_file = tmp_path / "mine.card"
    create_card(CardProfile.demo(), card_file).close()
    status, _, err = run(
        "terminal", "play", tmp_path / "x.pcap", "--link", "inprocess", "--profile", card_file, "--scenario", "demo"
    )
    assert status == ExitCode.USAGE
    assert "is a card file: --scenario needs --subscriber" in err


def test_the_capture_is_never_written_over(run: Run, tmp_path: Path) -> None:
    suffix = Path(demo_file_of_media(run, tmp_path)).suffix
    stem = tmp_path / "X"
    capture = tmp_path / f"X-5004{suffix}"
    capture.write_bytes(demo().pcap)
    status, _, err = run("terminal", "play", capture, *WITH_KEYS, "-o", stem)
    assert status == ExitCode.ENVIRONMENT
    assert f"{capture} is what this command reads" in err
    assert capture.read_bytes() == demo().pcap


def demo_file_of_media(run: Run, folder: Path) -> Path:
    """Return a file that the demo's media on port 5004 go to."""
    capture, stem = folder / "in.pcap", folder / "out"
    capture.write_bytes(demo().pcap)
    run("terminal", "play", capture, *WITH_KEYS, "-o", stem)
    return next(folder.glob("out-5004.*"))
