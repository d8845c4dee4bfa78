"""The card application toolkit in a card profile: what the card asks the terminal to do, and when (TS 102 223)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from card.profile.fields import ListOf, Table
from card.profile.loader import Fault
from card.tables.kinds import choice, integer, matching


class CatCommand(Enum):
    """Proactive commands that a profile can ask for."""

    DISPLAY_TEXT = "display-text"
    POLL_INTERVAL = "poll-interval"
    POLLING_OFF = "polling-off"
    PROVIDE_LOCAL_INFORMATION = "provide-local-information"
    REFRESH = "refresh"
    SET_UP_EVENT_LIST = "set-up-event-list"
    TIMER_MANAGEMENT = "timer-management"


TEXT = matching(r"[ -~]{1,160}", "1 to 160 ASCII characters")
SHORT_TEXT = matching(r"[ -~]{1,40}", "1 to 40 ASCII characters")
SECONDS = integer(0, 86_400)
BYTE = integer(0, 255)
# What each command cannot do without.
_NEEDS = {
    CatCommand.DISPLAY_TEXT: ("text",),
    CatCommand.POLL_INTERVAL: ("seconds",),
    CatCommand.SET_UP_EVENT_LIST: ("events",),
    CatCommand.TIMER_MANAGEMENT: ("timer", "seconds"),
}


@dataclass(frozen=True, slots=True)
class CatStep:
    """One proactive command: `after` so many seconds from TERMINAL PROFILE, then again `every` so many (0: never).

    `qualifier` is the command qualifier of TS 102 223 clause 8.6, `events` are numbers of clause 8.25.
    """

    command: Annotated[CatCommand, choice(CatCommand)]
    text: Annotated[str | None, TEXT] = None
    seconds: Annotated[int | None, integer(1, 15_300)] = None
    events: Annotated[tuple[int, ...] | None, ListOf(BYTE, 32)] = None
    timer: Annotated[int | None, integer(1, 8)] = None
    qualifier: Annotated[int, BYTE] = 0
    after: Annotated[int, SECONDS] = 0
    every: Annotated[int, SECONDS] = 0

    def check(self) -> Iterator[Fault]:
        """Yield what the command lacks."""
        for name in _NEEDS.get(self.command, ()):
            if getattr(self, name) is None:
                yield Fault((name,), f"missing; {self.command.value} needs it")


@dataclass(frozen=True, slots=True)
class MenuEntry:
    """An item of the card's menu, and the text that choosing it displays."""

    item: Annotated[str, SHORT_TEXT]
    shows: Annotated[str, TEXT]


@dataclass(frozen=True, slots=True)
class CatProfile:
    """Everything the card asks for by itself; the menu, where there is one, is set up first."""

    menu_title: Annotated[str, SHORT_TEXT] = "Card"
    menu: Annotated[tuple[MenuEntry, ...], ListOf(Table(MenuEntry), 16)] = ()
    steps: Annotated[tuple[CatStep, ...], ListOf(Table(CatStep), 32)] = ()


NO_TOOLKIT = CatProfile()
"""A card that asks for nothing."""
