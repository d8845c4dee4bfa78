"""The home of a CSIM against the oracle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from card.crypto.bcmcs import PROVISIONAL_SET, RegistrationKey, find_functions
from card.crypto.secret import Secret
from card.errors import DecodeError
from card.spec.bcast.p1 import P1
from host_tools.exchange.digest.client import answer as answer_challenge
from host_tools.exchange.digest.compute import Asked
from host_tools.exchange.digest.headers import Challenge, Credentials
from host_tools.exchange.digest.one_time import join_nonce, one_time_password, split_nonce
from host_tools.headend.bsm.rk_home import RkHome
from host_tools.headend.errors import HeadendError, VerificationError
from host_tools.headend.scenario.csim import CsimNetwork
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.seeded import Seeded, SeededRng
from host_tools.headend.subscribers.memory import MemorySubscribers
from host_tools.headend.subscribers.rk_subscriber import RkSubscriber
from tests.oracle import bcmcs
from tests.oracle.mikey import open_kemac

RK = bytes(range(16))
NAI = "someone@cdma.example.org"
SUBSCRIBER = RkSubscriber("001010123456789", NAI, RegistrationKey(Secret(RK), find_functions(PROVISIONAL_SET)))
RAND = bytes(range(16, 32))


@pytest.fixture
def home() -> RkHome:
    return RkHome(MemorySubscribers(rk_subscribers=[SUBSCRIBER]), "bsm.example.org", SeededRng(Seeded("test"), "rk"))


ASKED = Asked("POST", "/x", b"body")


def answer(challenge: Challenge, rk: bytes = RK, nai: str = NAI) -> Credentials:
    rand, demanded = split_nonce(challenge.nonce)
    password = one_time_password(bcmcs.response(rk, rand, demanded))
    return answer_challenge(challenge, nai, password, ASKED, "0123")


class TestKeys:
    def test_the_smk_is_the_tk_of_the_rand(self, home: RkHome) -> None:
        assert home.smk(NAI, b"naf", RAND).reveal() == bcmcs.tk(RK, RAND)

    def test_a_bak_delivery(self, home: RkHome) -> None:
        first = home.deliver_bak(NAI, b"flow", b"id", b"\x01", Secret(bytes(16)))
        second = home.deliver_bak(NAI, b"flow", b"id", b"\x01", Secret(bytes(16)))
        assert first.encrypted == bcmcs.sealed_bak(RK, first.tk_rand, bytes(16))
        assert first.tk_rand != second.tk_rand

    def test_another_subscriber(self, home: RkHome) -> None:
        with pytest.raises(HeadendError, match="no subscriber"):
            home.smk("other@x", b"", RAND)
        with pytest.raises(HeadendError, match="no subscriber"):
            home.srk("other@x", b"")

    def test_nothing_shows_the_root(self) -> None:
        assert RK.hex() not in repr(SUBSCRIBER)


class TestRegistration:
    def test_the_right_card(self, home: RkHome) -> None:
        with pytest.raises(HeadendError, match="not answered"):
            home.srk(NAI, b"")
        challenge = home.demand()
        home.admit(answer(challenge), ASKED)
        assert home.srk(NAI, b"").reveal() == bcmcs.auth_key(RK, split_nonce(challenge.nonce)[0])

    def test_a_card_with_another_rk(self, home: RkHome) -> None:
        with pytest.raises(HeadendError, match="does not hold the registration key"):
            home.admit(answer(home.demand(), rk=bytes(16)), ASKED)

    def test_an_answer_counts_once(self, home: RkHome) -> None:
        right = answer(home.demand())
        home.admit(right, ASKED)
        with pytest.raises(HeadendError, match="no challenge"):
            home.admit(right, ASKED)

    def test_an_answer_to_an_older_challenge(self, home: RkHome) -> None:
        old = answer(home.demand())
        home.demand()
        with pytest.raises(HeadendError, match="wrong"):
            home.admit(old, ASKED)

    def test_an_unknown_name(self, home: RkHome) -> None:
        with pytest.raises(HeadendError, match="no subscriber"):
            home.admit(answer(home.demand(), nai="other@x"), ASKED)

    @pytest.mark.parametrize("field", ["realm", "nonce", "cnonce", "response"])
    def test_a_changed_answer(self, home: RkHome, field: str) -> None:
        right = answer(home.demand())
        changed: dict[str, Any] = {field: "changed"}
        with pytest.raises(HeadendError, match="wrong"):
            home.admit(replace(right, **changed), ASKED)

    @pytest.mark.parametrize("changes", [{"uri": "/y"}, {"body": b"other"}])
    def test_another_request(self, home: RkHome, changes: dict[str, Any]) -> None:
        with pytest.raises(HeadendError, match="wrong"):
            home.admit(answer(home.demand()), replace(ASKED, **changes))

    def test_another_method(self, home: RkHome) -> None:
        with pytest.raises(HeadendError, match="wrong"):
            home.admit(answer(home.demand()), replace(ASKED, method="GET"))


@pytest.mark.parametrize("nonce", ["", "not base64!", "AAAA", join_nonce(bytes(16), bytes(17)), "é"])
def test_a_nonce_that_is_none(nonce: str) -> None:
    with pytest.raises(DecodeError):
        split_nonce(nonce)


class TestNetwork:
    network = CsimNetwork(shipped_scenario("demo"), SUBSCRIBER, tables=P1)

    def test_an_ltkm_is_under_the_tk_of_its_rand(self) -> None:
        delivery = self.network.deliveries[0]
        message = self.network.ltkm(delivery, NAI)
        plain = open_kemac(bcmcs.tk(RK, delivery.key.rand), delivery.key.rand, message)
        assert plain is not None
        assert delivery.key.key.reveal() in plain
        assert NAI.encode() in message

    def test_a_verification_message_is_checked(self) -> None:
        message = self.network.ltkm(self.network.deliveries[0], NAI)
        with pytest.raises(VerificationError):
            self.network.bsm.verify(message, message)

    def test_a_scenario_for_somebody_else(self) -> None:
        with pytest.raises(HeadendError, match="is for IMSI"):
            CsimNetwork(shipped_scenario("demo"), replace(SUBSCRIBER, imsi="001019999999999"), tables=P1)
