"""The objects of OMA BCAST on the wire: answers to LTKM and STKM, descriptions of audits. Tags are the tables'.

provisional throughout, as the tables are (docs/spec/bcast.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from card.codec.tlv import encode_tlv
from card.commands.reply import Refused
from card.domain.bcast.audit import GroupDescription, PolicyDescription
from card.domain.bcast.bcast import Bcast
from card.domain.bcast.recording import Recording
from card.domain.messages.ltkm import LtkmResult
from card.domain.messages.stkm import StkmResult
from card.spec.bcast.tables import LOWEST_STATUS_WORD, BcastTables, Reason, Source

TEMPLATE = 0xAE


def status_of(reason: Reason, tables: BcastTables) -> bytes:
    """Return the status byte of a reason. Raises `Refused` when the tables answer it with a status word."""
    answer = tables.answers[reason]
    if answer >= LOWEST_STATUS_WORD:
        raise Refused(answer)
    return bytes((answer,))


def answer_ltkm(result: LtkmResult, reason: Reason, tables: BcastTables) -> bytes:
    """Return the value of the response object to an LTKM with the OMA BCAST extension."""
    objects = {"status": status_of(reason, tables)}
    if result.rating is not None:
        objects["parental_rating"] = bytes(result.rating)
    if result.unsupported_spe is not None:
        objects["spe_not_supported"] = bytes((result.unsupported_spe,))
    if result.message:
        objects["mikey"] = result.message
    return template(objects, tables.response_tags)


def answer_stkm(result: StkmResult, reason: Reason, bcast: Bcast) -> bytes:
    """Return the value of the response object to an STKM under the OMA BCAST rules."""
    objects = {"status": status_of(reason, bcast.tables)}
    if result.tek is not None:
        objects["tek"] = result.tek.key
        if result.tek.salt:
            objects["salt"] = result.tek.salt
    if result.held is not None:
        rating = result.held.rating
        objects["parental_control"] = bytes(
            (bcast.parental.pin_reference, rating.type, rating.value, result.held.level)
        )
    if result.protection is not None:
        objects["protection_after_reception"] = bytes((result.protection,))
    return template(objects, bcast.tables.response_tags)


def template(objects: Mapping[str, bytes], tags: Mapping[str, int]) -> bytes:
    """Return template AE: the status first, the others by rising tag; an object whose tag is 0 is left out."""
    found = sorted((name != "status", tags[name], value) for name, value in objects.items() if tags[name])
    return encode_tlv(TEMPLATE, b"".join(encode_tlv(tag, value) for _, tag, value in found))


# --- audits


def describe_group(description: GroupDescription, tables: BcastTables) -> bytes:
    """Return one key-group description."""
    purses = description.purses
    fields = {
        "key_domain": description.group[:3],
        "key_group": description.group[3:],
        "user_purse": _quantity(description.domain.user),
        "live_ppt": _quantity(purses.live_ppt),
        "playback_ppt": _quantity(purses.playback_ppt),
        "kept_tek_counter": _quantity(purses.kept_teks),
    }
    if tables.service_purse:
        fields["service_purse"] = _quantity(purses.service)
    return _description("key_group_description", fields, tables)


def describe_policy(description: PolicyDescription, bcast: Bcast) -> bytes:
    """Return one SPE description; of the quantities only those that the policy is paid from."""
    msk, record = description.msk, description.record
    fields = {
        "key_domain": msk.key_domain,
        "key_group": msk.msk_id[:2],
        "key_number": msk.msk_id[2:],
        "validity": _quantity(record.lower) + _quantity(record.upper),
        "properties": bytes((_properties(description, bcast.tables),)),
        "spe": bytes((record.spe,)),
        **_payment(description, bcast.policies.row(record).source),
    }
    return _description("spe_description", fields, bcast.tables)


def _payment(description: PolicyDescription, source: Source) -> dict[str, bytes]:
    record, purses = description.record, description.purses
    cost = {"cost": _quantity(record.cost)}
    match source:
        case Source.PLAYBACK_COUNTER:
            return {"playback_counter": _quantity(record.counter)}
        case Source.TEK_COUNTER:
            return {"tek_counter": _quantity(record.counter), "kept_tek_counter": _quantity(purses.kept_teks)}
        case Source.USER:
            return cost | {"user_purse": _quantity(description.domain.user)}
        case Source.LIVE_PPT:
            return cost | {"live_ppt": _quantity(purses.live_ppt)}
        case Source.PLAYBACK_PPT:
            return cost | {"playback_ppt": _quantity(purses.playback_ppt)}
        case Source.SERVICE:
            return cost | {"service_purse": _quantity(purses.service)}
        case Source.NOTHING:
            return {}


def _properties(description: PolicyDescription, tables: BcastTables) -> int:
    record = description.record
    names = {
        "recorded": record.recorded,
        "terminal_binding": record.terminal_binding,
        "consumption_reporting": record.consumption_reporting,
        "access_criteria": record.access_criteria,
    }
    return sum(tables.properties[name] for name, value in names.items() if value)


def describe_recording(recording: Recording, policies: Iterable[PolicyDescription], bcast: Bcast) -> bytes:
    """Return one content description."""
    tags = bcast.tables.audit_tags
    fields = {"terminal_id": recording.terminal_id, "content_id": recording.content_id}
    inner = b"".join(encode_tlv(tags[name], value) for name, value in fields.items())
    inner += b"".join(describe_policy(policy, bcast) for policy in policies)
    return encode_tlv(tags["content_description"], inner)


def _description(name: str, fields: Mapping[str, bytes], tables: BcastTables) -> bytes:
    """Return a description of the fields that have a tag; tables of an older card file have none for some."""
    tags = tables.audit_tags
    inner = b"".join(encode_tlv(tags[field], value) for field, value in fields.items() if field in tags)
    return encode_tlv(tags[name], inner)


def _quantity(value: int) -> bytes:
    return value.to_bytes(4, "big")
