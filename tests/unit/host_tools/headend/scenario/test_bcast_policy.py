"""What a scenario may say about OMA BCAST, what it must not, and what LTKMs and STKMs come of it."""

from __future__ import annotations

import io

import pytest

from card import CardProfile
from card.codec.bcast import LtkmManagement, ParentalControl, Rating, ratings_of
from card.codec.mikey import ExtensionType, MikeyMessage
from card.spec.bcast.p1 import P1
from host_tools.content.captures.pcap import CaptureReader
from host_tools.headend.errors import HeadendError, ScenarioError
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.reading import parse_scenario, shipped_scenario
from host_tools.headend.scenario.schedule import timestamps
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.subscribers.personalised import subscriber_of
from host_tools.terminal.card_stkm import CardStkmView

BASE = """
name = "x"
seed = "x"
start = 2026-11-21T12:00:00Z
duration = 4.0
network.imsi = "001010123456789"
stkm = { crypto_period = 1.0, repeat = 0.5 }
recording.view = "all"

[[service]]
id = "one"
key_group = 1
address = "239.1.1.1"
"""


def scenario(extra: str) -> Scenario:
    return parse_scenario(BASE + extra, "x.toml")


def network(plan: Scenario) -> tuple[UsimNetwork, str]:
    made = UsimNetwork(plan, subscriber_of(CardProfile.demo()), tables=P1)
    challenge = made.bsf.challenge(made.subscriber.impi)
    return made, made.bsf.presume_answered(challenge.rand).b_tid


def stkms(plan: Scenario) -> list[CardStkmView]:
    capture = CaptureReader(io.BytesIO(network(plan)[0].recording().pcap))
    return [CardStkmView.decode(datagram.payload, P1) for datagram in capture if datagram.destination.port == 2269]


class TestMistakes:
    @pytest.mark.parametrize(
        ("extra", "words"),
        [
            ('[[delivery]]\nservice = "one"', "give either at"),
            ('[[delivery]]\nservice = "one"\nat = 0\noffer = "x"', "give either at"),
            ('[[delivery]]\nservice = "two"\nat = 0', "delivery[1].service"),
            ('[[delivery]]\nservice = "one"\nat = 5', "delivery[1].at"),
            ('[[delivery]]\nservice = "one"\nat = 0\nspe = 256', "delivery[1].spe"),
            ('[[delivery]]\nservice = "one"\nat = 0\nkey = 2', "one has 1 keys, not 2"),
            ('[[delivery]]\nservice = "one"\nat = 0\nadd = 1', "true or false"),
            ('[[delivery]]\nservice = "one"\nat = 0\ncost = 4_294_967_296', "delivery[1].cost"),
            ('[[delivery]]\nservice = "one"\nat = 0\nkind = "tokens"', "tokens need an amount"),
            ('[[delivery]]\nservice = "one"\nat = 0\nkind = "parental"', "a parental message sets"),
            ('[[delivery]]\nservice = "one"\nat = 0\nkind = "parental"\npincode = "12"', "4 to 8 digits"),
            ('[[delivery]]\nservice = "one"\nat = 0\ntoken = 4', "did you mean tokens?"),
            ("[service.bcast]\nprotection_after_reception = 4", "protection_after_reception"),
            ("[service.bcast]\nbinding_key = 1", "must know where"),
            ('[service.bcast]\nbinding_key = 1\npermissions_issuer = "http://x"', "an https address"),
            ('[[programme]]\nservice = "one"', "programme[1].rating"),
        ],
    )
    def test_is_named(self, extra: str, words: str) -> None:
        with pytest.raises(ScenarioError) as caught:
            scenario(extra)
        assert words in str(caught.value)

    def test_a_pincode_is_never_shown(self) -> None:
        with pytest.raises(ScenarioError) as caught:
            scenario('[[delivery]]\nservice = "one"\nat = 0\nkind = "parental"\npincode = "25x0"\nlevel = 1')
        assert "delivery[1].pincode" in str(caught.value)
        good = scenario('[[delivery]]\nservice = "one"\nat = 0\nkind = "parental"\npincode = "2580"')
        assert "2580" not in repr(good)
        assert "2580" not in str(good.planned[0])


