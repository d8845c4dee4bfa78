"""A card in a test: send commands, look at answers, see what happened when the test fails."""

from __future__ import annotations

import re
from collections.abc import Callable

from card.codec.apdu import CommandApdu
from card.codec.redaction import Redactor
from card.errors import DecodeError
from host_tools.apdu.client import ApduClient
from host_tools.apdu.response import Response
from host_tools.links.base import Link, LinkError, is_shared
from host_tools.pytest_plugin.answers import Answer, CardData, StatusWord


class Uicc:
    """A card behind a link, which a `with` statement lets go. `link` is what middleware takes."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self._client = ApduClient(link)
        self._redactor = Redactor()
        if is_shared(link):
            self._redactor.doubt()

    def __enter__(self) -> Uicc:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def atr(self) -> bytes:
        """Answer to reset of the last power-on or reset."""
        return self.link.atr

    def send(self, apdu: str | bytes) -> Answer:
        """Send a command (bytes, or hex with spaces as you like) and return the whole answer.

        GET RESPONSE, a wrong Le and blocks are seen to. Raises `DecodeError` for what is no APDU, `LinkError`.
        """
        raw = _bytes_of(apdu)
        command = CommandApdu.decode(raw)
        return self._answer(raw, lambda: self._client.transmit(command))

    def send_raw(self, apdu: str | bytes) -> Answer:
        """Send any bytes as they are and return what came back. Raises `DecodeError` for bad hex, `LinkError`."""
        raw = _bytes_of(apdu)
        return self._answer(raw, lambda: Response.decode(self.link.transmit(raw)))

    def reset(self) -> bytes:
        """Reset the card and return its ATR. Raises `LinkError`."""
        self._redactor.reset()
        return self.link.reset()

    def close(self) -> None:
        """Let the card go."""
        self.link.close()

    def _answer(self, command: bytes, transmit: Callable[[], Response]) -> Answer:
        try:
            response = transmit()
        except LinkError:
            self._redactor.exchange(command, b"")
            raise
        raw = response.data + response.sw.to_bytes(2, "big")
        hidden = self._redactor.exchange(command, raw).response
        return Answer(CardData.of(response.data, hidden), StatusWord(response.sw))


def _bytes_of(apdu: str | bytes) -> bytes:
    """Return the bytes that hex stands for. Raises `DecodeError` naming the first part that is no hex."""
    if isinstance(apdu, bytes):
        return apdu
    try:
        return bytes.fromhex(apdu)
    except ValueError:
        wrong = re.sub(r"[0-9A-Fa-f\s]", "", apdu)
        why = f"{wrong[:1]!r} is no hex digit" if wrong else "a byte has two digits"
        raise DecodeError(f"the APDU is not hex: {why}") from None
