"""Zn: the BSF as an HTTP server for other people's servers, as JSON and as a web service (TS 29.109 clause 5).

A server is known by the name in its certificate. The BSF checks that it may use the FQDN it asks for, gives both keys
to one that knows GBA_U only, and always names the subscriber, as MBMS wants it (TS 33.246 clause 6.1).
"""

from __future__ import annotations

from http import HTTPStatus

from card.errors import DecodeError
from host_tools.exchange.http import HttpRequest, HttpResponse, media_type
from host_tools.exchange.messages import zn_json, zn_soap
from host_tools.exchange.messages.zn import ZnAnswer, ZnError, ZnFault, ZnRequest
from host_tools.exchange.procedures import ZN_JSON, ZN_SOAP, Procedure, Target
from host_tools.exchange.transport import Peer
from host_tools.headend.bsf.server import Bsf
from host_tools.headend.bsm.books import Transactions
from host_tools.headend.errors import BootstrapUnknownError, HeadendError, IdentityUnknownError, NafNotAuthorisedError
from host_tools.headend.http.answers import answer, failure
from host_tools.headend.http.guarded import GuardedServer

_JSON_PROBLEM = "application/problem+json"


class ZnServer(GuardedServer):
    """Gives servers the keys behind B-TIDs. A peer must have shown a certificate."""

    reference_point = "Zn"

    def __init__(self, bsf: Bsf, transactions: Transactions | None = None) -> None:
        """Take the BSF that has the keys, and the transactions."""
        super().__init__(transactions)
        self._bsf = bsf

    def _answer(self, request: HttpRequest, peer: Peer) -> HttpResponse:
        if peer.certificate is None:
            return failure(HTTPStatus.FORBIDDEN, "a certificate is wanted")
        target = Target.parse(request.target)
        for procedure in (ZN_JSON, ZN_SOAP):
            if target.ends_with(procedure):
                return self._by(procedure, request, peer.certificate)
        return failure(HTTPStatus.NOT_FOUND)

    def _by(self, procedure: Procedure, request: HttpRequest, naf: str) -> HttpResponse:
        if request.method != procedure.method:
            return failure(HTTPStatus.METHOD_NOT_ALLOWED, headers=(("Allow", procedure.method),))
        if media_type(request.one("Content-Type")) != procedure.request:
            raise DecodeError(f"the request is not of type {procedure.request}")
        if procedure is ZN_JSON:
            found = self._keys(naf, zn_json.decode_request(request.body))
            if isinstance(found, ZnFault):
                return answer(zn_json.STATUS_OF_ERROR[found.error], zn_json.encode_fault(found), _JSON_PROBLEM)
            return answer(HTTPStatus.OK, zn_json.encode_answer(found), procedure.answer)
        found = self._keys(naf, zn_soap.decode_request(request.body))
        if isinstance(found, ZnFault):
            return answer(HTTPStatus.INTERNAL_SERVER_ERROR, zn_soap.encode_fault(found), procedure.answer)
        return answer(HTTPStatus.OK, zn_soap.encode_answer(found), procedure.answer)

    def _keys(self, naf: str, wanted: ZnRequest) -> ZnAnswer | ZnFault:
        try:
            keys = self._bsf.naf_keys(naf, wanted.b_tid, wanted.naf_id, gba_u_aware=wanted.gba_u_aware)
        except HeadendError as error:
            return ZnFault(_error_of(error), str(error))
        return ZnAnswer(
            me_key=keys.me_key,
            uicc_key=keys.uicc_key,
            expires=keys.expires,
            created=keys.created,
            impi=keys.impi,
            key_choice=keys.key_choice,
        )


def _error_of(error: HeadendError) -> ZnError:
    match error:
        case NafNotAuthorisedError():
            return ZnError.NOT_AUTHORISED
        case BootstrapUnknownError():
            return ZnError.TRANSACTION_IDENTIFIER_INVALID
        case IdentityUnknownError():
            return ZnError.IDENTITY_UNKNOWN
        case _:
            raise error
