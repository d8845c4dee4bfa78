"""Subscribers, their sequence numbers and bootstrappings, and the MUKs of the BM-SC, in the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Row, text

from card.crypto.bcmcs import RegistrationKey, find_functions
from card.crypto.secret import Secret
from host_tools.exchange.messages.zn import KeyChoice
from host_tools.headend.bounded import BoundedTable
from host_tools.headend.bsf.bootstrappings import Bootstrapping
from host_tools.headend.bsm.mbms_naf import MUKS_OF_A_SUBSCRIBER
from host_tools.headend.bsm.ports import MbmsKeys
from host_tools.headend.errors import BootstrapUnknownError, HeadendError, IdentityUnknownError
from host_tools.headend.store.database import Database
from host_tools.headend.store.vault import Vault
from host_tools.headend.subscribers.gba_settings import GbaSettings, UiccType
from host_tools.headend.subscribers.memory import B_TIDS_OF_A_SUBSCRIBER
from host_tools.headend.subscribers.record import SubscriberRecord
from host_tools.headend.subscribers.rk_subscriber import RkSubscriber
from host_tools.headend.subscribers.sequence import SQN_BITS, SQN_SIZE
from host_tools.headend.subscribers.subscriber import Subscriber

_AT_ONCE = 1000
_CACHED = 4096
_ADD = text(
    "INSERT INTO subscribers (impi, imsi, algorithm, k, constant, amf, seq, ind, ind_bits, uicc, key_choice, lifetime,"
    " plain_res) VALUES (:impi, :imsi, :algorithm, :k, :constant, :amf, :seq, -1, :ind_bits, :uicc, :key_choice,"
    " :lifetime, :plain_res) ON CONFLICT (impi) DO UPDATE SET imsi = excluded.imsi, algorithm = excluded.algorithm,"
    " k = excluded.k, constant = excluded.constant, amf = excluded.amf, ind_bits = excluded.ind_bits,"
    " uicc = excluded.uicc, key_choice = excluded.key_choice, lifetime = excluded.lifetime,"
    " plain_res = excluded.plain_res,"
    " seq = CASE WHEN subscribers.seq > excluded.seq THEN subscribers.seq ELSE excluded.seq END"
)
_BY_IMPI = text("SELECT * FROM subscribers WHERE impi = :impi")
_NEXT_SQN = text(
    "UPDATE subscribers SET seq = seq + 1, ind = (ind + 1) % :indices WHERE impi = :impi RETURNING seq, ind"
)
_SET_SEQ = text("UPDATE subscribers SET seq = :seq WHERE impi = :impi")
_COUNT = text("SELECT (SELECT count(*) FROM subscribers) + (SELECT count(*) FROM rk_subscribers)")
# With the prefix as a bound the index finds where to begin, whatever order the database has for text.
_PAGE = text(
    "SELECT name FROM"
    " (SELECT impi AS name FROM subscribers UNION ALL SELECT nai AS name FROM rk_subscribers) AS everybody"
    " WHERE name > :after AND name >= :begins AND substr(name, 1, :length) = :begins ORDER BY name LIMIT :most"
)
_ADD_RK = text(
    "INSERT INTO rk_subscribers (nai, imsi, rk, functions) VALUES (:nai, :imsi, :rk, :functions)"
    " ON CONFLICT (nai) DO UPDATE SET imsi = excluded.imsi, rk = excluded.rk, functions = excluded.functions"
)
_BY_NAI = text("SELECT * FROM rk_subscribers WHERE nai = :nai")
_SET_AUTH_KEY = text("UPDATE rk_subscribers SET auth_key = :auth_key WHERE nai = :nai")
_IMPI_OF = text("SELECT impi FROM b_tids WHERE b_tid = :b_tid")
_TIE = text(
    "INSERT INTO b_tids (b_tid, impi, place) VALUES (:b_tid, :impi,"
    " (SELECT coalesce(max(place), 0) + 1 FROM b_tids WHERE impi = :impi))"
    " ON CONFLICT (b_tid) DO UPDATE SET impi = excluded.impi, place = excluded.place"
)
_UNTIE = text(
    f"DELETE FROM b_tids WHERE impi = :impi AND place <="
    f" (SELECT max(place) FROM b_tids WHERE impi = :impi) - {B_TIDS_OF_A_SUBSCRIBER}"
)
_RUN = text("SELECT * FROM bootstrappings WHERE impi = :impi")
_KEEP_RUN = text(
    "INSERT INTO bootstrappings (impi, b_tid, rand, ks, created, expires)"
    " VALUES (:impi, :b_tid, :rand, :ks, :created, :expires) ON CONFLICT (impi) DO UPDATE SET b_tid = excluded.b_tid,"
    " rand = excluded.rand, ks = excluded.ks, created = excluded.created, expires = excluded.expires"
)
_END_RUN = text("DELETE FROM bootstrappings WHERE impi = :impi")
_KEEP_TMPI = text(
    "INSERT INTO tmpis (impi, tmpi) VALUES (:impi, :tmpi) ON CONFLICT (impi) DO UPDATE SET tmpi = excluded.tmpi"
)
_TMPI = text("SELECT impi FROM tmpis WHERE tmpi = :tmpi")
_MUK = text("SELECT * FROM muks WHERE b_tid = :b_tid")
_KEEP_MUK = text(
    "INSERT INTO muks (b_tid, impi, place, muk, mrk, expires) VALUES (:b_tid, :impi,"
    " (SELECT coalesce(max(place), 0) + 1 FROM muks WHERE impi = :impi), :muk, :mrk, :expires)"
    " ON CONFLICT (b_tid) DO UPDATE SET muk = excluded.muk, mrk = excluded.mrk, expires = excluded.expires"
)
_FORGET_MUK = text(
    f"DELETE FROM muks WHERE impi = :impi AND place <="
    f" (SELECT max(place) FROM muks WHERE impi = :impi) - {MUKS_OF_A_SUBSCRIBER}"
)


class _StoredSequence:
    """The sequence number of one subscriber."""

    def __init__(self, database: Database, impi: str, ind_bits: int) -> None:
        self._database = database
        self._impi = impi
        self._ind_bits = ind_bits

    def next(self) -> bytes:
        """Return the next SQN (6 bytes). Raises `HeadendError` when none is left."""
        values = {"impi": self._impi, "indices": 1 << self._ind_bits}
        row = self._database.run(_NEXT_SQN, values).one()
        if row.seq >> SQN_BITS - self._ind_bits:
            raise HeadendError("the sequence numbers of this subscriber are used up")
        return int(row.seq << self._ind_bits | row.ind).to_bytes(SQN_SIZE, "big")

    def resynchronise(self, sqn_ms: bytes) -> None:
        """Go on behind the highest SQN the card has accepted."""
        values = {"impi": self._impi, "seq": int.from_bytes(sqn_ms, "big") >> self._ind_bits}
        self._database.run(_SET_SEQ, values)


class StoredSubscribers:
    """The home network's subscribers."""

    def __init__(self, database: Database, vault: Vault) -> None:
        """Take the database, and what writes secrets."""
        self._database = database
        self._vault = vault

    def add(self, records: Iterable[SubscriberRecord | RkSubscriber]) -> None:
        """Take subscribers; of one that is known already everything but its sequence number is written anew."""
        for part in _parts(records, _AT_ONCE):
            usims = [self._row(one) for one in part if isinstance(one, SubscriberRecord)]
            csims = [self._rk_row(one) for one in part if isinstance(one, RkSubscriber)]
            for statement, rows in ((_ADD, usims), (_ADD_RK, csims)):
                if rows:
                    self._database.connection.execute(statement, rows)

    def count(self) -> int:
        """Return how many there are."""
        return int(self._database.run(_COUNT).scalar_one())

    def page(self, after: str, most: int, begins: str = "") -> tuple[str, ...]:
        """Return the next IMPIs and NAIs behind a name, in order, at most so many, that begin with `begins`."""
        values = {"after": after, "most": most, "begins": begins, "length": len(begins)}
        return tuple(self._database.run(_PAGE, values).scalars())

    def by_impi(self, impi: str) -> Subscriber:
        """Return the subscriber with this private identity. Raises `IdentityUnknownError`."""
        row = self._database.run(_BY_IMPI, {"impi": impi}).first()
        if row is None:
            raise IdentityUnknownError(f"no subscriber has the IMPI {impi}")
        settings = GbaSettings(
            UiccType(row.uicc), KeyChoice(row.key_choice), timedelta(seconds=row.lifetime), bool(row.plain_res)
        )
        record = SubscriberRecord(
            row.imsi,
            impi,
            row.algorithm,
            self._secret("subscribers", "k", impi, row.k),
            self._secret("subscribers", "constant", impi, row.constant),
            bytes(row.amf),
            0,
            row.ind_bits,
            settings,
        )
        return record.made(_StoredSequence(self._database, impi, row.ind_bits))

    def by_b_tid(self, b_tid: str) -> Subscriber:
        """Return the subscriber whose newest B-TID, or the one before, this is. Raises `BootstrapUnknownError`."""
        impi = self._database.run(_IMPI_OF, {"b_tid": b_tid}).scalar()
        if impi is None:
            raise BootstrapUnknownError(f"B-TID {b_tid} is not known here: bootstrap first")
        return self.by_impi(impi)

    def by_nai(self, nai: str) -> RkSubscriber:
        """Return the CSIM subscriber with this NAI. Raises `IdentityUnknownError`."""
        row = self._database.run(_BY_NAI, {"nai": nai}).first()
        if row is None:
            raise IdentityUnknownError(f"no subscriber has the NAI {nai}")
        root = RegistrationKey(self._secret("rk_subscribers", "rk", nai, row.rk), find_functions(row.functions))
        return RkSubscriber(row.imsi, nai, root)

    def tie(self, b_tid: str, impi: str) -> None:
        """Note a new B-TID of a subscriber. Raises `IdentityUnknownError`."""
        self._database.run(_TIE, {"b_tid": b_tid, "impi": impi})
        self._database.run(_UNTIE, {"impi": impi})

    # --- Auth-Keys of CSIM subscribers

    def auth_key(self, nai: str) -> Secret | None:
        """Return the Auth-Key of the last challenge that a CSIM answered, None when it answered none."""
        row = self._database.run(_BY_NAI, {"nai": nai}).first()
        if row is None or row.auth_key is None:
            return None
        return self._secret("rk_subscribers", "auth_key", nai, row.auth_key)

    def keep_auth_key(self, nai: str, auth_key: Secret) -> None:
        """Keep the Auth-Key of a CSIM in the place of the one before."""
        sealed = self._vault.seal(("rk_subscribers", "auth_key", nai), auth_key.reveal())
        self._database.run(_SET_AUTH_KEY, {"nai": nai, "auth_key": sealed})

    def _row(self, record: SubscriberRecord) -> dict[str, Any]:
        settings, seal, impi = record.settings, self._vault.seal, record.impi
        return {
            "impi": impi,
            "imsi": record.imsi,
            "algorithm": record.algorithm,
            "k": seal(("subscribers", "k", impi), record.k.reveal()),
            "constant": seal(("subscribers", "constant", impi), record.constant.reveal()),
            "amf": record.amf,
            "seq": record.sequence,
            "ind_bits": record.ind_bits,
            "uicc": settings.uicc.value,
            "key_choice": settings.key_choice.value,
            "lifetime": int(settings.lifetime.total_seconds()),
            "plain_res": int(settings.plain_res),
        }

    def _rk_row(self, one: RkSubscriber) -> dict[str, Any]:
        sealed = self._vault.seal(("rk_subscribers", "rk", one.nai), one.root.rk.reveal())
        return {"nai": one.nai, "imsi": one.imsi, "rk": sealed, "functions": one.functions}

    def _secret(self, table: str, column: str, row: str, stored: bytes) -> Secret:
        return Secret(self._vault.unseal((table, column, row), stored))


