"""Every message of bcast_negative.json is refused with its status, and nothing changes."""

from __future__ import annotations

import functools
import json
from typing import Any

import pytest

from tests.oracle.bcast_wire import P1
from tests.support.bcast import BcastCard, objects
from tests.vectors.make_bcast_negative import PATH, render

CONTENT: dict[str, Any] = json.loads(PATH.read_text("utf-8"))


@functools.cache
def prepared() -> BcastCard:
    """Return a card in the state in which every vector finds it."""
    it = BcastCard.new(P1)
    for step in CONTENT["setup"]:
        message = bytes.fromhex(step["message"])
        sw, found = it.update(message) if step["mode"] == 1 else it.generate(message)
        assert sw == "9000"
        assert found.get(0x80, b"\0") == b"\0"
    return it


@pytest.mark.parametrize("vector", CONTENT["tests"], ids=lambda vector: f"{vector['tcId']}")
def test_refused_and_nothing_changed(vector: dict[str, Any]) -> None:
    it = prepared().again()
    before = it.card.persistent(), it.card.volatile()
    answer = it.exchange(bytes.fromhex(vector["object"]), int(vector["ins"], 16), int(vector["p2"], 16))
    assert answer.sw == vector["sw"], vector["comment"]
    if "status" in vector:
        ((_, template),) = objects(next(objects(bytes.fromhex(answer.data)))[1])
        found = dict(objects(template))
        assert found[0x80] == bytes.fromhex(vector["status"]), vector["comment"]
        assert not {0x86, 0x87} & set(found), "a key left the card"
    else:
        assert answer.data == ""
    assert (it.card.persistent(), it.card.volatile()) == before, vector["comment"]


def test_the_file_is_what_the_oracle_makes() -> None:
    assert PATH.read_text("utf-8") == render()
    assert CONTENT["numberOfTests"] == len(CONTENT["tests"]) >= 300
