"""What a profile becomes on the card."""

from __future__ import annotations

from pathlib import Path

import pytest

from card import CardProfile, create_card, memory_card, open_card
from card.codec.ef import CODECS
from card.codec.fcp import Fcp
from card.errors import ProfileError, StoreError
from card.filesystem.filesystem import FileSystem
from card.personalisation.layout import lay_out
from card.personalisation.personalise import personalise
from card.profile.schema import Transport
from card.state.nonvolatile import ATR_KEY, NonVolatile
from card.store.memory import MemoryStore
from tests.support import profiles
from tests.support.profiles import card_profile
from tests.support.testcard import SELECT_USIM, TestCard


def files_of(profile: CardProfile) -> FileSystem:
    store = MemoryStore()
    personalise(profile, store)
    return FileSystem(NonVolatile(store))


@pytest.mark.parametrize(
    ("fid", "codec", "value"),
    [
        ("3F00/2FE2", "iccid", "8900101000000000019"),
        ("ADF.USIM/6F07", "imsi", profiles.IMSI),
        ("ADF.USIM/6F05", "languages", ["en"]),
        ("ADF.USIM/6F78", "access classes", [9]),
    ],
)
def test_values_of_the_profile_are_in_the_files(fid: str, codec: str, value: object) -> None:
    files = files_of(card_profile())
    assert CODECS[codec].decode(files.contents.whole(files.tree[fid])) == value


def test_mnc_length_is_in_ef_ad() -> None:
    files = files_of(card_profile())
    assert files.contents.whole(files.tree["ADF.USIM/6FAD"])[3] == 2


def test_ef_dir_names_the_application() -> None:
    card = TestCard.new()
    aid, label = CODECS["application"].decode(card.record(0x2F00, 1))
    assert (aid, label) == (profiles.AID, "USIM")


def test_record_counts_are_the_profile_s() -> None:
    tree = files_of(card_profile()).tree
    counts = [tree[f"ADF.USIM/{fid}"].record_count for fid in ("6FD7", "6FD8", "6FDA")]
    assert counts == [3, 2, 2]


def test_every_file_has_an_access_rule_that_can_be_read() -> None:
    files = files_of(card_profile())
    assert [node.path for node in files.tree if not files.rule(node).grants] == []


def test_a_file_of_the_profile_stands_in_a_directory_made_for_it() -> None:
    card = TestCard.new()
    card.ok(SELECT_USIM)
    fcp = Fcp.decode(card.ok(f"00A4010402{profiles.NESTED_DF:04X}00"))
    assert (fcp.file_id, fcp.is_directory) == (profiles.NESTED_DF, True)
    assert card.read(profiles.NESTED_EF) == b"\xca\xfe"


@pytest.mark.parametrize("fid", ["6FD6", "6FDA"])
def test_a_service_switched_off_takes_its_files_along(fid: str) -> None:
    assert files_of(card_profile()).tree.get(f"ADF.USIM/{fid}") is not None
    assert files_of(card_profile(disabled=(68,))).tree.get(f"ADF.USIM/{fid}") is None


def test_a_store_is_personalised_once() -> None:
    store = MemoryStore()
    personalise(card_profile(), store)
    before = store.load()
    with pytest.raises(StoreError, match="holds a card already"):
        personalise(card_profile(), store)
    assert store.load() == before


def test_one_commit_makes_the_card() -> None:
    class Counting(MemoryStore):
        commits = 0

        def commit(self, changes: object) -> None:
            self.commits += 1
            super().commit(changes)  # type: ignore[arg-type]  # whatever the card hands over

    store = Counting()
    personalise(card_profile(), store)
    assert store.commits == 1


@pytest.mark.parametrize("name", ["usim", "usim-t1"])
def test_the_demo_profiles_make_cards(name: str) -> None:
    profile = CardProfile.demo(name)
    card = memory_card(profile, strict=True)
    atr = card.power_on()
    assert (atr[2:4] == b"\x96\x81") is (profile.transport is Transport.T1)
    assert card.aids[0] == profile.usim.aid
    assert card.transmit(bytes.fromhex("00A40004023F00"))[0] == 0x61


def test_the_same_profile_makes_the_same_card() -> None:
    stores = [MemoryStore(), MemoryStore()]
    for store in stores:
        personalise(card_profile(), store)
    assert stores[0].load() == stores[1].load()


BAD_FILES = {
    "a directory": 'path = "MF/ADF"\nhex = "00"',
    "under a file": 'path = "MF/2FE2/6F01"\nstructure = "transparent"\nhex = "00"',
    "new without structure": 'path = "MF/2F70"\nhex = "00"',
    "other structure": 'path = "MF/2FE2"\nstructure = "cyclic"\nrecords = ["00"]',
    "hex into records": 'path = "MF/2F00"\nhex = "00"',
    "records into a transparent file": 'path = "MF/2FE2"\nrecords = ["00"]',
    "records of no size": 'path = "MF/2F70"\nstructure = "linear-fixed"',
}


@pytest.mark.parametrize("text", BAD_FILES.values(), ids=BAD_FILES)
def test_files_that_do_not_fit_are_a_profile_error(text: str) -> None:
    with pytest.raises(ProfileError):
        lay_out(CardProfile.parse(f"{card_text()}\n[[files]]\n{text}\n"))


def card_text() -> str:
    text = profiles.TEXT.replace("DISABLED", "").replace("INITIAL_SEQ", "0").replace("AGE_LIMIT", "0")
    return text.partition("[[files]]")[0]


def test_a_profile_that_does_not_fit_leaves_no_file(tmp_path: Path) -> None:
    profile = CardProfile.parse(f"{card_text()}\n[[files]]\n{BAD_FILES['new without structure']}\n")
    with pytest.raises(ProfileError):
        create_card(profile, tmp_path / "new.card")
    assert list(tmp_path.iterdir()) == []


def test_create_then_open(tmp_path: Path) -> None:
    path = tmp_path / "new.card"
    create_card(card_profile(), path).close()
    card = open_card(path, strict=True)
    assert card.power_on() == card.atr
    card.close()


def test_an_empty_store_is_no_card() -> None:
    with pytest.raises(StoreError, match="no personalised card"):
        TestCard(MemoryStore())


def test_a_card_of_an_unknown_algorithm_is_refused() -> None:
    store = MemoryStore()
    personalise(card_profile(), store)
    changed = store.load()["app/USIM"].replace(b"milenage", b"rot13")
    with pytest.raises(StoreError, match="algorithm"):
        TestCard(MemoryStore({**store.load(), "app/USIM": changed}))


def test_the_atr_of_the_profile_is_stored() -> None:
    store = MemoryStore()
    personalise(card_profile(), store)
    assert TestCard(store).card.atr == store.load()[ATR_KEY]
