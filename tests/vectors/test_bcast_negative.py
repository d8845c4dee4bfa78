"""Every message of bcast_negative.json ends as the file says; what is refused changes nothing."""

from __future__ import annotations

import functools
import json
from collections import Counter
from typing import Any

import pytest

from card import CardProfile
from card.personalisation.personalise import personalise
from card.spec.bcast.p1 import P1 as P1_TABLES
from card.spec.bcast.tables import BcastTables, Reason
from card.spec.bcast.x2 import X2 as X2_TABLES
from card.store.memory import MemoryStore
from tests.oracle.bcast_wire import P1, X2
from tests.support.bcast import SMALL, BcastCard, objects, profile
from tests.support.csim import csim_profile
from tests.support.network import Bootstrap
from tests.support.testcard import Answer, TestCard
from tests.vectors.bcast_negative.vector import NOTES
from tests.vectors.make_bcast_negative import PATH, render

CONTENT: dict[str, Any] = json.loads(PATH.read_text("utf-8"))
GROUPS: list[dict[str, Any]] = CONTENT["testGroups"]
TESTS = [(number, test) for number, group in enumerate(GROUPS) for test in group["tests"]]
WIRES = {"P1": P1, "X2": X2}
_DONE = 0xDB  # opens an answer in the plain MBMS form
NO_REFUSALS = {Reason.DONE, Reason.PURSE_OVERFLOW}


def card_profile(group: dict[str, Any]) -> CardProfile:
    """Return the test profile that a group asks for."""
    wire, setup = WIRES[group["tableSet"]], group["setup"]
    if group["application"] == "USIM":
        return profile(wire, setup["profile"], disabled=setup["servicesOff"])
    service_purse = "true" if wire is X2 else "false"
    return csim_profile(tail=SMALL % (wire.name, service_purse, setup["profile"]))


def send(card: TestCard, step: dict[str, Any]) -> Answer:
    """Send an APDU, or a data object in blocks."""
    if "apdu" in step:
        return card.exchange(step["apdu"])
    link = BcastCard(card, Bootstrap(b"", b""), P1)
    return link.exchange(bytes.fromhex(step["msg"]), int(step["ins"], 16), int(step["p2"], 16))


@functools.cache
def prepared(number: int) -> MemoryStore:
    """Return what a card remembers after the steps of a group."""
    store = MemoryStore()
    personalise(card_profile(GROUPS[number]), store)
    card = TestCard(store)
    for step in GROUPS[number]["setup"]["steps"]:
        assert send(card, step).sw == step["sw"], step
    return store


def in_session(number: int) -> TestCard:
    """Return a card on a copy of that, powered anew."""
    card = TestCard(MemoryStore(prepared(number).load()))
    for step in GROUPS[number]["setup"]["session"]:
        assert send(card, step).sw == step["sw"], step
    return card


@pytest.mark.parametrize(("number", "test"), TESTS, ids=[str(test["tcId"]) for _, test in TESTS])
def test_answer(number: int, test: dict[str, Any]) -> None:
    card = in_session(number)
    before = card.persistent(), card.volatile()
    answer = send(card, test)
    assert answer.sw == test["sw"], test["comment"]
    found, tags = template(answer), {name: int(tag, 16) for name, tag in GROUPS[number]["tags"].items()}
    assert found.get(tags["status"], b"").hex() == test.get("status", ""), test["comment"]
    if test["result"] == "invalid":
        assert "status" in test or not answer.data
        assert not {tags["tek"], tags["salt"], _DONE} & set(found), "a key left the card"
        assert (card.persistent(), card.volatile()) == before, test["comment"]
    if "tek" in test:
        assert test["tek"] == found[tags["tek"] if "status" in test else _DONE].hex()


def template(answer: Answer) -> dict[int, bytes]:
    """Return the objects in template AE, or what follows DB by that name; nothing without data."""
    if not answer.data:
        return {}
    ((_, value),) = objects(bytes.fromhex(answer.data))
    if value[0] == _DONE:
        return {_DONE: value[1:]}
    ((_, inner),) = objects(value)
    return dict(objects(inner))


# --- the file as a whole


def test_the_file_is_what_the_oracle_makes() -> None:
    assert PATH.read_text("utf-8") == render()


def test_it_has_the_shape_of_wycheproof() -> None:
    assert set(CONTENT) == {
        "algorithm", "generatorVersion", "numberOfTests", "header", "notes", "testGroups",
    }  # fmt: skip
    assert [test["tcId"] for _, test in TESTS] == list(range(1, CONTENT["numberOfTests"] + 1))
    assert {flag for _, test in TESTS for flag in test["flags"]} == set(CONTENT["notes"]) == set(NOTES)
    assert all(note["bugType"] and note["description"] for note in CONTENT["notes"].values())
    for group in GROUPS:
        assert set(group["setup"]) == {"profile", "servicesOff", "steps", "session"}
        assert group["type"].startswith("Bcast")
        comments = [test["comment"] for test in group["tests"]]
        assert len(set(comments)) == len(comments)
    assert not twice(), "the same command in the same state"
    results = Counter(test["result"] for _, test in TESTS)
    assert set(results) == {"valid", "invalid", "acceptable"}
    assert results["invalid"] >= 1000


def twice() -> list[int]:
    """Return the numbers of the tests that send what an earlier one sends, to a card in the same state."""
    seen: set[str] = set()
    found = []
    for number, test in TESTS:
        state = {key: GROUPS[number][key] for key in ("application", "tableSet", "setup")}
        sent = {key: test[key] for key in ("apdu", "ins", "p2", "msg") if key in test}
        wanted = json.dumps([state, sent])
        if wanted in seen:
            found.append(test["tcId"])
        seen.add(wanted)
    return found


@pytest.mark.parametrize("tables", [P1_TABLES, X2_TABLES], ids=lambda tables: tables.name)
def test_every_reason_to_refuse_occurs(tables: BcastTables) -> None:
    mine = [test for number, test in TESTS if GROUPS[number]["tableSet"] == tables.name and test["result"] == "invalid"]
    found = {int(test.get("status", test["sw"]), 16) for test in mine}
    wanted = {tables.answers[reason]: reason for reason in Reason if reason not in NO_REFUSALS}
    assert not {reason for value, reason in wanted.items() if value not in found}
