"""A link through PC/SC: the only importer of pyscard.

pyscard's low-level calls are used, which cost a quarter less per APDU than its classes. pyscard is imported
when the first context is made and reads PCSCLITE_CSOCK_NAME only then: a private pcscd must be named in the
environment before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from host_tools.links.base import LinkError, NoReader, ReaderGone, TransmissionProtocol

DEFAULT_WAIT = 10.0  # seconds for a card to appear; pcscd looks at a virtual reader every 0.4 s
_SLICE_MS = 250  # one wait for a status change, so that an interrupt is noticed

_SUCCESS = 0
_TOO_EARLY = frozenset({0x8010000C, 0x80100066, 0x80100067})  # no card, unresponsive, unpowered: try again
_GONE = frozenset({
    0x80100003,  # invalid handle
    0x80100013,  # communication error: the service itself ended
    0x80100009,  # unknown reader
    0x8010000C,  # no card
    0x80100016,  # not transacted: the driver lost the card
    0x80100017,  # reader unavailable
    0x8010001D,  # no service
    0x8010001E,  # service stopped
    0x80100067,  # unpowered card
    0x80100069,  # removed card
})  # fmt: skip
_NO_SERVICE = frozenset({0x8010001D, 0x8010001E})
_NO_READERS = 0x8010002E
_SHARING = 0x8010000B
_TIMEOUT = 0x8010000A
_STATUS_WORD = 2  # bytes that every answer of a card has
_RESET_BY_ANOTHER = 0x80100068

_NO_SERVICE_TEXT = "The PC/SC service does not answer: start pcscd, or ask `bcast-uicc doctor` for help."


def _scard() -> Any:
    try:
        return import_module("smartcard.scard")
    except ImportError as error:
        raise NoReader("The package pyscard is missing: install bcast-uicc with its extra `pcsc`.") from error


def _code(result: int) -> int:
    """Return a PC/SC result as an unsigned number; pyscard gives it signed on some platforms."""
    return result & 0xFFFFFFFF


class PcscContext:
    """A connection to the PC/SC service, which knows the readers."""

    def __init__(self) -> None:
        self._scard = _scard()
        result, self._handle = self._scard.SCardEstablishContext(self._scard.SCARD_SCOPE_USER)
        if _code(result) != _SUCCESS:
            raise NoReader(_NO_SERVICE_TEXT)

    def readers(self) -> tuple[str, ...]:
        """Return the names of all readers. Raises `NoReader` where the service is gone."""
        result, names = self._scard.SCardListReaders(self._handle, [])
        if _code(result) == _NO_READERS:
            return ()
        if _code(result) != _SUCCESS:
            raise NoReader(_NO_SERVICE_TEXT)
        return tuple(names)

    def has(self, reader: str) -> bool:
        """Tell whether the service is there and knows `reader`."""
        try:
            return reader in self.readers()
        except NoReader:
            return False

    def wait_for_card(self, reader: str, deadline: float) -> None:
        """Return when `reader` holds a card; `deadline` is in `time.monotonic` seconds. Raises `NoReader`."""
        state = self._scard.SCARD_STATE_UNAWARE
        while True:
            result, states = self._scard.SCardGetStatusChange(self._handle, _SLICE_MS, [(reader, state)])
            code = _code(result)
            if code not in (_SUCCESS, _TIMEOUT):
                raise NoReader(self._why_no_reader(reader, code))
            state = states[0][1] & ~self._scard.SCARD_STATE_CHANGED
            if state & self._scard.SCARD_STATE_PRESENT and not state & self._scard.SCARD_STATE_MUTE:
                return
            if time.monotonic() > deadline:
                raise NoReader(f"No card in reader “{reader}”: insert it, or start `bcast-uicc run`.")

    def connect(self, reader: str, wait: float = DEFAULT_WAIT) -> PcscLink:
        """Connect to the card in `reader`, waiting up to `wait` seconds for it. Raises `LinkError`."""
        deadline = time.monotonic() + wait
        while True:
            self.wait_for_card(reader, deadline)
            result, card, protocol = self._scard.SCardConnect(
                self._handle, reader, self._scard.SCARD_SHARE_SHARED, _any_protocol(self._scard)
            )
            code = _code(result)
            if code == _SUCCESS:
                return PcscLink(self, self._scard, reader, card, protocol)
            if code not in _TOO_EARLY or time.monotonic() > deadline:
                raise _connect_error(reader, code)

    def find(self, wanted: str | None, wait: float = DEFAULT_WAIT) -> str:
        """Return the reader whose name is or contains `wanted`; without it, the first that holds a card.

        Where a part of a name fits several readers, only those with a card count. Raises `NoReader`, naming the readers
        there are.
        """
        names = self.readers()
        deadline = time.monotonic() + wait
        if wanted is None:
            return self._first_with_card(names, deadline)
        fitting = tuple(name for name in names if name == wanted) or tuple(name for name in names if wanted in name)
        if len(fitting) > 1:
            fitting = self._with_card(fitting) or (self._first_with_card(fitting, deadline),)
        if len(fitting) != 1:
            raise NoReader(_which_reader(wanted, names, fitting))
        return fitting[0]

    def release(self) -> None:
        """Let the service go. Releasing twice is harmless."""
        handle, self._handle = self._handle, None
        if handle is not None:
            self._scard.SCardReleaseContext(handle)

    def _with_card(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return the readers that hold a card now."""
        unaware = [(name, self._scard.SCARD_STATE_UNAWARE) for name in names]
        result, states = self._scard.SCardGetStatusChange(self._handle, 0, unaware)
        if _code(result) not in (_SUCCESS, _TIMEOUT):
            raise NoReader(_NO_SERVICE_TEXT)
        return tuple(str(name) for name, state, _atr in states if state & self._scard.SCARD_STATE_PRESENT)

    def _first_with_card(self, names: tuple[str, ...], deadline: float) -> str:
        if not names:
            raise NoReader("PC/SC knows no reader: is the vpcd driver installed? Run `bcast-uicc doctor`.")
        unaware = self._scard.SCARD_STATE_UNAWARE
        known = [(name, unaware) for name in names]
        while time.monotonic() < deadline:
            result, states = self._scard.SCardGetStatusChange(self._handle, _SLICE_MS, known)
            if _code(result) not in (_SUCCESS, _TIMEOUT):
                raise NoReader(_NO_SERVICE_TEXT)
            for name, state, _atr in states:
                if state & self._scard.SCARD_STATE_PRESENT:
                    return str(name)
            known = [(name, state & ~self._scard.SCARD_STATE_CHANGED) for name, state, _atr in states]
        raise NoReader(f"No card in any of the readers {_quoted(names)}.")

    def _why_no_reader(self, reader: str, code: int) -> str:
        if code in _NO_SERVICE:
            return _NO_SERVICE_TEXT
        return f"Reader “{reader}” is not there (PC/SC error {code:08X})."


