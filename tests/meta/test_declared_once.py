"""Identifiers, contexts, block steps, instructions, AIDs and paths are declared in one place: nowhere else as numbers.

The syntax tree is looked at, not the text: named constants, and arguments of calls where the place says what a number
means. Any other 0x80 is somebody's own.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from card.spec.contexts import EvenP2, MbmsMode, OddP2, Step
from card.spec.files.catalogue import all_directories, all_files
from card.spec.files.fids import CURRENT_ADF, MF
from card.spec.ins import INS
from tests.meta.tree import ROOT, project_files

OWNERS = ("card/spec/", "host_tools/exchange/procedures.py")
FIDS = {row.fid for _, row in all_files()} | {row.fid for _, row in all_directories()} | {MF, CURRENT_ADF}
CONTEXTS = {*map(int, EvenP2), *map(int, OddP2)}
INSTRUCTIONS = {re.sub(r"_", "", name): int(ins) for name, ins in INS.__members__.items()}
# Names that say what a number is. A limit of 15 bits that happens to be 7FFF is none of them.
NAMES = {
    "a file identifier": (re.compile(r"^_?(EF|DF|ADF|MF|FID)(_|$)|_(EF|FID|ST)$|CURRENT_ADF|MASTER_FILE"), FIDS),
    "an AUTHENTICATE context": (re.compile(r"CONTEXT(?!_CLASS)|^_?(3G|UMTS|GBA|MBMS|LOCAL_KEY|GROUP_CALL)$"), CONTEXTS),
    "a block step": (
        re.compile(r"^(_(FIRST|NEXT)|_?(FIRST|NEXT)(_(BLOCK|COMMAND|RESPONSE))+)$"),
        {*map(int, Step)} - {0},
    ),
    "an MBMS mode": (re.compile(r"^_?(MSK|MTK|MUK)_(UPDATE|GENERATION|DELETION)$"), {*map(int, MbmsMode)}),
}
PATH = re.compile(r"\S*/?tbk/\S*|/?(?:keymanagement|keyestablishment|sprov)(?:\?\S*)?")
AID = re.compile(r"^A000000(087|343)", re.IGNORECASE)
Found = tuple[str, int]


@cache
def trees() -> tuple[tuple[str, ast.Module], ...]:
    packages = [ROOT / name for name in ("card", "host_tools", "vpicc_bridge")]
    sources = [path for path in project_files() if path.suffix == ".py" and set(packages) & set(path.parents)]
    return tuple((place_of(path), ast.parse(path.read_text("utf-8"))) for path in sources)


def place_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def constants(tree: ast.AST) -> Iterator[tuple[str, int, int]]:
    """Yield name, number and line of every constant that is given a number, also of several in one line."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=targets, value=value):
                pass
            case ast.AnnAssign(target=only, value=ast.expr() as value):
                targets = [only]
            case _:
                continue
        for target in targets:
            names = target.elts if isinstance(target, ast.Tuple) else [target]
            values = value.elts if isinstance(value, ast.Tuple) else [value]
            for name, number in zip(names, values, strict=False):
                if isinstance(name, ast.Name) and isinstance(number, ast.Constant) and type(number.value) is int:
                    yield name.id, number.value, number.lineno


def declared_again(tree: ast.AST, what: str) -> list[Found]:
    pattern, numbers = NAMES[what]
    return [(name, line) for name, number, line in constants(tree) if pattern.search(name) and number in numbers]


def outside() -> Iterator[tuple[str, ast.Module]]:
    return ((place, tree) for place, tree in trees() if not place.startswith(OWNERS))


@pytest.mark.parametrize("what", NAMES)
def test_no_constant_is_declared_again(what: str) -> None:
    assert [(place, *found) for place, tree in outside() for found in declared_again(tree, what)] == []


def instructions_again(tree: ast.AST) -> list[Found]:
    return [
        (name, line)
        for name, number, line in constants(tree)
        if INSTRUCTIONS.get(re.sub(r"^_|_", "", name.removeprefix("INS_"))) == number
    ]


def test_no_instruction_is_declared_again() -> None:
    assert [(place, *found) for place, tree in outside() for found in instructions_again(tree)] == []


def raw_calls(tree: ast.AST) -> list[Found]:
    """Return calls that give an instruction, a context or a step of AUTHENTICATE, or a file to select, as a number."""
    found = []
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
        raw = {at for at, word in enumerate(call.args) if isinstance(word, ast.Constant) and type(word.value) is int}
        if name == "CommandApdu" and (1 in raw or (names_authenticate(call) and 3 in raw)):
            found.append((name, call.lineno))
        if name in ("select", "read_file") and 0 in raw:
            found.append((name, call.lineno))
    return found


def names_authenticate(call: ast.Call) -> bool:
    return len(call.args) > 3 and getattr(call.args[1], "attr", "") in ("AUTHENTICATE", "AUTHENTICATE_ODD")


def test_no_call_gives_them_as_numbers() -> None:
    assert [(place, *found) for place, tree in outside() for found in raw_calls(tree)] == []


def raw_texts(tree: ast.AST) -> list[Found]:
    constants = (node for node in ast.walk(tree) if isinstance(node, ast.Constant))
    texts = [(node.value, node.lineno) for node in constants if isinstance(node.value, str)]
    return [found for found in texts if AID.match(found[0]) or PATH.fullmatch(found[0])]


def test_no_text_is_an_aid_or_the_path_of_a_binding_key() -> None:
    # A profile's complete AID is the issuer's, and stands with the application it is the default of.
    allowed = {f"card/profile/{name}.py" for name in ("usim", "isim", "csim")}
    assert [(place, *found) for place, tree in outside() if place not in allowed for found in raw_texts(tree)] == []


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("EF_IMSI = 0x6F07", "a file identifier"),
        ("A, _CSIM_ST = 1, 0x6F32", "a file identifier"),
        ("_CONTEXT_MBMS = 0x85", "an AUTHENTICATE context"),
        ("class P2:\n    UMTS = 0x81", "an AUTHENTICATE context"),
        ("_FIRST, _NEXT = 0x80, 0x00", "a block step"),
        ("_MTK_GENERATION: int = 2", "an MBMS mode"),
    ],
)
def test_what_is_found(source: str, what: str) -> None:
    assert len(declared_again(ast.parse(source), what)) == 1


def test_what_else_is_found() -> None:
    assert instructions_again(ast.parse("_PUT_KEY, _OTHER = 0xD8, 0xE0")) == [("_PUT_KEY", 1)]
    assert raw_calls(ast.parse("CommandApdu(0, 0xA4, 0, 4)\ncard.select(0x6F07)\nselect(fid)")) == [
        ("CommandApdu", 1),
        ("select", 2),
    ]
    assert raw_calls(ast.parse("CommandApdu(0, INS.AUTHENTICATE, 0, 0x81, data)")) == [("CommandApdu", 1)]
    assert raw_texts(ast.parse("a = 'A0000000871002'\nb = '/x/tbk/'\nc = '/sprov'")) == [
        ("A0000000871002", 1),
        ("/x/tbk/", 2),
        ("/sprov", 3),
    ]
