"""Access rules in expanded form, as the records of EF_ARR hold them (TS 102 221 clause 9.2.3, ISO 7816-4 clause 5.4.3).

A rule is a sequence of pairs: access modes (which operations), then the security condition for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum, IntFlag

from card.codec.tlv import Tlv, encode_tlv, iter_tlvs
from card.errors import DecodeError
from card.lean import lean_dataclass


class Operation(IntFlag):
    """Bits of the access mode byte for EFs, with INCREASE and RESIZE in bits of our own above it."""

    READ = 0x01
    UPDATE = 0x02
    DEACTIVATE = 0x08
    ACTIVATE = 0x10
    TERMINATE = 0x20
    DELETE = 0x40
    INCREASE = 0x100


_INS_OF = {0x32: Operation.INCREASE}
_ACCESS_MODE_BYTE = 0x80
_ACCESS_MODE_INS = 0x84  # the operation is named by its instruction byte
_ALWAYS = 0x90
_NEVER = 0x97
_OR = 0xA0
_AND = 0xAF
_KEY_REFERENCE = 0xA4


class Combination(Enum):
    """How the key references of a condition belong together."""

    ANY = "any"
    ALL = "all"


@lean_dataclass(frozen=True, slots=True)
class Condition:
    """A security condition: any or all of some key references. No reference with ANY is never, with ALL always."""

    combination: Combination
    references: tuple[int, ...] = ()

    def satisfied(self, has: Callable[[int], bool]) -> bool:
        """Evaluate with `has(reference)`, which tells whether a PIN or ADM key counts as verified."""
        check = any if self.combination is Combination.ANY else all
        return check(has(reference) for reference in self.references)


ALWAYS = Condition(Combination.ALL)
NEVER = Condition(Combination.ANY)


def needs(*references: int) -> Condition:
    """Return the condition that any one of these key references satisfies."""
    return Condition(Combination.ANY, references)


@lean_dataclass(frozen=True, slots=True)
class AccessRule:
    """Which condition stands before which operations; an operation not named is never allowed."""

    grants: tuple[tuple[Operation, Condition], ...]

    def condition(self, operation: Operation) -> Condition:
        """Return the condition for one operation."""
        return next((condition for modes, condition in self.grants if operation & modes), NEVER)

    def encode(self) -> bytes:
        """Return the content of an EF_ARR record, without padding."""
        return b"".join(
            mode + _encode_condition(condition) for modes, condition in self.grants for mode in _encode_modes(modes)
        )

    @classmethod
    def decode(cls, record: bytes) -> AccessRule:
        """Read an EF_ARR record; FF padding at the end is dropped. Raises `DecodeError`."""
        objects = iter_tlvs(record.rstrip(b"\xff"))
        gathered: dict[Condition, Operation] = {}
        named = Operation(0)
        for modes, condition in _decode_grants(objects):
            # The first condition for an operation holds, so a later one must not move up beside its equal.
            gathered[condition] = gathered.get(condition, Operation(0)) | modes & ~named
            named |= modes
        return cls(tuple((modes, condition) for condition, modes in gathered.items()))


def _encode_modes(modes: Operation) -> list[bytes]:
    """Return the access mode objects, each of which needs a security condition of its own behind it."""
    byte = modes & 0xFF
    coded = [encode_tlv(_ACCESS_MODE_BYTE, bytes((byte,)))] if byte else []
    ins = bytes(ins for ins, operation in _INS_OF.items() if operation & modes)
    return coded + ([encode_tlv(_ACCESS_MODE_INS, ins)] if ins else [])


def _encode_condition(condition: Condition) -> bytes:
    references = [encode_tlv(_KEY_REFERENCE, _reference(ref)) for ref in condition.references]
    if not references:
        return encode_tlv(_ALWAYS if condition.combination is Combination.ALL else _NEVER, b"")
    if len(references) == 1:
        return references[0]
    return encode_tlv(_OR if condition.combination is Combination.ANY else _AND, b"".join(references))


def _reference(reference: int) -> bytes:
    # Usage qualifier 08: user authentication with a PIN (TS 102 221 clause 9.5.2).
    return encode_tlv(0x83, bytes((reference,))) + encode_tlv(0x95, b"\x08")


def _decode_grants(objects: Iterator[Tlv]) -> Iterator[tuple[Operation, Condition]]:
    modes = Operation(0)
    for item in objects:
        if item.tag == _ACCESS_MODE_BYTE and len(item.value) == 1:
            modes |= Operation(item.value[0])
        elif item.tag == _ACCESS_MODE_INS:
            for ins in item.value:
                modes |= _INS_OF.get(ins, Operation(0))
        else:
            yield modes, _decode_condition(item)
            modes = Operation(0)


def _decode_condition(item: Tlv) -> Condition:
    match item.tag:
        case 0x90:
            return ALWAYS
        case 0x97:
            return NEVER
        case 0xA4:
            return needs(_decode_reference(item.value))
        case 0xA0 | 0xAF:
            references = tuple(_decode_reference(part.value) for part in iter_tlvs(item.value))
            return Condition(Combination.ANY if item.tag == _OR else Combination.ALL, references)
    raise DecodeError(f"access rule: security condition tag {item.tag:02X} is not supported")


def _decode_reference(value: bytes) -> int:
    for part in iter_tlvs(value):
        if part.tag == 0x83 and len(part.value) == 1:
            return part.value[0]
    raise DecodeError("access rule: key reference missing")
