"""Deletion of policies and recordings, which rides on AUTHENTICATE: `73 { AE { mode, objects } }`.

The frame and the tag of the mode were observed in a terminal; the other tags and the modes are provisional.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from card.codec.tlv import decode_tlvs, encode_tlv
from card.commands.bcast.answers import TEMPLATE, describe_policy, status_of
from card.commands.bcast.fields import Fields
from card.domain.bcast.audit import PolicyName, delete_policies, delete_recording
from card.domain.bcast.bcast import Bcast
from card.errors import DecodeError
from card.spec.bcast.tables import Reason


def run_deletion(bcast: Bcast, template: bytes) -> bytes:
    """Carry out the operation named by the mode; return the value of the response object.

    Raises `DecodeError`, `KeyNotFound`, `Refused`.
    """
    fields = Fields(decode_tlvs(template), bcast.tables)
    mode = fields.number("mode", 1)
    operation = _OPERATIONS.get(next((name for name in _OPERATIONS if bcast.tables.modes[name] == mode), ""))
    if operation is None:
        raise DecodeError(f"OMA BCAST: deletion mode {mode:02X} is unknown")
    return encode_tlv(TEMPLATE, operation(bcast, fields))


def _delete_policies(bcast: Bcast, fields: Fields) -> bytes:
    return _status(bcast, delete_policies(bcast, _policy_name(fields)))


def _policy_name(fields: Fields) -> PolicyName:
    """Read group and, all or none, key number, validity and SPE."""
    group = fields.octets("key_domain", 3) + fields.octets("key_group", 2)
    optional = ("key_number", "validity", "spe")
    given = [name for name in optional if fields.has(name)]
    fields.expect_only("mode", "key_domain", "key_group", *given)
    if not given:
        return PolicyName(group)
    if len(given) != len(optional):
        raise DecodeError("OMA BCAST: key number, validity and SPE are wanted together")
    return PolicyName(group, fields.octets("key_number", 2), fields.interval("validity"), fields.number("spe", 1))


def _delete_recording(bcast: Bcast, fields: Fields) -> bytes:
    fields.expect_only("mode", "terminal_id", "content_id")
    policies = delete_recording(bcast, *fields.content())
    return _status(bcast, Reason.DONE) + b"".join(describe_policy(policy, bcast) for policy in policies)


def _status(bcast: Bcast, reason: Reason) -> bytes:
    return encode_tlv(bcast.tables.audit_tags["status"], status_of(reason, bcast.tables))


_OPERATIONS: Mapping[str, Callable[[Bcast, Fields], bytes]] = {
    "spe_deletion": _delete_policies,
    "recording_deletion": _delete_recording,
}
