"""Tables as data: overrides in a profile reach the card, what cannot work is refused with its line, sets are stored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pytest

from card.domain.bcast.tables import load_tables, store_tables
from card.errors import ProfileError, StoreError
from card.profile.bcast import BcastProfile, TableSet
from card.spec.bcast.check import problems
from card.spec.bcast.p1 import P1 as P1_TABLES
from card.spec.bcast.plain import decode_tables, encode_tables
from card.spec.bcast.tables import BcastTables, Debit, Direction, FieldKind, FieldRow, Reason, Source
from card.spec.bcast.x2 import X2 as X2_TABLES
from card.state.nonvolatile import NonVolatile
from card.store.memory import MemoryStore
from tests.oracle.bcast_model import LtkmData, StkmData
from tests.oracle.bcast_wire import P1
from tests.support.bcast import KEY_ID, SEK, BcastCard, profile, tek

OVERRIDES = """
[bcast.tables]
identity_with_validity = true

[bcast.tables.answers]
no_credit = 0x6985
done = 0x2A

[bcast.tables.response_tags]
tek = 0x9F12
protection_after_reception = 0

[[bcast.tables.spe]]
number = 1
name = "live pay per time"
direction = "live"
debit = "each new TEK"
source = "live PPT purse"
"""


@pytest.mark.parametrize("tables", [P1_TABLES, X2_TABLES], ids=lambda tables: str(tables.name))
def test_the_sets_are_sound_and_survive_the_card_file(tables: BcastTables) -> None:
    assert list(problems(tables)) == []
    assert decode_tables(encode_tables(tables)) == tables
    nv = NonVolatile(MemoryStore())
    store_tables(nv, tables)
    assert load_tables(nv) == tables


def test_the_second_set_differs_in_every_table() -> None:
    same = ["capacity", "secure_channel"]
    for name in BcastTables.__dataclass_fields__:
        assert (getattr(P1_TABLES, name) == getattr(X2_TABLES, name)) == (name in same), name


def test_a_card_made_before_there_were_tables_has_the_default_set() -> None:
    assert load_tables(NonVolatile(MemoryStore())) == P1_TABLES


def test_tables_of_a_card_made_before_protection_was_a_table_have_the_default() -> None:
    plain = json.loads(encode_tables(X2_TABLES))
    del plain["protection"]
    assert decode_tables(json.dumps(plain).encode()) == replace(X2_TABLES, protection=P1_TABLES.protection)


def test_what_is_protected_after_reception() -> None:
    asked = [(value, direction) for direction in Direction for value in range(4)]
    protected = [(value, direction) for value, direction in asked if P1_TABLES.stays_protected(value, direction)]
    live, playback = Direction.LIVE, Direction.PLAYBACK
    assert protected == [(0, live), (1, live), (0, playback), (1, playback), (2, playback)]


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"null", b'{"name":1}', b"\xff"])
def test_unreadable_tables_are_a_store_error(raw: bytes) -> None:
    nv = NonVolatile(MemoryStore({"bcast/tables": raw}))
    with pytest.raises(StoreError):
        load_tables(nv)


WRONG: tuple[object, ...] = ("text", -1, 1 << 70, 1.5, None, True, [], {}, [1], "\ud800")


def spoilt(value: object) -> Iterator[object]:
    """Yield a value of a set of tables with one thing in it of another type, lacking, or one too many."""
    match value:
        case dict():
            for name in value:
                yield {key: item for key, item in value.items() if key != name}
                yield from ({**value, name: other} for other in spoilt(value[name]))
            yield {**value, "more": 1}
        case list() if value:
            yield from ([other, *value[1:]] for other in spoilt(value[0]))
    yield from (other for other in WRONG if type(other) is not type(value) or other != value)


def test_a_card_opens_with_tables_that_work_or_not_at_all() -> None:
    """Sound JSON with a wrong type is found when the card is opened, not in the middle of a command."""
    plain = json.loads(encode_tables(P1_TABLES))
    opened = 0
    for name in plain:
        for other in spoilt(plain[name]):
            nv = NonVolatile(MemoryStore({"bcast/tables": json.dumps({**plain, name: other}).encode()}))
            with suppress(StoreError):
                tables = load_tables(nv)
                opened += 1
                assert list(problems(tables)) == []
                assert decode_tables(encode_tables(tables)) == tables
    assert 0 < opened < 40, "few wrong values are right in another way: a name, a flag, no type of rating"


def test_overrides_reach_the_card() -> None:
    it = BcastCard.new(P1, OVERRIDES)
    poor = LtkmData(KEY_ID, SEK, 0, 99, 1, "playback_ppt_key", cost=1, tokens=1)  # SPE 1, which is live now
    assert it.update(it.ltkm(poor).build()) == ("9000", {0x80: b"\x2a"})
    answer = it.exchange(b"\x53" + bytes((1 + len(raw),)) + b"\x02" + raw) if (raw := _stkm(it, 1)) else None
    assert answer is not None
    assert answer.data == f"7318AE1680012A9F1210{tek(1).hex().upper()}"
    assert it.generate(_stkm(it, 2)) == ("6985", {})
    free = LtkmData(KEY_ID, SEK, 0, 99, 2, "live_free")
    assert it.update(it.ltkm(free).build())[1][0x80] == b"\x01", "SPE 4 is in this table no longer"


def _stkm(it: BcastCard, ts: int) -> bytes:
    return it.stkm(StkmData(KEY_ID, SEK, ts, ts, True)).build()


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("[bcast.tables.answers]\nno_such_reason = 1", "bcast.tables.answers.no_such_reason: unknown key"),
        ("[bcast.tables.answers]\ndone = 0x6985", "answers: found 6985 for done; allowed: a status byte"),
        ("[bcast.tables.answers]\npurse_overflow = 0x6985", "answers: found 6985 for purse_overflow"),
        ("[bcast.tables.answers]\nno_credit = 0", "answers: found 00 for no_credit, which is the answer for done"),
        ("[bcast.tables.answers]\nno_room = 0x0A", "found 0A for no_room, which is the answer for purse_overflow"),
        ("[bcast.tables.descriptors]\nparental_rating = 2", "descriptors: found 02 twice; allowed: every descriptor"),
        ("[bcast.tables.answers]\nno_credit = 0x9000", "answers: found 9000 for no_credit; allowed: an error"),
        ("[bcast.tables.answers]\nno_credit = 0x0123", "answers: found 0123 for no_credit; allowed: an error"),
        ("[bcast.tables.answers]\nno_credit = 0x62F3", "answers: found 62F3 for no_credit; allowed: an error"),
        ("[bcast.tables.answers]\nno_credit = 0x6C10", "answers: found 6C10 for no_credit; allowed: an error"),
        ("[bcast.tables.answers]\nno_credit = 0x9100", "answers: found 9100 for no_credit; allowed: an error"),
        ("[bcast.tables.response_tags]\ntek = 0x9F81", "response_tags: tek = 9F81 is no tag"),
        ("[bcast.tables.protection]\ncontent_protection = 3", "protection: found 3 twice"),
        ("[bcast.tables.protection]\ncontent_protection = 4", "content_protection = 4 does not fit the 2 bits"),
        ("[bcast.tables.answers]\ndone = 65536", "bcast.tables.answers.done: found the number 65536"),
        ("[bcast.tables.response_tags]\ntek = 0x80", "bcast.tables.response_tags: found 80 twice"),
        ("[bcast.tables.response_tags]\ntek = 0", "bcast.tables.response_tags: found 0 for status or tek"),
        ("[bcast.tables.audit_tags]\nspe = 0x1F", "bcast.tables.audit_tags: spe = 1F is no tag"),
        ("[bcast.tables.modes]\nspe_audit = 2", "bcast.tables.modes: found 02 twice"),
        ("[bcast.tables.properties]\nrecorded = 3", "bcast.tables.properties: allowed: one bit"),
        ("[bcast.tables]\npin_reference = 0x81", "bcast.tables.pin_reference: found the number 129"),
        ("[bcast.tables]\nanswers = 3", "bcast.tables.answers: found a number; allowed: a table"),
        ('[[bcast.tables.stkm]]\nname = "surprise"\nbits = 8', "bcast.tables.stkm: found surprise"),
        ('[[bcast.tables.spe]]\nnumber = 1\nname = "x"\ndirection = "sideways"', 'found "sideways"; allowed: "live"'),
        (
            '[[bcast.tables.spe]]\nnumber = 1\nname = "x"\ndirection = "live"\ndebit = "each new TEK"',
            "value 1 is paid each new TEK from: nothing",
        ),
    ],
)
def test_what_cannot_work_is_refused_when_the_profile_is_loaded(extra: str, message: str) -> None:
    with pytest.raises(ProfileError) as error:
        profile(P1, extra)
    assert message in str(error.value)


def test_an_accepted_answer_that_cannot_be_is_told_once() -> None:
    """Refusals that share its value are not at fault."""
    answers = {**P1_TABLES.answers, Reason.DONE: P1_TABLES.answers[Reason.NO_LIVE_RIGHT]}
    (problem,) = problems(replace(P1_TABLES, answers=answers))
    assert problem == ("answers", "found 6985 for done; allowed: a status byte, 00 to FF")


def test_layouts_are_checked() -> None:
    def told(*rows: FieldRow) -> str:
        return " ".join(text for table, text in problems(replace(P1_TABLES, stkm=rows)) if table == "stkm")

    protection = FieldRow("protection_after_reception", 8)
    assert told(protection) == ""
    assert "protection_after_reception is missing" in told(FieldRow("protocol_version", 8))
    assert "does not fill whole bytes" in told(FieldRow("protection_after_reception", 2))
    assert "twice" in told(protection, protection)
    assert "depends on" in told(protection, FieldRow("protocol_version", 8, "access_criteria_flag"))
    assert "another kind" in told(FieldRow("protection_after_reception", 8, "", FieldKind.OCTETS))
    assert "allowed: 1 to 32" in told(FieldRow("protection_after_reception", 40))
    split = (FieldRow("terminal_binding_flag", 4), FieldRow("protocol_version", 4, "terminal_binding_flag"))
    assert "does not begin with a byte" in told(protection, *split)


def test_spe_rows_are_checked() -> None:
    def told(**changes: object) -> str:
        row = replace(P1_TABLES.spe[0], **changes)  # type: ignore[arg-type]
        return " ".join(text for _, text in problems(replace(P1_TABLES, spe=(row, P1_TABLES.spe[1]))))

    assert told() == ""
    assert "twice" in told(value=1)
    assert "does not fit the 4 bits" in told(value=16)
    assert "allowed: both or none" in told(debit=Debit.NEVER)
    assert "allowed: from a purse" in told(debit=Debit.ONCE, source=Source.TEK_COUNTER)


def test_switches() -> None:
    tables = BcastProfile(TableSet.P1, service_purse=True, secure_channel=True).build_tables()
    assert (tables.service_purse, tables.secure_channel) == (True, True)
    assert tables.find_spe(0xC) is not None
    assert P1_TABLES.find_spe(0xC) is None
    assert set(P1_TABLES.answers) == set(Reason)
