"""Typed records: JSON in the store, dataclasses in the card."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from card.crypto.secret import Secret
from card.errors import StoreError
from card.spec.files.rows import Structure
from card.state.nonvolatile import NonVolatile
from card.state.stored import StoredTable
from card.store.memory import MemoryStore


@dataclass(frozen=True, slots=True)
class Sample:
    name: str
    number: int
    raw: bytes
    key: Secret
    spare: Secret | None = None
    blob: bytes | None = None
    kind: Structure = Structure.CYCLIC
    added_later: bool = True


SAMPLE = Sample("a", 1 << 70, b"\x00\xff", Secret(b"key"), Secret(b"spare"), b"", Structure.BER_TLV, False)


@pytest.fixture
def nv() -> NonVolatile:
    return NonVolatile(MemoryStore())


@pytest.mark.parametrize("sample", [SAMPLE, Sample("b", 0, b"", Secret(b""))], ids=["full", "defaults"])
def test_there_and_back(nv: NonVolatile, sample: Sample) -> None:
    StoredTable(nv, "t/", Sample).put("1", sample)
    assert StoredTable(nv, "t/", Sample).get("1") == sample


def test_text_in_the_store(nv: NonVolatile) -> None:
    StoredTable(nv, "t/", Sample).put("1", SAMPLE)
    stored = json.loads(nv.get("t/1") or b"")
    assert (stored["raw"], stored["key"], stored["kind"]) == ("00ff", b"key".hex(), "ber-tlv")


def test_items_in_order_of_their_names(nv: NonVolatile) -> None:
    table = StoredTable(nv, "t/", Sample)
    for name in ("2", "10", "1"):
        table.put(name, SAMPLE)
    table.delete("10")
    table.delete("never there")
    assert [name for name, _ in table.items()] == ["1", "2"]
    assert table.get("10") is None


def test_a_record_follows_the_transaction(nv: NonVolatile) -> None:
    table = StoredTable(nv, "t/", Sample)
    old, new = SAMPLE, Sample("new", 2, b"", Secret(b""))
    table.put("1", old)
    nv.commit()
    table.put("1", new)
    assert table.get("1") == new
    nv.rollback()
    assert table.get("1") == old


def test_a_field_missing_in_an_old_file_has_its_default(nv: NonVolatile) -> None:
    nv.put("t/1", b'{"name":"a","number":1,"raw":"","key":""}')
    record = StoredTable(nv, "t/", Sample).get("1")
    assert record is not None
    assert record.added_later


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"[]", b"7", b"null", b"\xff", b"{}",
        b'{"name":"a","number":1,"raw":"0","key":""}',
        b'{"name":"a","number":1,"raw":3,"key":""}',
        b'{"name":"a","number":1,"raw":"","key":"","kind":"folder"}',
        b'{"name":7,"number":1,"raw":"","key":""}',
        b'{"name":"a","number":"1","raw":"","key":""}',
        b'{"name":"a","number":true,"raw":"","key":""}',
        b'{"name":"a","number":1.0,"raw":"","key":""}',
        b'{"name":"a","number":null,"raw":"","key":""}',
        b'{"name":"a","number":1,"raw":null,"key":""}',
        b'{"name":"a","number":1,"raw":"","key":"","added_later":1}',
    ],
)  # fmt: skip
def test_an_unreadable_record_is_a_store_error_that_does_not_show_it(nv: NonVolatile, raw: bytes) -> None:
    nv.put("t/1", raw)
    with pytest.raises(StoreError) as caught:
        StoredTable(nv, "t/", Sample)
    assert str(caught.value) == "card file: record t/1 cannot be read"
    assert caught.value.__cause__ is caught.value.__context__ is None
