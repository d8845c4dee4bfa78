"""Learns the OMA BCAST tables of a card from what it was seen to do.

The emulator does the same with each set of tables that ships, and then with one guess after the other
(`guesses`); what makes it answer more like the card is kept, nothing else. So the result is a set of tables that fits
what was seen. It is no proof that the card works so: two causes may show alike, and much is never seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from card.crypto.secret import Secret
from card.errors import CardError
from card.spec.bcast.p1 import P1
from card.spec.bcast.tables import BcastTables
from card.spec.bcast.x2 import X2
from card.spec.ins import INS
from card.spec.status import SW
from host_tools.compare.allow import Rules
from host_tools.compare.comparison import compare_runs
from host_tools.compare.evidence import Evidence
from host_tools.compare.model import Kind, Pair
from host_tools.compare.tables.as_toml import MAPS, write_tables
from host_tools.compare.tables.guesses import INSTRUCTIONS, UNSHOWN, Alternatives, Guess, apply_all, guess_tables
from host_tools.links.base import Link

SETS = (P1, X2)
MOST_TRIALS = 400
"""Overrides that are tried on each set that ships; fewer where there is much to do again."""
_MOST_COMMANDS = 1_000_000
_FEWEST_TRIALS = 40

Emulation = Callable[[str], tuple[Link, Secret]]
"""Makes a new card of a profile's text; returns a link to it, and its PIN1. Raises `CardError`."""

# How far apart two answers are: a refusal beside an answer is worse than another tag in it.
_WEIGHTS = {
    Kind.LINK: 100, Kind.SW: 50, Kind.ORDER: 20, Kind.TLV: 5, Kind.LENGTH: 3, Kind.VALUE: 1, Kind.TIMING: 0,
}  # fmt: skip
_NEVER = 1 << 60
_ANOTHER_SET = 100


@dataclass(frozen=True, slots=True)
class Trial:
    """The emulator with these tables beside the card: every pair of commands, and how far apart they are in all."""

    tables: BcastTables
    cost: int
    pairs: tuple[Pair, ...] = field(default=(), repr=False)

    @property
    def different(self) -> list[Pair]:
        """The commands that were not answered alike."""
        return [pair for pair in self.pairs if not pair.is_allowed]


@dataclass(frozen=True, slots=True)
class LearnedTables:
    """What was learned: the set it begins from, the tables in the end, and what led to each guess that was kept.

    `without_keys`: the emulator refused an authentication that the card took, so what depends on keys was left out.
    `equals` holds, for each guess that was kept, others that fitted as well. `ended_early`: the search
    came to its limit.
    """

    base: BcastTables
    last: Trial
    kept: tuple[Guess, ...] = ()
    without_keys: bool = False
    equals: tuple[Alternatives, ...] = ()
    trials: int = 0
    ended_early: bool = False

    def toml(self) -> str:
        """Return the part of a profile that says it."""
        return write_tables(self.base, self.last.tables, {(guess.table, guess.name): guess.seen for guess in self.kept})


