"""File identifiers by the names of the files, from their rows, and the two that name no row (TS 102 221 clause 8.3)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from card.spec.files.catalogue import all_directories, all_files

MF = 0x3F00
CURRENT_ADF = 0x7FFF
"""Stands for the ADF of the current application in a path."""


def fid_of(directory: str, name: str) -> int:
    """Return the identifier of a declared file or DF, e.g. `fid_of("ADF.USIM", "EF_IMSI")`.

    `directory` is a path as `card.spec.files.catalogue` writes it. Raises `KeyError` for what is not declared.
    """
    return _by_name()[directory, name]


@cache
def _by_name() -> Mapping[tuple[str, str], int]:
    files = {(path.rpartition("/")[0], row.name): row.fid for path, row in all_files()}
    return files | {(path.rpartition("/")[0], row.name): row.fid for path, row in all_directories()}
