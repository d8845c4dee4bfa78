"""Client and server of HTTP Digest against each other, and what each refuses."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from card.crypto.secret import Secret
from card.errors import DecodeError
from host_tools.exchange.digest.aka import AkaNonce
from host_tools.exchange.digest.client import DigestClient, FixedPassword, choose
from host_tools.exchange.digest.compute import Algorithm, Asked, Qop
from host_tools.exchange.digest.counts import WINDOW, NonceCounts
from host_tools.exchange.digest.headers import AuthenticationInfo, Challenge, Credentials
from host_tools.exchange.digest.nonces import NONCE_LIFE, Nonces, NonceState
from host_tools.exchange.digest.one_time import join_nonce, split_nonce
from host_tools.exchange.digest.server import DigestServer, Verdict
from host_tools.exchange.errors import ServerNotAuthenticError
from tests.unit.host_tools.exchange.helpers import Counted, Moving

PASSWORD = Secret(b"secret")
REALM = "realm@x"
ASKED = Asked("POST", "/x", b"body")
LIFE = int(NONCE_LIFE.total_seconds())


class Ends:
    """A server and a client that knows its password."""

    def __init__(self, server_secret: bytes = b"s" * 32) -> None:
        self.clock = Moving()
        self.nonces = Nonces(Secret(server_secret), Counted(), self.clock)
        self.server = DigestServer(self.nonces, NonceCounts())
        self.client = DigestClient("user", FixedPassword(PASSWORD), Counted())

    def challenged(self) -> Credentials:
        self.client.challenged(self.server.challenge(REALM), REALM)
        return self.client.authorise(ASKED)

    def check(self, sent: Credentials, asked: Asked = ASKED, password: Secret = PASSWORD) -> Verdict:
        return self.server.check(Credentials.parse(sent.header_value()), password, asked)


@pytest.fixture
def ends() -> Ends:
    return Ends()


class TestServer:
    def test_right(self, ends: Ends) -> None:
        assert ends.check(ends.challenged()) is Verdict.RIGHT

    @pytest.mark.parametrize(
        "asked", [replace(ASKED, body=b"bodY"), replace(ASKED, uri="/y"), replace(ASKED, method="PUT")]
    )
    def test_another_request(self, ends: Ends, asked: Asked) -> None:
        assert ends.check(ends.challenged(), asked) is Verdict.WRONG

    def test_another_password(self, ends: Ends) -> None:
        assert ends.check(ends.challenged(), password=Secret(b"other")) is Verdict.WRONG

    @pytest.mark.parametrize("changes", [{"qop": Qop.AUTH}, {"algorithm": Algorithm.SHA_256}, {"qop": None}])
    def test_weaker_or_other_protection_is_not_taken(self, ends: Ends, changes: dict[str, object]) -> None:
        challenge = ends.server.challenge(REALM)
        offered = {"qop": {"qops": (Qop.AUTH,)}, "algorithm": {"algorithm": Algorithm.SHA_256}}
        weaker = replace(challenge, **offered[next(iter(changes))])  # type: ignore[arg-type]
        if changes == {"qop": None}:
            weaker = replace(challenge, qops=())
        ends.client.challenged(weaker, REALM)
        assert ends.check(ends.client.authorise(ASKED)) is Verdict.WRONG

    def test_a_count_is_used_once(self, ends: Ends) -> None:
        first = ends.challenged()
        assert ends.check(first) is Verdict.RIGHT
        assert ends.check(first) is Verdict.REPLAYED
        assert ends.check(ends.client.authorise(ASKED)) is Verdict.RIGHT

    def test_an_old_nonce_is_stale_for_whoever_has_the_password(self, ends: Ends) -> None:
        sent = ends.challenged()
        ends.clock.move(LIFE)
        assert ends.check(sent) is Verdict.RIGHT
        ends.clock.move(1)
        assert ends.check(ends.client.authorise(ASKED)) is Verdict.STALE
        assert ends.check(ends.client.authorise(ASKED), password=Secret(b"other")) is Verdict.WRONG

    def test_after_a_restart_every_nonce_is_stale(self, ends: Ends) -> None:
        sent = ends.challenged()
        assert Ends(b"t" * 32).check(sent) is Verdict.STALE

    def test_a_nonce_of_somebody_else_is_stale(self, ends: Ends) -> None:
        ends.client.challenged(Challenge(REALM, "abc"), REALM)
        assert ends.check(ends.client.authorise(ASKED)) is Verdict.STALE

    def test_a_nonce_from_the_future_is_not_live(self, ends: Ends) -> None:
        nonce = ends.nonces.fresh()
        ends.clock.move(-1)
        assert ends.nonces.state(nonce) is NonceState.EXPIRED


class TestNonces:
    def test_any_changed_octet_makes_it_foreign(self, ends: Ends) -> None:
        nonce = ends.nonces.fresh()
        rand, challenge = split_nonce(nonce)
        data = rand + challenge
        assert ends.nonces.state(nonce) is NonceState.LIVE
        for place in range(len(data)):
            other = bytearray(data)
            other[place] ^= 1
            changed = join_nonce(bytes(other[:16]), bytes(other[16:]))
            assert ends.nonces.state(changed) is NonceState.FOREIGN

    @pytest.mark.parametrize("text", ["", "x", "é", "A" * 43, join_nonce(bytes(16), bytes(16))])
    def test_foreign(self, ends: Ends, text: str) -> None:
        assert ends.nonces.state(text) is NonceState.FOREIGN

    def test_no_two_are_alike(self, ends: Ends) -> None:
        assert len({ends.nonces.fresh() for _ in range(100)}) == 100


class TestCounts:
    def test_late_ones_are_taken_within_the_window(self) -> None:
        counts = NonceCounts()
        assert counts.use("u", "n", 1, 100, 0)
        assert counts.use("u", "n", 1, 100 - WINDOW + 1, 0)
        assert not counts.use("u", "n", 1, 100 - WINDOW + 1, 0)
        assert not counts.use("u", "n", 1, 100 - WINDOW, 0)
        assert counts.use("u", "n", 1, 99, 0)
        assert counts.use("u", "n", 1, 0xFFFF_FFFF, 0)
        assert not counts.use("u", "n", 1, 100, 0)

    def test_two_users_of_one_nonce(self) -> None:
        counts = NonceCounts()
        assert counts.use("u", "n", 1, 1, 0)
        assert counts.use("v", "n", 1, 1, 0)

    def test_the_table_is_bounded_and_nothing_forgotten_is_used_again(self) -> None:
        counts = NonceCounts(most=4)
        for number in range(10):
            assert counts.use("u", f"n{number}", number, 1, 0)
            assert len(counts) <= 4
        for number in range(10):
            assert not counts.use("u", f"n{number}", number, 1, 0)
        assert not counts.use("u", "another as old as a forgotten one", 5, 1, 0)

    def test_dead_nonces_make_room_without_anything_forgotten(self) -> None:
        counts = NonceCounts(most=2)
        assert counts.use("u", "a", 1, 1, 0)
        assert counts.use("u", "b", 1, 1, 0)
        assert counts.use("u", "c", 5, 1, 5)
        assert counts.use("u", "d", 1, 1, 0)


class TestClient:
    def test_it_counts_and_follows_the_next_nonce(self, ends: Ends) -> None:
        assert not ends.client.can_answer
        first, second = ends.challenged(), ends.client.authorise(ASKED)
        assert (first.nc, second.nc) == (1, 2)
        assert first.cnonce != second.cnonce
        info = ends.server.info(second, PASSWORD, b"answer").header_value()
        assert ends.client.check(second, [info], b"answer")
        third = ends.client.authorise(ASKED)
        assert (third.nonce, third.nc) == (AuthenticationInfo.parse(info).nextnonce, 1)
        assert ends.check(third) is Verdict.RIGHT

    def test_without_rspauth_nothing_is_shown_and_nothing_followed(self, ends: Ends) -> None:
        sent = ends.challenged()
        assert not ends.client.check(sent, [], b"answer")
        assert not ends.client.check(sent, ['nextnonce="evil"'], b"answer")
        assert ends.client.authorise(ASKED).nonce == sent.nonce

    @pytest.mark.parametrize(
        "changes",
        [{"rspauth": "0" * 32}, {"cnonce": "x"}, {"nc": 7}, {"qop": Qop.AUTH}],
        ids=lambda one: next(iter(one)),
    )
    def test_a_server_that_is_not_authentic(self, ends: Ends, changes: dict[str, object]) -> None:
        sent = ends.challenged()
        info = replace(ends.server.info(sent, PASSWORD, b"answer"), **changes)  # type: ignore[arg-type]
        with pytest.raises(ServerNotAuthenticError):
            ends.client.check(sent, [info.header_value()], b"answer")

    def test_a_changed_body(self, ends: Ends) -> None:
        sent = ends.challenged()
        info = ends.server.info(sent, PASSWORD, b"answer").header_value()
        with pytest.raises(ServerNotAuthenticError, match="rspauth is wrong"):
            ends.client.check(sent, [info], b"answeR")

    @pytest.mark.parametrize("headers", [["rspauth"], ['rspauth="a"', 'rspauth="a"']])
    def test_headers_that_cannot_be_read(self, ends: Ends, headers: list[str]) -> None:
        with pytest.raises(ServerNotAuthenticError):
            ends.client.check(ends.challenged(), headers, b"")

    def test_without_a_challenge_there_is_nothing_to_answer(self, ends: Ends) -> None:
        assert not ends.client.can_answer
        with pytest.raises(ValueError, match="no challenge"):
            ends.client.authorise(ASKED)

    def test_the_choice_of_a_realm(self) -> None:
        weak, strong = Challenge("a;b", "1", qops=(Qop.AUTH,)), Challenge("b", "2")
        assert choose([weak, strong], ["b"]) == (strong, "b")
        assert choose([weak, strong], ["a", "b"]) == (weak, "a")
        assert choose([weak], ["c"]) is None

    def test_a_realm_is_answered_as_the_server_spells_it(self) -> None:
        """It holds the name of a host, where capitals do not count (RFC 4343)."""
        challenge = Challenge("3GPP-bootstrapping@BMSC.Home1.net", "1")
        assert choose([challenge], ["3GPP-bootstrapping@bmsc.home1.net"]) == (challenge, challenge.realm)


class TestAkaNonce:
    def test_round_trip(self) -> None:
        nonce = AkaNonce(bytes(range(16)), bytes(range(16, 32)))
        assert AkaNonce.parse(nonce.text()) == nonce

    def test_what_a_server_adds_is_passed_over(self) -> None:
        assert AkaNonce.parse("A" * 64) == AkaNonce(bytes(16), bytes(16))

    @pytest.mark.parametrize("text", ["", "%", "é", "A" * 40, "A" * 1024])
    def test_malformed(self, text: str) -> None:
        with pytest.raises(DecodeError):
            AkaNonce.parse(text)


def test_a_life_of_another_length() -> None:
    clock = Moving()
    nonces = Nonces(Secret(bytes(32)), Counted(), clock, timedelta(seconds=10))
    nonce = nonces.fresh()
    clock.move(11)
    assert nonces.state(nonce) is NonceState.EXPIRED
