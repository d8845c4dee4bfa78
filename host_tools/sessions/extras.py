"""What a terminal can do beside playing: explain, give the parental PIN, open bound TEKs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from host_tools.sessions.events import BindingFailed, Events, ServiceLeft, StkmDecided

if TYPE_CHECKING:
    from card.crypto.secret import Secret
    from host_tools.sessions.telling import Teller
    from host_tools.terminal.application_middleware import CardMiddleware
    from host_tools.terminal.key_source import KeySource
    from host_tools.terminal.player import Hooks
    from host_tools.terminal.purchase import Remedy


@dataclass(frozen=True, slots=True)
class Extras:
    """What is asked for.

    With `explain`, an event tells of every decision of the card and of every service left. `binding` is the folder with
    this terminal's certificate, `permissions_issuer` where the issuer really is. A `teller` takes notes for a page.
    """

    explain: bool = False
    parental_pin: Secret | None = None
    binding: Path | None = None
    permissions_issuer: tuple[str, int] | None = None
    no_events: bool = False
    teller: Teller | None = None

    def apply(
        self, middleware: CardMiddleware, purchase: Remedy | None, hooks: Hooks, events: Events
    ) -> tuple[KeySource, Hooks]:
        """Return where STKMs are to go, and the hooks with what is asked for. Raises `PermissionsError`."""
        from host_tools.terminal.decision import ExplainingFeed
        from host_tools.terminal.key_source import UnsignalledFeed
        from host_tools.terminal.purchase import ParentalPinEntry, first_that_helps

        feed: KeySource = UnsignalledFeed(middleware) if self.no_events else middleware
        if self.binding is not None:
            feed = self._binding_feed(feed, self.binding, events)
        if self.explain or self.teller is not None:
            explaining = ExplainingFeed(feed, middleware.application)
            feed = explaining
            hooks = replace(hooks, explain=explaining.take)
        if self.explain:
            hooks = replace(
                hooks,
                on_decision=lambda one: events.emit(StkmDecided(one)),
                on_departure=lambda one: events.emit(ServiceLeft(one)),
            )
        if self.teller is not None:
            hooks = self.teller.hooks(hooks)
        remedies: list[Remedy] = [purchase] if purchase is not None else []
        if self.parental_pin is not None:
            remedies.append(ParentalPinEntry(middleware.application, lambda: self.parental_pin))
        return feed, replace(hooks, on_refusal=first_that_helps(remedies)) if remedies else hooks

    def _binding_feed(self, feed: KeySource, folder: Path, events: Events) -> KeySource:
        from host_tools.terminal.tbk import BindingFeed, Credentials, PermissionsClient

        files = Credentials(folder / "ca.pem", folder / "terminal.pem", folder / "terminal.key")
        client = PermissionsClient(files.context(), self.permissions_issuer)
        return BindingFeed(feed, client, on_problem=lambda error: events.emit(BindingFailed(str(error))))
