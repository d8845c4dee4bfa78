"""What the card tells about its keys, policies, purses and recordings: the OMA BCAST command (INS 1B).

Deletion rides on AUTHENTICATE, as terminals in the field do it. Tags and modes are those of a set of tables, and
provisional.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from card.codec.reader import Reader
from card.codec.tlv import decode_tlvs, encode_tlv, iter_tlvs, read_tlv
from card.errors import DecodeError
from card.spec.bcast.tables import BcastTables, Reason
from card.spec.status import SW
from host_tools.apdu.response import StatusError
from host_tools.content.containers.index import RecordedSpan
from host_tools.terminal.bcast import reason_of
from host_tools.terminal.card_application import CardApplication
from host_tools.terminal.errors import answer_to

_TEMPLATE = 0xAE
_QUANTITY_WORDS: Mapping[str, str] = {
    "cost": "cost",
    "user_purse": "user purse",
    "live_ppt": "live PPT purse",
    "playback_ppt": "play-back PPT purse",
    "service_purse": "service purse",
    "playback_counter": "play-back counter",
    "tek_counter": "TEK counter",
    "kept_tek_counter": "kept TEK counter",
}
_TERMINAL_ID_SIZE = 17
_LONGEST_CONTENT_ID = 255


def quantity_words(name: str) -> str:
    """Return what a quantity is called by people."""
    return _QUANTITY_WORDS.get(name, name)


@dataclass(frozen=True, slots=True)
class Quantities:
    """What a policy costs and is paid from, each up to 2^32 - 1; None: the card names none."""

    cost: int | None = None
    user_purse: int | None = None
    live_ppt: int | None = None
    playback_ppt: int | None = None
    service_purse: int | None = None
    playback_counter: int | None = None
    tek_counter: int | None = None
    kept_tek_counter: int | None = None

    def items(self) -> Iterator[tuple[str, int]]:
        """Yield name and value of those that are there."""
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None:
                yield field.name, value


@dataclass(frozen=True, slots=True)
class KeyGroup:
    """A key group: key domain (3 bytes) and group (2), and its purses."""

    key_domain_id: bytes
    key_group: bytes
    quantities: Quantities


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy of one key: MSK ID (4 bytes), STKM timestamps it is valid for, properties by name, SPE, quantities."""

    key_domain_id: bytes
    msk_id: bytes
    first_ts: int
    last_ts: int
    properties: frozenset[str]
    spe: int
    quantities: Quantities

    @property
    def name(self) -> tuple[bytes, bytes, int, int, int]:
        """What tells it from every other policy."""
        return self.key_domain_id, self.msk_id, self.spe, self.first_ts, self.last_ts


@dataclass(frozen=True, slots=True)
class Content:
    """A recording the card knows of: terminal (type byte and 16 bytes), content, the policies it needs."""

    terminal_id: bytes
    content_id: bytes
    policies: tuple[Policy, ...]