class PcscLink:
    """A connected card in a PC/SC reader, which a `with` statement lets go."""

    def __init__(self, context: PcscContext, scard: Any, reader: str, card: int, protocol: int) -> None:
        self._context = context
        self._scard = scard
        self._reader = reader
        self._card: int | None = card
        self._wire_protocol = protocol
        self._blocks = 0  # of `together`, one inside the other
        self._transmit: Callable[[int | None, int, list[int]], tuple[int, list[int]]] = scard.SCardTransmit
        self._atr = self._read_atr()

    @classmethod
    def open(cls, reader: str | None = None, wait: float = DEFAULT_WAIT) -> PcscLink:
        """Connect to the card in `reader` (whole name or a part of it; None: the first with a card).

        Waits up to `wait` seconds for the card. Raises `NoReader`, `LinkError`.
        """
        context = PcscContext()
        try:
            return context.connect(context.find(reader, wait), wait)
        except BaseException:
            context.release()
            raise

    def __enter__(self) -> PcscLink:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def name(self) -> str:
        """Name of the reader."""
        return self._reader

    @property
    def atr(self) -> bytes:
        """Answer to reset of the last connection or reset."""
        return self._atr

    @property
    def protocol(self) -> TransmissionProtocol:
        """T=0 or T=1, as the reader negotiated it."""
        return (
            TransmissionProtocol.T0 if self._wire_protocol == self._scard.SCARD_PROTOCOL_T0 else TransmissionProtocol.T1
        )

    def transmit(self, apdu: bytes) -> bytes:
        """Send one command APDU and return data and status word. Raises `ReaderGone`, `LinkError`."""
        if self._card is None:
            raise LinkError(f"The connection to reader “{self._reader}” is closed.")
        result, answer = self._transmit(self._card, self._wire_protocol, list(apdu))
        if result != _SUCCESS:
            raise self._transmit_error(_code(result))
        if len(answer) < _STATUS_WORD:
            raise self._gone()  # vpcd calls it a success when the card's line breaks under a command
        return bytes(answer)

    def reset(self) -> bytes:
        """Reset the card (warm) and return its ATR. Raises `ReaderGone`, `LinkError`."""
        scard = self._scard
        result, protocol = scard.SCardReconnect(
            self._card, scard.SCARD_SHARE_SHARED, _any_protocol(scard), scard.SCARD_RESET_CARD
        )
        if _code(result) != _SUCCESS:
            raise self._transmit_error(_code(result))
        self._wire_protocol = protocol
        self._atr = self._read_atr()
        return self._atr

    @property
    def shared(self) -> bool:
        """Whether another program can come between two commands: always, on PC/SC."""
        return True

    @contextmanager
    def together(self) -> Iterator[None]:
        """Keep other programs from the card for the length of a `with` block. Raises `ReaderGone`, `LinkError`.

        Waits until the others have done what they keep together.
        """
        if not self._blocks:
            result = self._scard.SCardBeginTransaction(self._card)
            if _code(result) != _SUCCESS:
                raise self._transmit_error(_code(result))
        self._blocks += 1
        try:
            yield
        finally:
            self._blocks -= 1
            if not self._blocks and self._card is not None:
                # A card that is gone has no transaction to end.
                self._scard.SCardEndTransaction(self._card, self._scard.SCARD_LEAVE_CARD)

    def close(self) -> None:
        """Let the card and the service go. Closing twice is harmless."""
        card, self._card = self._card, None
        if card is not None:
            self._scard.SCardDisconnect(card, self._scard.SCARD_LEAVE_CARD)
        self._context.release()

    def _read_atr(self) -> bytes:
        result, _reader, _state, _protocol, atr = self._scard.SCardStatus(self._card)
        if _code(result) != _SUCCESS:
            raise self._transmit_error(_code(result))
        return bytes(atr)

    def _transmit_error(self, code: int) -> LinkError:
        if self._card is None or code in _GONE:
            return self._gone()
        if code == _RESET_BY_ANOTHER:
            return ReaderGone(f"Another program reset the card in reader “{self._reader}”: start again.")
        if not self._context.has(self._reader):
            return self._gone()  # a service that dies under a command leaves whatever code
        return LinkError(f"Reader “{self._reader}” refused to carry the command (PC/SC error {code:08X}).")

    def _gone(self) -> ReaderGone:
        return ReaderGone(f"The card in reader “{self._reader}” vanished while it was in use.")


def _any_protocol(scard: Any) -> int:
    return int(scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1)


def _connect_error(reader: str, code: int) -> LinkError:
    if code == _SHARING:
        return LinkError(f"Another program uses the card in reader “{reader}” exclusively.")
    if code in _NO_SERVICE:
        return NoReader(_NO_SERVICE_TEXT)
    return NoReader(f"The card in reader “{reader}” cannot be used (PC/SC error {code:08X}).")


def _which_reader(wanted: str, names: tuple[str, ...], matching: tuple[str, ...]) -> str:
    if matching:
        return f"“{wanted}” fits several readers with a card: {_quoted(matching)}; give the whole name."
    return f"There is no reader “{wanted}”; there are: {_quoted(names) or 'none'}."


def _quoted(names: tuple[str, ...]) -> str:
    return ", ".join(f"“{name}”" for name in names)
