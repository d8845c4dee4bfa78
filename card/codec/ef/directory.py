"""Entries of EF_DIR: an application template each (TS 102 221 clause 13.1; ISO/IEC 7816-4, application identification).

In human form an entry is the AID and a text: the label, then `; NAME VALUE` for each further object.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from card.codec.reader import Reader
from card.codec.tlv import Tlv, encode_tlv, encode_tlvs, iter_tlvs, read_tlv
from card.errors import DecodeError, EncodeError

_TEMPLATE, _AID, _LABEL = 0x61, 0x4F, 0x50
_TEXTS: Mapping[int, str] = {_LABEL: "label", 0x5F50: "URL"}
_BYTES: Mapping[int, str] = {_AID: "AID", 0x51: "path", 0x52: "command", 0x53: "data", 0x73: "template"}
_TAGS = {name: tag for names in (_TEXTS, _BYTES) for tag, name in names.items()}
_FURTHER = re.compile(rf"; ({'|'.join(_TAGS)}|tag (?:[0-9A-F]{{2}}){{1,2}}) ")


def encode_application(entry: tuple[bytes, str]) -> bytes:
    """Return the entry of an application, given its AID (5 to 16 bytes) and the text.

    The label is ASCII, and left out when empty. `label` and `URL` have text as value; `path`, `command`, `data`,
    `template` and `tag XX` (any tag of one or two bytes) have hex. Raises `EncodeError`.
    """
    aid, text = entry
    label, *further = _FURTHER.split(text)
    objects = [Tlv(_AID, aid)]
    if label:
        objects.append(_encode_object("label", label))
    objects += [_encode_object(name, value) for name, value in zip(further[::2], further[1::2], strict=True)]
    return encode_tlv(_TEMPLATE, encode_tlvs(objects))


def decode_application(record: bytes) -> tuple[bytes, str]:
    """Return AID (empty where there is none) and text of an entry; padding may follow it. Raises `DecodeError`."""
    template = read_tlv(Reader(record))
    if template.tag != _TEMPLATE:
        raise DecodeError("EF_DIR: an application template 61 is wanted")
    objects = list(iter_tlvs(template.value))
    aid = next((item for item in objects if item.tag == _AID), None)
    label = next((item for item in objects if item.tag == _LABEL and _has_text(item)), None)
    further = (_describe(item) for item in objects if item is not aid and item is not label)
    text = label.value.decode("ascii") if label else ""
    return aid.value if aid else b"", text + "".join(f"; {part}" for part in further)


def _encode_object(name: str, value: str) -> Tlv:
    try:
        if name in _TEXTS.values():
            return Tlv(_TAGS[name], value.encode("ascii"))
        tag = _TAGS[name] if name in _TAGS else int(name.removeprefix("tag "), 16)
        return Tlv(tag, bytes.fromhex(value))
    except ValueError:
        raise EncodeError(f"EF_DIR: the value of {name} is wrong") from None


def _describe(item: Tlv) -> str:
    if item.tag in _TEXTS and _has_text(item):
        return f"{_TEXTS[item.tag]} {item.value.decode('ascii')}"
    return f"{_BYTES.get(item.tag, f'tag {item.tag:02X}')} {item.value.hex().upper()}"


def _has_text(item: Tlv) -> bool:
    """Tell whether the value can be shown as text: printable ASCII that does not look like a further object."""
    printable = all(0x20 <= byte < 0x7F for byte in item.value)
    return printable and _FURTHER.search(item.value.decode("ascii")) is None
