"""The protections that this product knows. Who plays, records or replays hands them, or more, on from here."""

from __future__ import annotations

from typing import Final

from card.spec.bcast.tables import TrafficProtection
from host_tools.content.registry import PacketProtection, Protections
from host_tools.content.srtp.format import HEADEND_FORMAT, SrtpFormat

KNOWN: Final = Protections((PacketProtection(TrafficProtection.SRTP, HEADEND_FORMAT, SrtpFormat.parse),))
