"""Lays out the files of a card: declared rows, then what the profile adds or overrides, then the access rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from card.errors import ProfileError
from card.filesystem.access import ALWAYS, NEVER, AccessRule, Condition, Operation, needs
from card.filesystem.node import ADF_PREFIX, MF_ID, MF_PATH, FileNode
from card.personalisation.contents import (
    RECORD_COUNTS,
    UICC_CONTENTS,
    USIM_CONTENTS,
    Content,
    has_file,
    usim_services,
)
from card.profile.files import AccessCondition, AccessProfile, FileProfile, Root
from card.profile.schema import CardProfile
from card.spec.files import Access, EfRow, Right, Structure
from card.spec.files_uicc import UICC_FILES
from card.spec.files_usim import USIM_FILES

USIM = "USIM"
"""Name of the USIM application; its directory is `ADF.USIM`."""

_PIN1, _PIN2, _UNIVERSAL, _ADM1, _ADM6 = 0x01, 0x81, 0x11, 0x0A, 0x8A
_RIGHTS: Mapping[Right, Condition] = {
    Right.ALWAYS: ALWAYS,
    Right.PIN: needs(_PIN1),
    Right.PIN2: needs(_PIN2),
    Right.ADM: needs(_ADM1),
    Right.NEVER: NEVER,
}
_CONDITIONS: Mapping[AccessCondition, Condition] = {
    AccessCondition.ALWAYS: ALWAYS,
    AccessCondition.PIN1: needs(_PIN1),
    AccessCondition.PIN2: needs(_PIN2),
    AccessCondition.UNIVERSAL: needs(_UNIVERSAL),
    AccessCondition.NEVER: NEVER,
    **{AccessCondition(f"ADM{n}"): needs(_ADM1 + n - 1 if n <= 5 else _ADM6 + n - 6) for n in range(1, 11)},
}
_DIRECTORY_ACCESS = Access(read=Right.ALWAYS)


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file to be made: its node (the access rule's record still open), its access conditions, its content."""

    node: FileNode
    grants: Mapping[Operation, Condition]
    content: bytes = b""

    @property
    def rule(self) -> AccessRule:
        """The access rule, operations with one condition gathered."""
        gathered: dict[Condition, Operation] = {}
        for operation, condition in self.grants.items():
            gathered[condition] = gathered.get(condition, Operation(0)) | operation
        return AccessRule(tuple((modes, condition) for condition, modes in gathered.items()))


Plan = dict[str, PlannedFile]


def lay_out(profile: CardProfile) -> list[PlannedFile]:
    """Return all files of the card. Raises `ProfileError` where the profile's files do not fit together."""
    adf = FileNode(f"{ADF_PREFIX}{USIM}", 0x7FFF, Structure.ADF, f"ADF_{USIM}", aid=profile.usim.aid)
    plan: Plan = {
        MF_PATH: PlannedFile(FileNode(MF_PATH, MF_ID, Structure.MF, "MF"), _grants(_DIRECTORY_ACCESS)),
        adf.path: PlannedFile(adf, _grants(_DIRECTORY_ACCESS)),
    }
    services = usim_services(profile)
    _add_rows(plan, MF_PATH, UICC_FILES, UICC_CONTENTS, profile)
    usim_rows = [row for row in USIM_FILES if has_file(row, services)]
    _add_rows(plan, adf.path, usim_rows, USIM_CONTENTS, profile)
    for file in profile.files:
        _apply(plan, file)
    return _with_access_rules(plan)


def _grants(access: Access) -> dict[Operation, Condition]:
    return {
        Operation.READ: _RIGHTS[access.read],
        Operation.UPDATE: _RIGHTS[access.update],
        Operation.INCREASE: _RIGHTS[access.increase],
        Operation.ACTIVATE: _RIGHTS[access.activate],
        Operation.DEACTIVATE: _RIGHTS[access.activate],
    }


def _add_rows(
    plan: Plan,
    directory: str,
    rows: Iterable[EfRow],
    contents: Mapping[str, Callable[[CardProfile], Content]],
    profile: CardProfile,
) -> None:
    for row in rows:
        count = RECORD_COUNTS[row.name](profile) if row.name in RECORD_COUNTS else row.records
        given = contents[row.name](profile) if row.name in contents else row.default
        path = f"{directory}/{row.fid:04X}"
        node = FileNode(path, row.fid, row.structure, row.name, 0, 0, row.sfi)
        if row.structure.has_records:
            planned = _record_file(node, given, row, count)
        else:
            transparent = given if isinstance(given, bytes) else b"".join(given)
            size = max(row.size, len(transparent))
            planned = PlannedFile(replace(node, size=size), {}, transparent.ljust(size, b"\xff"))
        plan[path] = replace(planned, grants=_grants(row.access))


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
    root = MF_PATH if file.path.root is Root.MF else f"{ADF_PREFIX}{USIM}"
    path = "/".join((root, *(f"{fid:04X}" for fid in file.path.fids)))
    known = plan.get(path)
    if known is None:
        known = _new_file(plan, path, file)
    elif known.node.structure.is_directory:
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
        if not plan[parent].node.structure.is_directory:
            raise ProfileError(f"files: {path}: {parent} is an elementary file, nothing can be under it")
        return
    _make_directories(plan, parent)
    fid = int(parent.rpartition("/")[2], 16)
    plan[parent] = PlannedFile(FileNode(parent, fid, Structure.DF, f"DF_{fid:04X}"), _grants(_DIRECTORY_ACCESS))


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
        size = file.size or max(node.size, len(content))
        node, content = replace(node, size=size), content[:size].ljust(size, b"\xff")
    if file.sfi is not None:
        node = replace(node, sfi=file.sfi)
    return PlannedFile(node, {**known.grants, **_given_grants(file.access)}, content)


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
    }
    return {operation: _CONDITIONS[condition] for operation, condition in given.items() if condition}


# --- access rules


def _with_access_rules(plan: Plan) -> list[PlannedFile]:
    """Give every file its record in the applicable EF_ARR and write the rules there."""
    rules: dict[str, list[bytes]] = {}
    numbered = {}
    for path, planned in plan.items():
        arr = rules.setdefault(planned.node.arr_path, [])
        record = planned.rule.encode()
        if record not in arr:
            arr.append(record)
        numbered[path] = replace(planned, node=replace(planned.node, arr_record=arr.index(record) + 1))
    for path, records in rules.items():
        numbered[path] = _filled_arr(numbered[path], records)
    return list(numbered.values())


def _filled_arr(planned: PlannedFile, records: list[bytes]) -> PlannedFile:
    length = max([planned.node.record_length, *map(len, records)])
    content = b"".join(record.ljust(length, b"\xff") for record in records)
    return replace(planned, node=replace(planned.node, size=len(content), record_length=length), content=content)
