"""Describes the files of a card: fixed properties, access, content in hex and, where a codec knows it, its value."""

from __future__ import annotations

from collections.abc import Callable

from card.codec.access_rule import AccessRule, Combination, Operation
from card.codec.access_words import describe_rule
from card.codec.ef import EfCodec
from card.crypto.secret import Secret
from card.domain.pin import is_administrative
from card.errors import CardError, StoreError
from card.filesystem.filesystem import ACTIVATED, DEACTIVATED, TERMINATED, FileSystem
from card.filesystem.node import FileNode
from card.inspection.rows import codec_of, holds_secrets
from card.inspection.values import Description, HiddenValue, Value, numbered, to_hex, to_value
from card.spec.files.rows import Structure

_ARR = "EF_ARR"
MOST_BYTES = 1 << 17
"""No file of a card is larger; a damaged card file may say anything."""
_LIFE_CYCLES = {ACTIVATED: "activated", DEACTIVATED: "deactivated", TERMINATED: "terminated"}


def describe_files(files: FileSystem) -> Description:
    """Return a description of every file by its path, in the order of personalisation.

    A `view` names the file whose content it shows, and has none of its own.
    """
    return {node.path: _describe(files, node) for node in files.tree}


def is_confidential(node: FileNode, rule: AccessRule) -> bool:
    """Tell whether a content is shown only when asked for: keys, and what no PIN lets a terminal read."""
    if holds_secrets(node):
        return True
    condition = rule.condition(Operation.READ)
    if not condition.references:
        return condition.combination is Combination.ANY
    return all(is_administrative(reference) for reference in condition.references)


def _describe(files: FileSystem, node: FileNode) -> Description:
    rule = files.rule(node)
    described: Description = {"name": node.name, "fid": f"{node.fid:04X}", "structure": node.structure.value}
    if node.aid:
        described["aid"] = to_hex(node.aid)
    if not node.is_directory:
        described["size"] = node.size
    if node.structure.has_records:
        described.update(record_count=node.record_count, record_length=node.record_length)
    if node.sfi:
        described["sfi"] = node.sfi
    life_cycle = files.life_cycle(node)
    described["life_cycle"] = _LIFE_CYCLES.get(life_cycle, f"{life_cycle:02X}")
    described["access"] = dict(describe_rule(rule))
    if node.view:
        described["view"] = node.view
    elif not node.is_directory:
        described.update(_describe_readable(files, node, is_confidential(node, rule)))
    return described


def _describe_readable(files: FileSystem, node: FileNode, confidential: bool) -> Description:
    try:
        return _describe_content(files, node, confidential)
    except StoreError:
        return {"problem": "the records it is composed of cannot be read"}


def _describe_content(files: FileSystem, node: FileNode, confidential: bool) -> Description:
    if not 0 <= node.size <= MOST_BYTES:
        return {"problem": "the size is impossible"}
    show: Callable[[bytes], Value] = _hide if confidential else to_hex
    if node.structure is Structure.BER_TLV:
        objects = {to_hex(tag): files.contents.object(node, tag) or b"" for tag in files.contents.object_tags(node)}
        return {"objects": {tag: show(value) for tag, value in objects.items()}}
    if not node.structure.has_records:
        content = files.contents.whole(node)
        return {"content": show(content), **({} if confidential else _decoded(node, [content]))}
    records = files.contents.records(node)
    return {"records": numbered(map(show, records)), **({} if confidential else _decoded(node, records))}


def _decoded(node: FileNode, contents: list[bytes]) -> Description:
    """Return `value` or, of a record file, `values`; `problem` when a content does not follow its format."""
    decode = _decode_rule if node.name == _ARR else _decoder(codec_of(node))
    if decode is None:
        return {}
    try:
        values = [decode(content) if content.strip(b"\xff") else None for content in contents]
    except (CardError, ValueError, LookupError):
        return {"problem": "the content does not follow its format"}
    if node.structure.has_records:
        return {"values": numbered(values)}
    return {} if values[0] is None else {"value": values[0]}


def _decoder(codec: EfCodec | None) -> Callable[[bytes], Value] | None:
    if codec is None:
        return None
    decode = codec.decode
    return lambda content: to_value(decode(content))


def _decode_rule(record: bytes) -> Value:
    return dict(describe_rule(AccessRule.decode(record)))


def _hide(content: bytes) -> Value:
    return HiddenValue(Secret(content))
