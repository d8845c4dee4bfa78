"""What playing and replaying make of their counters: nothing to complain of, or a sentence and a kind of trouble."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from host_tools.sessions.errors import SessionError, Trouble
from host_tools.sessions.events import Events, MostStayShut
from host_tools.terminal.bcast import RefusalReason
from host_tools.terminal.statistics import MKIS_COUNTED, PlayStatistics

if TYPE_CHECKING:
    from host_tools.content.captures.pcap import CaptureReport
    from host_tools.content.registry import Protections
    from host_tools.terminal.player import PlayOptions

ALL_STALE = "it was given each of these STKMs before, as the T of its keys in EF_MSK says"
"""Why a card gave nothing that was asked nothing."""

_KEYS_FIRST = "; get it with --network, --scenario or --ltkms"


class BrokenOff(SessionError):
    """A capture could not be read to its end. What was read before was used."""

    def __init__(self, message: str) -> None:
        super().__init__(message, Trouble.INPUT)


class NoTrafficKey(SessionError):
    """The card refused every STKM. `broken` is a sentence where the capture could not be read to its end, either."""

    def __init__(self, message: str, broken: str) -> None:
        super().__init__(f"{message} {broken}".strip(), Trouble.CARD)
        self.broken = broken


def require_whole(path: Path, report: CaptureReport) -> None:
    """Raise `BrokenOff` for a capture that could not be read to its end."""
    if not report.is_whole:
        raise BrokenOff(f"{path}: {report}.")


def judge(
    path: Path, statistics: PlayStatistics, report: CaptureReport, options: PlayOptions, events: Events, *,
    keyless: bool = False,
) -> None:  # fmt: skip
    """Raise `SessionError` for a card that gave no TEK, a capture that breaks off, and media of which nothing opened.

    `keyless`: no keys came but those that the card had. Where most of the media stay shut, an event says so.
    """
    broken = "" if report.is_whole else f"{path}: {report}."
    if not statistics.teks:
        reason = next((words for words, _ in statistics.refusals.most_common(1)), ALL_STALE)
        hint = _KEYS_FIRST if keyless and reason.startswith(RefusalReason.UNKNOWN_KEY.value) else ""
        raise NoTrafficKey(f"The card gave no traffic key: {reason}{hint}.", broken)
    unopened = _unopened(statistics, options)
    if broken:
        raise BrokenOff(f"{broken} {unopened}".strip())
    if unopened:
        raise SessionError(unopened, Trouble.DIFFERENT)
    _warn(statistics, options.protections, events)


def judge_replay(pieces: Sequence[PlayStatistics], protections: Protections, events: Events) -> None:
    """Raise `SessionError` for pieces of a recording that have media packets of which not one opened.

    Where most of the media stay shut, an event says so.
    """
    media = _all_media(pieces)
    if media.packets_seen and not media.packets_decrypted:
        seen = _count(media.packets_seen, "media packet")
        raise SessionError(f"None of {seen} opens: {_why(media, protections)}.", Trouble.DIFFERENT)
    _warn(media, protections, events)


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


def _warn(statistics: PlayStatistics, protections: Protections, events: Events) -> None:
    """Tell why most of the media stay shut, if they do."""
    shut, seen = statistics.packets_shut, statistics.packets_seen
    if shut > statistics.packets_decrypted:
        why = _why(statistics, protections)
        events.emit(MostStayShut(f"{shut} of {_count(seen, 'media packet')} stay shut: {why}."))


def _unopened(statistics: PlayStatistics, options: PlayOptions) -> str:
    """Say why no media packet opened; nothing when one did, or when none was asked for and none was there."""
    if statistics.packets_decrypted:
        return ""
    keys, seen = f"The card gave {_count(statistics.teks, 'traffic key')}", statistics.packets_seen
    if not seen:
        ports = ", ".join(map(str, sorted(options.media_ports)))
        return f"{keys}, but there is no media packet on UDP port {ports}." if ports else ""
    return f"{keys}, but none of {_count(seen, 'media packet')} opens: {_why(statistics, options.protections)}."


def _why(statistics: PlayStatistics, protections: Protections) -> str:
    """Say why media packets stay shut: the reason of most of them."""
    if statistics.teks_unplayable:
        return statistics.unplayable.most_common(1)[0][0]
    usual = protections.usual
    hints = protections.hints_of(usual.kind)
    if not usual.names_key:
        return "no key fits" + _hinted(hints.no_name)
    if statistics.packets_failed >= statistics.packets_without_key:
        reason = statistics.failures.most_common(1)[0][0]
        return hints.reasons.get(reason, reason + _hinted(hints.failed))
    (name, _most), *others = statistics.missing_keys.most_common()
    named = f"{hints.key} {name.hex().upper()}{_or_others(len(others))}"
    return f"they name {named}, for which no key came{_hinted(hints.no_key)}"


def _hinted(hint: str) -> str:
    return f" ({hint})" if hint else ""


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
