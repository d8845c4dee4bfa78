"""Cards for the tests of the platform: the test card with files for searching, counting and data objects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from card import CardProfile
from card.profile.files import AccessCondition, AccessProfile, EfPath, FileProfile, Root, Structure
from card.profile.isim import IsimProfile
from tests.support.profiles import card_profile
from tests.support.testcard import TestCard

RECORDS, COUNTER, OBJECTS, EXPANDED = 0x2F70, 0x2F71, 0x2F72, 0x2F73
RECORDS_SFI, COUNTER_SFI, OBJECTS_SFI = 10, 11, 12
OBJECTS_SIZE = 600
_OPEN = AccessProfile(
    AccessCondition.ALWAYS, AccessCondition.ALWAYS, AccessCondition.PIN1,
    AccessCondition.ADM1, AccessCondition.ADM1, AccessCondition.ADM1,
)  # fmt: skip


def _path(fid: int) -> EfPath:
    return EfPath(Root.MF, (fid,))


def _records(*texts: str) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(text) for text in texts)


FILES = (
    FileProfile(
        _path(RECORDS), None, _records("11223344", "22334455", "33AA3344", "44FFFFFF"), Structure.LINEAR_FIXED,
        sfi=RECORDS_SFI, access=_OPEN,
    ),
    FileProfile(
        _path(COUNTER), None, _records("000005", "000004"), Structure.CYCLIC, sfi=COUNTER_SFI, access=_OPEN
    ),
    FileProfile(
        _path(OBJECTS), bytes.fromhex("8003010203"), None, Structure.BER_TLV, OBJECTS_SIZE, sfi=OBJECTS_SFI,
        access=_OPEN,
    ),
    FileProfile(
        _path(EXPANDED), b"\xca\xfe", None, Structure.TRANSPARENT,
        access=AccessProfile(AccessCondition.PIN1, AccessCondition.ADM1, expanded=True),
    ),
)  # fmt: skip


def platform_profile(**changes: Any) -> CardProfile:
    """Return the test profile with the files above and an ISIM; `changes` are fields of the profile."""
    profile = card_profile()
    return replace(profile, **{"files": (*profile.files, *FILES), "isim": IsimProfile(), **changes})


def platform_card(**changes: Any) -> TestCard:
    """Return a powered card with that profile."""
    return TestCard.new(platform_profile(**changes))