class Auditor:
    """The OMA BCAST command of one application. Raises `StatusError`, `MalformedAnswerError`, `LinkError`."""

    def __init__(self, application: CardApplication) -> None:
        self._application = application
        self._tables = application.tables
        self._tags = application.tables.audit_tags

    def key_groups(self) -> tuple[KeyGroup, ...]:
        """Return all key groups with their purses; none on a card that holds no key."""
        what = "audit of keys"
        answer = self._ask("spe_audit", b"", what)
        with answer_to(what):
            return tuple(
                _key_group(value, self._tags) for value in _described(answer, self._tags["key_group_description"])
            )

    def policies(self, key_domain_id: bytes, key_group: bytes) -> tuple[Policy, ...]:
        """Return the policies of a key group (key domain 3 bytes, group 2), none for an unknown one."""
        what = "audit of policies"
        query = self._object("key_domain", key_domain_id) + self._object("key_group", key_group)
        answer = self._ask("spe_audit", query, what)
        with answer_to(what):
            return self._policies(answer)

    def recordings(self) -> tuple[Content, ...]:
        """Return what recordings the card was told of."""
        what = "audit of recordings"
        answer = self._ask("recording_audit", b"", what)
        with answer_to(what):
            found = _described(answer, self._tags["content_description"])
            return tuple(self._content(value) for value in found)

    def signal_recording(self, terminal_id: bytes, content_id: bytes, span: RecordedSpan) -> tuple[Policy, ...]:
        """Tell the card that content was recorded that needs a key; return the policies it flags for that.

        `terminal_id` has 17 bytes, type first; `content_id` up to 255. Raises `StatusError` (6A88: no such key).
        """
        what = "recording signalling"
        query = self._recording(terminal_id, content_id)
        query += self._object("key_domain", span.key_domain_id) + self._object("key_group", span.msk_id[:2])
        query += self._object("key_number", span.msk_id[2:])
        query += self._object("interval", span.first_ts.to_bytes(4, "big") + span.last_ts.to_bytes(4, "big"))
        answer = self._application.oma_bcast(self._tables.modes["recording_signalling"], query, what)
        with answer_to(what):
            return self._policies(answer)

    def signal_event(self, key_domain_id: bytes, key_group: bytes) -> None:
        """Tell the card that a service was left: a parental PIN given for it counts no longer."""
        query = self._object("key_domain", key_domain_id) + self._object("key_group", key_group)
        self._application.oma_bcast(self._tables.modes["event_signalling"], query, "event signalling")

    def delete_policies(self, policy: Policy) -> Reason | None:
        """Delete one policy; return the card's verdict, `Reason.DONE` when it is gone."""
        bounds = policy.first_ts.to_bytes(4, "big") + policy.last_ts.to_bytes(4, "big")
        query = self._object("key_domain", policy.key_domain_id) + self._object("key_group", policy.msk_id[:2])
        query += self._object("key_number", policy.msk_id[2:]) + self._object("validity", bounds)
        query += self._object("spe", bytes((policy.spe,)))
        return self._delete("spe_deletion", query)

    def delete_recording(self, terminal_id: bytes, content_id: bytes) -> Reason | None:
        """Tell the card that a recording is gone; return its verdict."""
        return self._delete("recording_deletion", self._recording(terminal_id, content_id))

    def _delete(self, mode: str, query: bytes) -> Reason | None:
        what = mode.replace("_", " ")
        template = self._object("mode", bytes((self._tables.modes[mode],))) + query
        answer = self._application.bcast_deletion(encode_tlv(_TEMPLATE, template), what)
        with answer_to(what):
            inner = read_tlv(Reader(answer))
            status = next((item.value for item in iter_tlvs(inner.value) if item.tag == self._tags["status"]), b"")
            if inner.tag != _TEMPLATE or len(status) != 1:
                raise DecodeError("a template AE with a status is wanted")
        return reason_of(status[0], self._tables)

    def _ask(self, mode: str, query: bytes, what: str) -> bytes:
        """Run an operation; a card that has nothing to tell (6A88) gives nothing."""
        try:
            return self._application.oma_bcast(self._tables.modes[mode], query, what)
        except StatusError as error:
            if error.sw == SW.REFERENCED_DATA_NOT_FOUND:
                return b""
            raise

    def _object(self, name: str, value: bytes) -> bytes:
        return encode_tlv(self._tags[name], value)

    def _recording(self, terminal_id: bytes, content_id: bytes) -> bytes:
        if len(terminal_id) != _TERMINAL_ID_SIZE or not 0 < len(content_id) <= _LONGEST_CONTENT_ID:
            raise ValueError("a terminal ID has 17 bytes and a content ID 1 to 255")
        return self._object("terminal_id", terminal_id) + self._object("content_id", content_id)

    def _policies(self, answer: bytes) -> tuple[Policy, ...]:
        return tuple(_policy(value, self._tables) for value in _described(answer, self._tags["spe_description"]))

    def _content(self, value: bytes) -> Content:
        found = {item.tag: item.value for item in iter_tlvs(value)}
        names = _take(found, self._tags["terminal_id"], _TERMINAL_ID_SIZE), found.get(self._tags["content_id"], b"")
        return Content(*names, self._policies(value))


def _described(answer: bytes, tag: int) -> Iterator[bytes]:
    return (item.value for item in iter_tlvs(answer) if item.tag == tag)


def _key_group(value: bytes, tags: Mapping[str, int]) -> KeyGroup:
    found = decode_tlvs(value)
    return KeyGroup(_take(found, tags["key_domain"], 3), _take(found, tags["key_group"], 2), _quantities(found, tags))


def _policy(value: bytes, tables: BcastTables) -> Policy:
    found, tags = decode_tlvs(value), tables.audit_tags
    bounds, flags = _take(found, tags["validity"], 8), _take(found, tags["properties"], 1)[0]
    return Policy(
        key_domain_id=_take(found, tags["key_domain"], 3),
        msk_id=_take(found, tags["key_group"], 2) + _take(found, tags["key_number"], 2),
        first_ts=int.from_bytes(bounds[:4], "big"),
        last_ts=int.from_bytes(bounds[4:], "big"),
        properties=frozenset(name for name, mask in tables.properties.items() if flags & mask),
        spe=_take(found, tags["spe"], 1)[0],
        quantities=_quantities(found, tags),
    )


def _quantities(found: Mapping[int, bytes], tags: Mapping[str, int]) -> Quantities:
    names = [field.name for field in fields(Quantities) if tags.get(field.name) in found]
    return Quantities(**{name: int.from_bytes(_take(found, tags[name], 4), "big") for name in names})


def _take(found: Mapping[int, bytes], tag: int, size: int) -> bytes:
    value = found.get(tag, b"")
    if len(value) != size:
        raise DecodeError(f"object {tag:02X} has {len(value)} bytes, not {size}")
    return value
