"""AUTHENTICATE with the odd instruction byte: the Local Key Establishment context (TS 31.102 clause 7.1, P2 86)."""

from __future__ import annotations

from card.codec.local_key import LocalKeyRequest, decode_request, encode_response
from card.commands.auth_contexts import Security
from card.domain.services import GBA, LOCAL_KEY_ESTABLISHMENT
from card.errors import DecodeError
from card.spec import contexts

SERVICES = (GBA, LOCAL_KEY_ESTABLISHMENT)


def decode_local_key(tag: int, value: bytes) -> LocalKeyRequest:
    """Read the data object's value: a key derivation or an availability check. Raises `DecodeError`."""
    if tag != contexts.STRUCTURED:
        raise DecodeError("local key: a data object 73 is wanted")
    return decode_request(value)


def run_local_key(security: Security, request: LocalKeyRequest) -> tuple[int, bytes]:
    """Carry the request out; return tag and value of the response object."""
    return contexts.STRUCTURED, encode_response(security.application.local_keys.answer(request))
