"""Lays out the files of a card: declared rows, then what the profile adds or overrides, then the access rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from card.codec.access_rule import ALWAYS, NEVER, AccessRule, Condition, Operation, needs
from card.codec.data_objects import split_objects
from card.errors import DecodeError, ProfileError
from card.filesystem.node import ADF_PREFIX, MF_PATH, FileNode
from card.personalisation.contents import (
    CONTENTS,
    RECORD_COUNTS,
    Content,
    application_pins,
    applications,
    has_file,
    isim_services,
    usim_services,
)
from card.personalisation.csim import csim_services
from card.personalisation.verification import Verification
from card.profile.files import AccessCondition, AccessProfile, FileProfile, Root
from card.profile.schema import CardProfile
from card.spec.files.catalogue import ROOTS, all_files
from card.spec.files.fids import CURRENT_ADF, MF
from card.spec.files.rows import Access, DfRow, EfRow, Right, Structure

USIM = "USIM"
"""Name of the USIM application; its directory is `ADF.USIM`."""
ISIM = "ISIM"
"""Name of the ISIM application; its directory is `ADF.ISIM`."""
CSIM = "CSIM"
"""Name of the CSIM application; its directory is `ADF.CSIM`."""

_PIN1, _PIN2, _ADM1 = 0x01, 0x81, 0x0A
_RIGHTS: Mapping[Right, Condition] = {
    Right.ALWAYS: ALWAYS,
    Right.PIN: needs(_PIN1),
    Right.PIN2: needs(_PIN2),
    Right.ADM: needs(_ADM1),
    Right.NEVER: NEVER,
}
_DIRECTORY_ACCESS = Access(read=Right.ALWAYS)


Address = Callable[[Condition], Condition]


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file to be made: its node (the access rule's record still open), its access conditions, its content.

    An `expanded` rule goes into the file's own node, any other into EF_ARR.
    """

    node: FileNode
    grants: Mapping[Operation, Condition]
    content: bytes = b""
    expanded: bool = False

    def rule(self, address: Address = lambda condition: condition) -> AccessRule:
        """Return the access rule, operations with one condition gathered; `address` puts the right PINs in."""
        gathered: dict[Condition, Operation] = {}
        for operation, wanted in self.grants.items():
            condition = address(wanted)
            if operation is Operation.INCREASE and condition == NEVER:
                continue  # what no rule names is never allowed; only counters are worth naming it for
            gathered[condition] = gathered.get(condition, Operation(0)) | operation
        return AccessRule(tuple((modes, condition) for condition, modes in gathered.items()))


Plan = dict[str, PlannedFile]


def lay_out(profile: CardProfile) -> list[PlannedFile]:
    """Return all files of the card. Raises `ProfileError` where the profile's files do not fit together."""
    plan: Plan = {MF_PATH: _directory(FileNode(MF_PATH, MF, Structure.MF, "MF"))}
    pins = application_pins(profile)
    for name, aid in applications(profile).items():
        adf = FileNode(f"{ADF_PREFIX}{name}", CURRENT_ADF, Structure.ADF, f"ADF_{name}", aid=aid, pin=pins[name])
        plan[adf.path] = _directory(adf)
    of_usim = usim_services(profile)
    services = {
        MF_PATH: of_usim,
        f"{ADF_PREFIX}{USIM}": of_usim,
        f"{ADF_PREFIX}{ISIM}": isim_services(profile),
        f"{ADF_PREFIX}{CSIM}": csim_services(profile),
    }
    for path in list(plan):
        root = ROOTS[path]
        _Filler(plan, profile, services[path]).fill(path, root.files, root.directories)
    for file in profile.files:
        _apply(plan, file)
    _add_views(plan, of_usim)
    return _with_access_rules(plan, Verification(pins, profile.is_multi_verification))


def _directory(node: FileNode) -> PlannedFile:
    return PlannedFile(node, _grants(_DIRECTORY_ACCESS))


def _grants(access: Access) -> dict[Operation, Condition]:
    return {
        Operation.READ: _RIGHTS[access.read],
        Operation.UPDATE: _RIGHTS[access.update],
        Operation.INCREASE: _RIGHTS[access.increase],
        Operation.ACTIVATE: _RIGHTS[access.activate],
        Operation.DEACTIVATE: _RIGHTS[access.activate],
    }


