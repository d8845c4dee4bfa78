"""A file's fixed properties: what personalisation decides and no command changes."""

from __future__ import annotations

from dataclasses import dataclass

from card.spec.files import Structure

MF_ID = 0x3F00
CURRENT_ADF_ID = 0x7FFF  # names the ADF of the current application (TS 102 221 clause 8.3)
MF_PATH = "3F00"
ADF_PREFIX = "ADF."


@dataclass(frozen=True, slots=True)
class FileNode:
    """One file. `path` names it on this card, e.g. `3F00/2FE2` or `ADF.USIM/6F07`; `size` is in bytes in all.

    `arr_record` is the record of the applicable EF_ARR that holds the access rule. `sfi` is 0 when there is none.
    """

    path: str
    fid: int
    structure: Structure
    name: str = ""
    size: int = 0
    record_length: int = 0
    sfi: int = 0
    arr_record: int = 1
    aid: bytes = b""

    @property
    def parent_path(self) -> str:
        """Path of the directory this file is in; the MF for an ADF, "" for the MF itself."""
        if self.structure is Structure.MF:
            return ""
        return MF_PATH if self.structure is Structure.ADF else self.path.rpartition("/")[0]

    @property
    def record_count(self) -> int:
        """Number of records, 0 for files without."""
        return self.size // self.record_length if self.record_length else 0

    @property
    def application(self) -> str:
        """Name of the application whose ADF holds this file ("" under the MF)."""
        root = self.path.partition("/")[0]
        return root.removeprefix(ADF_PREFIX) if root.startswith(ADF_PREFIX) else ""

    @property
    def arr_path(self) -> str:
        """Path of the EF_ARR that the access rule reference points into (TS 102 221 clause 13.4)."""
        root = self.path.partition("/")[0]
        return f"{root}/6F06" if root.startswith(ADF_PREFIX) else f"{MF_PATH}/2F06"
