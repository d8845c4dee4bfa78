"""`bcast-uicc terminal tune`: a service on the air, decrypted with the card as it comes, and played."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from host_tools.cli.exits import USAGE, CliError
from host_tools.cli.explained import ask_pin, explained
from host_tools.cli.interrupts import Ending, interruptible
from host_tools.cli.new_file import refuse_clash
from host_tools.cli.numbers import NumberRange
from host_tools.cli.terminal.extras import parse_address as parse_place
from host_tools.cli.terminal.network_options import choice_of, parse_items, place_options, waiting_of, waiting_options
from host_tools.cli.terminal.options import (
    FILE,
    CardChoice,
    card_options,
    csim_option,
    media_options,
    parse_output,
    srtp_format,
)
from host_tools.sessions.extras import Extras

if TYPE_CHECKING:
    from host_tools.content.sinks.live import LiveOut
    from host_tools.exchange.messages.provisioning import PurchaseItem
    from host_tools.sessions.events import Events
    from host_tools.sessions.online.servers import Announced
    from host_tools.terminal.application_middleware import CardMiddleware
    from host_tools.terminal.online import OnlineTerminal
    from host_tools.terminal.programme import Programme

_PIPE = "-"


@click.command()
@click.argument("target", metavar="[URL|FILE|SERVICE]", default="")
@click.option("--service", metavar="NAME", help="Begin with this service of an announcement; without it, the first.")
@click.option("--rtp", metavar="HOST:PORT", callback=parse_place, help="Send the decrypted media here, as plain RTP.")
@click.option("--sdp", type=FILE, metavar="FILE.sdp", help="Describe that for a player, which then plays FILE.sdp.")
@click.option("-o", "--output", metavar="PREFIX|DIR/|-", help="Write the media to files, or their sound to a pipe (-).")
@click.option("--record", type=FILE, metavar="FILE", help="Record the broadcast as it comes, for `terminal replay`.")
@click.option("--duration", type=NumberRange(0, 1e9), metavar="SECONDS", help="End by itself after so long.")
@click.option("--no-register", is_flag=True, help="Take keys and ask for missing ones, but register for nothing.")
@click.option("--buy", "items", metavar="ITEM", multiple=True, callback=parse_items,
              help="Buy GLOBAL_ID or GLOBAL_ID,DATA_ID first, repeatable; needs a network.")  # fmt: skip
@click.option("--explain", is_flag=True, help="Show what the card decided about each STKM, and why.")
@click.option("--no-events", is_flag=True, help="Do not tell the card which services are left.")
@click.option("--report", type=FILE, metavar="FILE.html", help="Leave a page that shows what happened over time.")
@media_options
@csim_option
@waiting_options
@place_options
@card_options
def tune(
    target: str, service: str | None, rtp: tuple[str, int] | None, sdp: Path | None, output: str | None,
    record: Path | None, duration: float | None, no_register: bool, items: tuple[PurchaseItem, ...],
    explain: bool, no_events: bool, report: Path | None, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Listen to a service that is on the air, and play it.

    What to tune to is announced at a URL, in a FILE (SDP or user service description), or, with --network, by the BSM:
    then SERVICE is its name. With --network or --bsm the terminal registers for what it tunes to, takes keys, and asks
    for those that are missing; without, the card must have them.

    Keys while it plays: n and p for the next and the previous service, 1 to 9 for its number, q to end.
    """
    from host_tools.cli.terminal.key_presses import KeyPresses
    from host_tools.cli.terminal.live_show import LiveShow
    from host_tools.content.known import KNOWN
    from host_tools.exchange.transport import Endpoint
    from host_tools.sessions.online.servers import Announced
    from host_tools.sessions.report_page import ReportPage
    from host_tools.sessions.tune import TuneJob
    from host_tools.terminal.player import PlayOptions

    if sdp is not None and rtp is None:
        raise click.UsageError("--sdp describes what --rtp sends: give both")
    if items and options["network"] is None and options["bsm"] is None:
        raise click.UsageError("--buy needs a BSM to buy from: --network or --bsm")
    read = (Path(target) if _is_file(target) else None, options["profile"], options["network"])
    refuse_clash([sdp, record, report], read)
    is_pipe = output == _PIPE
    stem = None if output is None or is_pipe else parse_output(click.get_current_context(), _NO_PARAMETER, output)
    pipe = sys.stdout.buffer if is_pipe else None
    show = LiveShow(as_json=as_json, explain=explain, to_stderr=is_pipe)
    ending = Ending()
    with interruptible(ending), explained(), show, KeyPresses(ending) as keys:
        programmes = _programmes(target, options)
        page = None if report is None else ReportPage(report, f"{target or 'the air'}, listened to", _names(programmes))
        job = TuneJob(
            programmes, options["address"], PlayOptions(KNOWN.with_layout(srtp_format(options))),
            _first(programmes, service or ""), None if rtp is None else Endpoint(*rtp), sdp, record,
            seconds=duration, extras=Extras(explain=explain, no_events=no_events), page=page,
            registers=not (no_register or options["csim"]), items=items,
        )  # fmt: skip
        announced = Announced.of(programmes, job.first)
        with _opened(options, announced, show) as (middleware, online):
            try:
                job.run(middleware, online, _out(stem, read, pipe), keys, show)
            except BrokenPipeError:
                raise CliError("whoever read the sound has gone.") from None