@dataclass(frozen=True, slots=True)
class _Filler:
    """Adds declared files to a plan: those whose service is offered, and the directories that hold any."""

    plan: Plan
    profile: CardProfile
    services: frozenset[int]

    def fill(self, path: str, files: Iterable[EfRow], directories: Iterable[DfRow]) -> None:
        for row in files:
            if has_file(row, self.services) and not row.view:
                self.plan[f"{path}/{row.fid:04X}"] = self._file(path, row)
        for directory in directories:
            self._fill_directory(f"{path}/{directory.fid:04X}", directory)

    def _fill_directory(self, path: str, directory: DfRow) -> None:
        offered = not directory.service or directory.service in self.services
        if directory.application and f"{ADF_PREFIX}{directory.application}" not in self.plan:
            return
        if not offered or not any(has_file(row, self.services) for row in directory.files):
            return
        self.plan[path] = _directory(FileNode(path, directory.fid, Structure.DF, directory.name))
        self.fill(path, directory.files, directory.directories)

    def _file(self, path: str, row: EfRow) -> PlannedFile:
        contents = CONTENTS.get(path, {})
        given = contents[row.name](self.profile) if row.name in contents else row.default
        node = FileNode(f"{path}/{row.fid:04X}", row.fid, row.structure, row.name, sfi=row.sfi)
        if row.structure.has_records:
            count = RECORD_COUNTS[row.name](self.profile) if row.name in RECORD_COUNTS else row.records
            planned = _record_file(node, given, row, count)
        else:
            transparent = given if isinstance(given, bytes) else b"".join(given)
            size = max(row.size, len(transparent))
            planned = PlannedFile(replace(node, size=size), {}, transparent.ljust(size, b"\xff"))
        return replace(planned, grants=_grants(row.access))


def _add_views(plan: Plan, services: frozenset[int]) -> None:
    """Add the files that show others, where those others are on this card."""
    for path, row in all_files():
        target = plan.get(row.view)
        parent = path.rpartition("/")[0]
        if target is None or parent not in plan or path in plan or not has_file(row, services):
            continue
        node = replace(target.node, path=path, fid=row.fid, name=row.name, sfi=row.sfi, view=row.view)
        plan[path] = PlannedFile(node, _grants(row.access))


def _record_file(node: FileNode, given: Content, row: EfRow, count: int) -> PlannedFile:
    """Fill the first records with what is given, the others with the row's default."""
    records = [] if isinstance(given, bytes) else list(given)
    count = max(count, len(records))
    length = max([row.size, *map(len, records)])
    filled = records + [row.default] * (count - len(records))
    content = b"".join(record.ljust(length, b"\xff") for record in filled)
    return PlannedFile(replace(node, size=length * count, record_length=length), {}, content)


# --- the profile's own files


def _apply(plan: Plan, file: FileProfile) -> None:
    root = MF_PATH if file.path.root is Root.MF else file.path.root.value
    if root not in plan:
        raise ProfileError(f"files: {file.path}: the card has no {root}; allowed: a file of an application it has")
    path = "/".join((root, *(f"{fid:04X}" for fid in file.path.fids)))
    known = plan.get(path)
    if known is None:
        known = _new_file(plan, path, file)
    elif known.node.is_directory:
        raise ProfileError(f"files: {file.path} is a directory; allowed: the path of an elementary file")
    plan[path] = _overridden(known, file)


def _new_file(plan: Plan, path: str, file: FileProfile) -> PlannedFile:
    if file.structure is None:
        raise ProfileError(f"files: {file.path} is new: structure is missing; allowed: transparent, linear-fixed, …")
    _make_directories(plan, path)
    node = FileNode(path, file.path.fids[-1], Structure[file.structure.name], f"EF_{file.path.fids[-1]:04X}")
    return PlannedFile(node, {})


def _make_directories(plan: Plan, path: str) -> None:
    parent = path.rpartition("/")[0]
    if parent in plan:
        if not plan[parent].node.is_directory:
            raise ProfileError(f"files: {path}: {parent} is an elementary file, nothing can be under it")
        return
    _make_directories(plan, parent)
    fid = int(parent.rpartition("/")[2], 16)
    plan[parent] = _directory(FileNode(parent, fid, Structure.DF, f"DF_{fid:04X}"))


