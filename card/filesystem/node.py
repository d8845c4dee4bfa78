"""A file's fixed properties: what personalisation decides and no command changes."""

from __future__ import annotations

from dataclasses import field
from functools import partial

from card.lean import lean_dataclass
from card.spec.files.rows import Structure

MF_PATH = "3F00"
ADF_PREFIX = "ADF."


@lean_dataclass(frozen=True, slots=True)
class FileNode:
    """One file. `path` names it on this card, e.g. `3F00/2FE2` or `ADF.USIM/6F07`; `size` is in bytes in all.

    `arr_record` is the record of the applicable EF_ARR that holds the access rule, unless `rule` holds it in expanded
    form. `replaced_record` is the record for security environment 00, where the universal PIN has replaced the
    application's; 0 on a card with one environment. `sfi` is 0 when there is none. `view` is the path of the file
    whose content and life cycle this one shows. `pin` is the key reference of the application's PIN, and counts in an
    ADF only.
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
    rule: bytes = b""
    view: str = ""
    replaced_record: int = 0
    pin: int = 0x01

    storage: str = field(init=False, repr=False, compare=False)
    parent_path: str = field(init=False, repr=False, compare=False)
    application: str = field(init=False, repr=False, compare=False)
    arr_path: str = field(init=False, repr=False, compare=False)
    record_count: int = field(init=False, repr=False, compare=False)
    is_directory: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work out once what every command asks for.

        `storage` is the path under which content and life cycle are stored; `parent_path` that of the directory (the
        MF for an ADF, "" for the MF); `application` the name of the application whose ADF holds the file ("" under the
        MF); `arr_path` that of the EF_ARR with the access rule (TS 102 221 clause 13.4).
        """
        root = self.path.partition("/")[0]
        in_adf = root.startswith(ADF_PREFIX)
        set_field = partial(object.__setattr__, self)
        set_field("storage", self.view or self.path)
        set_field("parent_path", self._find_parent())
        set_field("application", root.removeprefix(ADF_PREFIX) if in_adf else "")
        set_field("arr_path", f"{root}/6F06" if in_adf else f"{MF_PATH}/2F06")
        set_field("record_count", self.size // self.record_length if self.record_length else 0)
        set_field("is_directory", self.structure.is_directory)

    def _find_parent(self) -> str:
        if self.structure is Structure.MF:
            return ""
        return MF_PATH if self.structure is Structure.ADF else self.path.rpartition("/")[0]
