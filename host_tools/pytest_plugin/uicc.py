"""A card in a test: send commands, look at answers, see what happened when the test fails."""

from __future__ import annotations

import re

from card.codec.apdu import CommandApdu
from card.errors import DecodeError
from host_tools.apdu.client import ApduClient
from host_tools.apdu.response import Response
from host_tools.links.base import Link
from host_tools.pytest_plugin.answers import Answer, CardData, StatusWord
from host_tools.trace.files import FileTracker
from host_tools.trace.redact import Redactor


class Uicc:
    """A card behind a link, which a `with` statement lets go. `link` is what middleware takes."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self._client = ApduClient(link)
        self._files = FileTracker()
        self._redactor = Redactor()

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
        response = self._client.transmit(CommandApdu.decode(raw))
        return self._answer(raw, response)

    def send_raw(self, apdu: str | bytes) -> Answer:
        """Send any bytes as they are and return what came back. Raises `DecodeError` for bad hex, `LinkError`."""
        raw = _bytes_of(apdu)
        return self._answer(raw, Response.decode(self.link.transmit(raw)))

    def reset(self) -> bytes:
        """Reset the card and return its ATR. Raises `LinkError`."""
        self._files.reset()
        self._redactor.reset()
        return self.link.reset()

    def close(self) -> None:
        """Let the card go."""
        self.link.close()

    def _answer(self, command: bytes, response: Response) -> Answer:
        raw = response.data + response.sw.to_bytes(2, "big")
        file = self._files.follow(command, raw)
        secrets = self._redactor.find_secrets(command, raw, file)
        return Answer(CardData.of(response.data, secrets.response), StatusWord(response.sw))


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
