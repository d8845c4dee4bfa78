"""What the script runner and tracing cost per APDU, as a share of bare pyscard in the same run.

    make bench        (or: pytest -m bench tests/bench/test_bench_script.py -s)

Each round is one READ BINARY answered by the echo card. Nothing here asserts a rate: a loaded machine is no defect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from hashlib import sha256
from itertools import cycle
from pathlib import Path

import pytest

from host_tools.compare.observe import ObservedLink
from host_tools.links.base import Link
from host_tools.links.pcsc import PcscLink
from host_tools.script.load import load_script
from host_tools.script.results import Status, StepResult
from host_tools.script.runner import Runner
from host_tools.trace.events import TraceSink
from host_tools.trace.gsmtap import GsmtapSink, PcapngSink
from host_tools.trace.jsonl import JsonLinesSink
from host_tools.trace.known_secrets import KnownSecrets
from host_tools.trace.text import TextSink
from host_tools.trace.tracer import TracedLink, Tracer
from tests.bench.harness import Round, card_process, measure_ratio
from tests.bench.test_bench_transport import ECHO, READ_BINARY, Announce, announce
from tests.integration.pcsc_client import Client, Handle
from vpicc_bridge.pcscd import PrivatePcscd

__all__ = ["announce"]

Kind = Callable[[Link, Path, ExitStack], Round]
SCRIPT = '[script]\nreset = false\n[[step]]\napdu = "00B0000009"\ndata = "00B0000009"\nlength = 5\nrepeat = 1000000\n'


def bare(handle: Handle) -> Round:
    def one_round() -> None:
        assert handle.transmit(READ_BINARY)[-2:] == b"\x90\x00"

    return one_round


def over(link: Link, _tmp_path: Path, _stack: ExitStack) -> Round:
    def one_round() -> None:
        assert link.transmit(READ_BINARY)[-2:] == b"\x90\x00"

    return one_round


def at_changing_offsets(link: Link) -> Round:
    """Read at another offset each time: secrets are not looked for twice in the same data."""
    offsets = cycle(range(0x8000))

    def one_round() -> None:
        command = READ_BINARY[:2] + next(offsets).to_bytes(2, "big") + READ_BINARY[4:]
        assert link.transmit(command) == command + b"\x90\x00"

    return one_round


def traced(make_sink: Callable[[Path], TraceSink], secrets: int = 0) -> Kind:
    def make(link: Link, tmp_path: Path, stack: ExitStack) -> Round:
        known = KnownSecrets(sha256(bytes((number,))).digest()[:16] for number in range(secrets))
        recorder = Tracer("bench", [make_sink(tmp_path)], known=known)
        stack.callback(recorder.close)
        recorded = TracedLink(link, recorder)
        return at_changing_offsets(recorded) if secrets else over(recorded, tmp_path, stack)

    return make


def scripted(link: Link, tmp_path: Path, _stack: ExitStack) -> Round:
    path = tmp_path / "bench.toml"
    path.write_text(SCRIPT)
    results: Iterator[StepResult] = Runner(link).run(load_script(path))

    def one_round() -> None:
        assert next(results).status is Status.PASSED

    return one_round


def watched(link: Link, tmp_path: Path, stack: ExitStack) -> Round:
    return over(ObservedLink(link), tmp_path, stack)


KINDS: dict[str, Kind] = {
    "link": over,
    "script runner": scripted,
    "watched for a comparison": watched,
    "trace as JSON lines": traced(lambda folder: JsonLinesSink((folder / "t.jsonl").open("w"))),
    "trace as JSON lines, 16 secrets": traced(lambda folder: JsonLinesSink((folder / "t.jsonl").open("w")), 16),
    "trace as pcapng": traced(lambda folder: PcapngSink((folder / "t.pcapng").open("wb"))),
    "trace over GSMTAP": traced(lambda _: GsmtapSink()),
    "trace as decoded text": traced(lambda _: TextSink(lambda _line: None)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_share_of_bare_pyscard(
    private_pcscd: PrivatePcscd, client: Client, announce: Announce, tmp_path: Path, kind: str
) -> None:
    floor_port, other_port = private_pcscd.ports[:2]
    floor_reader, other_reader = private_pcscd.reader_names[:2]
    with ExitStack() as stack:
        for reader, port in ((floor_reader, floor_port), (other_reader, other_port)):
            stack.enter_context(card_process(ECHO, str(port)))
            client.wait_present(reader)
        handle = stack.enter_context(client.connected(floor_reader))
        link = PcscLink.open(other_reader)
        stack.callback(link.close)
        ratio = measure_ratio(bare(handle), KINDS[kind](link, tmp_path, stack))
    client.wait_empty(floor_reader)
    client.wait_empty(other_reader)
    announce(f"{kind}: {ratio}")
