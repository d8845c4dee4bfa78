"""What the protection of an STKM costs: x-sac-1, TLS-PSK and SCP03 against clear, card and terminal in one process.

Only ratios within one run are told. Both ends of the channel are in them, and the protocol's own APDUs: three or four
cross the wire for each one inside.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import pytest
from yubikit.core.smartcard import SmartCardProtocol

from card.spec.sac_tables import Kind, TekPolicy
from tests.support.network import stkm
from tests.support.sac import Wire, sac_card_with_msk, sac_link
from tests.support.testcard import TestCard, tlv
from tests.unit.card.commands.secure_channel.test_scp03 import Connection, params

STKMS = 100
ROUNDS = 5
FETCH = bytes.fromhex("0089A08500")
Transmit = Callable[[bytes], bytes]


def clear(card: TestCard) -> Transmit:
    return card.card.transmit


def inside(kind: Kind) -> Callable[[TestCard], Transmit]:
    return lambda card: sac_link(Wire(card), kind=kind).transmit


def scp03(card: TestCard) -> Transmit:
    """Return a way through yubikit, which raises for every status word but 9000."""
    protocol = SmartCardProtocol(Connection(card), ins_send_remaining=0xC0)
    protocol.init_scp(params())
    processor = protocol._processor

    def transmit(raw: bytes) -> bytes:
        cla, ins, p1, p2 = raw[:4]
        data, sw = processor.send_apdu(cla, ins, p1, p2, raw[5:], 0)
        return bytes(data) + sw.to_bytes(2, "big")

    return transmit


WAYS: dict[str, Callable[[TestCard], Transmit]] = {
    "clear": clear,
    "x-sac-1": inside(Kind.SECURED_APDU),
    "tls-psk": inside(Kind.TLS),
    "scp03": scp03,
}


def cost(transmit: Transmit, commands: list[bytes]) -> float:
    """Return the seconds of one STKM: command and retrieval."""
    answer = b""
    start = time.perf_counter()
    for command in commands:
        transmit(command)
        answer = transmit(FETCH)
    elapsed = time.perf_counter() - start
    assert answer[-2:] == b"\x90\x00"
    return elapsed / len(commands)


def test_cost_of_protection(capsys: pytest.CaptureFixture[str]) -> None:
    card, _, message = sac_card_with_msk(TekPolicy.CLEAR)
    counter = 0
    taken: dict[str, list[float]] = {name: [] for name in WAYS}
    ways = {name: way(card) for name, way in WAYS.items()}
    for _ in range(ROUNDS):
        for name, transmit in ways.items():
            commands = []
            for _ in range(STKMS):
                counter += 1
                data = tlv(0x53, b"\x02" + stkm(message, counter).build())
                commands.append(b"\x00\x89\x80\x85" + bytes((len(data),)) + data)
            taken[name].append(cost(transmit, commands))
    found = {name: median(values) for name, values in taken.items()}
    with capsys.disabled():
        print(f"\nSTKM to TEK in clear {1e6 * found['clear']:.0f} us; ", end="")
        print(", ".join(f"{name} {found[name] / found['clear']:.1f} times" for name in WAYS if name != "clear"))
