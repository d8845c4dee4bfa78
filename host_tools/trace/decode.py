"""Decodes an exchange for people: TLV objects by name, file contents, MIKEY fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from card.codec.apdu import CommandApdu
from card.codec.ef import CODECS
from card.codec.fcp import DescriptorByte, Tag
from card.codec.redaction import Span
from card.errors import CardError, DecodeError
from card.spec.aids import application_name
from card.spec.bcast.p1 import P1
from card.spec.bcast.ratings import rating_words, value_words
from card.spec.bcast.tables import BcastTables
from card.spec.bcast.x2 import X2
from card.spec.files.catalogue import all_files
from card.spec.files.rows import EfRow
from card.spec.ins import INS
from host_tools.trace.events import TracedExchange
from host_tools.trace.mikey_text import find_mikey, mikey_lines
from host_tools.trace.tlv import TlvItem, walk_tlvs

SHOWN_BYTES = 48
_FILL = 0xFF
_FCP_NAMES: Mapping[str, str] = {
    **{f"62/{tag:02X}": tag.name.lower().replace("_", " ") for tag in Tag},
    "62": "FCP template", "62/84": "DF name", "62/88": "SFI", "62/C6": "PIN status",
    "62/A5/80": "UICC characteristics", "62/A5/81": "power consumption", "62/A5/82": "minimum clock",
    "62/A5/83": "available memory", "62/A5/87": "supported commands", "62/C6/90": "enabled PINs",
    "62/C6/83": "key reference", "62/C6/95": "usage qualifier",
}  # fmt: skip
_OTHER_NAMES: Mapping[str, str] = {
    "61": "application template", "61/4F": "AID", "61/50": "label", "53": "MBMS object", "73": "BCAST object",
    "73/AE": "BCAST template", "A9": "terminal capability", "D0": "proactive command",
}  # fmt: skip
_SETS = (P1, X2)
_IN_WORDS: Mapping[str, str] = {"tek": "TEK", "spe_not_supported": "SPE not supported", "mikey": "MIKEY message"}
_KINDS = {int(kind): kind.name.lower().replace("_", " ") for kind in DescriptorByte}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a decoded exchange, `depth` steps in."""

    depth: int
    text: str


def decode_exchange(event: TracedExchange) -> Iterator[Line]:
    """Yield what is inside the command and the answer. Hidden bytes stay hidden."""
    yield from _message(_command_data(event))
    data = event.data
    if not data:
        return
    content = _content(event)
    if content:
        yield Line(0, content)
    if content or event.command[1:2] == bytes((INS.AUTHENTICATE,)):
        return
    yield from tlv_lines(data, event.hidden_response)
    yield from _message(data)


def tlv_lines(data: bytes, hidden: tuple[Span, ...] = ()) -> Iterator[Line]:
    """Yield one line for each TLV object in `data`; nothing when it is no TLV."""
    for item in walk_tlvs(data, padded=True):
        name = object_name(item.path)
        label = f"{item.tag:02X}{f' {name}' if name else ''}"
        yield Line(item.depth, label if item.children else f"{label}: {_value(item, data, hidden)}")


def object_name(path: str) -> str:
    """Return what the object at a path such as `62/82` is called; empty where there is no name."""
    plain = path.partition("[")[0]
    return _FCP_NAMES.get(plain) or _OTHER_NAMES.get(plain) or _BCAST_NAMES.get(plain, "")


def answer_paths(name: str) -> Mapping[str, BcastTables]:
    """Return where an object of an OMA BCAST answer, such as `tek`, stands by each set of tables that ships."""
    return {f"73/AE/{tables.response_tags[name]:02X}": tables for tables in _SETS}


def show_bytes(data: bytes, limit: int = SHOWN_BYTES) -> str:
    """Return hex, shortened, with the size."""
    shown = data[:limit].hex().upper()
    return f"[{len(data)}] {shown}{'…' if len(data) > limit else ''}" if data else "[0]"


def _value(item: TlvItem, data: bytes, hidden: tuple[Span, ...]) -> str:
    value = data[item.start : item.end]
    if any(start < item.end and end > item.start for start, end in hidden):
        return f"[{len(value)}] hidden"
    if item.path == "62/82" and value:
        return f"{value.hex().upper()} ({_KINDS.get(value[0] & 0xBF | 0x40, _KINDS.get(value[0], 'unknown'))})"
    if item.path == "62/88" and value:
        return f"{value.hex().upper()} ({value[0] >> 3:02X})"
    if item.path == "62/80":
        return f"{value.hex().upper()} ({int.from_bytes(value, 'big')} bytes)"
    if item.path == "61/50":
        return value.decode("ascii", "replace")
    words = _WORDS[item.path](value) if item.path in _WORDS else ""
    return f"{show_bytes(value)} ({words})" if words else show_bytes(value)


def _held_back(value: bytes) -> str:
    """Say why a TEK is held back: key reference of the PIN, type, value and level granted (the layout of `P1`)."""
    if len(value) != 4:
        return ""
    pin, kind, rating, level = value
    return f"{rating_words(kind, rating)}, level granted {value_words(kind, level)}, PIN reference {pin:02X}"


def _granted(value: bytes) -> str:
    return f"level granted {rating_words(*value)}" if len(value) == 2 else ""


_BCAST_NAMES: Mapping[str, str] = {
    path: f"{_IN_WORDS.get(name, name.replace('_', ' '))} by {tables.name}"
    for name in P1.response_tags
    for path, tables in answer_paths(name).items()
}
"""A trace does not say which tables its card has, so the name tells whose it is. The sets share no tag."""
_WORDS: Mapping[str, Callable[[bytes], str]] = {
    "61/4F": application_name, "62/84": application_name,
    **dict.fromkeys(answer_paths("parental_control"), _held_back),
    **dict.fromkeys(answer_paths("parental_rating"), _granted),
}  # fmt: skip
"""What is said of objects that have a meaning in words, "" where the bytes have none."""


def _content(event: TracedExchange) -> str:
    """Return what the file that was read holds, in its human form; empty when it cannot be said."""
    if event.hidden_response or len(event.command) < 2 or event.command[1] not in (INS.READ_BINARY, INS.READ_RECORD):
        return ""
    row = _row_named(event.file)
    if row is None or not row.codec:
        return ""
    if event.data.count(_FILL) == len(event.data):
        return f"{row.name}: empty"
    try:
        return f"{row.name}: {CODECS[row.codec].text(event.data)}{_application_said(row, event.data)}"
    except (CardError, ValueError, IndexError):
        return f"{row.name}: content does not decode"


def _application_said(row: EfRow, record: bytes) -> str:
    """Say which application an entry of EF_DIR names."""
    if row.codec != "application":
        return ""
    aid, _ = CODECS[row.codec].decode(record)
    name = application_name(aid)
    return f" ({name})" if name else ""


def _row_named(name: str) -> EfRow | None:
    return _rows().get(name)


@cache
def _rows() -> Mapping[str, EfRow]:
    rows: dict[str, EfRow] = {}
    for path, row in all_files():
        root = path.partition("/")[0]
        rows.setdefault(f"{'MF' if root == '3F00' else root}/{row.name}", row)
    return rows


def _command_data(event: TracedExchange) -> bytes:
    if event.hidden_command:
        return b""
    try:
        return CommandApdu.decode(event.command).data
    except DecodeError:
        return b""


def _message(data: bytes) -> Iterator[Line]:
    message = find_mikey(data)
    if message is not None:
        for text in mikey_lines(message):
            yield Line(1, text)
