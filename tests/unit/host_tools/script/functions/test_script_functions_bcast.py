"""What scripts compute for OMA BCAST and BCMCS, against the oracle, and what is said of wrong arguments."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from host_tools.script.errors import ExpressionError
from host_tools.script.functions.call import Call
from host_tools.script.values import Scope, Value
from tests.oracle import bcast_wire, bcmcs
from tests.oracle.bcast_model import LtkmData, StkmData
from tests.oracle.bcast_wire import P1, X2, Wire
from tests.oracle.mikey import Ltkm, Stkm

KEY_ID = (bytes.fromhex("99F999"), b"\xff\xfe", b"\x00\x01")
KEY, RAND, SMK, TEK = bytes(range(16)), bytes(range(16, 32)), bytes(range(32)), bytes(range(0x40, 0x50))
CSB_ID = 0x42434153
# What our packets have (RFC 3830 clause 6.10.1): AES-CM, HMAC-SHA-1 with a tag of 80 bits, rate 0.
SRTP_POLICY = bytes.fromhex("00010101011002010103011404010e0501000601000701010801010a01010b010a")
NAMES = {
    "live_ppt_key": "live pay per time, key purse",
    "playback_ppt_key": "play-back pay per time, key purse",
    "live_ppt_user": "live pay per time, user purse",
    "playback_ppt_user": "play-back pay per time, user purse",
    "live_free": "unlimited live",
    "playback_free": "unlimited play-back",
    "playback_counted": "counted play-back",
    "live_ppv_user": "live pay per view, user purse",
    "playback_ppv_user": "play-back pay per view, user purse",
    "live_teks": "live, counted TEKs",
    "playback_teks": "play-back, counted TEKs",
}
VARIABLES = {
    "key": Value(KEY, secret=True),
    "smk": Value(SMK, secret=True),
    "rand": Value(RAND),
    "tek": Value(TEK),
    "key_id": Value(b"".join(KEY_ID)),
    "empty": Value(b""),
}
both = pytest.mark.parametrize("wire", [P1, X2], ids=lambda wire: str(wire.name))


def run(text: str, **more: bytes) -> bytes:
    scope = Scope()
    scope.update({**VARIABLES, **{name: Value(value) for name, value in more.items()}})
    return Call.parse(text).evaluate(scope).data


class TestArguments:
    def test_text_in_quotes_may_hold_commas(self) -> None:
        call = Call.parse("concat('one, two', name)")
        assert call.arguments == (b"one, two", "name")
        assert call.names == {"name"}

    @pytest.mark.parametrize(
        "text", ["concat('one, two)", "concat(one', 'two)", "flip('a'b)", 'flip("a")', "flip('(')"]
    )
    def test_quotes_that_are_wrong(self, text: str) -> None:
        with pytest.raises(ExpressionError):
            Call.parse(text)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("bcast_number('P3', 'pin')", "no set of tables 'P3'; there are: P1, X2"),
            ("bcast_number('P1', 'colour red')", "no kind of number 'colour'; there are: tag, audit, mode"),
            ("bcast_number('P1', 'tag red')", "no tag 'red'; there are: status, tek"),
            ("bcast_spe('P1', 'free')", "no SPE 'free'; there are: live pay per time, key purse"),
            ("bcast_status('P1', 'bad')", "no reason 'bad'; there are: done"),
            ("bcast_status('P1', 'stkm_replayed')", "answers stkm_replayed with the status word 9865"),
            ("bcast_policy('P1', 'unlimited live', 0x, 0x, 0x, 'now')", "no flag 'now'; there are: add, keep, report"),
            ("bcast_parental('P1', 0x7E, 0x, 0x00)", "an argument has the wrong size"),
            ("bcast_stkm_data('P1', 0x, 0x)", "an argument has the wrong size"),
            ("verified(rand, rand, smk)", "the verification message cannot be read"),
            ("csim_nai(0x00FF)", "holds no NAI"),
        ],
    )
    def test_what_is_wrong_is_said_without_a_key(self, text: str, said: str) -> None:
        with pytest.raises(ExpressionError, match=re.escape(said)) as caught:
            run(text)
        assert SMK.hex() not in str(caught.value).lower()


class TestTables:
    @both
    def test_numbers(self, wire: Wire) -> None:
        tables = wire.name.encode()
        assert run("bcast_number(tables, 'pin')", tables=tables) == bytes((wire.pin,))
        assert run("bcast_number(tables, 'tag tek')", tables=tables) == bytes((wire.tags["tek"],))
        assert run("bcast_number(tables, 'audit kept_tek_counter')", tables=tables) == bytes((wire.audit["kept"],))
        (mode,) = run("bcast_number(tables, 'mode recording_deletion')", tables=tables)
        assert mode == wire.modes["delete recording"]

    @both
    def test_answers(self, wire: Wire) -> None:
        tables, tag = wire.name.encode(), wire.tags["status"]
        status = bytes((tag, 1, wire.status["no credit"]))
        assert run("bcast_status(tables, 'no_credit')", tables=tables) == status
        whole = run("bcast_refusal(tables, 'no_credit', 0xAA00)", tables=tables)
        assert whole == b"\x73\x07\xae\x05" + status + b"\xaa\0"

    def test_a_status_word_has_no_data(self) -> None:
        assert run("bcast_refusal('P1', 'no_live_right', 0xAA00)") == b""
        assert run("bcast_refusal('X2', 'no_live_right', 0x)") == bytes.fromhex("7305AE03900160")
        assert run("bcast_deletion('P1', 'recorded', 0x)") == bytes.fromhex("7305AE0380010C")
        assert run("bcast_deletion('X2', 'recorded', 0x)") == b""

    def test_which_rating_is_held_back(self) -> None:
        assert (run("bcast_stricter('P1', 0x7E05)"), run("bcast_stricter('X2', 0x7E05)")) == (b"\x7e\x06", b"\x7e\x04")
        assert (run("bcast_stricter('P1', 0x0205)"), run("bcast_stricter('X2', 0x0205)")) == (b"\x02\x04", b"\x02\x06")


class TestExtensions:
    @both
    @pytest.mark.parametrize("policy", NAMES)
    def test_a_policy(self, wire: Wire, policy: str) -> None:
        tables, name = wire.name.encode(), NAMES[policy].encode()
        message = LtkmData(KEY_ID, KEY, 0, 1, 1, policy, cost=5, tokens=12, counter=3, add=True, keep=True)
        written = run("bcast_policy(tables, name, 0x05, 0x0C, 0x03, 'add keep')", tables=tables, name=name)
        assert written == bcast_wire.ltkm_extension(message, wire)
        assert run("bcast_spe(tables, name)", tables=tables, name=name)[0] == wire.rules.numbers[policy]

    @both
    def test_a_report_and_a_rating(self, wire: Wire) -> None:
        tables, free = wire.name.encode(), LtkmData(KEY_ID, KEY, 0, 1, 1, "live_free")
        written = run("bcast_policy(tables, 'unlimited live', 0x, 0x, 0x, 'report')", tables=tables)
        assert written == bcast_wire.ltkm_extension(free, wire, reporting=True)
        rated = run("bcast_rated_policy(tables, 'unlimited live', 0x7E05)", tables=tables)
        assert rated == bcast_wire.ltkm_extension(free, wire, rating=(0x7E, 5))

    @both
    @pytest.mark.parametrize("rating", [None, (0x7E, 9)])
    def test_an_stkm(self, wire: Wire, rating: tuple[int, int] | None) -> None:
        message = StkmData(KEY_ID, KEY, 1, 1, extended=True, rating=rating)
        written = run("bcast_stkm_data(tables, 0x03, rated)", tables=wire.name.encode(), rated=bytes(rating or ()))
        assert written == bcast_wire.stkm_extension(message, wire)

    @both
    def test_parental_control(self, wire: Wire) -> None:
        tables = wire.name.encode()
        assert run("bcast_parental(tables, 0x7E05, 0x, 0x00)", tables=tables) == bcast_wire.parental_extension(
            False, (0x7E, 5), False, wire
        )
        assert run("bcast_parental(tables, 0x, key, 0x01)", tables=tables) == bcast_wire.parental_extension(
            True, None, True, wire
        )


class TestMessages:
    LTKM = Ltkm(
        SMK, CSB_ID, RAND, 7, b"bm-sc", b"b-tid", KEY_ID[0], KEY_ID[1] + KEY_ID[2], KEY, bytes(4), b"\xff" * 4,
        verify=False, bcast=b"\x01\x00", ssrc=CSB_ID, sp=SRTP_POLICY,
    )  # fmt: skip

    @pytest.mark.parametrize(("function", "asks"), [("bcast_ltkm", False), ("bcast_ltkm_v", True)])
    def test_an_ltkm(self, function: str, asks: bool) -> None:
        arguments = "smk, 'bm-sc', 'b-tid', 0x00000007, key_id, key, 0x00000000FFFFFFFF, rand, 0x0100"
        assert run(f"{function}({arguments})") == replace(self.LTKM, verify=asks).build()

    def test_without_a_key_there_is_no_stream_to_describe(self) -> None:
        key_id = KEY_ID[0] + KEY_ID[1] + bytes(2)
        arguments = "smk, 'bm-sc', 'b-tid', 0x00000007, key_id, 0x, 0x00000000FFFFFFFF, rand, 0x0100"
        tokens = replace(self.LTKM, msk_id=KEY_ID[1] + bytes(2), msk=b"", ssrc=None, sp=None)
        assert run(f"bcast_ltkm({arguments})", key_id=key_id) == tokens.build()

    def test_its_verification_message(self) -> None:
        sent = replace(self.LTKM, verify=True)
        answer = sent.build_verification()
        assert run("verified(sent, answer, smk)", sent=sent.build(), answer=answer) == answer
        with pytest.raises(ExpressionError, match="the MAC of the verification message is wrong"):
            run("verified(sent, answer, smk)", sent=sent.build(), answer=answer[:-1] + bytes((answer[-1] ^ 1,)))

    def test_an_stkm(self) -> None:
        wanted = Stkm(KEY, CSB_ID, RAND, 9, KEY_ID[0], KEY_ID[1] + KEY_ID[2], b"\x00\x02", TEK, None, b"\x02\x0c\x00")
        assert run("bcast_stkm(key, key_id, 0x0002, tek, 0x00000009, rand, 0x020C00)") == wanted.build()


class TestCsim:
    def test_keys(self) -> None:
        assert run("bcmcs_tk(key, rand)") == bcmcs.tk(KEY, RAND)
        assert run("bcmcs_sealed_bak(key, rand, tek)") == bcmcs.sealed_bak(KEY, RAND, TEK)
        assert run("bcmcs_sk(tek, 0x01020304)") == bcmcs.sk(TEK, b"\1\2\3\4")
        index = bytes(5) + b"\1"
        assert run("bcmcs_srtp_sk(tek, 0x01020304, index)", index=index) == bcmcs.srtp_sk(TEK, b"\1\2\3\4", index)
        assert run("bcmcs_signature(tek, 0x99, 0x01, 0x05)") == bcmcs.signature(TEK, b"\x99", b"\x01", b"\x05")
        assert run("bcmcs_response(key, rand, tek)") == bcmcs.response(KEY, RAND, TEK)

    def test_the_nai_and_the_counter_of_a_bm_sc(self) -> None:
        assert run("csim_nai(0x0504614062630000)") == b"a@bc"
        record = bytes.fromhex("A009 8003414243 82024445 8104000000FF") + b"\xff" * 8
        assert run("ltkm_counter(0x00000001, record, 'DE')", record=record) == bytes.fromhex("000000FF")
        assert run("ltkm_counter(0x00000001, record, 'EF')", record=record) == b"\0\0\0\1"
        for nothing in (b"", b"\xff" * 20, b"\xa0\x7f"):
            assert run("ltkm_counter(0x00000001, record, 'DE')", record=nothing) == b"\0\0\0\1"

    @pytest.mark.parametrize("text", ["bcmcs_tk(key, rand)", "bcmcs_sk(tek, 0x01020304)"])
    def test_keys_are_secret(self, text: str) -> None:
        scope = Scope()
        scope.update(VARIABLES)
        assert Call.parse(text).evaluate(scope).secret
