"""One card on one vpcd slot: a blocking loop of receive, ask the card, reply.

The thread that calls `run` (or `poll`) is the card's own. Per APDU it spends one send, one re-arming of
TCP_QUICKACK and as many receives as vpcd makes portions (two). An event loop or a socket timeout would
double the time.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Final

from vpicc_bridge.adapter import CardAdapter, VirtualCard
from vpicc_bridge.alertness import Alertness
from vpicc_bridge.lines import Line, acknowledge_at_once, limit_receive, tune
from vpicc_bridge.notices import Connected, Disconnected, NoObserver, Observer, Occupied, Unreachable
from vpicc_bridge.protocol import ApduReceived, Control, Event, FrameDecoder, ProtocolError, encode

SILENCE: Final = 2.0
"""Seconds without a message that are worth a thought: vpcd asks for the ATR every 0.4 s for ever."""

PATIENCE: Final = 5
"""Silences in a row after which a line on which vpcd waits for us is given up."""

ABSENCE: Final = 0.9
"""Seconds to stay away after a lost line, so that pcscd's 0.4 s polling sees the removal.

Coming back sooner would leave a client's handle valid on a card that has lost its power and PIN status."""

TAKEN_OUT: Final = "the card was taken out"
FIRST_RETRY: Final = 0.1
LAST_RETRY: Final = 1.0
_RECEIVE_SIZE: Final = 65537


class ConnectionLost(Exception):
    """The line to vpcd is gone, or was given up; the message says why."""


class Connection:
    """Keeps one card connected to one vpcd slot.

    `silence` is the time in seconds after which a quiet line is looked into; inside a burst of commands that follow
    each other within `alert` seconds the next one is awaited without sleeping. `quickack=False` exists for the test
    that proves what TCP_QUICKACK is worth.
    """

    def __init__(
        self,
        line: Line,
        card: VirtualCard,
        observer: Observer | None = None,
        *,
        silence: float = SILENCE,
        alert: float = 0.0,
        quickack: bool = True,
    ) -> None:
        self._line = line
        self._observer = observer if observer is not None else NoObserver()
        self._adapter = CardAdapter(card, self._observer)
        self._silence = silence
        self._alertness = Alertness(alert)
        self._quickack = quickack
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._decoder = FrameDecoder()
        self._last_event: Event | None = None
        self._receive_limit = 0.0
        self._silences = 0
        self._outage_reported = False

    @property
    def peer(self) -> str:
        """The address of vpcd (or our own when listening) as host:port."""
        return self._line.peer

    @property
    def is_awake(self) -> bool:
        """Whether the next message is awaited without sleeping."""
        return self._alertness.is_awake

    def connect(self) -> bool:
        """Try once to get a line; return whether it stands. In listen mode this waits for vpcd's call."""
        try:
            fresh = self._line.connect()
        except OSError as error:
            self._report_outage(error)
            return False
        with self._lock:
            if self._stopping.is_set():
                fresh.close()
                return False
            self._adopt(fresh)
        self._outage_reported = False
        self._observer.notice(Connected(self.peer))
        return True

    def poll(self, timeout: float | None = None) -> bool:
        """Handle one message; return False when none came within `timeout` seconds (None: keep waiting).

        Raises `ConnectionLost` when the line ended, when the other side does not speak vpcd's protocol, or
        (only without a timeout) when the line has been quiet in a way from which vpcd does not recover by
        itself.
        """
        connection = self._socket
        if connection is None:
            raise ConnectionLost("not connected")
        limit = self._silence if timeout is None else max(timeout, 0.001)
        try:
            while (event := self._decoder.next_event()) is None:
                if self._receive(connection, limit):
                    continue
                if timeout is not None:
                    return False
                self._judge_silence()
            self._answer(connection, event)
        except OSError as error:
            raise ConnectionLost(error.strerror or str(error)) from error
        except ProtocolError as error:
            raise ConnectionLost(str(error)) from error
        return True

    def run(self) -> None:
        """Serve until `stop`: connect, answer, and connect again whenever the line is lost."""
        retry = FIRST_RETRY
        try:
            while not self._stopping.is_set():
                if self.connect() and self._serve():
                    retry = FIRST_RETRY
                    self._stopping.wait(ABSENCE)
                else:
                    self._stopping.wait(retry)
                    retry = min(retry * 2, LAST_RETRY)
        finally:
            self.disconnect()

    def stop(self) -> None:
        """Make `run` return soon. May be called from any thread, and more than once."""
        self._stopping.set()
        self._line.close()
        with self._lock:
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def disconnect(self, reason: str = TAKEN_OUT) -> None:
        """Close the line and take the power from the card. Call it on the thread that polls."""
        with self._lock:
            connection, self._socket = self._socket, None
        if connection is None:
            return
        connection.close()
        self._adapter.power_off()
        self._observer.notice(Disconnected(self.peer, reason))

    def _adopt(self, fresh: socket.socket) -> None:
        tune(fresh)
        if self._quickack:
            acknowledge_at_once(fresh)
        self._socket = fresh
        self._decoder = FrameDecoder()
        self._last_event = None
        self._receive_limit = 0.0
        self._silences = 0

    def _serve(self) -> bool:
        """Poll until the line is lost; return whether anything was ever asked on it."""
        try:
            while True:
                self.poll()
        except ConnectionLost as lost:
            self.disconnect(TAKEN_OUT if self._stopping.is_set() else str(lost))
        return self._last_event is not None

    def _receive(self, connection: socket.socket, limit: float) -> bool:
        """Take in what there is; return False when nothing came for `limit` seconds."""
        if limit != self._receive_limit:
            limit_receive(connection, limit)
            self._receive_limit = limit
        try:
            data = self._alertness.receive(connection, _RECEIVE_SIZE)
            if data is None:
                data = connection.recv(_RECEIVE_SIZE)
        except BlockingIOError:
            return False
        if not data:
            raise ConnectionLost("vpcd closed the connection")
        self._alertness.received()
        self._decoder.feed(data)
        return True

    def _answer(self, connection: socket.socket, event: Event) -> None:
        self._last_event = event
        self._silences = 0
        reply = self._adapter.handle(event)
        if reply is not None:
            connection.sendall(encode(reply))
        if self._quickack:
            acknowledge_at_once(connection)
        if isinstance(event, ApduReceived):
            self._alertness.answered()
        else:
            self._alertness.rest()

    def _judge_silence(self) -> None:
        self._silences += 1
        if self._decoder.mid_frame:
            raise ConnectionLost("half a message arrived and then nothing more")
        if self._last_event is None:
            self._judge_stranger()
        elif isinstance(self._last_event, ApduReceived) or self._last_event is Control.ATR_REQUEST:
            self._silences = 0  # pcscd is stopped, or the machine was asleep: nothing is owed, so wait
        elif self._silences >= PATIENCE:
            # A client sent a one-byte APDU that looks like a power control. vpcd waits for an answer to it,
            # for ever, and asks nothing meanwhile; only a lost line gives the client its error and the
            # reader back.
            raise ConnectionLost("vpcd waits for an answer to a command it sent as a power control")

    def _judge_stranger(self) -> None:
        if not self._line.keeps_silent_peers:
            raise ConnectionLost("the caller asked nothing: it is not vpcd")
        if self._silences == 1:
            self._observer.notice(Occupied(self.peer))

    def _report_outage(self, error: OSError) -> None:
        if self._outage_reported or self._stopping.is_set():
            return
        self._outage_reported = True
        self._observer.notice(Unreachable(self.peer, error.strerror or str(error)))
