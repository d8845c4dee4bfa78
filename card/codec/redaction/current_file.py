"""Follows which file is current on each logical channel (TS 102 221 clause 8.4), from commands and answers alone.

Nothing is taken for granted: where the traffic leaves open what is current, that is unknown, and an unknown file is
one that may hold keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

from card.codec.apdu import CommandApdu, wants_secure_messaging
from card.spec.aids import AID_PREFIX_SIZE, APPLICATIONS
from card.spec.cla import SIM_CLASS
from card.spec.files.catalogue import all_directories, all_files
from card.spec.files.fids import CURRENT_ADF
from card.spec.files.fids import MF as MASTER_FILE
from card.spec.files.rows import DfRow, EfRow
from card.spec.ins import INS

MF = "3F00"
_NO_SFI, _SFI_BITS = 0, 0x1F
_REFUSED = frozenset({0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x6B, 0x6D, 0x6E, 0x6F, 0x94, 0x98})
_DONE = frozenset({0x61, 0x62, 0x63, 0x90, 0x91, 0x92, 0x9E, 0x9F})


@dataclass(frozen=True, slots=True)
class CurrentFile:
    """Where a channel stands: the path of the directory as the catalogue writes it, and the EF if one is current.

    `directory` is empty where it is not known. `file_id` is the FID of the EF, also of one that has no row.
    `application` is the ADF selected last on the channel, which 7FFF stands for; empty where it is not known.
    """

    directory: str = MF
    row: EfRow | None = None
    file_id: int | None = None
    application: str = ""

    @property
    def name(self) -> str:
        """Path by names, such as `ADF.USIM/EF_IMSI`; empty where it is not known."""
        if not self.directory:
            return ""
        parts = _directory_name(self.directory)
        if self.file_id is None:
            return parts
        return f"{parts}/{self.row.name if self.row else f'{self.file_id:04X}'}"

    @property
    def holds_secrets(self) -> bool:
        """True unless the file has a row that says it holds none."""
        return self.row is None or self.row.secret


UNKNOWN = CurrentFile("")


class FileTracker:
    """Remembers the current file of every channel."""

    def __init__(self) -> None:
        self._channels: dict[int, CurrentFile] = {0: CurrentFile()}

    def reset(self) -> None:
        """Forget everything: behind a reset the MF is current on the basic channel."""
        self._channels = {0: CurrentFile()}

    def current(self, channel: int) -> CurrentFile:
        """Return what is current on a channel."""
        return self._channels.get(channel, UNKNOWN)

    def doubt_all(self) -> None:
        """Take nothing for known any more: commands went by unseen."""
        self._channels.clear()

    def doubt(self, channel: int) -> None:
        """Take nothing for known on one channel."""
        self._channels[channel] = UNKNOWN

    def follow(self, channel: int, command: CommandApdu, response: bytes, *, named: bool) -> None:
        """Take a command and its answer (empty: none came); `named` says that its instruction has a row."""
        if is_refused(response):
            return
        before = self.current(channel)
        is_done = len(response) >= 2 and response[-2] in _DONE
        if command.ins == INS.MANAGE_CHANNEL:
            self._manage(before, channel, command, response if is_done else b"")
            return
        if before.application and command.cla == SIM_CLASS:
            # The class of a SIM may make another application the current one.
            before = self._channels[channel] = replace(before, application="")
        # One that nobody named may select whatever it likes.
        after = file_after(before, command) if named else UNKNOWN
        if after is not before:
            # 6CXX, no answer or an odd one: the card may have done it or not.
            self._channels[channel] = after if is_done else _either(before, after)

    def _manage(self, before: CurrentFile, channel: int, command: CommandApdu, response: bytes) -> None:
        """Note a channel that is opened, from the basic one at the MF, else where the other one is, or closed.

        TS 102 221 clause 11.1.17.
        """
        if command.p1 or not response:
            self._channels.pop(command.p2 or channel, None)
            return
        number = command.p2 or (response[0] if len(response) > 2 else 0)
        if number:
            started = CurrentFile() if channel == 0 else CurrentFile(before.directory, None, None, before.application)
            self._channels[number] = started


def is_refused(response: bytes) -> bool:
    """Tell whether the card surely did nothing."""
    return len(response) >= 2 and response[-2] in _REFUSED


def addressed(before: CurrentFile, command: CommandApdu) -> CurrentFile:
    """Return the file that a command works on: that of its SFI, else the current one."""
    sfi = _sfi_of(command)
    if sfi == _NO_SFI:
        return before
    # A SIM knows no SFI: what such bits mean to it is unknown.
    return UNKNOWN if command.cla == SIM_CLASS else _by_sfi(before, sfi)


def _sfi_of(command: CommandApdu) -> int:
    match command.ins:
        case INS.READ_BINARY | INS.UPDATE_BINARY | INS.INCREASE:
            return command.p1 & _SFI_BITS if command.p1 & 0x80 else _NO_SFI
        case INS.READ_RECORD | INS.UPDATE_RECORD | INS.SEARCH_RECORD:
            return command.p2 >> 3
        case INS.RETRIEVE_DATA | INS.SET_DATA:
            return command.p2 & _SFI_BITS if command.p2 & 0x80 else _NO_SFI
        case _:
            return _NO_SFI


def file_after(before: CurrentFile, command: CommandApdu) -> CurrentFile:
    """Return what is current once a command was carried out; `before` itself where it selects nothing."""
    selects = command.ins in _SELECTS or _sfi_of(command) != _NO_SFI
    if not selects:
        return before
    if command.cla != SIM_CLASS and wants_secure_messaging(command.cla):
        return UNKNOWN  # what is selected is encrypted
    select = _SELECTS.get(command.ins)
    return select(before, command) if select else addressed(before, command)


def _either(before: CurrentFile, after: CurrentFile) -> CurrentFile:
    if before.directory == after.directory and before.application == after.application:
        return replace(after, row=None, file_id=None) if before.row is not after.row else after
    return UNKNOWN


def _select(before: CurrentFile, command: CommandApdu) -> CurrentFile:
    if len(command.data) % 2 and command.p1 != 0x04:
        return UNKNOWN
    identifiers = [int.from_bytes(command.data[i : i + 2], "big") for i in range(0, len(command.data), 2)]
    match command.p1:
        case 0x00:
            return _walk(before, identifiers or [MASTER_FILE])
        case 0x01 | 0x09:
            return _walk(before, identifiers)
        case 0x03:
            parent = before.directory.rpartition("/")[0]
            return CurrentFile(parent, None, None, before.application)
        case 0x04:
            return _by_aid(command)
        case 0x08:
            return _walk(CurrentFile(MF, None, None, before.application), identifiers)
        case _:
            return UNKNOWN


def _by_aid(command: CommandApdu) -> CurrentFile:
    """Too few bytes may name any application, and with bit 7 of P2 a session ends (TS 102 221 clause 11.1.1.2)."""
    if len(command.data) < AID_PREFIX_SIZE or command.p2 & 0x40:
        return UNKNOWN
    name = APPLICATIONS.get(command.data[:AID_PREFIX_SIZE], f"ADF {command.data.hex().upper()}")
    return CurrentFile(name, None, None, name)


def _walk(start: CurrentFile, identifiers: list[int]) -> CurrentFile:
    current = start
    for identifier in identifiers:
        current = _step(current, identifier)
    return current


def _step(current: CurrentFile, identifier: int) -> CurrentFile:
    application = current.application
    if identifier == MASTER_FILE:
        return CurrentFile(MF, None, None, application)
    if identifier == CURRENT_ADF:
        return CurrentFile(application, None, None, application)
    here = current.directory
    if not here:
        return UNKNOWN if not application else CurrentFile("", None, None, application)
    files, directories, _ = _index()
    row = files.get(f"{here}/{identifier:04X}")
    if row is not None:
        return CurrentFile(here, row, identifier, application)
    parent = here.rpartition("/")[0]
    for path in (f"{here}/{identifier:04X}", f"{parent}/{identifier:04X}", f"{MF}/{identifier:04X}"):
        if path in directories:
            return CurrentFile(path, None, None, application)
    if identifier >> 8 in (0x7F, 0x5F):
        return CurrentFile(f"{here}/{identifier:04X}", None, None, application)
    return CurrentFile(here, None, identifier, application)


def _by_sfi(before: CurrentFile, sfi: int) -> CurrentFile:
    row = _index()[2].get((before.directory, sfi))
    return replace(before, row=row, file_id=None if row is None else row.fid)


def _lost(_before: CurrentFile, _command: CommandApdu) -> CurrentFile:
    return UNKNOWN


def _lost_if_named(before: CurrentFile, command: CommandApdu) -> CurrentFile:
    """ACTIVATE and DEACTIVATE FILE may name a file, and cards differ in whether it is current afterwards."""
    return UNKNOWN if command.data else before


# A file that was created is current (TS 102 222 clause 6.3); what comes after one that was deleted is left open.
_SELECTS: Mapping[int, Callable[[CurrentFile, CommandApdu], CurrentFile]] = {
    INS.SELECT: _select,
    INS.CREATE_FILE: _lost,
    INS.DELETE_FILE: _lost,
    INS.RESIZE_FILE: _lost,
    INS.ACTIVATE_FILE: _lost_if_named,
    INS.DEACTIVATE_FILE: _lost_if_named,
}


def _directory_name(path: str) -> str:
    if path == MF:
        return "MF"
    directories = _index()[1]
    parts = path.split("/")
    names = ["MF" if parts[0] == MF else parts[0]]
    for depth in range(2, len(parts) + 1):
        row = directories.get("/".join(parts[:depth]))
        names.append(row.name if row else parts[depth - 1])
    return "/".join(names)


@cache
def _index() -> tuple[Mapping[str, EfRow], Mapping[str, DfRow], Mapping[tuple[str, int], EfRow]]:
    """Return the files and the directories by their paths, and the files by directory and SFI."""
    files = dict(all_files())
    by_sfi = {(path.rpartition("/")[0], row.sfi): row for path, row in files.items() if row.sfi}
    return files, dict(all_directories()), by_sfi
