"""What is kept of subscribers and keys, under which key, and what a transaction is worth."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError

from card.crypto.bcmcs import PROVISIONAL_SET, RegistrationKey, find_functions
from card.crypto.secret import Secret
from host_tools.exchange.messages.zn import KeyChoice
from host_tools.exchange.transport import Endpoint
from host_tools.headend.bsf.bootstrappings import Bootstrapping
from host_tools.headend.bsm.books import Answered, Line, Outstanding, Registered, Route
from host_tools.headend.bsm.orders import Order, OrderKind
from host_tools.headend.bsm.ports import MbmsKeys
from host_tools.headend.clock import ManualClock
from host_tools.headend.errors import BootstrapUnknownError, HeadendError, IdentityUnknownError
from host_tools.headend.scenario.seeded_keys import service_keys
from host_tools.headend.store.errors import StoreError, StoreUnavailable
from host_tools.headend.store.keys import StoredKeys
from host_tools.headend.store.schema import VERSION
from host_tools.headend.store.store import Store
from host_tools.headend.store.vault import KeyVault, OpenVault
from host_tools.headend.subscribers.gba_settings import GbaSettings, UiccType
from host_tools.headend.subscribers.memory import MemorySubscribers
from host_tools.headend.subscribers.record import SubscriberRecord
from host_tools.headend.subscribers.rk_subscriber import RkSubscriber
from tests.support.postgresql import PostgreSql
from tests.unit.host_tools.headend.networks import IMPI, IMSI, OPC, K, small_scenario
from tests.unit.host_tools.headend.store.conftest import KEY

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SETTINGS = GbaSettings(UiccType.GBA, KeyChoice.ME_BASED, timedelta(hours=2), plain_res=True)
ME = SubscriberRecord(IMSI, IMPI, "milenage", K, OPC, bytes.fromhex("8000"), 7, 5, SETTINGS)
CSIM = RkSubscriber("310001234567890", "user@home", RegistrationKey(Secret(b"R" * 16), find_functions(PROVISIONAL_SET)))


def planted(letter: str) -> bytes:
    return (letter * 32).encode()


class TestSubscribers:
    def test_pages_are_those_of_memory(self, store: Store) -> None:
        records = [replace(ME, imsi=f"{n:015}", impi=f"{n:05}%_@home") for n in range(0, 300, 3)]
        memory = MemorySubscribers((one.made() for one in records), (CSIM,))
        with store.database.transaction():
            store.subscribers.add([*records, CSIM])
            for after, most, begins in (
                ("", 7, ""), ("00030%_@home", 5, ""), ("", 200, "0002"), ("", 5, "000%"), ("zz", 5, ""),
                ("", 9, "00003%_"), ("", 5, "user"), ("00290", 50, ""),
            ):  # fmt: skip
                assert store.subscribers.page(after, most, begins) == memory.page(after, most, begins)
            assert store.subscribers.page("", 5, "user") == (CSIM.nai,)

    def test_the_sequence_number_outlives_the_process_and_a_second_reading_of_the_file(self, url: str) -> None:
        store = Store.connect(url)
        with store.database.transaction():
            store.subscribers.add([ME])
            first = store.subscribers.by_impi(IMPI).vector(bytes(16))
        store.close()
        store, expected = Store.connect(url), ME.made()
        assert expected.vector(bytes(16)) == first
        with store.database.transaction():
            store.subscribers.add([ME])
            found = store.subscribers.by_impi(IMPI)
            assert found.vector(bytes(16)) == expected.vector(bytes(16))
            assert found.settings == SETTINGS
            assert store.subscribers.count() == 1
        store.close()

    def test_a_file_that_is_ahead_wins_and_auts_moves_it(self, store: Store) -> None:
        with store.database.transaction():
            store.subscribers.add([ME])
            ahead = SubscriberRecord(IMSI, IMPI, "milenage", K, OPC, ME.amf, 1000, 5, SETTINGS)
            store.subscribers.add([ahead])
            assert store.subscribers.by_impi(IMPI).vector(bytes(16)) == ahead.made().vector(bytes(16))

    def test_an_sqn_is_used_once_even_when_the_answer_is_not_kept(self, store: Store) -> None:
        with store.database.transaction():
            store.subscribers.add([ME])
        with store.database.transaction() as transaction:
            lost = store.subscribers.by_impi(IMPI).vector(bytes(16))
            transaction.void()
        with store.database.transaction():
            # Nothing of it went out, so it may be used again.
            assert store.subscribers.by_impi(IMPI).vector(bytes(16)) == lost

    def test_b_tids_lead_to_the_subscriber_and_only_two_are_kept(self, store: Store) -> None:
        with store.database.transaction():
            store.subscribers.add([ME])
            for number in range(3):
                store.subscribers.tie(f"{number}@bsf", IMPI)
            assert store.subscribers.by_b_tid("2@bsf").impi == IMPI
            assert store.subscribers.by_b_tid("1@bsf").impi == IMPI
            with pytest.raises(BootstrapUnknownError):
                store.subscribers.by_b_tid("0@bsf")
            with pytest.raises(IdentityUnknownError):
                store.subscribers.by_impi("nobody@home")

    def test_a_csim_subscriber_has_its_registration_key_and_the_last_auth_key(self, store: Store) -> None:
        with store.database.transaction():
            store.subscribers.add([CSIM])
            found = store.subscribers.by_nai(CSIM.nai)
            assert found == CSIM
            assert store.subscribers.auth_key(CSIM.nai) is None
            store.subscribers.keep_auth_key(CSIM.nai, Secret(b"A" * 16))
            assert store.subscribers.auth_key(CSIM.nai) == Secret(b"A" * 16)
            with pytest.raises(IdentityUnknownError):
                store.subscribers.by_nai("nobody@home")

    def test_bootstrappings_and_muks(self, store: Store) -> None:
        run = Bootstrapping(IMPI, "b@bsf", bytes(16), Secret(b"k" * 32), NOW, NOW + timedelta(hours=1))
        with store.database.transaction():
            runs, muks = store.bootstrappings, store.muks
            assert runs.current(IMPI) is None
            runs.replace(run, "tmpi@t")
            assert (runs.current(IMPI), runs.impi_of("tmpi@t"), runs.impi_of("x")) == (run, IMPI, None)
            runs.replace(run, "tmpi2@t")
            assert (runs.impi_of("tmpi@t"), runs.impi_of("tmpi2@t")) == (None, IMPI)
            runs.end(IMPI)
            assert runs.current(IMPI) is None
            keys = MbmsKeys(IMPI, Secret(b"m" * 32), Secret(b"r" * 32), NOW)
            for number in range(3):
                muks.keep(f"{number}@bsf", keys)
            assert muks.find("2@bsf") == keys
        other = Store(store.database, store.vault)  # without what was remembered
        with store.database.transaction():
            assert [other.muks.find(f"{number}@bsf") for number in range(3)] == [None, keys, keys]


class TestKeys:
    def test_t_grows_under_each_smk_and_old_smks_are_forgotten(self, store: Store) -> None:
        keys = StoredKeys(store.database, store.vault, ["one"], ManualClock(NOW))
        with store.database.transaction():
            assert [keys.next_t("me", "1@bsf") for _ in range(3)] == [1, 2, 3]
            for number in range(2, 8):
                assert keys.next_t("me", f"{number}@bsf") == 1
            assert keys.next_t("me", "7@bsf") == 2
            rows = store.database.run(text("SELECT count(*) FROM counters")).scalar_one()
            assert rows <= 5

    def test_seks_and_what_was_brought(self, store: Store) -> None:
        scenario, clock = small_scenario(), ManualClock(NOW)
        keys = StoredKeys(store.database, store.vault, ["one", "two"], clock)
        first, second = [key for key in service_keys(scenario) if key.service == "one"]
        with store.database.transaction():
            keys.add_sek(first)
            assert keys.seks("one") == (first,)
            other = StoredKeys(store.database, store.vault, ["one", "two"], clock)
            other.add_sek(second)
            assert keys.seks("one") == (first,)
            clock.advance(1.1)  # what another process added is seen then
            assert keys.seks("one") == (first, second)
            assert keys.held("me", "one") == ()
            keys.note_brought("me", first)
            keys.note_brought("me", second)
            keys.note_brought("me", first)
            assert keys.held("me", "one") == (second, first)
            keys.note_withdrawn("me", second)
            keys.note_withdrawn("me", second)
            assert keys.held("me", "one") == (first,)
            keys.drop_sek(first)
            keys.drop_sek(first)
            assert keys.seks("one") == (second,)
            assert keys.held("me", "one") == ()
            keys.add_sek(first)
            keys.note_withdrawn("me", first)
            assert keys.held("me", "one") == ()
            with pytest.raises(HeadendError, match="no service"):
                keys.seks("three")

    def test_rights(self, store: Store) -> None:
        with store.database.transaction():
            store.rights.grant("me", "x")
            store.rights.grant("me", "x")
            assert (store.rights.may_receive("me", "x"), store.rights.may_receive("you", "x")) == (True, False)
            store.rights.revoke("me", "x")
            assert not store.rights.may_receive("me", "x")


class TestTransactions:
    def test_all_of_it_or_nothing(self, store: Store) -> None:
        def fail() -> None:
            with store.database.transaction():
                store.rights.grant("me", "x")
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()
        with store.database.transaction() as transaction:
            store.rights.grant("me", "x")
            transaction.void()
        with store.database.transaction():
            assert not store.rights.may_receive("me", "x")
            with store.database.transaction():  # one that is open is the same one
                store.rights.grant("me", "x")
        with store.database.transaction():
            assert store.rights.may_receive("me", "x")
        assert (store.database.rolled_back, store.database.committed) == (2, 4)

    def test_what_was_read_in_one_that_is_not_kept_is_not_remembered(self, store: Store) -> None:
        """An MUK would stay known to this process alone, and be gone for good once the subscriber has bootstrapped."""
        scenario = small_scenario()
        clock = ManualClock(scenario.start)
        keys = StoredKeys(store.database, store.vault, [one.id for one in scenario.services], clock)
        muk, sek = MbmsKeys(IMPI, Secret(b"m" * 32), Secret(b"r" * 32), NOW), service_keys(scenario)[0]
        with store.database.transaction() as transaction:
            store.muks.keep("b@bsf", muk)
            keys.add_sek(sek)
            assert (store.muks.find("b@bsf"), keys.seks(sek.service)) == (muk, (sek,))
            transaction.void()
        with store.database.transaction():
            assert (store.muks.find("b@bsf"), keys.seks(sek.service)) == (None, ())

    def test_outside_of_one_nothing_is_done(self, store: Store) -> None:
        with pytest.raises(RuntimeError, match="outside a transaction"):
            store.rights.grant("me", "x")


class TestSecrets:
    def test_what_is_planted_is_not_in_the_files(self, tmp_path: Path) -> None:
        place = tmp_path / "a.db"
        store = Store.connect(str(place), KEY)
        fill(store)
        octets = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        store.close()
        octets += place.read_bytes()
        for letter in "KOkmrTLSAR":
            secret = planted(letter)[:16]
            assert secret not in octets
            assert secret.hex().encode() not in octets
        assert b"127.0.0.2" in octets  # it is looked for in the right place

    def test_without_a_key_it_is_there_to_be_found(self, tmp_path: Path) -> None:
        store = Store.connect(str(tmp_path / "a.db"))
        fill(store)
        store.close()
        octets = (tmp_path / "a.db").read_bytes()
        assert all(planted(letter)[:16] in octets for letter in "KOkmrAR")

    def test_a_value_in_another_row_cannot_be_read(self) -> None:
        vault, place = KeyVault(KEY), ("subscribers", "k", "me")
        sealed = vault.seal(place, b"secret")
        assert sealed != vault.seal(place, b"secret")
        assert vault.unseal(place, sealed) == b"secret"
        for wrong in (("subscribers", "k", "you"), ("subscribers", "constant", "me"), ("subscriber", "sk", "me")):
            with pytest.raises(StoreError):
                vault.unseal(wrong, sealed)
        for broken in (b"", sealed[:-1], sealed[:-1] + bytes((sealed[-1] ^ 1,)), b"\0" + sealed[1:]):
            with pytest.raises(StoreError):
                vault.unseal(place, broken)
        with pytest.raises(StoreError, match="--key-file"):
            OpenVault().unseal(place, sealed)
        assert "secret" not in repr(vault)

    @pytest.mark.parametrize(("made", "opened"), [(KEY, None), (None, KEY), (KEY, Secret(bytes(32)))])
    def test_a_store_keeps_its_key(self, url: str, made: Secret | None, opened: Secret | None) -> None:
        Store.connect(url, made).close()
        with pytest.raises(StoreError, match="key"):
            Store.connect(url, opened)
        Store.connect(url, made).close()


class TestSchema:
    def test_another_version_is_refused_with_what_to_do(self, url: str) -> None:
        for version, words in ((VERSION + 1, "newer program"), (0, "use a new one")):
            store = Store.connect(url)
            with store.database.transaction():
                values = {"value": str(version).encode()}
                store.database.run(text("UPDATE meta SET value = :value WHERE name = 'version'"), values)
            store.close()
            with pytest.raises(StoreError, match=words):
                Store.connect(url)
            if version:
                self._heal(url)

    def _heal(self, url: str) -> None:
        run(url, "UPDATE meta SET value = :value WHERE name = 'version'", {"value": str(VERSION).encode()})

    def test_a_store_of_version_2_keeps_its_answered_requests_for_their_life(self, url: str) -> None:
        store = Store.connect(url)
        with store.database.transaction():
            store.books.requests.keep("me", "r", Answered(b"print", b"<answer/>", 7.0))
            store.database.run(text("ALTER TABLE requests DROP COLUMN at"))
            store.database.run(text("UPDATE meta SET value = :value WHERE name = 'version'"), {"value": b"2"})
        store.close()
        seen, begun = list[Answered | None](), time.time()
        for _ in range(2):
            store = Store.connect(url)
            with store.database.transaction():
                seen.append(store.books.requests.find("me", "r"))
            store.close()
        assert seen[0] is not None
        assert seen[0] == seen[1] == Answered(b"print", b"<answer/>", seen[0].at)
        assert int(begun) <= seen[0].at <= time.time()

    def test_a_store_of_version_1_is_brought_up_with_what_it_holds(self, url: str) -> None:
        """Version 2 has the table of datagrams that nobody acknowledges."""
        registered, place = Registered(("urn:a",), Route("127.0.0.2", "b-tid@bsf"), 1.0), Endpoint("127.0.0.3", 4359)
        store = Store.connect(url, KEY)
        with store.database.transaction():
            store.books.registrations.put("me", registered)
            store.database.run(text("DROP TABLE letters"))
            store.database.run(text("ALTER TABLE requests DROP COLUMN at"))
            store.database.run(text("UPDATE meta SET value = :value WHERE name = 'version'"), {"value": b"1"})
        store.close()
        store = Store.connect(url, KEY)
        with store.database.transaction():
            assert (
                store.database.run(text("SELECT value FROM meta WHERE name = 'version'")).scalar_one()
                == str(VERSION).encode()
            )
            assert store.books.registrations.find("me") == registered
            store.books.letters.add(place, b"<", 1.0)
        store.close()
        again = Store.connect(url, KEY)
        with again.database.transaction():
            assert [(one.place, one.payload) for one in again.books.letters.due(2.0, 3.0, 9)] == [(place, b"<")]
        again.close()

    def test_somebody_elses_database_is_refused(self, url: str) -> None:
        run(url, "CREATE TABLE mine (x INTEGER)", {})
        with pytest.raises(StoreError, match="not those of a head-end"):
            Store.connect(url)

    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            ("mysql://x/y", "SQLite or PostgreSQL"),
            ("postgresql://u:hidden@/x?host=/nowhere", "cannot be used"),
            ("/nowhere/at/all.db", "cannot be used"),
            ("foo://", "SQLite or PostgreSQL"),
            ("", "no URL"),
        ],
    )
    def test_a_wrong_url_says_so_and_shows_no_password(self, wrong: str, words: str) -> None:
        with pytest.raises(StoreError, match=words) as caught:
            Store.connect(wrong)
        assert "hidden" not in str(caught.value)
        assert isinstance(caught.value, StoreUnavailable) == (words == "cannot be used")

    def test_a_store_is_of_one_scenario_and_remembers_when_it_began(self, store: Store) -> None:
        with store.database.transaction():
            began = store.broadcast("small", "seed", NOW)
            assert store.broadcast("small", "seed", NOW + timedelta(hours=1)) == began
            with pytest.raises(StoreError, match="of scenario small"):
                store.broadcast("small", "another seed", NOW)


def run(url: str, statement: str, values: dict[str, bytes]) -> None:
    """Run a statement without a store."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.execute(text(statement), values)
    engine.dispose()


