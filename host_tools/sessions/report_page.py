"""The page of a playing: notes are taken while a session goes on, and become a file in the end, however it ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from host_tools.chronicle.chronicler import Chronicler
from host_tools.files.writing import whole_text
from host_tools.sessions.events import Events, ReportWritten
from host_tools.sessions.telling import Teller

if TYPE_CHECKING:
    from host_tools.sessions.extras import Extras
    from host_tools.terminal.application_middleware import CardMiddleware


@dataclass(frozen=True, slots=True)
class ReportPage:
    """A page to write: where, and its title. `names` are those of services, by session."""

    path: Path
    title: str
    names: Mapping[bytes, str] = field(default_factory=dict)

    @contextmanager
    def told_by(self, middleware: CardMiddleware, extras: Extras, events: Events) -> Iterator[Extras]:
        """Yield extras that take notes, too; write the page behind the block. Raises `UnwritableFile`."""
        chronicler = Chronicler()
        teller = Teller(chronicler, self.names)
        middleware.on_ltkm = teller.ltkm(middleware.tables)
        try:
            yield replace(extras, teller=teller)
        finally:
            write_page(chronicler, self.title, self.path)
            events.emit(ReportWritten(self.path))


@contextmanager
def noted(page: ReportPage | None, middleware: CardMiddleware, extras: Extras, events: Events) -> Iterator[Extras]:
    """Yield extras that take notes where a page is wanted, else those that are given."""
    if page is None:
        yield extras
        return
    with page.told_by(middleware, extras, events) as noting:
        yield noting


def write_page(chronicler: Chronicler, title: str, path: Path, about: str = "") -> None:
    """Write what was noted so far as a page; `about` says what it cannot show. Raises `UnwritableFile`."""
    from host_tools.chronicle.page.html import playing_page

    with whole_text(path) as file:
        for part in playing_page(chronicler.finish(title, about)):
            file.write(part)
