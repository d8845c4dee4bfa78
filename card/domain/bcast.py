"""What an application keeps for OMA BCAST: tables, policies, purses, parental control, recordings.

It also stands behind the MSKs (`mbms.Dependents`): what a key's policies need when the key loses its place, and what is
kept of them when it goes.
"""

from __future__ import annotations

from card.domain.errors import NoRoomForMsk
from card.domain.mbms import NOT_SHOWN, MbmsKeys, MskRecord
from card.domain.parental import Parental
from card.domain.purse import Purses
from card.domain.recording import Recordings
from card.domain.spe import KeyPolicies, PolicyTable, SpeRecord
from card.spec.bcast_tables import BcastTables, Direction, Source
from card.state.nonvolatile import NonVolatile


class Bcast:
    """The BCAST side of one application."""

    def __init__(self, nv: NonVolatile, application: str, tables: BcastTables, msks: MbmsKeys) -> None:
        self.tables = tables
        self.msks = msks
        self.policies = PolicyTable(nv, application, tables)
        self.purses = Purses(nv, application, tables.capacity["purses"], self._groups_to_credit)
        self.parental = Parental(nv, application, tables)
        self.recordings = Recordings(nv, application, tables.capacity["contents"])
        msks.dependents = self

    # --- what MSKs ask of their dependents

    def outlives(self, msk: MskRecord) -> bool:
        """Keep a key that can be played back, that a recording needs, or under which something is paid and unused."""
        policies = self.policies.find(msk.name)
        if policies is None:
            return False
        return bool(policies.places(Direction.PLAYBACK)) or self._is_needed(msk, policies)

    def make_room(self) -> None:
        """Drop the oldest key kept outside EF_MSK that may go, when their number is at its limit."""
        kept = [msk for msk in self.msks.msks() if msk.slot == NOT_SHOWN]
        if len(kept) < self.tables.capacity["history_keys"]:
            return
        for msk in kept:
            policies = self.policies.find(msk.name)
            if policies is None or not self._is_needed(msk, policies):
                self.msks.delete_msk(msk)
                return
        raise NoRoomForMsk

    def _is_needed(self, msk: MskRecord, policies: KeyPolicies) -> bool:
        """Tell whether a recording needs a key, or credit that was not spent would go with it.

        A price due once is used up when the key was heard live up to the end of its validity.
        """
        heard = self.msks.heard(msk).counter
        return any(
            record.recorded
            or (record.counter > 0 and not self.keeps_credit(record))
            or (record.paid and heard < record.upper)
            for record in policies.records
        )

    def forget(self, msk: MskRecord) -> None:
        """Drop the records of a key that goes."""
        policies = self.policies.find(msk.name)
        if policies is not None:
            self.keep_credit(msk.group, policies.records)
            self.policies.replace(msk.name, ())

    # --- records

    def keep_credit(self, group: bytes, gone: tuple[SpeRecord, ...]) -> None:
        """Keep what is left of the TEK counters of records that go, where their LTKM asked for it."""
        left = sum(record.counter for record in gone if self.keeps_credit(record))
        if left:
            self.purses.keep_teks(group, left)

    def keeps_credit(self, record: SpeRecord) -> bool:
        """Tell whether what is left of a record's counter is kept when it goes: its LTKM asked for it."""
        return record.keep_credit and self.policies.row(record).source is Source.TEK_COUNTER

    def _groups_to_credit(self) -> set[bytes]:
        """Return the groups that something is kept for when their records go."""
        return {
            msk.group
            for msk in self.msks.msks()
            if (policies := self.policies.find(msk.name)) and any(map(self.keeps_credit, policies.records))
        }

    def remove_records(self, msk: MskRecord, policies: KeyPolicies, gone: tuple[SpeRecord, ...]) -> None:
        """Delete records of a key; without any left the key goes too, lest it be taken for a plain MBMS key."""
        left = tuple(record for record in policies.records if record not in gone)
        if not left:
            self.msks.delete_msk(msk)
            return
        self.keep_credit(msk.group, gone)
        self.policies.replace(msk.name, left)
