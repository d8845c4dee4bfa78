"""Where a card is put into a reader, and when to stop waiting for a reader there."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from host_tools.realism.wrapped import WrappedCard
from host_tools.sessions.errors import SessionError
from host_tools.sessions.events import Events, PcscdStarted
from vpicc_bridge.machine import VPCD_FIRST_PORT

if TYPE_CHECKING:
    from vpicc_bridge.adapter import VirtualCard
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
    """Return the place that the options name. Raises `SessionError` for a host that does not exist."""
    where = host if host is not None else LOOPBACK
    chosen = port if port is not None else VPCD_FIRST_PORT + slot
    _require_host(where, chosen)
    stock = where in (LOOPBACK, "localhost") and 0 <= chosen - VPCD_FIRST_PORT < STOCK_SLOTS
    # pcscd counts every reader on the machine, so the number is a guess when others came first.
    return Place(where, chosen, f"Virtual PCD 00 {chosen - VPCD_FIRST_PORT:02X}" if stock else None)


def private_place(stack: ExitStack, slot: int, events: Events) -> Place:
    """Start a pcscd of our own for the life of `stack` and say how clients find it. Raises `SessionError`."""
    from host_tools.files.temporary import remove_leftovers
    from vpicc_bridge.pcscd import SOCKET_VARIABLE, PcscdError, PrivatePcscd

    remove_leftovers()
    try:
        pcscd = stack.enter_context(PrivatePcscd(slots=max(STOCK_SLOTS, slot + 1)))
    except PcscdError as error:
        raise SessionError(f"{error}.") from error
    events.emit(PcscdStarted(SOCKET_VARIABLE, pcscd.socket_path))
    return Place(LOOPBACK, pcscd.ports[slot], pcscd.reader_names[slot], pcscd)


def hint(place: Place) -> str:
    """Return what to do when nobody answers at a place; the words end without a full stop."""
    if not place.is_here:
        return "see that pcscd runs there and that its port is open to us"
    from vpicc_bridge.doctor import first_fault
    from vpicc_bridge.machine import ThisMachine

    fault = first_fault(ThisMachine())
    if fault is None:
        return f"pcscd runs, but has no reader at port {place.port}; `bcast-uicc doctor` tells more"
    command = fault.fix.partition("  #")[0].strip()
    return f"try `{command}`, or use --private-pcscd; `bcast-uicc doctor` tells more"


@dataclass(slots=True)
class Outlook:
    """What is known of the reader so far. The card's thread writes it, `watch` reads it."""

    connected: bool = False
    """The line stands."""
    occupied: bool = False
    """The line stands, but another card sits on the slot."""
    asked: bool = False
    """The reader asked this card something: it is in."""
    told: bool = False
    """It was said that the reader has the card."""
    advised: bool = False
    """It was said what to do."""


class AskedCard(WrappedCard):
    """Wraps a card and notes when a reader asks it for the first time.

    `tell_powered` is called on the card's thread whenever the ATR is asked for under power: the reader has the card.
    """

    def __init__(self, card: VirtualCard, outlook: Outlook, tell_powered: Callable[[], None] = lambda: None) -> None:
        super().__init__(card)
        self._outlook = outlook
        self._tell_powered = tell_powered
        self._powered = False

    @property
    def atr(self) -> bytes:
        """The answer to reset; a reader that finds a card asks for it first, then again under power."""
        self._outlook.asked = True
        if self._powered:
            self._tell_powered()
        return self._card.atr

    def power_on(self) -> bytes:
        """Apply power; return the ATR."""
        self._outlook.asked = self._powered = True
        return self._card.power_on()

    def power_off(self) -> None:
        """Remove power."""
        self._powered = False
        self._card.power_off()


def watch(thread: threading.Thread, outlook: Outlook, place: Place, wait: float | None) -> None:
    """Return when a card's thread ends; `wait` is in seconds.

    Raises `SessionError` when the private pcscd ends, or when the card is in no reader in time.
    """
    deadline = None if wait is None else time.monotonic() + wait
    while thread.is_alive():
        thread.join(_LOOK)
        if place.pcscd is not None and (obituary := place.pcscd.obituary):
            raise SessionError(f"{obituary}.")
        if deadline is not None and time.monotonic() > deadline and (reason := _why_out(outlook, place)):
            raise SessionError(f"{reason} within {wait:g} s{_once_advised(outlook, place)}.")


def _why_out(outlook: Outlook, place: Place) -> str | None:
    """Return why a card is in no reader; None when it is in one, or when a line that stands may yet become one."""
    if outlook.asked or (outlook.connected and not outlook.occupied):
        return None
    where = f"{place.host}:{place.port}"
    return f"slot taken: another card sits at {where} and did not leave" if outlook.occupied else f"no vpcd at {where}"


def _once_advised(outlook: Outlook, place: Place) -> str:
    if outlook.occupied:
        return "; take another --slot or --port"
    return "" if outlook.advised else f": {hint(place)}"


def _require_host(host: str, port: int) -> None:
    try:
        socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "not a host name"
        raise SessionError(f"--host {host}: {reason}.") from None
