"""Key messages as they come to a client, and what it asks for."""

from __future__ import annotations

from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.messages.ltkm_push import MIKEY_PORT
from host_tools.exchange.messages.msk import MskAnswer, MskCode, MskName, MskRequest
from host_tools.exchange.procedures import MSK_REQUEST
from host_tools.exchange.transport import Datagram, Endpoint
from host_tools.terminal.ltkm_delivery import LtkmView
from tests.support.client import Script, Stage, signed

ONE, TWO = "urn:item:one", "urn:item:two"
BSM, HERE = Endpoint("127.0.0.1", 40_001), Endpoint("127.0.0.2", MIKEY_PORT)


def name_of(ltkm: bytes) -> MskName:
    ids = LtkmView.decode(ltkm).ids
    return MskName(ids.key_domain_id, ids.msk_id)


def group_of(ltkm: bytes) -> MskName:
    name = name_of(ltkm)
    return MskName(name.key_domain_id, name.key_group + bytes(2))


def datagram(payload: bytes) -> Datagram:
    return Datagram(BSM, HERE, payload)


def keys(*names: MskName, status: int = 200) -> Script:
    answer = MskAnswer(tuple(MskCode(name, status) for name in names)).encode()
    return signed(body=answer, kind=MSK_REQUEST.answer)


def asked(stage: Stage) -> list[tuple[MskName, ...]]:
    """Return the keys that were asked for with credentials, and forget it."""
    found = [MskRequest.decode(one.body).names for one in stage.sent if one.one("Authorization")]
    stage.sent.clear()
    return found


def denied(request: HttpRequest) -> HttpResponse:
    """Answer a request for keys: none of them."""
    return keys(*MskRequest.decode(request.body).names, status=403)(request)
