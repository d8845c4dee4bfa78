"""An LTKM under the OMA BCAST rules: policies, purses, withdrawal, tokens without a key, parental control messages.

`LtkmFacts` (`ltkm_facts.py`) answers the conditions of `LTKM_RULES`; `_ACTIONS` says what each action of the
rules does. Everything is checked before anything is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from card.codec.bcast import (
    LtkmManagement,
    LtkmReport,
    ParentalControl,
    ReportEntry,
    Subtype,
    bcast_extension,
    ratings_of,
)
from card.crypto.secret import Secret
from card.domain.bcast.bcast import Bcast
from card.domain.bcast.parental import PinGate
from card.domain.bcast.purse import MOST, saturated
from card.domain.bcast.spe import NO_POLICIES, StoredSpe
from card.domain.errors import ReplayedMessage, ServiceNotAvailable
from card.domain.keys.freshness import NEVER
from card.domain.keys.key_root import KeyRoot
from card.domain.keys.ltkm import Ltkm, OpenedLtkm, open_ltkm, store_plain, verification
from card.domain.keys.mbms import StoredMsk
from card.domain.messages.ltkm_facts import LTKM_DECISIONS, LtkmFacts
from card.domain.messages.rules import LtkmAction, LtkmState
from card.errors import DecodeError
from card.lean import lean_dataclass
from card.spec.bcast.tables import Direction, Reason, Source


@lean_dataclass(frozen=True, slots=True)
class LtkmResult:
    """What the card answers to an LTKM.

    Without the OMA BCAST extension `reason` is None. `message` is the verification or reporting message, or empty;
    `rating` is a type of rating in the LTKM with the level granted for it; `unsupported_spe` says which SPE is unknown.
    """

    reason: Reason | None
    message: bytes = b""
    rating: tuple[int, int] | None = None
    unsupported_spe: int | None = None


def process_ltkm(raw: bytes, root: KeyRoot, bcast: Bcast, gate: PinGate, *, offered: bool) -> LtkmResult:
    """Process an LTKM; `offered` tells whether the card offers the OMA BCAST service.

    Raises `DecodeError`, `KeyNotFound` (no such SMK), `NafKeyOverwritten`, `MacMismatch`, `KeyNotFresh`,
    `NoRoomForMsk`, `NoRoomForMuk`; `ReplayedMessage` without the extension; `ServiceNotAvailable` for a policy on a
    card that must not ignore it.
    """
    ltkm = Ltkm.decode(raw)
    if not offered:
        _refuse_policy(ltkm, bcast)
    management = _management(ltkm, bcast) if offered else None
    try:
        opened = open_ltkm(ltkm, root)
    except ReplayedMessage:
        if management is None:
            raise
        return LtkmResult(Reason.LTKM_REPLAYED)
    if isinstance(management, ParentalControl):
        return _control_parents(opened, management, bcast, gate)
    return _process_keys(opened, management, bcast)


def _refuse_policy(ltkm: Ltkm, bcast: Bcast) -> None:
    """To a card without OMA BCAST the extension is of unknown type: passed over (TS 33.246 clause 6.5.3).

    But a card that could read a policy must not take a key it cannot charge for: raises `ServiceNotAvailable`.
    """
    try:
        management = _management(ltkm, bcast)
    except DecodeError:
        return
    if isinstance(management, ParentalControl) or (management is not None and management.spe is not None):
        raise ServiceNotAvailable


def _management(ltkm: Ltkm, bcast: Bcast) -> LtkmManagement | ParentalControl | None:
    extension = bcast_extension(ltkm.message)
    if extension is None:
        return None
    subtype, data = extension
    match subtype:
        case Subtype.LTKM_MANAGEMENT:
            return LtkmManagement.decode(data, bcast.tables)
        case Subtype.PARENTAL_CONTROL:
            return ParentalControl.decode(data, bcast.tables)
        case _:
            raise DecodeError("LTKM: an OMA BCAST extension of another subtype")


def _control_parents(opened: OpenedLtkm, control: ParentalControl, bcast: Bcast, gate: PinGate) -> LtkmResult:
    bcast.parental.apply(control, _new_pin(opened) if control.has_pincode else None)
    opened.accept()
    gate.lapse()
    return LtkmResult(Reason.DONE, _message(opened, ()))


def _new_pin(opened: OpenedLtkm) -> Secret:
    if opened.key_data is None:
        raise DecodeError("LTKM: a parental PIN is announced, and the message brings nothing")
    return opened.key_data.key


def _process_keys(opened: OpenedLtkm, management: LtkmManagement | None, bcast: Bcast) -> LtkmResult:
    facts = LtkmFacts(opened, management or LtkmManagement(), bcast)
    ratings = ratings_of(facts.management.access_criteria, bcast.tables)
    end = LTKM_DECISIONS.decide(LtkmState.VERIFIED, facts)
    if isinstance(end, Reason):
        unsupported = facts.management.spe if end is Reason.SPE_NOT_SUPPORTED else None
        return LtkmResult(end, unsupported_spe=unsupported)
    assert isinstance(end, LtkmAction)
    capped = _ACTIONS[end](facts)
    if management is None:
        return LtkmResult(None, _message(opened, ()))
    reason = Reason.PURSE_OVERFLOW if capped else Reason.DONE
    reports = (_report(facts, reason),) if management.consumption_reporting else ()
    rating = (ratings[0].type, bcast.parental.level(ratings[0].type)) if ratings else None
    return LtkmResult(reason, _message(opened, reports), rating)


def _message(opened: OpenedLtkm, reports: tuple[LtkmReport, ...]) -> bytes:
    """Return the verification message, with a report where one was asked for; nothing when neither is wanted."""
    if not reports and not opened.ltkm.message.header.verification_requested:
        return b""
    return verification(opened, *(report.to_extension() for report in reports))


def _report(facts: LtkmFacts, reason: Reason) -> LtkmReport:
    """Report the outcome, and purses and counters of every policy of the key."""
    bcast, ids = facts.bcast, facts.opened.ltkm.ids
    policies = bcast.policies.find(facts.name) or NO_POLICIES
    domain, group = bcast.purses.of_domain(facts.group), bcast.purses.of_group(facts.group)
    entries = []
    for record in policies.records:
        source = bcast.policies.row(record).source
        entries.append(
            ReportEntry(
                record.spe & 0xFF,
                ids.key_domain_id,
                ids.msk_id,
                group.live_ppt,
                group.playback_ppt,
                domain.user,
                record.counter if source is Source.PLAYBACK_COUNTER else None,
                record.counter if source is Source.TEK_COUNTER else None,
            )
        )
    return LtkmReport(bcast.tables.answers[reason] & 0xFF, tuple(entries))


# --- actions; each returns True when a purse or counter was capped


def _store_plain(facts: LtkmFacts) -> bool:
    """A plain LTKM makes the key a plain MBMS key: records it had go."""
    policies = facts.bcast.policies.find(facts.name)
    store_plain(facts.opened, facts.bcast.msks)
    if policies is not None and facts.bcast.policies.find(facts.name) is not None:
        facts.bcast.keep_credit(facts.group, policies.records)
        facts.bcast.policies.replace(facts.name, ())
        msk = facts.bcast.msks.msk_named(facts.name)
        if msk is not None and not facts.bcast.msks.heard(msk).live:
            facts.bcast.msks.assume_counter(msk, NEVER)
    return False


def _fill_purse(facts: LtkmFacts) -> bool:
    facts.opened.accept()
    return _fill(facts)


def _fill(facts: LtkmFacts) -> bool:
    tokens = facts.management.tokens
    if tokens is None:
        return False
    return facts.bcast.purses.fill(facts.group, facts.row.source, tokens, keep=facts.keeps_old)


def _withdraw(facts: LtkmFacts) -> bool:
    """Delete the records of the key with this SPE; an unknown key or record is no error. Purses stay."""
    facts.opened.accept()
    msk, policies = facts.bcast.msks.msk_named(facts.name), facts.bcast.policies.find(facts.name)
    if msk is not None and policies is not None:
        gone = tuple(record for record in policies.records if record.spe == facts.management.spe)
        if gone:
            facts.bcast.remove_records(msk, policies, gone)
    return False


def _overwrite(facts: LtkmFacts) -> bool:
    """Overwrite a record; without a counter in the LTKM the old one stays, as a purse does without tokens."""
    old = facts.same()
    assert old is not None
    given = facts.management.counter
    kept = old.counter if facts.keeps_old or given is None else 0
    return _store(facts, kept + (given or 0), old)


def _add(facts: LtkmFacts) -> bool:
    counter = facts.management.counter or 0
    if facts.management.keep_credit and facts.row.source is Source.TEK_COUNTER:
        counter += facts.bcast.purses.take_kept_teks(facts.group)
    return _store(facts, counter, None)


def _store(facts: LtkmFacts, counter: int, old: StoredSpe | None) -> bool:
    """Store the key and one record of it, in the place of `old` if there is one."""
    facts.opened.accept()
    others = [record for record in facts.records() if record is not old]
    known = facts.bcast.msks.msk_named(facts.name)
    msk = _store_key(facts)
    record = _new_record(facts, msk, saturated(counter) if facts.row.source.is_counter else 0)
    same_key = known is not None and known.key == msk.key
    if old is not None:
        record = _continued(record, old, same_key=same_key)
    if facts.bcast.keeps_credit(record):
        facts.bcast.purses.reserve(facts.group)
    if not same_key:
        others = [replace(other, paid=False, playing=False) for other in others]
    facts.bcast.policies.replace(facts.name, (*others, record))
    if not facts.bcast.msks.heard(msk).live:
        _assume_counter(facts, msk)
    overflow = facts.row.source.is_counter and counter > MOST
    return _fill(facts) or overflow


def _store_key(facts: LtkmFacts) -> StoredMsk:
    """Store the key: shown in EF_MSK when it may be used live, else beside it."""
    shown = facts.row.direction is Direction.LIVE
    return facts.bcast.msks.store_governed_msk(facts.opened.delivered, shown=shown)


def _new_record(facts: LtkmFacts, msk: StoredMsk, counter: int) -> StoredSpe:
    said = facts.management
    lower, upper = facts.opened.bounds
    return StoredSpe(
        spe=facts.row.value,
        lower=lower,
        upper=upper,
        cost=said.cost,
        counter=counter,
        binding_key_id=said.terminal_binding_key_id or 0,
        serial=msk.serial,
        terminal_binding=said.terminal_binding_key_id is not None,
        consumption_reporting=said.consumption_reporting,
        access_criteria=said.access_criteria is not None,
        keep_credit=said.keep_credit,
    )


def _continued(record: StoredSpe, old: StoredSpe, *, same_key: bool) -> StoredSpe:
    """Return an overwriting record with what stays true: recorded, and under the same key what was paid and played."""
    kept = replace(record, recorded=old.recorded)
    if not same_key:
        return kept
    same_validity = (record.lower, record.upper) == (old.lower, old.upper)
    return replace(
        kept, paid=old.paid and same_validity, playing=old.playing, last_ts=old.last_ts, last_mtk=old.last_mtk
    )


def _assume_counter(facts: LtkmFacts, msk: StoredMsk) -> None:
    """Raise the counter of a key that was never heard live and is for play-back only; lower it when live joins.

    Otherwise the first STKM of an old recording, its counter forgotten with the key, would pass as live.
    """
    policies = facts.bcast.policies.find(facts.name) or NO_POLICIES
    if policies.places(Direction.LIVE):
        facts.bcast.msks.assume_counter(msk, NEVER)
    else:
        facts.bcast.msks.assume_counter(msk, max(record.upper for record in policies.records))


_ACTIONS: Mapping[LtkmAction, Callable[[LtkmFacts], bool]] = {
    LtkmAction.PLAIN: _store_plain,
    LtkmAction.FILL_PURSE: _fill_purse,
    LtkmAction.WITHDRAW: _withdraw,
    LtkmAction.OVERWRITE: _overwrite,
    LtkmAction.ADD: _add,
}
