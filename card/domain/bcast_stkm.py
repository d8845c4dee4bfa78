"""An STKM under the OMA BCAST rules: is it live or play-back, is it allowed, and who pays?

`StkmFacts` answers the conditions of `STKM_RULES` about one verified STKM; the effects follow only when the TEK leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from card.codec.bcast import StkmManagement, Subtype, only_extension, ratings_of
from card.codec.mikey import Stkm
from card.domain.bcast import Bcast
from card.domain.bcast_rules import STKM_RULES, Grant, StkmCondition, StkmState
from card.domain.errors import ServiceNotAvailable
from card.domain.mbms import MbmsKeys, MskRecord
from card.domain.parental import Held, PinGate, PinState
from card.domain.spe import NO_POLICIES, KeyPolicies, SpeRecord
from card.domain.stkm import Tek, check_counter, check_limits, find_key, open_tek, verify
from card.errors import DecodeError
from card.spec.bcast_tables import Debit, Direction, Reason, Source

# Names of their own: looking a member up in its enumeration takes longer than comparing it.
_NEVER, _EACH_TEK, _EACH_PLAYBACK = Debit.NEVER, Debit.EACH_TEK, Debit.EACH_PLAYBACK
_PLAYBACKS, _TEKS = Source.PLAYBACK_COUNTER, Source.TEK_COUNTER


@dataclass(frozen=True, slots=True)
class StkmResult:
    """What the card answers to an STKM.

    Under the plain MBMS rules `reason` is None and there is a TEK. Else `tek` is there when `reason` is DONE;
    `held` goes with the refusals of parental control; `protection` is protection_after_reception (None: not said).
    """

    reason: Reason | None
    tek: Tek | None = None
    held: Held | None = None
    protection: int | None = None


@dataclass(frozen=True, slots=True)
class TerminalSide:
    """What the rules must know of the terminal: the parental PIN it verified, whether a secure channel is between."""

    gate: PinGate
    protected: bool = False


def process_stkm(raw: bytes, keys: MbmsKeys, bcast: Bcast, terminal: TerminalSide, *, offered: bool) -> StkmResult:
    """Process an STKM; `offered` tells whether the card offers the OMA BCAST service: plain MBMS rules, if not.

    Raises `DecodeError`, `KeyNotFound`, `MacMismatch`, and for plain MBMS keys `MskInvalidated`, `MtkIdOutside` and
    `ReplayedMessage`; `ServiceNotAvailable` for a key with policies on a card that must not ignore them.
    """
    stkm = Stkm.decode(raw)
    msk = find_key(stkm, keys)
    policies = bcast.policies.find(msk.name)
    if policies is None:
        check_limits(stkm, msk, keys.heard(msk))
    protection = verify(stkm, msk, keys)
    if policies is not None and not offered:
        raise ServiceNotAvailable
    management = _management(stkm, bcast) if offered else None
    if policies is None:
        check_counter(stkm, keys.heard(msk))
    if policies is None and management is None:
        tek = open_tek(stkm, protection)
        keys.set_counter(msk, stkm.counter, stkm.mtk_id)
        return StkmResult(None, tek)
    facts = StkmFacts(stkm, msk, policies, management, bcast, terminal)
    start = StkmState.VERIFIED if policies else StkmState.CHANNEL
    end = STKM_RULES.decide(start, facts.holds)
    said = management.protection_after_reception if management else None
    if isinstance(end, Reason):
        return StkmResult(end, None, facts.held, said)
    tek = open_tek(stkm, protection)
    facts.settle(paid=end is Grant.PAID)
    return StkmResult(Reason.DONE, tek, None, said)


def _management(stkm: Stkm, bcast: Bcast) -> StkmManagement | None:
    extension = only_extension(stkm.extensions)
    if extension is None:
        return None
    subtype, data = extension
    if subtype != Subtype.STKM_MANAGEMENT:
        raise DecodeError("STKM: an OMA BCAST extension of another subtype")
    return StkmManagement.decode(data, bcast.tables)


class StkmFacts:
    """One verified STKM beside the key, its records, the purses and the parental PIN."""

    __slots__ = (
        "_balances", "_bcast", "_gate", "_group", "_heard", "_management", "_msk", "_mtk", "_payer", "_pin", "_places",
        "_plain", "_price", "_protected", "_records", "_ts", "direction", "held",
    )  # fmt: skip

    def __init__(
        self,
        stkm: Stkm,
        msk: MskRecord,
        policies: KeyPolicies | None,
        management: StkmManagement | None,
        bcast: Bcast,
        terminal: TerminalSide,
    ) -> None:
        self._ts, self._mtk = stkm.counter, stkm.mtk_id
        self._msk, self._group, self._heard = msk, msk.group, bcast.msks.heard(msk)
        self._plain, self._records = policies is None, policies or NO_POLICIES
        self._bcast, self._gate, self._protected = bcast, terminal.gate, terminal.protected
        self._judge(management)
        # A timestamp that is not above the last live one is a freshness failure, which here means play-back. A plain
        # MBMS key knows no play-back: its counter was found newer, also where it went round.
        is_live = self._plain or self._ts > self._heard.counter
        self.direction = Direction.LIVE if is_live else Direction.PLAYBACK
        records, ts = self._records.records, self._ts
        self._places = [n for n in self._records.places(self.direction) if records[n].lower <= ts <= records[n].upper]
        self._payer: int | None = None
        self._price = 0
        self._balances: dict[Source, int] = {}

    def _judge(self, management: StkmManagement | None) -> None:
        """Look at the access criteria."""
        self._management = management
        self.held: Held | None = None
        self._pin = PinState.OPEN
        if management is not None and management.access_criteria:
            self.held = self._bcast.parental.judge(ratings_of(management.access_criteria, self._bcast.tables))
        if self.held:
            self._pin = self._gate.state(self._group)

    def holds(self, condition: StkmCondition) -> bool:
        """Tell whether a condition is true."""
        return _CONDITIONS[condition](self)

    # --- conditions

    def has_no_record(self) -> bool:
        """No record of the key is for this direction."""
        return not self._records.places(self.direction)

    def needs_channel(self) -> bool:
        """The tables demand a secure channel for this content, and there is none."""
        tables, said = self._bcast.tables, self._management
        if not tables.secure_channel or self._protected or said is None or said.terminal_binding_key_id is not None:
            return False
        return tables.stays_protected(said.protection_after_reception, self.direction)

    def is_resent(self) -> bool:
        """The TEK given out last is sent again (resending check): live under a higher timestamp."""
        if self.direction is Direction.LIVE:
            return self._mtk == self._heard.last_mtk
        return self._resent_place() is not None

    def _resent_place(self) -> int | None:
        """Find the play-back record that gave out this TEK last.

        The very STKM counts too: it was paid, and its answer was perhaps lost with the power.
        """
        records = self._records.records
        for n in self._places:
            record = records[n]
            if record.playing and record.last_mtk == self._mtk and self._ts >= record.last_ts:
                return n
        return None

    def is_payable(self) -> bool:
        """Find the record that is to pay, and note its price.

        It is the first under which nothing is due now, else the first that has the credit: what is paid whole is not
        charged once more under another record. One loop with everything in it: a key may have 32 records, and this
        runs for every STKM.
        """
        records, rows = self._records.records, self._records.rows
        for n in self._places:
            record, row = records[n], rows[n]
            source = row.source
            counted = source is _TEKS or source is _PLAYBACKS
            if (row.debit is not _EACH_TEK and self._is_free(record, row.debit)) or not (counted or record.cost):
                self._payer, self._price = n, 0
                return True
            if self._payer is None and (record.counter if counted else record.cost <= self._balance(source)):
                self._payer, self._price = n, 1 if counted else record.cost
        return self._payer is not None

    def _is_free(self, record: SpeRecord, debit: Debit) -> bool:
        """Nothing is due: never, not again, or not while one play-back goes on."""
        if debit is _EACH_PLAYBACK:
            return record.playing and self._ts > record.last_ts
        return debit is _NEVER or record.paid

    def _balance(self, source: Source) -> int:
        """Return what a purse holds; several records may ask for the same one."""
        found = self._balances.get(source)
        if found is None:
            found = self._balances[source] = self._bcast.purses.balance(self._group, source)
        return found

    def _first_source(self) -> Source:
        return self._records.rows[self._places[0]].source

    # --- effects

    def settle(self, *, paid: bool) -> None:
        """Let the TEK go: debit, note what was played, raise the live counter, close other services."""
        place = self._payer if paid else self._resent_place() if self.direction is Direction.PLAYBACK else None
        if place is not None:
            self._note(place, self._price if paid else 0)
        if self.direction is Direction.LIVE:
            self._bcast.msks.set_counter(self._msk, self._ts, self._mtk)
        self._gate.enter(self._group, with_pin=self._pin is PinState.GIVEN)

    def _note(self, index: int, price: int) -> None:
        record, row = self._records.records[index], self._records.rows[index]
        changed = record
        if price and row.source.is_purse:
            self._bcast.purses.set_balance(self._group, row.source, self._balance(row.source) - price)
        elif price:
            changed = replace(changed, counter=record.counter - price)
        if row.debit is Debit.ONCE and not record.paid:
            changed = replace(changed, paid=True)
        if row.direction is Direction.PLAYBACK:
            changed = replace(changed, playing=True, last_ts=self._ts, last_mtk=self._mtk)
        if changed is not record:
            self._bcast.policies.update(self._msk.name, self._records, index, changed)


_CONDITIONS: Mapping[StkmCondition, Callable[[StkmFacts], bool]] = {
    StkmCondition.NEW_TIMESTAMP: lambda facts: facts.direction is Direction.LIVE,
    StkmCondition.NO_RECORD: StkmFacts.has_no_record,
    StkmCondition.NONE_VALID: lambda facts: not facts._places,
    StkmCondition.NEEDS_CHANNEL: StkmFacts.needs_channel,
    StkmCondition.ALLOWED: lambda facts: facts._pin in (PinState.OPEN, PinState.GIVEN),
    StkmCondition.NO_PIN: lambda facts: facts._pin is PinState.ABSENT,
    StkmCondition.PIN_BLOCKED: lambda facts: facts._pin is PinState.BLOCKED,
    StkmCondition.WITHOUT_POLICY: lambda facts: facts._plain,
    StkmCondition.RESENT: StkmFacts.is_resent,
    StkmCondition.PAYABLE: StkmFacts.is_payable,
    StkmCondition.LACKS_PLAYBACKS: lambda facts: facts._first_source() is Source.PLAYBACK_COUNTER,
    StkmCondition.LACKS_TEKS: lambda facts: facts._first_source() is Source.TEK_COUNTER,
}
