"""GBA_U and the MBMS key functions (MGV-F) of a card, a second time, as plainly as they can be written.

TS 31.102 clauses 7.1.1.4 to 7.1.1.10, 4.2.79 to 4.2.83; TS 33.246 clauses 6.1, 6.4, 6.5; TS 33.220 clause 5.3, annex G.
Shares no code with `card`. It is given what the card is given and says what the card must answer, and what stands in
EF_GBABP, EF_GBANL, EF_MUK and EF_MSK afterwards. Messages it gets are well-formed; SQN is not its business: every AUTN*
is taken to be fresh.

What the texts leave open is decided here as the card's documents say (docs/spec/deviations.md):

* A replayed T, or key data of no use, in an MSK update is "validation unsuccessful", 9862; a replayed T in MTK
  generation is 9865. Both are looked at behind the MAC.
* EF_GBABP has an empty B-TID and lifetime between a bootstrapping and the terminal's own writing.
* A Ks_int_NAF is "used" when it is taken up as a MUK and when an MSK message under it is accepted.
* The same Ks_int_NAF with the same B-TID derived again is no new MUK, and a MUK or MSK that went and comes back goes on
  with its T: the last 64 of each kind are remembered.
* A MUK that goes takes the last used one with it; MSKs stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from tests.oracle import gba, mikey, milenage

REMEMBERED = 64
KEY_SIZES = (16, 24, 32)
DONE = b"\xdb"
Name = TypeVar("Name")


class Answer(NamedTuple):
    """Value of the answer (for MBMS: of the object 53) and status word."""

    data: bytes
    sw: str


def refused(sw: str) -> Answer:
    return Answer(b"", sw)


@dataclass
class NafKey:
    naf_id: bytes
    b_tid: bytes
    key: bytes


class MukName(NamedTuple):
    id_r: bytes
    key: bytes


@dataclass
class Muk:
    """A record of EF_MUK: the MUK generated last, the one used last, T (`None`: nothing received since the reset)."""

    id_i: bytes
    generated: MukName
    used: MukName | None = None
    t: int | None = None
    derived_since: bool = False


@dataclass
class Msk:
    msk_id: bytes
    key: bytes
    rand: bytes
    lower: int
    upper: int
    t: int | None = None


@dataclass
class Group:
    """A record of EF_MSK; the newer of at most two MSKs comes first."""

    key_domain_id: bytes
    number: bytes
    msks: list[Msk] = field(default_factory=list)


def free_place(records: Sequence[object | None]) -> int | None:
    return next((place for place, record in enumerate(records) if record is None), None)


def tlv(tag: int, value: bytes) -> bytes:
    assert len(value) < 128
    return bytes((tag, len(value))) + value


def four(t: int | None) -> bytes:
    return (t or 0).to_bytes(4, "big")


class MbmsModel:
    """A card with its subscriber key, and as many records in EF_GBANL, EF_MUK and EF_MSK as are named."""

    def __init__(self, k: bytes, opc: bytes, *, naf_keys: int, muks: int, groups: int, gbabp_size: int) -> None:
        self.k, self.opc = k, opc
        self.ks: tuple[bytes, bytes] | None = None  # Ks and its RAND
        self.gbabp = bytearray(b"\xff" * gbabp_size)
        self.naf_keys: list[NafKey | None] = [None] * naf_keys
        self.used_places: list[int] = []  # of EF_GBANL, the last used or derived first
        self.muks: list[Muk | None] = [None] * muks
        self.groups: list[Group | None] = [None] * groups
        self.gone_muks: dict[bytes, int] = {}
        self.gone_msks: dict[tuple[bytes, bytes, bytes], int] = {}

    # --- GBA_U (TS 31.102 clauses 7.1.1.4 and 7.1.1.5)

    def bootstrap(self, rand: bytes, autn_star: bytes) -> Answer:
        ck = milenage.out(3, self.k, self.opc, rand)
        ik = milenage.out(4, self.k, self.opc, rand)
        out2 = milenage.out(2, self.k, self.opc, rand)
        autn = gba.autn_star(autn_star, ik)
        sqn = milenage.xor(autn[:6], out2[:6])
        if milenage.out1(self.k, self.opc, rand, sqn, autn[6:8])[:8] != autn[8:]:
            return refused("9862")
        self.ks = ck + ik, rand
        self.write_gbabp(0, (b"\x10" + rand + b"\0\0").ljust(len(self.gbabp), b"\xff"))
        return Answer(DONE + b"\x08" + gba.flip(out2[8:]), "9000")

    def write_gbabp(self, offset: int, data: bytes) -> None:
        """The terminal writes into EF_GBABP."""
        self.gbabp[offset : offset + len(data)] = data

    @property
    def b_tid(self) -> bytes:
        """The B-TID in EF_GBABP; only asked for while there is a Ks."""
        return bytes(self.gbabp[18 : 18 + self.gbabp[17]])

    def derive(self, naf_id: bytes, impi: bytes) -> Answer:
        if self.ks is None:
            return refused("6985")
        ks, rand = self.ks
        made = NafKey(naf_id, self.b_tid, gba.ks_int_naf(ks, rand, impi, naf_id))
        place = next((i for i, key in enumerate(self.naf_keys) if key and key.naf_id == naf_id), None)
        if place is None:
            place = free_place(self.naf_keys)
        if place is None:
            place = self.used_places[-1]
        self.naf_keys[place] = made
        self.touch(place)
        for muk in self.muks:
            if muk and muk.id_i + gba.UA_MBMS == naf_id:
                muk.derived_since = MukName(made.b_tid, made.key) != muk.generated
        return Answer(DONE + b"\x20" + gba.ks_ext_naf(ks, rand, impi, naf_id), "9000")

    def touch(self, place: int) -> None:
        self.used_places = [place] + [other for other in self.used_places if other != place]

    def place_of(self, id_i: bytes) -> int | None:
        """The place of the Ks_int_NAF that is the MUK of a BM-SC: that of the Ua protocol of MBMS, no other."""
        wanted = id_i + gba.UA_MBMS
        return next((i for i, key in enumerate(self.naf_keys) if key and key.naf_id == wanted), None)

    # --- MSK update (TS 31.102 clause 7.1.1.6, TS 33.246 clause 6.5.3)

    def update_msk(self, message: bytes) -> Answer:
        taken = mikey.read(message)
        id_i, id_r = taken.identities
        muk = self.current_muk(id_i)
        if isinstance(muk, Answer):
            return muk
        if id_r == muk.generated.id_r:
            return self.validate(muk, taken, message)
        if muk.used and id_r == muk.used.id_r:
            authentic = mikey.open_kemac(muk.used.key, taken.rand, message) is not None
            return refused("9865" if authentic else "9862")
        return refused("6A88")

    def current_muk(self, id_i: bytes) -> Muk | Answer:
        """Take up what was derived since; return the record of EF_MUK or the status word that ends the command."""
        muk = next((muk for muk in self.muks if muk and muk.id_i == id_i), None)
        place = self.place_of(id_i)
        if muk and not muk.derived_since:
            return muk
        naf_key = None if place is None else self.naf_keys[place]
        if place is None or naf_key is None:
            return refused("6985")
        if muk is None:
            free = free_place(self.muks)
            if free is None:
                return refused("9867")
            muk = Muk(id_i, MukName(naf_key.b_tid, naf_key.key), t=self.gone_muks.pop(naf_key.key, None))
            self.muks[free] = muk
        elif naf_key.key != muk.generated.key:
            muk.t = None
        muk.generated = MukName(naf_key.b_tid, naf_key.key)
        muk.derived_since = False
        self.touch(place)
        return muk

    def validate(self, muk: Muk, taken: mikey.Read, message: bytes) -> Answer:
        plain = mikey.open_kemac(muk.generated.key, taken.rand, message)
        if plain is None or not mikey.newer(taken.timestamp, muk.t):
            return refused("9862")
        if taken.msk_id[2:] != b"\0\0":
            answer = self.take_msk(taken, mikey.split_key_data(plain))
            if answer is not None:
                return answer
        muk.t = taken.timestamp
        muk.used = muk.generated
        place = self.place_of(muk.id_i)
        if place is not None:
            self.touch(place)
        return Answer(DONE + self.verification(muk, taken) if taken.verify else DONE, "9000")

    def verification(self, muk: Muk, taken: mikey.Read) -> bytes:
        id_i, id_r = taken.identities
        asked = mikey.Ltkm(
            muk.generated.key, taken.csb_id, taken.rand, taken.timestamp, id_i, id_r, b"", b"", b"", b"", b""
        )
        return asked.build_verification()

    def take_msk(self, taken: mikey.Read, opened: mikey.Opened) -> Answer | None:
        """Store the MSK, or its new limits; return an answer only when the command ends here."""
        group = self.group(taken.key_domain_id, taken.msk_id[:2])
        old = next((msk for msk in group.msks if msk.msk_id == taken.msk_id), None) if group else None
        assert opened.limits is not None
        if not opened.key:
            if group and old:
                old.lower, old.upper = opened.limits
                group.msks = [old] + [msk for msk in group.msks if msk is not old]
            return None
        if len(opened.key) not in KEY_SIZES:
            return refused("9862")
        if group is None:
            free = free_place(self.groups)
            if free is None:
                return refused("9866")
            group = self.groups[free] = Group(taken.key_domain_id, taken.msk_id[:2])
        new = Msk(taken.msk_id, opened.key, taken.rand, *opened.limits, t=old.t if old else None)
        remembered = self.gone_msks.pop((group.key_domain_id, new.msk_id, new.key), None)
        if remembered is not None and mikey.newer(remembered, new.t):
            new.t = remembered
        others = [msk for msk in group.msks if msk is not old]
        group.msks = [new, *others[:1]]
        for msk in others[1:]:
            self.remember_msk(group, msk)
        return None

    def group(self, key_domain_id: bytes, number: bytes) -> Group | None:
        wanted = key_domain_id, number
        return next((group for group in self.groups if group and (group.key_domain_id, group.number) == wanted), None)

    def remember_msk(self, group: Group, msk: Msk) -> None:
        if msk.t is not None:
            _remember(self.gone_msks, (group.key_domain_id, msk.msk_id, msk.key), msk.t)

    # --- MTK generation (TS 31.102 clause 7.1.1.8, TS 33.246 clause 6.5.4)

    def generate_mtk(self, message: bytes) -> Answer:
        taken = mikey.read(message)
        group = self.group(taken.key_domain_id, taken.msk_id[:2])
        msk = next((msk for msk in group.msks if msk.msk_id == taken.msk_id), None) if group else None
        mtk_id = int.from_bytes(taken.mtk_id, "big")
        if msk is None:
            return refused("6A88")
        if msk.lower > msk.upper:
            return refused("6985")
        if not msk.lower < mtk_id <= msk.upper:
            return refused("9865")
        plain = mikey.open_kemac(msk.key, msk.rand, message)
        if plain is None:
            return refused("9862")
        if not mikey.newer(taken.timestamp, msk.t):
            return refused("9865")
        msk.t, msk.lower = taken.timestamp, mtk_id
        opened = mikey.split_key_data(plain)
        return Answer(DONE + opened.key + opened.salt, "9000")

    # --- deletion (TS 31.102 clauses 7.1.1.9 and 7.1.1.10)

    def delete_msks(self, key_domain_id: bytes, number: bytes) -> Answer:
        group = self.group(key_domain_id, number)
        if group is None:
            return refused("6A88")
        # The older MSK went first as far as the memory of 64 is concerned.
        for msk in reversed(group.msks):
            self.remember_msk(group, msk)
        self.groups[self.groups.index(group)] = None
        return Answer(DONE, "9000")

    def delete_muk(self, id_i: bytes, id_r: bytes) -> Answer:
        muk = next((muk for muk in self.muks if muk and (muk.id_i, muk.generated.id_r) == (id_i, id_r)), None)
        if muk is None:
            return refused("6A88")
        self.muks[self.muks.index(muk)] = None
        if muk.t is not None:
            _remember(self.gone_muks, muk.generated.key, muk.t)
        place = self.place_of(id_i)
        if place is not None:
            self.naf_keys[place] = None
            self.used_places.remove(place)
        if self.ks is not None and self.b_tid == id_r:
            self.ks = None
            self.write_gbabp(0, b"\xff" * len(self.gbabp))
        return Answer(DONE, "9000")

    # --- files: what stands in each record, without the FF behind it

    def ef_gbanl(self) -> list[bytes]:
        return [tlv(0x80, key.naf_id) + tlv(0x81, key.b_tid) if key else b"" for key in self.naf_keys]

    def ef_muk(self) -> list[bytes]:
        return [self._muk_record(muk) if muk else b"" for muk in self.muks]

    def _muk_record(self, muk: Muk) -> bytes:
        return tlv(0xA0, tlv(0x80, muk.generated.id_r) + tlv(0x82, muk.id_i)) + tlv(0x81, four(muk.t))

    def ef_msk(self) -> list[bytes]:
        return [self._msk_record(group) if group else b"" for group in self.groups]

    def _msk_record(self, group: Group) -> bytes:
        pairs = b"".join(msk.msk_id + four(msk.t) for msk in group.msks)
        return group.key_domain_id + bytes((len(group.msks),)) + pairs


def _remember(gone: dict[Name, int], name: Name, t: int) -> None:
    gone.pop(name, None)
    gone[name] = t
    while len(gone) > REMEMBERED:
        gone.pop(next(iter(gone)))
