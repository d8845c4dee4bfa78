"""`bcast-uicc script record`: a session with a card, one command per line."""

from __future__ import annotations

from collections.abc import Iterable

import click

from host_tools.apdu.response import GarbledResponse, Response
from host_tools.cli.exits import ENVIRONMENT, INPUT, CliError
from host_tools.links.base import Link, LinkError
from host_tools.script.errors import ExpressionError, Place
from host_tools.script.model import ApduStep
from host_tools.script.oneline import parse_line
from host_tools.script.values import Scope
from host_tools.trace.files import CurrentFile
from host_tools.trace.record import blank
from host_tools.trace.redact import Redactor


class Session:
    """Sends what stands on each line and shows the answer. The link records it."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._redactor = Redactor()

    def run(self, lines: Iterable[str]) -> None:
        """Send every command. Raises `CliError` when the reader is lost or a line is no command."""
        for number, line in enumerate(lines, 1):
            text = line.partition("#")[0].strip()
            if text:
                self._send(text, number)

    def _send(self, text: str, number: int) -> None:
        try:
            step = parse_line(text, Place("<stdin>", number))
            if isinstance(step, ApduStep):
                click.echo(self._exchange(step.command.expand(Scope()).data))
            else:
                click.echo(self._link.reset().hex().upper())
        except ExpressionError as error:
            raise CliError(f"line {number}: {error}", INPUT) from None
        except GarbledResponse as error:
            click.echo(str(error))
        except LinkError as error:
            raise CliError(str(error), ENVIRONMENT) from error

    def _exchange(self, command: bytes) -> str:
        raw = self._link.transmit(command)
        secrets = self._redactor.find_secrets(command, raw, CurrentFile())
        response = Response.decode(blank(raw, secrets.response))
        hidden = " (secret parts are zero)" if secrets.response else ""
        data = f": {response.data.hex().upper()}" if response.data else ""
        return f"{response.sw:04X}{data}{hidden}"
