"""Reads lines from a person, with history and completion, or from a pipe without either."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from card.disk.kinds import HISTORY
from card.disk.reading import require_plain
from card.errors import UnusableFile
from card.spec.secrets import Secrecy, find_secrecy
from host_tools.files.writing import UnwritableFile, write_whole

_KEPT_LINES = 1000
_HEADER_DIGITS = 10  # CLA, INS, P1, P2 and Lc: up to there nothing is secret
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")

Complete = Callable[[str, str], list[str]]


def history_file() -> Path:
    """Return where the lines of earlier sessions are kept."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "bcast-uicc" / "history"


def holds_secret(line: str) -> bool:
    """Tell whether a line sends data that may be a PIN or a key; such lines stay out of the history.

    Which file is current is not known here, so nothing that is written to one is kept.
    """
    digits = "".join(line.strip().removeprefix("apdu").split())
    if len(digits) <= _HEADER_DIGITS or not _HEX_DIGITS.issuperset(digits):
        return False
    row = find_secrecy(int(digits[:2], 16), int(digits[2:4], 16))
    return row is None or row.command is not Secrecy.OPEN


def typed_lines(prompt: str, complete: Complete, history: Path) -> Iterator[str]:
    """Yield what a person types until Ctrl-D. Lines with a PIN or a key are not remembered."""
    import readline

    readline.set_completer_delims(" \t")
    readline.set_completer(lambda word, state: _candidate(complete(readline.get_line_buffer(), word), state))
    readline.parse_and_bind("tab: complete")
    readline.set_auto_history(False)
    with contextlib.suppress(OSError, UnusableFile):
        require_plain(history, HISTORY)
        readline.read_history_file(history)
    try:
        while (line := _input(prompt)) is not None:
            if line.strip() and not holds_secret(line):
                readline.add_history(line)
            yield line
    finally:
        _save(history)


def _candidate(candidates: list[str], state: int) -> str | None:
    return f"{candidates[state]} " if state < len(candidates) else None


def _input(prompt: str) -> str | None:
    try:
        return input(prompt)
    except EOFError:
        print()
        return None
    except KeyboardInterrupt:  # gives up the line, not the shell
        print()
        return ""


def _save(history: Path) -> None:
    import readline

    last = readline.get_current_history_length()
    lines = [readline.get_history_item(number) for number in range(max(1, last - _KEPT_LINES + 1), last + 1)]
    # A history that cannot be kept is no reason to complain at every end.
    with contextlib.suppress(OSError, UnwritableFile):
        history.parent.mkdir(parents=True, exist_ok=True)
        write_whole(history, "".join(f"{line}\n" for line in lines).encode(), private=True)
