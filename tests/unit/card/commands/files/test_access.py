"""Every file and every command without the right: nothing is read, nothing changes."""

from __future__ import annotations

import pytest

from card.codec.access_rule import ALWAYS, Operation
from card.filesystem.node import FileNode
from card.personalisation.layout import lay_out
from card.spec.files.rows import Structure
from tests.support.platform_cards import EXPANDED, platform_card, platform_profile
from tests.support.profiles import ADM1, PIN1, PIN2
from tests.support.testcard import TestCard

NODES = [planned.node for planned in lay_out(platform_profile())]
EFS = [node for node in NODES if not node.is_directory]


def select(card: TestCard, node: FileNode) -> None:
    """Select a file by its path."""
    root, *fids = node.path.split("/")
    if root.startswith("ADF."):
        card.ok("00A4040C07" + {"ADF.USIM": "A0000000871002", "ADF.ISIM": "A0000000871004"}[root])
        card.ok(f"00A4090C{2 * len(fids):02X}", "".join(fids))
    else:
        card.ok(f"00A4080C{2 * len(fids):02X}", "".join(fids))


def commands(node: FileNode) -> dict[Operation, list[str]]:
    """Return, for each operation, commands that are right in all but the right to use them."""
    record = "FF" * node.record_length
    if node.structure is Structure.TRANSPARENT:
        found = {Operation.READ: ["00B0000001"], Operation.UPDATE: ["00D6000001FF"]}
    elif node.structure is Structure.BER_TLV:
        found = {Operation.READ: ["80CB0080015C00"], Operation.UPDATE: ["80DB008003810100"]}
    else:
        mode = "0003" if node.structure is Structure.CYCLIC else "0104"
        found = {
            Operation.READ: ["00B2010400", "00A2010401FF"],
            Operation.UPDATE: [f"00DC{mode}{node.record_length:02X}{record}"],
        }
    if node.structure is Structure.CYCLIC:
        found[Operation.INCREASE] = ["803200000101"]
    return {**found, Operation.DEACTIVATE: ["00040000"], Operation.ACTIVATE: ["00440000"]}


@pytest.mark.parametrize("node", EFS, ids=lambda node: node.path)
def test_without_any_code(node: FileNode) -> None:
    card = platform_card()
    select(card, node)
    rule = card.card._context.files.rule(node)
    for operation, tries in commands(node).items():
        if rule.condition(operation) == ALWAYS:
            continue
        for command in tries:
            card.refused("6982", command)


# Not EF_ARR: writing into it changes the rules that the rest of the test goes by.
@pytest.mark.parametrize("node", [node for node in EFS if node.name != "EF_ARR"], ids=lambda node: node.path)
def test_with_every_code(node: FileNode) -> None:
    """What a rule names a code for is open with that code, so that the test above proves the rule and nothing else."""
    card = platform_card()
    select(card, node)  # first, since selecting an application again forgets its PIN 2
    card.verify(0x01, PIN1)
    for reference, code in ((0x81, PIN2), (0x0A, ADM1)):
        card.verify(reference, code)
    reference_holder = card.card._context.files.rule(node)
    for operation, tries in commands(node).items():
        condition = reference_holder.condition(operation)
        outcomes = {card.send(command).sw for command in tries}
        if not condition.references and condition != ALWAYS:
            assert outcomes == {"6982"}, operation
        elif condition.references != (0x81,) or "ADF.USIM" in node.path:
            assert "6982" not in outcomes, (operation, condition)
        if operation is Operation.DEACTIVATE:
            card.send("00440000")


def test_the_right_of_one_code_is_not_that_of_another() -> None:
    card = platform_card()
    card.ready()
    card.ok("00A4000C026F3B")
    card.refused("6982", "00DC01041C", "FF" * 28)
    assert card.verify(0x0A, ADM1).sw == "9000"
    card.refused("6982", "00DC01041C", "FF" * 28)
    assert card.verify(0x81, PIN2).sw == "9000"
    card.ok("00DC01041C", "FF" * 28)


def test_a_blocked_pin_closes_what_it_opened() -> None:
    card = platform_card()
    card.ready()
    card.ok("00A4000C026F07")
    card.ok("00B0000009")
    for _ in range(3):
        card.verify(0x01, "9999")
    card.refused("6982", "00B0000009")


def test_expanded_rules_stand_in_the_fcp_and_count() -> None:
    card = platform_card()
    fcp = card.ok(f"00A4000402{EXPANDED:04X}").hex().upper()
    assert "AB" in fcp
    assert "8B" not in fcp
    card.refused("6982", "00B0000002")
    assert card.verify(0x01, PIN1).sw == "9000"
    assert card.ok("00B0000002").hex() == "cafe"
    card.refused("6982", "00D6000001FF")
    assert card.verify(0x0A, ADM1).sw == "9000"
    card.ok("00D6000001FF")


def test_an_overwritten_rule_denies_all() -> None:
    card = platform_card()
    assert card.verify(0x0A, ADM1).sw == "9000"
    card.ok("00A4000C022F06")
    size = len(card.ok("00B2010400"))
    card.ok(f"00DC0104{size:02X}", "80" * size)
    card.refused("6982", "00B2010400")
