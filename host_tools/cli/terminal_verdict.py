"""What `terminal play` and `replay` make of their counters: nothing to complain of, or a sentence and an exit code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from host_tools.cli.exits import CARD, DIFFERENT, INPUT, CliError
from host_tools.content.srtp.errors import NOT_AUTHENTIC
from host_tools.terminal.statistics import MKIS_COUNTED, PlayStatistics

if TYPE_CHECKING:
    from host_tools.content.captures.pcap import CaptureReport
    from host_tools.content.protection import PacketFormat
    from host_tools.terminal.player import PlayOptions

_NOT_AUTHENTIC = "they are not authentic under the keys they name"
_BINDING = "--binding opens keys that are bound to a terminal"
_ALL_STALE = "it was given each of these STKMs before, as the T of its keys in EF_MSK says"
_SUITE = "does --srtp-suite say how they are made?"


class BrokenOff(CliError):
    """A capture could not be read to its end. What was read before was used."""

    def __init__(self, message: str) -> None:
        super().__init__(message, INPUT)


class NoTrafficKey(CliError):
    """The card refused every STKM. `broken` is a sentence where the capture could not be read to its end, either."""

    def __init__(self, message: str, broken: str) -> None:
        super().__init__(f"{message} {broken}".strip(), CARD)
        self.broken = broken


def require_whole(path: Path, report: CaptureReport) -> None:
    """Raise `BrokenOff` for a capture that could not be read to its end."""
    if not report.is_whole:
        raise BrokenOff(f"{path}: {report}.")


def judge(path: Path, statistics: PlayStatistics, report: CaptureReport, options: PlayOptions) -> None:
    """Raise `CliError` for a card that gave no TEK, a capture that breaks off, and media of which nothing opened.

    Where most of the media stay shut, a sentence says so.
    """
    broken = "" if report.is_whole else f"{path}: {report}."
    if not statistics.teks:
        reason = next((words for words, _ in statistics.refusals.most_common(1)), _ALL_STALE)
        raise NoTrafficKey(f"The card gave no traffic key: {reason}.", broken)
    unopened = _unopened(statistics, options)
    if broken:
        raise BrokenOff(f"{broken} {unopened}".strip())
    if unopened:
        raise CliError(unopened, DIFFERENT)
    _warn(statistics, options.protections.usual)


def judge_replay(pieces: Sequence[PlayStatistics], protection: PacketFormat) -> None:
    """Raise `CliError` for pieces of a recording that have media packets of which not one opened.

    Where most of the media stay shut, a sentence says so.
    """
    media = _all_media(pieces)
    if media.packets_seen and not media.packets_decrypted:
        seen = _count(media.packets_seen, "media packet")
        raise CliError(f"None of {seen} opens: {_why(media, protection)}.", DIFFERENT)
    _warn(media, protection)


def _all_media(pieces: Sequence[PlayStatistics]) -> PlayStatistics:
    return PlayStatistics(
        packets_seen=sum(piece.packets_seen for piece in pieces),
        packets_decrypted=sum(piece.packets_decrypted for piece in pieces),
        packets_repeated=sum(piece.packets_repeated for piece in pieces),
        failures=sum((piece.failures for piece in pieces), Counter()),
        unplayable=sum((piece.unplayable for piece in pieces), Counter()),
        packets_without_key=sum(piece.packets_without_key for piece in pieces),
        missing_keys=sum((piece.missing_keys for piece in pieces), Counter()),
    )


def _warn(statistics: PlayStatistics, protection: PacketFormat) -> None:
    """Say on standard error why most of the media stay shut, if they do."""
    shut, seen = statistics.packets_shut, statistics.packets_seen
    if shut > statistics.packets_decrypted:
        click.echo(f"{shut} of {_count(seen, 'media packet')} stay shut: {_why(statistics, protection)}.", err=True)


def _unopened(statistics: PlayStatistics, options: PlayOptions) -> str:
    """Say why no media packet opened; nothing when one did, or when none was asked for and none was there."""
    if statistics.packets_decrypted:
        return ""
    keys, seen = f"The card gave {_count(statistics.teks, 'traffic key')}", statistics.packets_seen
    if not seen:
        ports = ", ".join(map(str, sorted(options.media_ports)))
        return f"{keys}, but there is no media packet on UDP port {ports}." if ports else ""
    return f"{keys}, but none of {_count(seen, 'media packet')} opens: {_why(statistics, options.protections.usual)}."


def _why(statistics: PlayStatistics, protection: PacketFormat) -> str:
    """Say why media packets stay shut: the reason of most of them."""
    if statistics.teks_unplayable:
        return statistics.unplayable.most_common(1)[0][0]
    if not protection.names_key:
        return "no key fits (do --mki-length and --srtp-suite say how they are made?)"
    if statistics.packets_failed >= statistics.packets_without_key:
        return _why_failed(statistics.failures.most_common(1)[0][0])
    (mki, _most), *others = statistics.missing_keys.most_common()
    hint = f"--mki-length 0 where there is no MKI; {_SUITE}"
    return f"they name MKI {mki.hex().upper()}{_or_others(len(others))}, for which no key came ({hint})"


def _why_failed(reason: str) -> str:
    return f"{_NOT_AUTHENTIC} ({_BINDING}; {_SUITE})" if reason == NOT_AUTHENTIC else f"{reason} ({_SUITE})"


def _or_others(count: int) -> str:
    match count:
        case 0:
            return ""
        case 1:
            return " or another"
        case _ if count >= MKIS_COUNTED - 1:  # there may be more than are counted
            return " or many others"
        case _:
            return f" or {count} others"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
