"""A profile is learned from a card in a reader: with it, another reader's card answers alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from card import CardProfile, memory_card
from card.profile.schema import Transport
from host_tools.cli.exits import ExitCode
from host_tools.cli.main import invoke
from host_tools.links.pcsc import PcscLink
from host_tools.trace.jsonl import encode_event
from tests.integration.conftest import Desk
from tests.unit.host_tools.compare.lessons import DEMO, trace_of

pytestmark = pytest.mark.pcscd

ACCESS = """
[[files]]
path = "ADF.USIM/6F46"
access = { read = "PIN1", update = "PIN1 or ADM2" }

[[files]]
path = "ADF.USIM/6F07"
access = { update = "ADM3", expanded = true }
"""
FEW = """
[bcast.tables.answers]
no_credit = 0x42

[bcast.tables.response_tags]
status = 0x90

[bcast.tables.audit_tags]
live_ppt = 0x9C
"""
X2 = '\n[bcast]\ntable_set = "X2"\n'


@pytest.fixture(autouse=True)
def pin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BCAST_UICC_PIN", "1234")


def test_another_set_and_other_access_rules(insert: Desk, tmp_path: Path) -> None:
    learned = tmp_path / "learned.toml"
    card = insert(memory_card(CardProfile.parse(DEMO + ACCESS + X2, "the card")))
    plain = insert(memory_card(CardProfile.demo()))
    suites = ("bcast", "usim", "uicc")
    assert invoke(["compare", "--a", card, "--b", plain, *suites]) == ExitCode.DIFFERENT
    assert invoke(["compare", "learn", "--reader", card, "bcast", "-o", str(learned)]) == ExitCode.OK
    like_it = insert(memory_card(CardProfile.load(learned)))
    assert invoke(["compare", "--a", card, "--b", like_it, *suites]) == ExitCode.OK


@pytest.mark.parametrize("transport", list(Transport))
def test_a_few_overrides_from_a_recorded_broadcast(insert: Desk, tmp_path: Path, transport: Transport) -> None:
    profile = replace(CardProfile.parse(DEMO + FEW, "the card"), transport=transport)
    reader = insert(memory_card(profile))
    trace, learned = tmp_path / "seen.jsonl", tmp_path / "learned.toml"
    link = PcscLink.open(reader)
    try:
        events = trace_of(profile, "pay_per_time", link)
    finally:
        link.close()
    trace.write_text("".join(encode_event(event) + "\n" for event in events))
    arguments = ["--reader", reader, "--subscriber", "usim", "--from-trace", str(trace), "-o", str(learned)]
    assert invoke(["compare", "learn", *arguments]) == ExitCode.OK
    made = CardProfile.load(learned)
    assert made.bcast.build_tables() == profile.bcast.build_tables()
    assert made.usim.k.reveal() == bytes(16)
