"""Writing one file of a card that is not in use."""

from __future__ import annotations

from pathlib import Path

import pytest

from card import CardProfile, Edit, create_card, edit_card, format_value, inspect_card
from card.errors import StoreError
from card.inspection.edit import EditRefused, parse_value
from card.profile.schema import demo_path
from card.store.sqlite import SqliteStore
from tests.support.testcard import TestCard
from tests.unit.card.inspection.conftest import contents, plant


def value_of(path: Path, place: str) -> object:
    files = inspect_card(path)["files"]
    assert isinstance(files, dict)
    file = files[place]
    assert isinstance(file, dict)
    return file.get("value", file.get("values"))


@pytest.mark.parametrize(
    "place",
    ["ADF.USIM/6F07", "adf.usim/6f07", "ADF.USIM/EF_IMSI", "EF_IMSI", "imsi", "6F07", "3F00/7FFF/6F07", "MF/7FFF/6F07"],
)
def test_a_file_answers_to_its_path_its_fid_and_its_name(fresh: Path, place: str) -> None:
    edited = edit_card(fresh, place, Edit(value="001010000000042"))
    assert (edited.path, edited.name, edited.length, edited.value) == (
        "ADF.USIM/6F07", "EF_IMSI", 9, "001010000000042",
    )  # fmt: skip
    assert value_of(fresh, "ADF.USIM/6F07") == "001010000000042"


def test_the_card_answers_with_what_was_written(fresh: Path) -> None:
    edit_card(fresh, "MF/2F60", Edit(bytes.fromhex("ABCD")))
    store = SqliteStore(fresh)
    try:
        assert TestCard(store).read(0x2F60) == bytes.fromhex("ABCD") + b"\xff" * 14
    finally:
        store.close()


@pytest.mark.parametrize(
    ("place", "record", "text", "stored"),
    [
        ("MF/2FE2", None, "8900101000000000027", "980001010000000020F7"),
        ("ADF.USIM/6F05", None, "de, en", "6465656EFFFF"),
        ("ADF.USIM/6F78", None, "3,5", "0028"),
        ("ADF.USIM/6F7B", None, "310-260", "130062FFFFFFFFFFFFFFFFFF"),
        ("ADF.USIM/6F62", None, "001-01:UTRAN", "00F1108000FFFFFFFFFF"),
        ("ADF.USIM/6FB7", 2, "110", "11F0FF00"),
        ("MF/2F00", 2, "A0000000871004, ISIM", "610F4F07A000000087100450044953494D".ljust(96, "F")),
    ],
)
def test_a_value_is_written_as_the_file_holds_it(
    fresh: Path, place: str, record: int | None, text: str, stored: str
) -> None:
    edited = edit_card(fresh, place, Edit(value=text, record=record))
    content = contents(fresh)[f"ef/{edited.path}"]
    start = (edited.record - 1) * edited.length if edited.record else 0
    assert content[start : start + edited.length].hex().upper() == stored
    assert edited.filled == 0


def test_a_service_table_is_filled_with_zeros_not_with_services(fresh: Path) -> None:
    edit_card(fresh, "EF_UST", Edit(value="33, 1"))
    assert value_of(fresh, "ADF.USIM/6F38") == [1, 33]


def decoded_values(path: Path) -> list[tuple[str, int | None, object]]:
    """Return path, record number (None: no records) and value of everything `edit_card` takes a value for."""
    files = inspect_card(path)["files"]
    assert isinstance(files, dict)
    found: list[tuple[str, int | None, object]] = []
    for place, file in files.items():
        assert isinstance(file, dict)
        if "value" in file:
            found.append((place, None, file["value"]))
        elif file["name"] != "EF_ARR":
            values = file.get("values", {})
            assert isinstance(values, dict)
            found += [(place, int(number), value) for number, value in values.items()]
    return found


def test_what_show_prints_can_be_given_back(used: Path) -> None:
    before = contents(used)
    values = decoded_values(used)
    assert len(values) >= 10
    for place, record, value in values:
        edit_card(used, place, Edit(value=format_value(value), record=record))
    assert contents(used) == before


