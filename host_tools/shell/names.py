"""Finds the file or application that a person names, and completes such names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from card.spec.aids import APPLICATIONS
from card.spec.files.catalogue import all_directories, all_files
from card.spec.files.fids import MF

_FID = re.compile(r"[0-9A-F]{4}")
_PATH = re.compile(r"[0-9A-F]{4}(/[0-9A-F]{4})+")
_AID = re.compile(r"A0[0-9A-F]{8,30}")
_MF, _ROOT = "MF", "3F00"
_OLDER_APPLICATIONS = ("3F00/7F20/", "3F00/7F25/")  # DF_GSM and DF_CDMA are what an ADF is for SIM and R-UIM


class UnknownName(Exception):
    """No file or application has this name. The message is one sentence with the nearest names."""


@dataclass(frozen=True, slots=True)
class Application:
    """Select by AID: the first application whose AID begins so (5 to 16 bytes)."""

    aid: bytes


@dataclass(frozen=True, slots=True)
class FileId:
    """Select by file identifier, from where the card is."""

    fid: int


@dataclass(frozen=True, slots=True)
class FilePath:
    """Select by path: the ADF to enter before (None: from the MF), and the identifiers from there."""

    root: str | None
    fids: tuple[int, ...]


Target = Application | FileId | FilePath


def find_target(text: str, current_root: str) -> Target:
    """Return what `text` names: MF, USIM, EF_IMSI, ADF.USIM/EF_IMSI, 6F07, 3F00/2FE2, or an AID in hex.

    A name that several directories have means the one in the current application (`current_root`, such as ADF.USIM).
    Raises `UnknownName`.
    """
    name = text.upper().strip()
    if name in (_MF, _ROOT):
        return FileId(MF)
    for prefix, adf in APPLICATIONS.items():
        if name in (adf, adf.removeprefix("ADF.")):
            return Application(prefix)
    if _FID.fullmatch(name):
        return FileId(int(name, 16))
    if _AID.fullmatch(name) and len(name) % 2 == 0:
        return Application(bytes.fromhex(name))
    if _PATH.fullmatch(name):
        fids = [int(part, 16) for part in name.split("/")]
        return FilePath(None, tuple(fids[1:] if fids[0] == MF else fids))
    return _by_name(text.strip(), current_root)


def file_names(current_root: str = _ROOT) -> tuple[str, ...]:
    """Return the names that `find_target` knows, for completion.

    Inside an application (`current_root`, such as ADF.USIM) the files of others are left out.
    """
    names = {name for name, path in _names() if current_root == _ROOT or _is_near(path, current_root)}
    return (_MF, *(adf.removeprefix("ADF.") for adf in APPLICATIONS.values()), *sorted(names))


def _is_near(path: str, current_root: str) -> bool:
    root = path.partition("/")[0]
    return root == current_root or (root == _ROOT and not path.startswith(_OLDER_APPLICATIONS))


def _by_name(text: str, current_root: str) -> FilePath:
    wanted_root, _, wanted = text.rpartition("/")
    wanted_root = _ROOT if wanted_root.upper() == _MF else wanted_root
    paths = [path for name, path in _names() if name.upper() == wanted.upper()]
    if wanted_root:
        paths = [path for path in paths if path.upper().startswith(wanted_root.upper())]
    if not paths:
        raise UnknownName(f"There is no file or application “{text[:40]}”.{_hint(wanted)}")
    preferred = [path for path in paths if path.partition("/")[0] == current_root != _ROOT]
    # Nearest to the top: the USIM's file comes before the one of the same name in DF_GSM.
    root, *fids = min(preferred or paths, key=lambda path: path.count("/")).split("/")
    return FilePath(None if root == _ROOT else root, tuple(int(fid, 16) for fid in fids))


def _hint(wanted: str) -> str:
    near = [name for name in file_names() if wanted and wanted.upper() in name.upper()][:5]
    return f" Did you mean {', '.join(near)}?" if near else ""


@cache
def _names() -> Sequence[tuple[str, str]]:
    """Return name and path of every declared file and directory."""
    files: Iterable[tuple[str, str]] = ((row.name, path) for path, row in all_files())
    directories: Iterable[tuple[str, str]] = ((row.name, path) for path, row in all_directories())
    return (*files, *directories)
