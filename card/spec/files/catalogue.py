"""Every declared file and directory by its place on the card: one list for personalisation, documentation and tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from card.lean import lean_dataclass
from card.spec.files.csim import CSIM_FILES, DF_CDMA
from card.spec.files.isim import ISIM_FILES
from card.spec.files.phonebook import DF_PHONEBOOK
from card.spec.files.rows import DfRow, EfRow
from card.spec.files.sim import DF_GSM, DF_GSM_ACCESS, DF_TELECOM
from card.spec.files.uicc import UICC_FILES
from card.spec.files.usim import USIM_FILES
from card.spec.files.usim_5gs import DF_5GS
from card.spec.files.usim_services import USIM_SERVICE_FILES


@lean_dataclass(frozen=True, slots=True)
class Root:
    """What lies right under the MF or an ADF."""

    files: tuple[EfRow, ...]
    directories: tuple[DfRow, ...] = ()


ROOTS: Mapping[str, Root] = {
    "3F00": Root(UICC_FILES, (DF_TELECOM, DF_GSM, DF_CDMA)),
    "ADF.USIM": Root((*USIM_FILES, *USIM_SERVICE_FILES), (DF_PHONEBOOK, DF_GSM_ACCESS, DF_5GS)),
    "ADF.ISIM": Root(ISIM_FILES),
    "ADF.CSIM": Root(CSIM_FILES),
}
"""All declared files, by the path of the directory at the top."""


def all_files() -> Iterator[tuple[str, EfRow]]:
    """Yield path and row of every declared elementary file."""
    for path, root in ROOTS.items():
        yield from _files_in(path, root.files, root.directories)


def _files_in(path: str, files: tuple[EfRow, ...], directories: tuple[DfRow, ...]) -> Iterator[tuple[str, EfRow]]:
    for row in files:
        yield f"{path}/{row.fid:04X}", row
    for directory in directories:
        yield from _files_in(f"{path}/{directory.fid:04X}", directory.files, directory.directories)


def all_directories() -> Iterator[tuple[str, DfRow]]:
    """Yield path and row of every declared DF."""
    for path, root in ROOTS.items():
        yield from _directories_in(path, root.directories)


def _directories_in(path: str, directories: tuple[DfRow, ...]) -> Iterator[tuple[str, DfRow]]:
    for directory in directories:
        inside = f"{path}/{directory.fid:04X}"
        yield inside, directory
        yield from _directories_in(inside, directory.directories)
