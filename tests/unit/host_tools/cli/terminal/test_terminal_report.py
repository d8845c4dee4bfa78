"""Rows of the tables that `terminal play` and the demo show."""

from __future__ import annotations

import pytest

from host_tools.cli.terminal.report import capture_rows, progress_row, statistics_rows
from host_tools.content.captures.pcap import CaptureReport
from host_tools.terminal.statistics import PlayStatistics


@pytest.mark.parametrize(
    ("share", "shown"), [(0.0, "." * 30 + " 0%"), (0.5, "#" * 15 + "." * 15 + " 50%"), (1.0, "#" * 30 + " 100%")]
)
def test_the_share_of_a_capture_is_a_bar(share: float, shown: str) -> None:
    assert progress_row(share) == ("Played", shown)


def test_what_was_readable_and_what_was_not() -> None:
    report = CaptureReport(packets=5, udp=2, truncated_at=99, problem="cut off inside a packet")
    report.skipped_reasons.update(["malformed", "malformed", "not UDP"])
    assert capture_rows(report) == [
        ("Packets read", "5, 2 of them UDP"),
        ("  skipped: malformed", "2"),
        ("  skipped: not UDP", "1"),
        ("  not readable", "from byte 99 on: cut off inside a packet"),
    ]


def test_a_whole_capture_needs_one_row() -> None:
    assert capture_rows(CaptureReport(packets=2, udp=2)) == [("Packets read", "2, 2 of them UDP")]


def test_each_count_stands_below_what_it_is_a_part_of() -> None:
    statistics = PlayStatistics(stkms_unreadable=2, departures=1, packets_repeated=3)
    names = [name for name, _ in statistics_rows(statistics)]
    assert names.index("  not readable as STKM") < names.index("Services left") < names.index("TEKs obtained")
    assert names.index("Media packets seen") < names.index("  repeated") < names.index("Time per STKM")