class StoredBootstrappings:
    """The keys Ks of subscribers, and their TMPIs."""

    def __init__(self, database: Database, vault: Vault) -> None:
        """Take the database, and what writes secrets."""
        self._database = database
        self._vault = vault

    def current(self, impi: str) -> Bootstrapping | None:
        """Return the last run of a subscriber, also when its time is over; None where there is none."""
        row = self._database.run(_RUN, {"impi": impi}).first()
        if row is None:
            return None
        ks = Secret(self._vault.unseal(("bootstrappings", "ks", row.b_tid), row.ks))
        created, expires = map(datetime.fromisoformat, (row.created, row.expires))
        return Bootstrapping(impi, row.b_tid, bytes(row.rand), ks, created, expires)

    def replace(self, made: Bootstrapping, tmpi: str) -> None:
        """Take a new run in the place of the subscriber's last one, and its TMPI in the place of the last one."""
        values = {
            "impi": made.impi,
            "b_tid": made.b_tid,
            "rand": made.rand,
            "ks": self._vault.seal(("bootstrappings", "ks", made.b_tid), made.ks.reveal()),
            "created": made.created.isoformat(),
            "expires": made.expires.isoformat(),
        }
        self._database.run(_KEEP_RUN, values)
        self._database.run(_KEEP_TMPI, {"impi": made.impi, "tmpi": tmpi})

    def end(self, impi: str) -> None:
        """Forget the last run of a subscriber; its TMPI stays."""
        self._database.run(_END_RUN, {"impi": impi})

    def impi_of(self, tmpi: str) -> str | None:
        """Return whose newest TMPI this is, None for any other text."""
        found = self._database.run(_TMPI, {"tmpi": tmpi}).scalar()
        return None if found is None else str(found)


