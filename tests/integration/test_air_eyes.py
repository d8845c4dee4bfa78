"""A broadcast before others: GStreamer opens it over a change of TEK, multicast stays on its computer, kill -9."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from card.codec.mikey import MikeyMessage
from card.spec.bcast.p1 import P1
from host_tools.content.srtp.format import HEADEND_FORMAT
from host_tools.content.stkm_name import tek_name
from host_tools.exchange.transport import Endpoint
from host_tools.headend.bsda.frames import tone_frames
from host_tools.headend.bsm.back_end import BackEnd
from host_tools.headend.on_air import transmitter
from host_tools.headend.on_air.broadcast import AirPlan, OnAir
from host_tools.headend.scenario.maker import make_keys
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.scenario.seeded_keys import media_stream, traffic_key
from host_tools.headend.scenario.timetable import Timetable
from host_tools.headend.sealing import MikeySealer
from tests.support.capabilities import missing, program
from tests.support.free_ports import free_ports

DEMO = shipped_scenario("demo")
SHORT = replace(DEMO, duration=8000, events=DEMO.events[:0])
PATIENCE = 60.0
PROGRAM = [sys.executable, "-m", "host_tools.cli.main"]


def wait_until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not reached():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def listens(port: int) -> bool:
    lines = Path("/proc/net/udp").read_text().splitlines()[1:]
    return any(int(line.split()[1].split(":")[1], 16) == port for line in lines)


async def broadcast(plan: AirPlan) -> None:
    """Send all of a broadcast, also what a busy computer sends too late for anybody who listens."""
    ended, now = asyncio.Event(), datetime.now(UTC)
    made = OnAir(SHORT, plan, now + timedelta(seconds=1), BackEnd(make_keys(SHORT), MikeySealer), P1, ended.set)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transmitter, "_OVER", PATIENCE)
        try:
            made.start(now)
            async with asyncio.timeout(PATIENCE):
                await ended.wait()
        finally:
            made.close()


def test_gstreamer_opens_the_stream_over_a_change_of_tek(tmp_path: Path) -> None:
    launch = program("gst-launch-1.0")
    if subprocess.run([program("gst-inspect-1.0"), "srtpdec"], capture_output=True, check=False).returncode:
        missing("the element srtpdec of GStreamer")
    service = SHORT.services[0]
    (term,) = Timetable(SHORT).terms(service.id, 0)
    caps = [
        "application/x-srtp,media=audio,clock-rate=8000,encoding-name=PCMU,payload=0",
        f"ssrc=(uint){media_stream(SHORT, service).ssrc},roc=(uint)0",
        "srtp-cipher=aes-128-icm,srtp-auth=hmac-sha1-80,srtcp-cipher=aes-128-icm,srtcp-auth=hmac-sha1-80",
    ]
    for number, end in ((1, ""), (2, "2")):
        key = traffic_key(SHORT, term, number)
        assert key.salt is not None
        name = tek_name(term.msk_id, number.to_bytes(2, "big"))
        caps.append(
            f"srtp-key{end}=(buffer){(key.tek.reveal() + key.salt.reveal()).hex()},mki{end}=(buffer){name.hex()}"
        )
    port, heard, packets = free_ports("127.0.0.7", 8), tmp_path / "heard.ulaw", SHORT.duration // 20
    source = f"udpsrc address=127.0.0.7 port={port} buffer-size=4000000 num-buffers={packets}"
    pipeline = f'{source} caps="{",".join(caps)}" ! srtpdec ! rtppcmudepay ! filesink location={heard}'
    with subprocess.Popen([launch, "-q", *shlex.split(pipeline)], stderr=subprocess.PIPE, text=True) as player:
        try:
            wait_until(lambda: listens(port))
            asyncio.run(broadcast(AirPlan(speed=10, listeners=(Endpoint("127.0.0.7", port),))))
            _, said = player.communicate(timeout=PATIENCE)
        finally:
            player.kill()
    frames = tone_frames(service.id)
    assert heard.read_bytes() == b"".join(frames.frame(number) for number in range(packets)), said


MULTICAST = """
    import asyncio, socket, struct, sys
    from tests.integration.test_air_eyes import SHORT, broadcast
    from host_tools.headend.on_air.broadcast import AirPlan
    heard = []
    for service in SHORT.services:
        for port in (service.port, SHORT.stkm.port):
            opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
            opened.setsockopt(socket.IPPROTO_IP, 12, 1)  # IP_RECVTTL of Linux, which Python does not name
            opened.bind((service.address, port))
            group = socket.inet_aton(service.address) + socket.inet_aton("127.0.0.1")
            opened.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
            opened.setblocking(False)
            heard.append(opened)
    asyncio.run(broadcast(AirPlan(speed=10, multicast=True)))
    for opened in heard:
        count, ttls = 0, set()
        while True:
            try:
                _, ancillary, _, _ = opened.recvmsg(2000, 64)
            except BlockingIOError:
                break
            count += 1
            ttls |= {struct.unpack("i", data)[0] for _, _, data in ancillary}
        print(count, *sorted(ttls))
