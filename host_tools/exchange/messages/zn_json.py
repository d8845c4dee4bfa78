"""Zn as JSON, the service Nbsp_GBA of TS 29.309 (as far as its published interface description of 2021 has it).

Keys stand in hex. Which HTTP status says which failure is ours: the description only lists them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from card.crypto.secret import Secret
from card.errors import DecodeError
from host_tools.exchange.messages.fields import from_date_time, to_date_time
from host_tools.exchange.messages.zn import KEY_SIZE, MBMS_SERVICE, KeyChoice, ZnAnswer, ZnError, ZnFault, ZnRequest

_LARGEST = 65_536
_MOST_SERVICES = 64
_PROBLEM = "cause"
_CHOICES: Mapping[KeyChoice, str] = MappingProxyType(
    {
        KeyChoice.ME_BASED: "ME_BASED_KEY",
        KeyChoice.UICC_BASED: "UICC_BASED_KEY",
        KeyChoice.BOTH: "ME_UICC_BASED_KEYS",
    }
)

STATUS_OF_ERROR: Mapping[ZnError, HTTPStatus] = MappingProxyType(
    {
        ZnError.IDENTITY_UNKNOWN: HTTPStatus.NOT_FOUND,
        ZnError.NOT_AUTHORISED: HTTPStatus.FORBIDDEN,
        ZnError.TRANSACTION_IDENTIFIER_INVALID: HTTPStatus.NOT_FOUND,
    }
)
"""provisional."""


def encode_request(request: ZnRequest) -> bytes:
    """Return the document of a request."""
    naf = {"nafFqdn": request.fqdn.decode(), "uaSecProtId": request.ua_protocol.hex()}
    content: dict[str, Any] = {"btId": request.b_tid, "nafId": naf, "gbaUAware": request.gba_u_aware}
    if request.gaa_services:
        content["gsIds"] = list(request.gaa_services)
    return json.dumps(content).encode()


def decode_request(body: bytes) -> ZnRequest:
    """Read a request. Raises `DecodeError`."""
    content = _object(_load(body), "the request")
    naf = _object(content.get("nafId"), "nafId")
    protocol = _hex(_text(naf, "uaSecProtId"), "uaSecProtId", 5)
    aware = content.get("gbaUAware", False)
    services = content.get("gsIds", [])
    if not isinstance(aware, bool):
        raise DecodeError("gbaUAware is neither true nor false")
    if not isinstance(services, list) or len(services) > _MOST_SERVICES or not all(map(_is_uint32, services)):
        raise DecodeError("gsIds is no list of numbers of 32 bits")
    return ZnRequest(_text(content, "btId"), _octets(_text(naf, "nafFqdn")) + protocol, aware, tuple(services))


def encode_answer(answer: ZnAnswer) -> bytes:
    """Return the document of an answer. It holds keys."""
    content: dict[str, Any] = {
        "meKeyMaterial": answer.me_key.reveal().hex(),
        "keyExpiryTime": from_date_time(answer.expires),
        "bootstrappingInfoCreationTime": from_date_time(answer.created),
        "gbaType": answer.gba_type,
    }
    if answer.uicc_key is not None:
        content["uiccKeyMaterial"] = answer.uicc_key.reveal().hex()
    if answer.impi is not None:
        content["impi"] = answer.impi
    if answer.key_choice is not None:
        uss = {"gsId": MBMS_SERVICE, "gsType": MBMS_SERVICE, "keyChoice": _CHOICES[answer.key_choice]}
        content["ussList"] = [{"uss": uss}]
    return json.dumps(content).encode()


def decode_answer(body: bytes) -> ZnAnswer:
    """Read an answer. Raises `DecodeError`."""
    content = _object(_load(body), "the answer")
    uicc = content.get("uiccKeyMaterial")
    impi = content.get("impi")
    return ZnAnswer(
        me_key=Secret(_hex(_text(content, "meKeyMaterial"), "meKeyMaterial", KEY_SIZE)),
        uicc_key=None if uicc is None else Secret(_hex(_text(content, "uiccKeyMaterial"), "uiccKeyMaterial", KEY_SIZE)),
        expires=to_date_time(_text(content, "keyExpiryTime")),
        created=to_date_time(_text(content, "bootstrappingInfoCreationTime")),
        impi=None if impi is None else _text(content, "impi"),
        gba_type=_text(content, "gbaType") if "gbaType" in content else "3G_GBA",
        key_choice=_choice(content.get("ussList")),
    )


def encode_fault(fault: ZnFault) -> bytes:
    """Return the problem document of a failure."""
    status = STATUS_OF_ERROR[fault.error]
    return json.dumps({"status": status, "detail": fault.text, _PROBLEM: str(int(fault.error))}).encode()


def decode_fault(status: int, body: bytes) -> ZnFault:
    """Read a failure: by the number in its problem document, else by its status. Raises `DecodeError`."""
    try:
        cause = _object(_load(body), "the problem").get(_PROBLEM)
        return ZnFault(ZnError(int(str(cause))))
    except (DecodeError, ValueError):
        pass
    match status:
        case HTTPStatus.FORBIDDEN:
            return ZnFault(ZnError.NOT_AUTHORISED)
        case HTTPStatus.NOT_FOUND:
            return ZnFault(ZnError.TRANSACTION_IDENTIFIER_INVALID)
        case _:
            raise DecodeError(f"the BSF answers with status {status}")


def _load(body: bytes) -> Any:
    if len(body) > _LARGEST:
        raise DecodeError(f"the document has {len(body)} octets, more than {_LARGEST}")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise DecodeError("the document is no JSON") from None


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DecodeError(f"{what} is no JSON object")
    return value


def _text(content: dict[str, Any], name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str):
        raise DecodeError(f"{name} is missing or no text")
    return value


def _octets(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise DecodeError("a name holds half a character") from None


def _hex(text: str, what: str, size: int) -> bytes:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        raise DecodeError(f"{what} is not hex") from None
    if len(value) != size:
        raise DecodeError(f"{what} has {len(value)} bytes, not {size}")
    return value


def _is_uint32(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 32


def _choice(settings: Any) -> KeyChoice | None:
    """Return the key choice of the first settings that have one."""
    for entry in settings if isinstance(settings, list) else ():
        uss = entry.get("uss", entry) if isinstance(entry, dict) else {}
        wanted = uss.get("keyChoice") if isinstance(uss, dict) else None
        for ours, theirs in _CHOICES.items():
            if wanted == theirs:
                return ours
    return None
