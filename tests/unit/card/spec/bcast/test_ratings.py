"""Rating systems and AIDs against OMA's registries, written down here a second time."""

from __future__ import annotations

import json

import pytest

from card import CardProfile
from card.profile.schema import demo_path
from card.spec.aids import application_name
from card.spec.bcast.p1 import P1
from card.spec.bcast.plain import decode_tables, encode_tables
from card.spec.bcast.ratings import RATING_SYSTEMS, find_rating_system, is_unrated, rating_words
from card.spec.bcast.tables import BcastTables
from card.spec.bcast.x2 import X2

LOWER = {2, 4, 5, 6, 8}  # ICRA language, nudity, sex and violence, RIAA


class TestSystems:
    def test_eleven_types(self) -> None:
        assert [system.type for system in RATING_SYSTEMS] == list(range(11))
        assert {system.type for system in RATING_SYSTEMS if system.deprecated} == {2, 4, 6, 8}

    def test_the_stricter_end_of_each(self) -> None:
        assert set(P1.lower_is_stricter) == LOWER
        assert {system.type for system in RATING_SYSTEMS if system.lower_is_stricter} == LOWER

    @pytest.mark.parametrize(
        ("kind", "value", "words"),
        [
            (0, 0, "DVB undefined"),
            (0, 9, "DVB from 12 years"),
            (0, 15, "DVB from 18 years"),
            (0, 16, "DVB 16 of the broadcaster"),
            (1, 0, "Japan motion picture code G"),
            (1, 3, "Japan motion picture code R-18"),
            (2, 1, "ICRA language level 4"),
            (3, 3, "MPAA PG-13"),
            (3, 6, "MPAA not rated"),
            (3, 7, "MPAA 7 (reserved)"),
            (4, 5, "ICRA nudity level 0"),
            (5, 1, "RIAA parental advisory"),
            (6, 6, "ICRA sex not rated"),
            (7, 6, "FCC TV guidelines TV-MA"),
            (8, 4, "ICRA violence level 1"),
            (9, 5, "FSK from 18 years"),
            (10, 0, "OMA BCAST generic unassigned"),
            (10, 255, "OMA BCAST generic 255, the most restrictive"),
            (11, 5, "rating type 11, value 5"),
            (126, 5, "rating type 126, value 5"),
        ],
    )
    def test_names(self, kind: int, value: int, words: str) -> None:
        assert rating_words(kind, value) == words

    def test_values_that_say_that_there_is_no_rating(self) -> None:
        found = {(kind, value) for kind in range(256) for value in range(256) if is_unrated(kind, value)}
        assert found == {(0, 0), (1, 4), (2, 6), (3, 6), (4, 6), (6, 6), (7, 7), (8, 6), (10, 0)}

    def test_a_reserved_type_has_no_system(self) -> None:
        assert find_rating_system(11) is None


class TestJudgement:
    @pytest.mark.parametrize(
        ("kind", "value", "level", "held"),
        [
            (3, 4, 3, True), (3, 3, 3, False), (3, 2, 3, False),  # R, PG-13, PG where PG-13 is granted
            (5, 1, 2, True), (5, 2, 2, False),  # RIAA: the advisory is the lower value
            (2, 1, 3, True), (2, 3, 3, False), (2, 5, 3, False),  # ICRA: level 4 is value 1
            (126, 6, 5, True), (126, 4, 5, False),
            (3, 6, 3, False), (2, 6, 3, False), (0, 0, 5, False),  # not rated
        ],
    )  # fmt: skip
    def test_p1(self, kind: int, value: int, level: int, held: bool) -> None:
        assert P1.is_too_strict(kind, value, level) is held

    def test_the_other_set_is_turned_round(self) -> None:
        assert X2.is_too_strict(3, 2, 3)
        assert not X2.is_too_strict(3, 4, 3)
        assert X2.is_too_strict(2, 4, 3)
        assert X2.is_too_strict(3, 6, 3), "it holds back what is not rated"

    @pytest.mark.parametrize("tables", [P1, X2])
    def test_without_a_level_nothing_is_held_back(self, tables: BcastTables) -> None:
        rated = [(kind, value) for kind in range(256) for value in range(256) if not is_unrated(kind, value)]
        assert not any(tables.is_too_strict(kind, value, tables.no_level(kind)) for kind, value in rated)


class TestOverrides:
    @pytest.mark.parametrize("given", [[], [3], [0, 1, 255]])
    def test_a_profile_says_which_types(self, given: list[int]) -> None:
        text = f"{demo_path().read_text()}\n[bcast.tables]\nlower_is_stricter = {given}\nunrated_is_held = true\n"
        tables = CardProfile.parse(text, "x").bcast.build_tables()
        assert (tables.lower_is_stricter, tables.unrated_is_held) == (tuple(given), True)

    @pytest.mark.parametrize("tables", [P1, X2])
    def test_a_card_file_keeps_them(self, tables: BcastTables) -> None:
        assert decode_tables(encode_tables(tables)) == tables

    @pytest.mark.parametrize(("was", "lower"), [(True, tuple(sorted(LOWER))), (False, tuple(range(256)))])
    def test_a_card_file_of_before_had_one_direction_for_all(self, was: bool, lower: tuple[int, ...]) -> None:
        """The default of then said nothing of a type: the registry does. What was turned round stays so."""
        plain = json.loads(encode_tables(P1))
        del plain["lower_is_stricter"], plain["unrated_is_held"]
        found = decode_tables(json.dumps({**plain, "higher_is_stricter": was}).encode())
        assert (found.lower_is_stricter, found.unrated_is_held) == (lower, False)


@pytest.mark.parametrize(
    ("aid", "name"),
    [
        ("A0000000871002FFFFFFFF8907090000", "USIM"),
        ("A0000000871004FF", "ISIM"),
        ("A0000003431002", "CSIM"),
        ("A00000041200010102030405", "OMA BCAST BSIM"),
        ("A00000041200020102030405", "application of OMA"),
        ("A0000000030000", ""),
        ("", ""),
    ],
)
def test_applications_by_aid(aid: str, name: str) -> None:
    assert application_name(bytes.fromhex(aid)) == name
