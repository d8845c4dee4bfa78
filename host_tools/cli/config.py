"""Options of a command from a TOML file: --config FILE. What stands on the command line wins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from host_tools.cli.exits import INPUT, CliError

_Command = TypeVar("_Command", bound=Callable[..., Any])
_NAME = "config"


def config_option(command: _Command) -> _Command:
    """Give a command the option --config, whose file has a line for each other option, by its long name."""
    return click.option(
        f"--{_NAME}",
        type=click.Path(dir_okay=False, path_type=Path),
        is_eager=True,
        expose_value=False,
        callback=_read,
        help='Read options from this file (TOML), a line such as key-file = "a.key" for each. The command line wins.',
    )(command)


def _read(context: click.Context, _parameter: click.Parameter, path: Path | None) -> None:
    """Make the values of a file the defaults of the command. Raises `CliError` with the line of each mistake."""
    from card.disk.kinds import SETTINGS
    from card.disk.reading import read_text
    from card.disk.toml import NotToml, parse_toml
    from card.disk.toml_lines import line_of, lines_of
    from card.errors import UnusableFile

    if path is None:
        return
    try:
        text = read_text(path, SETTINGS)
        found = parse_toml(text)
    except UnusableFile as error:
        raise CliError(str(error), INPUT) from None
    except NotToml as error:
        raise CliError(f"{path}:{error.line}: {error.reason}", INPUT) from None
    lines = lines_of(text)
    mistakes, known = list[str](), _options(context.command)
    for name, value in found.items():
        words = _refused(context, known.get(name), name, value)
        if words:
            mistakes.append(f"{path}:{line_of(lines, (name,))}: {words}")
    if mistakes:
        raise CliError("\n".join(mistakes[:20]), INPUT)
    context.default_map = {known[name].name or name: value for name, value in found.items()}


def _options(command: click.Command) -> Mapping[str, click.Parameter]:
    """Return the options that may stand in a file, by their long names without the hyphens; arguments by their own."""
    found: dict[str, click.Parameter] = {}
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            found[parameter.name or ""] = parameter
        elif isinstance(parameter, click.Option) and parameter.name != _NAME:
            found |= {name[2:]: parameter for name in parameter.opts if name.startswith("--")}
    found.pop("help", None)
    return found


def _refused(context: click.Context, parameter: click.Parameter | None, name: str, value: object) -> str:
    """Return what is wrong with an entry, nothing when it can be taken."""
    if parameter is None:
        return f"{name[:40]} is no option; --help lists them"
    if isinstance(value, dict) or (isinstance(value, list) and not parameter.multiple):
        return f"{name}: one value is wanted"
    if isinstance(parameter, click.Option) and parameter.is_flag and not isinstance(value, bool):
        return f"{name}: true or false is wanted"
    try:
        parameter.type_cast_value(context, value)
    except click.BadParameter as error:
        return f"{name}: {error.message}"
    return ""
