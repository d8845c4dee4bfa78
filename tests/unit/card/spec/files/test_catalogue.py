"""The declared files as a whole: places, views, and what a card makes of them."""

from __future__ import annotations

import pytest

from card.personalisation.contents import usim_services
from card.personalisation.layout import lay_out
from card.spec.files.catalogue import all_directories, all_files
from card.spec.files.rows import EfRow
from tests.support.platform_cards import platform_profile
from tests.support.profiles import card_profile
from tests.support.testcard import TestCard

FILES = dict(all_files())
VIEWS = [(path, row) for path, row in FILES.items() if row.view]


def test_every_place_is_taken_once() -> None:
    listed = [path for path, _ in all_files()]
    assert len(listed) == len(set(listed))
    directories = [path for path, _ in all_directories()]
    assert not set(directories) & set(listed)


def test_short_identifiers_are_unique_in_each_directory() -> None:
    seen: set[tuple[str, int]] = set()
    for path, row in FILES.items():
        place = (path.rpartition("/")[0], row.sfi)
        assert not row.sfi or place not in seen, path
        seen.add(place)


@pytest.mark.parametrize(("path", "row"), VIEWS, ids=[path for path, _ in VIEWS])
def test_views_show_files_of_their_own_shape(path: str, row: EfRow) -> None:
    target = FILES[row.view]
    assert not target.view, "no view of a view"
    assert (row.structure, row.size) == (target.structure, target.size), path


def test_the_file_of_a_service_is_there_exactly_with_the_service() -> None:
    profile = platform_profile()
    services = usim_services(profile)
    there = {planned.node.path for planned in lay_out(profile)}
    for path, row in FILES.items():
        if path.startswith("ADF.USIM/") and row.service:
            assert (path in there) == (row.service in services), path


def test_the_service_table_says_what_is_there() -> None:
    card = TestCard.new(card_profile(disabled=(10, 27))).ready()
    table = card.read(0x6F38)
    announced = {8 * index + bit + 1 for index, byte in enumerate(table) for bit in range(8) if byte >> bit & 1}
    assert announced == usim_services(card_profile(disabled=(10, 27)))
    card.refused("6A82", "00A4000C026F3C")
    card.refused("6A82", "00A4000C025F3B")


def test_every_file_of_the_card_can_be_selected_and_its_fcp_read() -> None:
    card = TestCard.new(platform_profile())
    for node in card.card._context.files.tree:
        root, *fids = node.path.split("/")
        if root.startswith("ADF."):
            card.ok("00A4040C10", node.aid or card.card._context.files.tree[root].aid)
        if fids:
            p1 = "09" if root.startswith("ADF.") else "08"
            fcp = card.ok(f"00A4{p1}04{2 * len(fids):02X}", "".join(fids))
            assert fcp[0] == 0x62, node.path
            assert len(fcp) < 0x82, "a one-byte length, which simple clients count on"
