"""The same card as an operating system inside Debian's `virtualsmartcard`, the vsmartcard project's own emulator.

A compatibility path: for people who script around `vicc`, and as a second opinion on our own client. The
package (Debian: vsmartcard-vpicc, GPL-3 or later, not on the Python package index) is loaded when a bridge
runs, never before.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import socket
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from vpicc_bridge.adapter import CardAdapter, VirtualCard
from vpicc_bridge.connection import ABSENCE, LAST_RETRY, TAKEN_OUT
from vpicc_bridge.lines import acknowledge_at_once, tune
from vpicc_bridge.machine import VIRTUALSMARTCARD_LOCATIONS, find_virtualsmartcard
from vpicc_bridge.notices import Connected, Disconnected, NoObserver, Observer, Unreachable
from vpicc_bridge.protocol import ApduReceived, Control

PACKAGE: Final = "virtualsmartcard"


class ViccMissing(Exception):
    """The package `virtualsmartcard`, or what it needs, is not installed. The message says what to install."""


class CardOs:
    """A card in the shape of virtualsmartcard's `SmartcardOS`. Its method names are that package's."""

    def __init__(self, adapter: CardAdapter) -> None:
        self._adapter = adapter

    def getATR(self) -> bytes:  # noqa: N802
        """Return the ATR."""
        return self._adapter.handle(Control.ATR_REQUEST) or b""

    def powerUp(self) -> None:  # noqa: N802
        """Apply power."""
        self._adapter.handle(Control.POWER_ON)

    def powerDown(self) -> None:  # noqa: N802
        """Remove power."""
        self._adapter.handle(Control.POWER_OFF)

    def reset(self) -> None:
        """Reset the card."""
        self._adapter.handle(Control.RESET)

    def execute(self, msg: bytes) -> bytes:
        """Answer one command APDU; an exception from the card becomes 6F00, since here it would end the process."""
        return self._adapter.handle(ApduReceived(msg)) or b""


class SteadySocket:
    """Stands in for the socket inside `VirtualICC`, which expects a whole message from one `recv`."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        tune(connection)
        acknowledge_at_once(connection)

    def recv(self, count: int) -> bytes:
        """Return exactly `count` bytes, or nothing when the line ends first."""
        received = bytearray()
        while len(received) < count:
            portion = self._connection.recv(count - len(received))
            if not portion:
                return b""
            received += portion
        acknowledge_at_once(self._connection)
        return bytes(received)

    def sendall(self, data: bytes) -> None:
        """Send a reply and have the next command acknowledged at once."""
        self._connection.sendall(data)
        acknowledge_at_once(self._connection)

    def shutdown(self) -> None:
        """End the line from another thread."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the line."""
        self._connection.close()


class ViccBridge:
    """Serves one card on one vpcd slot through virtualsmartcard, dialling again when the line is lost.

    Raises `ViccMissing` when constructed where the package is not installed.
    """

    def __init__(self, card: VirtualCard, host: str, port: int, observer: Observer | None = None) -> None:
        self._vicc = load_virtualsmartcard()
        self._address = (host, port)
        self._observer = observer if observer is not None else NoObserver()
        self._adapter = CardAdapter(card, self._observer)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._socket: SteadySocket | None = None
        self._outage_reported = False

    @property
    def peer(self) -> str:
        """The address of vpcd as host:port."""
        return f"{self._address[0]}:{self._address[1]}"

    def run(self) -> None:
        """Serve until `stop`."""
        while not self._stopping.is_set():
            if self._dial():
                self._serve()
                self._stopping.wait(ABSENCE)
            else:
                self._stopping.wait(LAST_RETRY)

    def stop(self) -> None:
        """Make `run` return soon. May be called from any thread, and more than once."""
        self._stopping.set()
        with self._lock:
            if self._socket is not None:
                self._socket.shutdown()

    def _dial(self) -> bool:
        # VirtualICC exits the whole process when its own dial fails, so somebody must be there before it is
        # made.
        try:
            connection = socket.create_connection(self._address, timeout=LAST_RETRY)
        except OSError as error:
            if not self._outage_reported:
                self._outage_reported = True
                self._observer.notice(Unreachable(self.peer, error.strerror or str(error)))
            return False
        connection.settimeout(None)
        self._outage_reported = False
        with self._lock:
            self._socket = SteadySocket(connection)
            if self._stopping.is_set():
                self._socket.shutdown()
        return True

    def _serve(self) -> None:
        line = self._socket
        if line is None:
            return
        self._observer.notice(Connected(self.peer))
        with contextlib.suppress(SystemExit, OSError):  # its run() exits when vpcd closes the connection
            self._make_icc(line).run()
        with self._lock:
            self._socket = None
        line.close()
        self._adapter.power_off()
        reason = TAKEN_OUT if self._stopping.is_set() else "vpcd closed the connection"
        self._observer.notice(Disconnected(self.peer, reason))

    def _make_icc(self, line: SteadySocket) -> Any:
        """Make a `VirtualICC` around our line and our card.

        Its constructor is passed over: it would make a card of its own, reconfigure logging, register an exit
        handler for every redial, and end the process when nobody answers.
        """
        kind = self._vicc.VirtualICC
        icc = kind.__new__(kind)
        icc.host, icc.port = self._address
        icc.sock, icc.server_sock = line, None
        icc.os = CardOs(self._adapter)
        return icc


def load_virtualsmartcard(locations: Iterable[Path] = VIRTUALSMARTCARD_LOCATIONS) -> ModuleType:
    """Import `virtualsmartcard.VirtualSmartcard` from where Debian hides it.

    `sys.path` stays as it is: the folders hold other packages that must not shadow ours. Raises
    `ViccMissing`.
    """
    if PACKAGE not in sys.modules:
        _load_package(_find_package(locations))
    try:
        module = importlib.import_module(f"{PACKAGE}.VirtualSmartcard")
    except ImportError as error:
        raise ViccMissing(
            f'virtualsmartcard needs the module {error.name}: install bcast-uicc with its extra "vpicc"'
        ) from None
    # It logs every response at level INFO to the root logger, and a response may hold a TEK.
    module.logging = _silent_logger()  # type: ignore[attr-defined]
    return module


def _find_package(locations: Iterable[Path]) -> Path:
    folder = find_virtualsmartcard(locations)
    if folder is None:
        raise ViccMissing(
            "virtualsmartcard is not installed; on Debian or Ubuntu: sudo apt-get install vsmartcard-vpicc"
        )
    return folder


def _load_package(folder: Path) -> None:
    spec = importlib.util.spec_from_file_location(
        PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ViccMissing(f"{folder} is not a Python package")
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)


def _silent_logger() -> logging.Logger:
    logger = logging.getLogger(f"{__name__}.{PACKAGE}")
    logger.setLevel(logging.CRITICAL + 1)
    return logger
