"""`bcast-uicc headend`: be the network. Only parses and prints; the work is in `host_tools.sessions`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from host_tools.cli.config import config_option
from host_tools.cli.exits import ENVIRONMENT, INPUT, CliError
from host_tools.cli.explained import session_errors
from host_tools.cli.headend.air_options import air_options, air_plan, place, refuse_without
from host_tools.cli.headend.bsda_options import bsda_options, bsm_options, ends
from host_tools.cli.headend.manners_options import manners, manners_options, words_beside
from host_tools.cli.headend.selling_options import selling_options
from host_tools.cli.headend.show import Show
from host_tools.cli.headend.store_options import store_options
from host_tools.cli.interrupts import interruptible
from host_tools.cli.new_file import refuse_clash
from host_tools.files.writing import UnwritableFile

if TYPE_CHECKING:
    from host_tools.headend.scenario.model import Scenario

_FILE = click.Path(dir_okay=False, path_type=Path)
_PORT = click.IntRange(0, 65_535)
_random_keys = click.option(
    "--random-keys",
    type=_FILE,
    help="Make all keys from the secret in this file and not from the seed, which everybody who has SCENARIO knows; it "
    "is made where there is none. Every program of one broadcast needs the same file.",
)


@click.group()
def headend() -> None:
    """Be the network: make broadcasts and their keys from a scenario file."""


@headend.command(short_help="Record the broadcast of a scenario as a capture.")
@click.argument("scenario", metavar="SCENARIO")
@click.option("-o", "--output", type=_FILE, required=True, help="Where the capture goes (pcap).")
@click.option(
    "--profile",
    type=_FILE,
    help="Card profile of the subscriber, for --ltkms; its tables of OMA BCAST, or those of a card file, are followed.",
)
@click.option("--ltkms", type=_FILE, help="Write the LTKMs for that card, with their GBA challenge (JSON).")
@click.option("--truth", type=_FILE, help="Write every TEK and media hash, for tests (JSON, mode 0600).")
def record(scenario: str, output: Path, profile: Path | None, ltkms: Path | None, truth: Path | None) -> None:
    """Record the broadcast of SCENARIO, a TOML file or the name of one that ships ("demo").

    The same scenario always gives the same bytes.
    """
    if ltkms is not None and profile is None:
        raise click.UsageError("--ltkms needs --profile, because LTKMs are made for one card")
    refuse_clash([output, ltkms, truth], [Path(scenario), profile])
    from host_tools.sessions.broadcast import BroadcastJob

    with _plain_errors(), closing(Show()) as show:
        BroadcastJob(scenario, output, profile, ltkms, truth).run(show)


@headend.command(short_help="Show what a scenario sends when.")
@click.argument("scenario", metavar="SCENARIO")
def check(scenario: str) -> None:
    """Check SCENARIO and print what would be sent when, without any key."""
    from host_tools.sessions.checking import check_scenario

    with _plain_errors():
        checked = check_scenario(scenario)
    plan = checked.scenario
    services, seconds = len(plan.services), plan.duration / 1000
    told = f"{services} service{'' if services == 1 else 's'}, {plan.periods} crypto periods in {seconds:g} s"
    click.echo(f"{plan.name}: {told}")
    for delivery in checked.deliveries:
        key = delivery.key
        planned = f": {delivery.planned}" if delivery.planned else ""
        click.echo(
            f"  {delivery.at / 1000:+8.1f} s  LTKM for {key.service}: key domain {key.key_domain_id.hex()}, "
            f"MSK ID {key.msk_id.hex()}, MTK IDs {key.first_mtk_id} to {key.last_mtk_id}{planned}"
        )
    for sale in checked.for_sale:
        click.echo(f"  for sale    {sale.offer}, for {sale.service}: {sale}")


@headend.command(short_help="Give out terminal binding keys by HTTPS.")
@click.argument("scenario", metavar="SCENARIO")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Write ca.pem, terminal.pem and terminal.key there, for `terminal play --binding`.",
)
@click.option(
    "--terminal",
    "terminal_name",
    default="bcast-uicc",
    show_default=True,
    metavar="NAME",
    help="Terminal that may have the binding keys; the certificate is made for it.",
)
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="TCP port; without it, any that is free.")
@_random_keys
def permissions(scenario: str, folder: Path, terminal_name: str, port: int, random_keys: Path | None) -> None:
    """Give out the terminal binding keys of SCENARIO by HTTPS on this machine, until interrupted.

    The certificates are made afresh each time and are for tests.
    """
    from host_tools.sessions.permissions import serve

    with _plain_errors(), interruptible():
        serve(_load(scenario, random_keys), folder, terminal_name, port, Show())


@headend.command(short_help="Be BSF and BSM over HTTP and UDP; with --air on the air, too.")
@click.argument("scenario", metavar="[SCENARIO]", default="demo")
@click.option(
    "--profile",
    type=_FILE,
    default="usim",
    show_default=True,
    help="Card profile of the subscriber, with its USIM and its CSIM, if it has one.",
)
@selling_options
@click.option("--network-file", type=_FILE, help="Write names, addresses and ports there, for `terminal --network`.")
@click.option("--address", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where to listen.")
@click.option("--port", type=_PORT, default=0, help="TCP port of the BSM; without it, any that is free.")
@click.option("--bsf-port", type=_PORT, default=0, help="TCP port of the BSF.")
@click.option("--push-port", type=_PORT, default=0, help="UDP port from which LTKMs go out.")
@click.option("--metrics-port", type=_PORT, default=0, help="TCP port of the metrics.")
@click.option("--shop-port", type=_PORT, default=0, help="TCP port of the open shop.")
@click.option("--console-port", type=_PORT, default=0, help="TCP port of the console, on this machine alone.")
@click.option("--pages/--no-pages", default=True, show_default=True, help="Serve shops and console for browsers, too.")
@click.option("--zn-port", type=_PORT, default=0, help="TCP port of Zn, with --certificates.")
@click.option(
    "--certificates",
    type=click.Path(file_okay=False, path_type=Path),
    help="Serve Zn, Ua and Ub over TLS, too, with ca.pem, server.pem and server.key of this folder. Without the "
    "server's a test authority is made, and written there are ca.pem, naf.pem and naf.key for a client of Zn, "
    "terminal.pem and terminal.key for a terminal, bsda.pem and bsda.key for a BSD/A.",
)
@click.option("--air", is_flag=True, help="Broadcast SCENARIO, too: media, STKMs, announcement.")
@air_options
@click.option(
    "--announce",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write SDP, user service and security descriptions there, with --air; GET /guide/ of the BSM gives them, too.",
)
@bsm_options
@_random_keys
@store_options
@manners_options
@config_option
def serve(
    scenario: str,
    profile: Path,
    catalogue: Path | None,
    client_ids: bool,
    included: bool,
    network_file: Path | None,
    certificates: Path | None,
    address: str,
    db: str | None,
    key_file: Path | None,
    subscribers: Path | None,
    air: bool,
    announce: Path | None,
    transport_key: Path | None,
    bsda: str | None,
    random_keys: Path | None,
    pages: bool,
    sms: str | None,
    sms_form: str,
    most_requests: int,
    remint: bool,
    log: Path | None,
    **options: Any,
) -> None:
    """Be BSF and BSM of SCENARIO over HTTP and UDP on this machine, until interrupted.

    With --air be BSD/A, too: services go out as RTP under changing traffic keys, to a list of listeners one by one.

    SCENARIO is a TOML file or the name of one that ships, by default "demo". Subscribers are that of the profile and
    those of --subscribers; each may register for every service that is sent without a purchase, and buy the others.

    A browser finds an open shop and the operator's console where it says; the shop that knows the subscriber's keys is
    behind the BSM, and `terminal portal` leads there.

    What must not be lost (keys, sequence numbers, registrations, sales, LTKMs without an acknowledgement) is kept in a
    database and is there again after a restart.
    """
    from host_tools.headend.serving import Ports
    from host_tools.sessions.air import Aired
    from host_tools.sessions.cards import load_profile
    from host_tools.sessions.keeping import Keeping
    from host_tools.sessions.serve import serve_scenario
    from host_tools.sessions.sold import Sold
    from host_tools.web.rooms import Rooms
    from host_tools.wire.network_file import is_address

    ports = {name: options.pop(name) for name in tuple(options) if name.endswith("port")}
    written = [network_file, options["record"], options["clock_file"], log]
    refuse_clash(written, [Path(scenario), profile, catalogue, key_file, subscribers, random_keys])
    aired = air or transport_key is not None
    if not aired:
        refuse_without("--air", {**options, "announce": announce})
    if transport_key is not None and not air and options["clock_file"] is None:
        raise click.UsageError("--transport-key needs --clock-file, which the BSD/A reads too")
    if bsda is not None and transport_key is None:
        raise click.UsageError("--bsda needs --transport-key")
    told_at = None if bsda is None else place("--bsda", bsda)
    if client_ids and certificates is None:
        raise click.UsageError("--client-ids needs --certificates: a client ID comes over TLS only")
    if certificates is None:
        refuse_without("--certificates", {name: ports[name] for name in ("zn_port", "tls_port", "bsf_tls_port")})
    if not pages:
        refuse_without("--pages", {name: ports[name] for name in ("shop_port", "console_port")})
    if not is_address(address):
        raise click.UsageError(f"--address {address}: an IPv4 address is wanted, such as 127.0.0.1")
    wanted = Ports(
        address,
        bsf=ports["bsf_port"],
        bsm=ports["port"],
        zn=ports["zn_port"],
        push=ports["push_port"],
        metrics=ports["metrics_port"],
        shop=ports["shop_port"],
        console=ports["console_port"],
        bsm_tls=ports["tls_port"],
        bsf_tls=ports["bsf_tls_port"],
    )
    treated = manners(sms, sms_form, most_requests, remint=remint)
    with _plain_errors(), words_beside(log):
        plan = _load(scenario, random_keys)
        streamed = Aired(air_plan(options), air, announce, transport_key, told_at) if aired else None
        kept, sold, card = (
            Keeping(db, key_file, subscribers),
            Sold(catalogue, client_ids, included),
            load_profile(profile),
        )
        serve_scenario(
            plan,
            card,
            wanted,
            network_file,
            certificates,
            Show(),
            aired=streamed,
            kept=kept,
            sold=sold,
            make_rooms=Rooms.of if pages else None,
            manners=treated,
            log=log,
        )


@headend.command(short_help="Be the BSD/A, with a BSM in another process.")
@click.argument("scenario", metavar="[SCENARIO]", default="demo")
@bsda_options
@click.option(
    "--profile", type=_FILE, default="usim", show_default=True, help="Card profile whose tables are followed."
)
@air_options
@_random_keys
def air(
    scenario: str,
    bsm: str | None,
    network: Path | None,
    transport_key: Path,
    certificates: Path | None,
    profile: Path,
    port: int,
    tls_port: int,
    random_keys: Path | None,
    **options: Any,
) -> None:
    """Be the BSD/A of SCENARIO, with a BSM in another process, until interrupted.

    STKMs, or the keys to make them, come from the BSM by HTTP some crypto periods ahead, so that one which stops for a
    moment is not heard. Give both the same --clock-file, --speed, --loop, and --listener or --multicast, as the BSM
    announces where the media go. With --certificates both ways are over TLS.
    """
    from host_tools.sessions.air import distribute_scenario
    from host_tools.sessions.air import transport_key as read_key
    from host_tools.sessions.cards import load_profile

    read = [Path(scenario), profile, transport_key, random_keys, network]
    refuse_clash([options["record"], options["clock_file"]], read)
    # Until it is on the air; then it ends in order.
    with _plain_errors(), interruptible():
        found, show = ends(bsm, network, certificates, port, tls_port), Show()
        plan, keys, streamed = _load(scenario, random_keys), read_key(transport_key, show), air_plan(options)
        card = load_profile(profile)
        distribute_scenario(plan, card, streamed, found.bsm, keys, found.own, show, found.secured)


def _load(scenario: str, random_keys: Path | None = None) -> Scenario:
    from host_tools.headend.scenario.reading import find_scenario
    from host_tools.sessions.random_keys import with_random_keys

    return with_random_keys(find_scenario(scenario), random_keys)


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Turn errors of the head-end into one sentence and an exit code."""
    from host_tools.content.errors import MediaError
    from host_tools.headend.errors import HeadendError
    from host_tools.headend.store.errors import StoreUnavailable

    try:
        with session_errors():
            yield
    except StoreUnavailable as error:
        raise CliError(str(error), ENVIRONMENT) from None
    except (HeadendError, MediaError) as error:
        raise CliError(str(error), INPUT) from None
    except UnwritableFile as error:
        raise CliError(str(error), ENVIRONMENT) from None
