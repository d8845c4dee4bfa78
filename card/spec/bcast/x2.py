"""Table set "X2": different from "P1" wherever it can be. It stands for no specification.

The tests run the card on it to prove that nothing is hard-wired; it shows how far a set may depart from the default.
"""

from __future__ import annotations

from dataclasses import replace

from card.spec.bcast.p1 import P1
from card.spec.bcast.tables import COST, BcastTables, FieldKind, FieldRow, Layout, Reason
from card.spec.status import SW

_POLICY = "security_policy_ext_flag"

_LTKM: Layout = (
    FieldRow(_POLICY, 1),
    FieldRow("terminal_binding_flag", 1),
    FieldRow("access_criteria_flag", 1),
    FieldRow("consumption_reporting_flag", 1),
    FieldRow("protocol_version", 4),
    FieldRow("terminal_binding_key_id", 16, "terminal_binding_flag"),
    FieldRow("counter_flag", 1, _POLICY),
    FieldRow("purse_flag", 1, _POLICY),
    FieldRow("keep_credit_flag", 1, _POLICY),
    FieldRow("add_flag", 1, _POLICY),
    FieldRow("reserved", 4, _POLICY),
    FieldRow("security_policy_extension", 8, _POLICY),
    FieldRow("counter_value", 32, "counter_flag"),
    FieldRow("number_of_tokens", 32, "purse_flag"),
    FieldRow("cost_value", 32, COST),
    FieldRow("access_criteria", 16, "access_criteria_flag", FieldKind.DESCRIPTORS),
)

_STKM: Layout = (
    FieldRow("traffic_key_lifetime", 4),
    FieldRow("traffic_authentication_flag", 1),
    FieldRow("traffic_protection_protocol", 3),
    FieldRow("access_criteria_flag", 1),
    FieldRow("terminal_binding_flag", 1),
    FieldRow("protection_after_reception", 2),
    FieldRow("protocol_version", 4),
    FieldRow("permissions_issuer_uri", 16, "terminal_binding_flag", FieldKind.OCTETS),
    FieldRow("terminal_binding_key_id", 16, "terminal_binding_flag"),
    FieldRow("access_criteria", 8, "access_criteria_flag", FieldKind.DESCRIPTORS),
)

_PARENTAL: Layout = (
    FieldRow("reserved", 5),
    FieldRow("unblock_flag", 1),
    FieldRow("level_flag", 1),
    FieldRow("pincode_flag", 1),
    FieldRow("level_granted", 8, "level_flag"),
    FieldRow("rating_type", 8, "level_flag"),
)


def _shifted(tags: dict[str, int], by: int) -> dict[str, int]:
    return {name: tag + by for name, tag in tags.items()}


_ANSWERS = {reason: value + 0x40 for reason, value in P1.answers.items() if value < 0x100}
_ANSWERS |= {
    Reason.NO_LIVE_RIGHT: 0x60,
    Reason.STKM_REPLAYED: 0x61,
    Reason.LTKM_REPLAYED: int(SW.INCORRECT_MAC),
    Reason.NO_ROOM: int(SW.NOT_ENOUGH_MEMORY),
    Reason.NO_PURSE: 0x62,
    Reason.RECORDED: int(SW.CONDITIONS_NOT_SATISFIED),
}

X2: BcastTables = replace(
    P1,
    name="X2",
    ltkm=_LTKM,
    stkm=_STKM,
    parental=_PARENTAL,
    spe=tuple(replace(row, value=0xF0 - row.value, priority=100 - row.priority) for row in P1.spe),
    answers=_ANSWERS,
    descriptors={"parental_rating": 0x21, "location": 0x22},
    response_tags=_shifted(dict(P1.response_tags), 0x10),
    audit_tags={name: tag + (4 if tag in range(0xA1, 0xA4) else 0x40) for name, tag in P1.audit_tags.items()},
    modes={
        "spe_audit": 0x11,
        "recording_signalling": 0x12,
        "recording_audit": 0x13,
        "event_signalling": 0x14,
        "spe_deletion": 0x21,
        "recording_deletion": 0x22,
    },
    properties={"recorded": 0x80, "terminal_binding": 0x40, "consumption_reporting": 0x20, "access_criteria": 0x10},
    pin_reference=0x83,
    identity_with_validity=True,
    lower_is_stricter=tuple(kind for kind in range(256) if kind not in P1.lower_is_stricter),
    unrated_is_held=True,
    service_purse=True,
    protection={name: 3 - value for name, value in P1.protection.items()},
)