@pytest.mark.parametrize(
    ("place", "edit", "reason"),
    [
        ("EF_NOPE", Edit(b""), "no such file"),
        ("ADF.USIM", Edit(b""), "no such file"),
        ("EF_ARR", Edit(b""), "ambiguous: 3F00/2F06, "),
        ("EF_IMSI", Edit(bytes(10)), "10 bytes do not fit: there is room for 9"),
        ("EF_IMSI", Edit(bytes(9)), "do not follow the format of EF_IMSI"),
        ("EF_IMSI", Edit(value="12"), "the value cannot be written: an IMSI has 6 to 15 digits"),
        ("EF_IMSI", Edit(value="001010000000042", record=1), "has no records"),
        ("ADF.USIM/6F05", Edit(value="engl"), "would not read back"),
        ("ADF.USIM/6F05", Edit(value="en,de,fr,es"), "8 bytes do not fit: there is room for 6"),
        ("EF_FPLMN", Edit(value="nonsense"), "the value cannot be written"),
        ("EF_HPLMNwAcT", Edit(value="001-01:LTE"), "the value cannot be written"),
        ("EF_UST", Edit(value="one"), "it is written like"),
        ("EF_UST", Edit(value="9999999999"), "it is written like"),
        ("EF_UST", Edit(value="9" * 5000), "it is written like"),
        ("ADF.USIM/6FB7", Edit(value="112"), "records 1 to 5; name one"),
        ("ADF.USIM/6FB7", Edit(value="112", record=6), "records 1 to 5; name one"),
        ("EF_DIR", Edit(value="USIM", record=1), "written like"),
        ("EF_LOCI", Edit(value="x"), "no codec"),
        ("EF_MUK", Edit(bytes(200), record=1), "kept by the card"),
        ("EF_MSK", Edit(bytes(20), record=1, force=True), "composed from the keys"),
        ("MF/2F06", Edit(b"\x80\x01", record=1), "do not follow the format of EF_ARR"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_and_changes_nothing(fresh: Path, place: str, edit: Edit, reason: str) -> None:
    before = contents(fresh)
    with pytest.raises(EditRefused, match=reason):
        edit_card(fresh, place, edit)
    assert contents(fresh) == before


def test_force_writes_what_nobody_can_read(fresh: Path) -> None:
    edited = edit_card(fresh, "EF_IMSI", Edit(bytes(9), force=True))
    assert edited.value is None
    assert contents(fresh)["ef/ADF.USIM/6F07"] == bytes(9)
    edit_card(fresh, "EF_MUK", Edit(bytes(200), record=1, force=True))


def test_an_empty_content_clears_a_record(fresh: Path) -> None:
    edited = edit_card(fresh, "ADF.USIM/6FB7", Edit(b"", record=1))
    assert (edited.filled, edited.value) == (4, None)
    assert contents(fresh)["ef/ADF.USIM/6FB7"][:4] == b"\xff" * 4


def test_the_only_record_needs_no_number(fresh: Path) -> None:
    arr = contents(fresh)["ef/3F00/2F06"]
    assert len(arr) > 64  # several records: the number is needed
    with pytest.raises(EditRefused, match="name one of them"):
        edit_card(fresh, "MF/2F06", Edit(b""))


def test_a_confidential_file_is_written_and_not_shown(fresh: Path) -> None:
    edited = edit_card(fresh, "EF_Keys", Edit(bytes(33)))
    assert (edited.length, edited.value) == (33, None)


def test_data_objects_are_not_written_here(tmp_path: Path) -> None:
    text = card_text() + '[[files]]\npath = "MF/2F72"\nstructure = "ber-tlv"\nsize = 64\nhex = "8003010203"\n'
    path = tmp_path / "objects.card"
    create_card(CardProfile.parse(text), path).close()
    before = contents(path)
    with pytest.raises(EditRefused, match="SET DATA"):
        edit_card(path, "MF/2F72", Edit(b"\x80\x01\x00"))
    assert contents(path) == before


def card_text() -> str:
    return demo_path("usim").read_text()


def test_a_damaged_card_is_refused(fresh: Path) -> None:
    plant(fresh, fs__0003=b"[]")
    with pytest.raises(StoreError, match=r"fresh\.card"):
        edit_card(fresh, "EF_IMSI", Edit(bytes(9)))


@pytest.mark.parametrize(
    ("text", "like", "value"),
    [
        ("a, b", "x", "a, b"),
        ("7", 1, 7),
        ("", ["x"], []),
        ("1,2", [1], [1, 2]),
        ("00ff, a, b", (b"", ""), (b"\x00\xff", "a, b")),
    ],
)
def test_values_are_read_like_their_example(text: str, like: object, value: object) -> None:
    assert parse_value(text, like) == value


@pytest.mark.parametrize(("text", "like"), [("-1", 1), ("x", b""), ("a", ("", "")), ("x", {"a": 1}), ("x", None)])
def test_text_that_is_not_like_the_example_is_refused(text: str, like: object) -> None:
    with pytest.raises(EditRefused):
        parse_value(text, like)
