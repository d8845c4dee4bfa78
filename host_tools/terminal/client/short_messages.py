"""Short messages to the terminal that carry a solicited pull or a trigger, each in several (provisional, ours)."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime, timedelta

from host_tools.exchange.messages.sms_deliver import SmsDeliver
from host_tools.exchange.messages.sms_push import SmsForm, SmsPart, SmsPush

_MOST_HALF_DONE = 8
_Name = tuple[SmsForm, int, int]
"""By what the parts of one message are told from others: form, reference, number of parts."""


class ShortMessages:
    """Collects the parts of what is pushed. Half-done ones are bounded, and go after some time."""

    def __init__(self, kept: timedelta) -> None:
        """Take how long parts wait for the others."""
        self._kept = kept
        self._parts: OrderedDict[_Name, tuple[datetime, dict[int, bytes]]] = OrderedDict()

    def take(self, tpdu: bytes, now: datetime) -> bytes | None:
        """Take the TPDU of a short message; return the pull or trigger when it is whole. Raises `DecodeError`."""
        user_data = SmsDeliver.decode(tpdu).user_data
        part = SmsPart.decode(user_data)
        if part.total == 1:
            return SmsPush.decode([user_data]).content
        name = (part.form, part.reference, part.total)
        self._make_room(name, now)
        parts = self._parts.setdefault(name, (now, {}))[1]
        parts[part.number] = user_data
        if len(parts) < part.total:
            return None
        del self._parts[name]
        return SmsPush.decode(list(parts.values())).content

    def _make_room(self, name: _Name, now: datetime) -> None:
        for half, (since, _) in list(self._parts.items()):
            if now - since >= self._kept:
                del self._parts[half]
        while name not in self._parts and len(self._parts) >= _MOST_HALF_DONE:
            self._parts.popitem(last=False)
