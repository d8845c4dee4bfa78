"""Services that need or exclude others, and their names (TS 31.102 clause 4.2.8, TS 31.103 clause 4.2.7)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from card import CardProfile
from card.errors import ProfileError
from card.personalisation.contents import usim_services
from card.profile.usim import ServicesProfile
from card.spec.files.catalogue import all_files
from card.spec.services import ISIM_SERVICES, USIM_SERVICES
from host_tools.terminal.services import service_name
from tests.support.profiles import TEXT, card_profile
from tests.support.testcard import SELECT_USIM, TestCard


def parsed(extra: str, disabled: str = "", more: str = "") -> CardProfile:
    text = TEXT.replace("disabled = [DISABLED]", f"extra = [{extra}]\ndisabled = [{disabled}]")
    text = text.replace("INITIAL_SEQ", "0").replace("AGE_LIMIT", "0")
    return CardProfile.parse(text + more, "test")


def test_operator_plmns_go_with_the_network_s_name() -> None:
    base = card_profile()
    named = replace(base, usim=replace(base.usim, network_name="BCAST", services=ServicesProfile(disabled=(45,))))
    assert {45, 46} & usim_services(named) == set()
    with pytest.raises(ProfileError, match=r"usim\.services\.extra: found 46 without 45"):
        parsed("46")
    with pytest.raises(ProfileError, match="found 46 without 45"):
        parsed("46", "45")
    assert {45, 46} <= usim_services(parsed("45, 46"))


@pytest.mark.parametrize("number", [95, 99, 115])
def test_services_that_an_isim_excludes(number: int) -> None:
    assert number in usim_services(parsed(str(number)))
    with pytest.raises(ProfileError, match=f"found {number}; allowed: not 95, 99, 115 beside an ISIM"):
        parsed(str(number), more="\n[isim]\n")


@pytest.mark.parametrize("number", [2, 6, 34, 35])
def test_ef_est_comes_with_any_of_four_services(number: int) -> None:
    """TS 31.102 clause 4.2.47."""
    others = {2, 6, 34, 35} - {number}
    with_it = TestCard.new(parsed(str(number), ", ".join(map(str, sorted(others)))))
    with_it.ok(SELECT_USIM)
    with_it.ok("00A4000C026F56")
    without = TestCard.new(parsed("", "2, 6, 34, 35"))
    without.ok(SELECT_USIM)
    without.refused("6A82", "00A4000C026F56")


def test_every_service_has_a_name() -> None:
    assert list(USIM_SERVICES) == list(range(1, 137))
    assert list(ISIM_SERVICES) == list(range(1, 22))
    assert service_name(1) == "local phone book"
    assert service_name(200) == "of a later release than 16"
    used = {number for _, row in all_files() for number in (row.service, *row.further_services)}
    assert all(service_name(number) for number in used - {0})
