"""The OMA BCAST command, INS 1B: audits of keys, policies and recordings, signalling of recordings and events.

Instruction, P1, mode 02 and the frame `73 { objects }` were observed in a terminal; other modes and all tags inside are
provisional (docs/spec/bcast.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from card.codec.apdu import CommandApdu
from card.codec.tlv import decode_tlvs, encode_tlv
from card.commands.authenticate import blocks
from card.commands.authenticate.contexts import ERRORS, Security, current_security
from card.commands.bcast.answers import describe_group, describe_policy, describe_recording
from card.commands.bcast.fields import Fields
from card.commands.bcast.parental import SessionGate
from card.commands.context import Context
from card.commands.registry import BLOCKS, INTERINDUSTRY, CommandRow, Data
from card.commands.reply import DONE, Refused, Reply
from card.domain.bcast.audit import audit_groups, audit_policies, audit_recordings, signal_recording
from card.domain.bcast.recording import Recording
from card.domain.errors import ServiceNotAvailable
from card.domain.services import OMA_BCAST
from card.errors import CardError, DecodeError
from card.spec import contexts
from card.spec.bcast.tables import SERVICE_AND_CONTENT_PROTECTION
from card.spec.ins import INS
from card.spec.refs import Confidence, Ref
from card.spec.status import SW

_NO_OBJECTS = encode_tlv(contexts.STRUCTURED, b"")


def decode(apdu: CommandApdu) -> CommandApdu:
    """Check what depends on P1: a retrieval carries no data. An audit of everything may come without any, too."""
    if apdu.p1 in contexts.RESPONSE_STEPS and apdu.data:
        raise Refused(SW.WRONG_LENGTH)
    return apdu


def oma_bcast(ctx: Context, apdu: CommandApdu) -> Reply:
    """Take in a block, or hand one out; run the operation named by P2 when its data object is whole."""
    if apdu.p1 in contexts.RESPONSE_STEPS:
        return blocks.retrieve(ctx, apdu)
    security = current_security(ctx, (OMA_BCAST,))
    bcast = security.bcast
    operation = _OPERATIONS.get(next((name for name in _OPERATIONS if bcast.tables.modes[name] == apdu.p2), ""))
    if operation is None:
        raise Refused(SW.WRONG_P1_P2)
    whole = blocks.receive(ctx, _as_first_block(ctx, apdu))
    if whole is None:
        return Reply(sw=SW.MORE_COMMAND)
    tag, value = blocks.split_object(whole)
    if tag != contexts.STRUCTURED:
        raise DecodeError("OMA BCAST: a data object 73 is wanted")
    answer = operation(security, Fields(decode_tlvs(value), bcast.tables))
    return blocks.announce(ctx, apdu.ins, contexts.STRUCTURED, answer) if answer else DONE


def _as_first_block(ctx: Context, apdu: CommandApdu) -> CommandApdu:
    """Take P1 00 without a first block for one, as one terminal signals; no data stand for an empty object."""
    if apdu.p1 == contexts.Step.NEXT_COMMAND and not blocks.is_under_way(ctx, apdu):
        apdu = replace(apdu, p1=int(contexts.Step.FIRST_COMMAND))
    return apdu if apdu.data else replace(apdu, data=_NO_OBJECTS)


def _audit(security: Security, fields: Fields) -> bytes:
    """Describe all key groups or, when one is named, its policies."""
    bcast = security.bcast
    if not fields.has("key_domain"):
        fields.expect_only()
        return b"".join(describe_group(group, bcast.tables) for group in audit_groups(bcast))
    return b"".join(describe_policy(policy, bcast) for policy in audit_policies(bcast, _group(fields)))


def _group(fields: Fields) -> bytes:
    fields.expect_only("key_domain", "key_group")
    return fields.octets("key_domain", 3) + fields.octets("key_group", 2)


def _signal_recording(security: Security, fields: Fields) -> bytes:
    """Note a recording; return how many records are free and which policies it flags."""
    bcast = security.bcast
    available, policies = signal_recording(bcast, _recording(fields))
    count = encode_tlv(bcast.tables.audit_tags["available"], available.to_bytes(2, "big"))
    return count + b"".join(describe_policy(policy, bcast) for policy in policies)


def _recording(fields: Fields) -> Recording:
    fields.expect_only("terminal_id", "content_id", "key_domain", "key_group", "key_number", "interval")
    msk_id = fields.octets("key_group", 2) + fields.octets("key_number", 2)
    first, last = fields.interval("interval")
    if first > last:
        raise DecodeError("OMA BCAST: the recording ends before it begins")
    return Recording(*fields.content(), fields.octets("key_domain", 3), msk_id, first, last)


def _audit_recordings(security: Security, fields: Fields) -> bytes:
    """Describe all recordings with the policies they need."""
    fields.expect_only()
    bcast = security.bcast
    return b"".join(describe_recording(recording, policies, bcast) for recording, policies in audit_recordings(bcast))


def _signal_event(security: Security, fields: Fields) -> bytes:
    """A service was left, the named one or any: the parental PIN given for it counts no longer."""
    group = _group(fields) if fields.has("key_domain") else None
    if group is None:
        fields.expect_only()
    SessionGate(security.ctx, security.bcast.parental.pin_name).lapse(group)
    return b""


_OPERATIONS: Mapping[str, Callable[[Security, Fields], bytes]] = {
    "spe_audit": _audit,
    "recording_signalling": _signal_recording,
    "recording_audit": _audit_recordings,
    "event_signalling": _signal_event,
}

# Without the service the card does not know the command at all.
_ERRORS: Mapping[type[CardError], int] = {**ERRORS, ServiceNotAvailable: SW.INS_NOT_SUPPORTED}

ROWS: tuple[CommandRow, ...] = (
    CommandRow(
        name="OMA BCAST",
        ins=INS.OMA_BCAST,
        families=INTERINDUSTRY,
        decode=decode,
        execute=oma_bcast,
        ref=Ref(SERVICE_AND_CONTENT_PROTECTION, "APDU annex", Confidence.UNSURE),
        data=Data.OPTIONAL,
        parameters=lambda p1, _: p1 in contexts.STEPS,
        errors=_ERRORS,
        keeps=BLOCKS,
    ),
)
