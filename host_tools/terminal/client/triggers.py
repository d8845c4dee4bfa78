"""The Smartcard Profile trigger at the terminal: nobody signs it, so it can do one thing only (provisional, ours).

It may lead to a registration at the BSM that the terminal knows already, for its items beside those in force. There is
no bootstrapping elsewhere and no purchase; one in ten seconds counts, and each only once in 24 hours.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import urlsplit

from host_tools.exchange.messages.trigger import Trigger
from host_tools.terminal.client.journal import Journal


class TriggerGate:
    """Lets through what a trigger may do."""

    def __init__(self, fqdn: str, journal: Journal, between: timedelta) -> None:
        """Take the BSM that is known, what is remembered, and the time between two."""
        self._fqdn = fqdn
        self._journal = journal
        self._between = between
        self._last: datetime | None = None

    def refusal(self, trigger: Trigger, now: datetime) -> str | None:
        """Return why a trigger is not heeded; None, and remember it, where it is."""
        if _host(trigger.bsm_uri) != self._fqdn.lower():
            return "it names a BSM that this terminal does not know"
        if self._last is not None and now - self._last < self._between:
            return "triggers come too fast"
        if not self._journal.triggered(trigger.trigger_id, now):
            return "it was heeded before"
        self._last = now
        return None


def _host(uri: str) -> str:
    try:
        return (urlsplit(uri).hostname or "").lower()
    except ValueError:
        return ""
