"""What an application keeps for OMA BCAST: tables, policies, purses, parental control, recordings.

It also stands behind the MSKs (`mbms.Dependents`): what a key's policies need when the key loses its place, and what is
kept of them when it goes.
"""

from __future__ import annotations

from collections.abc import Mapping

from card.domain.bcast.parental import Parental
from card.domain.bcast.purse import Purses
from card.domain.bcast.recording import Recordings
from card.domain.bcast.spe import KeyPolicies, PolicyTable, StoredSpe
from card.domain.errors import NoRoomForMsk
from card.domain.keys.mbms import NOT_SHOWN, MbmsKeys, StoredMsk
from card.spec.bcast.tables import BcastTables, Direction, Source
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

    def outlives(self, msk: StoredMsk) -> bool:
        """Keep a key that can be played back, that a recording needs, or under which something is paid and unused.

        Where no other key gives way to it, it goes itself if it may: a free play-back is no reason to refuse a key.
        """
        policies = self.policies.find(msk.name)
        if policies is None or not (policies.places(Direction.PLAYBACK) or self._is_needed(msk, policies)):
            return False
        if not self._is_full() or self._idle() is not None:
            return True
        return not self._may_go(msk, self._latest_live().get(msk.group, 0))

    def make_room(self) -> None:
        """Drop a key kept outside EF_MSK, when their number is at its limit. Raises `NoRoomForMsk`."""
        if not self._is_full():
            return
        idle = self._idle()
        if idle is None:
            raise NoRoomForMsk
        self.msks.delete_msk(idle)

    def _kept(self) -> list[StoredMsk]:
        return [msk for msk in self.msks.msks() if msk.slot == NOT_SHOWN]

    def _is_full(self) -> bool:
        return len(self._kept()) >= self.tables.capacity["history_keys"]

    def _idle(self) -> StoredMsk | None:
        """Return the key kept outside EF_MSK that gives way, or None: the oldest that nothing depends on.

        Live credit that is over goes too, but only where nothing else does: a server may still prolong its key.
        """
        kept = self._kept()
        idle = next((msk for msk in kept if self._may_go(msk)), None)
        if idle is not None:
            return idle
        latest = self._latest_live()
        return next((msk for msk in kept if self._may_go(msk, latest.get(msk.group, 0))), None)

    def _may_go(self, msk: StoredMsk, group_latest: int = 0) -> bool:
        policies = self.policies.find(msk.name)
        return policies is None or not self._is_needed(msk, policies, group_latest)

    def _latest_live(self) -> Mapping[bytes, int]:
        """Return the highest STKM timestamp heard live in each key group; keys of a group share their clock."""
        latest: dict[bytes, int] = {}
        for msk in self.msks.msks():
            heard = self.msks.heard(msk)
            if heard.live:
                latest[msk.group] = max(latest.get(msk.group, 0), heard.counter)
        return latest

    def _is_needed(self, msk: StoredMsk, policies: KeyPolicies, group_latest: int = 0) -> bool:
        """Tell whether a recording needs a key, or credit that was not spent would go with it.

        A price due once is used up when the key was heard live up to the end of its validity. A live record is over
        when its key group was heard live beyond it (`group_latest`).
        """
        heard, live = self.msks.heard(msk).counter, policies.places(Direction.LIVE)
        return any(
            record.recorded or (self._holds_credit(record, heard) and not (n in live and record.upper < group_latest))
            for n, record in enumerate(policies.records)
        )

    def _holds_credit(self, record: StoredSpe, heard: int) -> bool:
        return (record.counter > 0 and not self.keeps_credit(record)) or (record.paid and heard < record.upper)

    def forget(self, msk: StoredMsk) -> None:
        """Drop the records of a key that goes."""
        policies = self.policies.find(msk.name)
        if policies is not None:
            self.keep_credit(msk.group, policies.records)
            self.policies.replace(msk.name, ())

    # --- records

    def keep_credit(self, group: bytes, gone: tuple[StoredSpe, ...]) -> None:
        """Keep what is left of the TEK counters of records that go, where their LTKM asked for it."""
        left = sum(record.counter for record in gone if self.keeps_credit(record))
        if left:
            self.purses.keep_teks(group, left)

    def keeps_credit(self, record: StoredSpe) -> bool:
        """Tell whether what is left of a record's counter is kept when it goes: its LTKM asked for it."""
        return record.keep_credit and self.policies.row(record).source is Source.TEK_COUNTER

    def _groups_to_credit(self) -> set[bytes]:
        """Return the groups that something is kept for when their records go."""
        return {
            msk.group
            for msk in self.msks.msks()
            if (policies := self.policies.find(msk.name)) and any(map(self.keeps_credit, policies.records))
        }

    def remove_records(self, msk: StoredMsk, policies: KeyPolicies, gone: tuple[StoredSpe, ...]) -> None:
        """Delete records of a key; without any left the key goes too: it would pass for plain MBMS."""
        left = tuple(record for record in policies.records if record not in gone)
        if not left:
            self.msks.delete_msk(msk)
            return
        self.keep_credit(msk.group, gone)
        self.policies.replace(msk.name, left)
