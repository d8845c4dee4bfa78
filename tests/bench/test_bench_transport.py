"""What the bridge costs: rounds of two APDUs through stock pcscd and vpcd, as a share of a bare echo card.

    make bench        (or: pytest -m bench tests/bench/test_bench_transport.py -s)

Nothing here asserts a rate: a loaded machine is no defect. Each round checks its answers.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.bench.harness import card_process, measure_ratio
from tests.integration.pcsc_client import Client, Handle
from vpicc_bridge.pcscd import PrivatePcscd

ECHO = "tests.bench.echo"
SELECT = bytes.fromhex("00a40004026f07")
READ_BINARY = bytes.fromhex("00b0000009")

Announce = Callable[[str], None]


@pytest.fixture
def announce(capsys: pytest.CaptureFixture[str]) -> Announce:
    """Print past pytest's capture."""

    def print_now(line: str) -> None:
        with capsys.disabled():
            print(f"\n{line}")

    return print_now


def two_apdus(handle: Handle) -> Callable[[], None]:
    """A round like SELECT + READ BINARY, answered by an echo."""

    def one_round() -> None:
        assert handle.transmit(SELECT)[-2:] == b"\x90\x00"
        assert handle.transmit(READ_BINARY)[-2:] == b"\x90\x00"

    return one_round


@pytest.mark.parametrize("alert", [(), ("--alert",)], ids=["asleep", "awake in bursts"])
@pytest.mark.parametrize("options", [(), ("--bridge",)], ids=["floor against itself", "bridge"])
def test_share_of_the_floor(
    private_pcscd: PrivatePcscd, client: Client, announce: Announce, options: tuple[str, ...], alert: tuple[str, ...]
) -> None:
    floor_port, other_port = private_pcscd.ports[:2]
    floor_reader, other_reader = private_pcscd.reader_names[:2]
    with ExitStack() as cards:
        cards.enter_context(card_process(ECHO, str(floor_port), *alert))
        cards.enter_context(card_process(ECHO, str(other_port), *options, *alert))
        client.wait_present(floor_reader)
        client.wait_present(other_reader)
        with client.connected(floor_reader) as floor, client.connected(other_reader) as other:
            ratio = measure_ratio(two_apdus(floor), two_apdus(other))
    client.wait_empty(floor_reader)
    client.wait_empty(other_reader)
    waits = "awake in bursts" if alert else "asleep"
    announce(f"echo through {'the bridge' if options else 'a bare socket'}, both {waits}: {ratio}")
