"""The BCMCS command, mode by mode, against the oracle."""

from __future__ import annotations

import pytest

from card.codec.apdu import ClassFamily
from card.commands.table import find_command
from card.spec.secrets import Secrecy, find_secrecy
from tests.oracle import bcmcs
from tests.support.csim import (
    AUTHENTICATE,
    BAK_ID,
    DELETE_BAK,
    FLOW,
    OTHER_FLOW,
    RETRIEVE_SK,
    RETRIEVE_SRTP_SK,
    RK,
    SELECT_CSIM,
    SIGN,
    SK_RAND,
    UPDATE_BAK,
    bak,
    command,
    csim_card,
    csim_profile,
    names,
    objects,
    retrieve,
    run,
    sk_of,
    update,
)
from tests.support.ports import CollectingTrace
from tests.support.testcard import SELECT_USIM, Answer, TestCard

SECOND, THIRD = b"\x00\x02", b"\x00\x03"
EMPTY = b"\xff" * 32


@pytest.fixture
def card() -> TestCard:
    return csim_card()


@pytest.fixture
def loaded(card: TestCard) -> TestCard:
    card.ok(update(1))
    return card


def shown(flow: bytes, bak_id: bytes, expires: int = 1000) -> bytes:
    fields = (flow, bak_id, expires.to_bytes(4, "big"))
    return b"".join(bytes((len(field),)) + field for field in fields).ljust(32, b"\xff")


class TestModes:
    def test_retrieve_sk(self, loaded: TestCard) -> None:
        assert retrieve(loaded) == sk_of(1)

    def test_retrieve_srtp_sk(self, loaded: TestCard) -> None:
        index = bytes.fromhex("000000000102")
        expected = bcmcs.srtp_sk(bak(1), SK_RAND, index)
        answer = run(loaded, RETRIEVE_SRTP_SK, *names(), (0x82, SK_RAND), (0x86, index))
        assert answer == Answer("8A10" + expected.hex().upper(), "9000")

    def test_sign(self, loaded: TestCard) -> None:
        time = (999).to_bytes(4, "big")
        expected = bcmcs.signature(bak(1), FLOW, BAK_ID, time)
        assert run(loaded, SIGN, *names(), (0x87, time)) == Answer("8A04" + expected.hex().upper(), "9000")

    def test_authenticate(self, card: TestCard) -> None:
        rand, challenge = bytes(range(16)), b"challenge"
        expected = bcmcs.response(RK, rand, challenge)
        answer = run(card, AUTHENTICATE, (0x88, rand), (0x89, challenge))
        assert answer == Answer("8A10" + expected.hex().upper(), "9000")

    @pytest.mark.parametrize("cla", ["00", "80"])
    def test_both_classes(self, loaded: TestCard, cla: str) -> None:
        data = objects(*names(), (0x82, SK_RAND))
        assert loaded.exchange(command(RETRIEVE_SK, data, cla)) == sk_of(1)

    def test_the_keys_stay_out_of_files_and_traces(self) -> None:
        trace = CollectingTrace()
        card = csim_card(trace=trace)
        card.ok(update(1))
        retrieve(card)
        events = "".join(map(str, trace.events)).lower().replace(" ", "")
        files = b"".join(value for key, value in card.persistent().items() if key.startswith("ef/"))
        for secret in (bak(1), RK, bcmcs.sk(bak(1), SK_RAND)):
            assert secret.hex() not in events
            assert secret not in files


class TestUnknown:
    def test_flow(self, loaded: TestCard) -> None:
        for mode, tail in ((DELETE_BAK, ()), (RETRIEVE_SK, ((0x82, SK_RAND),)), (SIGN, ((0x87, b"\x01"),))):
            loaded.refused("9404", command(mode, objects(*names(OTHER_FLOW), *tail)))

    def test_bak(self, loaded: TestCard) -> None:
        for mode, tail in ((DELETE_BAK, ()), (RETRIEVE_SK, ((0x82, SK_RAND),)), (SIGN, ((0x87, b"\x01"),))):
            loaded.refused("9402", command(mode, objects(*names(bak_id=SECOND), *tail)))

    def test_the_flow_is_forgotten_with_its_last_bak(self, loaded: TestCard) -> None:
        loaded.ok(command(DELETE_BAK, objects(*names())))
        loaded.refused("9404", command(DELETE_BAK, objects(*names())))


