"""The flag of the phone book for terminals that know only DF_TELECOM (TS 31.102 clauses 4.4.2 and 4.4.2.5).

EF_ADN and EF_EXT1 stand under DF_TELECOM too. Who updates a record there knows nothing of the change counters of
DF_PHONEBOOK, so the card sets bit 1 of the entry's control information in EF_PBC; a newer terminal then sees to the
rest.
"""

from __future__ import annotations

from collections.abc import Iterator

from card.filesystem.filesystem import FileSystem
from card.filesystem.node import FileNode
from card.spec.files.phonebook import ADN, DF_PHONEBOOK, EXT1, PBC

_MODIFIED = 0x01
_NO_EXTENSION = 0xFF


def note_update(files: FileSystem, node: FileNode, number: int) -> None:
    """Set the flag of every entry that record `number`, just written through a view under DF_TELECOM, belongs to."""
    directory, _, name = node.view.rpartition("/")
    if not directory.endswith(f"/{DF_PHONEBOOK.fid:04X}") or name not in (f"{ADN:04X}", f"{EXT1:04X}"):
        return
    control = files.tree.get(f"{directory}/{PBC:04X}")
    if control is None:
        return
    entries = [number] if name == f"{ADN:04X}" else list(_entries_with(files, directory, node, number))
    for entry in entries:
        if entry <= control.record_count:
            record = files.contents.read_record(control, entry)
            files.contents.update_record(control, entry, bytes((record[0] | _MODIFIED,)) + record[1:])


def _entries_with(files: FileSystem, directory: str, extensions: FileNode, number: int) -> Iterator[int]:
    """Yield the entries whose chain of extension records holds this one. The last byte of a record names the next."""
    adn = files.tree.get(f"{directory}/{ADN:04X}")
    chains = files.contents.records(extensions)
    for entry, record in enumerate(files.contents.records(adn) if adn is not None else [], 1):
        passed: set[int] = set()
        link = record[-1]
        while 0 < link <= len(chains) and link != _NO_EXTENSION and link not in passed:
            passed.add(link)
            link = chains[link - 1][-1]
        if number in passed:
            yield entry
