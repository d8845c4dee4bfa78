"""Where `bcast-uicc run` puts its card, and when it stops waiting for a reader there."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from host_tools.cli.exits import ENVIRONMENT, CliError
from vpicc_bridge.machine import VPCD_FIRST_PORT

if TYPE_CHECKING:
    from vpicc_bridge.pcscd import PrivatePcscd

LOOPBACK = "127.0.0.1"
STOCK_SLOTS = 2
_LOOK = 0.5  # seconds between two looks at what the card waits for


@dataclass(frozen=True, slots=True)
class Place:
    """Where the card goes: vpcd's address and what the reader is called, None where that cannot be known."""

    host: str
    port: int
    reader: str | None
    pcscd: PrivatePcscd | None = None

    @property
    def name(self) -> str:
        """What a trace calls it."""
        return self.reader or f"vpcd at {self.host}:{self.port}"

    @property
    def is_here(self) -> bool:
        """Whether vpcd is wanted on this machine."""
        return self.host in (LOOPBACK, "localhost", "::1")


def named_place(host: str | None, port: int | None, slot: int) -> Place:
    """Return the place that the options name. Raises `CliError` for a host that does not exist."""
    where = host if host is not None else LOOPBACK
    chosen = port if port is not None else VPCD_FIRST_PORT + slot
    _require_host(where, chosen)
    stock = where in (LOOPBACK, "localhost") and 0 <= chosen - VPCD_FIRST_PORT < STOCK_SLOTS
    # pcscd counts every reader on the machine, so the number is a guess when others came first.
    return Place(where, chosen, f"Virtual PCD 00 {chosen - VPCD_FIRST_PORT:02X}" if stock else None)


def private_place(stack: ExitStack, slot: int) -> Place:
    """Start a pcscd of our own for the life of `stack` and say how clients find it. Raises `CliError`."""
    from vpicc_bridge.pcscd import SOCKET_VARIABLE, PcscdError, PrivatePcscd

    try:
        pcscd = stack.enter_context(PrivatePcscd(slots=max(STOCK_SLOTS, slot + 1)))
    except PcscdError as error:
        raise CliError(f"{error}.", ENVIRONMENT) from error
    click.echo(f"Clients:  export {SOCKET_VARIABLE}={pcscd.socket_path}")
    return Place(LOOPBACK, pcscd.ports[slot], pcscd.reader_names[slot], pcscd)


def hint(place: Place) -> str:
    """Return what to do when nobody answers at a place."""
    if not place.is_here:
        return "is pcscd running there, and its port open to us?"
    from vpicc_bridge.doctor import first_fault
    from vpicc_bridge.machine import ThisMachine

    fault = first_fault(ThisMachine())
    if fault is None:
        return f"pcscd runs, but has no reader at port {place.port}; `bcast-uicc doctor` tells more"
    command = fault.fix.partition("  #")[0]
    return f"try `{command}`, or use --private-pcscd; `bcast-uicc doctor` tells more"


def watch(thread: threading.Thread, connected: threading.Event, place: Place, wait: float | None) -> None:
    """Return when a card's thread ends; `wait` is in seconds.

    Raises `CliError` when the private pcscd ends, or when no reader comes in time.
    """
    deadline = None if wait is None else time.monotonic() + wait
    while thread.is_alive():
        thread.join(_LOOK)
        if place.pcscd is not None and (obituary := place.pcscd.obituary):
            raise CliError(f"{obituary}.", ENVIRONMENT)
        if deadline is not None and not connected.is_set() and time.monotonic() > deadline:
            raise CliError(f"no vpcd at {place.host}:{place.port} within {wait:g} s: {hint(place)}.", ENVIRONMENT)


def _require_host(host: str, port: int) -> None:
    try:
        socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "not a host name"
        raise CliError(f"--host {host}: {reason}.", ENVIRONMENT) from None