class TableLearner:
    """Tries tables on the emulator. `profile` is the text of a profile without OMA BCAST tables."""

    def __init__(self, profile: str, evidence: Sequence[Evidence], emulate: Emulation, rules: Rules) -> None:
        self._profile = profile
        self._evidence = evidence
        self._emulate = emulate
        self._rules = rules
        commands = sum(len(step.observed) for item in evidence for step in item.seen.steps)
        self._most = max(_FEWEST_TRIALS, min(MOST_TRIALS, _MOST_COMMANDS // max(1, commands)))
        self._trials = 0
        self._equals: list[Alternatives] = []
        self._without_keys = False

    def learn(self) -> LearnedTables:
        """Return the tables that fit best, beginning from each set. Raises `CardError` when no card can be made."""
        first = self._search(SETS[0])
        if first.last.cost <= _ANOTHER_SET:
            return first
        return min((first, *(self._search(tables) for tables in SETS[1:])), key=_claim)

    def _search(self, base: BcastTables) -> LearnedTables:
        last, kept = self._run(base, base), list[Guess]()
        self._trials, self._equals = 0, []
        while last.cost and self._trials < self._most:
            better = self._better(base, last)
            if better is None:
                break
            last, guesses = better
            kept += guesses
        last = self._without_needless(base, last)
        early = self._trials >= self._most
        return LearnedTables(base, last, tuple(kept), self._without_keys, tuple(self._equals), self._trials, early)

    def _better(self, base: BcastTables, last: Trial) -> tuple[Trial, Sequence[Guess]] | None:
        """Return a trial that comes nearer to the card, and the guesses it adds."""
        groups = guess_tables(last.pairs, last.tables)
        sure = _agreeing(group[0] for group in groups if len(group) == 1 and group[0].table not in UNSHOWN)
        together = self._try(base, apply_all(sure, last.tables))
        if sure and together.cost < last.cost:
            return together, sure
        for group in groups:
            best = self._best(base, last, group)
            if best is not None:
                return best
        return None

    def _best(self, base: BcastTables, last: Trial, group: Alternatives) -> tuple[Trial, Sequence[Guess]] | None:
        tried = [(self._try(base, guess.apply(last.tables)), guess) for guess in group]
        trial, guess = min(tried, key=lambda found: found[0].cost)
        if trial.cost >= last.cost:
            return None
        as_good = tuple(other for found, other in tried if found.cost == trial.cost and other != guess)
        if as_good:
            self._equals.append((guess, *as_good))
        return trial, (guess,)

    def _without_needless(self, base: BcastTables, last: Trial) -> Trial:
        """Take back what makes no difference: it came along with a guess that did."""
        for table in MAPS:
            for name, value in getattr(last.tables, table).items():
                old = getattr(base, table)[name]
                if value != old:
                    without = self._try(base, Guess(table, name, old).apply(last.tables))
                    last = without if without.cost <= last.cost else last
        return last

    def _try(self, base: BcastTables, tables: BcastTables) -> Trial:
        if self._trials >= self._most:
            return Trial(tables, _NEVER)
        self._trials += 1
        try:
            return self._run(base, tables)
        except (CardError, ValueError):
            return Trial(tables, _NEVER)  # no such card can be made

    def _run(self, base: BcastTables, tables: BcastTables) -> Trial:
        text = self._profile + write_tables(base, tables, {})
        pairs = tuple(chain.from_iterable(self._play(text, evidence) for evidence in self._evidence))
        found = chain.from_iterable(pair.differences for pair in pairs)
        return Trial(tables, sum(_WEIGHTS[item.kind] for item in found if not item.allowed), pairs)

    def _play(self, text: str, evidence: Evidence) -> tuple[Pair, ...]:
        """Have a new card do what was seen, and put both side by side."""
        link, pin = self._emulate(text)
        try:
            pairs = compare_runs(evidence.seen, evidence.again(link, pin), self._rules).pairs
        finally:
            link.close()
        stranger = next((index for index, pair in enumerate(pairs) if _is_stranger(pair)), None)
        if stranger is None:
            return pairs
        self._without_keys = True
        return pairs[:stranger] + tuple(pair for pair in pairs[stranger:] if not _needs_keys(pair))


def _is_stranger(pair: Pair) -> bool:
    """Tell whether the card took an authentication of its network and the emulator did not: its keys are others."""
    if pair.a is None or pair.b is None or pair.a.command[1:2] != bytes((INS.AUTHENTICATE,)):
        return False
    return pair.a.sw == SW.OK and pair.b.sw == SW.INCORRECT_MAC


def _needs_keys(pair: Pair) -> bool:
    return pair.either.command[1:2] in (*INSTRUCTIONS, bytes((INS.AUTHENTICATE,)))


def _claim(learned: LearnedTables) -> tuple[int, int]:
    """Return how much a result leaves or asks to be believed: another set than the default is much to believe."""
    return learned.last.cost + (0 if learned.base is SETS[0] else _ANOTHER_SET), len(learned.kept)


def _agreeing(guesses: Iterable[Guess]) -> list[Guess]:
    """Return the guesses without a second one about the same row."""
    found: dict[tuple[str, str], Guess] = {}
    for guess in guesses:
        found.setdefault((guess.table, guess.name), guess)
    return list(found.values())
