"""AUTHENTICATE with the odd instruction byte: the MBMS security context (TS 31.102 clauses 7.1.1.6 to 7.1.1.10).

OMA BCAST rides on it: LTKMs and STKMs with its extension are answered in its own form, and data objects with tag 73
delete policies and recordings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from card.codec.apdu import CommandApdu
from card.codec.local_key import LocalKeyRequest, UnusableName, decode_request, encode_response
from card.codec.tlv import decode_tlv, decode_tlvs
from card.commands.authenticate import blocks
from card.commands.authenticate.contexts import ERRORS, Security, current_security, find_context
from card.commands.bcast.answers import TEMPLATE, answer_ltkm, answer_stkm
from card.commands.bcast.deletion import run_deletion
from card.commands.bcast.parental import SessionGate
from card.commands.context import Context
from card.commands.registry import BLOCKS, INTERINDUSTRY, CommandRow, Data
from card.commands.reply import Refused, Reply
from card.domain.errors import ReplayedMessage
from card.domain.messages.ltkm import process_ltkm
from card.domain.messages.stkm import process_stkm
from card.domain.messages.verdict import TerminalSide
from card.domain.services import GBA, LOCAL_KEY_ESTABLISHMENT, MBMS_SECURITY, OMA_BCAST
from card.errors import CardError, DecodeError
from card.lean import lean_dataclass
from card.spec import contexts
from card.spec.ins import INS
from card.spec.provisional import MBMS_STATUS
from card.spec.refs import Ref
from card.spec.status import SW

_SUCCESS = bytes((contexts.SUCCESS,))
_KEY_GROUP_SIZE = 5  # Key Domain ID (3 bytes) and Key Group part of the MSK ID (2 bytes)


@lean_dataclass(frozen=True, slots=True)
class MskUpdate:
    """Mode 01: an MSK message."""

    message: bytes


@lean_dataclass(frozen=True, slots=True)
class MtkGeneration:
    """Mode 02: an MTK message."""

    message: bytes


@lean_dataclass(frozen=True, slots=True)
class MskDeletion:
    """Mode 03: Key Domain ID and Key Group part, 5 bytes."""

    group: bytes


@lean_dataclass(frozen=True, slots=True)
class MukDeletion:
    """Mode 04: the MUK ID, IDi of the server and IDr of the subscriber."""

    id_i: bytes
    id_r: bytes


@lean_dataclass(frozen=True, slots=True)
class BcastDeletion:
    """A structured object instead of mode and body: the content of template AE, read by the card's own tables."""

    template: bytes


MbmsRequest = MskUpdate | MtkGeneration | MskDeletion | MukDeletion | BcastDeletion


def decode_mbms(tag: int, value: bytes) -> MbmsRequest:
    """Read mode byte and body from the data object's value. Raises `DecodeError`."""
    if tag == contexts.STRUCTURED:
        inner = decode_tlv(value)
        if inner.tag != TEMPLATE:
            raise DecodeError("MBMS context: template AE is wanted in a data object 73")
        return BcastDeletion(inner.value)
    if tag != contexts.UNSTRUCTURED or not value:
        raise DecodeError("MBMS context: a data object 53 with a mode byte is wanted")
    decoder = _MODES.get(value[0])
    if decoder is None:
        raise DecodeError(f"MBMS context: mode {value[0]:02X} is unknown")
    return decoder(value[1:])


def _decode_msk_deletion(body: bytes) -> MskDeletion:
    if len(body) != _KEY_GROUP_SIZE:
        raise DecodeError(f"MSK deletion: {_KEY_GROUP_SIZE} bytes wanted, {len(body)} found")
    return MskDeletion(body)


def _decode_muk_deletion(body: bytes) -> MukDeletion:
    outer = decode_tlvs(body)
    identities = decode_tlvs(outer.get(0xA0, b""))
    if set(outer) != {0xA0} or set(identities) != {0x80, 0x82}:
        raise DecodeError("MUK deletion: A0 { 80 IDr, 82 IDi } is wanted")
    return MukDeletion(identities[0x82], identities[0x80])


_MODES: Mapping[int, Callable[[bytes], MbmsRequest]] = {
    contexts.MbmsMode.MSK_UPDATE: MskUpdate,
    contexts.MbmsMode.MTK_GENERATION: MtkGeneration,
    contexts.MbmsMode.MSK_DELETION: _decode_msk_deletion,
    contexts.MbmsMode.MUK_DELETION: _decode_muk_deletion,
}


