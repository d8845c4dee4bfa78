"""Steps of a card and the reference model of the BCAST rules in lock step, with the subscriber's books beside them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.oracle.bcast_model import POLICIES, Answer, LtkmData, StkmData
from tests.oracle.bcast_wire import Wire
from tests.support.bcast import SEK
from tests.support.bcast_pair import ACCEPTED, Pair
from tests.support.testcard import pin_bytes

KeyId = tuple[bytes, bytes, bytes]
MOST = 2**32 - 1


@dataclass
class Tally:
    """What was met on all walks of a machine: steps, TEKs, those of them that the books could judge, outcomes."""

    steps: int = 0
    teks: int = 0
    judged: int = 0
    outcomes: set[str] = field(default_factory=set)
    stkms: Counter[str] = field(default_factory=Counter)


class Walk:
    """One subscriber: what was sent so far, and what may be done next. Every step compares the card with the model."""

    def __init__(self, wire: Wire, tally: Tally) -> None:
        self.tally = tally
        self.pair = Pair(wire)
        self.pair.outcomes, self.pair.stkms = tally.outcomes, tally.stkms
        self.model, self.it = self.pair.model, self.pair.it
        self.sent: list[tuple[bytes, StkmData]] = []
        self.delivered: list[tuple[bytes, LtkmData]] = []
        self.ltkm_ts = 0
        # The highest timestamp that passed for live, as long as the card has the key.
        self.highest_live: dict[tuple[KeyId, bytes], int] = {}

    # --- LTKMs

    def deliver(
        self, key_id: KeyId, key: bytes, bounds: tuple[int, int], policy: str | None, cost: int = 0,
        tokens: int | None = None, counter: int | None = None, *, add: bool = False, keep: bool = False,
        old: bool = False, former_smk: bool = False,
    ) -> None:  # fmt: skip
        """Mint an LTKM with the next counter (with the last one when `old`) and send it.

        With `former_smk` it comes under the SMK used last, which may have been superseded.
        """
        if not policy:
            bounds = bounds[0], min(bounds[1], 0xFFFF)
        if policy and tokens is not None and POLICIES.get(policy, ("", "", ""))[2] in ("", "count") and cost:
            tokens = None  # seldom send tokens that have no purse
        self.ltkm_ts += 0 if old else 1
        smk = (former_smk and self.model.used) or self.newest_smk()
        m = LtkmData(key_id, key, *bounds, self.ltkm_ts, policy, cost, tokens, counter, add, keep, smk)
        self.send_ltkm(self.pair.ltkm(m), m)

    def newest_smk(self) -> int:
        """The server uses the newest key that was derived."""
        return self.model.naf_key or self.model.muk or self.model.bootstrapped

    def send_ltkm(self, raw: bytes, m: LtkmData) -> None:
        """Send an LTKM, perhaps once more."""
        answer = self.pair.ask(lambda: self.model.ltkm(m), lambda: self.it.update(raw), self.pair.expect_ltkm)
        if answer.outcome in ACCEPTED:
            self.pair.ledger.accepted(m)
        self.delivered.append((raw, m))

    def keep_and_renew(self, group: tuple[bytes, bytes], counter: int) -> None:
        """Credit of a key that is withdrawn goes on under the next one; under the last, a TEK too many is wanted."""
        key_ids = [(*group, bytes((0x10, n))) for n in range(3)]
        for key_id, given in zip(key_ids, (counter, None, None), strict=True):
            self.deliver(key_id, SEK, (0, MOST), "live_teks", counter=given, keep=True)
            found = self.model.find(key_id)
            if found is not None and key_id == key_ids[-1]:
                heard = max(0, found.counter)
                for ts in range(heard + 1, heard + counter + 2):
                    self.watch_at(key_id, SEK, ts & 0xFFFF, ts)
            self.deliver(key_id, SEK, (1, 0), "live_teks")

    # --- STKMs

    def watch_at(
        self, key_id: KeyId, key: bytes, mtk: int, ts: int, *, extended: bool = False,
        rating: tuple[int, int] | None = None,
    ) -> None:  # fmt: skip
        """Make an STKM and send it."""
        m = StkmData(key_id, key, mtk, min(max(1, ts), MOST), extended or rating is not None, rating)
        self.send_stkm(self.it.stkm(m).build(), m)

    def send_stkm(self, raw: bytes, m: StkmData) -> None:
        """Send an STKM, perhaps once more; enter a TEK in the books."""
        known = self.model.find(m.key_id)
        live = known is not None and m.ts > known.counter
        wealth = self.pair.wealth()

        def check(answer: Answer, got: tuple[str, dict[int, bytes]]) -> None:
            self.pair.expect_stkm(m, answer, got)
            if answer.tek:
                self.tally.teks += 1
                self.tally.judged += self.pair.ledger.left(m, "live" if live else "playback")

        answer = self.pair.ask(lambda: self.model.stkm(m), lambda: self.it.generate(raw), check)
        if answer.tek and live:
            assert m.ts > self.highest_live.get((m.key_id, m.key), 0), "an old STKM passed for live"
            self.highest_live[m.key_id, m.key] = m.ts
        assert self.pair.wealth() <= wealth, "credit out of nothing"
        self.sent.append((raw, m))

    # --- parental control

    def control_parents(self, pin: str | None, level: tuple[int, int] | None, *, unblock: bool) -> None:
        """Send a parental control message: PINCODE, type and level, unblock flag."""
        self.ltkm_ts += 1
        ts, smk = self.ltkm_ts, self.newest_smk()
        self.it.network = self.pair.networks[smk]
        raw = self.it.parental(ts, pin, level, unblock=unblock).build()
        self.pair.ask(
            lambda: self.model.parental(ts, pin, level, unblock=unblock, smk=smk),
            lambda: self.it.update(raw), self.pair.expect_ltkm,
        )  # fmt: skip

    def verify_pin(self, pin: str) -> None:
        """Verify the parental PIN."""
        wanted = self.model.parents.verify(pin)
        assert self.it.card.send(f"002000{self.pair.wire.pin:02X}08", pin_bytes(pin)).sw == wanted

    # --- deletions and recordings

    def delete(self, group: tuple[bytes, bytes], one: tuple[bytes, int, int, str] | None = None) -> None:
        """Delete the policies of a group, or one by key number, validity and policy."""
        fields = self.it.key_fields(group)
        if one is not None:
            number, lower, upper, policy = one
            validity = lower.to_bytes(4, "big") + upper.to_bytes(4, "big")
            spe = bytes((self.pair.wire.rules.numbers[policy],))
            fields |= {"key_number": number, "validity": validity, "spe": spe}
        self.pair.ask(
            lambda: self.model.delete_policies(group, one),
            lambda: self.it.deletion("delete policies", **fields), self.pair.expect_deletion,
        )  # fmt: skip

    def record(self, content: tuple[bytes, bytes], key_id: KeyId, first: int, last: int) -> None:
        """Signal a recording of a content that needs these STKM timestamps of a key."""
        fields = {"terminal": content[0], "content": content[1], **self.it.key_fields(key_id)}
        interval = first.to_bytes(4, "big") + last.to_bytes(4, "big")

        def check(answer: Answer, got: tuple[str, bytes]) -> None:
            assert got[0] == {"done": "9000", "unknown key": "6A88", "no place": "9866"}[answer.outcome]

        self.pair.ask(
            lambda: self.model.signal_recording(content, key_id, first, last),
            lambda: self.it.operation("record", **fields, interval=interval), check,
        )  # fmt: skip
