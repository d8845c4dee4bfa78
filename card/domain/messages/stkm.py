"""An STKM, from its bytes to the TEK: the MBMS rules, and where its key or the message has them, those of OMA BCAST."""

from __future__ import annotations

from dataclasses import replace

from card.codec.bcast import StkmManagement, Subtype, only_extension
from card.codec.mikey import Stkm
from card.domain.bcast.bcast import Bcast
from card.domain.bcast.parental import Hold, PinState
from card.domain.bcast.spe import NO_POLICIES
from card.domain.errors import ServiceNotAvailable
from card.domain.keys.mbms import MbmsKeys, StoredMsk
from card.domain.keys.stkm import Tek, check_counter, check_limits, find_key, open_tek, verify
from card.domain.messages.rules import StkmState
from card.domain.messages.verdict import STKM_DECISIONS, TerminalSide, Verdict, judge
from card.errors import DecodeError
from card.lean import lean_dataclass
from card.spec.bcast.tables import Debit, Direction, Reason


@lean_dataclass(frozen=True, slots=True)
class StkmResult:
    """What the card answers to an STKM.

    Under the plain MBMS rules `reason` is None and there is a TEK. Else `tek` is there when `reason` is DONE;
    `held` goes with the refusals of parental control; `protection` is protection_after_reception (None: not said).
    """

    reason: Reason | None
    tek: Tek | None = None
    held: Hold | None = None
    protection: int | None = None


def process_stkm(raw: bytes, keys: MbmsKeys, bcast: Bcast, terminal: TerminalSide, *, offered: bool) -> StkmResult:
    """Process an STKM; `offered` tells whether the card offers the OMA BCAST service: plain MBMS rules, if not.

    Raises `DecodeError`, `KeyNotFound`, `MacMismatch`, and for plain MBMS keys `MskInvalidated`, `MtkIdOutside` and
    `ReplayedMessage`; `ServiceNotAvailable` for a key with policies on a card that must not ignore them.
    """
    stkm = Stkm.decode(raw)
    msk = find_key(stkm, keys)
    policies, heard = bcast.policies.find(msk.name), keys.heard(msk)
    if policies is None:
        check_limits(stkm, msk, heard)
    protection = verify(stkm, msk, keys)
    if policies is not None and not offered:
        raise ServiceNotAvailable
    management = _management(stkm, bcast) if offered else None
    if policies is None:
        check_counter(stkm, heard)
    if policies is None and management is None:
        tek = open_tek(stkm, protection)
        keys.set_counter(msk, stkm.counter, stkm.mtk_id)
        return StkmResult(None, tek)
    verdict = judge(stkm, msk, heard, policies or NO_POLICIES, management, bcast, terminal)
    end = STKM_DECISIONS.decide(StkmState.VERIFIED if policies else StkmState.CHANNEL, verdict)
    said = management.protection_after_reception if management else None
    if isinstance(end, Reason):
        return StkmResult(end, None, verdict.held, said)
    tek = open_tek(stkm, protection)
    settle(verdict, stkm, msk, bcast, terminal)
    return StkmResult(Reason.DONE, tek, None, said)


def _management(stkm: Stkm, bcast: Bcast) -> StkmManagement | None:
    extension = only_extension(stkm.extensions)
    if extension is None:
        return None
    subtype, data = extension
    if subtype != Subtype.STKM_MANAGEMENT:
        raise DecodeError("STKM: an OMA BCAST extension of another subtype")
    return StkmManagement.decode(data, bcast.tables)


def settle(verdict: Verdict, stkm: Stkm, msk: StoredMsk, bcast: Bcast, terminal: TerminalSide) -> None:
    """Let the TEK go: debit, note what was played, raise the live counter, close other services."""
    if verdict.payer is not None:
        policies, price, purses = verdict.policies, verdict.price, bcast.purses
        record, row = policies.records[verdict.payer], policies.rows[verdict.payer]
        changed = record
        if price and row.source.is_purse:
            purses.set_balance(msk.group, row.source, purses.balance(msk.group, row.source) - price)
        elif price:
            changed = replace(changed, counter=record.counter - price)
        if row.debit is Debit.ONCE and not record.paid:
            changed = replace(changed, paid=True)
        if row.direction is Direction.PLAYBACK:
            changed = replace(changed, playing=True, last_ts=stkm.counter, last_mtk=stkm.mtk_id)
        if changed is not record:
            bcast.policies.update(msk.name, policies, verdict.payer, changed)
    if verdict.direction is Direction.LIVE:
        bcast.msks.set_counter(msk, stkm.counter, stkm.mtk_id)
    terminal.gate.enter(msk.group, with_pin=verdict.pin is PinState.GIVEN)