class StoredMuks:
    """The MUKs of subscribers. What belongs to a B-TID never changes, so what was read is remembered for a while."""

    def __init__(self, database: Database, vault: Vault) -> None:
        """Take the database, and what writes secrets."""
        self._database = database
        self._vault = vault
        self._read: BoundedTable[str, MbmsKeys] = BoundedTable(MUKS_OF_A_SUBSCRIBER, _CACHED)
        database.on_rollback(self._read.clear)

    def find(self, b_tid: str) -> MbmsKeys | None:
        """Return the keys of a B-TID, None when there are none."""
        found = self._read.get(b_tid)
        if found is None:
            row = self._database.run(_MUK, {"b_tid": b_tid}).first()
            if row is None:
                return None
            found = self._keys(row)
            self._read.put(found.impi, b_tid, found)
        return found

    def keep(self, b_tid: str, keys: MbmsKeys) -> None:
        """Keep the keys of a new B-TID."""
        values = {
            "b_tid": b_tid,
            "impi": keys.impi,
            "muk": self._vault.seal(("muks", "muk", b_tid), keys.muk.reveal()),
            "mrk": self._vault.seal(("muks", "mrk", b_tid), keys.mrk.reveal()),
            "expires": keys.expires.isoformat(),
        }
        self._database.run(_KEEP_MUK, values)
        self._database.run(_FORGET_MUK, {"impi": keys.impi})

    def _keys(self, row: Row[Any]) -> MbmsKeys:
        muk, mrk = (
            Secret(self._vault.unseal(("muks", column, row.b_tid), stored))
            for column, stored in (("muk", row.muk), ("mrk", row.mrk))
        )
        return MbmsKeys(row.impi, muk, mrk, datetime.fromisoformat(row.expires))


def _parts(
    records: Iterable[SubscriberRecord | RkSubscriber], size: int
) -> Iterator[list[SubscriberRecord | RkSubscriber]]:
    rest = iter(records)
    while part := list(islice(rest, size)):
        yield part
