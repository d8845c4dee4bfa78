"""Every service of every application, switched on and off one at a time, gives a card that works and says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from card import CardProfile
from card.codec.ef import CODECS
from card.filesystem.filesystem import FileSystem
from card.inspection.files import describe_files
from card.personalisation.personalise import personalise
from card.profile.isim import IsimProfile
from card.profile.usim import ServicesProfile
from card.spec.files.catalogue import all_files
from card.spec.files.rows import EfRow, Structure
from card.spec.services import OPERATOR_PLMN_LIST, PLMN_NETWORK_NAME
from card.state.nonvolatile import NonVolatile
from card.store.memory import MemoryStore
from tests.support.csim import csim_profile
from tests.support.profiles import card_profile
from tests.support.testcard import SELECT_USIM, TestCard

USIM_NUMBERS = range(1, 137)
ISIM_NUMBERS = range(1, 25)
CSIM_NUMBERS = range(1, 49)
SWITCHES = {"on": lambda number: ServicesProfile(extra=(number,)), "off": lambda number: ServicesProfile((), (number,))}
EF_UST, EF_IST, EF_CSIM_ST = "ADF.USIM/6F38", "ADF.ISIM/6F07", "ADF.CSIM/6F32"
# Services that need nothing but a value of the profile, and their files.
VALUE_FILES = {17: "6F3E", 18: "6F3F", 19: "6F46", 21: "6F40", 45: "6FC5", 46: "6FC6", 71: "6FD9", 76: "6FDD"}


def files_of(profile: CardProfile) -> FileSystem:
    """Personalise a card, power it on and select its USIM; return its files."""
    store = MemoryStore()
    personalise(profile, store)
    TestCard(store).ok(SELECT_USIM)
    return FileSystem(NonVolatile(store))


def with_usim_services(services: ServicesProfile) -> CardProfile:
    profile = card_profile()
    return replace(profile, usim=replace(profile.usim, services=services))


def with_isim_services(services: ServicesProfile) -> CardProfile:
    return replace(card_profile(), isim=IsimProfile(services=services))


def with_csim_services(services: ServicesProfile) -> CardProfile:
    profile = csim_profile()
    assert profile.csim is not None
    # Neither SPN nor MDN: a service of theirs must bring the file without a value.
    return replace(profile, csim=replace(profile.csim, services=services, spn=None, mdn=None))


def problems(files: FileSystem) -> Iterator[str]:
    """Yield the files whose content does not follow its own format."""
    for path, described in describe_files(files).items():
        assert isinstance(described, dict)
        if "problem" in described:
            yield path


@pytest.mark.parametrize("switch", SWITCHES)
@pytest.mark.parametrize(
    ("numbers", "profile", "table"),
    [
        (USIM_NUMBERS, with_usim_services, EF_UST),
        (ISIM_NUMBERS, with_isim_services, EF_IST),
        (CSIM_NUMBERS, with_csim_services, EF_CSIM_ST),
    ],
    ids=["USIM", "ISIM", "CSIM"],
)
def test_every_service_alone(
    numbers: range, profile: Callable[[ServicesProfile], CardProfile], table: str, switch: str
) -> None:
    """No profile of these is refused: the card opens, its table has the bit, its files can be read."""
    for number in numbers:
        files = files_of(profile(SWITCHES[switch](number)))
        offered = CODECS["services"].decode(files.contents.whole(files.tree[table]))
        # The list of operator PLMNs needs the network's name (TS 31.102 clause 4.2.8), which this profile has not.
        needs_another = table == EF_UST and number == OPERATOR_PLMN_LIST
        assert (number in offered) == (switch == "on" and not needs_another), f"service {number}"
        assert list(problems(files)) == [], f"service {number}"


def switched(row: EfRow, number: int, switch: str) -> ServicesProfile:
    """Return the switch for one of a file's services, the others off; a service that needs another has it."""
    others = tuple(each for each in (row.service, *row.further_services) if each != number)
    if switch == "off":
        return ServicesProfile((), (number, *others))
    return ServicesProfile((number, PLMN_NETWORK_NAME) if number == OPERATOR_PLMN_LIST else (number,), others)


@pytest.mark.parametrize("switch", SWITCHES)
def test_a_file_comes_and_goes_with_its_service(switch: str) -> None:
    """What the catalogue ties to a service directly under ADF.USIM."""
    own = [(path, row) for path, row in all_files() if path.rpartition("/")[0] == "ADF.USIM" and not row.view]
    tied = [(path, row) for path, row in own if row.service]
    assert len(tied) >= 30
    for path, row in tied:
        for number in (row.service, *row.further_services) if switch == "on" else (row.service,):
            assert (files_of(with_usim_services(switched(row, number, switch))).tree.get(path) is not None) == (
                switch == "on"
            ), row.name


@pytest.mark.parametrize("service", VALUE_FILES)
def test_a_service_without_a_value_has_a_file_without_one(service: int) -> None:
    """Free records, FF bytes; an SPN has its display condition all the same."""
    needed = (PLMN_NETWORK_NAME,) if service == OPERATOR_PLMN_LIST else ()
    files = files_of(with_usim_services(ServicesProfile(extra=(service, *needed))))
    node = files.tree[f"ADF.USIM/{VALUE_FILES[service]}"]
    expected = b"\x00" if node.name == "EF_SPN" else b""
    assert node.structure in (Structure.TRANSPARENT, Structure.LINEAR_FIXED)
    assert files.contents.whole(node).rstrip(b"\xff") == expected
    assert node.size > 0


def test_without_the_switch_there_is_no_such_file() -> None:
    files = files_of(card_profile())
    assert [fid for fid in VALUE_FILES.values() if files.tree.get(f"ADF.USIM/{fid}") is not None] == []
