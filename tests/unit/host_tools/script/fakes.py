"""Links for tests of scripts: one that answers from a table, and one with a whole demo card behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from card import CardProfile, memory_card
from host_tools.links.base import TransmissionProtocol
from host_tools.links.inprocess import InProcessLink
from host_tools.script.load import load_script
from host_tools.script.results import StepResult
from host_tools.script.runner import Runner, RunOptions

PIN = b"1234"
K = "465b5ce8b199b49faa5f0a2ee238a6bc"
OPC = "cd63cb71954a9f4e48a5994e37a02baf"
ICCID = "8900101000000000019"

Answer = bytes | Exception | Callable[[], bytes]


class TableLink:
    """Answers each command as told, by the longest beginning of its hex that is in the table; else 6D00."""

    name = "table"
    atr = bytes.fromhex("3B80")
    protocol = TransmissionProtocol.DIRECT

    def __init__(self, answers: dict[str, Answer] | None = None) -> None:
        self.answers = answers or {}
        self.sent: list[str] = []
        self.resets = 0

    def transmit(self, apdu: bytes) -> bytes:
        text = apdu.hex().upper()
        self.sent.append(text)
        for length in range(len(text), 0, -1):
            answer = self.answers.get(text[:length])
            if answer is None:
                continue
            if isinstance(answer, Exception):
                raise answer
            return answer if isinstance(answer, bytes) else answer()
        return b"\x6d\x00"

    def reset(self) -> bytes:
        self.resets += 1
        return self.atr

    def close(self) -> None:
        pass

    def script_commands(self) -> list[str]:
        """Return what was sent, without the questions that come before every script."""
        asked = self.sent.index("00A40004023F0000") if "00A40004023F0000" in self.sent else -1
        return [text for text in self.sent[asked + 1 :] if text != "00A40004023F0000"]


def demo_link(name: str = "usim") -> InProcessLink:
    """Return a link to a fresh demo card."""
    return InProcessLink(memory_card(CardProfile.demo(name)))


def write(folder: Path, text: str, name: str = "test.toml") -> Path:
    """Write a script and return its file."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def run_text(folder: Path, text: str, link: object, options: RunOptions | None = None) -> list[StepResult]:
    """Run a script given as text and return all results."""
    script = load_script(write(folder, text))
    return list(Runner(link, options or RunOptions()).run(script))  # type: ignore[arg-type]  # fakes are links too


def statuses(results: Iterable[StepResult]) -> list[str]:
    return [result.status.value for result in results]