class TestStkms:
    def test_without_a_table_they_are_plain_mbms(self) -> None:
        assert {view.management for view in stkms(scenario(""))} == {None}

    def test_ratings_belong_to_their_programme(self) -> None:
        plan = scenario("[service.bcast]\n[[programme]]\nservice = 'one'\nfrom = 1.0\nuntil = 3.0\nrating = 9")
        rated: dict[int, tuple[Rating, ...]] = {}
        for view in stkms(plan):
            assert view.management is not None
            found = ratings_of(view.management.access_criteria, P1)
            rated.setdefault(int.from_bytes(view.ids.mtk_id or b"", "big"), found)
        assert [[rating.value for rating in rated[mtk]] for mtk in sorted(rated)] == [[], [9], [9], []]

    @pytest.mark.parametrize(("period", "lifetime"), [(1.0, 0), (2.0, 1), (2.5, 2), (4.0, 2)])
    def test_the_lifetime_covers_the_crypto_period(self, period: float, lifetime: int) -> None:
        text = (BASE + "[service.bcast]").replace("crypto_period = 1.0", f"crypto_period = {period}")
        view = stkms(parse_scenario(text, "x"))[0]
        assert view.management is not None
        assert view.management.traffic_key_lifetime == lifetime

    def test_the_issuer_is_named(self) -> None:
        view = stkms(shipped_scenario("terminal_binding"))[0]
        assert view.management is not None
        assert view.management.terminal_binding_key_id == 7
        assert view.management.permissions_issuer_uri.startswith(b"https://permissions.")


class TestTimestamps:
    @pytest.mark.parametrize(
        ("begins", "ends", "bounds"),
        [(0, 4000, (1, 8)), (1000, 3000, (3, 6)), (999, 1001, (3, 4)), (3000, 9000, (7, 8)), (2000, 2000, (5, 4))],
    )
    def test_are_those_of_the_crypto_periods(self, begins: int, ends: int, bounds: tuple[int, int]) -> None:
        policed = scenario('[[delivery]]\nservice = "one"\nat = 0\nspe = 4')
        assert timestamps(policed, "one", begins, ends) == bounds


class TestLtkms:
    def test_what_is_planned_is_in_the_message(self) -> None:
        made, b_tid = network(
            scenario('[[delivery]]\nservice = "one"\nat = 0\nspe = 0\ncost = 5\ntokens = 9\nadd = true\nreport = true')
        )
        (delivery,) = made.deliveries
        extension = MikeyMessage.decode(made.ltkm(delivery, b_tid)).extension(ExtensionType.OMA_BCAST)
        assert extension is not None
        management = LtkmManagement.decode(extension.data[1:], P1)
        assert (management.spe, management.cost, management.tokens) == (0, 5, 9)
        assert (management.add, management.consumption_reporting) == (True, True)

    def test_tokens_name_no_key(self) -> None:
        made, b_tid = network(scenario('[[delivery]]\nkind = "tokens"\nservice = "one"\nat = 0\nspe = 2\ntokens = 9'))
        message = MikeyMessage.decode(made.ltkm(made.deliveries[0], b_tid))
        assert message.key_ids().msk_id.hex() == "00010000"

    def test_a_parental_message_shows_no_pincode(self) -> None:
        made, b_tid = network(
            scenario('[[delivery]]\nkind = "parental"\nservice = "one"\nat = 0\npincode = "2580"\nlevel = 3')
        )
        raw = made.ltkm(made.deliveries[0], b_tid)
        extension = MikeyMessage.decode(raw).extension(ExtensionType.OMA_BCAST)
        assert extension is not None
        control = ParentalControl.decode(extension.data[1:], P1)
        assert (control.has_pincode, control.level) == (True, (0, 3))
        assert b"2580" not in raw

    def test_a_service_with_planned_ltkms_gets_no_others(self) -> None:
        made, _ = network(scenario('[[delivery]]\nservice = "one"\noffer = "it"\nspe = 4'))
        assert made.deliveries == ()
        assert [offer.id for offer in made.shop.offers()] == ["it"]

    def test_nothing_else_is_for_sale(self) -> None:
        made, b_tid = network(scenario(""))
        assert made.shop.offers() == ()
        with pytest.raises(HeadendError, match="nothing is offered"):
            made.shop.buy("it", b_tid)
