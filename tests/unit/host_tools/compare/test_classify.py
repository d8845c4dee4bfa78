"""How differences are classified, paired and allowed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools.compare.allow import Rules, default_rules, parse_rules
from host_tools.compare.comparison import align
from host_tools.compare.model import Kind
from host_tools.script.errors import ScriptError
from tests.unit.host_tools.compare.sides import compared, one, side

SELECT = "00A40004023F0000"
READ = "00B0820004"  # EF_ICCID under the MF
CHALLENGE = "0084000008"
FCP = "620A 8202 7821 8302 3F00 8000 9000".replace(" ", "")


class TestKinds:
    def test_the_same_is_no_difference(self) -> None:
        assert one(SELECT, FCP, FCP) == []

    def test_status_word(self) -> None:
        assert one(READ, "6982", "9000") == [
            ("sw", "", "6982: security status not satisfied", "9000: normal ending of the command")
        ]

    def test_value_by_bytes(self) -> None:
        assert [found[:2] for found in one(READ, "A1A2A3A49000", "A1FFFFA49000")] == [("value", "1-2")]
        assert [found[1] for found in one(READ, "A1A2A3A49000", "FFA2A3FF9000")] == ["0-0", "3-3"]

    def test_length(self) -> None:
        assert one(READ, "A1A29000", "A1A2A39000") == [("length", "", "[2] A1A2", "[3] A1A2A3")]

    def test_value_and_length_of_an_object(self) -> None:
        assert one(SELECT, FCP, FCP.replace("7821", "7822")) == [
            ("value", "62/82", "descriptor [2] 7821", "descriptor [2] 7822")
        ]
        longer = "620B8202782183033F00008000" + "9000"
        assert [found[:2] for found in one(SELECT, FCP, longer)] == [("length", "62/83")]

    def test_an_object_that_one_side_has_not(self) -> None:
        shorter = "62088202782183023F009000"
        assert one(SELECT, FCP, shorter) == [("tlv", "62/80", "file size [0]", "no such object")]

    def test_the_order_of_objects(self) -> None:
        other = "620A83023F0082027821 8000 9000".replace(" ", "")
        assert one(SELECT, FCP, other) == [("order", "", "62 62/82 62/83 62/80", "62 62/83 62/82 62/80")]

    def test_a_vanished_reader(self) -> None:
        ((kind, _, a, b),) = one(READ, "9000", "gone")
        assert (kind, a[:4]) == ("link", "9000")
        assert "vanished" in b

    def test_an_answer_that_is_garbage(self) -> None:
        ((kind, _, a, b),) = one(READ, "9000", "90")
        assert (kind, a[:4], b) == ("link", "9000", "an answer without status word")

    def test_transport_does_not_count(self) -> None:
        t0 = [("step", [(SELECT, "610C"), ("00C000000C", FCP)])]
        again = [("step", [("00B0000000", "6C02"), ("00B0000002", "A1A29000")])]
        assert compared(t0, [("step", [(SELECT, FCP)])]).differences == []
        assert compared(again, [("step", [("00B0000000", "A1A29000")])]).differences == []

    def test_secrets_are_compared_and_not_shown(self) -> None:
        kc = ("0411223344" + "08" + "C1" * 8, "0411223344" + "08" + "C2" * 8)
        found = one("0088008011" + "10" + "5A" * 16 + "00", kc[0] + "9000", kc[1] + "9000")
        assert found == [("value", "6-13", "[8] not shown", "[8] not shown")]

    def test_a_pin_that_differs_is_not_shown(self) -> None:
        commands = ["002000010831313131FFFFFFFF", "002000010832323232FFFFFFFF"]
        a, b = ([("step", [(command, "9000")])] for command in commands)
        (found,) = compared(a, b).differences
        assert (found.where, found.a, found.b) == ("command", "[13] not shown", "[13] not shown")


class TestPairs:
    def test_a_command_of_one_side_alone(self) -> None:
        comparison = compared([("s", [(SELECT, FCP), (READ, "9000")])], [("s", [(READ, "9000")])])
        assert [found.kind for found in comparison.differences] == [Kind.ORDER]
        assert [(pair.a is None, pair.b is None) for pair in comparison.pairs] == [(False, True), (False, False)]

    def test_a_step_of_one_side_alone(self) -> None:
        comparison = compared(
            [("x", [(SELECT, FCP)]), ("y", [(READ, "9000")])], [("y", [(READ, "9000")]), ("z", [(READ, "9000")])]
        )
        assert [(pair.step, pair.a is None, pair.b is None) for pair in comparison.pairs] == [
            ("x", False, True), ("y", False, False), ("z", True, False),
        ]  # fmt: skip

    @given(a=st.lists(st.integers(0, 3), max_size=12), b=st.lists(st.integers(0, 3), max_size=12))
    def test_every_item_is_there_once_and_in_order(self, a: list[int], b: list[int]) -> None:
        pairs = list(align(a, b, a, b))
        assert [one for one, _ in pairs if one is not None] == a
        assert [other for _, other in pairs if other is not None] == b
        assert all(one == other for one, other in pairs if one is not None and other is not None)

    def test_cards_as_a_whole(self) -> None:
        from host_tools.compare.comparison import compare_runs

        found = compare_runs(side("A", [], "3B00"), side("B", [], "3B80"), Rules()).differences
        assert [(item.kind.value, item.where, item.a, item.b) for item in found] == [("value", "ATR", "3B00", "3B80")]

    def test_a_reader_that_vanished_is_never_fine(self) -> None:
        comparison = compared([("s", [(READ, "gone")])], [("s", [(READ, "9000")])], parse_rules(
            '[[allow]]\nwhy = "anything"', "x"))  # fmt: skip
        assert all(found.allowed for found in comparison.differences)
        assert not comparison.is_allowed


RULE = '[[allow]]\nwhy = "because"\n'


class TestRules:
    @pytest.mark.parametrize(
        ("rule", "allowed"),
        [
            ("", True),
            ('kind = "value"', True),
            ('kind = ["sw", "value"]', True),
            ('kind = "sw"', False),
            ('command = "read*"', True),
            ('command = "SELECT"', False),
            ('step = "st?p"', True),
            ('step = "other"', False),
            ('bytes = "1-2"', True),
            ('bytes = "0-9"', True),
            ('bytes = "2"', False),
            ('path = "1-*"', True),
            ('file = "MF"', False),
            ('file = "*/EF_ICCID"', True),
        ],
    )
    def test_what_a_rule_applies_to(self, rule: str, allowed: bool) -> None:
        rules = parse_rules(RULE + rule, "x.toml")
        a, b = ([("step", [(READ, answer)])] for answer in ("A1A2A3A49000", "A1FFFFA49000"))
        comparison = compared(a, b, rules)
        assert comparison.is_allowed is allowed
        assert [found.allowed for found in comparison.differences] == ["because" if allowed else ""]

    def test_random_answers_are_allowed_by_default_and_their_length_is_not(self) -> None:
        a = [("step", [(CHALLENGE, "00" * 8 + "9000")])]
        assert compared(a, [("step", [(CHALLENGE, "11" * 8 + "9000")])], default_rules()).is_allowed
        assert not compared(a, [("step", [(CHALLENGE, "11" * 7 + "9000")])], default_rules()).is_allowed

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ('[[allow]]\nkind = "sw"', "x.toml:1: a rule says why"),
            (RULE + 'kind = "swx"', "x.toml:3: there is no kind 'swx'"),
            (RULE + 'bytes = "a-b"', "x.toml:3: 'a-b' is no range of bytes"),
            (RULE + 'fiel = "x"', "did you mean 'file'?"),
            ("[timing]\nfactor = 0.5", "x.toml:2: factor is not allowed"),
            ('[timing]\nfloor_ms = "x"', "x.toml:2: floor_ms is not allowed"),
            ("allow = 3", "rules are written [[allow]]"),
            ("[[allow", "not TOML"),
        ],
    )
    def test_what_is_wrong_is_told_with_its_line(self, text: str, complaint: str) -> None:
        with pytest.raises(ScriptError) as caught:
            parse_rules(text, "x.toml")
        assert complaint in str(caught.value)


@given(data=st.binary(max_size=40), other=st.binary(max_size=40))
def test_answers_differ_when_their_bytes_do(data: bytes, other: bytes) -> None:
    found = one(READ, data.hex() + "9000", other.hex() + "9000")
    assert bool(found) is (data != other)
