"""Options of a broadcast on the air, for the commands that have one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from host_tools.cli.numbers import NumberRange

if TYPE_CHECKING:
    from host_tools.exchange.transport import Endpoint
    from host_tools.headend.on_air.broadcast import AirPlan

_Command = TypeVar("_Command", bound=Callable[..., Any])
_FILE = click.Path(dir_okay=False, path_type=Path)
_FIRST_PORT = 5004
_OPTIONS = (
    click.option("--speed", type=NumberRange(0.01, 100.0), default=1.0, show_default=True, help="How fast."),
    click.option("--loop", is_flag=True, help="Begin anew at the end of the scenario, with new SEKs, without end."),
    click.option(
        "--listener",
        "listeners",
        multiple=True,
        metavar="ADDRESS[:PORT]",
        help="Who hears it, repeatable; services have four ports each from PORT on.  [default: 127.0.0.2:5004]",
    ),
    click.option("--multicast", is_flag=True, help="Send to the groups of the services, on this computer alone."),
    click.option("--record", type=_FILE, help="Keep what is sent (pcapng), for `terminal play`."),
    click.option(
        "--media",
        multiple=True,
        metavar="SERVICE=SOURCE",
        help="What a service plays: a sound file (ffmpeg reads what is no plain WAV), or rtp://ADDRESS:PORT where PCMU "
        "comes in.  [default: its melody]",
    ),
    click.option("--clock-file", type=_FILE, help="Keeps when it began: a restart goes on from there."),
)


def air_options(command: _Command) -> _Command:
    """Give a command the options of a broadcast."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def air_plan(options: Mapping[str, Any]) -> AirPlan:
    """Return what the options say. Raises `click.UsageError`."""
    from host_tools.headend.on_air.broadcast import AirPlan
    from host_tools.headend.on_air.outlets import DEFAULT_LISTENER

    if options["multicast"] and options["listeners"]:
        raise click.UsageError("--multicast and --listener exclude each other")
    return AirPlan(
        speed=options["speed"],
        loop=options["loop"],
        listeners=tuple(map(_listener, options["listeners"])) or (DEFAULT_LISTENER,),
        multicast=options["multicast"],
        record=options["record"],
        media=_media(options["media"]),
        clock_file=options["clock_file"],
    )


def refuse_without(given: str, options: Mapping[str, Any]) -> None:
    """Raise `click.UsageError` when an option of a broadcast is there without the one that asks for it."""
    context = click.get_current_context()
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if parameter.name in options and source is click.core.ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{parameter.opts[0]} needs {given}")


def place(option: str, text: str) -> Endpoint:
    """Read ADDRESS:PORT. Raises `click.UsageError`."""
    if ":" not in text:
        raise click.UsageError(f"{option} {text}: ADDRESS:PORT is wanted")
    return _place(option, text)


def _listener(text: str) -> Endpoint:
    return _place("--listener", text)


def _place(option: str, text: str) -> Endpoint:
    from host_tools.exchange.transport import Endpoint
    from host_tools.wire.network_file import is_address

    address, colon, port = text.partition(":")
    if not is_address(address):
        raise click.UsageError(f"{option} {text}: an IPv4 address is wanted, such as 127.0.0.3 or 127.0.0.3:6000")
    if colon and not (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65_536):
        raise click.UsageError(f"{option} {text}: a port from 1 to 65535 is wanted")
    return Endpoint(address, int(port) if colon else _FIRST_PORT)


def _media(texts: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        service, equals, source = text.partition("=")
        if not equals or not source or service in found:
            raise click.UsageError(f"--media {text}: SERVICE=SOURCE is wanted, once for each service")
        found[service] = source
    return found
