"""Changes the content of one file of a card that is not in use, past its access rules."""

from __future__ import annotations

import os
from dataclasses import dataclass

from card.codec.access_rule import AccessRule
from card.codec.ef import EfCodec, format_value
from card.errors import CardError, EncodeError
from card.filesystem.filesystem import FileSystem
from card.filesystem.node import MF_PATH, FileNode
from card.filesystem.tree import FileTree
from card.inspection.files import MOST_BYTES, is_confidential
from card.inspection.opening import load_card, opened, sound_records
from card.inspection.rows import codec_of, example_of
from card.inspection.values import Value, to_value
from card.spec.files.fids import CURRENT_ADF
from card.spec.files.rows import Structure
from card.state.nonvolatile import NonVolatile

# The card writes these itself, in step with keys that an edit does not change.
_KEPT_BY_CARD = frozenset({"EF_MUK", "EF_GBANL"})
_COMPOSED = "EF_MSK"
_MOST_NUMBER = 0xFFFF
_FILLS = (b"\xff", b"\x00")
_BAD_VALUE = (CardError, ValueError, TypeError, LookupError, ArithmeticError)


class EditRefused(EncodeError):
    """What should be edited is not on the card, or what should be written does not fit it."""


@dataclass(frozen=True, slots=True)
class Edit:
    """What to write: `content` in bytes, or `value` as text for the file's codec; one of them.

    `record` counts from 1 and is needed where a file has more than one. `force` writes content that does not follow
    the file's format, and into files the card keeps itself.
    """

    content: bytes | None = None
    value: str | None = None
    record: int | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class EditResult:
    """What was written: the file, the record (0: it has none), its length in bytes, how many were filled up with FF.

    `value` is what the content now stands for, None where no codec knows or the file is confidential.
    """

    path: str
    name: str
    record: int
    length: int
    filled: int
    value: Value


def edit_card(path: str | os.PathLike[str], place: str, edit: Edit) -> EditResult:
    """Write one file of a card file.

    `place` is a path ("ADF.USIM/6F07", "MF/2FE2", "ADF.USIM/EF_IMSI") or, where it is the only one, a name or FID.
    Bytes that are fewer than the file or record holds are filled up with FF. Raises `EditRefused` (nothing is written
    then), `StoreError`, `CardFileLocked`.
    """
    with opened(path) as store, sound_records():
        load_card(store)
        nv = NonVolatile(store)
        files = FileSystem(nv)
        edited = _edit(files, find_file(files.tree, place), edit)
        nv.commit()
        return edited


def find_file(tree: FileTree, place: str) -> FileNode:
    """Return the elementary file that `place` names. Raises `EditRefused` when there is none or more than one."""
    wanted = place.strip().strip("/").upper()
    if wanted.startswith("MF/"):
        wanted = f"{MF_PATH}/{wanted[3:]}"
    found = [node for node in tree if not node.is_directory and wanted in _names(node)]
    found = [node for node in found if not node.view] or found
    if len(found) == 1:
        return found[0]
    if found:
        raise EditRefused(f"{place} is ambiguous: {', '.join(node.path for node in found[:5])}")
    raise EditRefused(f"{place}: there is no such file on the card")


def _names(node: FileNode) -> set[str]:
    """Return what a file answers to, in upper case."""
    directory, name = node.parent_path.upper(), node.name.upper()
    short = {f"{node.fid:04X}", name, name.removeprefix("EF_")}
    directories = {directory}
    if node.application:
        _, slash, rest = directory.partition("/")
        directories.add(f"{MF_PATH}/{CURRENT_ADF:04X}{slash}{rest}")
    return short | {f"{directory}/{name}" for directory in directories for name in short}


def _edit(files: FileSystem, node: FileNode, edit: Edit) -> EditResult:
    if not 0 <= node.size <= MOST_BYTES:
        raise EditRefused(f"{node.path}: the size is impossible, the card file is damaged")
    if node.structure is Structure.BER_TLV:
        raise EditRefused(f"{node.path} holds data objects; write it with SET DATA")
    if node.name == _COMPOSED:
        raise EditRefused(f"{node.name} is composed from the keys when it is read; what is written does not show")
    if node.name in _KEPT_BY_CARD and not edit.force:
        raise EditRefused(f"{node.name} is kept by the card, in step with its keys; it is written only when forced")
    record = _record_number(node, edit.record)
    length = node.record_length if record else node.size
    current = files.contents.read_record(node, record) if record else files.contents.whole(node)
    content, filled = _new_content(node, edit, current)
    if record:
        files.contents.update_record(node, record, content)
    else:
        files.contents.replace(node, content)
    shown = None if is_confidential(node, files.rule(node)) else _read(codec_of(node), content)
    return EditResult(node.path, node.name, record, length, filled, shown)