def _programmes(target: str, options: dict[str, Any]) -> tuple[Programme, ...]:
    """Find what is announced, beginning with the service that TARGET names, if it names one."""
    from host_tools.exchange.transport import Endpoint
    from host_tools.sessions.programmes import FileLibrary, WebLibrary, guide_of, programmes_at

    if _is_file(target):
        return programmes_at(target, FileLibrary())
    # Names that only the announcement knows are checked once it is read.
    named = {**options, "resolved": ()}
    reach = None if options["network"] is None and options["bsm"] is None else choice_of(named).reach()[0]
    places = {**({} if reach is None else reach.places), **dict(options["resolved"])}
    library = WebLibrary(places, options["address"])
    if target.startswith("http:"):
        return programmes_at(target, library)
    if "://" in target:
        raise click.UsageError(f"{target}: an announcement is fetched from http:// alone")
    if reach is None:
        unknown = f"{target} is no URL and no file" if target else "there is nothing to tune to"
        raise click.UsageError(
            f"{unknown}: name an announcement (URL or FILE), or a network: --network FILE, or --bsm URL"
        )
    found = programmes_at(guide_of(Endpoint(reach.bsm.fqdn, reach.bsm_port)), library)
    if not target:
        return found
    first = _first(found, target)
    return found[first:] + found[:first]


def _is_file(target: str) -> bool:
    try:
        return bool(target) and Path(target).is_file()
    except OSError:  # a name that is too long
        return False


def _first(programmes: tuple[Programme, ...], service: str) -> int:
    if not programmes:
        raise CliError("the announcement has no service with media to play.")
    if not service:
        return 0
    for number, programme in enumerate(programmes):
        if service == programme.name or service in programme.service_ids:
            return number
    known = ", ".join(programme.name for programme in programmes)
    raise CliError(f"{service} is not announced; there are {known}.", USAGE)


def _names(programmes: tuple[Programme, ...]) -> dict[bytes, str]:
    """Return what services are called, by key domain and key group."""
    return {
        group.key_domain_id + group.msk_id[:2]: programme.name for programme in programmes for group in programme.groups
    }


@contextmanager
def _opened(
    options: dict[str, Any], announced: Announced, events: Events
) -> Iterator[tuple[CardMiddleware, OnlineTerminal | None]]:
    """Open the card, on its network where one is named."""
    from host_tools.sessions.online.opening import opened_online

    card = CardChoice.of(options)
    if options["network"] is None and options["bsm"] is None:
        with card.connected() as middleware:
            yield middleware, None
        return
    choice = choice_of(options, waiting=waiting_of(options), announced=announced)
    with (
        card.trace.opened() as sinks,
        opened_online(card.source, choice, sinks, ask_pin, events, chases=True) as online,
    ):
        yield online.keys, online.terminal


def _out(
    stem: Path | None, read: tuple[Path | None, ...], pipe: BinaryIO | None
) -> Callable[[Callable[[int, bytes], None] | None], LiveOut]:
    from host_tools.content.sinks.live import LiveOut, SoundPipe

    return lambda send: LiveOut(stem, read, send=send, pipe=None if pipe is None else SoundPipe(pipe))


_NO_PARAMETER = click.Option(["--output"])
