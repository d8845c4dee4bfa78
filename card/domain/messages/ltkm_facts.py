"""One LTKM under the OMA BCAST rules: what the conditions of `LTKM_RULES` ask of it and of the records of its key."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from card.codec.bcast import LtkmManagement
from card.domain.bcast.bcast import Bcast
from card.domain.bcast.purse import MOST
from card.domain.bcast.spe import NO_POLICIES, StoredSpe
from card.domain.keys.ltkm import OpenedLtkm
from card.domain.keys.mbms import msk_name
from card.domain.messages.rules import LTKM_RULES, LtkmCondition
from card.errors import DecodeError
from card.spec.bcast.tables import SpeRow


class LtkmFacts:
    """One opened LTKM with its management data, beside the key's records."""

    __slots__ = ("_row", "bcast", "group", "management", "name", "opened")

    def __init__(self, opened: OpenedLtkm, management: LtkmManagement, bcast: Bcast) -> None:
        self.opened, self.management, self.bcast = opened, management, bcast
        ids = opened.ltkm.ids
        self.name = msk_name(ids.key_domain_id, ids.msk_id)
        self.group = ids.key_domain_id + ids.key_group
        self._row = None if management.spe is None else bcast.tables.find_spe(management.spe)
        if self._row is not None and not self.is_without_key():
            self._require_key()

    def _require_key(self) -> None:
        """Raise `DecodeError` for a key or bounds that a policy cannot have: 16 bytes, STKM timestamps of 32 bits."""
        if max(self.opened.bounds) > MOST or not self.opened.msk:
            raise DecodeError("LTKM: the validity bounds are timestamps of 32 bits")

    @property
    def row(self) -> SpeRow:
        """The table row of the SPE, which is supported."""
        assert self._row is not None
        return self._row

    @property
    def keeps_old(self) -> bool:
        """What a purse or counter holds stays, and what comes is added."""
        return self.management.add or self.management.keep_credit

    def is_unknown(self) -> bool:
        """The SPE is none of the tables'."""
        return self._row is None

    def is_without_key(self) -> bool:
        """The LTKM brings tokens and no key."""
        return not self.opened.brings_key

    def is_withdrawal(self) -> bool:
        """The interval holds nothing."""
        lower, upper = self.opened.bounds
        return lower > upper

    def records(self) -> tuple[StoredSpe, ...]:
        """Return the records the key has."""
        return (self.bcast.policies.find(self.name) or NO_POLICIES).records

    def same(self) -> StoredSpe | None:
        """Return the record that the LTKM overwrites, or None; whether validity counts is a switch of the tables."""
        any_validity, bounds = not self.bcast.tables.identity_with_validity, self.opened.bounds
        for record in self.records():
            if record.spe == self.management.spe and (any_validity or (record.lower, record.upper) == bounds):
                return record
        return None

    def has_no_room(self) -> bool:
        """The key or the card holds as many records as it can."""
        capacity = self.bcast.tables.capacity
        if len(self.records()) >= capacity["records_per_key"]:
            return True
        return self.bcast.policies.count() >= capacity["records"]


CONDITIONS: Mapping[LtkmCondition, Callable[[LtkmFacts], bool]] = {
    LtkmCondition.NO_POLICY: lambda facts: facts.management.spe is None,
    LtkmCondition.SPE_UNKNOWN: LtkmFacts.is_unknown,
    LtkmCondition.WITHOUT_KEY: LtkmFacts.is_without_key,
    LtkmCondition.TOKENS_WITHOUT_PURSE: lambda facts: (
        facts.management.tokens is not None and not facts.row.source.is_purse
    ),
    LtkmCondition.NO_TOKENS: lambda facts: facts.management.tokens is None,
    LtkmCondition.EMPTY_INTERVAL: LtkmFacts.is_withdrawal,
    LtkmCondition.KNOWN: lambda facts: facts.same() is not None,
    LtkmCondition.NO_ROOM: LtkmFacts.has_no_room,
}

LTKM_DECISIONS = LTKM_RULES.bind(CONDITIONS)
"""`LTKM_RULES`, with how the facts answer what they ask."""
