"""Opens the card to use: in a reader or in this process, traced, inside a secure channel, with its PIN given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from host_tools.sessions.errors import SessionError, Trouble
from host_tools.sessions.events import Events

if TYPE_CHECKING:
    from card import Card, CardProfile
    from card.crypto.secret import Secret
    from card.spec.bcast.tables import BcastTables
    from host_tools.links.base import Link
    from host_tools.terminal.application_middleware import CardMiddleware
    from host_tools.terminal.csim_middleware import CsimMiddleware
    from host_tools.terminal.middleware import TerminalMiddleware
    from host_tools.trace.events import TraceSink
    from host_tools.trace.known_secrets import KnownSecrets

IN_PROCESS = "inprocess"
PCSC = "pcsc"
AskPin = Callable[[], "Secret"]
Who = TypeVar("Who", covariant=True)


@contextmanager
def open_link(kind: str, reader: str | None, profile: Path | None, events: Events) -> Iterator[Link]:
    """Open a card for the length of a `with` block.

    In process, `profile` is a card profile, for a card that lives as long as the process, or a card file. On PC/SC,
    `reader` is a reader's name or a part of it. Raises `SessionError`, `LinkError`, `CardError`.
    """
    link = card_in_process(profile, events) if kind == IN_PROCESS else in_reader(reader)
    try:
        yield link
    finally:
        link.close()


def card_in_process(named: Path | None, events: Events, name: str | None = None) -> Link:
    """Return a link to a card in this process, under a `name` of its own where one is given.

    `named` is a profile, whose card then leaves nothing behind, or a card file. Raises `SessionError`, `CardError`.
    """
    from host_tools.links.inprocess import InProcessLink
    from host_tools.sessions.cards import is_profile, open_named_card

    if named is None:
        raise SessionError("--link inprocess needs --profile: a card profile or a card file", Trouble.MISUSE)
    card = open_named_card(named, events, fresh=is_profile(named))
    return InProcessLink(card) if name is None else InProcessLink(card, name)


def new_card(profile: CardProfile) -> Card:
    """Return a card fresh from a profile, which leaves nothing behind."""
    from card import memory_card

    return memory_card(profile)


def new_card_in_process(profile: CardProfile) -> Link:
    """Return a link, named as the profile, to a card fresh from it in this process."""
    from host_tools.links.inprocess import InProcessLink

    return InProcessLink(new_card(profile), profile.name)


def in_reader(reader: str | None) -> Link:
    """Connect to the card in a reader, found by its name or a part of it. Raises `LinkError`."""
    from host_tools.links.pcsc import PcscLink

    return PcscLink.open(reader)


def traced(link: Link, sinks: Sequence[TraceSink], known: KnownSecrets | None = None) -> Link:
    """Return the link, recorded under its name where there are sinks to record into; `known` secrets are hidden."""
    from host_tools.trace.tracer import TracedLink, Tracer

    return TracedLink(link, Tracer(link.name, sinks, known=known)) if sinks else link


class Connects(Protocol[Who]):
    """What signs in to an application of a card."""

    def connect(self, pin: Secret | None, /) -> Who:
        """Select the application, give the PIN, return who the subscriber is. Raises `TerminalError`."""


def connect(middleware: Connects[Who], pin: Secret | None, ask_pin: AskPin) -> Who:
    """Select the application and give the PIN; where one is wanted and none was given, ask. Raises `TerminalError`."""
    from host_tools.terminal.errors import PinNeededError

    try:
        return middleware.connect(pin)
    except PinNeededError:
        pass
    return middleware.connect(ask_pin())


@dataclass(frozen=True, slots=True)
class CardSource:
    """Which card a terminal uses.

    `sac` is the kind of secure channel, `sac_key` its secret where one is given. `csim`: its CSIM and not its USIM.
    """

    link: str
    reader: str | None = None
    profile: Path | None = None
    pin: Secret | None = None
    sac: str | None = None
    sac_key: Secret | None = None
    csim: bool = False

    @contextmanager
    def opened(self, sinks: Sequence[TraceSink], events: Events) -> Iterator[tuple[Link, TerminalMiddleware]]:
        """Open the card for its USIM. Raises as `linked`."""
        from host_tools.terminal.middleware import TerminalMiddleware

        with self.linked(sinks, events) as (used, tables):
            yield used, TerminalMiddleware(used, tables=tables)

    @contextmanager
    def connected(self, sinks: Sequence[TraceSink], events: Events, ask_pin: AskPin) -> Iterator[CardMiddleware]:
        """Open the card, select its USIM, or its CSIM where that is wanted, and give the PIN.

        Raises as `linked`, and `TerminalError`.
        """
        from host_tools.sessions.csim import csim_middleware
        from host_tools.terminal.middleware import TerminalMiddleware

        with self.linked(sinks, events) as (used, tables):
            middleware: TerminalMiddleware | CsimMiddleware
            if self.csim:
                middleware = csim_middleware(used, self.profile, tables)
            else:
                middleware = TerminalMiddleware(used, tables=tables)
            connect(middleware, self.pin, ask_pin)
            yield middleware

    @contextmanager
    def linked(self, sinks: Sequence[TraceSink], events: Events) -> Iterator[tuple[Link, BcastTables]]:
        """Open the card, inside a secure channel when asked to, with its tables of OMA BCAST.

        With a secure channel, both sides of it are traced: what is said inside, and what crosses the wire. Raises
        `SessionError`, `LinkError`, `CardError`.
        """
        from host_tools.links.base import together
        from host_tools.sessions.cards import tables_of
        from host_tools.sessions.secure_channel import protect

        tables = tables_of(self.profile, events)  # before the card file is in use
        with open_link(self.link, self.reader, self.profile, events) as link, ExitStack() as stack:
            stack.enter_context(together(link))  # a terminal has its card for itself
            used = traced(link, sinks)
            if self.sac is not None:
                used = traced(protect(used, self.sac, self.profile, self.sac_key), sinks)
            yield used, tables
