"""The state of one terminal as a file: the journals of its card, one for each BSM, held by one process at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from card.disk.kinds import TERMINAL_STATE
from card.disk.reading import read_text
from card.errors import UnusableFile
from host_tools.files.holding import held
from host_tools.files.writing import told, write_whole
from host_tools.terminal.client.journal import Journal
from host_tools.terminal.client.journal_text import decode_state, encode_state

_FOLDER_MODE = 0o700


class StateFile:
    """The journal for one BSM in the state file of a card."""

    def __init__(self, path: Path, iccid: str, fqdn: str, journals: dict[str, Journal]) -> None:
        """Take the file, whose card it is, the BSM, and what the file holds."""
        self._path = path
        self._iccid = iccid
        self._journals = journals
        self.journal = journals.pop(fqdn, Journal())
        journals[fqdn] = self.journal  # last, as the one that was used last

    def save(self) -> None:
        """Write the file, whole or not at all. Raises `UnwritableFile`."""
        write_whole(self._path, encode_state(self._iccid, self._journals), private=True)


def bsms_known(path: Path) -> tuple[str, ...]:
    """Return the names of the BSMs in a state file, the one that was used last first; none where it cannot be read."""
    try:
        journals = decode_state(read_text(path, TERMINAL_STATE), str(path))[1] if path.exists() else {}
    except UnusableFile:  # whoever opens it hears of that
        return ()
    return tuple(reversed([name for name, journal in journals.items() if journal.b_tid]))


@contextmanager
def open_state(path: Path, iccid: str, fqdn: str) -> Iterator[StateFile]:
    """Hold the state file of a card, and make it where there is none, for the length of the block.

    Raises `FileInUse` when another process holds it, `UnusableFile` when it is of another card or none at all, and
    `UnwritableFile`.
    """
    if not path.parent.is_dir():
        with told(path.parent):
            path.parent.mkdir(_FOLDER_MODE, parents=True, exist_ok=True)
    with held(path):
        journals: dict[str, Journal] = {}
        if path.exists():
            owner, journals = decode_state(read_text(path, TERMINAL_STATE), str(path))
            if owner != iccid:
                raise UnusableFile(str(path), f"is the state of the card {owner[:32]}, not of {iccid}")
        yield StateFile(path, iccid, fqdn, journals)
