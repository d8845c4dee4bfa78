"""`bcast-uicc terminal online` and `terminal sms`: a terminal that stays on its network, and short messages to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from host_tools.cli.exits import DIFFERENT, CliError
from host_tools.cli.numbers import NumberRange
from host_tools.cli.terminal.network_options import network_options, online_terminal, waiting_of, waiting_options
from host_tools.cli.terminal.options import FILE, card_options


@click.command()
@click.argument("services", metavar="[SERVICE]...", nargs=-1)
@click.option("--leave", is_flag=True, help="Deregister at the end; without it the registration goes on.")
@click.option("--for", "seconds", type=NumberRange(0, 1e9), metavar="SECONDS", help="End by itself after so long.")
@click.option("--roaming", is_flag=True, help="Be in a foreign network: no registration by itself.")
@click.option("--register-abroad", is_flag=True, help="Register in a foreign network, too.")
@click.option("--sms-port", type=click.IntRange(1, 65_535), help="Take short messages (TPDUs) on this UDP port, too.")
@click.option("--show-client-id", is_flag=True, help="Show the client ID in each registration, unasked.")
@waiting_options
@network_options
@card_options
def online(
    services: tuple[str, ...], leave: bool, seconds: float | None, roaming: bool, register_abroad: bool,
    sms_port: int | None, show_client_id: bool, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Be a terminal on its network until Ctrl-C: register, take keys as they come, ask for those that do not.

    Registered for is what was bought or registered for before, and each SERVICE. A line tells each thing that happens;
    with --json it is one JSON object. Ctrl-C ends it with status 0 and leaves the registration as it is; with --leave
    the terminal deregisters first, and its keys become invalid.
    """
    if show_client_id and options["client_id"] is None:
        raise click.UsageError("--show-client-id needs --client-id")
    from host_tools.cli.terminal.replies import OnlineShow
    from host_tools.sessions.online.staying import Stay

    more: dict[str, Any] = {
        "sms_port": sms_port,
        "abroad": register_abroad,
        "waiting": waiting_of(options),
        "shows_client_id": show_client_id,
    }
    stay = Stay(services, home=not roaming, leaves=leave, seconds=seconds)
    with online_terminal(options, OnlineShow(as_json=as_json), chases=True, **more) as opened:
        stay.run(opened)


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=FILE)
@network_options
@card_options
def sms(files: tuple[Path, ...], as_json: bool, **options: Any) -> None:
    """Give the terminal short messages that carry a solicited pull or a trigger: each FILE holds the TPDU of one.

    The card checks the pull, and the terminal asks the BSM for the key at once. A trigger has the terminal register for
    the items that it names. What comes in several messages is given with all its files.
    """
    from host_tools.cli.terminal.replies import OnlineShow
    from host_tools.sessions.online.staying import read_tpdus, take_short_messages

    tpdus = read_tpdus(files)
    with online_terminal(options, OnlineShow(as_json=as_json)) as opened:
        receipts = take_short_messages(opened, tpdus)
    if not any(receipt.taken for receipt in receipts):
        raise CliError("no short message led to a key", DIFFERENT)
