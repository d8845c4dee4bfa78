"""The protections that this product knows. Who plays, records or replays hands them, or more, on from here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from card.spec.bcast.tables import TrafficProtection
from host_tools.content.registry import Hints, PacketProtection, Protections
from host_tools.content.srtp.errors import NOT_AUTHENTIC
from host_tools.content.srtp.format import HEADEND_FORMAT, SrtpFormat

if TYPE_CHECKING:
    from host_tools.content.protection import PacketSealer

_SUITE = "does --srtp-suite say how they are made?"
_SRTP_HINTS = Hints(
    key="MKI",
    no_name="do --mki-length and --srtp-suite say how they are made?",
    no_key=f"--mki-length 0 where there is no MKI; {_SUITE}",
    failed=_SUITE,
    reasons={
        NOT_AUTHENTIC: "they are not authentic under the keys they name "
        f"(--binding opens keys that are bound to a terminal; {_SUITE})"
    },
)


def _srtp_sealer() -> PacketSealer:
    from host_tools.content.srtp.protection import SrtpSealer  # loads libsrtp

    return SrtpSealer(HEADEND_FORMAT)


KNOWN: Final = Protections(
    (PacketProtection(TrafficProtection.SRTP, HEADEND_FORMAT, SrtpFormat.parse, _SRTP_HINTS, _srtp_sealer),)
)
