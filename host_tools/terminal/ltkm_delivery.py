"""An LTKM arrives at the terminal: the checks before the card sees it, and what is done about the card's answer.

TS 33.246 clause 6.4.6.1 has the steps, TS 31.102 clause 7.1.1.6 the status words and, in its notes, what a terminal
does about them. Requests to the network are not sent from here: the receipt says which one is due.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from card.codec.mikey import (
    Extension,
    ExtensionType,
    Identity,
    MbmsKeyIds,
    MikeyMessage,
    SecurityPolicy,
    Timestamp,
    is_newer,
)
from card.errors import DecodeError
from card.spec.bcast.tables import Reason
from card.spec.gba import naf_id
from host_tools.apdu.response import StatusError
from host_tools.terminal.bcast import reason_of
from host_tools.terminal.card_application import CardApplication
from host_tools.terminal.errors import NoUsableKsError
from host_tools.terminal.gba import Bsf, bootstrap, derive_naf_key, usable_ks
from host_tools.terminal.key_files import MskEntry, MukEntry
from host_tools.terminal.ltkm_receipt import LtkmReceipt, LtkmVerdict, MskRequest, is_pull, verdict_of
from host_tools.terminal.usim import Usim


@dataclass(frozen=True, slots=True)
class LtkmView:
    """What a terminal reads in an LTKM: key IDs, T (32 bits), IDi and IDr, the SP payloads.

    `is_bcast`: it has the extension of OMA BCAST.
    """

    ids: MbmsKeyIds
    counter: int
    id_i: bytes
    id_r: bytes
    policies: tuple[SecurityPolicy, ...]
    is_bcast: bool = False

    @property
    def is_pull(self) -> bool:
        """Whether it is a solicited pull: Key Number 0 (TS 33.246 clause 6.3.2.2.4).

        With the extension of OMA BCAST it is none but brings tokens without a key (spec of this project, ours).
        """
        return is_pull(self.ids) and not self.is_bcast

    @classmethod
    def decode(cls, raw: bytes) -> LtkmView:
        """Read an LTKM. Raises `DecodeError` for anything that is not one: EXT must name an MSK and no MTK."""
        message = MikeyMessage.decode(raw)
        ids, timestamp = message.key_ids(), message.one(Timestamp)
        timestamp.require_counter()
        if ids.mtk_id is not None:
            raise DecodeError("the message names a traffic key: it is no LTKM")
        identities = message.all(Identity)
        if len(identities) != 2:
            raise DecodeError(f"IDi and IDr are wanted, {len(identities)} identities found")
        id_i, id_r = identities
        is_bcast = any(item.type == ExtensionType.OMA_BCAST for item in message.all(Extension))
        return cls(ids, timestamp.value, id_i.value, id_r.value, message.all(SecurityPolicy), is_bcast)


class SpareKeys(Protocol):
    """Says which keys a card may lose when it is full: only the terminal knows what it needs (TS 33.246 clause 6.1)."""

    def spare_group(self, held: Sequence[MskEntry], wanted: MbmsKeyIds, /) -> MskEntry | None:
        """Return a key whose group may go to make room for `wanted`, or None."""

    def spare_muk(self, held: Sequence[MukEntry], id_i: bytes, /) -> MukEntry | None:
        """Return a MUK that may go to make room for one of the BM-SC `id_i`, or None."""


class KeepAll:
    """Gives no key away."""

    def spare_group(self, _held: Sequence[MskEntry], _wanted: MbmsKeyIds) -> None:
        """Return None."""

    def spare_muk(self, _held: Sequence[MukEntry], _id_i: bytes) -> None:
        """Return None."""


@dataclass(frozen=True, slots=True)
class KeepNeeded:
    """Gives away what is not named: `groups` are key domain and key group (5 bytes), `bm_scs` FQDNs."""

    groups: frozenset[bytes]
    bm_scs: frozenset[bytes] = frozenset()

    def spare_group(self, held: Sequence[MskEntry], wanted: MbmsKeyIds) -> MskEntry | None:
        """Return the first key of another group than the needed ones and the wanted one."""
        kept = self.groups | {wanted.key_domain_id + wanted.key_group}
        return next((msk for msk in held if msk.key_domain_id + msk.msk_id[:2] not in kept), None)

    def spare_muk(self, held: Sequence[MukEntry], id_i: bytes) -> MukEntry | None:
        """Return the first MUK of another BM-SC than the needed ones and the one that asks."""
        kept = self.bm_scs | {id_i}
        return next((muk for muk in held if muk.id_i not in kept), None)


class NafKeys(Protocol):
    """How a lost NAF key comes back."""

    def renew(self, id_i: bytes, b_tid: str, /) -> bool:
        """Derive the NAF key of the BM-SC `id_i` again if the Ks of this B-TID is still there; tell whether it was."""

    def current_b_tid(self, *, renewed: bool) -> str:
        """Return the B-TID to use now, "" when there is none; `renewed`: bootstrap for it where that can be done."""


class NoNafKeys:
    """For an application without GBA."""

    def renew(self, _id_i: bytes, _b_tid: str) -> bool:
        """Return False."""
        return False

    def current_b_tid(self, *, renewed: bool) -> str:
        """Return "" in either case."""
        del renewed
        return ""


@dataclass(frozen=True, slots=True)
class GbaNafKeys:
    """NAF keys of a USIM. `bsf` is there where the terminal can bootstrap; `now`, an aware time, judges lifetimes."""

    usim: Usim
    impi: str
    bsf: Bsf | None = None
    now: datetime | None = None

    def renew(self, id_i: bytes, b_tid: str) -> bool:
        """Run a NAF derivation if the card's Ks has this B-TID (TS 33.246 clause 6.1)."""
        try:
            if usable_ks(self.usim, self.now).b_tid != b_tid:
                return False
            derive_naf_key(self.usim, naf_id(id_i), self.impi, now=self.now)
        except NoUsableKsError:
            return False
        return True

    def current_b_tid(self, *, renewed: bool) -> str:
        """Return the B-TID of the Ks in the card; with `renewed` one is bootstrapped where no Ks is fit."""
        try:
            return usable_ks(self.usim, self.now).b_tid
        except NoUsableKsError:
            if not renewed or self.bsf is None:
                return ""
        return bootstrap(self.usim, self.bsf, self.impi).b_tid


