"""Conditions on what a card is and has, and on what a script knows."""

from __future__ import annotations

import re
from dataclasses import dataclass

from host_tools.script.capabilities import Capabilities
from host_tools.script.errors import ExpressionError
from host_tools.script.template import NAME
from host_tools.script.values import Scope

ALLOWED = "usim, csim, isim, service N, csim service N, isim service N, pin enabled, known NAME, each also behind `not`"
_CONDITION = re.compile(
    rf"(?P<negated>not\s+)?(?:(?P<application>usim|isim|csim)|(?:(?P<table>csim|isim)\s+)?service\s+(?P<service>\d{{1,3}})"
    rf"|(?P<pin>pin\s+enabled)|known\s+(?P<name>{NAME}))"
)


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition: an application, a service of the table of an application, the PIN, or a variable."""

    text: str
    negated: bool = False
    application: str = ""
    service: int = 0
    table: str = ""
    pin: bool = False
    known: str = ""

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read a condition. Raises `ExpressionError`."""
        match = _CONDITION.fullmatch(text.strip())
        if match is None:
            raise ExpressionError(f"{text[:40]!r} is no condition; there are: {ALLOWED}")
        return cls(
            text=" ".join(text.split()),
            negated=bool(match["negated"]),
            application=match["application"] or "",
            service=int(match["service"] or 0),
            table=match["table"] or "usim",
            pin=bool(match["pin"]),
            known=match["name"] or "",
        )

    @property
    def needs_card(self) -> bool:
        """True when the card must be asked."""
        return not self.known

    def holds(self, capabilities: Capabilities, scope: Scope) -> bool:
        """Tell whether the condition holds."""
        return self._plain(capabilities, scope) is not self.negated

    def _plain(self, capabilities: Capabilities, scope: Scope) -> bool:
        if self.application:
            return self.application in capabilities.aids
        if self.service:
            return self.service in capabilities.services.get(self.table, frozenset())
        if self.pin:
            return capabilities.pin_enabled
        return self.known in scope
