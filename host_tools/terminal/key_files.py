"""What a terminal reads of the card's key files: EF_GBABP, EF_GBANL, EF_MUK and EF_MSK (TS 31.102 clause 4.2).

The files say which keys are there, never a key. What does not follow its layout counts as nothing there: the terminal
then has nothing to compare, and the card has the last word.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from card.codec.mikey.key_ids import MbmsKeyIds
from card.codec.reader import Reader
from card.codec.tlv import read_tlv
from card.errors import DecodeError
from card.spec.files.fids import fid_of
from host_tools.exchange.messages.fields import to_date_time

EF_GBABP = fid_of("ADF.USIM", "EF_GBABP")
EF_MSK = fid_of("ADF.USIM", "EF_MSK")
EF_MUK = fid_of("ADF.USIM", "EF_MUK")
EF_GBANL = fid_of("ADF.USIM", "EF_GBANL")

_FREE = 0xFF
_RAND_SIZE = 16
_MUK_ID, _IDR, _IDI, _COUNTER = 0xA0, 0x80, 0x82, 0x81
_NAF_ID, _B_TID = 0x80, 0x81
_COUNTER_SIZE = 4
_DOMAIN_SIZE, _PAIR_SIZE = 3, 8  # of an EF_MSK record
_MOST_KEYS = 2  # of one key group (TS 33.246 clause 6.5.3)
_PUSHED = ("naf", "undefined")  # the realm of a Ks that came by GBA push (TS 33.223 clauses 5.1.4, 5.2.2)


@dataclass(frozen=True, slots=True)
class Bootstrapping:
    """EF_GBABP: RAND (16 bytes) of the Ks in the card, its B-TID and lifetime as text; "" when not written yet."""

    rand: bytes
    b_tid: str
    lifetime: str

    @property
    def expires(self) -> datetime | None:
        """When the Ks ends; None where the card says nothing a terminal can read."""
        try:
            return to_date_time(self.lifetime)
        except DecodeError:
            return None

    def has_ended(self, now: datetime) -> bool:
        """Tell whether the lifetime is over at `now`, an aware time. A lifetime that cannot be read is not."""
        expires = self.expires
        return expires is not None and now >= expires

    @property
    def is_pushed(self) -> bool:
        """True for the Ks of a GBA push: it serves the NAF of the push and nothing else (TS 33.223 clause 4.2.2)."""
        return self.b_tid.rpartition("@")[2] in _PUSHED


@dataclass(frozen=True, slots=True)
class MukEntry:
    """A record of EF_MUK: IDi (FQDN of the BM-SC), IDr (B-TID), T of the last MSK message under this MUK."""

    id_i: bytes
    id_r: bytes
    counter: int


@dataclass(frozen=True, slots=True)
class MskEntry:
    """An MSK in EF_MSK: key domain (3 bytes), MSK ID (4), T of the last MTK message under it."""

    key_domain_id: bytes
    msk_id: bytes
    counter: int


@dataclass(frozen=True, slots=True)
class NafEntry:
    """A record of EF_GBANL: NAF_ID and the B-TID it was derived under."""

    naf_id: bytes
    b_tid: bytes


def decode_gbabp(content: bytes) -> Bootstrapping | None:
    """Read EF_GBABP (clause 4.2.79); None where there is no Ks, which FF throughout says."""
    reader = Reader(content)
    try:
        rand = reader.lv("RAND")
        if len(rand) != _RAND_SIZE or set(rand) == {_FREE}:
            return None
    except DecodeError:
        return None
    return Bootstrapping(rand, _text(reader), _text(reader))


def decode_muk(record: bytes) -> MukEntry | None:
    """Read a record of EF_MUK (clause 4.2.81); None for a free one."""
    try:
        found = _objects(record, _MUK_ID, _COUNTER)
        identity = _objects(found[_MUK_ID], _IDR, _IDI)
    except DecodeError:
        return None
    if len(found[_COUNTER]) != _COUNTER_SIZE:
        return None
    return MukEntry(identity[_IDI], identity[_IDR], int.from_bytes(found[_COUNTER], "big"))


def decode_msks(record: bytes) -> Iterator[MskEntry]:
    """Yield the MSKs of a record of EF_MSK (clause 4.2.80); none for a free one, which is FF throughout.

    A count above 2 is no count.
    """
    domain, pairs = record[:_DOMAIN_SIZE], record[_DOMAIN_SIZE + 1 :]
    count = record[_DOMAIN_SIZE] if len(record) > _DOMAIN_SIZE else 0
    if count > _MOST_KEYS:
        return
    for start in range(0, min(count * _PAIR_SIZE, len(pairs) - _PAIR_SIZE + 1), _PAIR_SIZE):
        msk_id, counter = pairs[start : start + 4], pairs[start + 4 : start + _PAIR_SIZE]
        yield MskEntry(domain, msk_id, int.from_bytes(counter, "big"))


def decode_naf(record: bytes) -> NafEntry | None:
    """Read a record of EF_GBANL (clause 4.2.83); None for a free one."""
    try:
        found = _objects(record, _NAF_ID, _B_TID)
    except DecodeError:
        return None
    return NafEntry(found[_NAF_ID], found[_B_TID])


def msk_key(ids: MbmsKeyIds) -> bytes:
    """Return the name of an MSK, 7 bytes: key domain and MSK ID."""
    return ids.key_domain_id + ids.msk_id


def _objects(data: bytes, *tags: int) -> dict[int, bytes]:
    """Return the data objects of these tags, which come first. Raises `DecodeError` where one is missing."""
    reader = Reader(data)
    found: dict[int, bytes] = {}
    while reader.remaining and len(found) < len(tags):
        item = read_tlv(reader)
        found[item.tag] = item.value
    if set(found) != set(tags):
        raise DecodeError("a data object is missing")
    return found


def _text(reader: Reader) -> str:
    try:
        return reader.lv("text").decode("utf-8")
    except (DecodeError, UnicodeDecodeError):
        return ""
