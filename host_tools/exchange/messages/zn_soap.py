"""Zn as a web service: SOAP 1.1, document/literal (TS 29.109 clause 5.3 and annex D).

The message elements are qualified and what is inside them is not; both are read. Keys stand in base64.
"""

from __future__ import annotations

from card.crypto.secret import Secret
from card.errors import DecodeError
from host_tools.exchange.messages.fields import boolean, from_base64, from_date_time, number, to_base64, to_date_time
from host_tools.exchange.messages.zn import KEY_SIZE, MBMS_SERVICE, KeyChoice, ZnAnswer, ZnError, ZnFault, ZnRequest
from host_tools.exchange.xml_text import Node, leaves, parse_document, words, write_document

ENVELOPE = "http://schemas.xmlsoap.org/soap/envelope/"
NAMESPACE = "urn:3gpp:gba:GBAService:2010-02"
_PREFIXES = {"soap": ENVELOPE, "gba": NAMESPACE}
_REQUEST = "requestBootstrappingInfoRequest"
_ANSWER = "requestBootstrappingInfoResponse"
_FAULT = "requestBootstrappingInfoFault"
_USS_NAMESPACE = "urn:3gpp:gba:GBAGUSSSchema-R9:2010-02"
_MOST_SERVICES = 64
_LARGEST_CODE = 9999


def encode_request(request: ZnRequest) -> bytes:
    """Return the envelope of a request. Raises `EncodeError`."""
    children = [Node("btid", text=request.b_tid), Node("nafid", text=to_base64(request.naf_id))]
    children += [Node("gsid", text=str(service)) for service in request.gaa_services]
    children.append(Node("gbaUAware", text="true" if request.gba_u_aware else "false"))
    return _envelope(Node(_REQUEST, NAMESPACE, tuple(children)))


def decode_request(body: bytes) -> ZnRequest:
    """Read a request. Raises `DecodeError`."""
    message = _message(body)
    if message.name != _REQUEST:
        raise DecodeError(f"the envelope holds no {_REQUEST}")
    services = message.all("gsid")
    if len(services) > _MOST_SERVICES:
        raise DecodeError(f"the request names more than {_MOST_SERVICES} services")
    aware = message.maybe("gbaUAware")
    return ZnRequest(
        b_tid=message.one("btid").text,
        naf_id=from_base64(message.one("nafid").text, "nafid"),
        gba_u_aware=aware is not None and boolean(aware.text, "gbaUAware"),
        gaa_services=tuple(number(service.text, "gsid", 0xFFFF_FFFF) for service in services),
    )


def encode_answer(answer: ZnAnswer) -> bytes:
    """Return the envelope of an answer. It holds keys. Raises `EncodeError`."""
    values = {
        "impi": answer.impi,
        "meKeyMaterial": to_base64(answer.me_key.reveal()),
        "uiccKeyMaterial": None if answer.uicc_key is None else to_base64(answer.uicc_key.reveal()),
        "keyExpiryTime": from_date_time(answer.expires),
        "bootstrappingInfoCreationTime": from_date_time(answer.created),
        "gbaType": answer.gba_type,
        "ussList": None if answer.key_choice is None else _settings(answer.key_choice),
    }
    return _envelope(Node(_ANSWER, NAMESPACE, tuple(leaves("", values))))


def decode_answer(body: bytes) -> ZnAnswer | ZnFault:
    """Read an answer or a fault. Raises `DecodeError`."""
    message = _message(body)
    if message.name == "Fault":
        return _fault(message)
    if message.name != _ANSWER:
        raise DecodeError(f"the envelope holds no {_ANSWER}")
    uicc, impi, kind = message.maybe("uiccKeyMaterial"), message.maybe("impi"), message.maybe("gbaType")
    settings = message.maybe("ussList")
    return ZnAnswer(
        me_key=Secret(from_base64(message.one("meKeyMaterial").text, "meKeyMaterial", KEY_SIZE)),
        uicc_key=None if uicc is None else Secret(from_base64(uicc.text, "uiccKeyMaterial", KEY_SIZE)),
        expires=to_date_time(message.one("keyExpiryTime").text),
        created=to_date_time(message.one("bootstrappingInfoCreationTime").text),
        impi=impi.text if impi else None,
        gba_type=kind.text if kind else "3G_GBA",
        key_choice=None if settings is None else _choice(settings.text),
    )


def encode_fault(fault: ZnFault) -> bytes:
    """Return the envelope of a fault; it goes out with status 500, as SOAP wants it. Raises `EncodeError`."""
    text = words(fault.text)
    values = {"errorCode": str(int(fault.error)), "errorText": text or None}
    detail = Node("detail", children=(Node(_FAULT, NAMESPACE, tuple(leaves("", values))),))
    code, why = Node("faultcode", text="soap:Server"), Node("faultstring", text=text or fault.error.name)
    return _envelope(Node("Fault", ENVELOPE, (code, why, detail)))


def _envelope(message: Node) -> bytes:
    body = Node("Body", ENVELOPE, (message,))
    return write_document(Node("Envelope", ENVELOPE, (body,)), _PREFIXES)


def _message(body: bytes) -> Node:
    envelope = parse_document(body, "Envelope")
    if envelope.namespace != ENVELOPE:
        raise DecodeError("the document is no envelope of SOAP 1.1")
    content = envelope.one("Body").children
    if len(content) != 1:
        raise DecodeError(f"the envelope holds {len(content)} messages, not one")
    return content[0]


def _fault(message: Node) -> ZnFault:
    detail = message.one("detail").one(_FAULT)
    code = number(detail.one("errorCode").text, "errorCode", _LARGEST_CODE)
    words = detail.maybe("errorText")
    try:
        return ZnFault(ZnError(code), words.text if words else "")
    except ValueError:
        raise DecodeError(f"the fault has the unknown number {code}") from None


def _settings(choice: KeyChoice) -> str:
    """Return the user security settings that say nothing but the key choice, as a document of their own (annex A)."""
    extension = Node("extension", _USS_NAMESPACE, (Node("keyChoice", _USS_NAMESPACE, text=choice.value),))
    service = {"id": str(MBMS_SERVICE), "type": str(MBMS_SERVICE)}
    uss = Node("uss", _USS_NAMESPACE, (extension,), attributes=service)
    return write_document(Node("ussList", _USS_NAMESPACE, (uss,))).decode()


def _choice(text: str) -> KeyChoice | None:
    """Return the key choice of the first settings that have one. Raises `DecodeError`."""
    root = parse_document(text.encode(), "ussList", "guss")
    named = [node.text for node in _walk(root) if node.name == "keyChoice"]
    return next((choice for text in named for choice in KeyChoice if choice.value == text), None)


def _walk(node: Node) -> tuple[Node, ...]:
    return (node, *(below for child in node.children for below in _walk(child)))
