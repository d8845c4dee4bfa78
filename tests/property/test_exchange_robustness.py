"""Whatever comes over a wire gives a value, a clear error or a regular answer, and never anything else."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from card.errors import DecodeError
from host_tools.exchange.digest.aka import AkaNonce
from host_tools.exchange.digest.compute import Algorithm, Qop
from host_tools.exchange.digest.headers import AuthenticationInfo, Challenge, Credentials
from host_tools.exchange.digest.one_time import split_nonce
from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.messages import key_center, msk, orders, registration, tokens, zn_json, zn_soap
from host_tools.exchange.messages.bootstrapping import BootstrappingInfo
from host_tools.exchange.messages.ltkm_push import kind_of_push, require_verification
from host_tools.exchange.messages.sms_push import SmsPush
from host_tools.exchange.messages.tbk import TbkRequest
from host_tools.exchange.messages.trigger import Trigger
from host_tools.exchange.procedures import Target
from host_tools.exchange.status import parse_item
from host_tools.exchange.transport import Datagram, Peer, Server
from host_tools.exchange.xml_text import Node, parse_document, write_document
from tests.support.wire import BSM_PLACE, ONE, UsimBench
from tests.unit.host_tools.exchange.test_messages import LTKM, MESSAGES, PULL

TEXT_READERS: dict[str, Callable[[str], object]] = {
    "challenges": lambda text: Challenge.parse_all([text]),
    "credentials": Credentials.parse,
    "info": AuthenticationInfo.parse,
    "AKA nonce": AkaNonce.parse,
    "nonce": split_nonce,
    "target": Target.parse,
    "item": parse_item,
    "TBK": TbkRequest.parse,
}
BYTE_READERS: dict[str, Callable[[bytes], object]] = {
    "request": HttpRequest.decode,
    "answer": HttpResponse.decode,
    "Zn in JSON": zn_json.decode_request,
    "Zn answer in JSON": zn_json.decode_answer,
    "Zn by SOAP": zn_soap.decode_request,
    "Zn answer by SOAP": zn_soap.decode_answer,
    "push": kind_of_push,
    "verification": require_verification,
    "pull by SMS": lambda data: SmsPush.decode([data]),
    **{
        reader.__name__: reader.decode
        for reader in (
            registration.Registration,
            registration.Deregistration,
            registration.RegistrationAnswer,
            msk.MskRequest,
            msk.MskAnswer,
            BootstrappingInfo,
            orders.ServiceRequest,
            orders.ServiceAnswer,
            tokens.TokenPurchaseRequest,
            tokens.TokenPurchaseAnswer,
            tokens.AccountInquiry,
            tokens.AccountAnswer,
            Trigger,
            key_center.UiccKeyRequest,
            key_center.UiccKeyAnswer,
            key_center.DeviceKeyRequest,
            key_center.DeviceKeyAnswer,
        )
    },
}
# Pieces that headers are made of, so that the search gets behind the first character.
WORDS = ["Digest ", "realm=", "nonce", "qop=auth-int", "nc=00000001", "cnonce=x", "username=a", "stale=true", "/x?y"]
MARKS = ["=", '"', "auts=AAAA", "algorithm=MD5", "\\", ",", " ", "\t", "é", "\x80", ";", 'uri="/"', 'response="']
HEADER = st.lists(st.sampled_from(WORDS + MARKS) | st.text(max_size=3), max_size=24).map("".join)
GOOD = [*sorted(message.encode() for message in MESSAGES.values()), LTKM, PULL]


PIECES = [b"<", b"&", b'"', b"<!DOCTYPE a>", b"/>", b"\0"]


@st.composite
def damaged(draw: st.DrawFn, good: list[bytes]) -> bytes:
    """A good message with pieces taken out, put in and changed."""
    data = bytearray(draw(st.sampled_from(good)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(data)))
        end = place + draw(st.integers(0, 8))
        data[place:end] = draw(
            st.binary(max_size=8) | st.sampled_from([b"<", b"&", b'"', b"<!DOCTYPE a>", b"/>", b"\0"])
        )
    return bytes(data)


def total(read: Callable[[Any], object], value: object) -> None:
    with suppress(DecodeError):
        read(value)


@pytest.mark.parametrize("name", TEXT_READERS)
@given(text=HEADER)
@settings(max_examples=150)
def test_every_text_is_read_or_refused(name: str, text: str) -> None:
    total(TEXT_READERS[name], text)


@pytest.mark.parametrize("name", BYTE_READERS)
@given(data=st.binary(max_size=200) | damaged(GOOD))
@settings(max_examples=80)
def test_every_message_is_read_or_refused(name: str, data: bytes) -> None:
    total(BYTE_READERS[name], data)


_LATIN = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=12)
_HEX = st.text("0123456789abcdef", min_size=1, max_size=8)


@given(
    st.builds(
        Credentials, username=_LATIN, realm=_LATIN, nonce=_LATIN.filter(bool), uri=_LATIN, response=_LATIN,
        algorithm=st.sampled_from(Algorithm), qop=st.sampled_from(Qop), nc=st.integers(1, 0xFFFF_FFFF), cnonce=_LATIN,
        opaque=st.none() | _LATIN, auts=st.none() | st.binary(min_size=14, max_size=14),
    )
)  # fmt: skip
def test_credentials_there_and_back(credentials: Credentials) -> None:
    assert Credentials.parse(credentials.header_value()) == credentials


@given(_LATIN, _LATIN, st.sampled_from(Algorithm), st.lists(st.sampled_from(Qop), unique=True), st.booleans())
def test_challenges_there_and_back(realm: str, nonce: str, algorithm: Algorithm, qops: list[Qop], stale: bool) -> None:
    challenge = Challenge(realm, nonce, algorithm, tuple(qops), None, stale)
    assert Challenge.parse_all([challenge.header_value(), "Basic x"]) == (challenge,)


_XML_NAME = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,8}", fullmatch=True)
_XML_TEXT = st.text(
    st.characters(min_codepoint=0x20, exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=12
).map(str.strip)
_NODES = st.recursive(
    st.builds(
        Node, _XML_NAME, st.just("urn:x"), st.just(()), _XML_TEXT, st.dictionaries(_XML_NAME, _XML_TEXT, max_size=2)
    ),
    lambda inner: st.builds(Node, _XML_NAME, st.just("urn:x"), st.lists(inner, max_size=3).map(tuple)),
    max_leaves=8,
)


@given(_NODES)
def test_documents_there_and_back(node: Node) -> None:
    assert parse_document(write_document(node), node.name) == node


BENCH = UsimBench()
BENCH.terminal.register([ONE])
REQUESTS = sorted({request.encode() for request, _ in BENCH.wire.crossed})


@pytest.mark.parametrize("which", ["ub", "zn", "ua"])
@given(data=damaged(REQUESTS))
@settings(max_examples=150)
def test_every_request_gets_a_regular_answer(which: str, data: bytes) -> None:
    """A status that tables name, never the one for an error of the server itself."""
    try:
        request = HttpRequest.decode(data)
    except DecodeError:
        return
    servers: dict[str, Server] = {"ub": BENCH.ub, "zn": BENCH.zn, "ua": BENCH.ua}
    response = servers[which].handle(request, Peer("127.0.0.9", certificate="x"))
    assert response.status in (200, 400, 401, 403, 404, 405, 501)
    assert HttpResponse.decode(response.encode()).status == response.status


@given(data=st.binary(max_size=100) | damaged([LTKM, PULL]))
def test_every_datagram_to_the_bsm_is_taken_or_dropped(data: bytes) -> None:
    before = BENCH.pushes.dropped + BENCH.pushes.acknowledged
    assert BENCH.pushes.received(Datagram(BSM_PLACE, BSM_PLACE, data)) == ()
    assert BENCH.pushes.dropped + BENCH.pushes.acknowledged == before + 1