def fill(store: Store) -> None:
    """Plant a secret in each place there is."""
    records: list[SubscriberRecord | RkSubscriber] = [
        SubscriberRecord(IMSI, IMPI, "tuak", Secret(planted("K")), Secret(planted("O")), ME.amf, 0, 5, SETTINGS),
        RkSubscriber(CSIM.imsi, CSIM.nai, RegistrationKey(Secret(planted("R")[:16]), CSIM.root.functions)),
    ]
    route = Route("127.0.0.2", "b@bsf")
    tokens = Order(OrderKind.WITHOUT_KEY, "one", instead=Secret(planted("T")))
    with store.database.transaction():
        store.subscribers.add(records)
        store.subscribers.keep_auth_key(CSIM.nai, Secret(planted("A")[:16]))
        run = Bootstrapping(IMPI, "b@bsf", bytes(16), Secret(planted("k")), NOW, NOW)
        store.bootstrappings.replace(run, "tmpi@t")
        store.muks.keep("b@bsf", MbmsKeys(IMPI, Secret(planted("m")), Secret(planted("r")), NOW))
        (key, *_) = service_keys(small_scenario())
        keys = StoredKeys(store.database, store.vault, ["one"], ManualClock(NOW))
        keys.add_sek(replace(key, service="one", key=Secret(planted("S")[:16])))
        store.books.registrations.put(IMPI, Registered(("urn:x",), route))
        store.books.outbox.add(IMPI, tokens)
        store.books.outbox.keep(Outstanding(IMPI, "b@bsf", tokens, b"what goes over the air"))
        store.books.records.put("pin", IMPI, "x", planted("L"))


