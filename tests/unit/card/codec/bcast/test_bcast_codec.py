"""Management data both ways on both sets of tables, against bytes that the oracle lays out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.codec.bcast import (
    Descriptor,
    LtkmManagement,
    LtkmReport,
    ParentalControl,
    Rating,
    ReportEntry,
    StkmManagement,
    bcast_extension,
    ratings_of,
)
from card.codec.mikey import DataType, Extension, Header, MikeyMessage, Timestamp
from card.errors import DecodeError, EncodeError
from card.spec.bcast.p1 import P1
from card.spec.bcast.tables import BcastTables, Reason, Source
from card.spec.bcast.x2 import X2
from tests.oracle import bcast_wire
from tests.oracle.bcast_model import POLICIES, LtkmData, StkmData
from tests.oracle.bcast_wire import Wire

SETS = [(P1, bcast_wire.P1), (X2, bcast_wire.X2)]
ID = (b"\0\xf1\x10", b"\0\1", b"\0\1")
numbers = st.integers(0, 2**32 - 1)
descriptors = st.builds(Descriptor, st.integers(0, 255), st.binary(max_size=255))
criteria = st.one_of(st.none(), st.lists(descriptors, max_size=5).map(tuple))


@pytest.mark.parametrize(
    ("tables", "wire", "policy"),
    [(tables, wire, policy) for tables, wire in SETS for policy in POLICIES if policy in wire.rules.numbers],
    ids=lambda value: getattr(value, "name", value),
)
@pytest.mark.parametrize("reporting", [False, True])
def test_ltkm_management_as_laid_out_by_hand(tables: BcastTables, wire: Wire, policy: str, reporting: bool) -> None:
    m = LtkmData(ID, b"", 0, 0, 0, policy, 7, 0x01020304, 0x05060708, add=True, keep=reporting)
    raw = bcast_wire.ltkm_extension(m, wire, reporting=reporting, rating=(1, 9))
    assert raw is not None
    purse = POLICIES[policy][2] not in ("", "count")
    expected = LtkmManagement(
        spe=wire.rules.numbers[policy],
        cost=7 if purse else 0,
        tokens=0x01020304,
        counter=0x05060708,
        add=True,
        keep_credit=reporting,
        consumption_reporting=reporting,
        access_criteria=(Rating(1, 9).to_descriptor(tables),),
    )
    assert LtkmManagement.decode(raw[1:], tables) == expected
    assert expected.to_extension(tables).data == raw


@pytest.mark.parametrize(("tables", "wire"), SETS, ids=["P1", "X2"])
@pytest.mark.parametrize("binding", [None, 0x1234])
@pytest.mark.parametrize("rating", [None, (2, 12)])
def test_stkm_management_as_laid_out_by_hand(
    tables: BcastTables, wire: Wire, binding: int | None, rating: tuple[int, int] | None
) -> None:
    raw = bcast_wire.stkm_extension(StkmData(ID, b"", 0, 0, True, rating), wire, protection=2, binding=binding)
    assert raw is not None
    expected = StkmManagement(
        protection_after_reception=2,
        traffic_protection_protocol=1,
        traffic_authentication=True,
        traffic_key_lifetime=3,
        access_criteria=None if rating is None else (Rating(*rating).to_descriptor(tables),),
        terminal_binding_key_id=binding,
        permissions_issuer_uri=b"" if binding is None else b"uri",
    )
    assert StkmManagement.decode(raw[1:], tables) == expected
    assert expected.to_extension(tables).data == raw


@given(
    st.sampled_from([P1, X2]), st.data(), numbers, st.one_of(st.none(), numbers), st.one_of(st.none(), numbers),
    st.booleans(), st.booleans(), st.booleans(), criteria, st.one_of(st.none(), st.integers(0, 0xFFFF)),
)  # fmt: skip
def test_ltkm_management_round_trips(
    tables: BcastTables, data: st.DataObject, cost: int, tokens: int | None, counter: int | None, add: bool, keep: bool,
    reporting: bool, given_criteria: tuple[Descriptor, ...] | None, binding: int | None,
) -> None:  # fmt: skip
    spes = [row for row in tables.spe if tables.find_spe(row.value)]
    row = data.draw(st.one_of(st.none(), st.sampled_from(spes)))
    said = LtkmManagement(
        consumption_reporting=reporting, access_criteria=given_criteria, terminal_binding_key_id=binding
    )
    if row is not None:
        price = cost if row.source.is_purse else 0
        said = replace(said, spe=row.value, cost=price, tokens=tokens, counter=counter, add=add, keep_credit=keep)
    assert LtkmManagement.decode(said.encode(tables), tables) == said


@given(st.sampled_from([P1, X2]), st.integers(0, 3), st.integers(0, 7), criteria, st.binary(max_size=40))
def test_stkm_management_round_trips(
    tables: BcastTables, protection: int, protocol: int, given_criteria: tuple[Descriptor, ...] | None, uri: bytes
) -> None:
    said = StkmManagement(protection, protocol, True, 5, given_criteria, 77 if uri else None, uri)
    assert StkmManagement.decode(said.encode(tables), tables) == said


@given(st.sampled_from([P1, X2]), st.binary(max_size=64))
def test_any_bytes_end_in_a_value_or_a_decode_error(tables: BcastTables, data: bytes) -> None:
    for kind in (LtkmManagement, StkmManagement, ParentalControl):
        try:
            value = kind.decode(data, tables)
        except DecodeError:
            continue
        assert isinstance(value, kind)


@pytest.mark.parametrize("tables", [P1, X2], ids=lambda tables: str(tables.name))
@pytest.mark.parametrize(
    "control",
    [ParentalControl(), ParentalControl(True), ParentalControl(False, (1, 2)), ParentalControl(True, (255, 0), True)],
)
def test_parental_control_round_trips(tables: BcastTables, control: ParentalControl) -> None:
    assert ParentalControl.decode(control.encode(tables), tables) == control


def test_an_unknown_spe_is_told_and_nothing_behind_it_is_read() -> None:
    assert LtkmManagement.decode(b"\x08\xb0 what stands here is unknown", P1) == LtkmManagement(spe=0xB)
    assert LtkmManagement.decode(b"\x08\xc0", P1) == LtkmManagement(spe=0xC), "the service purse is off in P1"
    on = replace(P1, service_purse=True)
    assert LtkmManagement.decode(b"\x08\xc0\0\0\0\x02", on) == LtkmManagement(spe=0xC, cost=2)


@pytest.mark.parametrize(
    "said",
    [
        LtkmManagement(spe=16),
        LtkmManagement(spe=4, tokens=2**32),
        LtkmManagement(spe=4, counter=-1),
        LtkmManagement(terminal_binding_key_id=2**32),
        LtkmManagement(access_criteria=(Descriptor(1, bytes(256)),)),
        LtkmManagement(access_criteria=(Descriptor(1, b""),) * 256),
    ],
)
def test_what_does_not_fit_is_refused(said: LtkmManagement) -> None:
    with pytest.raises(EncodeError):
        said.encode(P1)


def test_ratings_are_found_among_other_criteria() -> None:
    found = ratings_of((Descriptor(2, b"cell"), Descriptor(1, b"\1\2"), Descriptor(1, b"\3\4")), P1)
    assert found == (Rating(1, 2), Rating(3, 4))
    assert ratings_of(None, P1) == ()
    with pytest.raises(DecodeError):
        ratings_of((Descriptor(1, b"\1"),), P1)


def test_a_message_has_one_extension_at_most() -> None:
    def message(*extensions: Extension) -> MikeyMessage:
        return MikeyMessage(Header(DataType.PRE_SHARED, 0), (*extensions, Timestamp(1)))

    assert bcast_extension(message()) is None
    assert bcast_extension(message(Extension(5, b"\1abc"))) == (1, b"abc")
    for wrong in (message(Extension(5, b"")), message(Extension(5, b"\1"), Extension(5, b"\1"))):
        with pytest.raises(DecodeError):
            bcast_extension(wrong)


@given(
    st.lists(st.tuples(st.integers(0, 255), st.one_of(st.none(), numbers), st.one_of(st.none(), numbers)), max_size=4)
)
def test_reports_round_trip(rows: list[tuple[int, int | None, int | None]]) -> None:
    entries = tuple(ReportEntry(spe, ID[0], b"\0\1\0\1", live, user=user) for spe, live, user in rows)
    report = LtkmReport(3, entries)
    assert LtkmReport.decode(report.encode()) == report
    assert report.to_extension().data[:2] == b"\x03\x03"


@given(st.binary(max_size=60))
def test_hostile_reports(data: bytes) -> None:
    try:
        assert LtkmReport.decode(data).encode() == data
    except DecodeError:
        return


@pytest.mark.parametrize("tables", [P1, X2], ids=lambda tables: str(tables.name))
def test_every_reason_has_an_answer_and_every_spe_a_sound_row(tables: BcastTables) -> None:
    assert set(tables.answers) == set(Reason)
    assert all(tables.find_spe(row.value) for row in tables.spe if row.source is not Source.SERVICE)
    assert tables.ref.provisional
