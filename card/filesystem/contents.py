"""File contents: transparent files and records, read and written in the open transaction."""

from __future__ import annotations

from collections.abc import Callable

from card.codec.data_objects import object_size
from card.filesystem.errors import ComposedFile, LengthMismatch, NoRoom, OutsideFile, RecordNotFound, WrongStructure
from card.filesystem.node import FileNode
from card.spec.files.rows import Structure
from card.state.nonvolatile import NonVolatile

UNWRITTEN = b"\xff"


class FileContents:
    """Reads and writes by node. Knows structures, no access rules: the commands ask those first."""

    def __init__(self, nv: NonVolatile) -> None:
        self._nv = nv
        self._composers: dict[str, Callable[[], bytes]] = {}

    def compose(self, node: FileNode, composer: Callable[[], bytes]) -> None:
        """Let `composer` make the content of a file, all `node.size` bytes, whenever it is read."""
        self._composers[node.storage] = composer

    def whole(self, node: FileNode) -> bytes:
        """Return all `node.size` bytes of a file."""
        composer = self._composers.get(node.storage)
        if composer is not None:
            return composer()
        stored = self._nv.get(f"ef/{node.storage}")
        return UNWRITTEN * node.size if stored is None else stored

    def replace(self, node: FileNode, content: bytes) -> None:
        """Write a whole file; short content is padded with FF. Raises `LengthMismatch` when it is too long.

        Everything that writes comes by here, and raises `ComposedFile` for a file that nobody can write.
        """
        if node.storage in self._composers:
            raise ComposedFile
        if len(content) > node.size:
            raise LengthMismatch
        self._nv.put(f"ef/{node.storage}", content.ljust(node.size, UNWRITTEN))

    def read_binary(self, node: FileNode, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`, fewer at the end of the file. Raises `OutsideFile`."""
        if node.structure is not Structure.TRANSPARENT:
            raise WrongStructure
        if offset >= node.size:
            raise OutsideFile
        return self.whole(node)[offset : offset + length]

    def update_binary(self, node: FileNode, offset: int, data: bytes) -> None:
        """Write `data` at `offset`. Raises `OutsideFile` or, when it would not fit, `LengthMismatch`."""
        if node.structure is not Structure.TRANSPARENT:
            raise WrongStructure
        if offset >= node.size:
            raise OutsideFile
        if offset + len(data) > node.size:
            raise LengthMismatch
        old = self.whole(node)
        self.replace(node, old[:offset] + data + old[offset + len(data) :])

    def read_record(self, node: FileNode, number: int) -> bytes:
        """Return record `number`, counted from 1; in a cyclic file 1 is the record written last."""
        start = self._start_of(node, number)
        return self.whole(node)[start : start + node.record_length]

    def update_record(self, node: FileNode, number: int, data: bytes) -> None:
        """Write record `number` whole. Raises `LengthMismatch` unless `data` has the record length."""
        start = self._start_of(node, number)
        if len(data) != node.record_length:
            raise LengthMismatch
        old = self.whole(node)
        self.replace(node, old[:start] + data + old[start + node.record_length :])

    def append_cyclic(self, node: FileNode, data: bytes) -> None:
        """Write a new first record of a cyclic file; the oldest one drops out (TS 102 221 clause 8.2.2.3)."""
        if node.structure is not Structure.CYCLIC:
            raise WrongStructure
        if len(data) != node.record_length:
            raise LengthMismatch
        self.replace(node, data + self.whole(node)[: -node.record_length])

    def records(self, node: FileNode) -> list[bytes]:
        """Return all records in order."""
        if not node.structure.has_records:
            raise WrongStructure
        content, size = self.whole(node), node.record_length
        return [content[start : start + size] for start in range(0, node.record_count * size, size)]

    def object_tags(self, node: FileNode) -> list[bytes]:
        """Return the tags of the data objects in a BER-TLV file, in order of their value."""
        prefix = _object_prefix(node)
        return [bytes.fromhex(key[len(prefix) :]) for key in self._nv.keys(prefix)]

    def object(self, node: FileNode, tag: bytes) -> bytes | None:
        """Return the value of a data object, or None."""
        return self._nv.get(_object_prefix(node) + tag.hex())

    def put_object(self, node: FileNode, tag: bytes, value: bytes) -> None:
        """Create or replace a data object. Raises `NoRoom` when all objects together would exceed the file's size."""
        others = (known for known in self.object_tags(node) if known != tag)
        used = sum(object_size(known, self.object(node, known) or b"") for known in others)
        if used + object_size(tag, value) > node.size:
            raise NoRoom
        self._nv.put(_object_prefix(node) + tag.hex(), value)

    def delete_object(self, node: FileNode, tag: bytes) -> None:
        """Remove a data object; removing an absent one is harmless."""
        self._nv.delete(_object_prefix(node) + tag.hex())

    @staticmethod
    def _start_of(node: FileNode, number: int) -> int:
        if not node.structure.has_records:
            raise WrongStructure
        if not 1 <= number <= node.record_count:
            raise RecordNotFound
        return (number - 1) * node.record_length


def _object_prefix(node: FileNode) -> str:
    return f"tlv/{node.storage}/"
