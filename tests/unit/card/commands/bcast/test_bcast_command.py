"""INS 1B and the deletions: blocks both ways, access, what is described and what is refused."""

from __future__ import annotations

import pytest

from tests.oracle.bcast_model import LtkmData
from tests.oracle.bcast_wire import P1, X2, Wire
from tests.support.bcast import GROUP, KEY_DOMAIN, KEY_ID, SEK, BcastCard, objects
from tests.support.testcard import SELECT_USIM, tlv

TERMINAL, CONTENT = b"\x01" + bytes(range(16)), b"the film"
FREE = LtkmData(KEY_ID, SEK, 10, 1000, 1, "live_free")
COUNTED = LtkmData(KEY_ID, SEK, 10, 500, 2, "playback_counted", counter=3)
PAID = LtkmData((*KEY_ID[:2], b"\0\2"), SEK, 0, 99, 3, "live_ppt_key", cost=2, tokens=9)


@pytest.fixture(params=[P1, X2], ids=["P1", "X2"])
def it(request: pytest.FixtureRequest) -> BcastCard:
    wire: Wire = request.param
    it = BcastCard.new(wire)
    for m in (FREE, COUNTED, PAID):
        assert it.update(it.ltkm(m).build())[0] == "9000"
    return it


def record(it: BcastCard, first: int = 400, last: int = 600, content: bytes = CONTENT) -> tuple[str, bytes]:
    interval = first.to_bytes(4, "big") + last.to_bytes(4, "big")
    return it.operation("record", terminal=TERMINAL, content=content, **it.key_fields(KEY_ID), interval=interval)


def test_audit_of_key_groups(it: BcastCard) -> None:
    service = {"service": 0} if it.wire is X2 else {}
    assert it.purses() == {(KEY_DOMAIN, GROUP): {"user": 0, "live": 9, "playback": 0, "kept": 0, **service}}


def test_audit_of_policies(it: BcastCard) -> None:
    numbers = it.wire.rules.numbers
    found = {(p["key number"], p["spe"][0]): p for p in it.policies((KEY_DOMAIN, GROUP))}
    assert set(found) == {
        (b"\0\1", numbers["live_free"]),
        (b"\0\1", numbers["playback_counted"]),
        (b"\0\2", numbers["live_ppt_key"]),
    }
    counted = found[b"\0\1", numbers["playback_counted"]]
    assert counted["validity"] == bytes.fromhex("0000000A000001F4")
    assert counted["play-backs"] == bytes.fromhex("00000003")
    paid = found[b"\0\2", numbers["live_ppt_key"]]
    assert (paid["cost"], paid["live"]) == (bytes.fromhex("00000002"), bytes.fromhex("00000009"))


def test_audit_of_an_empty_card() -> None:
    it = BcastCard.new(P1)
    assert it.operation("audit") == ("6A88", b"")
    assert it.operation("audit", **it.key_fields(KEY_ID[:2])) == ("6A88", b"")
    assert it.operation("recordings") == ("6A88", b"")


def test_an_audit_may_come_without_data(it: BcastCard) -> None:
    mode = it.wire.modes["audit"]
    assert it.card.send(f"001B80{mode:02X}").sw == "62F3"
    assert it.card.send(f"001BA0{mode:02X}00").data.startswith("73")


def test_pin_1_is_needed(it: BcastCard) -> None:
    it.card.card.reset()
    it.card.ok(SELECT_USIM)
    for mode in it.wire.modes.values():
        if mode in (it.wire.modes[name] for name in ("audit", "record", "recordings", "event")):
            it.card.refused("6982", f"001B80{mode:02X}027300")
    body = it.fields(mode=bytes((it.wire.modes["delete policies"],)), **it.key_fields(KEY_ID[:2]))
    data = tlv(0x73, tlv(0xAE, body))
    it.card.refused("6982", f"00898085{len(data):02X}", data)


def test_recording_flags_the_policies_it_needs(it: BcastCard) -> None:
    sw, value = record(it)
    assert sw == "9000"
    (tag, available), *flagged = objects(value)
    assert tag == it.wire.audit["available"]
    assert int.from_bytes(available, "big") == 512 - 3
    assert {dict(objects(inner))[it.wire.audit["spe"]][0] for _, inner in flagged} == {
        it.wire.rules.numbers["live_free"],
        it.wire.rules.numbers["playback_counted"],
    }
    bits = {p["spe"][0]: p["properties"][0] & it.wire.recorded_bit for p in it.policies((KEY_DOMAIN, GROUP))}
    assert bits == {
        it.wire.rules.numbers["live_free"]: it.wire.recorded_bit,
        it.wire.rules.numbers["playback_counted"]: it.wire.recorded_bit,
        it.wire.rules.numbers["live_ppt_key"]: 0,
    }


