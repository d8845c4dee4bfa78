"""What stands in the OMA BCAST extension (MIKEY extension type 5, RFC 5410): subtype and management data.

The subtypes are RFC 5410; what is inside follows the layouts of a set of tables and is provisional.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any, Self

from card.codec.bcast.layout import Descriptor, Values, decode_fields, encode_fields, flagged
from card.codec.mikey import Extension, ExtensionType, MikeyMessage
from card.errors import DecodeError
from card.lean import lean_dataclass
from card.spec.bcast.tables import COST, BcastTables, FieldRow

_RATING_SIZE = 2


class Subtype(IntEnum):
    """First byte of the OMA BCAST extension (RFC 5410)."""

    LTKM_MANAGEMENT = 1
    STKM_MANAGEMENT = 2
    LTKM_REPORTING = 3
    PARENTAL_CONTROL = 4


def bcast_extension(message: MikeyMessage) -> tuple[int, bytes] | None:
    """Return subtype and data of the OMA BCAST extension, or None. Raises `DecodeError` for two or an empty one."""
    return only_extension([item.data for item in message.all(Extension) if item.type == ExtensionType.OMA_BCAST])


def only_extension(found: Sequence[bytes]) -> tuple[int, bytes] | None:
    """Return subtype and data of the only OMA BCAST extension among those found, or None. Raises `DecodeError`."""
    if not found:
        return None
    if len(found) > 1 or not found[0]:
        raise DecodeError("MIKEY message: one OMA BCAST extension with a subtype is wanted")
    return found[0][0], found[0][1:]


@lean_dataclass(frozen=True, slots=True)
class LtkmManagement:
    """LTKM_management_data (subtype 1).

    `spe` is the security policy extension, None when security_policy_ext_flag is clear; the values from `cost` to
    `counter` have a meaning with it only. `tokens` go to a purse and `counter` to the record's counter; None: not in
    the message. Of an SPE that the tables do not support nothing after its value can be read.
    """

    spe: int | None = None
    cost: int = 0
    tokens: int | None = None
    counter: int | None = None
    add: bool = False
    keep_credit: bool = False
    consumption_reporting: bool = False
    access_criteria: tuple[Descriptor, ...] | None = None
    terminal_binding_key_id: int | None = None
    protocol_version: int = 0

    @classmethod
    def decode(cls, data: bytes, tables: BcastTables) -> Self:
        """Read the data behind the subtype byte. Raises `DecodeError`."""
        try:
            found: Values = decode_fields(tables.ltkm, data, _LtkmPresence(tables))
        except _UnsupportedSpe as error:
            return cls(spe=error.value)
        get = found.get
        return cls(
            spe=get("security_policy_extension"),
            cost=get("cost_value", 0),
            tokens=get("number_of_tokens"),
            counter=get("counter_value"),
            add=bool(get("add_flag")),
            keep_credit=bool(get("keep_credit_flag")),
            consumption_reporting=bool(get("consumption_reporting_flag")),
            access_criteria=get("access_criteria"),
            terminal_binding_key_id=get("terminal_binding_key_id"),
            protocol_version=get("protocol_version", 0),
        )

    def encode(self, tables: BcastTables) -> bytes:
        """Return the data behind the subtype byte. Raises `EncodeError` for a value the layout has no room for."""
        values: dict[str, Any] = {
            "protocol_version": self.protocol_version,
            "security_policy_ext_flag": int(self.spe is not None),
            "consumption_reporting_flag": int(self.consumption_reporting),
            "access_criteria_flag": int(self.access_criteria is not None),
            "terminal_binding_flag": int(self.terminal_binding_key_id is not None),
            "security_policy_extension": self.spe,
            "purse_flag": int(self.tokens is not None),
            "add_flag": int(self.add),
            "keep_credit_flag": int(self.keep_credit),
            "counter_flag": int(self.counter is not None),
            "cost_value": self.cost,
            "number_of_tokens": self.tokens,
            "counter_value": self.counter,
            "access_criteria": self.access_criteria,
            "terminal_binding_key_id": self.terminal_binding_key_id,
        }
        return encode_fields(tables.ltkm, values, _LtkmPresence(tables, lenient=True))

    def to_extension(self, tables: BcastTables) -> Extension:
        """Return the extension payload that carries this."""
        return Extension.of_bcast(Subtype.LTKM_MANAGEMENT, self.encode(tables))


class _UnsupportedSpe(Exception):
    """The layout behind this SPE value is not known."""

    def __init__(self, value: int) -> None:
        super().__init__(value)
        self.value = value


class _LtkmPresence:
    """Presence in an LTKM: beside the flags, a cost is there when the SPE is paid from a purse."""

    def __init__(self, tables: BcastTables, *, lenient: bool = False) -> None:
        self._tables = tables
        self._lenient = lenient

    def __call__(self, row: FieldRow, found: Values) -> bool:
        spe = found.get("security_policy_extension")
        if spe is None:
            return row.when != COST and flagged(row, found)
        supported = self._tables.find_spe(spe)
        if supported is None and not self._lenient:
            raise _UnsupportedSpe(spe)
        if row.when == COST:
            return supported is not None and supported.source.is_purse
        return flagged(row, found)


@lean_dataclass(frozen=True, slots=True)
class StkmManagement:
    """STKM_management_data (subtype 2). `permissions_issuer_uri` goes with `terminal_binding_key_id`."""

    protection_after_reception: int = 0
    traffic_protection_protocol: int = 0
    traffic_authentication: bool = False
    traffic_key_lifetime: int = 0
    access_criteria: tuple[Descriptor, ...] | None = None
    terminal_binding_key_id: int | None = None
    permissions_issuer_uri: bytes = b""
    protocol_version: int = 0

    @classmethod
    def decode(cls, data: bytes, tables: BcastTables) -> Self:
        """Read the data behind the subtype byte. Raises `DecodeError`."""
        get = decode_fields(tables.stkm, data).get
        return cls(
            get("protection_after_reception", 0),
            get("traffic_protection_protocol", 0),
            bool(get("traffic_authentication_flag")),
            get("traffic_key_lifetime", 0),
            get("access_criteria"),
            get("terminal_binding_key_id"),
            get("permissions_issuer_uri", b""),
            get("protocol_version", 0),
        )

    def encode(self, tables: BcastTables) -> bytes:
        """Return the data behind the subtype byte. Raises `EncodeError` for a value the layout has no room for."""
        values: dict[str, Any] = {
            "protocol_version": self.protocol_version,
            "protection_after_reception": self.protection_after_reception,
            "terminal_binding_flag": int(self.terminal_binding_key_id is not None),
            "access_criteria_flag": int(self.access_criteria is not None),
            "traffic_protection_protocol": self.traffic_protection_protocol,
            "traffic_authentication_flag": int(self.traffic_authentication),
            "traffic_key_lifetime": self.traffic_key_lifetime,
            "access_criteria": self.access_criteria,
            "terminal_binding_key_id": self.terminal_binding_key_id,
            "permissions_issuer_uri": self.permissions_issuer_uri,
        }
        return encode_fields(tables.stkm, values)

    def to_extension(self, tables: BcastTables) -> Extension:
        """Return the extension payload that carries this."""
        return Extension.of_bcast(Subtype.STKM_MANAGEMENT, self.encode(tables))


@lean_dataclass(frozen=True, slots=True)
class ParentalControl:
    """A parental control message (subtype 4): `level` is rating type and level granted.

    With `has_pincode` the KEMAC of the message holds the PINCODE; `unblock` gives the PIN all its tries again.
    """

    has_pincode: bool = False
    level: tuple[int, int] | None = None
    unblock: bool = False

    @classmethod
    def decode(cls, data: bytes, tables: BcastTables) -> Self:
        """Read the data behind the subtype byte. Raises `DecodeError`."""
        found = decode_fields(tables.parental, data)
        level = (found["rating_type"], found["level_granted"]) if found.get("level_flag") else None
        return cls(bool(found.get("pincode_flag")), level, bool(found.get("unblock_flag")))

    def encode(self, tables: BcastTables) -> bytes:
        """Return the data behind the subtype byte."""
        kind, granted = self.level or (0, 0)
        values = {
            "pincode_flag": int(self.has_pincode),
            "level_flag": int(self.level is not None),
            "unblock_flag": int(self.unblock),
            "rating_type": kind,
            "level_granted": granted,
        }
        return encode_fields(tables.parental, values)

    def to_extension(self, tables: BcastTables) -> Extension:
        """Return the extension payload that carries this."""
        return Extension.of_bcast(Subtype.PARENTAL_CONTROL, self.encode(tables))


@lean_dataclass(frozen=True, slots=True)
class Rating:
    """A parental rating: type and value, one byte each."""

    type: int
    value: int

    def to_descriptor(self, tables: BcastTables) -> Descriptor:
        """Return the access criterion that carries it."""
        return Descriptor(tables.descriptors["parental_rating"], bytes((self.type, self.value)))


def ratings_of(criteria: tuple[Descriptor, ...] | None, tables: BcastTables) -> tuple[Rating, ...]:
    """Return the parental ratings among access criteria. Raises `DecodeError` for one of another size."""
    if not criteria:
        return ()
    wanted = tables.descriptors["parental_rating"]
    found = [item.data for item in criteria if item.tag == wanted]
    if any(len(data) != _RATING_SIZE for data in found):
        raise DecodeError("parental rating: type and value, one byte each, are wanted")
    return tuple(Rating(data[0], data[1]) for data in found)