class TestStorage:
    def test_the_second_bak_is_the_next_one(self, loaded: TestCard) -> None:
        loaded.ok(update(2, bak_id=SECOND))
        assert retrieve(loaded) == sk_of(1)
        assert retrieve(loaded, bak_id=SECOND) == sk_of(2)
        assert loaded.record(0x6F63, 1) == shown(FLOW, BAK_ID)
        assert loaded.record(0x6F64, 1) == shown(FLOW, SECOND)

    def test_the_third_drops_the_first(self, loaded: TestCard) -> None:
        loaded.ok(update(2, bak_id=SECOND))
        loaded.ok(update(3, bak_id=THIRD))
        assert retrieve(loaded).sw == "9402"
        assert [retrieve(loaded, bak_id=name) for name in (SECOND, THIRD)] == [sk_of(2), sk_of(3)]
        assert loaded.record(0x6F63, 1) == shown(FLOW, SECOND)
        assert loaded.record(0x6F64, 1) == shown(FLOW, THIRD)

    def test_a_known_one_is_replaced_where_it_stands(self, loaded: TestCard) -> None:
        loaded.ok(update(2, bak_id=SECOND))
        loaded.ok(update(3, expires=(2000).to_bytes(4, "big")))
        assert retrieve(loaded) == sk_of(3)
        assert loaded.record(0x6F63, 1) == shown(FLOW, BAK_ID, 2000)
        assert loaded.record(0x6F64, 1) == shown(FLOW, SECOND)

    def test_deleting_the_current_one_moves_the_next_up(self, loaded: TestCard) -> None:
        loaded.ok(update(2, bak_id=SECOND))
        loaded.ok(command(DELETE_BAK, objects(*names())))
        assert loaded.record(0x6F63, 1) == shown(FLOW, SECOND)
        assert loaded.record(0x6F64, 1) == EMPTY
        assert retrieve(loaded, bak_id=SECOND) == sk_of(2)

    def test_deleting_the_next_one(self, loaded: TestCard) -> None:
        loaded.ok(update(2, bak_id=SECOND))
        loaded.ok(command(DELETE_BAK, objects(*names(bak_id=SECOND))))
        assert (loaded.record(0x6F63, 1), loaded.record(0x6F64, 1)) == (shown(FLOW, BAK_ID), EMPTY)

    def test_deleting_both_clears_both_files(self, loaded: TestCard) -> None:
        loaded.ok(update(2, bak_id=SECOND))
        for name in (SECOND, BAK_ID):
            loaded.ok(command(DELETE_BAK, objects(*names(bak_id=name))))
        assert (loaded.record(0x6F63, 1), loaded.record(0x6F64, 1)) == (EMPTY, EMPTY)

    def test_no_room_for_a_third_flow(self, loaded: TestCard) -> None:
        loaded.ok(update(2, OTHER_FLOW))
        loaded.refused("6A84", update(3, b"third"))
        loaded.ok(command(DELETE_BAK, objects(*names())))
        loaded.ok(update(3, b"third"))

    def test_the_longest_names_fit_the_record(self, card: TestCard) -> None:
        card.ok(update(1, flow=bytes(16), bak_id=bytes(4), expires=b"\xff" * 8))
        assert card.record(0x6F63, 1) == b"\x10" + bytes(16) + b"\x04" + bytes(4) + b"\x08" + b"\xff" * 9

    def test_flow_and_bak_names_do_not_run_together(self, card: TestCard) -> None:
        card.ok(update(1, flow=b"\x01", bak_id=b"\x02\x03"))
        card.ok(update(2, flow=b"\x01\x02", bak_id=b"\x03"))
        assert retrieve(card, b"\x01", b"\x02\x03") == sk_of(1)
        assert retrieve(card, b"\x01\x02", b"\x03") == sk_of(2)

    def test_baks_survive_a_power_cut(self, loaded: TestCard) -> None:
        again = loaded.reopened()
        again.ok(SELECT_CSIM)
        assert again.verify(0x01, "1234").sw == "9000"
        assert retrieve(again) == sk_of(1)