def test_recordings_are_audited_and_deleted(it: BcastCard) -> None:
    record(it)
    record(it, 600, 700, b"another")
    sw, value = it.operation("recordings")
    assert sw == "9000"
    contents = [dict(objects(inner)) for tag, inner in objects(value) if tag == it.wire.audit["content description"]]
    assert [found[it.wire.audit["content"]] for found in contents] == [CONTENT, b"another"]
    sw, found = it.deletion("delete recording", terminal=TERMINAL, content=CONTENT)
    assert (sw, found[it.wire.audit["status"]]) == ("9000", bytes((it.wire.status["done"],)))
    flags = {p["spe"][0]: bool(p["properties"][0] & it.wire.recorded_bit) for p in it.policies((KEY_DOMAIN, GROUP))}
    assert flags[it.wire.rules.numbers["live_free"]], "the other recording still needs it"
    assert not flags[it.wire.rules.numbers["playback_counted"]]


def test_a_recorded_policy_cannot_be_deleted(it: BcastCard) -> None:
    record(it)
    before = it.card.persistent()
    sw, found = it.deletion("delete policies", **it.key_fields(KEY_ID[:2]))
    wanted = it.wire.status["recorded"]
    if wanted < 0x100:
        assert (sw, found[it.wire.audit["status"]]) == ("9000", bytes((wanted,)))
    else:
        assert sw == f"{wanted:04X}"
    assert it.card.persistent() == before


def test_a_recorded_policy_is_not_pushed_out() -> None:
    it = BcastCard.new(P1)
    for number in range(1, 5):
        m = LtkmData((*KEY_ID[:2], bytes((0, number))), SEK, 0, 99, number, "playback_free")
        if number == 2:
            recorded = (*KEY_ID[:2], b"\0\1")
            interval = bytes(8)
            sw, _ = it.operation(
                "record", terminal=TERMINAL, content=b"x", **it.key_fields(recorded), interval=interval
            )
            assert sw == "9000"
        assert it.update(it.ltkm(m).build())[1][0x80] == b"\0"
    left = {p["key number"][1] for p in it.policies((KEY_DOMAIN, GROUP))}
    assert left == {1, 3, 4}, "room for three keys beside EF_MSK: the oldest that no recording needs went"


def test_deleting_the_last_policy_deletes_the_key(it: BcastCard) -> None:
    assert it.deletion("delete policies", **it.key_fields(KEY_ID[:2]))[0] == "9000"
    assert it.policies((KEY_DOMAIN, GROUP)) == []
    assert set(it.card.record(0x6FD7, 1)) == {0xFF}
    assert it.purses()[KEY_DOMAIN, GROUP]["live"] == 9, "purses stay"


def test_signalling_with_p1_00(it: BcastCard) -> None:
    data = tlv(0x73, b"")
    mode = it.wire.modes["event"]
    assert it.card.send(f"001B00{mode:02X}{len(data):02X}", data).sw == "9000"


def test_signalling_with_p1_00_behind_what_another_command_left(it: BcastCard) -> None:
    data, mode = tlv(0x73, b""), it.wire.modes["event"]
    assert it.card.send("0089808502", b"\x53\x10").sw == "63F1"
    assert it.card.send(f"001B00{mode:02X}{len(data):02X}", data).sw == "9000"
    assert it.card.send(f"001B80{it.wire.modes['audit']:02X}01", b"\x73").sw == "63F1"
    assert it.card.send(f"001B00{mode:02X}{len(data):02X}", data).sw == "9000"


def test_a_long_audit_is_fetched_in_blocks() -> None:
    it = BcastCard.new(P1)
    for ts, policy in enumerate(("live_free", "live_teks", "live_ppt_key", "live_ppv_user", "playback_free"), 1):
        it.update(it.ltkm(LtkmData(KEY_ID, SEK, 0, 99, ts, policy)).build())
    mode = it.wire.modes["audit"]
    data = tlv(0x73, it.fields(**it.key_fields(KEY_ID[:2])))
    sw = ""
    for start in range(0, len(data), 4):
        part = data[start : start + 4]
        sw = it.card.send(f"001B{'00' if start else '80'}{mode:02X}{len(part):02X}", part).sw
    assert sw == "62F3"
    first = it.card.send(f"001BA0{mode:02X}40")
    assert (len(first.data) // 2, first.sw) == (0x40, "62F1")
    received = first.data
    while first.sw == "62F1":
        first = it.card.send(f"001B20{mode:02X}40")
        received += first.data
    assert first.sw == "9000"
    ((_, value),) = objects(bytes.fromhex(received))
    assert len(list(objects(value))) == 5
