"""Table set "P1", the default: provisional throughout.

The opening byte of the LTKM layout, the STKM layout and SPE 0 to 5 follow weak recall. Response tags 80, 86 to 88 and
8A to 8C, the template tags, the mode tag 90, recording signalling (mode 02) and the values of
protection_after_reception (but for the difference of 0 and 1) were observed in terminals. The rest is our choice.
docs/spec/bcast.md says which is which.
"""

from __future__ import annotations

from card.spec.bcast.ratings import LOWER_IS_STRICTER
from card.spec.bcast.tables import (
    COST,
    NOT_PROTECTED,
    PROTECTED_IN_PLAYBACK,
    BcastTables,
    Debit,
    Direction,
    FieldKind,
    FieldRow,
    Layout,
    Reason,
    Source,
    SpeRow,
)
from card.spec.refs import Confidence
from card.spec.status import SW

_POLICY = "security_policy_ext_flag"

LTKM_LAYOUT: Layout = (
    FieldRow("protocol_version", 4),
    FieldRow(_POLICY, 1),
    FieldRow("consumption_reporting_flag", 1),
    FieldRow("access_criteria_flag", 1),
    FieldRow("terminal_binding_flag", 1),
    FieldRow("security_policy_extension", 4, _POLICY),
    FieldRow("purse_flag", 1, _POLICY),
    FieldRow("add_flag", 1, _POLICY),
    FieldRow("keep_credit_flag", 1, _POLICY),
    FieldRow("counter_flag", 1, _POLICY),
    FieldRow("cost_value", 32, COST),
    FieldRow("number_of_tokens", 32, "purse_flag"),
    FieldRow("counter_value", 32, "counter_flag"),
    FieldRow("reserved", 8, "access_criteria_flag"),
    FieldRow("access_criteria", 8, "access_criteria_flag", FieldKind.DESCRIPTORS),
    FieldRow("terminal_binding_key_id", 32, "terminal_binding_flag"),
)

STKM_LAYOUT: Layout = (
    FieldRow("protocol_version", 4),
    FieldRow("protection_after_reception", 2),
    FieldRow("terminal_binding_flag", 1),
    FieldRow("access_criteria_flag", 1),
    FieldRow("traffic_protection_protocol", 3),
    FieldRow("traffic_authentication_flag", 1),
    FieldRow("traffic_key_lifetime", 4),
    FieldRow("reserved", 8, "access_criteria_flag"),
    FieldRow("access_criteria", 8, "access_criteria_flag", FieldKind.DESCRIPTORS),
    FieldRow("terminal_binding_key_id", 32, "terminal_binding_flag"),
    FieldRow("permissions_issuer_uri", 8, "terminal_binding_flag", FieldKind.OCTETS),
)

PARENTAL_LAYOUT: Layout = (
    FieldRow("pincode_flag", 1),
    FieldRow("level_flag", 1),
    FieldRow("unblock_flag", 1),
    FieldRow("reserved", 5),
    FieldRow("rating_type", 8, "level_flag"),
    FieldRow("level_granted", 8, "level_flag"),
)

_LIVE, _PLAYBACK = Direction.LIVE, Direction.PLAYBACK
_UNSURE = Confidence.UNSURE

SPE_ROWS: tuple[SpeRow, ...] = (
    SpeRow(0x0, "live pay per time, key purse", _LIVE, Debit.EACH_TEK, Source.LIVE_PPT, 30, _UNSURE),
    SpeRow(0x1, "play-back pay per time, key purse", _PLAYBACK, Debit.EACH_TEK, Source.PLAYBACK_PPT, 40, _UNSURE),
    SpeRow(0x2, "live pay per time, user purse", _LIVE, Debit.EACH_TEK, Source.USER, 60, _UNSURE),
    SpeRow(0x3, "play-back pay per time, user purse", _PLAYBACK, Debit.EACH_TEK, Source.USER, 70, _UNSURE),
    SpeRow(0x4, "unlimited live", _LIVE, Debit.NEVER, Source.NOTHING, 10, _UNSURE),
    SpeRow(0x5, "unlimited play-back", _PLAYBACK, Debit.NEVER, Source.NOTHING, 10, _UNSURE),
    SpeRow(0x6, "counted play-back", _PLAYBACK, Debit.EACH_PLAYBACK, Source.PLAYBACK_COUNTER, 20),
    SpeRow(0x7, "live pay per view, user purse", _LIVE, Debit.ONCE, Source.USER, 50),
    SpeRow(0x8, "play-back pay per view, user purse", _PLAYBACK, Debit.EACH_PLAYBACK, Source.USER, 60),
    SpeRow(0x9, "live, counted TEKs", _LIVE, Debit.EACH_TEK, Source.TEK_COUNTER, 20),
    SpeRow(0xA, "play-back, counted TEKs", _PLAYBACK, Debit.EACH_TEK, Source.TEK_COUNTER, 30),
    SpeRow(0xC, "live pay per time, service purse", _LIVE, Debit.EACH_TEK, Source.SERVICE, 40),
    SpeRow(0xD, "play-back pay per time, service purse", _PLAYBACK, Debit.EACH_TEK, Source.SERVICE, 50),
)

