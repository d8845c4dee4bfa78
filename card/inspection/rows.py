"""Finds the declared row of a file on a card, and with it the codec of its content."""

from __future__ import annotations

from functools import cache

from card.codec.ef import CODECS, EfCodec
from card.filesystem.node import FileNode
from card.spec.files.catalogue import all_files


def codec_of(node: FileNode) -> EfCodec | None:
    """Return the codec of a file's content (of each record, where it has records), None when it has none."""
    return CODECS.get(_codec_name(node))


def example_of(node: FileNode) -> object:
    """Return a value such as the codec of this file takes, None when no row with that codec shows one."""
    return _examples().get(_codec_name(node))


def holds_secrets(node: FileNode) -> bool:
    """Tell whether a file of this name is declared to hold keys or codes, wherever it lies."""
    return node.name in _secret_names()


def _codec_name(node: FileNode) -> str:
    """Look the file up by its place; a file of the profile's that only has the same FID is not the declared one."""
    return _codec_names().get((node.path, node.name), "")


@cache
def _codec_names() -> dict[tuple[str, str], str]:
    return {(path, row.name): row.codec for path, row in all_files()}


@cache
def _secret_names() -> frozenset[str]:
    return frozenset(row.name for _, row in all_files() if row.secret)


@cache
def _examples() -> dict[str, object]:
    return {row.codec: row.examples[0][1] for _, row in all_files() if row.codec and row.examples}
