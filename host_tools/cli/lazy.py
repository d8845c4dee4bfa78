"""Groups of commands that are imported when they are used, not before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import click


@dataclass(frozen=True, slots=True)
class Subcommand:
    """Where a subcommand lives, and its line in `--help`, which is shown without importing it."""

    module: str
    attribute: str
    summary: str


class LazyGroup(click.Group):
    """A group whose subcommands come from a table and are imported on use."""

    def __init__(self, *arguments: Any, table: Callable[[], Mapping[str, Subcommand]], **options: Any) -> None:
        """Take, beside what a group takes, what returns the table: the names of the subcommands, in order."""
        super().__init__(*arguments, **options)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click gives it
        """Return the names of the subcommands that are installed, in the order of the table."""
        return [name for name, entry in self._table().items() if find_spec(entry.module) is not None]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # as above
        """Import the subcommand `cmd_name` and return it; None when there is none."""
        entry = self._table().get(cmd_name)
        if entry is None or find_spec(entry.module) is None:
            return None
        command = getattr(import_module(entry.module), entry.attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{entry.module}:{entry.attribute} is not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of subcommands from the table, importing none."""
        rows = [(name, self._table()[name].summary) for name in self.list_commands(ctx)]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)
