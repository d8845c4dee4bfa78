"""Head-end and terminal as programs, over the wires of this computer, while a broadcast is on the air."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import host_tools.headend
from card import CardProfile, memory_card
from host_tools.content.rtp import looks_like_rtp
from host_tools.content.sinks.g711 import decode_mulaw
from host_tools.content.srtp.format import HEADEND_FORMAT
from host_tools.exchange.transport import Endpoint
from host_tools.headend.bsda.frames import tone_frames
from tests.integration.conftest import Desk
from tests.support.capabilities import missing, program
from tests.support.chaos.lossy import LossyRelay, Weather
from tests.support.csim import write_csim_subscriber
from tests.support.free_ports import free_ports, head_end_ports
from tests.support.head_end import free_address
from tests.support.live import (
    CARD,
    PATIENCE,
    HeadEnd,
    Json,
    Program,
    Terminal,
    opened_what_had_its_key,
    samples_of,
    wait_until,
    worst_lateness,
)

FRAME = 320  # octets of samples in 20 ms
PACKETS_OF_A_PERIOD = 200
SEK_LIFE = 8  # seconds of the demo, at least
SECOND_SUBSCRIBER = """
[[subscriber]]
imsi = "001001987654321"
mnc_length = 3
k = "0396eb317b6d1c36f19c1c84cd6ffd16"
opc = "53c15671c60a4b731c55b4a441c0bde2"
"""


def on_the_air(scenario: str, folder: Path, address: str, speed: int, *more: str) -> HeadEnd:
    """Return a head-end that streams without end to a terminal's address."""
    listener = f"{address}:{free_ports(address, 8)}"
    return HeadEnd(
        scenario, folder, "--air", "--loop", "--speed", str(speed), "--db", "memory", "--listener", listener, *more
    )


def frames_of(service: str) -> list[bytes]:
    """Return the samples of each 20 ms of a melody, once through."""
    source = tone_frames(service)
    codes = [source.frame(0)]
    while source.frame(len(codes)) != codes[0] or source.frame(len(codes) + 1) != source.frame(1):
        codes.append(source.frame(len(codes)))
    return [decode_mulaw(code) for code in codes]


