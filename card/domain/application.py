"""One application of the card (USIM, ISIM or CSIM): its services, its key functions, and where its SMK comes from."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TypeVar

from card.codec.group_call import VoiceCall
from card.crypto.aka_algorithm import AkaAlgorithm
from card.crypto.aka_choice import make_algorithm
from card.crypto.bcmcs import RegistrationKey, UnknownFunctions, find_functions
from card.crypto.secret import Secret
from card.domain.authentication.aka import Aka
from card.domain.authentication.gba import Gba
from card.domain.authentication.group_calls import GroupKeys
from card.domain.authentication.sqn import SqnMemory, SqnScheme
from card.domain.bcast.bcast import Bcast
from card.domain.bcast.tables import load_tables
from card.domain.errors import ServiceNotAvailable
from card.domain.keys.bcmcs import Bcmcs
from card.domain.keys.key_root import GbaKeyRoot, KeyRoot, RkKeyRoot
from card.domain.keys.local_key import LocalKeys
from card.domain.keys.mbms import MbmsKeys
from card.domain.record_files import RecordFile
from card.domain.secure_channel.settings import SacSettings
from card.domain.services import CSIM_NUMBERS, ISIM_NUMBERS, ServiceTable
from card.errors import StoreError
from card.filesystem.filesystem import FileSystem
from card.filesystem.node import ADF_PREFIX, MF_PATH, FileNode
from card.lean import lean_dataclass
from card.spec.files.fids import fid_of
from card.state.nonvolatile import NonVolatile
from card.state.stored import StoredTable

T = TypeVar("T")

APPLICATION_PREFIX = "app/"
CSIM_PREFIX = "csim/"
ICCID_PATH = f"{MF_PATH}/{fid_of(MF_PATH, 'EF_ICCID'):04X}"
_CSIM_ST, _BAKPARA, _UP_BAKPARA, _CSIM_MSK, _CSIM_MUK = (
    fid_of("ADF.CSIM", name) for name in ("EF_CSIM_ST", "EF_BAKPARA", "EF_UpBAKPARA", "EF_MSK", "EF_MUK")
)


@lean_dataclass(frozen=True, slots=True)
class StoredApplication:
    """What personalisation stores about an application: subscriber key, operator constant, algorithm, SQN scheme.

    `opc` is the operator constant of any algorithm: OPc, TOPc, or nothing. `plain_res`: RES of GBA_U is not flipped.
    """

    algorithm: str
    k: Secret
    opc: Secret
    ind_bits: int = 5
    delta: int = 1 << 28
    age_limit: int = 0
    plain_res: bool = False


@lean_dataclass(frozen=True, slots=True)
class StoredCsim:
    """What personalisation stores about a CSIM: RK (16 bytes), NAI, name of the BCMCS functions, tags of objects."""

    rk: Secret
    nai: str
    functions: str
    tags: dict[str, int]


@lean_dataclass(frozen=True, slots=True)
class _Files:
    """Identifiers of the files that the rules of an application work on (0: it has none), and its service numbers."""

    service_table: int
    gba_parameters: int
    naf_list: int
    muk: int = 0
    msk: int = 0
    impi: int = 0
    service_numbers: Mapping[int, int] | None = None


_GROUP_LISTS: Mapping[VoiceCall, int] = {
    VoiceCall.VGCS: fid_of("ADF.USIM", "EF_VGCS"),
    VoiceCall.VBS: fid_of("ADF.USIM", "EF_VBS"),
}
_USIM_FILES = _Files(
    service_table=fid_of("ADF.USIM", "EF_UST"),
    gba_parameters=fid_of("ADF.USIM", "EF_GBABP"),
    naf_list=fid_of("ADF.USIM", "EF_GBANL"),
    muk=fid_of("ADF.USIM", "EF_MUK"),
    msk=fid_of("ADF.USIM", "EF_MSK"),
)
_ISIM_FILES = _Files(
    service_table=fid_of("ADF.ISIM", "EF_IST"),
    gba_parameters=fid_of("ADF.ISIM", "EF_GBABP"),
    naf_list=fid_of("ADF.ISIM", "EF_GBANL"),
    impi=fid_of("ADF.ISIM", "EF_IMPI"),
    service_numbers=ISIM_NUMBERS,
)
_FILES_BY_NAME = {"ISIM": _ISIM_FILES}


class Application:
    """The functions of one application, over the shared file system and memory.

    The engine of the key messages is the same for all; what differs is `key_root`, from which the SMK comes. What an
    application lacks is `ServiceNotAvailable` to whoever asks for it.
    """

    def __init__(
        self,
        name: str,
        services: ServiceTable,
        mbms: MbmsKeys,
        key_root: KeyRoot,
        *,
        aka: Aka | None = None,
        gba: Gba | None = None,
        local_keys: LocalKeys | None = None,
        bcmcs: Bcmcs | None = None,
        bcast: Bcast | None = None,
        groups: GroupKeys | None = None,
    ) -> None:
        self.name = name
        self.services = services
        self.mbms = mbms
        self.key_root = key_root
        self.bcast = bcast
        self._aka = aka
        self._gba = gba
        self._local_keys = local_keys
        self._bcmcs = bcmcs
        self._groups = groups

    @property
    def aka(self) -> Aka:
        """Authentication and key agreement. Raises `ServiceNotAvailable`."""
        return _available(self._aka)

    @property
    def gba(self) -> Gba:
        """GBA_U. Raises `ServiceNotAvailable`."""
        return _available(self._gba)

    @property
    def local_keys(self) -> LocalKeys:
        """Local key establishment. Raises `ServiceNotAvailable`."""
        return _available(self._local_keys)

    @property
    def groups(self) -> GroupKeys:
        """Keys of group calls. Raises `ServiceNotAvailable`."""
        return _available(self._groups)

    @property
    def bcmcs(self) -> Bcmcs:
        """BCMCS of 3GPP2. Raises `ServiceNotAvailable`."""
        return _available(self._bcmcs)


class _Own:
    """The files right under one ADF, by identifier."""

    def __init__(self, files: FileSystem, application: str) -> None:
        self._files = files
        self._root = f"{ADF_PREFIX}{application}"

    def node(self, fid: int) -> FileNode | None:
        return self._files.tree.get(f"{self._root}/{fid:04X}")

    def content(self, fid: int) -> bytes:
        """Return what a transparent file holds, nothing when it is not there."""
        node = self.node(fid)
        return self._files.contents.whole(node) if node is not None else b""

    def records(self, fid: int) -> RecordFile:
        return RecordFile(self._files, self.node(fid))


def aka_application(name: str, record: StoredApplication, nv: NonVolatile, files: FileSystem) -> Application:
    """Return a USIM or ISIM: its keys come from K, and its SMK from GBA_U."""
    known, own = _FILES_BY_NAME.get(name, _USIM_FILES), _Own(files, name)
    services = ServiceTable(files, own.node(known.service_table), known.service_numbers)
    scheme = SqnScheme(record.ind_bits, record.delta, record.age_limit)
    aka = Aka(_algorithm(record), SqnMemory(nv, name, scheme))
    gba = Gba(
        nv,
        name,
        aka,
        files,
        own.node(known.gba_parameters),
        own.records(known.naf_list),
        impi=own.node(known.impi) if known.impi else None,
        plain_res=record.plain_res,
    )
    lists = {call: partial(own.content, fid) for call, fid in _GROUP_LISTS.items()}
    groups = GroupKeys(nv, name, lambda key: make_algorithm(record.algorithm, key, record.opc), lists)
    mbms = MbmsKeys(nv, name, own.records(known.muk), own.records(known.msk))
    policy = SacSettings(nv).local_key_policy
    local_keys = LocalKeys(nv, name, gba, card_iccid(files), application_aid(files, name), policy)
    bcast = Bcast(nv, name, load_tables(nv), mbms) if known.msk else None
    return Application(
        name,
        services,
        mbms,
        GbaKeyRoot(gba, mbms),
        aka=aka,
        gba=gba,
        local_keys=local_keys,
        bcast=bcast,
        groups=groups,
    )


def csim_application(name: str, record: StoredCsim, nv: NonVolatile, files: FileSystem) -> Application:
    """Return a CSIM: its keys come from RK, and its SMK is a TK. Raises `StoreError`."""
    own, root = _Own(files, name), _registration_key(record)
    services = ServiceTable(files, own.node(_CSIM_ST), CSIM_NUMBERS)
    keys = MbmsKeys(nv, name, own.records(_CSIM_MUK), own.records(_CSIM_MSK))
    bcmcs = Bcmcs(nv, name, root, own.records(_BAKPARA), own.records(_UP_BAKPARA), record.tags)
    bcast = Bcast(nv, name, load_tables(nv), keys)
    return Application(name, services, keys, RkKeyRoot(root, record.nai.encode(), keys), bcmcs=bcmcs, bcast=bcast)


def _registration_key(record: StoredCsim) -> RegistrationKey:
    try:
        return RegistrationKey(record.rk, find_functions(record.functions))
    except UnknownFunctions as error:
        raise StoreError(f"card file: {error}") from None


def card_iccid(files: FileSystem) -> bytes:
    """Return the ICCID as it stands in EF_ICCID, 10 bytes."""
    node = files.tree.get(ICCID_PATH)
    return files.contents.whole(node) if node is not None else b"\xff" * 10


def application_aid(files: FileSystem, name: str) -> bytes:
    """Return the AID of an application, empty when it has no ADF."""
    node = files.tree.get(f"{ADF_PREFIX}{name}")
    return node.aid if node is not None else b""


def load_applications(nv: NonVolatile, files: FileSystem) -> dict[str, Application]:
    """Return all applications of a card by name."""
    found = {
        name: aka_application(name, record, nv, files)
        for name, record in StoredTable(nv, APPLICATION_PREFIX, StoredApplication).items()
    }
    for name, record in StoredTable(nv, CSIM_PREFIX, StoredCsim).items():
        found[name] = csim_application(name, record, nv, files)
    return found


def _available(function: T | None) -> T:
    if function is None:
        raise ServiceNotAvailable
    return function


def _algorithm(record: StoredApplication) -> AkaAlgorithm:
    try:
        return make_algorithm(record.algorithm, record.k, record.opc)
    except ValueError:
        reason = f"unknown authentication algorithm {record.algorithm}, or keys that do not fit it"
        raise StoreError(f"card file: {reason}") from None
