"""Access conditions are learned from EF_ARR, from a rule in the FCP, or from what a read showed, and said as that."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import card
from card import CardProfile, memory_card
from card.codec.access_rule import ALWAYS, NEVER, AccessRule, Combination, Condition, Operation, needs
from card.codec.access_words import describe_condition, parse_condition
from card.crypto.secret import Secret
from card.spec.files.catalogue import all_files
from card.spec.status import SW
from host_tools.compare.access import access_lines, find_access
from host_tools.compare.explore import FoundCard, FoundFile, explore
from host_tools.compare.learn import propose_profile
from host_tools.links.inprocess import InProcessLink

PIN = Secret(b"1234")
DEMO = (Path(card.__file__).parent / "profile" / "demo" / "usim.toml").read_text()
IMSI, SPN, ARR = "ADF.USIM/6F07", "ADF.USIM/6F46", "ADF.USIM/6F06"
ROWS = dict(all_files())


def found(text: str, pin: Secret | None = PIN) -> FoundCard:
    link = InProcessLink(memory_card(CardProfile.parse(text, "test")))
    try:
        return explore(link, pin)
    finally:
        link.close()


def override(path: str, access: str) -> str:
    return f'\n[[files]]\npath = "{path}"\naccess = {{ {access} }}\n'


def conditions(text: str, path: str) -> dict[str, str]:
    access = find_access(found(text), path)
    return {str(name.name).lower(): describe_condition(condition) for name, condition in access.conditions.items()}


@pytest.mark.parametrize(
    "access",
    [
        'read = "ALW", update = "ADM2"',
        'update = "PIN1 or ADM2"',
        'update = "PIN1 and ADM3", deactivate = "NEV"',
        'read = "PIN1", update = "PIN2", expanded = true',
        'terminate = "ADM10", activate = "UNIVERSAL"',
    ],
)
@pytest.mark.parametrize("path", [IMSI, "ADF.USIM/5F3A/4F3A"])
def test_what_is_learned_has_the_same_conditions(access: str, path: str) -> None:
    text = DEMO + override(path, access)
    learned = propose_profile(found(text), found)
    assert conditions(learned, path) == conditions(text, path) != conditions(DEMO, path)
    assert "access stays different" not in learned


def test_a_rule_names_where_it_was_found() -> None:
    learned = propose_profile(found(DEMO + override(SPN, 'read = "ADM3", expanded = true')), found)
    assert 'access = { read = "ADM3", expanded = true }  # in its FCP' in learned
    learned = propose_profile(found(DEMO + override(SPN, 'read = "ADM3"')), found)
    assert f'access = {{ read = "ADM3" }}  # EF_ARR {ARR}, record ' in learned


class TestWithoutReadableRules:
    """EF_ARR is closed, so only reading shows who may read."""

    CLOSED = DEMO + override(ARR, 'read = "ADM1"') + override("3F00/2F06", 'read = "ADM1"')

    def test_a_refusal_before_the_pin_and_none_behind_it(self) -> None:
        access = find_access(found(self.CLOSED), IMSI)
        assert access.conditions == {Operation.READ: needs(1)}
        assert access.source.startswith("observed: refused without PIN1, read with it")

    def test_no_refusal_at_all(self) -> None:
        access = find_access(found(self.CLOSED), "3F00/2FE2")
        assert access.conditions == {Operation.READ: ALWAYS}
        assert access.source.startswith("observed")

    def test_a_learned_read_condition_is_said_to_be_observed(self) -> None:
        learned = propose_profile(found(self.CLOSED + override(SPN, 'read = "PIN1"')), found)
        assert 'access = { read = "PIN1" }  # observed: ' in learned

    def test_a_disabled_pin_shows_nothing(self) -> None:
        text = re.sub("^pin1 = {", "pin1 = { enabled = false,", self.CLOSED, flags=re.MULTILINE)
        access = find_access(found(text), IMSI)
        assert access.conditions == {}
        assert "PIN1 is disabled" in access.source

    def test_without_the_pin_it_stays_unknown(self) -> None:
        access = find_access(found(self.CLOSED, None), IMSI)
        assert access.conditions == {}
        assert access.source.startswith("unknown")


def one_file(**changes: object) -> FoundCard:
    file = FoundFile(ROWS[SPN], ROWS[SPN].structure, 17, None, **changes)  # type: ignore[arg-type]
    return FoundCard("test", b"", (), {SPN: file})


@pytest.mark.parametrize("rule", ["80", "800101A400", "9E01FF", "8001019E01FF"])
def test_a_rule_nobody_understands_is_unknown(rule: str) -> None:
    access = find_access(one_file(rule=bytes.fromhex(rule), before=SW.OK), SPN)
    assert access.conditions == {}
    assert access.source.startswith("unknown: in its FCP is not understood")


def test_a_record_that_is_not_there_is_no_rule() -> None:
    assert find_access(one_file(arr=(0x6F06, 9)), SPN).conditions == {}


def test_a_condition_that_no_profile_can_say_is_a_comment() -> None:
    rule = AccessRule(((Operation.READ, needs(0x02)), (Operation.UPDATE, needs(0x0A))))
    lines = list(access_lines(find_access(one_file(rule=rule.encode()), SPN), None))
    assert lines == [
        'access = { update = "ADM1", expanded = true }  # in its FCP',
        "# no profile can say: read needs PIN1 of application 2",
    ]


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("ALW", ALWAYS),
        ("NEV", NEVER),
        ("PIN2", needs(0x81)),
        ("PIN1 or ADM6", needs(0x01, 0x8A)),
        ("UNIVERSAL and ADM1", Condition(Combination.ALL, (0x11, 0x0A))),
    ],
)
def test_conditions_in_words(text: str, condition: Condition) -> None:
    assert parse_condition(text) == condition
    assert describe_condition(condition) == text


@pytest.mark.parametrize("text", ["", "PIN", "PIN1 or", "PIN1 or PIN1", "ALW or PIN1", "PIN1 or PIN2 and ADM2"])
def test_words_that_are_no_condition(text: str) -> None:
    with pytest.raises(ValueError, match="no security condition"):
        parse_condition(text)