"""


def test_multicast_reaches_its_groups_and_leaves_no_computer() -> None:
    unshare, ip = program("unshare"), program("ip", "/sbin")
    command = [str(unshare), "-rn", "sh", "-c", f'{ip} link set lo up && exec "$0" -c "$1"', sys.executable]
    if subprocess.run([str(unshare), "-rn", str(ip), "link"], capture_output=True, check=False).returncode:
        missing("a network namespace of one's own")
    found = subprocess.run(
        [*command, textwrap.dedent(MULTICAST)], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    stkms = sum(1 for _ in Timetable(SHORT).stkms(-200)) // 2
    assert found.stdout.splitlines() == ["400 0", f"{stkms} 0"] * 2, found.stderr


class Ear:
    """Hears one service of a broadcast at the ports of the first one."""

    def __init__(self, place: Endpoint) -> None:
        self._media, self._stkms = (self._open(place.address, place.port + more) for more in (0, 2))

    def _open(self, address: str, port: int) -> socket.socket:
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        opened.bind((address, port))
        opened.settimeout(PATIENCE)
        return opened

    def close(self) -> None:
        self._media.close()
        self._stkms.close()

    def forget(self) -> None:
        """Drop what has come so far."""
        for opened in (self._media, self._stkms):
            opened.setblocking(False)
            try:
                while True:
                    opened.recv(2000)
            except BlockingIOError:
                opened.settimeout(PATIENCE)

    def packets_until_opened(self) -> tuple[int, bytes]:
        """Return how many packets come until one whose TEK was in an STKM, and the name of its TEK."""
        names: set[bytes] = set()
        count = 0
        while True:
            mki = HEADEND_FORMAT.split(self._media.recv(2000))[0]
            count += 1
            self._stkms.setblocking(False)
            try:
                while True:
                    ids = MikeyMessage.decode(self._stkms.recv(2000)).key_ids()
                    names.add(tek_name(ids.msk_id, ids.mtk_id or b""))
            except BlockingIOError:
                pass
            if mki in names:
                return count, mki


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([*PROGRAM, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("by", ["bsm", pytest.param("bsd", marks=pytest.mark.nightly)])
def test_bsm_and_bsda_are_killed_and_started_again(tmp_path: Path, by: str) -> None:
    scenario = tmp_path / "demo.toml"
    text = (Path(sys.modules["host_tools.headend"].__path__[0]) / "scenarios" / "demo.toml").read_text()
    scenario.write_text(text.replace("\nduration", f'\nstkm_by = "{by}"\nduration'))
    port, place = free_ports("127.0.0.1"), Endpoint("127.0.0.8", free_ports("127.0.0.8", 8))
    listener = f"{place.address}:{place.port}"
    shared = ["--clock-file", str(tmp_path / "clock"), "--speed", "4", "--loop", "--listener", listener]
    key, network = ["--transport-key", str(tmp_path / "key")], tmp_path / "net.toml"
    bsm = [
        "headend",
        "serve",
        str(scenario),
        "--port",
        str(port),
        "--network-file",
        str(network),
        *key,
        *shared,
        "--db",
        "memory",
    ]
    bsda = ["headend", "air", str(scenario), "--bsm", f"127.0.0.1:{port}", *key, *shared]
    packets_of_a_period = DEMO.stkm.crypto_period // 20
    ear = Ear(place)
    try:
        with started(*bsm) as first:
            wait_until(network.exists)
            with started(*bsda) as station:
                assert ear.packets_until_opened()[0] <= packets_of_a_period
                first.send_signal(signal.SIGKILL)
                first.wait()
                network.unlink()
                ear.forget()
                # The BSM is away, and nobody hears it.
                assert ear.packets_until_opened()[0] <= packets_of_a_period
                with started(*bsm):
                    wait_until(network.exists)
                    station.send_signal(signal.SIGKILL)
                    station.wait()
                    ear.forget()
                    with started(*bsda):
                        count, mki = ear.packets_until_opened()
    finally:
        ear.close()
    assert count <= packets_of_a_period
    began = datetime.fromisoformat(json.loads((tmp_path / "clock").read_text())["began"])
    at = (datetime.now(UTC) - began).total_seconds() * 4000
    # It went on where time had got to, not where it was killed.
    assert abs(int.from_bytes(mki[4:], "big") - Timetable(DEMO, loop=True).mtk_id(round(at))) <= 12
