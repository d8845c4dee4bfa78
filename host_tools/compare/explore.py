"""Reads what can be read of a card: every declared file that is there, its size, its content, and who may read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from card.codec.apdu import CommandApdu
from card.codec.fcp import DescriptorByte, Fcp, PinStatus
from card.crypto.secret import Secret
from card.errors import DecodeError
from card.spec.aids import APPLICATIONS
from card.spec.files.catalogue import all_files
from card.spec.files.fids import MF
from card.spec.files.rows import EfRow, Structure
from card.spec.ins import INS
from card.spec.status import SW
from host_tools.apdu.client import ApduClient
from host_tools.apdu.response import StatusError
from host_tools.links.base import Link, together
from host_tools.script.safety import PIN1, may_try_pin
from host_tools.terminal.card_application import Application, CardFiles
from host_tools.terminal.errors import TerminalError

_STRUCTURES: Mapping[int, Structure] = {
    DescriptorByte.TRANSPARENT: Structure.TRANSPARENT,
    DescriptorByte.LINEAR_FIXED: Structure.LINEAR_FIXED,
    DescriptorByte.CYCLIC: Structure.CYCLIC,
    DescriptorByte.BER_TLV: Structure.BER_TLV,
}
_MOST_BYTES = 0x7FFF  # READ BINARY addresses 15 bits of offset


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file of a card. `size` is in bytes, of the file or of a record; `content` is None where it may not be read.

    The access rule stands in `rule` (expanded) or in the record of EF_ARR that `arr` names by FID and number.
    `before` and `after` are the status words of a read without and with the PIN; None where none was made.
    """

    row: EfRow
    structure: Structure
    size: int
    sfi: int | None
    content: tuple[bytes, ...] | None = field(default=None, repr=False)
    arr: tuple[int, int] | None = None
    rule: bytes = b""
    before: int | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True)
class FoundCard:
    """What a card let us read: ATR, applications in the order of EF_DIR, files by path such as `ADF.USIM/6F07`.

    `pins` is the PIN status in the FCP of its applications.
    """

    name: str
    atr: bytes
    applications: tuple[Application, ...]
    files: Mapping[str, FoundFile]
    pins: tuple[PinStatus, ...] = ()


def explore(link: Link, pin: Secret | None = None) -> FoundCard:
    """Read a card, writing nothing. A PIN is given only while two tries or more are left; keys are not read.

    With a PIN the card is read twice, first without it: so it shows what the PIN opens. Raises `LinkError`.
    """
    with together(link):
        return _explored(link, pin)


def _explored(link: Link, pin: Secret | None) -> FoundCard:
    client = ApduClient(link)
    client.reset()
    card = CardFiles(client)
    applications = _applications(card)
    first = _Reading(client, card, applications)
    first.read(None)
    found, pins = first.files, first.pins
    if pin is not None:
        client.reset()
        second = _Reading(client, card, applications)
        second.read(pin)
        found = {path: _both(first.files.get(path), file) for path, file in second.files.items()}
    client.reset()
    return FoundCard(link.name, link.atr, applications, found, tuple(pins.values()))


def _both(without: FoundFile | None, found: FoundFile) -> FoundFile:
    """Return a file that was read twice."""
    return replace(found, before=None if without is None else without.before)


class _Reading:
    """One walk through the card, without a PIN or with it."""

    def __init__(self, client: ApduClient, card: CardFiles, applications: tuple[Application, ...]) -> None:
        self._client = client
        self._card = card
        self._applications = applications
        self._given = False
        self.files: dict[str, FoundFile] = {}
        self.pins: dict[int, PinStatus] = {}

    def read(self, pin: Secret | None) -> None:
        """Read every root. The MF comes last: a PIN given in an application opens its files, too."""
        for root, rows in sorted(_by_root().items(), key=lambda item: item[0] == "3F00"):
            fcp = _enter(self._card, root, self._applications)
            if fcp is None:
                continue
            self.pins.update((status.reference, status) for status in fcp.pins)
            if pin is not None and root != "3F00" and may_try_pin(self._client, PIN1):
                self._given = _give_pin(self._card, pin) or self._given
            for path, row in rows:
                self._read_file(path, row, with_pin=pin is not None)

    def _read_file(self, path: str, row: EfRow, *, with_pin: bool) -> None:
        fcp = _select(self._client, path)
        structure = None if fcp is None else _STRUCTURES.get(fcp.descriptor)
        if fcp is None or structure is None:
            return
        size = fcp.record_length if structure.has_records else fcp.file_size or 0
        content, sw = _content(self._card, fcp, structure)
        before, after = (None, sw if self._given else None) if with_pin else (sw, None)
        self.files[path] = FoundFile(row, structure, size, fcp.sfi, content, fcp.arr, fcp.rule, before, after)


def _applications(card: CardFiles) -> tuple[Application, ...]:
    try:
        return card.applications()
    except (StatusError, TerminalError, DecodeError):
        return ()


def _by_root() -> Mapping[str, list[tuple[str, EfRow]]]:
    roots: dict[str, list[tuple[str, EfRow]]] = {}
    for path, row in all_files():
        if not row.view and not row.secret:
            roots.setdefault(path.partition("/")[0], []).append((path, row))
    return roots


def _enter(card: CardFiles, root: str, applications: tuple[Application, ...]) -> Fcp | None:
    """Select the MF, or the first application of a kind; return its FCP, None when there is none."""
    wanted = [prefix for prefix, name in APPLICATIONS.items() if name == root]
    try:
        if root == "3F00":
            return card.select(MF)
        for application in applications:
            if any(application.aid.startswith(prefix) for prefix in wanted):
                return card.select_application(application.aid)
    except (StatusError, DecodeError):
        return None
    return None


def _give_pin(card: CardFiles, pin: Secret) -> bool:
    """Give the PIN; tell whether the card took it. If not, what needs it stays unread."""
    try:
        card.verify_pin(pin)
    except (StatusError, TerminalError):
        return False
    return True


def _select(client: ApduClient, path: str) -> Fcp | None:
    """Select a file by its path from the MF, or from the current ADF (TS 102 221 clause 11.1.1.2)."""
    root, *fids = path.split("/")
    start = [] if root == "3F00" else ["7FFF"]
    data = bytes.fromhex("".join([*start, *fids]))
    response = client.transmit(CommandApdu(0, INS.SELECT, 0x08, 0x04, data, le=256))
    if not response.ok:
        return None
    try:
        return Fcp.decode(response.data)
    except DecodeError:
        return None


def _content(card: CardFiles, fcp: Fcp, structure: Structure) -> tuple[tuple[bytes, ...] | None, int | None]:
    """Return what the file holds, None where it cannot be read, and the status word of reading, None without one."""
    records = fcp.record_count if structure.has_records else 0
    size = min(fcp.file_size or 0, _MOST_BYTES) if structure is Structure.TRANSPARENT else 0
    try:
        if records:
            return card.read_records(fcp), SW.OK
        if size:
            return (card.read_binary(size),), SW.OK
    except StatusError as error:
        return None, error.sw
    except TerminalError:
        return None, None
    return None if structure is Structure.BER_TLV else () if structure.has_records else (b"",), None