@dataclass(frozen=True, slots=True)
class LtkmDelivery:
    """Gives LTKMs to an application. `naf_keys` bring back lost NAF keys, `spare` says what may go from a full card."""

    application: CardApplication
    naf_keys: NafKeys
    spare: SpareKeys

    def deliver(self, ltkm: bytes) -> LtkmReceipt:
        """Check an LTKM, give it to the card, act on the answer; a message is given twice at most.

        Raises `MalformedAnswerError`, `LinkError`, and where the terminal bootstraps what the BSF raises. What the card
        refuses is a receipt.
        """
        try:
            view = LtkmView.decode(ltkm)
        except DecodeError:
            return LtkmReceipt(LtkmVerdict.NO_LTKM)
        if self._is_stale(view):
            return LtkmReceipt(LtkmVerdict.STALE, ids=view.ids)
        receipt = self._give(ltkm, view)
        if self._mended(receipt.verdict, view):
            receipt = self._give(ltkm, view)
        return replace(receipt, request=self._request(receipt.verdict, view), ids=view.ids)

    def _is_stale(self, view: LtkmView) -> bool:
        """Compare T with that of the message's MUK in EF_MUK; without a record of it there is nothing to compare."""
        name = view.id_i, view.id_r
        try:
            muk = next((muk for muk in self.application.iter_muks() if (muk.id_i, muk.id_r) == name), None)
        except StatusError:  # no such file, or not to be read: the card has the last word
            return False
        # 00000000 is what a MUK that has not been used yet shows: no message came under it, so any T is new.
        return muk is not None and muk.counter != 0 and not is_newer(view.counter, muk.counter)

    def _give(self, ltkm: bytes, view: LtkmView) -> LtkmReceipt:
        """Give the whole message to the card. The SP payloads are kept aside and in use only when it took it."""
        try:
            answer = self.application.msk_update(ltkm)
        except StatusError as error:
            return LtkmReceipt(verdict_of(error.sw), sw=error.sw)
        reason = reason_of(answer.status or 0, self.application.tables)
        if answer.status is None or reason in (Reason.DONE, Reason.PURSE_OVERFLOW):
            return LtkmReceipt(LtkmVerdict.TAKEN, answer.verification, answer, policies=view.policies)
        return LtkmReceipt(LtkmVerdict.POLICY, answer.verification, answer, reason)

    def _mended(self, verdict: LtkmVerdict, view: LtkmView) -> bool:
        """Do what lets the card take the message after all; tell whether something was done.

        Where the card does not show what it holds, nothing is.
        """
        try:
            return self._made_room(verdict, view)
        except StatusError:
            return False

    def _made_room(self, verdict: LtkmVerdict, view: LtkmView) -> bool:
        match verdict:
            case LtkmVerdict.NAF_KEY_GONE:
                return self.naf_keys.renew(view.id_i, view.id_r.decode("utf-8", "replace"))
            case LtkmVerdict.NO_ROOM_FOR_MSK:
                spare = self.spare.spare_group(self.application.read_msks(), view.ids)
                if spare is not None:
                    self.application.msk_deletion(spare.key_domain_id, spare.msk_id[:2])
                return spare is not None
            case LtkmVerdict.NO_ROOM_FOR_MUK:
                muk = self.spare.spare_muk(tuple(self.application.iter_muks()), view.id_i)
                if muk is not None:
                    self.application.muk_deletion(muk.id_r, muk.id_i)
                return muk is not None
            case _:
                return False

    def _request(self, verdict: LtkmVerdict, view: LtkmView) -> MskRequest | None:
        """Return the MSK request that the outcome calls for.

        Without back-off only where the card found a solicited pull authentic (TS 33.246 clause 6.3.2.2.1).
        """
        domain, group, pull = view.ids.key_domain_id, view.ids.key_group, view.is_pull
        match verdict:
            case LtkmVerdict.TAKEN if pull:
                return MskRequest(domain, group, back_off=False, b_tid=self.naf_keys.current_b_tid(renewed=False))
            case LtkmVerdict.OUTDATED_MUK:
                return MskRequest(domain, group, not pull, self.naf_keys.current_b_tid(renewed=False))
            case LtkmVerdict.NAF_KEY_GONE | LtkmVerdict.UNKNOWN_MUK:
                return MskRequest(domain, group, back_off=True, b_tid=self.naf_keys.current_b_tid(renewed=True))
            case _:
                return None