def _record_number(node: FileNode, wanted: int | None) -> int:
    """Return the record to write, 0 for a file without records."""
    if not node.structure.has_records:
        if wanted is not None:
            raise EditRefused(f"{node.path} ({node.name}) is a transparent file: it has no records")
        return 0
    if wanted is None and node.record_count == 1:
        return 1
    if wanted is None or not 1 <= wanted <= node.record_count:
        raise EditRefused(f"{node.path} ({node.name}) has records 1 to {node.record_count}; name one of them")
    return wanted


def _new_content(node: FileNode, edit: Edit, current: bytes) -> tuple[bytes, int]:
    """Return the whole new content of the file or record, and how many bytes of it are filling."""
    if edit.content is not None:
        filled = len(current) - len(edit.content)
        content = _padded(edit.content, len(current))
        if not edit.force:
            _check_format(node, content)
        return content, filled
    codec = codec_of(node)
    if codec is None:
        raise EditRefused(f"{node.path} ({node.name}) has no codec: give its bytes instead of a value")
    value = parse_value(edit.value or "", example_of(node))
    return _encoded(codec, value, current), 0


def _padded(content: bytes, size: int) -> bytes:
    if len(content) > size:
        raise EditRefused(f"{len(content)} bytes do not fit: there is room for {size}")
    return content.ljust(size, _FILLS[0])


def _check_format(node: FileNode, content: bytes) -> None:
    """Refuse bytes that nobody could read, unless they are all FF: an empty file or record."""
    codec = codec_of(node)
    decode = AccessRule.decode if node.name == "EF_ARR" else codec.decode if codec else None
    if decode is None or not content.strip(_FILLS[0]):
        return
    try:
        decode(content)
    except _BAD_VALUE:
        reason = f"these bytes do not follow the format of {node.name}; they are written only when forced"
        raise EditRefused(reason) from None


def _encoded(codec: EfCodec, value: object, current: bytes) -> bytes:
    """Return the padded content that reads as `value`.

    What fills the rest depends on the kind of content: FF, zeros where zeros stand now (a table of bits), or the old
    bytes in front of a value at the end of its record (a number keeps its name). Content that reads so already stays.
    """
    try:
        coded = codec.encode(value)
    except _BAD_VALUE as error:
        reason = f": {error}" if isinstance(error, CardError) else ""
        raise EditRefused(f"the value cannot be written{reason}") from None
    _padded(coded, len(current))
    fills = sorted(_FILLS, key=lambda fill: not current.endswith(fill))
    filled = [coded.ljust(len(current), fill) for fill in fills]
    candidates = [current, *filled, current[: len(current) - len(coded)] + coded]
    for content in candidates:
        if _reads_as(codec, content, coded, value):
            return content
    raise EditRefused("the value would not read back as it was given")


def _reads_as(codec: EfCodec, content: bytes, coded: bytes, value: object) -> bool:
    try:
        decoded = codec.decode(content)
        same = decoded == value or codec.encode(decoded) == coded
    except _BAD_VALUE:
        return False
    # "engl" would be written like "en", "gl": as many items must come out as went in.
    return same and not (isinstance(value, list) and len(value) != len(decoded))


def _read(codec: EfCodec | None, content: bytes) -> Value:
    if codec is None or not content.strip(_FILLS[0]):
        return None
    try:
        return to_value(codec.decode(content))
    except _BAD_VALUE:
        return None


def parse_value(text: str, like: object) -> object:
    """Read the text form of a value, written like the example `like`. Raises `EditRefused`."""
    try:
        return _parse(text.strip(), like)
    except ValueError:
        raise EditRefused(f'the value cannot be read; it is written like "{format_value(like)}"') from None


def _parse(text: str, like: object) -> object:
    match like:
        case str():
            return text
        case int() if not isinstance(like, bool):
            number = int(text)
            if not 0 <= number <= _MOST_NUMBER:
                raise ValueError("out of range")
            return number
        case bytes():
            return bytes.fromhex(text)
        case [first, *_] if isinstance(like, list):
            return [_parse(part.strip(), first) for part in text.split(",")] if text else []
        case tuple():
            parts = text.split(",", len(like) - 1)
            return tuple(_parse(part.strip(), each) for part, each in zip(parts, like, strict=True))
        case _:
            raise EditRefused("values of this file have no text form; give its bytes")
