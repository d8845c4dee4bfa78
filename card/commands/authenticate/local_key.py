"""AUTHENTICATE with the odd instruction byte: Local Key Establishment (TS 31.102 clauses 7.1.1.11, 7.1.1.12, P2 86)."""

from __future__ import annotations

from card.codec.local_key import LocalKeyRequest, UnusableName, decode_request, encode_response
from card.commands.authenticate.contexts import Security
from card.commands.reply import Refused
from card.domain.services import GBA, LOCAL_KEY_ESTABLISHMENT
from card.errors import DecodeError
from card.spec import contexts
from card.spec.status import SW

SERVICES = (GBA, LOCAL_KEY_ESTABLISHMENT)


def decode_local_key(tag: int, value: bytes) -> LocalKeyRequest:
    """Read the data object's value: a key derivation or an availability check.

    AUTHENTICATE does not answer 6A80 (TS 31.102 clause 7.3.2). No text says what takes its place, so it is our choice:
    raises `Refused` with 6985 for a name that no key can have, with 6700 for objects that are wrong.
    """
    if tag != contexts.STRUCTURED:
        raise Refused(SW.WRONG_LENGTH)
    try:
        return decode_request(value)
    except UnusableName:
        raise Refused(SW.CONDITIONS_NOT_SATISFIED) from None
    except DecodeError:
        raise Refused(SW.WRONG_LENGTH) from None


def run_local_key(security: Security, request: LocalKeyRequest) -> tuple[int, bytes]:
    """Carry the request out; return tag and value of the response object."""
    return contexts.STRUCTURED, encode_response(security.application.local_keys.answer(request))
