"""`bcast-uicc terminal register`, `keys`, `buy` and the like: one request to a BSM, and the keys that follow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from host_tools.cli.exits import DIFFERENT, CliError
from host_tools.cli.terminal.network_options import (
    item_argument,
    network_options,
    online_terminal,
    parse_items,
    parse_keys,
)
from host_tools.cli.terminal.options import card_options

if TYPE_CHECKING:
    from host_tools.exchange.messages.msk import MskName
    from host_tools.exchange.messages.provisioning import PurchaseItem
    from host_tools.sessions.online.asking import Reply

_SERVICES = click.argument("services", metavar="[SERVICE]...", nargs=-1)


@click.command()
@_SERVICES
@network_options
@card_options
def register(services: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Register for each SERVICE (a serviceID), too, and take its keys; `terminal deregister` leaves one.

    Without SERVICE, for all that the network file lists and all that this terminal bought or registered for before.
    """
    from host_tools.cli.terminal.replies import console, show_reply
    from host_tools.sessions.online import asking

    with online_terminal(options, console()) as online:
        reply = asking.register(online, services)
    show_reply("Registration", reply, as_json=as_json)
    require_keys(reply, options["wait"])


@click.command()
@_SERVICES
@network_options
@card_options
def deregister(services: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Leave each SERVICE (a serviceID); its keys become invalid.

    Without SERVICE, all that this terminal registered for, or that the network file lists.
    """
    from host_tools.cli.terminal.replies import console, show_reply
    from host_tools.sessions.online import asking

    with online_terminal(options, console()) as online:
        reply = asking.deregister(online, services)
    show_reply("Deregistration", reply, as_json=as_json)


@click.command()
@click.argument("key_names", metavar="[KEY]...", nargs=-1, callback=parse_keys)
@network_options
@card_options
def keys(key_names: tuple[MskName, ...], as_json: bool, **options: Any) -> None:
    """Ask for each KEY and take it.

    KEY is key domain and MSK ID in hex, such as 00f110/00010000; the Key Number 0000 stands for the current key.
    Without KEY, the current key of each group that the card has a key of.
    """
    from host_tools.cli.terminal.replies import console, show_reply
    from host_tools.sessions.online import asking

    with online_terminal(options, console()) as online:
        reply = asking.request_keys(online, key_names)
    show_reply("LTKM request", reply, as_json=as_json)
    require_keys(reply, options["wait"])


@click.command()
@click.argument("items", metavar="[ITEM]...", nargs=-1, callback=parse_items)
@click.option("--tokens", type=click.IntRange(1, 1 << 31), metavar="NUMBER", help="Buy tokens (Token Purchase).")
@click.option("--purse", type=click.Choice(["user", "live", "playback"]), default="user", show_default=True,
              help="Which purse the tokens are for.")  # fmt: skip
@click.option("--key", "key_names", multiple=True, metavar="KEY", callback=parse_keys,
              help="Buy the key of this name, as for `terminal keys`, repeatable (Token Purchase).")  # fmt: skip
@network_options
@card_options
def buy(
    items: tuple[PurchaseItem, ...], tokens: int | None, purse: str, key_names: tuple[MskName, ...], as_json: bool,
    **options: Any,
) -> None:  # fmt: skip
    """Buy or subscribe to each ITEM, and take its keys; with --tokens or --key, buy those.

    ITEM is a GlobalPurchaseItemID, or that and a PurchaseDataID with a comma between them.
    """
    from host_tools.cli.terminal.replies import console, show_reply
    from host_tools.exchange.messages.tokens import KeyWish, PurseKind, Tokens
    from host_tools.sessions.online import asking

    if not (items or tokens or key_names):
        raise click.UsageError("name an ITEM, or what to buy with --tokens or --key")
    with online_terminal(options, console()) as online:
        if tokens is None and not key_names:
            reply = asking.buy(online, items)
        else:
            wished = tuple(KeyWish(name.key_domain_id + name.msk_id) for name in key_names)
            wanted = None if tokens is None else Tokens(PurseKind(purse), tokens)
            reply = asking.buy_tokens(online, items, wished, wanted)
    show_reply("Purchase", reply, as_json=as_json)
    require_keys(reply, options["wait"])


@click.command()
@item_argument
@network_options
@card_options
def renew(items: tuple[PurchaseItem, ...], as_json: bool, **options: Any) -> None:
    """Prolong the subscription to each ITEM, which is written as for `terminal buy`."""
    from host_tools.cli.terminal.replies import console, show_reply
    from host_tools.sessions.online import asking

    with online_terminal(options, console()) as online:
        reply = asking.renew(online, items)
    show_reply("Subscription renewal", reply, as_json=as_json)


@click.command()
@item_argument
@network_options
@card_options
def unsubscribe(items: tuple[PurchaseItem, ...], as_json: bool, **options: Any) -> None:
    """End the subscription to each ITEM, which is written as for `terminal buy`."""
    from host_tools.cli.terminal.replies import console, show_reply
    from host_tools.sessions.online import asking

    with online_terminal(options, console()) as online:
        reply = asking.unsubscribe(online, items)
    show_reply("Unsubscription", reply, as_json=as_json)


@click.command()
@click.argument("items", metavar="[ITEM]...", nargs=-1, callback=parse_items)
@network_options
@card_options
def prices(items: tuple[PurchaseItem, ...], as_json: bool, **options: Any) -> None:
    """Ask what each ITEM costs, which is written as for `terminal buy`.

    Without ITEM, list what is sold: subscriptions, pay per view, tokens, what each costs, and what may be done about it
    (`terminal buy`, `renew`, `unsubscribe`), as this subscriber has it or not. That list is provisional.
    """
    from host_tools.cli.terminal.offers import show_offers
    from host_tools.cli.terminal.replies import console, show_reply
    from host_tools.sessions.online import asking

    with online_terminal(options, console()) as online:
        reply, offers = (asking.prices(online, items), ()) if items else asking.offers(online)
    if items or reply.refused:
        show_reply("Prices", reply, as_json=as_json)
    else:
        show_offers(reply, offers, as_json=as_json)


@click.command()
@click.option("--scope", type=click.Choice(["items", "tokens", "all"]), default="all", show_default=True,
              help="What to ask about.")  # fmt: skip
@network_options
@card_options
def account(scope: str, as_json: bool, **options: Any) -> None:
    """Ask what this subscriber has: items, and tokens as the network granted them (the card spends alone)."""
    from host_tools.cli.terminal.replies import console, show_reply
    from host_tools.exchange.messages.tokens import Scope
    from host_tools.sessions.online import asking

    with online_terminal(options, console()) as online:
        reply = asking.account(online, Scope(scope))
    show_reply("Account", reply, as_json=as_json)


def require_keys(reply: Reply, seconds: float) -> None:
    """Raise `CliError` when keys were granted and none came."""
    if reply.grants_keys and not reply.receipts:
        raise CliError(f"no LTKM came within {seconds:g} s: they go to the address that registered", DIFFERENT)
