"""Many subscribers of one network: each with its own keys, settings, SQN and B-TIDs, and a bound to everything."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from card.crypto.bcmcs import PROVISIONAL_SET, RegistrationKey, find_functions
from card.crypto.gba import flip_res
from card.crypto.milenage import Milenage
from card.crypto.primitives import xor_bytes
from card.crypto.secret import Secret
from card.spec.bcast.p1 import P1
from card.spec.gba import naf_id
from host_tools.exchange.messages.zn import KeyChoice
from host_tools.headend.bounded import BoundedTable
from host_tools.headend.bsf.bootstrappings import MemoryBootstrappings
from host_tools.headend.bsf.server import PENDING_IN_ALL, PENDING_OF_AN_ADDRESS, Bsf
from host_tools.headend.bsm.ltkm import recipient
from host_tools.headend.bsm.mbms_naf import MbmsNaf
from host_tools.headend.bsm.memory import MemoryRights
from host_tools.headend.bsm.rk_home import RkHome
from host_tools.headend.clock import ManualClock
from host_tools.headend.errors import BootstrapUnknownError, HeadendError, IdentityUnknownError
from host_tools.headend.scenario.maker import make_keys
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.seeded import Seeded, SeededRng
from host_tools.headend.subscribers.gba_settings import UICC_BASED_MBMS, GbaSettings, UiccType
from host_tools.headend.subscribers.memory import MemorySubscribers
from host_tools.headend.subscribers.rk_subscriber import RkSubscriber
from host_tools.headend.subscribers.subscriber import Subscriber
from tests.unit.host_tools.headend.networks import IMPI, small_scenario, subscriber

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
NAF = "bsm.example"
NAF_ID = naf_id(NAF.encode())
OPC = Secret(bytes(16))
HOUR = timedelta(hours=1)


def key_of(number: int) -> Secret:
    return Secret(number.to_bytes(16, "big"))


def impi(number: int) -> str:
    return f"{number:015}@ims.example"


def someone(number: int, settings: GbaSettings = UICC_BASED_MBMS) -> Subscriber:
    return Subscriber.milenage(f"{number:015}", impi(number), key_of(number), OPC).with_settings(settings)


class Network:
    """A BSF and its BM-SC with subscribers 0 to 9; `kept` runs at most."""

    def __init__(self, kept: int = 100, settings: GbaSettings = UICC_BASED_MBMS) -> None:
        self.clock = ManualClock(START)
        self.subscribers = MemorySubscribers([someone(number, settings) for number in range(10)])
        self.runs = MemoryBootstrappings(kept)
        rights = {NAF: frozenset((NAF.encode(),))}
        rng = SeededRng(Seeded("many"), "rand")
        self.bsf = Bsf("bsf.example", self.subscribers, self.runs, rights, rng, self.clock)
        self.naf = MbmsNaf(self.bsf, NAF)

    def run(self, number: int) -> str:
        rand = self.bsf.challenge(impi(number)).rand
        return self.bsf.complete(rand, self.res(number, rand)).b_tid

    def res(self, number: int, rand: bytes) -> bytes:
        return flip_res(Milenage(key_of(number), OPC).f2345(rand).res)

    def impi_at_zn(self, b_tid: str) -> str:
        return self.bsf.naf_keys(NAF, b_tid, NAF_ID, gba_u_aware=True).impi


class TestBootstrapping:
    def test_runs_of_several_may_cross(self) -> None:
        network = Network()
        rands = {number: network.bsf.challenge(impi(number)).rand for number in range(10)}
        b_tids = {
            number: network.bsf.complete(rand, network.res(number, rand)).b_tid
            for number, rand in reversed(rands.items())
        }
        keys = [network.bsf.naf_keys(NAF, b_tids[number], NAF_ID, gba_u_aware=True) for number in range(10)]
        assert [found.impi for found in keys] == [impi(number) for number in range(10)]
        assert len({found.me_key.reveal() for found in keys} | {found.uicc_key.reveal() for found in keys}) == 20  # type: ignore[union-attr]

    def test_another_subscribers_res_is_wrong(self) -> None:
        network = Network()
        rand = network.bsf.challenge(impi(1)).rand
        with pytest.raises(HeadendError, match="RES is wrong"):
            network.bsf.complete(rand, network.res(2, rand))

    def test_a_new_run_ends_only_ones_own(self) -> None:
        """TS 33.220 clause 5.3.3."""
        network = Network()
        first, other, second = network.run(1), network.run(2), network.run(1)
        assert (network.impi_at_zn(second), network.impi_at_zn(other)) == (impi(1), impi(2))
        with pytest.raises(BootstrapUnknownError, match="not known here any more"):
            network.impi_at_zn(first)

    def test_old_and_new_b_tid_are_tied_by_the_impi(self) -> None:
        """TS 33.246 clause 6.1: also at a BM-SC that goes on under the old MUK."""
        network = Network()
        first = network.run(1)
        old = network.naf.smk(first, NAF_ID, b"")
        second = network.run(1)
        assert network.naf.smk(second, NAF_ID, b"") != old == network.naf.smk(first, NAF_ID, b"")
        assert {network.naf.identity(b_tid, NAF_ID) for b_tid in (first, second)} == {impi(1)}
        assert network.subscribers.by_b_tid(first) is network.subscribers.by_b_tid(second)
        network.run(1)
        with pytest.raises(BootstrapUnknownError, match="not known here: bootstrap"):
            network.subscribers.by_b_tid(first)

    def test_settings_belong_to_the_subscriber(self) -> None:
        me = GbaSettings(UiccType.GBA, KeyChoice.ME_BASED, lifetime=HOUR)
        network = Network()
        network.subscribers.add(someone(20, me))
        rand = network.bsf.challenge(impi(20)).rand
        b_tid = network.bsf.complete(rand, Milenage(key_of(20), OPC).f2345(rand).res).b_tid
        found = network.bsf.naf_keys(NAF, b_tid, NAF_ID, gba_u_aware=True)
        assert (found.uicc_key, found.key_choice, found.created, found.expires) == (
            None,
            KeyChoice.ME_BASED,
            START,
            START + HOUR,
        )

    def test_each_has_its_own_sequence_number(self) -> None:
        network = Network()
        rand = network.bsf.challenge(impi(1)).rand
        sqn_ms, milenage = (1000 << 5).to_bytes(6, "big"), Milenage(key_of(1), OPC)
        auts = xor_bytes(sqn_ms, milenage.f5_star(rand)) + milenage.f1_star(rand, sqn_ms, bytes(2))
        other = network.bsf.challenge(impi(2)).rand
        with pytest.raises(HeadendError, match="no challenge"):
            network.bsf.resynchronise(impi(2), rand, auts)
        network.bsf.resynchronise(impi(1), rand, auts)
        assert network.bsf.complete(other, network.res(2, other)).b_tid
        sequences = {}
        for number in (1, 2):
            made = network.bsf.challenge(impi(number))
            ak = Milenage(key_of(number), OPC).f2345(made.rand).ak
            sequences[number] = int.from_bytes(xor_bytes(made.autn_star[:6], ak), "big") >> 5
        assert sequences == {1: 1001, 2: 2}

    def test_a_push_ends_the_ks_of_its_subscriber_only(self) -> None:
        network = Network()
        one, two = network.run(1), network.run(2)
        network.bsf.push(NAF, impi(1), NAF_ID, HOUR, "p@naf")
        assert network.impi_at_zn(two) == impi(2)
        with pytest.raises(BootstrapUnknownError):
            network.impi_at_zn(one)


class TestBounds:
    def test_a_flood_of_challenges_for_one_leaves_those_of_others(self) -> None:
        network = Network()
        rand = network.bsf.challenge(impi(1)).rand
        for _ in range(2000):
            network.bsf.challenge(impi(2))
        assert network.bsf.complete(rand, network.res(1, rand)).b_tid

    def test_an_address_has_its_share_of_the_challenges_whatever_becomes_of_its_answers(self) -> None:
        network = Network()
        rand = network.bsf.challenge(impi(1), "192.0.2.1").rand
        mine = [network.bsf.challenge(impi(number % 8 + 2), "192.0.2.2").rand for number in range(PENDING_IN_ALL + 1)]
        assert network.bsf.complete(rand, network.res(1, rand)).b_tid
        for gone in mine[:-PENDING_OF_AN_ADDRESS]:
            with pytest.raises(HeadendError, match="no challenge"):
                network.bsf.expected_res(gone)
        for kept in mine[-PENDING_OF_AN_ADDRESS:]:
            assert network.bsf.expected_res(kept)

    def test_the_oldest_run_gives_way_and_its_owner_bootstraps_again(self) -> None:
        network = Network(kept=3)
        b_tids = [network.run(number) for number in range(4)]
        assert len(network.runs) == 3
        with pytest.raises(BootstrapUnknownError):
            network.impi_at_zn(b_tids[0])
        assert [network.impi_at_zn(b_tid) for b_tid in b_tids[1:]] == [impi(1), impi(2), impi(3)]
        assert network.impi_at_zn(network.run(0)) == impi(0)

    def test_what_has_expired_goes_when_others_come(self) -> None:
        network = Network(settings=replace(UICC_BASED_MBMS, lifetime=HOUR))
        old = [network.run(number) for number in range(5)]
        network.clock.advance(3600)
        with pytest.raises(BootstrapUnknownError, match="expired"):
            network.impi_at_zn(old[4])
        network.run(7)
        assert len(network.runs) == 1

    def test_of_one_subscriber_a_bm_sc_keeps_two(self) -> None:
        network = Network()
        b_tids = [network.run(1) for _ in range(1)]
        for _ in range(4):
            network.naf.smk(b_tids[-1], NAF_ID, b"")
            b_tids.append(network.run(1))
        network.naf.smk(b_tids[-1], NAF_ID, b"")
        assert network.naf.smk(b_tids[-2], NAF_ID, b"")
        with pytest.raises(BootstrapUnknownError):
            network.naf.smk(b_tids[-3], NAF_ID, b"")

    def test_two_of_one_name(self) -> None:
        with pytest.raises(HeadendError, match="two subscribers have the IMPI"):
            MemorySubscribers([someone(1), someone(1)])

    def test_a_table(self) -> None:
        table: BoundedTable[str, int] = BoundedTable(2, 3)
        for number, owner in enumerate(["a", "a", "b", "a", "c"]):
            table.put(owner, f"{owner}{number}", number)
        assert [table.get(key) for key in ("a0", "a1", "b2", "a3", "c4")] == [None, None, 2, 3, 4]
        assert (len(table), table.oldest(), table.owner("c4"), table.of("a")) == (3, 2, "c", ("a3",))
        table.put("b", "c4", 5)
        assert (table.owner("c4"), table.of("c"), table.pop("c4"), table.pop("c4")) == ("b", (), 5, None)


class TestRegistrationKeys:
    def test_each_has_its_own_smk_and_srk(self) -> None:
        functions = find_functions(PROVISIONAL_SET)
        people = [RkSubscriber(f"{n:015}", f"{n}@cdma", RegistrationKey(key_of(n), functions)) for n in range(3)]
        home = RkHome(MemorySubscribers(rk_subscribers=people), "bsm", SeededRng(Seeded("x"), "rk"))
        assert len({home.smk(person.nai, b"", bytes(16)).reveal() for person in people}) == 3
        home.note_answered("1@cdma", bytes(16))
        assert home.srk("1@cdma", b"") == people[1].root.derive_auth_key(bytes(16))
        with pytest.raises(HeadendError, match="not answered"):
            home.srk("2@cdma", b"")
        with pytest.raises(IdentityUnknownError):
            home.note_answered("7@cdma", bytes(16))


class TestBsm:
    """The books of a BSM: T by SMK, what was brought to whom, and rights."""

    def test_t_counts_by_smk_and_is_never_forgotten_while_one_is_in_use(self) -> None:
        store = make_keys(small_scenario())
        assert [store.next_t("me", "one") for _ in range(3)] == [1, 2, 3]
        assert [store.next_t("you", "two"), store.next_t("me", "three"), store.next_t("me", "one")] == [1, 1, 4]
        # A BM-SC goes on under the SMK before the newest; its T goes on however late the one before that was used.
        for older, before, newest in (("b1", "b2", "b3"), ("b2", "b3", "b4")):
            store.next_t("me", newest)
            last = store.next_t("me", before)
            store.next_t("me", older)
            assert store.next_t("me", before) == last + 1

    def test_what_was_brought_belongs_to_its_subscriber(self) -> None:
        store = make_keys(small_scenario())
        first, second = store.seks("one")
        for key in (first, second, first):
            store.note_brought("me", key)
        assert (store.held("me", "one"), store.held("you", "one"), store.held("me", "two")) == ((second, first), (), ())
        store.note_withdrawn("me", first)
        assert store.held("me", "one") == (second,)

    def test_rights(self) -> None:
        rights = MemoryRights()
        rights.grant("me", "news")
        assert (rights.may_receive("me", "news"), rights.may_receive("you", "news")) == (True, False)
        rights.revoke("me", "news")
        assert not rights.may_receive("me", "news")

    def test_somebody_else_gets_what_he_buys_and_nothing_else(self) -> None:
        network = UsimNetwork(shipped_scenario("subscribe"), subscriber(), tables=P1, others=[someone(7), someone(8)])
        b_tids = [
            network.bsf.presume_answered(network.bsf.challenge(name).rand).b_tid for name in (IMPI, impi(7), impi(8))
        ]
        news = next(delivery for delivery in network.deliveries if delivery.key.service == "news")
        assert network.ltkm(news, b_tids[0])
        with pytest.raises(HeadendError, match=f"{impi(7)} has no right to news"):
            network.ltkm(news, b_tids[1])
        assert not network.rights.may_receive(impi(7), "sport")
        (ltkm,) = network.shop.buy("sport-month", b_tids[1])
        assert recipient(ltkm) == b_tids[1]
        assert network.rights.may_receive(impi(7), "sport")
        assert [network.shop.sold_to(b_tid, "sport-month") for b_tid in b_tids] == [0, 1, 0]
        assert not network.rights.may_receive(impi(8), "sport")
