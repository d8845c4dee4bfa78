"""Data objects, modes, operations and blocks that do not exist, name nothing, or come without the right to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.oracle.bcast_wire import Wire
from tests.support.bcast import KEY_DOMAIN, OTHER_DOMAIN
from tests.support.testcard import tlv
from tests.vectors.bcast_negative.contents import NEXT_LTKM, NEXT_STKM, PLAIN_LTKM, PLAIN_STKM
from tests.vectors.bcast_negative.messages import Site, four
from tests.vectors.bcast_negative.states import CONTENT, FREE, recording
from tests.vectors.bcast_negative.vector import (
    CONDITIONS,
    MALFORMED,
    MALFORMED_OBJECT,
    MODES,
    NO_PLACE,
    OMA_BCAST,
    UNKNOWN,
    UNUSABLE,
    WRONG_P1_P2,
    Vector,
    answer_of,
    mode,
)

WRONG_LENGTH, TOO_LONG, NO_INSTRUCTION, NO_CLASS = "6700", "6A84", "6D00", "6E00"
_GROUP_TAGS, _TEMPLATE = ("key domain", "key group", "key number"), 0xAE
_UNKNOWN_CONTENT = {"terminal": bytes(17), "content": b"x"}
_FREE_KEY = dict(zip(_GROUP_TAGS, FREE, strict=True))
_FREE_GROUP = dict(zip(_GROUP_TAGS[:2], FREE[:2], strict=True))
_UNKNOWN_GROUP = {"key domain": OTHER_DOMAIN, "key group": b"\0\1"}


def fields(wire: Wire, values: Mapping[str, bytes]) -> bytes:
    """Return data objects by their names."""
    return b"".join(tlv(wire.audit[name], value) for name, value in values.items())


def deletion(wire: Wire, name: str, content: bytes) -> bytes:
    """Return the data object that deletes policies or a recording."""
    return tlv(0x73, tlv(_TEMPLATE, tlv(wire.audit["mode"], bytes((wire.modes[name],))) + content))


# --- data objects of AUTHENTICATE


def objects(site: Site) -> Iterator[Vector]:
    """Data objects 53 and 73 in a stocked card."""
    raw = site.stkm(NEXT_STKM).build()
    for number in (0, 5, 6, 0x7F, 0xFF):
        yield Vector(f"mode {number}", ("Mode",), tlv(0x53, bytes((number,)) + raw), MALFORMED_OBJECT)
    for name, number in MODES.items():
        yield Vector(f"{name} of no bytes", ("Mode",), tlv(0x53, bytes((number,))), UNUSABLE)
    yield Vector("an empty object", ("Mode",), tlv(0x53, b""), MALFORMED_OBJECT)
    for body in (b"", bytes(4), bytes(6)):
        yield Vector(f"MSK deletion with {len(body)} bytes", ("Mode",), tlv(0x53, b"\x03" + body), MALFORMED_OBJECT)
    yield Vector("MSK deletion of an unknown group", ("Mode",), tlv(0x53, b"\x03" + bytes(5)), UNKNOWN)
    yield from deletions(site.wire)


def deletions(wire: Wire) -> Iterator[Vector]:
    """Orders to delete policies or a recording."""
    tag, group = wire.audit["mode"], fields(wire, _FREE_GROUP)
    number = tlv(wire.audit["key number"], b"\0\1")
    for content in (
        b"", tlv(0xAF, b""), tlv(_TEMPLATE, b""), tlv(_TEMPLATE, tlv(tag, b"")), tlv(_TEMPLATE, tlv(tag, b"\x09")),
    ):  # fmt: skip
        yield Vector(f"object 73 {content.hex()}", ("Deletion",), tlv(0x73, content), MALFORMED_OBJECT)
    for found in (
        fields(wire, {"key domain": KEY_DOMAIN}),
        group + number,
        group + fields(wire, {"spe": b"\4"}),
        group + number + fields(wire, {"validity": bytes(7), "spe": b"\4"}),
        group + fields(wire, {"content": b"x"}),
        group + group,
    ):
        text, body = f"SPE deletion with {found.hex()}", deletion(wire, "delete policies", found)
        yield Vector(text, ("Deletion",), body, MALFORMED_OBJECT)
    body = deletion(wire, "delete policies", fields(wire, _UNKNOWN_GROUP))
    yield Vector("SPE deletion of an unknown group", ("Deletion",), body, UNKNOWN)
    body = deletion(wire, "delete recording", fields(wire, _UNKNOWN_CONTENT))
    yield Vector("deletion of an unknown recording", ("Deletion",), body, UNKNOWN)


def needed_by_recordings(site: Site) -> Iterator[Vector]:
    """Deletion of policies that a recording needs, and one recording more than the card takes."""
    wire, expected = site.wire, answer_of("recorded", site.wire)
    spe = bytes((wire.rules.numbers["live_free"],))
    one = fields(wire, {**_FREE_KEY, "validity": four(10) + four(1000), "spe": spe})
    for content, name in ((fields(wire, _FREE_GROUP), "all policies of the group"), (one, "the policy itself")):
        body = deletion(wire, "delete policies", content)
        yield Vector(f"deletion of {name}, which a recording needs", ("Recorded",), body, *expected)
    step = recording(site, 4)
    yield Vector("a recording too many", ("Room",), step.data, NO_PLACE, ins=step.ins, p2=step.p2)
    other = {"terminal": CONTENT[0], "content": CONTENT[1] + b"\x04"}
    body = deletion(wire, "delete recording", fields(wire, other))
    yield Vector("deletion of a recording that was not signalled", ("Deletion",), body, UNKNOWN)


# --- the OMA BCAST command


def operations(site: Site) -> Iterator[Vector]:
    """The OMA BCAST command with objects that do not fit, keys that are not there, modes that do not exist."""
    wire = site.wire
    audit, record, recordings, event = (wire.modes[name] for name in ("audit", "record", "recordings", "event"))
    group, unknown, content = (fields(wire, named) for named in (_FREE_GROUP, _UNKNOWN_GROUP, _UNKNOWN_CONTENT))
    number = tlv(wire.audit["key number"], b"\0\1")
    for selected, found, sw in (
        (audit, group[:-4], MALFORMED),
        (audit, unknown, UNKNOWN),
        (audit, content, MALFORMED),
        (record, b"", MALFORMED),
        (record, content + group + number + fields(wire, {"interval": four(9) + four(8)}), MALFORMED),
        (record, content + group + number + fields(wire, {"interval": four(1001) + four(1002)}), UNKNOWN),
        (record, content + unknown + number + fields(wire, {"interval": four(8) + four(9)}), UNKNOWN),
        (recordings, b"", UNKNOWN),
        (recordings, group, MALFORMED),
        (event, fields(wire, {"key domain": KEY_DOMAIN}), MALFORMED),
        *((mode_, b"", WRONG_P1_P2) for mode_ in (0, 5, 0xFF)),
    ):
        text = f"OMA BCAST command, mode {selected}, objects {found.hex() or 'none'}"
        yield Vector(text, ("Operation",), tlv(0x73, found), sw, ins=OMA_BCAST, p2=selected)


# --- blocks


def blocks(site: Site) -> Iterator[Vector]:
    """Single commands that fit no transfer of a data object, on a card that has none under way."""
    audit = site.wire.modes["audit"]
    for text, raw, sw in (
        ("a next block without a first one", "0089008504 53020100", WRONG_P1_P2),
        ("retrieval when nothing waits", "0089A0850000", WRONG_LENGTH),
        ("retrieval when nothing waits, Le 0", "0089A08500", CONDITIONS),
        ("retrieval of a next block when nothing waits", "0089208500", CONDITIONS),
        ("a first block without data", "00898085", WRONG_LENGTH),
        ("P1 that is no step", "0089408503530100", WRONG_P1_P2),
        ("P2 that is no context", "0089808403530102", WRONG_P1_P2),
        ("P2 of the local reference data", "0089800503530102", WRONG_P1_P2),
        ("the even instruction with the MBMS context", "0088008503530102", WRONG_P1_P2),
        ("another class", "8089808503530102", NO_CLASS),
        ("an object longer than the card's buffer", "008980850653837FFFFF02", TOO_LONG),
        ("a length in four bytes", "0089808506538400000102", MALFORMED_OBJECT),
        ("a length of no known form", "008980850753850000000102", MALFORMED_OBJECT),
        ("bytes behind the object", "00898085055301020000", MALFORMED_OBJECT),
        ("an object of another tag", "0089808503540102", MALFORMED_OBJECT),
        ("OMA BCAST command with an object 53", f"001B80{audit:02X}03530102", MALFORMED),
        ("OMA BCAST command, retrieval with data", f"001BA0{audit:02X}03730100", WRONG_LENGTH),
        ("OMA BCAST command, retrieval when nothing waits", f"001BA0{audit:02X}00", CONDITIONS),
        ("OMA BCAST command, P1 that is no step", f"001B40{audit:02X}027300", WRONG_P1_P2),
    ):
        yield Vector(text, ("Block",), bytes.fromhex(raw), sw, apdu=True)


# --- without the right to it


def anything(site: Site, flag: str, sw: str) -> Iterator[Vector]:
    """One command of every kind, all refused alike."""
    yield from mbms_commands(site, flag, sw)
    yield from commands(site, flag, sw)


def mbms_commands(site: Site, flag: str, sw: str) -> Iterator[Vector]:
    """Key messages and deletions, with policy and without."""
    for m, n in ((NEXT_LTKM, NEXT_STKM), (PLAIN_LTKM, PLAIN_STKM)):
        form = "with policy" if m.policy else "plain"
        yield Vector(f"LTKM, {form}", (flag,), mode("LTKM", site.ltkm(m).build()), sw)
        yield Vector(f"STKM, {form}", (flag,), mode("STKM", site.stkm(n).build()), sw)
    yield Vector("MSK deletion", (flag,), tlv(0x53, b"\x03" + FREE[0] + FREE[1]), sw)
    body = deletion(site.wire, "delete policies", fields(site.wire, _FREE_GROUP))
    yield Vector("SPE deletion", (flag,), body, sw)


def commands(site: Site, flag: str, sw: str) -> Iterator[Vector]:
    """The OMA BCAST command in every mode."""
    for name in ("audit", "record", "recordings", "event"):
        step = recording(site, 1)
        data = step.data if name == "record" else tlv(0x73, b"")
        text = f"OMA BCAST command: {name}"
        yield Vector(text, (flag,), data, sw, ins=OMA_BCAST, p2=site.wire.modes[name])