def run_mbms(security: Security, request: MbmsRequest) -> tuple[int, bytes]:
    """Carry out one mode; return tag and value of the response object."""
    keys = security.application.mbms
    match request:
        case MskUpdate(message):
            return _update_msk(security, message)
        case MtkGeneration(message):
            return _generate_mtk(security, message)
        case MskDeletion(group):
            keys.delete_group(group)
        case MukDeletion(id_i, id_r):
            security.application.key_root.delete_smk(id_i, id_r)
        case BcastDeletion(template):
            if not security.application.services.offers(OMA_BCAST):
                raise DecodeError("MBMS context: a data object 53 with a mode byte is wanted")
            return contexts.STRUCTURED, run_deletion(security.bcast, template)
    return contexts.UNSTRUCTURED, _SUCCESS


def _update_msk(security: Security, message: bytes) -> tuple[int, bytes]:
    """Answer an LTKM: in the OMA BCAST form when it has that extension, else in the MBMS form."""
    application = security.application
    bcast, offered = security.bcast, application.services.offers(OMA_BCAST)
    try:
        result = process_ltkm(message, application.key_root, bcast, _gate(security), offered=offered)
    except ReplayedMessage:
        raise Refused(MBMS_STATUS["msk_replay"].value) from None
    except DecodeError:
        raise Refused(MBMS_STATUS["unusable_message"].value) from None
    if result.reason is None:
        return contexts.UNSTRUCTURED, _SUCCESS + result.message
    return contexts.STRUCTURED, answer_ltkm(result, result.reason, bcast.tables)


def _generate_mtk(security: Security, message: bytes) -> tuple[int, bytes]:
    """Answer an STKM: in the OMA BCAST form when it or its key is governed by those rules, else in the MBMS form."""
    application = security.application
    bcast, offered = security.bcast, application.services.offers(OMA_BCAST)
    terminal = TerminalSide(_gate(security), protected=security.ctx.protection is not None)
    try:
        result = process_stkm(message, application.mbms, bcast, terminal, offered=offered)
    except ReplayedMessage:
        raise Refused(MBMS_STATUS["mtk_replay"].value) from None
    except DecodeError:
        raise Refused(MBMS_STATUS["unusable_message"].value) from None
    if result.reason is not None:
        return contexts.STRUCTURED, answer_stkm(result, result.reason, bcast)
    assert result.tek is not None
    return contexts.UNSTRUCTURED, _SUCCESS + result.tek.key + result.tek.salt


def _gate(security: Security) -> SessionGate:
    return SessionGate(security.ctx, security.bcast.parental.pin_name)


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


@lean_dataclass(frozen=True, slots=True)
class OddContext:
    """A security context of the odd instruction: services needed, how to decode the object, how to run it."""

    name: str
    services: tuple[int, ...]
    decode: Callable[[int, bytes], Any]
    run: Callable[[Security, Any], tuple[int, bytes]]


CONTEXTS: Mapping[int, OddContext] = {
    contexts.OddP2.MBMS: OddContext("MBMS", (MBMS_SECURITY,), decode_mbms, run_mbms),
    contexts.OddP2.LOCAL_KEY: OddContext("local key", (GBA, LOCAL_KEY_ESTABLISHMENT), decode_local_key, run_local_key),
}


def decode(apdu: CommandApdu) -> CommandApdu:
    """Check what depends on P1: blocks of a command carry data, a retrieval does not."""
    if (apdu.p1 in contexts.COMMAND_STEPS) != bool(apdu.data):
        raise Refused(SW.WRONG_LENGTH)
    return apdu


def authenticate_odd(ctx: Context, apdu: CommandApdu) -> Reply:
    """Take in a block, or hand one out; run the context when its data object is whole."""
    if apdu.p1 in contexts.RESPONSE_STEPS:
        return blocks.retrieve(ctx, apdu)
    context = find_context(CONTEXTS, apdu.p2)
    security = current_security(ctx, context.services)
    whole = blocks.receive(ctx, apdu)
    if whole is None:
        return Reply(sw=SW.MORE_COMMAND)
    tag, value = context.run(security, context.decode(*blocks.split_object(whole)))
    return blocks.announce(ctx, apdu.ins, tag, value)


_ERRORS: Mapping[type[CardError], int] = {**ERRORS, DecodeError: MBMS_STATUS["malformed_object"].value}

ROWS: tuple[CommandRow, ...] = (
    CommandRow(
        name="AUTHENTICATE (odd)",
        ins=INS.AUTHENTICATE_ODD,
        families=INTERINDUSTRY,
        decode=decode,
        execute=authenticate_odd,
        ref=Ref("TS 31.102", "7.1"),
        data=Data.OPTIONAL,
        parameters=lambda p1, _: p1 in contexts.STEPS,
        errors=_ERRORS,
        keeps=BLOCKS,
    ),
)
