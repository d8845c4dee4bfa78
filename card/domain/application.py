"""One application of the card (a USIM, later a CSIM or ISIM): its ADF, its services and its key functions."""

from __future__ import annotations

from dataclasses import dataclass

from card.crypto.aka_algorithm import AkaAlgorithm
from card.crypto.milenage import Milenage
from card.crypto.secret import Secret
from card.domain.aka import Aka
from card.domain.gba import Gba
from card.domain.key_root import GbaKeyRoot, KeyRoot
from card.domain.mbms import MbmsKeys
from card.domain.record_files import RecordFile
from card.domain.services import ServiceTable
from card.domain.sqn import SqnMemory, SqnScheme
from card.errors import StoreError
from card.filesystem.filesystem import FileSystem
from card.filesystem.node import ADF_PREFIX, FileNode
from card.state.nonvolatile import NonVolatile
from card.state.records import RecordTable

APPLICATION_PREFIX = "app/"


@dataclass(frozen=True, slots=True)
class ApplicationRecord:
    """What personalisation stores about an application: subscriber key, operator constant, algorithm, SQN scheme."""

    algorithm: str
    k: Secret
    opc: Secret
    ind_bits: int = 5
    delta: int = 1 << 28
    age_limit: int = 0


class Application:
    """The functions of one application, over the shared file system and memory."""

    def __init__(self, name: str, record: ApplicationRecord, nv: NonVolatile, files: FileSystem) -> None:
        self.name = name
        self.services = ServiceTable(files, self._file(files, 0x6F38))
        scheme = SqnScheme(record.ind_bits, record.delta, record.age_limit)
        self.aka = Aka(_algorithm(record), SqnMemory(nv, name, scheme))
        naf_list = RecordFile(files, self._file(files, 0x6FDA))
        self.gba = Gba(nv, name, self.aka, files, self._file(files, 0x6FD6), naf_list)
        muk_file = RecordFile(files, self._file(files, 0x6FD8))
        msk_file = RecordFile(files, self._file(files, 0x6FD7))
        self.mbms = MbmsKeys(nv, name, muk_file, msk_file)
        self.key_root: KeyRoot = GbaKeyRoot(self.gba, self.mbms)

    def _file(self, files: FileSystem, fid: int) -> FileNode | None:
        return files.tree.get(f"{ADF_PREFIX}{self.name}/{fid:04X}")


def load_applications(nv: NonVolatile, files: FileSystem) -> dict[str, Application]:
    """Return all applications of a card by name."""
    records = RecordTable(nv, APPLICATION_PREFIX, ApplicationRecord)
    return {name: Application(name, record, nv, files) for name, record in records.items()}


def _algorithm(record: ApplicationRecord) -> AkaAlgorithm:
    if record.algorithm == "milenage":
        return Milenage(record.k, record.opc)
    raise StoreError(f"card file: unknown authentication algorithm {record.algorithm}")
