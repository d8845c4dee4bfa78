"""Hides what a rule names secret (`card.codec.redaction`), and what is known by value, wherever it stands."""

from __future__ import annotations

from card.codec.redaction import Redacted, Redactor
from host_tools.trace.known_secrets import KnownSecrets, merge


class Hider:
    """Finds the secrets in the exchanges of one card, in their order."""

    def __init__(self, known: KnownSecrets | None = None) -> None:
        self._known = known
        self._rules = Redactor()

    def reset(self) -> None:
        """Forget what was selected and asked: the card was reset."""
        self._rules.reset()

    def doubt(self) -> None:
        """Take no file for current before the next SELECT: other programs use the card, too."""
        self._rules.doubt()

    def find(self, command: bytes, response: bytes) -> Redacted:
        """Return where the secrets are. `response` is data and status word, empty when none came."""
        found = self._rules.exchange(command, response)
        if self._known is None:
            return found
        start, end = found.data
        sent = tuple((start + at, start + to) for at, to in self._known.spans(command[start:end]))
        came = self._known.spans(response[:-2])
        if not sent and not came:
            return found
        return Redacted(merge((*found.command, *sent)), merge((*found.response, *came)), found.file, found.data)
