"""The suites notice a card that keeps a rule of TS 31.102 clause 7.1.1 or TS 33.246 clause 6.5 in another way.

Each test bends one rule of the emulator and names a step that must fail then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from card.domain.authentication import gba
from card.domain.authentication.gba import Gba
from card.domain.errors import KeyNotFound, MtkIdOutside
from card.domain.keys import key_root, ltkm, mbms, stkm
from card.domain.keys.freshness import NEVER
from card.domain.keys.key_root import GbaKeyRoot
from card.domain.keys.mbms import MbmsKeys
from card.domain.messages import ltkm as bcast_ltkm
from card.domain.messages import stkm as bcast_stkm
from card.state.nonvolatile import NonVolatile
from host_tools.script.results import Status
from tests.unit.host_tools.script.test_script_suites import card_for, run

Bend = Callable[[pytest.MonkeyPatch], None]


def failed(suite: str) -> set[str]:
    return {item.name for item in run(suite, card_for(suite)) if item.status in (Status.FAILED, Status.ERROR)}


def res_as_it_is(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gba, "flip_res", lambda res: res)


def lower_limit_inclusive(patch: pytest.MonkeyPatch) -> None:
    def check(message: Any, msk: Any, heard: Any) -> None:
        stkm.check_limits(message, replace(msk, lower=msk.lower - 1), heard)

    patch.setattr(bcast_stkm, "check_limits", check)


def mtk_ids_need_not_rise(patch: pytest.MonkeyPatch) -> None:
    def check(message: Any, msk: Any, heard: Any) -> None:
        if not msk.lower < message.mtk_id <= msk.upper and msk.lower <= msk.upper:
            raise MtkIdOutside

    patch.setattr(bcast_stkm, "check_limits", check)


def mac_before_limits(patch: pytest.MonkeyPatch) -> None:
    def verify(message: Any, msk: Any, keys: MbmsKeys) -> Any:
        protection = stkm.verify(message, msk, keys)
        stkm.check_limits(message, msk, keys.heard(msk))
        return protection

    patch.setattr(bcast_stkm, "check_limits", lambda *_: None)
    patch.setattr(bcast_stkm, "verify", verify)


def plain_numbers(patch: pytest.MonkeyPatch) -> None:
    for module in (ltkm, stkm):
        patch.setattr(module, "is_newer", lambda counter, last: counter > last)


def no_replay_check(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ltkm, "is_newer", lambda *_: True)


def muk_taken_up_with_the_message(patch: pytest.MonkeyPatch) -> None:
    """What a refused message did is undone, the take-up of its MUK as well."""
    patch.setattr(NonVolatile, "commit_now", lambda *_: None)


def older_muk_accepted(patch: pytest.MonkeyPatch) -> None:
    whole = GbaKeyRoot.find_smk
    patch.setattr(GbaKeyRoot, "find_smk", lambda *given: replace(whole(*given), superseded=False))


def older_muk_unknown(patch: pytest.MonkeyPatch) -> None:
    whole = GbaKeyRoot.find_smk

    def find(*given: Any) -> Any:
        found = whole(*given)
        if found.superseded:
            raise KeyNotFound
        return found

    patch.setattr(GbaKeyRoot, "find_smk", find)


def counter_goes_on_with_a_new_muk(patch: pytest.MonkeyPatch) -> None:
    whole = MbmsKeys.take_up_muk

    def take_up(self: MbmsKeys, id_i: bytes, id_r: bytes, key: Any) -> Any:
        known = self.muk_of(id_i)
        muk = whole(self, id_i, id_r, key)
        muk = replace(muk, counter=known.counter if known else NEVER)
        self.put_muk(muk)
        self._nv.commit_now("the counter goes on")
        return muk

    patch.setattr(MbmsKeys, "take_up_muk", take_up)


def older_msk_first(patch: pytest.MonkeyPatch) -> None:
    def entry(self: MbmsKeys, slot: int) -> bytes:
        group = [msk for msk in self.msks() if msk.slot == slot]
        pairs = b"".join(msk.msk_id + max(self.heard(msk).counter, 0).to_bytes(4, "big") for msk in group)
        return group[0].key_domain + bytes((len(group),)) + pairs if group else b""

    patch.setattr(MbmsKeys, "_msk_entry", entry)


def free_record_with_a_count(patch: pytest.MonkeyPatch) -> None:
    whole = MbmsKeys._msk_entry
    patch.setattr(MbmsKeys, "_msk_entry", lambda self, slot: whole(self, slot) or b"\xff\xff\xff\x00")


def invalid_msk_deleted(patch: pytest.MonkeyPatch) -> None:
    whole = MbmsKeys.store_msk

    def store(self: MbmsKeys, delivered: Any) -> Any:
        msk = whole(self, delivered)
        if delivered.lower > delivered.upper:
            self.delete_msk(msk)
        return msk

    patch.setattr(MbmsKeys, "store_msk", store)


def pull_stores_a_key(patch: pytest.MonkeyPatch) -> None:
    def store(opened: Any, keys: MbmsKeys) -> None:
        if opened.ltkm.names_no_key:
            first = keys.msks()[0]
            keys.store_msk(mbms.Delivered(first.key_domain, first.msk_id[:2] + b"\0\0", first.key, 0, 1, first.rand))
        ltkm.store_plain(opened, keys)

    patch.setattr(bcast_ltkm, "store_plain", store)


def oldest_derivation_gives_way(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Gba, "touch", lambda *_: None)


def ks_survives_muk_deletion(patch: pytest.MonkeyPatch) -> None:
    whole = Gba.forget
    patch.setattr(Gba, "forget", lambda self, naf_id, _: whole(self, naf_id, b"another"))


def ks_always_goes_with_a_muk(patch: pytest.MonkeyPatch) -> None:
    whole = Gba.forget
    patch.setattr(Gba, "forget", lambda self, naf_id, _: whole(self, naf_id, self.b_tid()))


def idi_with_the_ua_octets(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(key_root, "naf_id", lambda id_i: id_i)


BENT: list[tuple[str, Bend, str]] = [
    ("gba", res_as_it_is, "Bootstrapping gives RES only, its last bit flipped"),
    ("isim", res_as_it_is, "Bootstrapping gives RES only, its last bit flipped"),
    ("mbms", idi_with_the_ua_octets, "MSK update"),
    ("mbms", lower_limit_inclusive, "An MTK ID equal to SEQl"),
    ("mbms", mtk_ids_need_not_rise, "An MTK ID below the last one"),
    ("mbms", mac_before_limits, "With a wrong MAC as well: the MTK ID is looked at first"),
    ("mbms", plain_numbers, "T of MSK messages goes over FFFFFFFF"),
    ("mbms", no_replay_check, "The same MSK message again"),
    ("mbms", muk_taken_up_with_the_message, "The MUK was taken up all the same: that comes before the MAC"),
    ("mbms", older_muk_accepted, "A right MAC under the MUK used last: not fresh, and no verification message"),
    ("mbms", older_muk_unknown, "A right MAC under the MUK used last: not fresh, and no verification message"),
    ("mbms", counter_goes_on_with_a_new_muk, "The MUK generated last, with T beginning anew"),
    ("mbms", older_msk_first, "It is the first of two, and T of the other stays"),
    ("mbms", free_record_with_a_count, "The record is FF throughout"),
    ("mbms", invalid_msk_deleted, "An MTK message under an invalid MSK"),
    ("mbms", pull_stores_a_key, "EF_MSK is as it was"),
    (
        "mbms",
        oldest_derivation_gives_way,
        "The NAF key that was used is still there (of 2 records or more)",
    ),
    ("mbms", ks_survives_muk_deletion, "Its Ks had the same B-TID and is gone: no NAF derivation"),
    ("mbms", ks_always_goes_with_a_muk, "EF_GBABP is that of the newer Ks"),
]


@pytest.mark.norm("72")
@pytest.mark.parametrize(("suite", "bend", "step"), BENT, ids=[bend.__name__ for _, bend, _ in BENT])
def test_a_bent_rule_is_noticed(suite: str, bend: Bend, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bend(monkeypatch)
    assert step in failed(suite)