class _InTheMiddle(Exception):
    pass


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("ends", ["with an error", "with one of ours", "void", "as it is committed"])
def test_a_statement_that_was_left_half_read_keeps_no_later_transaction_from_ending(store: Store, ends: str) -> None:
    """SQLite commits nothing while a RETURNING is not read to its end, and whoever met an error may hold it."""
    for number in range(2):
        with store.database.transaction():
            store.books.letters.add(Endpoint("127.0.0.1", 9), bytes([number]), 0.0)
    held = []

    def ends_in_the_middle() -> None:
        with store.database.transaction() as transaction:
            held.append(store.database.run(text("DELETE FROM letters RETURNING number")))
            assert held[0].fetchone() is not None
            if ends == "void":
                transaction.void()
            elif ends != "as it is committed":
                raise HeadendError("ours") if ends == "with one of ours" else _InTheMiddle

    with suppress(HeadendError, OperationalError, _InTheMiddle):
        ends_in_the_middle()
    with store.database.transaction():
        assert len(store.books.letters.due(1.0, 2.0, 9)) == 2
    with store.database.transaction():
        assert store.books.letters.due(1.5, 2.0, 9) == ()


def test_two_processes_on_one_database_send_a_line_once(postgresql: PostgreSql) -> None:
    url = postgresql.database()
    one, other = Store.connect(url), Store.connect(url)
    lines = [Line(name, Route("127.0.0.2", f"{name}@bsf"), 1.0) for name in ("a", "b")]
    with one.database.transaction():
        for line in lines:
            one.books.outbox.put_line(line)
    with one.database.transaction():
        mine = one.books.outbox.due(2.0, 1)
        with other.database.transaction():  # while the first has not finished
            theirs = other.books.outbox.due(2.0, 10)
            for line in theirs:
                other.books.outbox.put_line(replace(line, at=None))
        for line in mine:
            one.books.outbox.put_line(replace(line, at=None))
    assert {line.identity for line in mine}.isdisjoint(line.identity for line in theirs)
    assert len(mine) == 1
    for store in (one, other):
        with store.database.transaction():
            left = store.books.outbox.due(2.0, 10)
        assert {line.identity for line in left}.isdisjoint(line.identity for line in (*mine, *theirs))
        store.close()


@pytest.mark.parametrize("name", ["me\0@home", "me\ud800@home"])
def test_a_name_that_no_database_can_hold_is_refused_as_the_askers_mistake(store: Store, name: str) -> None:
    """PostgreSQL knows neither; what is read from outside may have both. The transaction goes on."""
    with store.database.transaction():
        for look in (store.books.outbox.outstanding, store.books.outbox.line, store.books.registrations.find):
            with pytest.raises(HeadendError, match="no text that a store has"):
                look(name)
        assert store.books.registrations.find("me@home") is None
