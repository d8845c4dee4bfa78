"""What `terminal play` and `replay` make of their counters: nothing to complain of, or a sentence and an exit code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from host_tools.cli.exits import CARD, DIFFERENT, INPUT, CliError

if TYPE_CHECKING:
    from host_tools.media.pcap import CaptureReport
    from host_tools.terminal.player import PlayOptions
    from host_tools.terminal.statistics import PlayStatistics

_NOT_AUTHENTIC = "they are not authentic under the keys they name"
_BINDING = "--binding opens keys that are bound to a terminal"


def judge(path: Path, statistics: PlayStatistics, report: CaptureReport, options: PlayOptions) -> None:
    """Raise `CliError` for a card that gave no TEK, a capture that breaks off, and media of which nothing opened."""
    broken = "" if report.is_whole else f"{path}: {report}."
    if not statistics.teks:
        reason = statistics.refusals.most_common(1)[0][0]
        raise CliError(f"The card gave no traffic key: {reason}. {broken}".strip(), CARD)
    unopened = _unopened(statistics, options)
    if broken:
        raise CliError(f"{broken} {unopened}".strip(), INPUT)
    if unopened:
        raise CliError(unopened, DIFFERENT)


def judge_replay(pieces: Sequence[PlayStatistics]) -> None:
    """Raise `CliError` for pieces of a recording that have media packets of which not one opened."""
    seen = sum(piece.packets_seen for piece in pieces)
    if not seen or any(piece.packets_decrypted for piece in pieces):
        return
    failed = any(piece.packets_failed for piece in pieces)
    why = f"{_NOT_AUTHENTIC} ({_BINDING})" if failed else "no key came for them"
    raise CliError(f"None of {_count(seen, 'media packet')} opens: {why}.", DIFFERENT)


def _unopened(statistics: PlayStatistics, options: PlayOptions) -> str:
    """Say why no media packet opened; nothing when one did, or when none was asked for and none was there."""
    if statistics.packets_decrypted:
        return ""
    keys = f"The card gave {_count(statistics.teks, 'traffic key')}"
    if not statistics.packets_seen:
        ports = ", ".join(map(str, sorted(options.media_ports)))
        return f"{keys}, but there is no media packet on UDP port {ports}." if ports else ""
    return f"{keys}, but none of {_count(statistics.packets_seen, 'media packet')} opens: {_why(statistics, options)}."


def _why(statistics: PlayStatistics, options: PlayOptions) -> str:
    if not options.srtp.names_key:
        return "no key fits (do --mki-length and --srtp-suite say how they are made?)"
    if statistics.packets_failed:
        return f"{_NOT_AUTHENTIC} ({_BINDING}; does --srtp-suite say how they are made?)"
    (mki, _count_of_it), *others = statistics.missing_keys.most_common()
    more = f" or {len(others)} others" if others else ""
    return f"they name MKI {mki.hex().upper()}{more}, for which no key came (--mki-length 0 where there is no MKI)"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
