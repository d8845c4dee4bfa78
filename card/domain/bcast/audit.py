"""What the OMA BCAST command reads and changes: audits, recordings signalled and deleted, policies deleted.

Fields as observed terminals pass them; their meaning is recalled weakly (docs/spec/bcast.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from card.domain.bcast.bcast import Bcast
from card.domain.bcast.purse import DomainPurse, GroupPurses
from card.domain.bcast.recording import Recording
from card.domain.bcast.spe import KeyPolicies, StoredSpe
from card.domain.errors import KeyNotFound
from card.domain.keys.mbms import StoredMsk
from card.lean import lean_dataclass
from card.spec.bcast.tables import Reason


@lean_dataclass(frozen=True, slots=True)
class GroupDescription:
    """A key group (5 bytes) with its purses."""

    group: bytes
    purses: GroupPurses
    domain: DomainPurse


@lean_dataclass(frozen=True, slots=True)
class PolicyDescription:
    """One policy of one key, with the purses of its group."""

    msk: StoredMsk
    record: StoredSpe
    purses: GroupPurses
    domain: DomainPurse


@lean_dataclass(frozen=True, slots=True)
class PolicyName:
    """Which policies to delete: all of a group (5 bytes), or the one with key number, validity and SPE."""

    group: bytes
    key_number: bytes = b""
    validity: tuple[int, int] = (0, 0)
    spe: int = 0

    def matches(self, msk: StoredMsk, record: StoredSpe) -> bool:
        """Tell whether a record of the group is meant."""
        if not self.key_number:
            return True
        named = (msk.msk_id[2:], record.lower, record.upper, record.spe)
        return named == (self.key_number, *self.validity, self.spe)


def audit_groups(bcast: Bcast) -> list[GroupDescription]:
    """Describe the key groups that have policies or purses. Raises `KeyNotFound` when there are none."""
    groups = {msk.group for msk, _ in _keys(bcast)} | set(bcast.purses.known_groups())
    if not groups:
        raise KeyNotFound
    return [_describe_group(bcast, group) for group in sorted(groups)]


def _describe_group(bcast: Bcast, group: bytes) -> GroupDescription:
    return GroupDescription(group, bcast.purses.of_group(group), bcast.purses.of_domain(group))


def audit_policies(bcast: Bcast, group: bytes) -> list[PolicyDescription]:
    """Describe the policies of a key group. Raises `KeyNotFound` when there are none."""
    found = [
        _describe(bcast, msk, record)
        for msk, policies in _keys(bcast)
        if msk.group == group
        for record in policies.records
    ]
    if not found:
        raise KeyNotFound
    return found


def _describe(bcast: Bcast, msk: StoredMsk, record: StoredSpe) -> PolicyDescription:
    return PolicyDescription(msk, record, bcast.purses.of_group(msk.group), bcast.purses.of_domain(msk.group))


def delete_policies(bcast: Bcast, name: PolicyName) -> Reason:
    """Delete policies; a recording that needs one of them forbids it. Raises `KeyNotFound` when there is none."""
    found = [
        (msk, policies, gone)
        for msk, policies in _keys(bcast)
        if msk.group == name.group
        if (gone := tuple(record for record in policies.records if name.matches(msk, record)))
    ]
    if not found:
        raise KeyNotFound
    if any(record.recorded for _, _, gone in found for record in gone):
        return Reason.RECORDED
    for msk, policies, gone in found:
        bcast.remove_records(msk, policies, gone)
    return Reason.DONE


def signal_recording(bcast: Bcast, recording: Recording) -> tuple[int, list[PolicyDescription]]:
    """Note a recording and flag the policies it needs; return the number of records still free, and those flagged.

    Raises `KeyNotFound` when the card has no policy for it, `NoRoomForMsk` when there are too many recordings.
    """
    msk = bcast.msks.find_msk(recording.key_domain, recording.msk_id)
    policies = bcast.policies.find(msk.name) if msk else None
    if msk is None or policies is None or not any(recording.needs(r.lower, r.upper) for r in policies.records):
        raise KeyNotFound
    bcast.recordings.add(recording)
    _flag(bcast, msk, policies)
    return bcast.tables.capacity["records"] - bcast.policies.count(), _needed(bcast, recording)


def delete_recording(bcast: Bcast, terminal_id: bytes, content_id: bytes) -> list[PolicyDescription]:
    """Forget a recording; return the policies that it had flagged. Raises `KeyNotFound` for an unknown one."""
    gone = bcast.recordings.remove(terminal_id, content_id)
    if not gone:
        raise KeyNotFound
    needed = [description for recording in gone for description in _needed(bcast, recording)]
    for recording in gone:
        msk = bcast.msks.find_msk(recording.key_domain, recording.msk_id)
        policies = bcast.policies.find(msk.name) if msk else None
        if msk is not None and policies is not None:
            _flag(bcast, msk, policies)
    return needed


def audit_recordings(bcast: Bcast) -> list[tuple[Recording, list[PolicyDescription]]]:
    """Return the recordings with the policies they need. Raises `KeyNotFound` when there are none."""
    recordings = bcast.recordings.all()
    if not recordings:
        raise KeyNotFound
    return [(recording, _needed(bcast, recording)) for recording in recordings]


def _flag(bcast: Bcast, msk: StoredMsk, policies: KeyPolicies) -> None:
    """Flag exactly those policies of a key that a recording needs."""
    recordings = list(bcast.recordings.of_key(msk.key_domain, msk.msk_id))
    flagged = [
        replace(record, recorded=any(recording.needs(record.lower, record.upper) for recording in recordings))
        for record in policies.records
    ]
    bcast.policies.replace(msk.name, flagged)


def _needed(bcast: Bcast, recording: Recording) -> list[PolicyDescription]:
    msk = bcast.msks.find_msk(recording.key_domain, recording.msk_id)
    policies = bcast.policies.find(msk.name) if msk else None
    if msk is None or policies is None:
        return []
    return [_describe(bcast, msk, record) for record in policies.records if recording.needs(record.lower, record.upper)]


def _keys(bcast: Bcast) -> Iterator[tuple[StoredMsk, KeyPolicies]]:
    for name, policies in list(bcast.policies.items()):
        msk = bcast.msks.msk_named(name)
        if msk is not None:
            yield msk, policies