P1 = BcastTables(
    name="P1",
    ltkm=LTKM_LAYOUT,
    stkm=STKM_LAYOUT,
    parental=PARENTAL_LAYOUT,
    spe=SPE_ROWS,
    answers={
        Reason.DONE: 0x00,
        Reason.SPE_NOT_SUPPORTED: 0x01,
        Reason.NO_CREDIT: 0x02,
        Reason.PLAYBACK_COUNTER_USED_UP: 0x03,
        Reason.TEK_COUNTER_USED_UP: 0x04,
        Reason.OUTSIDE_VALIDITY: 0x05,
        Reason.NO_PLAYBACK_RIGHT: 0x06,
        Reason.PARENTAL_PIN_NEEDED: 0x07,
        Reason.PARENTAL_PIN_BLOCKED: 0x08,
        Reason.RATING_FIXED: 0x09,
        Reason.PURSE_OVERFLOW: 0x0A,
        Reason.SECURE_CHANNEL_NEEDED: 0x0B,
        Reason.RECORDED: 0x0C,
        Reason.NO_LIVE_RIGHT: int(SW.CONDITIONS_NOT_SATISFIED),
        Reason.STKM_REPLAYED: int(SW.KEY_FRESHNESS_FAILURE),
        Reason.LTKM_REPLAYED: int(SW.KEY_FRESHNESS_FAILURE),
        Reason.NO_ROOM: int(SW.NO_MEMORY_EF_MSK),
        Reason.NO_PURSE: int(SW.INCORRECT_MAC),
    },
    descriptors={"parental_rating": 0x01, "location": 0x02},
    response_tags={
        "status": 0x80,
        "tek": 0x86,
        "salt": 0x87,
        "parental_control": 0x88,
        "protection_after_reception": 0x89,
        "parental_rating": 0x8A,
        "spe_not_supported": 0x8B,
        "mikey": 0x8C,
    },
    audit_tags={
        "key_group_description": 0xA1,
        "spe_description": 0xA2,
        "content_description": 0xA3,
        "status": 0x80,
        "key_domain": 0x81,
        "key_group": 0x82,
        "key_number": 0x83,
        "validity": 0x84,
        "properties": 0x85,
        "spe": 0x86,
        "cost": 0x87,
        "user_purse": 0x88,
        "live_ppt": 0x89,
        "playback_ppt": 0x8A,
        "playback_counter": 0x8B,
        "tek_counter": 0x8C,
        "kept_tek_counter": 0x8D,
        "terminal_id": 0x8E,
        "content_id": 0x8F,
        "mode": 0x90,
        "interval": 0x91,
        "available": 0x92,
        "service_purse": 0x93,
    },
    modes={
        "spe_audit": 0x01,
        "recording_signalling": 0x02,
        "recording_audit": 0x03,
        "event_signalling": 0x04,
        "spe_deletion": 0x01,
        "recording_deletion": 0x02,
    },
    properties={"recorded": 0x01, "terminal_binding": 0x02, "consumption_reporting": 0x04, "access_criteria": 0x08},
    capacity={"records_per_key": 32, "records": 512, "history_keys": 64, "purses": 64, "contents": 64},
    protection={
        "content_protection_restricted": 0,
        "content_protection": 1,
        PROTECTED_IN_PLAYBACK: 2,
        NOT_PROTECTED: 3,
    },
    pin_reference=0x82,
    identity_with_validity=False,
    lower_is_stricter=LOWER_IS_STRICTER,
    unrated_is_held=False,
)
