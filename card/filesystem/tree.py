"""All files of a card and how they are found: by identifier, path, SFI or AID (TS 102 221 clause 8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from card.filesystem.errors import FileNotFound
from card.filesystem.node import MF_PATH, FileNode
from card.spec.files.fids import CURRENT_ADF, MF
from card.spec.files.rows import Structure


class FileTree:
    """Looks files up. Holds only fixed properties; contents and life cycle are in the non-volatile memory."""

    def __init__(self, nodes: Iterable[FileNode]) -> None:
        self._nodes = {node.path: node for node in nodes}
        self._children: dict[str, dict[int, FileNode]] = {}
        self._by_sfi: dict[tuple[str, int], FileNode] = {}
        self._selectable: dict[tuple[str, str], dict[int, FileNode]] = {}
        for node in self._nodes.values():
            if node.structure is not Structure.ADF:
                self._children.setdefault(node.parent_path, {})[node.fid] = node
            if node.sfi:
                self._by_sfi[node.parent_path, node.sfi] = node

    def __iter__(self) -> Iterator[FileNode]:
        return iter(self._nodes.values())

    def __getitem__(self, path: str) -> FileNode:
        return self._nodes[path]

    def get(self, path: str) -> FileNode | None:
        """Return the file with this path, or None."""
        return self._nodes.get(path)

    @property
    def adfs(self) -> tuple[FileNode, ...]:
        """All ADFs, in the order of personalisation."""
        return tuple(node for node in self._nodes.values() if node.structure is Structure.ADF)

    def select_by_fid(self, fid: int, directory: str, application: str) -> FileNode:
        """Find a file from the current directory.

        Candidates: the MF, the current directory, its parent, its children, DFs beside it, and 7FFF for the ADF of the
        current application (TS 102 221 clause 8.4.2). Raises `FileNotFound`.
        """
        known = self._selectable.get((directory, application))
        if known is None:
            known = self._selectable[directory, application] = self._candidates(directory, application)
        node = known.get(fid)
        if node is None:
            raise FileNotFound
        return node

    def _candidates(self, directory: str, application: str) -> dict[int, FileNode]:
        current = self._nodes[directory]
        parent = current.parent_path
        siblings = {f: node for f, node in self._children.get(parent, {}).items() if node.is_directory}
        found = dict(siblings)
        if parent:
            found[self._nodes[parent].fid] = self._nodes[parent]
        found[current.fid] = current
        found.update(self._children.get(directory, {}))
        adf = self._nodes.get(f"ADF.{application}")
        if adf is not None:
            found[CURRENT_ADF] = adf
        found[MF] = self._nodes[MF_PATH]
        return found

    def children(self, directory: str) -> tuple[FileNode, ...]:
        """Return the files right under a directory, without ADFs."""
        return tuple(self._children.get(directory, {}).values())

    def child(self, directory: str, fid: int) -> FileNode:
        """Find a file right under a directory. Raises `FileNotFound`."""
        node = self._children.get(directory, {}).get(fid)
        if node is None:
            raise FileNotFound
        return node

    def select_by_path(self, fids: Iterable[int], start: str, application: str) -> FileNode:
        """Follow FIDs from `start`; a first 7FFF means the ADF of the application. Raises `FileNotFound`."""
        node = self._nodes[start]
        for depth, fid in enumerate(fids):
            if depth == 0 and fid == CURRENT_ADF and f"ADF.{application}" in self._nodes:
                node = self._nodes[f"ADF.{application}"]
            else:
                node = self.child(node.path, fid)
        return node

    def by_sfi(self, directory: str, sfi: int) -> FileNode:
        """Find an EF of a directory by its short file identifier (1 to 30). Raises `FileNotFound`."""
        node = self._by_sfi.get((directory, sfi))
        if node is None:
            raise FileNotFound
        return node

    def by_aid(self, aid: bytes) -> tuple[FileNode, ...]:
        """Return the ADFs whose AID begins with `aid` (1 to 16 bytes), in order; empty when none does."""
        return tuple(node for node in self.adfs if node.aid.startswith(aid))
