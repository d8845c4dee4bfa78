"""A process that is killed leaves a card file that opens, with everything it had answered and nothing by halves."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import card as card_package
from card import create_card, open_card
from card.store.sqlite import SqliteStore
from tests.support.profiles import card_profile

ROOT = Path(card_package.__file__).parents[1]

ANSWER = """
import sys
from card import open_card
card = open_card(sys.argv[1])
card.power_on()
for apdu in sys.argv[2:]:
    print(card.transmit(bytes.fromhex(apdu)).hex(), flush=True)
sys.stdin.read()
"""

WRITE_PAIRS = """
import itertools, sys
from card.store.sqlite import SqliteStore
store = SqliteStore(sys.argv[1])
for number in itertools.count(1):
    value = number.to_bytes(4, "big") * 500
    store.commit({f"pair/{half}": value for half in range(20)})
    print(number, flush=True)
"""


@contextmanager
def child(program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def lines(process: subprocess.Popen[str], count: int) -> list[str]:
    assert process.stdout is not None
    return [process.stdout.readline().strip() for _ in range(count)]


def test_an_answered_command_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "killed.card"
    create_card(card_profile(), path).close()
    wrong, update = "0020000108" + "39" * 8, "00D69B0002BEEF"
    with child(ANSWER, str(path), wrong, update, wrong) as process:
        assert lines(process, 3) == ["63c2", "9000", "63c1"]
        process.kill()
        process.wait()
    with closing(open_card(path, strict=True)) as card:
        card.power_on()
        assert card.transmit(bytes.fromhex("00200001")) == b"\x63\xc1"
        assert card.transmit(bytes.fromhex("00B09B0002")) == b"\xbe\xef\x90\x00"


def test_a_commit_is_never_seen_by_halves(tmp_path: Path) -> None:
    """Killed while it writes as fast as it can, at whatever point that happens to be."""
    path = tmp_path / "pairs.card"
    SqliteStore(path, create=True).close()
    seen = 0
    for _ in range(5):
        with child(WRITE_PAIRS, str(path)) as process:
            reported = int(lines(process, 20)[-1])
            process.kill()
            process.wait()
        with closing(SqliteStore(path)) as store:
            values = set(store.load().values())
        assert len(values) == 1, "a commit was torn"
        number = int.from_bytes(values.pop()[:4], "big")
        assert number >= reported, "a commit that had returned is lost"
        seen += 1
    assert seen == 5
