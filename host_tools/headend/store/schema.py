"""The tables, and which version of them a database has.

Secrets are in columns of octets that only `vault` writes and reads. Every table has the key by which its rows are
looked up, so that one more subscriber makes nothing slower.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    insert,
    inspect,
    select,
    text,
    update,
)

from host_tools.headend.store.errors import StoreError

VERSION: Final = 3
TABLES = MetaData()

META = Table("meta", TABLES, Column("name", Text, primary_key=True), Column("value", LargeBinary, nullable=False))
Table(
    "subscribers",
    TABLES,
    Column("impi", Text, primary_key=True),
    Column("imsi", Text, nullable=False),
    Column("algorithm", Text, nullable=False),
    Column("k", LargeBinary, nullable=False),
    Column("constant", LargeBinary, nullable=False),
    Column("amf", LargeBinary, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("ind", Integer, nullable=False),
    Column("ind_bits", Integer, nullable=False),
    Column("uicc", Text, nullable=False),
    Column("key_choice", Text, nullable=False),
    Column("lifetime", BigInteger, nullable=False),
    Column("plain_res", Integer, nullable=False),
)
Table(
    "rk_subscribers",
    TABLES,
    Column("nai", Text, primary_key=True),
    Column("imsi", Text, nullable=False),
    Column("rk", LargeBinary, nullable=False),
    Column("functions", Text, nullable=False),
    Column("auth_key", LargeBinary),
)
Table(
    "bootstrappings",
    TABLES,
    Column("impi", Text, primary_key=True),
    Column("b_tid", Text, nullable=False),
    Column("rand", LargeBinary, nullable=False),
    Column("ks", LargeBinary, nullable=False),
    Column("created", Text, nullable=False),
    Column("expires", Text, nullable=False),
)
_TMPIS = Table("tmpis", TABLES, Column("impi", Text, primary_key=True), Column("tmpi", Text, nullable=False))
Index("tmpis_tmpi", _TMPIS.c.tmpi)
_B_TIDS = Table(
    "b_tids",
    TABLES,
    Column("b_tid", Text, primary_key=True),
    Column("impi", Text, nullable=False),
    Column("place", BigInteger, nullable=False),
)
Index("b_tids_impi", _B_TIDS.c.impi, _B_TIDS.c.place)
_MUKS = Table(
    "muks",
    TABLES,
    Column("b_tid", Text, primary_key=True),
    Column("impi", Text, nullable=False),
    Column("place", BigInteger, nullable=False),
    Column("muk", LargeBinary, nullable=False),
    Column("mrk", LargeBinary, nullable=False),
    Column("expires", Text, nullable=False),
)
Index("muks_impi", _MUKS.c.impi, _MUKS.c.place)
Table(
    "seks",
    TABLES,
    Column("service", Text, primary_key=True),
    Column("place", BigInteger, primary_key=True),
    Column("key_domain_id", LargeBinary, nullable=False),
    Column("msk_id", LargeBinary, nullable=False),
    Column("first_mtk_id", Integer, nullable=False),
    Column("last_mtk_id", Integer, nullable=False),
    Column("key", LargeBinary, nullable=False),
    Column("rand", LargeBinary, nullable=False),
    Column("csb_id", BigInteger, nullable=False),
)
_COUNTERS = Table(
    "counters",
    TABLES,
    Column("b_tid", Text, primary_key=True),
    Column("identity", Text, nullable=False),
    Column("t", BigInteger, nullable=False),
)
Index("counters_identity", _COUNTERS.c.identity)
Table(
    "held",
    TABLES,
    Column("identity", Text, primary_key=True),
    Column("service", Text, primary_key=True),
    Column("msk_ids", Text, nullable=False),
)
Table("rights", TABLES, Column("identity", Text, primary_key=True), Column("item", Text, primary_key=True))
Table(
    "registrations",
    TABLES,
    Column("identity", Text, primary_key=True),
    Column("service_ids", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("b_tid", Text, nullable=False),
    Column("port", Integer),
    Column("heard", Double, nullable=False),
)
_LINES = Table(
    "lines",
    TABLES,
    Column("identity", Text, primary_key=True),
    Column("address", Text, nullable=False),
    Column("b_tid", Text, nullable=False),
    Column("port", Integer),
    Column("at", Double),
    Column("tries", Integer, nullable=False),
)
Index("lines_at", _LINES.c.at)
Table(
    "orders",
    TABLES,
    Column("identity", Text, primary_key=True),
    Column("place", BigInteger, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)
_OUTSTANDING = Table(
    "outstanding",
    TABLES,
    Column("b_tid", Text, primary_key=True),
    Column("identity", Text, nullable=False),
    Column("place", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("ltkm", LargeBinary, nullable=False),
)
Index("outstanding_identity", _OUTSTANDING.c.identity, _OUTSTANDING.c.place)
Table(
    "requests",
    TABLES,
    Column("identity", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("place", BigInteger, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("at", Double, nullable=False, server_default="0"),
)
Table(
    "records",
    TABLES,
    Column("kind", Text, primary_key=True),
    Column("identity", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
_LETTERS = Table(
    "letters",
    TABLES,
    Column("number", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", Double, nullable=False),
    Column("address", Text, nullable=False),
    Column("port", Integer, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)

Migration = Callable[[Connection], None]


_NOW: Mapping[str, str] = {
    "sqlite": "CAST(strftime('%s', 'now') AS DOUBLE PRECISION)",
    "postgresql": "extract(epoch FROM now())",
}
"""The time in seconds since 1970, as each kind of database says it."""


def _note_when_answered(connection: Connection) -> None:
    """Say of each answered request when that was: now, as nobody knows, so that it is kept for its whole life."""
    connection.execute(text("ALTER TABLE requests ADD COLUMN at DOUBLE PRECISION NOT NULL DEFAULT 0"))
    connection.execute(text(f"UPDATE requests SET at = {_NOW[connection.dialect.name]}"))


MIGRATIONS: Mapping[int, Migration] = {1: _LETTERS.create, 2: _note_when_answered}
"""What brings a database of a version to the next one, by the version it is for."""


def prepare(connection: Connection) -> None:
    """Make the tables of an empty database, or bring them to this version. Raises `StoreError`."""
    found = set(inspect(connection).get_table_names())
    if not found:
        TABLES.create_all(connection)
        connection.execute(insert(META).values(name="version", value=str(VERSION).encode()))
        return
    if META.name not in found:
        raise StoreError("the database has tables, and they are not those of a head-end: give it one of its own")
    version = _version(connection)
    while version < VERSION:
        if version not in MIGRATIONS:
            raise StoreError(f"nothing brings a store of version {version} to version {version + 1}: use a new one")
        MIGRATIONS[version](connection)
        version += 1
        connection.execute(update(META).where(META.c.name == "version").values(value=str(version).encode()))
    if version > VERSION:
        raise StoreError(f"the store has version {version}, and this program knows {VERSION}: use a newer program")


def _version(connection: Connection) -> int:
    stored = connection.execute(select(META.c.value).where(META.c.name == "version")).scalar()
    try:
        return int(bytes(stored or b""))
    except ValueError:
        raise StoreError("the store does not say of which version it is") from None
