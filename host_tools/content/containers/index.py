"""The index of a recording: content ID, times, protection of the media, and which SEKs with which STKMs it needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from host_tools.content.captures.records import END_OF_TIME
from host_tools.content.protection import PacketFormat
from host_tools.content.registry import Protections, index_of

FORMAT: Final = "bcast-uicc recording 2"
_FORMAT_OF_SRTP = "bcast-uicc recording 1"  # knew one protection, in a field of its name, and at first none at all
_SRTP = "srtp"
_LONGEST_CONTENT_ID = 255


@dataclass(frozen=True, slots=True)
class RecordedSpan:
    """What a recording needs of one key: key domain (3 bytes), MSK ID (4), first and last STKM timestamp."""

    key_domain_id: bytes
    msk_id: bytes
    first_ts: int
    last_ts: int


@dataclass(frozen=True, slots=True)
class RecordingIndex:
    """What a recording holds: content ID, first and last time (seconds since 1970), counts, the keys it needs.

    `protection` is how the media are protected, as far as whoever recorded them said.
    """

    content_id: str
    begins: float
    ends: float
    stkms: int
    packets: int
    spans: tuple[RecordedSpan, ...]
    protection: PacketFormat

    def to_json(self) -> str:
        """Return the text of `index.json`."""
        spans = [
            {
                "key_domain": span.key_domain_id.hex(),
                "msk_id": span.msk_id.hex(),
                "first_ts": span.first_ts,
                "last_ts": span.last_ts,
            }
            for span in self.spans
        ]
        found = {name: getattr(self, name) for name in ("content_id", "begins", "ends", "stkms", "packets")}
        found |= {"protection": index_of(self.protection), "spans": spans}
        return json.dumps({"format": FORMAT, **found}, indent=2)

    @classmethod
    def parse(cls, text: str, protections: Protections) -> RecordingIndex:
        """Read the text of `index.json`, also of an older recording. Raises `ValueError`."""
        data = json.loads(text)
        if not isinstance(data, dict) or data.get("format") not in (FORMAT, _FORMAT_OF_SRTP):
            raise ValueError(f'its format is not "{FORMAT}"')
        try:
            numbers = _time(data["begins"]), _time(data["ends"]), int(data["stkms"]), int(data["packets"])
            spans = tuple(map(_span, data["spans"]))
            return cls(check_content_id(data["content_id"]), *numbers, spans, _protection(data, protections))
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"its index lacks a field or has it in another form: {error}") from None


def check_content_id(value: object) -> str:
    """Return a content ID. Raises `ValueError` for anything but text of 1 to 255 bytes."""
    if not isinstance(value, str) or not 0 < len(value.encode()) <= _LONGEST_CONTENT_ID:
        raise ValueError(f"a content ID has 1 to {_LONGEST_CONTENT_ID} bytes")
    return value


def _time(value: object) -> float:
    """Read seconds since 1970, before the year 10000."""
    found = float(cast("float", value))
    if not 0 <= found < END_OF_TIME:
        raise ValueError(f"{value!r} is no time from 1970 to the year 9999")
    return found


def _protection(data: Mapping[str, Any], protections: Protections) -> PacketFormat:
    """Read how the media are protected; older recordings that do not tell it are of our head-end's layout."""
    if data["format"] == FORMAT:
        return protections.of_index(data["protection"])
    told = data.get(_SRTP)
    usual = protections.usual_of(_SRTP)
    if told is None and usual is not None:
        return usual
    return protections.of_index({**({} if told is None else told), "kind": _SRTP})


def _span(item: dict[str, object]) -> RecordedSpan:
    domain, msk_id = bytes.fromhex(str(item["key_domain"])), bytes.fromhex(str(item["msk_id"]))
    first, last = (int(cast("int", item[name])) for name in ("first_ts", "last_ts"))
    if (len(domain), len(msk_id)) != (3, 4) or not 0 <= first <= last < 1 << 32:
        raise ValueError("a span names no key or no timestamps")
    return RecordedSpan(domain, msk_id, first, last)