def heard_the_melody(service: str, file: Path, ended: Json) -> None:
    """Require that a file has a melody, with silence where a packet was lost or its key did not come in time."""
    heard, packets = samples_of(file), ended["packets"]
    frames = frames_of(service)
    if not ended["lost"] and set(packets["why_without_key"]) <= {"before the first key"}:
        assert len(heard) == packets["decrypted"] * FRAME
        assert heard in b"".join(frames) * (len(heard) // len(frames) // FRAME + 2)
    else:
        assert len(heard) >= packets["decrypted"] * FRAME
        assert {heard[at : at + FRAME] for at in range(0, len(heard), FRAME)} <= {*frames, bytes(FRAME)}


def longer(name: str, folder: Path, replaced: tuple[str, str] = ("", "")) -> str:
    """Return the path of a shipped scenario that lasts four minutes, so that no round ends meanwhile."""
    text = (Path(host_tools.headend.__file__).parent / "scenarios" / f"{name}.toml").read_text()
    path = folder / f"{name}.toml"
    path.write_text(re.sub(r"(?m)^duration = .*$", "duration = 240.0", text).replace(*replaced))
    return str(path)


@pytest.mark.flow("000", "5.4.4.2.1.3", step="1", message="STKMs of a programme that runs, at `terminal tune`")
@pytest.mark.flow("000", "5.4.4.2.1.3", step="2", message="the card takes them as they come, and the media are opened")
@pytest.mark.parametrize("link", ["inprocess", pytest.param("pcsc", marks=pytest.mark.pcscd)])
def test_the_demo_live(link: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """The terminal registers, follows the SEKs as they roll over, and hears what was sent."""
    address, kept = free_address(), tmp_path / "air.pcapng"
    card: tuple[str, ...] = CARD
    if link == "pcsc":
        insert: Desk = request.getfixturevalue("insert")
        card = ("--reader", insert(memory_card(CardProfile.demo(), strict=True)), "--pin", "1234")
    with on_the_air("demo", tmp_path, address, 20, "--record", str(kept)) as head_end:
        with Terminal("tone-a", head_end.network, address, "-o", str(tmp_path / "heard"), card=card) as terminal:
            terminal.wait_for_packets(4000)
            assert terminal.end() == 0, terminal.story()
        late = worst_lateness(head_end)
        assert head_end.end() == 0, head_end.text
    ended = terminal.ended
    opened_what_had_its_key(ended, late, SEK_LIFE / 20)
    answer, *_ = terminal.named("answer")
    assert answer["answers"] == [{"service": "urn:x-bcast-uicc:service:tone-a", "status": 200}]
    assert len({one["key"] for one in terminal.named("ltkm")}) > 3
    assert ended["teks"] > 10
    (file,) = tmp_path.glob("heard-*.wav")
    heard_the_melody("tone-a", file, ended)
    if link == "inprocess":
        tshark_follows(kept, ended)


@pytest.mark.parametrize("link", ["inprocess", pytest.param("pcsc", marks=pytest.mark.pcscd)])
def test_the_demo_live_with_a_csim(link: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """It does not register: it buys, follows the SEKs as they roll over, and hears what was sent. Provisional."""
    address, profile = free_address(), CardProfile.demo("csim")
    card: tuple[str, ...] = ("--link", "inprocess", "--profile", "csim", "--pin", "1234")
    if link == "pcsc":
        insert: Desk = request.getfixturevalue("insert")
        card = ("--reader", insert(memory_card(profile, strict=True)), "--pin", "1234")
    subscribers = write_csim_subscriber(tmp_path / "subscribers.toml")
    bought = ("--buy", "urn:x-bcast-uicc:item:tone-a,urn:x-bcast-uicc:data:month")
    with on_the_air("demo", tmp_path, address, 4, "--subscribers", str(subscribers)) as head_end:
        options = ("--csim", *bought, "-o", str(tmp_path / "heard"), "--state", str(tmp_path / "s"))
        with Terminal("tone-a", head_end.network, address, *options, card=card) as terminal:
            terminal.wait_for_packets(2000)
            assert terminal.end() == 0, terminal.story()
        late = worst_lateness(head_end)
        assert head_end.end() == 0, head_end.text
    ended = terminal.ended
    opened_what_had_its_key(ended, late, SEK_LIFE / 4)
    assert profile.csim is not None
    assert [one["subscriber"] for one in terminal.named("online")] == [profile.csim.nai]
    assert "registration" not in {one["request"] for one in terminal.named("answer")}
    assert len({one["key"] for one in terminal.named("ltkm")}) > 2
    (file,) = tmp_path.glob("heard-*.wav")
    heard_the_melody("tone-a", file, ended)


def tshark_follows(kept: Path, ended: Json) -> None:
    """Require that what was kept is RTP and STKMs for others, too: at least what the terminal has seen."""
    command = [str(program("tshark")), "-r", str(kept), "-d", "udp.port==5004,rtp", "-d", "udp.port==5006,rtp"]
    fields = ["-T", "fields", "-e", "ip.dst", "-e", "_ws.col.Protocol"]
    found = subprocess.run([*command, *fields], capture_output=True, text=True, check=True).stdout.splitlines()
    rtp, stkms = (found.count(f"239.1.1.1\t{protocol}") for protocol in ("RTP", "UDP/MIKEY"))
    assert rtp >= ended["packets"]["seen"]
    assert stkms >= ended["stkms"]["seen"]
    assert len([line for line in found if line.endswith(("RTP", "MIKEY"))]) == len(found)


def test_two_terminals_one_of_which_pays(tmp_path: Path) -> None:
    """Both hear the same stream of a service that costs; one buys it by a message, the other hears why not."""
    paying, other = free_address(), free_address()
    subscribers = tmp_path / "others.toml"
    subscribers.write_text(SECOND_SUBSCRIBER)
    port = free_ports(paying, 8)
    more = ("--listener", f"{other}:{port}", "--subscribers", str(subscribers))
    listener = ("--air", "--db", "memory", "--listener", f"{paying}:{port}", *more)
    bought = ("--buy", "urn:x-bcast-uicc:item:sport-month,urn:x-bcast-uicc:data:once", "--no-register")
    second = ("--link", "inprocess", "--profile", "usim-t1", "--pin", "1234", "--state", str(tmp_path / "second"))
    with (
        HeadEnd(longer("subscribe", tmp_path), tmp_path, *listener) as head_end,
        Terminal("sport", head_end.network, paying, *bought) as first,
        Terminal("sport", head_end.network, other, card=second) as poor,
    ):
        first.wait_for_packets(50)
        poor.wait_until_heard(150)
        assert first.end() == 0, first.story()
        assert poor.end() != 0
        late = worst_lateness(head_end)
    answers = [one for one in first.named("answer") if one["request"] == "service request"]
    assert answers, first.story()
    opened_what_had_its_key(first.ended, late, 60.0)
    assert poor.ended["packets"]["seen"] > 100
    assert poor.ended["packets"]["decrypted"] == 0
    (registration,) = (one for one in poor.named("answer") if one["request"] == "registration")
    assert [one["status"] for one in registration["answers"]] == [403]
    assert "no key for this service in the card" in poor.text.splitlines()[-1]
    # It does not ask again with every STKM.
    assert len(poor.named("answer")) < 12


@pytest.mark.parametrize("by", ["bsm", pytest.param("bsd", marks=pytest.mark.nightly)])
def test_bsm_and_bsda_are_killed_while_a_terminal_listens(by: str, tmp_path: Path) -> None:
    """With a database. While the BSM is away nobody hears it; the BSD/A is heard again within a crypto period."""
    scenario = longer("demo", tmp_path, ("\nduration", f'\nstkm_by = "{by}"\nduration'))
    address, ports = free_address(), head_end_ports()
    shared = (
        "--clock-file", str(tmp_path / "clock"), "--transport-key", str(tmp_path / "key"), "--loop", "--speed", "2",
        "--listener", f"{address}:{free_ports(address, 8)}",
    )  # fmt: skip
    stored = ("--db", str(tmp_path / "a.db"), "--key-file", str(tmp_path / "store.key"))
    bsda = ("headend", "air", scenario, "--bsm", f"127.0.0.1:{ports[1]}", *shared)
    with (
        HeadEnd(scenario, tmp_path, *ports, *stored, *shared) as bsm,
        Program(*bsda) as station,
        Terminal("tone-b", bsm.network, address) as terminal,
    ):
        terminal.wait_for_packets(200)
        assert "on the air by the BSD/A: tone-b to" in bsm.text
        bsm.process.kill()
        terminal.wait_for_packets(200)
        with HeadEnd(scenario, tmp_path, *ports, *stored, *shared):
            terminal.wait_for_packets(200)
            station.process.kill()
            with Program(*bsda) as again:
                again.wait_for("on the air")
                terminal.wait_for_packets(600)
                assert terminal.end() == 0, terminal.story()
    packets, registrations = terminal.ended["packets"], terminal.named("answer")
    assert packets["decrypted"] + packets["without_key"] == packets["seen"]
    assert (packets["failed"], terminal.ended["dropped"]) == (0, 0)
    assert packets["without_key"] <= PACKETS_OF_A_PERIOD, packets
    assert len([one for one in registrations if one["request"] == "registration"]) == 1


def test_bad_weather(tmp_path: Path) -> None:
    """OMA BCAST through loss, doubles, reordering: what came and whose TEK was heard is opened, once."""
    address, sent_to = free_address(), free_address()
    port = free_ports(sent_to, 8)
    ways = {Endpoint(sent_to, port + more): Endpoint(address, port + more) for more in (0, 2)}
    listener = ("--air", "--speed", "2", "--db", "memory", "--listener", f"{sent_to}:{port}")
    with (
        HeadEnd(longer("subscribe", tmp_path), tmp_path, *listener) as head_end,
        Terminal("news", head_end.network, address) as terminal,
    ):
        wait_until(lambda: bool(terminal.named("tuned")), terminal.story)
        with LossyRelay(ways, Weather(lost=0.2, doubled=0.1, delay=0.2), seed=14) as relay:
            terminal.wait_for_packets(500)
            assert head_end.end() == 0
            wait_until(lambda: relay.is_still)
            came = Counter(payload for payload in list(relay.passed) if looks_like_rtp(payload))
            wait_until(lambda: terminal.progress["packets"] == came.total(), terminal.story)
        assert terminal.end() == 0, terminal.story()
    ended = terminal.ended
    counted, given = ended["packets"], {bytes.fromhex(one["msk_id"] + one["mtk_id"]) for one in ended["given"]}
    wanted = {payload for payload in came if HEADEND_FORMAT.split(payload)[0] in given}
    assert relay.counts["lost"] > 100
    assert ended["lost"] > 50
    assert counted["decrypted"] == len(wanted) >= 500
    assert counted["repeated"] == sum(came[payload] - 1 for payload in wanted) > 20
    assert counted["without_key"] == sum(count for payload, count in came.items() if payload not in wanted)
    assert (counted["failed"], ended["dropped"]) == (0, 0)


def test_multicast_by_the_commands_before_tshark(tmp_path: Path) -> None:
    """In a network of its own: registration over HTTP, LTKMs, STKMs, RTP to a group, and tshark reads all of it."""
    unshare, ip, tshark = program("unshare"), program("ip", "/sbin"), program("tshark")
    if subprocess.run([str(unshare), "-rn", str(ip), "link"], capture_output=True, check=False).returncode:
        missing("a network namespace of one's own")
    up = (
        f'{ip} link set lo up && {ip} route add 239.0.0.0/8 dev lo && exec "$0" -m tests.support.live_in_namespace "$@"'
    )
    done = subprocess.run(
        [str(unshare), "-rn", "sh", "-c", up, sys.executable, str(tmp_path), str(tshark)],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    opened_what_had_its_key(told["ended"], told["late"], SEK_LIFE / 4)
    seen, packets = told["seen"], told["ended"]["packets"]
    # tshark calls it SRTP where it has read the SDP of the announcement.
    assert sum(seen.get(f"239.1.1.1\t{name}", 0) for name in ("RTP", "SRTP")) >= packets["seen"] > 300
    assert seen.get("239.1.1.1\tUDP/MIKEY", 0) >= told["ended"]["stkms"]["seen"] > 10, seen
    # LTKMs to the terminal, and what it answers; bootstrapping, registration and announcement.
    assert seen["127.0.0.2\tUDP/MIKEY"] >= 1
    assert sum(count for name, count in seen.items() if "HTTP" in name) >= 6
