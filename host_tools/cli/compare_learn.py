"""What `bcast-uicc compare learn` puts together: a card to learn from, and emulators to try guesses on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from card import CardProfile, memory_card
from card.crypto.secret import Secret
from host_tools.apdu.pin import pad_pin
from host_tools.cli.cards import load_profile, plain_errors
from host_tools.cli.exits import ENVIRONMENT, INPUT, CliError
from host_tools.compare.allow import default_rules
from host_tools.compare.evidence import Evidence, ScriptEvidence, TraceEvidence
from host_tools.compare.explore import FoundCard, explore
from host_tools.compare.learn import LearnError, propose_profile
from host_tools.compare.play import play_scripts
from host_tools.compare.tables.learner import TableLearner
from host_tools.compare.tables.words import describe_learned
from host_tools.links.base import Link
from host_tools.links.inprocess import InProcessLink
from host_tools.script.model import Script
from host_tools.script.runner import RunOptions
from host_tools.trace.jsonl import TraceFileError, read_json_lines


@dataclass(frozen=True, slots=True)
class Lesson:
    """Where tables are learned from: scripts to run on the card, traces of it, and whose keys the trials use."""

    scripts: list[Script]
    options: RunOptions
    traces: tuple[TraceEvidence, ...] = ()
    keys: CardProfile | None = None

    @classmethod
    def read(
        cls, scripts: list[Script], options: RunOptions, traces: Iterable[Path], subscriber: Path | None
    ) -> Lesson:
        """Read the files of traces and the profile of the subscriber. Raises `CliError`."""
        with plain_errors():
            keys = None if subscriber is None else load_profile(subscriber)
        return cls(scripts, options, tuple(_read_trace(path) for path in traces), keys)

    def propose(self, found: FoundCard, link: Link) -> str:
        """Return the proposed profile; the scripts run on the card behind `link`. Raises `CliError`, `LinkError`."""
        evidence = self._evidence(link)

        def learn_tables(text: str) -> str:
            learner = TableLearner(text, evidence, self._emulate, default_rules())
            learned = learner.learn()
            unsent = (line for trace in self.traces for line in trace.describe_left_out())
            return learned.toml() + "\n".join([*describe_learned(learned), *unsent]) + "\n"

        try:
            return propose_profile(found, _explore_emulated, learn_tables if evidence else None)
        except LearnError as error:
            raise CliError(str(error), INPUT) from error

    def _evidence(self, link: Link) -> list[Evidence]:
        evidence: list[Evidence] = [*self.traces]
        if self.scripts:
            seen = play_scripts(link, self.scripts, self.options)
            if seen.trouble:
                raise CliError(f"{seen.name}: {seen.trouble}", ENVIRONMENT)
            evidence.append(ScriptEvidence(self.scripts, self.options, seen))
        return evidence

    def _emulate(self, text: str) -> tuple[Link, Secret]:
        """Return a new card with the keys and the PIN of the real one, as far as they were given."""
        profile = _parse(text)
        if self.keys is not None:
            profile = _with_keys(profile, self.keys)
        if self.options.pin is not None:
            pin1 = replace(profile.pins.pin1, value=Secret(pad_pin(self.options.pin)))
            profile = replace(profile, pins=replace(profile.pins, pin1=pin1))
        return InProcessLink(memory_card(profile)), profile.pins.pin1.value


def _with_keys(profile: CardProfile, keys: CardProfile) -> CardProfile:
    usim, of = profile.usim, keys.usim
    usim = replace(usim, k=of.k, opc=of.opc, op=of.op, topc=of.topc, top=of.top,
                   algorithm=of.algorithm, amf=of.amf, impi=of.impi)  # fmt: skip
    pin1 = replace(profile.pins.pin1, value=keys.pins.pin1.value)
    csim = profile.csim
    if csim is not None and keys.csim is not None:
        csim = replace(csim, rk=keys.csim.rk)
    return replace(profile, usim=usim, csim=csim, pins=replace(profile.pins, pin1=pin1))


def _explore_emulated(text: str) -> FoundCard:
    profile = _parse(text)
    link = InProcessLink(memory_card(profile))
    try:
        return explore(link, profile.pins.pin1.value)
    finally:
        link.close()


def _parse(text: str) -> CardProfile:
    return CardProfile.parse(text, "the proposed profile")


def _read_trace(path: Path) -> TraceEvidence:
    try:
        evidence = TraceEvidence.of(path.name, read_json_lines(path))
    except TraceFileError as error:
        raise CliError(str(error), INPUT) from error
    except OSError as error:
        raise CliError(f"{path}: cannot be read: {error.strerror}", INPUT) from error
    if not evidence.seen.steps:
        raise CliError(f"{path}: no command to a card is in it.", INPUT)
    return evidence
