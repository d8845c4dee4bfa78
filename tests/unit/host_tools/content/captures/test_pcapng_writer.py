"""What is written as pcapng is read again, by our reader and by tshark, also while the file grows."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path

import pytest

from host_tools.content.captures.datagrams import Datagram, Endpoint
from host_tools.content.captures.pcap import CaptureReader
from host_tools.content.captures.pcapng import PcapngWriter
from host_tools.content.errors import CaptureError
from tests.support.capabilities import program

SENT = [
    Datagram(1_800_000_000.25, Endpoint("10.0.0.1", 40_000), Endpoint("239.1.1.1", 5004), b"x" * size)
    for size in range(6)
]


def written(file: io.BytesIO) -> None:
    writer = PcapngWriter(file, "air")
    for datagram in SENT:
        writer.write(datagram)


def test_there_and_back_after_every_packet() -> None:
    file = io.BytesIO()
    writer = PcapngWriter(file, "air")
    for count, datagram in enumerate(SENT, 1):
        writer.write(datagram)
        reader = CaptureReader(io.BytesIO(file.getvalue()), "air.pcapng", len(file.getvalue()))
        assert list(reader) == SENT[:count]
        assert reader.report.is_whole


def test_tshark_reads_it(tmp_path: Path) -> None:
    file = io.BytesIO()
    written(file)
    path = tmp_path / "air.pcapng"
    path.write_bytes(file.getvalue())
    fields = ("-T", "fields", "-e", "frame.time_epoch", "-e", "udp.dstport", "-e", "frame.interface_name")
    command = [str(program("tshark")), "-r", str(path), *fields]
    lines = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout.splitlines()
    assert lines == ["1800000000.250000000\t5004\tair"] * len(SENT)


@pytest.mark.parametrize(
    "wrong",
    [
        Datagram(-1.0, SENT[0].source, SENT[0].destination, b""),
        Datagram(1.0, SENT[0].source, SENT[0].destination, bytes(70_000)),
        Datagram(1.0, Endpoint("::1", 1), SENT[0].destination, b""),
        Datagram(1.0, SENT[0].source, Endpoint("239.1.1.1", 70_000), b""),
    ],
)
def test_what_no_file_can_hold(wrong: Datagram) -> None:
    with pytest.raises(CaptureError):
        PcapngWriter(io.BytesIO(), "air").write(wrong)
