"""The demo's card: in this process, or in a process of its own behind a private pcscd."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from card.disk.kinds import LOG
from card.disk.reading import read_bytes
from host_tools.files.writing import open_growing
from host_tools.links.base import Link, NoReader
from host_tools.sessions.errors import SessionError
from vpicc_bridge.guardian import Guardian

_WAIT = 15.0  # seconds for the card process to start and the reader to see it
_STOP = 5.0
_INSTEAD = "`bcast-uicc demo --link inprocess` does the same job without pcscd and vpcd."


class CardProcessEnded(SessionError):
    """The process of the card ended; `status` is its exit status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@contextmanager
def card_in_process(card_file: Path) -> Iterator[Link]:
    """Open the card file here and yield a link to it. Raises `StoreError`."""
    from card import open_card
    from host_tools.links.inprocess import InProcessLink

    link = InProcessLink(open_card(card_file))
    try:
        yield link
    finally:
        link.close()


@contextmanager
def card_in_reader(card_file: Path, log: Path, run: Sequence[str]) -> Iterator[Link]:
    """Start a private pcscd, put the card into one of its readers, and yield a link over PC/SC.

    The card runs in a process of its own, whose output goes to `log`: `run` is the command line of `bcast-uicc run`.
    Everything is stopped when the block ends. Raises `SessionError` where a package is missing, and
    `CardProcessEnded`.
    """
    from vpicc_bridge.pcscd import SOCKET_VARIABLE, PcscdError, PrivatePcscd

    with ExitStack() as stack:
        try:
            pcscd = stack.enter_context(PrivatePcscd(slots=2))
        except PcscdError as error:
            raise SessionError(f"{error}. {_INSTEAD}") from error
        # libpcsclite reads the variable at the first PC/SC call of this process, which is still to come.
        os.environ[SOCKET_VARIABLE] = str(pcscd.socket_path)
        card = stack.enter_context(started_beside([*run, str(card_file), "--port", str(pcscd.ports[0])], log))
        link = _connect(pcscd.reader_names[0], card, log)
        stack.callback(link.close)
        yield link


@contextmanager
def started_beside(command: Sequence[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program of ours until the block ends; what it says goes to `log`. Raises `UnwritableFile`."""
    with open_growing(log) as output:
        # A group of its own, so that Ctrl-C reaches the demo alone, which then ends the card in good order.
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, process_group=0)
    guardian = Guardian(process.pid)
    try:
        yield process
    finally:
        guardian.close()
        process.terminate()
        try:
            process.wait(_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _connect(reader: str, card: subprocess.Popen[bytes], log: Path) -> Link:
    """Wait for the card in the reader; when its process ended instead, say what it said, with its exit code."""
    from host_tools.links.pcsc import PcscLink

    deadline = time.monotonic() + _WAIT
    while True:
        try:
            return PcscLink.open(reader, wait=0.5)
        except NoReader as error:
            status = card.poll()
            if status is not None:
                raise CardProcessEnded(f"The card process ended: {said_last(log)}", status) from error
            if time.monotonic() > deadline:
                raise


def said_last(log: Path) -> str:
    """Return the last line of a log."""
    lines = read_bytes(log, LOG).decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
