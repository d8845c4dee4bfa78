"""Looks at a card as a terminal does: who it is, what it can do, and what it tells about its keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from host_tools.sessions.opening import AskPin, connect
from host_tools.terminal.audit import Auditor
from host_tools.terminal.services import decode_service_table
from host_tools.terminal.usim import EF_UST

if TYPE_CHECKING:
    from card.crypto.secret import Secret
    from card.spec.bcast.tables import BcastTables
    from host_tools.links.base import Link
    from host_tools.terminal.application_middleware import CardMiddleware
    from host_tools.terminal.audit import Content, KeyGroup, Policy
    from host_tools.terminal.card_application import Application
    from host_tools.terminal.identity import Identity
    from host_tools.terminal.middleware import TerminalMiddleware


@dataclass(frozen=True, slots=True)
class CardInfo:
    """What a card says about itself. `pin_tries` is None where it does not say; `services` are numbers in EF_UST."""

    reader: str
    protocol: str
    atr: bytes
    applications: tuple[Application, ...]
    identity: Identity
    pin_tries: int | None
    services: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Account:
    """What a card reports of OMA BCAST: key groups, policies, recordings; and the tables by which it was read."""

    groups: tuple[KeyGroup, ...]
    policies: tuple[Policy, ...]
    recordings: tuple[Content, ...]
    tables: BcastTables


def look_at(link: Link, middleware: TerminalMiddleware, pin: Secret | None, ask_pin: AskPin) -> CardInfo:
    """Read what a card says about itself. Raises `TerminalError`, `StatusError`, `LinkError`."""
    applications = tuple(middleware.usim.applications())
    middleware.usim.select_usim()
    tries = middleware.usim.pin_tries_left()
    identity = connect(middleware, pin, ask_pin)
    services = tuple(decode_service_table(middleware.usim.read_file(EF_UST)))
    return CardInfo(link.name, link.protocol.value, link.atr, applications, identity, tries, services)


def audit_card(middleware: CardMiddleware) -> Account:
    """Ask a connected card for all that it reports. Raises `TerminalError`, `StatusError`, `LinkError`."""
    auditor = Auditor(middleware.application)
    groups = auditor.key_groups()
    policies = tuple(found for one in groups for found in auditor.policies(one.key_domain_id, one.key_group))
    return Account(groups, policies, auditor.recordings(), middleware.tables)
