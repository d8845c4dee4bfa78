"""What `inspect_card` tells, what it hides, and how it takes damaged card files."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card import CardProfile, inspect_card, open_card
from card.codec.access_rule import ALWAYS, NEVER, Combination, Condition, needs
from card.codec.access_words import describe_condition, key_name
from card.errors import CardFileLocked, StoreError
from card.inspection.inspect import describe_contents
from card.inspection.opening import opened
from card.personalisation.personalise import personalise
from card.store.memory import MemoryStore
from card.store.sqlite import SqliteStore
from tests.support import network
from tests.support.profiles import ADM1, IMSI, OPC, PIN1, PIN2, PUK1, PUK2, UNIVERSAL, K, card_profile
from tests.unit.card.inspection.conftest import contents, plant


def inspected(source: Path | CardProfile, *, reveal: bool = False) -> dict[str, Any]:
    return inspect_card(source, reveal=reveal)


def test_a_file_is_described_by_its_properties_access_content_and_value(fresh: Path) -> None:
    imsi = inspected(fresh)["files"]["ADF.USIM/6F07"]
    assert imsi["name"] == "EF_IMSI"
    assert (imsi["fid"], imsi["structure"], imsi["size"], imsi["sfi"]) == ("6F07", "transparent", 9, 7)
    assert (imsi["access"]["read"], imsi["access"]["update"]) == ("PIN1", "ADM1")
    assert (imsi["content"], imsi["value"]) == ("080910101032547698", IMSI)
    assert imsi["life_cycle"] == "activated"


def test_a_record_file_is_described_record_by_record(fresh: Path) -> None:
    cyclic = inspected(fresh)["files"]["3F00/2F62"]
    assert (cyclic["structure"], cyclic["record_count"], cyclic["record_length"]) == ("cyclic", 3, 3)
    assert cyclic["records"] == {"1": "000003", "2": "000002", "3": "000001"}


def test_access_rules_are_decoded(fresh: Path) -> None:
    rules = inspected(fresh)["files"]["ADF.USIM/6F06"]["values"]
    assert {"read": "PIN1", "update": "PIN2", "deactivate": "NEV", "activate": "NEV"} in rules.values()


@pytest.mark.parametrize("name", ["usim", "usim-t1"])
def test_the_files_of_the_profiles_that_ship_all_follow_their_format(name: str) -> None:
    files = inspected(CardProfile.demo(name))["files"]
    assert [path for path, file in files.items() if "problem" in file] == []
    assert files["3F00/2FE2"]["value"].startswith("8900101")


def test_pins_are_described_without_their_values(fresh: Path) -> None:
    pins = inspected(fresh)["pins"]
    assert pins["01"] == {
        "name": "PIN1", "value": "hidden (8 bytes)", "enabled": True, "tries_left": 3, "max_tries": 3,
        "puk": "hidden (8 bytes)", "puk_tries_left": 10, "puk_max_tries": 10,
    }  # fmt: skip
    assert [pin["name"] for pin in pins.values()] == ["PIN1", "ADM1", "UNIVERSAL", "PIN2"]


def test_keys_and_counters_are_described(used: Path) -> None:
    card = inspected(used)
    assert card["applications"]["USIM"]["k"] == "hidden (16 bytes)"
    assert card["sequence numbers"]["USIM"] == {"highest": "000000000021", "1": "000000000021"}
    assert card["bootstrapping"]["USIM"]["ks"]["ks"] == "hidden (32 bytes)"
    (muk,) = card["MUKs"]["USIM"].values()
    assert (bytes.fromhex(muk["id_i"]), muk["counter"]) == (network.FQDN, 1)
    (msk,) = card["MSKs"]["USIM"].values()
    assert (msk["lower"], msk["upper"], msk["key"]) == (0, 0xFFFE, "hidden (16 bytes)")


def secrets_of(path: Path) -> list[str]:
    """Return every secret of the used card in the forms in which it could leak."""
    made = network.vector(1, network.rand(1), 1)
    session = network.Bootstrap(made["f3"] + made["f4"], network.rand(1))
    keys = [K, OPC, session.ks, session.muk(), session.ltkm().msk]
    codes = [PIN1, PIN2, PUK1, PUK2, UNIVERSAL, ADM1]
    return [key.hex().upper() for key in keys] + codes + [code.encode().hex() for code in codes]


def test_no_secret_is_shown_unless_asked_for(used: Path) -> None:
    # Counters, identities and the like stay; what is left must not hold a secret even by chance.
    shown = inspected(used)
    text = json.dumps({name: part for name, part in shown.items() if name != "files"})
    assert [secret for secret in secrets_of(used) if f'"{secret}' in text or (secret in text and len(secret) > 8)] == []
    files = json.dumps(shown["files"])
    assert [key for key in secrets_of(used)[:5] if key in files] == []


def test_every_secret_is_shown_when_asked_for(used: Path) -> None:
    text = json.dumps(inspected(used, reveal=True))
    wanted = secrets_of(used)
    assert [secret for secret in wanted[:11] if f'"{secret}"' not in text] == []
    assert "hidden" not in text


def test_session_keys_and_files_that_no_pin_opens_are_hidden() -> None:
    text = """
        [[files]]
        path = "MF/2F70"
        structure = "transparent"
        hex = "C0FFEE"
        access = { read = "ADM1" }
        [[files]]
        path = "MF/2F71"
        structure = "linear-fixed"
        records = ["BADBED"]
    """
    profile = CardProfile.parse(_with_files(text))
    files, revealed = inspected(profile)["files"], inspected(profile, reveal=True)["files"]
    assert files["ADF.USIM/6F08"]["content"] == "hidden (33 bytes)"
    assert (files["3F00/2F70"]["content"], revealed["3F00/2F70"]["content"]) == ("hidden (3 bytes)", "C0FFEE")
    assert (files["3F00/2F71"]["records"], revealed["3F00/2F71"]["records"]) == (
        {"1": "hidden (3 bytes)"}, {"1": "BADBED"},
    )  # fmt: skip


def test_data_objects_are_described_by_their_tags() -> None:
    text = """
        [[files]]
        path = "MF/2F72"
        structure = "ber-tlv"
        size = 64
        hex = "8003010203 8101AA"
        access = { read = "ALW" }
    """
    file = inspected(CardProfile.parse(_with_files(text)))["files"]["3F00/2F72"]
    assert file["objects"] == {"80": "010203", "81": "AA"}


def _with_files(text: str) -> str:
    return f"""
        name = "x"
        iccid = "8900101000000000019"
        [pins]
        pin1 = {{ value = "1234" }}
        [usim]
        imsi = "{IMSI}"
        mnc_length = 2
        k = "{K.hex()}"
        opc = "{OPC.hex()}"
        {text}
    """


def test_a_table_nobody_declared_is_shown_with_its_texts_hidden(fresh: Path) -> None:
    plant(fresh, newtable__USIM__a=b'{"tokens": 7, "code": "00112233", "rows": [1, "ff"]}', other__b=b"\x00\x01\x02")
    card = inspected(fresh)
    assert card["newtable"]["USIM"]["a"] == {
        "tokens": 7, "code": "hidden (4 bytes)", "rows": [1, "hidden (1 bytes)"],
    }  # fmt: skip
    assert card["other"]["b"] == "hidden (3 bytes)"


def test_a_damaged_record_is_named_and_the_rest_is_shown(used: Path) -> None:
    plant(used, msk__USIM__broken=b'{"key": "00')
    card = inspected(used)
    assert card["MSKs"]["USIM"]["broken"] == {"problem": "the record cannot be read"}
    assert len(card["MSKs"]["USIM"]) == 2


def test_content_that_does_not_follow_its_format_is_a_problem_of_that_file_alone(fresh: Path) -> None:
    plant(fresh, **{"ef__ADF.USIM__6F07": bytes(9)})
    imsi = inspected(fresh)["files"]["ADF.USIM/6F07"]
    assert imsi["problem"] == "the content does not follow its format"
    assert "value" not in imsi


def test_an_impossible_size_is_told_and_not_allocated(fresh: Path) -> None:
    node = json.loads(contents(fresh)["fs/0002"])
    plant(fresh, fs__0002=json.dumps({**node, "size": 1 << 50}).encode())
    assert inspected(fresh)["files"][node["path"]]["problem"] == "the size is impossible"


def test_a_damaged_file_system_is_one_clear_error(fresh: Path) -> None:
    plant(fresh, fs__0003=b'{"path": 5}')
    with pytest.raises(StoreError, match=r"fresh\.card: "):
        inspect_card(fresh)


def test_a_file_without_a_card_in_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.card"
    SqliteStore(path, create=True).close()
    with pytest.raises(StoreError, match=r"empty\.card: the file holds no personalised card"):
        inspect_card(path)


@pytest.mark.parametrize("row", [(b"card/x", b"1"), ("card/y", None), ("card/z", 1.5)], ids=["key", "null", "number"])
def test_foreign_types_in_the_database_are_one_clear_error(fresh: Path, row: tuple[Any, Any]) -> None:
    with contextlib.closing(sqlite3.connect(fresh)) as database, database:
        database.execute("DROP TABLE nv")
        database.execute("CREATE TABLE nv (key, value)")
        database.execute("INSERT INTO nv VALUES ('card/atr', x'3B00')")
        database.execute("INSERT INTO nv VALUES (?, ?)", row)
    with pytest.raises(StoreError, match=r"fresh\.card"):
        inspect_card(fresh)


def test_a_card_in_use_is_left_alone(fresh: Path) -> None:
    with contextlib.closing(open_card(fresh)), pytest.raises(CardFileLocked, match="in use by process"):
        inspect_card(fresh)


def test_looking_changes_nothing(used: Path) -> None:
    before = contents(used)
    inspect_card(used)
    assert contents(used) == before


def test_the_lock_is_given_back_after_an_error(fresh: Path) -> None:
    with pytest.raises(StoreError, match=r"fresh\.card: broken"), opened(fresh):
        raise StoreError("broken")
    inspect_card(fresh)


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        (0x01, "PIN1"), (0x03, "PIN1 of application 3"), (0x81, "PIN2"), (0x82, "PIN2 of application 2"),
        (0x11, "UNIVERSAL"), (0x0A, "ADM1"), (0x0E, "ADM5"), (0x8A, "ADM6"), (0x8E, "ADM10"), (0x55, "key 55"),
    ],
)  # fmt: skip
def test_key_references_have_the_names_of_the_profile(reference: int, name: str) -> None:
    assert key_name(reference) == name


def test_conditions_in_words() -> None:
    both = Condition(Combination.ALL, (0x01, 0x0A))
    shown = [describe_condition(condition) for condition in (ALWAYS, NEVER, needs(0x81), needs(1, 0x0A), both)]
    assert shown == ["ALW", "NEV", "PIN2", "PIN1 or ADM1", "PIN1 and ADM1"]


def _personalised() -> dict[str, bytes]:
    store = MemoryStore()
    personalise(card_profile(), store)
    return store.load()


CONTENTS = _personalised()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 40), 1 << 40) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(CONTENTS)), st.binary(max_size=40))
def test_any_bytes_in_any_record_end_well(key: str, value: bytes) -> None:
    with contextlib.suppress(StoreError):
        describe_contents({**CONTENTS, key: value})


@given(st.sampled_from(sorted(key for key in CONTENTS if CONTENTS[key].startswith(b"{"))), st.data())
def test_any_value_in_any_field_ends_well(key: str, data: st.DataObject) -> None:
    record = json.loads(CONTENTS[key])
    record[data.draw(st.sampled_from(sorted(record)))] = data.draw(JSON)
    with contextlib.suppress(StoreError):
        describe_contents({**CONTENTS, key: json.dumps(record).encode()})
