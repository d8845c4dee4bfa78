"""What playing and recording a broadcast cost, against bare loops that do nothing but what cannot be left out.

Services (four, or sixteen of 62,500 packets each) are recorded (`headend record`) and played (`terminal play`) with a
card in the process. STKMs are a twenty-fifth: read, filtered, given to the card where they are new. The bare player
reads the same pcap with dpkt, cuts the MKI out at its fixed place, and calls libsrtp with keys that it has already. The
bare sender protects as many packets of the same size with libsrtp and drops them. Both sides take turns. Nothing
asserts a rate.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import dpkt
import pytest
from pylibsrtp import Policy, Session

from card.disk.shipped import shipped_text
from host_tools.cli import main
from tests.bench.test_bench_transport import Announce, announce

__all__ = ["announce"]

ROUNDS = 3
A_SECOND = 50  # packets of a service
IP_AND_UDP, TAG, MKI = 28, 10, 6
STKM_PORT = (2269).to_bytes(2, "big")
PROFILE = Policy.SRTP_PROFILE_AES128_CM_SHA1_80


def scenario(services: int = 4, seconds: int = 500) -> str:
    """Return the broadcast as TOML: the network of the demo, with services of our own and none left out.

    Sequence numbers begin at 0: in up to 1,310 s none wraps, so libsrtp needs no help.
    """
    demo = shipped_text("host_tools.headend", "scenarios", "demo.toml")
    assert demo is not None
    shipped = demo.partition("[[service]]")[0]
    shipped = shipped.replace("duration = 24.0", f"duration = {seconds}.0").replace('view = "tone-a"', 'view = "all"')
    return shipped + "".join(
        f'[[service]]\nid = "s{n}"\nkey_group = {n}\naddress = "239.1.1.{n}"\nport = {5000 + 2 * n}\npayload_type = 0\n'
        "first_sequence = 0\n"
        for n in range(1, services + 1)
    )


def bare_player(capture: Path, truth: Path) -> Callable[[], int]:
    teks = json.loads(truth.read_text())["teks"]

    def play() -> int:
        sessions = {
            bytes.fromhex("".join(name.split("/")[1:])): Session(
                Policy(bytes.fromhex(key["tek"] + key["salt"]), Policy.SSRC_ANY_INBOUND, srtp_profile=PROFILE)
            )
            for name, key in teks.items()
        }
        opened = 0
        with capture.open("rb") as file:
            for _, frame in dpkt.pcap.Reader(file):
                if frame[22:24] != STKM_PORT:
                    mki = frame[-TAG - MKI : -TAG]
                    sessions[mki].unprotect(frame[IP_AND_UDP : -TAG - MKI] + frame[-TAG:])
                    opened += 1
        return opened

    return play


def bare_sender(capture: Path) -> Callable[[], int]:
    with capture.open("rb") as file:
        frames = [frame for _, frame in dpkt.pcap.Reader(file) if frame[22:24] != STKM_PORT]
    plain = [frame[IP_AND_UDP : -TAG - MKI] for frame in frames]

    def send() -> int:
        session = Session(Policy(bytes(30), Policy.SSRC_ANY_OUTBOUND, srtp_profile=PROFILE))
        for packet in plain:
            session.protect(packet)
        return len(plain)

    return send


def told(*arguments: str) -> Callable[[], None]:
    def run() -> None:
        assert main.invoke(list(arguments)) == 0

    return run


@pytest.mark.parametrize(("services", "seconds"), [(4, 500), (16, 1250)], ids=["10^5 packets", "10^6 packets"])
def test_share_of_a_bare_loop(
    services: int, seconds: int, tmp_path: Path, announce: Announce, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, capture, truth = (tmp_path / name for name in ("four.toml", "four.pcap", "truth.json"))
    plan.write_text(scenario(services, seconds))
    told("headend", "record", str(plan), "-o", str(capture), "--truth", str(truth))()
    card = ("--link", "inprocess", "--profile", "usim", "--scenario", str(plan), "--pin", "1234", "--json")
    sides: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "terminal play": (bare_player(capture, truth), told("terminal", "play", str(capture), *card)),
        "headend record": (bare_sender(capture), told("headend", "record", str(plan), "-o", str(capture))),
    }
    packets = services * seconds * A_SECOND
    for name, pair in sides.items():
        taken = [[_cpu(side) for side in pair] for _ in range(ROUNDS)]
        bare, ours = (1e6 * median(column) / packets for column in zip(*taken, strict=True))
        shares = sorted(one / other for one, other in taken)
        capsys.readouterr()
        announce(
            f"{name}, {packets:,} packets: {median(shares):.2f} of a bare loop ({shares[0]:.2f} to {shares[-1]:.2f}), "
            f"CPU {ours:.1f} against {bare:.1f} µs a packet"
        )


def _cpu(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start