def _overridden(known: PlannedFile, file: FileProfile) -> PlannedFile:
    node = known.node
    if file.structure is not None and Structure[file.structure.name] is not node.structure:
        raise ProfileError(f"files: {file.path} has structure {node.structure.value}; allowed: that one")
    if node.structure.has_records:
        if file.hex is not None:
            raise ProfileError(f"files: {file.path} has records; allowed: records instead of hex")
        node, content = _resized_records(known, file)
    else:
        if file.records is not None:
            raise ProfileError(f"files: {file.path} has no records; allowed: hex instead of records")
        content = known.content if file.hex is None else file.hex
        if node.structure is Structure.BER_TLV:
            _check_objects(file, content)
        size = file.size or max(node.size, len(content))
        node, content = replace(node, size=size), content[:size].ljust(size, b"\xff")
    if file.sfi is not None:
        node = replace(node, sfi=file.sfi)
    expanded = known.expanded or file.access.expanded
    return PlannedFile(node, {**known.grants, **_given_grants(file.access)}, content, expanded)


def _check_objects(file: FileProfile, content: bytes) -> None:
    """Raise `ProfileError` unless the content is a sequence of data objects, each tag once."""
    try:
        tags = [tag for tag, _ in split_objects(content.rstrip(b"\xff"))]
    except DecodeError as error:
        raise ProfileError(f"files: {file.path}: {error}; allowed: whole data objects") from None
    if len(set(tags)) != len(tags):
        raise ProfileError(f"files: {file.path} has a tag twice; allowed: each once")


def _resized_records(known: PlannedFile, file: FileProfile) -> tuple[FileNode, bytes]:
    given = list(file.records or ())
    old_length = known.node.record_length
    old = [known.content[i : i + old_length] for i in range(0, len(known.content), old_length or 1)]
    length = file.size or max([old_length, *map(len, given)])
    count = file.count or max(known.node.record_count, len(given))
    if not length or not count:
        raise ProfileError(f"files: {file.path} needs records, or size and count")
    records = (given + old[len(given) :])[:count]
    records += [b""] * (count - len(records))
    content = b"".join(record[:length].ljust(length, b"\xff") for record in records)
    return replace(known.node, size=length * count, record_length=length), content


def _given_grants(access: AccessProfile) -> dict[Operation, Condition]:
    given = {
        Operation.READ: access.read,
        Operation.UPDATE: access.update,
        Operation.INCREASE: access.increase,
        Operation.ACTIVATE: access.activate,
        Operation.DEACTIVATE: access.deactivate,
        Operation.TERMINATE: access.terminate,
    }
    return {
        operation: wanted.condition if isinstance(wanted, AccessCondition) else wanted
        for operation, wanted in given.items()
        if wanted is not None
    }


# --- access rules


def _with_access_rules(plan: Plan, verification: Verification) -> list[PlannedFile]:
    """Give every file its record in the applicable EF_ARR, or one for each environment, and write the rules there."""
    rules: dict[str, list[bytes]] = {}
    numbered = {}
    for path, planned in plan.items():
        arr = rules.setdefault(planned.node.arr_path, [])
        normal, replaced = verification.rules(planned)
        if planned.expanded:
            numbered[path] = replace(planned, node=replace(planned.node, rule=normal))
            continue
        node = replace(planned.node, arr_record=_number_in(arr, normal))
        if replaced:
            node = replace(node, replaced_record=_number_in(arr, replaced))
        numbered[path] = replace(planned, node=node)
    for path, records in rules.items():
        numbered[path] = _filled_arr(numbered[path], records)
    return list(numbered.values())


def _number_in(arr: list[bytes], record: bytes) -> int:
    if record not in arr:
        arr.append(record)
    return arr.index(record) + 1


def _filled_arr(planned: PlannedFile, records: list[bytes]) -> PlannedFile:
    length = max([planned.node.record_length, *map(len, records)])
    content = b"".join(record.ljust(length, b"\xff") for record in records)
    return replace(planned, node=replace(planned.node, size=len(content), record_length=length), content=content)