class TestExpiry:
    def test_a_timestamp_at_the_end_is_refused(self, loaded: TestCard) -> None:
        loaded.refused("6985", command(SIGN, objects(*names(), (0x87, (1000).to_bytes(4, "big")))))

    def test_the_card_learns_the_time_from_signed_timestamps(self, loaded: TestCard) -> None:
        loaded.ok(update(2, OTHER_FLOW, expires=(2000).to_bytes(4, "big")))
        assert retrieve(loaded).sw == "9000"
        assert run(loaded, SIGN, *names(OTHER_FLOW), (0x87, (1500).to_bytes(4, "big"))).sw == "9000"
        loaded.refused("6985", command(RETRIEVE_SK, objects(*names(), (0x82, SK_RAND))))
        index = (0x86, bytes(6))
        loaded.refused("6985", command(RETRIEVE_SRTP_SK, objects(*names(), (0x82, SK_RAND), index)))
        assert retrieve(loaded, OTHER_FLOW) == sk_of(2)

    def test_time_does_not_run_backwards(self, loaded: TestCard) -> None:
        loaded.ok(update(2, OTHER_FLOW, expires=(2000).to_bytes(4, "big")))
        for time in (1500, 10):
            assert run(loaded, SIGN, *names(OTHER_FLOW), (0x87, time.to_bytes(4, "big"))).sw == "9000"
        assert retrieve(loaded).sw == "6985"

    def test_a_reset_forgets_the_time(self, loaded: TestCard) -> None:
        loaded.ok(update(2, OTHER_FLOW, expires=(2000).to_bytes(4, "big")))
        assert run(loaded, SIGN, *names(OTHER_FLOW), (0x87, (1500).to_bytes(4, "big"))).sw == "9000"
        again = loaded.reopened()
        again.ok(SELECT_CSIM)
        assert again.verify(0x01, "1234").sw == "9000"
        assert retrieve(again) == sk_of(1)

    def test_an_expired_bak_can_be_renewed(self, loaded: TestCard) -> None:
        loaded.ok(update(2, OTHER_FLOW, expires=(2000).to_bytes(4, "big")))
        assert run(loaded, SIGN, *names(OTHER_FLOW), (0x87, (1500).to_bytes(4, "big"))).sw == "9000"
        loaded.ok(update(3, expires=(3000).to_bytes(4, "big")))
        assert retrieve(loaded) == sk_of(3)


GOOD = objects(*names(), (0x82, SK_RAND))


class TestBadInput:
    @pytest.mark.parametrize(
        "data",
        [
            GOOD[:-1],
            GOOD + b"\x00",
            GOOD + objects((0x86, bytes(6))),
            objects((0x82, SK_RAND)),
            objects(*reversed(names()), (0x82, SK_RAND)),
            objects(*names(), (0x83, SK_RAND)),
            objects(*names(), (0x82, bytes(5))),
            objects((0x80, b""), (0x81, BAK_ID), (0x82, SK_RAND)),
            objects((0x80, bytes(17)), (0x81, BAK_ID), (0x82, SK_RAND)),
            objects((0x80, FLOW), (0x81, bytes(5)), (0x82, SK_RAND)),
        ],
    )
    def test_objects(self, loaded: TestCard, data: bytes) -> None:
        loaded.refused("6A80", command(RETRIEVE_SK, data))

    @pytest.mark.parametrize("size", [15, 17, 32])
    def test_a_bak_of_another_size(self, card: TestCard, size: int) -> None:
        tail = (0x83, b"\x01"), (0x84, bytes(16)), (0x85, bytes(size))
        card.refused("6A80", command(UPDATE_BAK, objects(*names(), *tail)))

    @pytest.mark.parametrize("header", ["80580600", "80580001", "8058FF00"])
    def test_parameters(self, loaded: TestCard, header: str) -> None:
        loaded.refused("6A86", header, bytes((len(GOOD),)), GOOD)

    def test_no_data(self, loaded: TestCard) -> None:
        loaded.refused("6700", "8058000000")


class TestAccess:
    def test_without_the_pin(self) -> None:
        card = TestCard.new(csim_profile())
        card.ok(SELECT_CSIM)
        card.refused("6982", command(RETRIEVE_SK, GOOD))

    def test_in_the_usim(self, loaded: TestCard) -> None:
        loaded.ok(SELECT_USIM)
        loaded.refused("9864", command(RETRIEVE_SK, GOOD))

    def test_outside_every_application(self) -> None:
        TestCard.new(csim_profile()).refused("6985", command(RETRIEVE_SK, GOOD))

    def test_with_the_service_off(self) -> None:
        card = csim_card(tail="[csim.services]\ndisabled = [18]")
        card.refused("9864", command(RETRIEVE_SK, GOOD))

    def test_other_tags_by_profile(self) -> None:
        card = csim_card(tail="[csim.tags]\nflow_id = 0x41\nresponse = 0x4F")
        own = objects((0x41, FLOW), (0x81, BAK_ID))
        tk_rand = bytes(16)
        sealed = bcmcs.sealed_bak(RK, tk_rand, bak(1))
        card.ok(command(UPDATE_BAK, own + objects((0x83, b"\xff"), (0x84, tk_rand), (0x85, sealed))))
        answer = card.exchange(command(RETRIEVE_SK, own + objects((0x82, SK_RAND))))
        assert answer.data.startswith("4F10")
        card.refused("6A80", command(RETRIEVE_SK, GOOD))


def test_its_answers_are_secret_in_every_class_it_has() -> None:
    for family in find_command(0x80, 0x58).families:
        row = find_secrecy({ClassFamily.INTERINDUSTRY: 0x00, ClassFamily.ETSI: 0x80}[family], 0x58)
        assert row is not None
        assert row.answer is Secrecy.SECRET
