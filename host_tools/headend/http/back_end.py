"""The BSM's end of the back end over HTTP: makes STKMs from offers, hands keys over, takes finished STKMs.

The same request twice is answered alike. An offer of another TEK under a name that is in use is refused (409): a card
that has the first would never take the second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus

from card.codec.mikey import Extension, ExtensionType
from card.crypto.primitives import sha256
from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.messages.back_end import (
    MOST_ROLLS,
    FinishedStkm,
    KeyWish,
    SekRoll,
    SekRolls,
    Stkms,
    TekOffer,
    TransportKey,
)
from host_tools.exchange.procedures import KEY_GRANT, SEK_ROLLS, STKM_HANDOVER, TEK_OFFER, Procedure, Target
from host_tools.exchange.transport import Peer
from host_tools.headend.bounded import BoundedTable
from host_tools.headend.bsm.back_end import BackEnd
from host_tools.headend.errors import HeadendError
from host_tools.headend.granting import as_grant
from host_tools.headend.http.answers import answer, failure
from host_tools.headend.http.guarded import GuardedServer
from host_tools.headend.http.stkm_shelf import StkmShelf
from host_tools.headend.sealing import StkmOrder
from host_tools.headend.stkm import StkmContent

_OFFERS_OF_A_SERVICE, _OFFERS = 256, 4096


class BackEndServer(GuardedServer):
    """Serves one BSD/A. `refused` counts requests without the right MAC."""

    reference_point = "the back end"

    def __init__(
        self,
        back_end: BackEnd,
        keys: TransportKey,
        shelf: StkmShelf,
        rolls: Callable[[], Iterable[SekRoll]] = tuple,
    ) -> None:
        """Take what makes STKMs, the transport key, where STKMs wait for terminals that ask, and SEKs out of turn."""
        super().__init__()
        self._back_end = back_end
        self._keys = keys
        self._shelf = shelf
        self._rolls = rolls
        self._offers: BoundedTable[tuple[str, bytes, bytes, bytes], bytes] = BoundedTable(_OFFERS_OF_A_SERVICE, _OFFERS)
        self._serves: dict[Procedure, Callable[[bytes], bytes]] = {
            TEK_OFFER: self._offer,
            KEY_GRANT: self._grant,
            SEK_ROLLS: self._tell_rolls,
            STKM_HANDOVER: self._take,
        }
        self.refused = 0

    def _answer(self, request: HttpRequest, peer: Peer) -> HttpResponse:
        del peer
        target = Target.parse(request.target)
        procedure = next((found for found in self._serves if target.ends_with(found)), None)
        if procedure is None:
            return failure(HTTPStatus.NOT_FOUND)
        if request.method != procedure.method:
            return failure(HTTPStatus.METHOD_NOT_ALLOWED, headers=(("Allow", procedure.method),))
        if not self._keys.is_signed(request):
            self.refused += 1
            return failure(HTTPStatus.FORBIDDEN, "the MAC is not that of the transport key here")
        try:
            return answer(HTTPStatus.OK, self._serves[procedure](request.body), procedure.answer)
        except HeadendError as error:
            return failure(HTTPStatus.CONFLICT, str(error))

    def _offer(self, body: bytes) -> bytes:
        offer = TekOffer.decode(body, self._keys)
        ids = offer.key_ids
        name = offer.service, ids.key_domain_id, ids.msk_id, ids.mtk_id or b""
        tek = sha256(offer.tek.reveal())
        if self._offers.get(name) not in (None, tek):
            raise HeadendError(f"another TEK of {offer.service} has this name")
        extension = None if offer.extension is None else Extension(ExtensionType.OMA_BCAST, offer.extension)
        made = tuple(
            FinishedStkm(counter, offer.begins, self._back_end.seal(StkmOrder(offer.service, content)))
            for counter in offer.counters
            for content in (StkmContent(ids, offer.tek, offer.salt, counter, extension),)
        )
        self._offers.put(offer.service, name, tek)
        stkms = Stkms(offer.service, made)
        self._shelf.put(stkms)
        return stkms.encode()

    def _grant(self, body: bytes) -> bytes:
        wish = KeyWish.decode(body)
        return as_grant(self._back_end.sek(wish.service, wish.key_ids)).encode(self._keys)

    def _tell_rolls(self, body: bytes) -> bytes:
        del body
        return SekRolls(tuple(self._rolls())[-MOST_ROLLS:]).encode()

    def _take(self, body: bytes) -> bytes:
        self._shelf.put(Stkms.decode(body))
        return b"{}"
