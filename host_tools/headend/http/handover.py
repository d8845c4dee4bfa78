"""The BSD/A's end for what the BSM hands over by itself: SEKs out of turn, and what is to be broadcast.

To be broadcast are registration material and LTKMs, both of the DRM profile: an LTKM of the Smartcard Profile reaches
its card over the interaction channel alone (change request on SPCP, clause 4.3.1), so one is refused.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from http import HTTPStatus

from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.messages.back_end import Handover, KeyProfile, SekHandover, TransportKey
from host_tools.exchange.procedures import LTKM_HANDOVER, REGISTRATION_HANDOVER, SEK_HANDOVER, Target
from host_tools.exchange.transport import Peer
from host_tools.headend.http.answers import answer, failure
from host_tools.headend.http.guarded import GuardedServer

_KEPT = 1024
PROCEDURES = LTKM_HANDOVER, REGISTRATION_HANDOVER, SEK_HANDOVER
"""What it answers."""
_INTERACTIVE = "the Smartcard Profile has its LTKMs over the interaction channel alone"


class HandoverServer(GuardedServer):
    """Takes what comes. `taken` has the newest of what is to be broadcast, each once."""

    reference_point = "the hand-over"

    def __init__(self, keys: TransportKey, on_sek: Callable[[SekHandover], None]) -> None:
        """Take the transport key, and who hears of SEKs out of turn."""
        super().__init__()
        self._keys = keys
        self._on_sek = on_sek
        self.taken: deque[Handover] = deque(maxlen=_KEPT)

    def _answer(self, request: HttpRequest, peer: Peer) -> HttpResponse:
        del peer
        target = Target.parse(request.target)
        procedure = next((one for one in PROCEDURES if target.ends_with(one)), None)
        if procedure is None:
            return failure(HTTPStatus.NOT_FOUND)
        if request.method != procedure.method:
            return failure(HTTPStatus.METHOD_NOT_ALLOWED, headers=(("Allow", procedure.method),))
        if not self._keys.is_signed(request):
            return failure(HTTPStatus.FORBIDDEN, "the MAC is not that of the transport key here")
        if procedure is SEK_HANDOVER:
            self._on_sek(SekHandover.decode(request.body, self._keys))
            return answer(HTTPStatus.OK, b"{}", procedure.answer)
        handover = Handover.decode(request.body)
        if handover.profile is KeyProfile.SMARTCARD:
            return failure(HTTPStatus.FORBIDDEN, _INTERACTIVE)
        if handover not in self.taken:
            self.taken.append(handover)
        return answer(HTTPStatus.OK, b"{}", procedure.answer)
