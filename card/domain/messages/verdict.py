"""The verdict on an STKM under the OMA BCAST rules: is it live or play-back, which records hold, and who pays?

It is worked out from what the card holds, and changes nothing: `STKM_DECISIONS` choose by it, and `stkm.py` settles it
when the TEK leaves the card.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from card.codec.bcast import StkmManagement, ratings_of
from card.codec.mikey import Stkm
from card.domain.bcast.bcast import Bcast
from card.domain.bcast.parental import Hold, PinGate, PinState
from card.domain.bcast.purse import Purses
from card.domain.bcast.spe import NO_POLICIES, KeyPolicies, StoredSpe
from card.domain.keys.freshness import LastMessage
from card.domain.keys.mbms import StoredMsk
from card.domain.messages.rules import STKM_RULES, StkmCondition
from card.lean import lean_dataclass
from card.spec.bcast.tables import BcastTables, Debit, Direction, Source

# Names of their own: looking a member up in its enumeration takes longer than comparing it.
_NEVER, _EACH_TEK, _EACH_PLAYBACK = Debit.NEVER, Debit.EACH_TEK, Debit.EACH_PLAYBACK
_PLAYBACKS, _TEKS = Source.PLAYBACK_COUNTER, Source.TEK_COUNTER
_LIVE, _PLAYBACK = Direction.LIVE, Direction.PLAYBACK


@lean_dataclass(frozen=True, slots=True)
class TerminalSide:
    """What the rules must know of the terminal: the parental PIN it verified, whether a secure channel is between."""

    gate: PinGate
    protected: bool = False


@lean_dataclass(frozen=True, slots=True)
class Verdict:
    """What the card makes of one verified STKM.

    `places` are the indices of the records in `policies` that hold for it. `payer` is the record that the TEK goes by:
    it pays `price`, or it gave out this very TEK last (`resent`). None: nobody pays, or nobody can. `held` says which
    rating is above its level, and `pin` what the parental PIN says to that.
    """

    policies: KeyPolicies
    direction: Direction
    places: Sequence[int]
    payer: int | None
    price: int
    resent: bool
    held: Hold | None
    pin: PinState
    needs_channel: bool

    @property
    def first_source(self) -> Source:
        """What the first record that holds is paid from; there is one."""
        return self.policies.rows[self.places[0]].source


def judge(
    stkm: Stkm,
    msk: StoredMsk,
    heard: LastMessage,
    policies: KeyPolicies,
    management: StkmManagement | None,
    bcast: Bcast,
    terminal: TerminalSide,
) -> Verdict:
    """Return the verdict on a verified STKM under `msk`, after what was heard under that key before."""
    ts, mtk, records = stkm.counter, stkm.mtk_id, policies.records
    # A timestamp that is not above the last live one is a freshness failure, which here means play-back. A plain MBMS
    # key knows no play-back: its counter was found newer, also where it went round.
    direction = _LIVE if policies is NO_POLICIES or ts > heard.counter else _PLAYBACK
    places = [n for n in policies.places(direction) if records[n].lower <= ts <= records[n].upper]
    payer, price = None, 0
    if direction is _LIVE:
        resent = mtk == heard.last_mtk
    else:
        payer = _find_resent(records, places, ts, mtk)
        resent = payer is not None
    if not resent:
        payer, price = _find_payer(policies, places, ts, bcast.purses, msk.group)
    held, pin = None, PinState.OPEN
    if management is not None and management.access_criteria:
        held = bcast.parental.judge(ratings_of(management.access_criteria, bcast.tables))
        if held is not None:
            pin = terminal.gate.state(msk.group)
    needs_channel = not terminal.protected and _needs_channel(bcast.tables, management, direction)
    return Verdict(policies, direction, places, payer, price, resent, held, pin, needs_channel)


def _needs_channel(tables: BcastTables, management: StkmManagement | None, direction: Direction) -> bool:
    """Tell whether the tables demand a secure channel for this content."""
    if not tables.secure_channel or management is None or management.terminal_binding_key_id is not None:
        return False
    return tables.stays_protected(management.protection_after_reception, direction)


def _find_resent(records: Sequence[StoredSpe], places: Sequence[int], ts: int, mtk: int) -> int | None:
    """Find the play-back record that gave out this TEK last.

    The very STKM counts too: it was paid, and its answer was perhaps lost with the power.
    """
    for n in places:
        record = records[n]
        if record.playing and record.last_mtk == mtk and ts >= record.last_ts:
            return n
    return None


def _find_payer(
    policies: KeyPolicies, places: Sequence[int], ts: int, purses: Purses, group: bytes
) -> tuple[int | None, int]:
    """Find the record that is to pay, and its price; None when none can.

    It is the first under which nothing is due now, else the first that has the credit: what is paid whole is not
    charged once more under another record. One loop with everything in it: a key may have 32 records, and this runs
    for every STKM.
    """
    records, rows = policies.records, policies.rows
    balances: dict[Source, int] = {}  # several records may be paid from one purse
    payer, price = None, 0
    for n in places:
        record, row = records[n], rows[n]
        source = row.source
        counted = source is _TEKS or source is _PLAYBACKS
        if (row.debit is not _EACH_TEK and _is_free(record, row.debit, ts)) or not (counted or record.cost):
            return n, 0
        if payer is not None:
            continue
        if counted:
            if record.counter:
                payer, price = n, 1
            continue
        if source not in balances:
            balances[source] = purses.balance(group, source)
        if record.cost <= balances[source]:
            payer, price = n, record.cost
    return payer, price


def _is_free(record: StoredSpe, debit: Debit, ts: int) -> bool:
    """Nothing is due: never, not again, or not while one play-back goes on."""
    if debit is _EACH_PLAYBACK:
        return record.playing and ts > record.last_ts
    return debit is _NEVER or record.paid


CONDITIONS: Mapping[StkmCondition, Callable[[Verdict], bool]] = {
    StkmCondition.NEW_TIMESTAMP: lambda verdict: verdict.direction is _LIVE,
    StkmCondition.NO_RECORD: lambda verdict: not verdict.policies.places(verdict.direction),
    StkmCondition.NONE_VALID: lambda verdict: not verdict.places,
    StkmCondition.NEEDS_CHANNEL: lambda verdict: verdict.needs_channel,
    StkmCondition.ALLOWED: lambda verdict: verdict.pin is PinState.OPEN or verdict.pin is PinState.GIVEN,
    StkmCondition.NO_PIN: lambda verdict: verdict.pin is PinState.ABSENT,
    StkmCondition.PIN_BLOCKED: lambda verdict: verdict.pin is PinState.BLOCKED,
    StkmCondition.WITHOUT_POLICY: lambda verdict: not verdict.policies.records,
    StkmCondition.RESENT: lambda verdict: verdict.resent,
    StkmCondition.PAYABLE: lambda verdict: verdict.payer is not None,
    StkmCondition.LACKS_PLAYBACKS: lambda verdict: verdict.first_source is _PLAYBACKS,
    StkmCondition.LACKS_TEKS: lambda verdict: verdict.first_source is _TEKS,
}

STKM_DECISIONS = STKM_RULES.bind(CONDITIONS)
"""`STKM_RULES`, with how a verdict answers what they ask."""
