"""Gives up waiting for an answer after a time. A blocking PC/SC call cannot be cancelled, so it is left behind."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from host_tools.links.base import Link, LinkError
from host_tools.links.wrapped import WrappedLink

Work = Callable[[], bytes]
Outcome = bytes | Exception


class AnswerLate(LinkError):
    """The card did not answer in time."""


class TimedLink(WrappedLink):
    """A link whose `transmit` waits at most `timeout` seconds (None: for ever, and without any thread).

    An answer that comes after its time is dropped: the next command waits for it first.
    """

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self.timeout: float | None = None
        self._work: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._worker: threading.Thread | None = None
        self._owed = 0  # answers that are still to come and nobody waits for

    def transmit(self, apdu: bytes) -> bytes:
        """Send one command and return data and status word. Raises `AnswerLate`, `LinkError`."""
        if self.timeout is None and not self._owed:
            return self._inner.transmit(apdu)
        return self._do(lambda: self._inner.transmit(apdu))

    def reset(self) -> bytes:
        """Reset the card and return its ATR. Raises `AnswerLate`, `LinkError`."""
        if self.timeout is None and not self._owed:
            return self._inner.reset()
        return self._do(self._inner.reset)

    def release(self) -> None:
        """Let the thread end when it is free; the card stays connected."""
        if self._worker is not None:
            self._work.put(None)
            self._worker = None

    def close(self) -> None:
        """Let the thread and the card go; a card that still owes an answer is left alone."""
        self.release()
        if not self._owed:
            self._inner.close()

    def _do(self, work: Work) -> bytes:
        if self._worker is None:
            # A daemon: a reader that never answers must not keep the process alive.
            self._worker = threading.Thread(target=self._serve, name="card", daemon=True)
            self._worker.start()
        while self._owed:
            self._wait()
            self._owed -= 1
        self._work.put(work)
        self._owed += 1
        outcome = self._wait()
        self._owed -= 1
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _wait(self) -> Outcome:
        try:
            return self._outcomes.get(timeout=self.timeout)
        except queue.Empty:
            raise AnswerLate(f"The card in “{self.name}” did not answer within {self.timeout:g} s.") from None

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                self._outcomes.put(work())
            except Exception as error:  # every error is handed over to the thread that waits
                self._outcomes.put(error)
