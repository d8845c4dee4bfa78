"""Follows which file is current on each logical channel, so that a trace can name it (TS 102 221 clause 8.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

from card.codec.apdu import CommandApdu, channel_of
from card.errors import DecodeError
from card.spec.aids import AID_ROWS
from card.spec.catalogue import all_directories, all_files
from card.spec.files import DfRow, EfRow
from card.spec.ins import INS

MF = "3F00"
_MASTER_FILE, _CURRENT_ADF = 0x3F00, 0x7FFF
APPLICATIONS: Mapping[bytes, str] = {row.prefix: row.directory for row in AID_ROWS if row.directory}
"""RID and application code to the directory's name, of applications whose files are known."""
_BY_SFI_BINARY = frozenset({INS.READ_BINARY, INS.UPDATE_BINARY})
_BY_SFI_RECORD = frozenset({INS.READ_RECORD, INS.UPDATE_RECORD, INS.SEARCH_RECORD, INS.INCREASE})


@dataclass(frozen=True, slots=True)
class CurrentFile:
    """Where a channel stands: the directory's path as `card.spec.catalogue` writes it, and the EF if one is current.

    `file_id` is the FID of that EF, also of one that has no row.
    """

    directory: str = MF
    row: EfRow | None = None
    file_id: int | None = None

    @property
    def name(self) -> str:
        """Path by names, such as `ADF.USIM/EF_IMSI`."""
        parts = _directory_name(self.directory)
        if self.file_id is None:
            return parts
        return f"{parts}/{self.row.name if self.row else f'{self.file_id:04X}'}"


class FileTracker:
    """Remembers the current file of every channel. It only believes commands the card accepted."""

    def __init__(self) -> None:
        self._channels: dict[int, CurrentFile] = {}

    def reset(self) -> None:
        """Forget everything: behind a reset the MF is current."""
        self._channels.clear()

    def follow(self, command: bytes, response: bytes) -> CurrentFile:
        """Take a command and its answer; return what is current on its channel now."""
        try:
            decoded = CommandApdu.decode(command)
        except DecodeError:
            return CurrentFile()
        channel = 0 if decoded.cla == 0xA0 else channel_of(decoded.cla)
        before = self._channels.get(channel, CurrentFile())
        if not _accepted(response):
            return before
        if decoded.ins == INS.MANAGE_CHANNEL:
            self._manage(decoded, response)
            return before
        after = _after(before, decoded)
        self._channels[channel] = after
        return after

    def _manage(self, command: CommandApdu, response: bytes) -> None:
        number = command.p2 or (response[0] if len(response) > 2 else 0)
        self._channels.pop(number, None)


def _accepted(response: bytes) -> bool:
    return len(response) >= 2 and response[-2] in (0x90, 0x91, 0x61, 0x62, 0x9F)


def _after(before: CurrentFile, command: CommandApdu) -> CurrentFile:
    match command.ins:
        case INS.SELECT:
            return _select(before, command)
        case ins if ins in _BY_SFI_BINARY and command.p1 & 0x80:
            return _by_sfi(before, command.p1 & 0x1F)
        case ins if ins in _BY_SFI_RECORD and command.p2 >> 3:
            return _by_sfi(before, command.p2 >> 3)
        case _:
            return before


def _select(before: CurrentFile, command: CommandApdu) -> CurrentFile:
    identifiers = [int.from_bytes(command.data[i : i + 2], "big") for i in range(0, len(command.data), 2)]
    match command.p1:
        case 0x04:
            return _by_aid(before, command)
        case 0x03:
            return CurrentFile(before.directory.rpartition("/")[0] or before.directory)
        case 0x08:
            return _walk(CurrentFile(), identifiers, before)
        case 0x00 | 0x01 | 0x09:
            return _walk(before, identifiers, before)
        case _:
            return before


def _by_aid(before: CurrentFile, command: CommandApdu) -> CurrentFile:
    for prefix, name in APPLICATIONS.items():
        if command.data.startswith(prefix) or prefix.startswith(command.data):
            return CurrentFile(name)
    return CurrentFile(f"ADF {command.data.hex().upper()}") if command.data else before


def _walk(start: CurrentFile, identifiers: list[int], before: CurrentFile) -> CurrentFile:
    current = start
    for identifier in identifiers:
        current = _step(current, identifier, before)
    return current


def _step(current: CurrentFile, identifier: int, before: CurrentFile) -> CurrentFile:
    if identifier == _MASTER_FILE:
        return CurrentFile()
    if identifier == _CURRENT_ADF:
        return CurrentFile(before.directory.partition("/")[0])
    files, directories = _index()
    here = current.directory
    parent = here.rpartition("/")[0]
    row = files.get(f"{here}/{identifier:04X}")
    if row is not None:
        return CurrentFile(here, row, identifier)
    for path in (f"{here}/{identifier:04X}", f"{parent}/{identifier:04X}", f"{MF}/{identifier:04X}"):
        if path in directories:
            return CurrentFile(path)
    if identifier >> 8 in (0x7F, 0x5F):
        return CurrentFile(f"{here}/{identifier:04X}")
    return CurrentFile(here, None, identifier)


def _by_sfi(before: CurrentFile, sfi: int) -> CurrentFile:
    files, _ = _index()
    for path, row in files.items():
        if row.sfi == sfi and path.rpartition("/")[0] == before.directory:
            return replace(before, row=row, file_id=row.fid)
    return before


def _directory_name(path: str) -> str:
    if path == MF:
        return "MF"
    _, directories = _index()
    parts = path.split("/")
    names = ["MF" if parts[0] == MF else parts[0]]
    for depth in range(2, len(parts) + 1):
        row = directories.get("/".join(parts[:depth]))
        names.append(row.name if row else parts[depth - 1])
    return "/".join(names)


@cache
def _index() -> tuple[Mapping[str, EfRow], Mapping[str, DfRow]]:
    return dict(all_files()), dict(all_directories())
