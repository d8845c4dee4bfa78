"""A PC/SC client for tests: pyscard's low-level API, which is the shortest way to what pcscd really says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

PATIENCE = 60.0
"""Seconds until what does not come counts as missing: a process may start slowly, and nothing is measured by it."""


class PcscFailure(Exception):
    """A PC/SC call failed; `code` is pcscd's own, as an unsigned number."""

    def __init__(self, call: str, code: int) -> None:
        super().__init__(f"{call}: {code & 0xFFFFFFFF:08X}")
        self.code = code & 0xFFFFFFFF


def scard() -> Any:
    """Return pyscard's low-level module. Imported late: PCSCLITE_CSOCK_NAME must be set before the first call."""
    from smartcard import scard as module

    return module


def check(call: str, result: Any) -> Any:
    """Unpack a pyscard result: [code, values...]."""
    code, *values = result if isinstance(result, list | tuple) else (result,)
    if code != 0:
        raise PcscFailure(call, code)
    return values[0] if len(values) == 1 else values


class Handle:
    """A connection to the card in one reader."""

    def __init__(self, context: int, reader: str) -> None:
        api = scard()
        self._handle, self.protocol = check(
            "SCardConnect",
            api.SCardConnect(context, reader, api.SCARD_SHARE_SHARED, api.SCARD_PROTOCOL_ANY),
        )

    def transmit(self, apdu: bytes) -> bytes:
        api = scard()
        pci = api.SCARD_PCI_T1 if self.protocol == api.SCARD_PROTOCOL_T1 else api.SCARD_PCI_T0
        return bytes(check("SCardTransmit", api.SCardTransmit(self._handle, pci, list(apdu))))

    def atr(self) -> bytes:
        return bytes(check("SCardStatus", scard().SCardStatus(self._handle))[3])

    def reconnect(self, initialization: int) -> None:
        api = scard()
        check(
            "SCardReconnect",
            api.SCardReconnect(self._handle, api.SCARD_SHARE_SHARED, api.SCARD_PROTOCOL_ANY, initialization),
        )

    def disconnect(self) -> None:
        api = scard()
        api.SCardDisconnect(self._handle, api.SCARD_LEAVE_CARD)


class Client:
    """One PC/SC context."""

    def __init__(self) -> None:
        api = scard()
        self._context = check("SCardEstablishContext", api.SCardEstablishContext(api.SCARD_SCOPE_USER))

    def close(self) -> None:
        scard().SCardReleaseContext(self._context)

    def readers(self) -> list[str]:
        return list(check("SCardListReaders", scard().SCardListReaders(self._context, [])))

    def is_present(self, reader: str) -> bool:
        return bool(self._state(reader) & scard().SCARD_STATE_PRESENT)

    def event_count(self, reader: str) -> int:
        """Number of insertions and removals pcscd has seen in this reader."""
        return self._state(reader) >> 16

    def wait_present(self, reader: str) -> None:
        wait_until(lambda: self.is_present(reader), f"a card in {reader}")

    def wait_empty(self, reader: str) -> None:
        wait_until(lambda: not self.is_present(reader), f"{reader} empty")

    @contextmanager
    def connected(self, reader: str) -> Iterator[Handle]:
        handle = Handle(self._context, reader)
        try:
            yield handle
        finally:
            handle.disconnect()

    def _state(self, reader: str) -> int:
        api = scard()
        states = check(
            "SCardGetStatusChange",
            api.SCardGetStatusChange(self._context, 0, [(reader, api.SCARD_STATE_UNAWARE)]),
        )
        return int(states[0][1])


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition, or fail saying what never came."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {PATIENCE:g} s in vain for {what}")
        time.sleep(0.02)
