"""The file system as commands and rules use it: tree, contents, access rules, life cycle and FCP in one place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from card.codec.access_rule import AccessRule, Condition, Operation
from card.codec.fcp import DescriptorByte, Fcp, PinStatus
from card.errors import DecodeError
from card.filesystem.contents import FileContents
from card.filesystem.node import FileNode
from card.filesystem.tree import FileTree
from card.spec.files.fids import CURRENT_ADF, MF
from card.spec.files.rows import Structure
from card.state.nonvolatile import NonVolatile
from card.state.stored import StoredTable

ACTIVATED = 0x05
DEACTIVATED = 0x04
TERMINATED = 0x0C

# Security environments (TS 102 221 clauses 9.2.7 and 9.3): the universal PIN counts in the place of the
# application's, or the application's own does.
REPLACED, NORMAL = 0x00, 0x01

PINS_IN_EVERY_FCP_KEY = "card/pins-in-every-fcp"
"""Stored on a card whose EFs show the PIN status template too, which TS 102 221 has in the FCP of directories only."""
NODE_TABLE = "fs/"
_DENY_ALL = AccessRule(())

_DESCRIPTORS = {
    Structure.MF: DescriptorByte.DIRECTORY,
    Structure.DF: DescriptorByte.DIRECTORY,
    Structure.ADF: DescriptorByte.DIRECTORY,
    Structure.TRANSPARENT: DescriptorByte.TRANSPARENT,
    Structure.LINEAR_FIXED: DescriptorByte.LINEAR_FIXED,
    Structure.CYCLIC: DescriptorByte.CYCLIC,
    Structure.BER_TLV: DescriptorByte.BER_TLV,
}
# UICC characteristics: clock stop allowed, no preferred level (TS 102 221 table 11.7).
_DIRECTORY_PROPRIETARY = bytes.fromhex("800171")


class FileSystem:
    """All files of one card, as its memory has them now: when a file comes or goes, it is made anew."""

    def __init__(self, nv: NonVolatile) -> None:
        self._nv = nv
        nodes = [node for _, node in StoredTable(nv, NODE_TABLE, FileNode).items()]
        self.tree = FileTree(nodes)
        self.contents = FileContents(nv)
        self._rules: dict[bytes, AccessRule] = {}
        self._conditions: dict[tuple[str, Operation, int], tuple[bytes, Condition]] = {}
        self._pins_in_every_fcp = nv.get(PINS_IN_EVERY_FCP_KEY) is not None
        self._fcps: dict[tuple[str, int, tuple[PinStatus, ...]], bytes] = {}

    def life_cycle(self, node: FileNode) -> int:
        """Return the life cycle status byte (TS 102 221 clause 11.1.1.4.9)."""
        state = self._nv.get(f"lcs/{node.storage}")
        return ACTIVATED if state is None else state[0]

    def set_life_cycle(self, node: FileNode, state: int) -> None:
        """Activate, deactivate or terminate a file."""
        if state == ACTIVATED:
            self._nv.delete(f"lcs/{node.storage}")
        else:
            self._nv.put(f"lcs/{node.storage}", bytes((state,)))

    def is_usable(self, node: FileNode) -> bool:
        """Tell whether a file is activated and lies in no terminated directory."""
        if self.life_cycle(node) != ACTIVATED:
            return False
        parent = self.tree.get(node.parent_path)
        while parent is not None:
            if self.life_cycle(parent) == TERMINATED:
                return False
            parent = self.tree.get(parent.parent_path)
        return True

    def rule(self, node: FileNode, environment: int = NORMAL) -> AccessRule:
        """Return the access rule of a file in a security environment, its own or from the record of EF_ARR.

        Unreadable rules deny all, and so does an EF_ARR that is not activated.
        """
        record = node.rule
        if not record:
            arr = self.tree.get(node.arr_path)
            number = node.replaced_record if environment == REPLACED and node.replaced_record else node.arr_record
            if arr is None or not 1 <= number <= arr.record_count or self.life_cycle(arr) != ACTIVATED:
                return _DENY_ALL
            record = self.contents.read_record(arr, number)
        rule = self._rules.get(record)
        if rule is None:
            try:
                rule = AccessRule.decode(record)
            except DecodeError:
                rule = _DENY_ALL
            self._rules[record] = rule
        return rule

    def condition(self, node: FileNode, operation: Operation, environment: int = NORMAL) -> Condition:
        """Return what an operation on a file needs. Remembered for as long as EF_ARR stays as it is."""
        arr = self.tree.get(node.arr_path)
        content = b"" if arr is None or self.life_cycle(arr) != ACTIVATED else self.contents.whole(arr)
        known = self._conditions.get((node.path, operation, environment))
        if known is not None and known[0] is content:
            return known[1]
        condition = self.rule(node, environment).condition(operation)
        self._conditions[node.path, operation, environment] = (content, condition)
        return condition

    def shows_pins(self, node: FileNode) -> bool:
        """Tell whether the FCP of a file has a PIN status template: of a directory always, of an EF by the profile."""
        return node.is_directory or self._pins_in_every_fcp

    def fcp(self, node: FileNode, pins: Sequence[PinStatus]) -> bytes:
        """Return the encoded FCP; `pins` fill the PIN status template, where the file shows one."""
        key = (node.path, self.life_cycle(node), tuple(pins) if self.shows_pins(node) else ())
        known = self._fcps.get(key)
        if known is None:
            known = self._fcps[key] = self._build_fcp(node, key[1], key[2]).encode()
        return known

    @staticmethod
    def _build_fcp(node: FileNode, life_cycle: int, pins: Sequence[PinStatus]) -> Fcp:
        is_directory = node.is_directory
        return Fcp(
            descriptor=_DESCRIPTORS[node.structure],
            file_id=_fcp_file_id(node),
            life_cycle=life_cycle,
            record_length=node.record_length,
            record_count=node.record_count,
            df_name=node.aid,
            proprietary=_DIRECTORY_PROPRIETARY if is_directory else b"",
            arr=(int(node.arr_path.rpartition("/")[2], 16), node.arr_record),
            rule=node.rule,
            file_size=None if is_directory else node.size,
            sfi=node.sfi or None,
            pins=pins,
            environments=((REPLACED, node.replaced_record), (NORMAL, node.arr_record)) if node.replaced_record else (),
        )


def store_nodes(nv: NonVolatile, nodes: Iterable[FileNode]) -> None:
    """Write the files' fixed properties at personalisation; their order is the order of applications in EF_DIR."""
    table = StoredTable(nv, NODE_TABLE, FileNode)
    for number, node in enumerate(nodes):
        table.put(f"{number:04}", node)


def _fcp_file_id(node: FileNode) -> int:
    if node.structure is Structure.MF:
        return MF
    return CURRENT_ADF if node.structure is Structure.ADF else node.fid
