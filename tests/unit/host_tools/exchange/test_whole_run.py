"""Terminal and network reach each other by octets alone: bootstrapping, registration, keys, deregistration."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus

import pytest

from card import CardProfile
from host_tools.exchange.digest.headers import Challenge, Credentials
from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.messages.ltkm_push import MIKEY_PORT
from host_tools.exchange.messages.msk import MskName
from host_tools.exchange.messages.registration import ServiceCode
from host_tools.exchange.status import Reaction
from host_tools.exchange.transport import InProcessTransport, Peer
from host_tools.headend.scenario.seeded_keys import traffic_key
from host_tools.headend.seeded import Seeded, SeededRng
from host_tools.headend.stkm import StkmContent, seal_stkm
from host_tools.sessions.csim import csim_subscriber
from host_tools.terminal.bcast import Tek
from host_tools.terminal.http.errors import AnswerRefusedError, NotAdmittedError, ServerRefusedError
from host_tools.terminal.http.session import CsimSession
from host_tools.terminal.http.ua import UaClient
from tests.oracle import http_digest
from tests.support.wire import BSM_PLACE, ONE, TERMINAL, TWO, UNBOUGHT, CsimBench, UsimBench


@pytest.fixture
def bench() -> UsimBench:
    return UsimBench()


def feed(bench: UsimBench | CsimBench, mtk_id: int = 1) -> object:
    key = bench.network.bsm.current_key("one")
    traffic = traffic_key(bench.network.scenario, key, mtk_id)
    content = StkmContent(key.traffic_key_ids(mtk_id), traffic.tek, traffic.salt, mtk_id)
    return bench.middleware.feed(seal_stkm(content, key.key, key.csb_id, key.rand))


class TestUsim:
    @pytest.mark.norm("65")
    def test_from_nothing_to_a_traffic_key(self, bench: UsimBench) -> None:
        codes = bench.terminal.register([ONE, UNBOUGHT])
        assert codes == (ServiceCode(ONE, 200), ServiceCode(UNBOUGHT, 403))
        # Ub: introduced, answered. Ua: without credentials, with them.
        assert bench.wire.statuses() == [401, 200, 401, 200]
        push, acknowledgement = bench.deliver(bench.middleware)
        assert (push.destination.address, push.destination.port) == (TERMINAL.address, MIKEY_PORT)
        assert (acknowledgement.source, acknowledgement.destination) == (push.destination, BSM_PLACE)
        assert bench.pushes.acknowledged == 1
        assert isinstance(feed(bench), Tek)
        registered = bench.keys.registration(bench.identity)
        assert registered is not None
        assert registered.service_ids == (ONE,)

    def test_the_digest_is_md5_with_auth_int_and_the_body_is_under_it(self, bench: UsimBench) -> None:
        bench.terminal.register([ONE])
        challenged, answered = bench.wire.crossed[-2][1], bench.wire.crossed[-1][0]
        assert 'realm="3GPP-bootstrapping@bmsc.' in challenged.all("WWW-Authenticate")[0]
        assert "algorithm=MD5" in challenged.all("WWW-Authenticate")[0]
        assert 'qop="auth-int"' in challenged.all("WWW-Authenticate")[0]
        changed = replace(answered, body=answered.body.replace(b"item:one", b"item:two"))
        assert bench.handle(changed, TERMINAL).status == HTTPStatus.UNAUTHORIZED

    def test_the_second_request_goes_out_with_credentials(self, bench: UsimBench) -> None:
        bench.terminal.register([ONE])
        bench.wire.statuses()
        key = bench.network.bsm.current_key("one")
        (code,) = bench.terminal.request_keys([MskName(key.key_domain_id, key.msk_id[:2] + bytes(2))])
        assert code.status == 200
        assert bench.wire.statuses() == [200]
        # The key of the registration was not acknowledged yet, so the second one waits.
        assert len(bench.deliver(bench.middleware)) == 4

    def test_a_key_that_is_not_to_be_had(self, bench: UsimBench) -> None:
        key = bench.network.bsm.current_key("two")
        name = MskName(key.key_domain_id, key.msk_id)
        (unregistered,) = bench.terminal.request_keys([name])
        bench.terminal.register([TWO])
        codes = bench.terminal.request_keys([name, MskName(bytes(3), key.msk_id), replace(name, msk_id=b"\0\2\0\x63")])
        assert [unregistered.status, *(code.status for code in codes)] == [403, 200, 403, 403]

    def test_an_over_key_is_refused_and_one_to_come_is_not(self, bench: UsimBench) -> None:
        first, second = bench.network.bsm.keys("one")
        names = [MskName(first.key_domain_id, key.msk_id) for key in (first, second)]
        bench.terminal.register([ONE])
        assert [code.status for code in bench.terminal.request_keys(names)] == [200, 200]
        bench.clock.advance(1.5)
        assert [code.status for code in bench.terminal.request_keys(names)] == [403, 200]

    def test_deregistration_withdraws_what_nothing_else_uses(self, bench: UsimBench) -> None:
        bench.terminal.register([ONE, TWO])
        bench.deliver(bench.middleware)
        assert bench.terminal.deregister([TWO, UNBOUGHT]) == (ServiceCode(TWO, 200), ServiceCode(UNBOUGHT, 403))
        carried = bench.deliver(bench.middleware)
        # The key of service two is withdrawn; that of service one, which ONE keeps, goes out once more.
        assert [receipt.taken for receipt in bench.receipts] == [True] * 4
        assert len(carried) == 4
        assert isinstance(feed(bench), Tek)
        bench.terminal.deregister([ONE])
        bench.deliver(bench.middleware)
        assert not isinstance(feed(bench, mtk_id=2), Tek)
        assert bench.keys.registration(bench.identity) is None

    def test_a_new_registration_leaves_other_services_as_they_are(self, bench: UsimBench) -> None:
        """TS 33.246 clause 6.3.2.1A: it overrides existing ones "to the same MBMS User Services"."""
        bench.terminal.register([ONE])
        bench.terminal.register([TWO])
        registered = bench.keys.registration(bench.identity)
        assert registered is not None
        assert registered.service_ids == (ONE, TWO)

    def test_a_nonce_that_is_over_costs_one_more_request(self, bench: UsimBench) -> None:
        bench.terminal.register([ONE])
        bench.wire.statuses()
        bench.clock.advance(301)
        bench.terminal.register([ONE])
        stale = bench.wire.crossed[0][1]
        assert "stale=true" in stale.all("WWW-Authenticate")[0]
        assert bench.wire.statuses() == [401, 200]

    def test_after_a_restart_of_the_bsm_no_bootstrapping_is_needed(self, bench: UsimBench) -> None:
        bench.terminal.register([ONE])
        bench.wire.statuses()
        bench.ua = bench.new_ua("second")
        bench.terminal.register([ONE])
        assert bench.wire.statuses() == [401, 200]

    def test_a_request_that_comes_twice_acts_once(self, bench: UsimBench) -> None:
        bench.terminal.register([ONE])
        again = bench.handle(bench.wire.crossed[-1][0], TERMINAL)
        assert again.status == HTTPStatus.UNAUTHORIZED
        assert bench.ua.replays == 1

    def test_keys_that_are_over_lead_through_ub_once(self, bench: UsimBench) -> None:
        bench.terminal.register([ONE])
        bench.deliver(bench.middleware)
        bench.wire.statuses()
        bench.clock.advance(25 * 3600)
        bench.terminal.register([ONE])
        assert bench.wire.statuses() == [401, 200, 401, 200]
        registered = bench.keys.registration(bench.identity)
        assert registered is not None
        assert registered.route.b_tid == bench.session.current().username

    def test_a_bootstrapping_that_did_not_end_is_run_anew(self, bench: UsimBench) -> None:
        """The card has a new Ks, and the answer of the BSF got lost or was not authentic: there is no B-TID to show."""
        challenge = bench.bsf.challenge(bench.middleware.identity.impi)
        bench.middleware.usim.gba_bootstrap(challenge.rand, challenge.autn_star)
        bench.wire.statuses()
        bench.terminal.register([ONE])
        assert bench.wire.statuses() == [401, 200, 401, 200]
        assert all(b'username=""' not in request.encode() for request, _ in bench.wire.crossed)

    def test_a_bootstrapping_of_somebody_else_is_noticed(self, bench: UsimBench) -> None:
        """Another Ub run, as for an LTKM under a lost key, makes a new B-TID: the next request is under it."""
        bench.terminal.register([ONE])
        b_tid = bench.middleware.bootstrap(bench.bsf).b_tid
        bench.terminal.register([ONE])
        registered = bench.keys.registration(bench.identity)
        assert registered is not None
        assert registered.route.b_tid == b_tid

    def test_a_bsm_that_wants_another_key_leads_through_ub_once(self, bench: UsimBench) -> None:
        """The BSM has lost what it knew, and the BSF serves another Ks by now."""
        bench.terminal.register([ONE])
        bench.wire.statuses()
        other = UsimBench()
        bench.network, bench.accounts = other.network, other.accounts
        bench.ua, bench.ub = other.ua, other.ub
        with pytest.raises(NotAdmittedError, match="also those of a new bootstrapping"):
            bench.terminal.register([ONE])
        # Refused; Ub with the BSF that the terminal knows; refused again.
        assert bench.wire.statuses() == [401, 401, 200, 401]

    def test_no_secret_crosses_the_wire(self, bench: UsimBench) -> None:
        bench.terminal.register([ONE])
        b_tid = bench.session.current().username
        for key in (bench.network.bsm.srk(b_tid), bench.network.bsm.smk(b_tid)):
            assert key.reveal() not in bytes(bench.wire.octets)
            assert key.reveal().hex().encode() not in bytes(bench.wire.octets).lower()


class TestCsim:
    @pytest.fixture
    def csim(self) -> CsimBench:
        profile = CardProfile.demo("csim")
        return CsimBench(csim_subscriber(profile), profile)

    def test_keys_by_nai_and_the_cards_answer(self, csim: CsimBench) -> None:
        assert csim.terminal.register([ONE]) == (ServiceCode(ONE, 200),)
        assert csim.wire.statuses() == [401, 200]
        assert len(csim.deliver(csim.middleware)) == 2
        assert isinstance(feed(csim), Tek)
        # The next nonce came with the answer, and the card answers it too.
        csim.terminal.register([ONE])
        assert csim.wire.statuses() == [200]

    def test_a_card_with_another_key(self, csim: CsimBench) -> None:
        stranger = csim_subscriber(CardProfile.demo("csim"))
        other = CsimBench(replace(stranger, nai="other@example.org"), CardProfile.demo("csim"))
        client = UaClient(
            InProcessTransport(other, TERMINAL),
            other.fqdn,
            CsimSession(csim.middleware, other.fqdn),
            SeededRng(Seeded("x"), "x"),
        )
        with pytest.raises(NotAdmittedError, match="refuses the card's answer"):
            client.register([ONE])


class Scripted:
    """A server that answers what a test says, and signs where it is asked to, by the oracle."""

    def __init__(self, password: bytes, *answers: HttpResponse) -> None:
        self._password = password
        self._answers = list(answers)

    def handle(self, request: HttpRequest, peer: Peer) -> HttpResponse:
        response = self._answers.pop(0)
        if SIGN not in response.headers:
            return response
        shown = Credentials.parse(request.one("Authorization") or "")
        count, first = f"{shown.nc:08x}", http_digest.ha1(shown.username, shown.realm, self._password)
        second = http_digest.ha2("", shown.uri, "auth-int", response.body)
        rspauth = http_digest.response(first, shown.nonce, count, shown.cnonce, "auth-int", second)
        headers = tuple(one for one in response.headers if one != SIGN)
        info = ("authentication-info", f'nc={count} ,rspauth = "{rspauth}"')
        return HttpResponse(response.status, (*headers, info), response.body)


SIGN = ("X-Sign", "please")


GBA = "3GPP-bootstrapping@"
DAY = "Thu, 08 Jan 2004"


class TestClientAgainstOtherServers:
    def client(self, bench: UsimBench, *answers: HttpResponse) -> UaClient:
        password = bench.session.current().passwords.password(Challenge("any", "any")).reveal()
        transport = InProcessTransport(Scripted(password, *answers), TERMINAL)
        return UaClient(transport, bench.fqdn, bench.session, SeededRng(Seeded("x"), "x"))

    @staticmethod
    def demand(text: str) -> HttpResponse:
        return HttpResponse(401, (("WWW-Authenticate", text),))

    @pytest.mark.parametrize("realm", [f"{GBA}other.example.org", "bmsc", ""])
    def test_a_foreign_realm_is_not_answered(self, bench: UsimBench, realm: str) -> None:
        demanded = self.demand(f'Digest realm="{realm}", nonce="n", qop="auth-int"')
        with pytest.raises(NotAdmittedError, match="no digest with integrity protection"):
            self.client(bench, demanded).register([ONE])

    def test_a_challenge_without_protection_of_the_body_is_not_answered(self, bench: UsimBench) -> None:
        demanded = self.demand(f'Digest realm="{GBA}{bench.fqdn}", nonce="n", qop="auth"')
        with pytest.raises(NotAdmittedError):
            self.client(bench, demanded).register([ONE])

    @pytest.mark.parametrize(
        "text",
        [
            'Digest realm="{0};3GPP-bootstrapping-uicc@x", nonce="n", qop="auth,auth-int"',
            'Digest realm="other", nonce="m", qop="auth-int",Digest qop = auth-int ,nonce=n, realm="{0}"',
        ],
    )
    def test_odd_challenges_and_an_oddly_written_answer(self, bench: UsimBench, text: str) -> None:
        body = (
            b'<r:mbmsSecurityRegisterResponse xmlns:r="x"><r:response><r:serviceID>a</r:serviceID>'
            b"<r:responseCode>200</r:responseCode></r:response></r:mbmsSecurityRegisterResponse>"
        )
        told = HttpResponse(
            200, (("content-type", "application/mbms-register-response+xml; charset=utf-8"), SIGN), body
        )
        client = self.client(bench, self.demand(text.format(GBA + bench.fqdn)), told)
        assert client.register([ONE]) == (ServiceCode("a", 200),)

    def test_stale_without_end(self, bench: UsimBench) -> None:
        demanded = [
            self.demand(f'Digest realm="{GBA}{bench.fqdn}", nonce="{n}", qop="auth-int", stale=true') for n in range(4)
        ]
        with pytest.raises(NotAdmittedError, match="stale"):
            self.client(bench, *demanded).register([ONE])

    def test_a_wrong_rspauth_voids_the_answer(self, bench: UsimBench) -> None:
        demanded = self.demand(f'Digest realm="{GBA}{bench.fqdn}", nonce="n", qop="auth-int"')
        told = HttpResponse(200, (("Authentication-Info", 'rspauth="00"'),), b"")
        with pytest.raises(AnswerRefusedError, match="rspauth is wrong"):
            self.client(bench, demanded, told).register([ONE])

    def test_a_missing_rspauth_voids_an_answer_of_success(self, bench: UsimBench) -> None:
        """The registration may be done or not: who says so has not shown that it knows the SRK."""
        demanded = self.demand(f'Digest realm="{GBA}{bench.fqdn}", nonce="n", qop="auth-int"')
        told = HttpResponse(200, (("Content-Type", "application/mbms-register-response+xml"),), b"")
        with pytest.raises(AnswerRefusedError, match="rspauth is missing"):
            self.client(bench, demanded, told).register([ONE])

    def test_an_answer_without_any_authentication(self, bench: UsimBench) -> None:
        with pytest.raises(AnswerRefusedError, match="without having authenticated"):
            self.client(bench, HttpResponse(200)).register([ONE])

    @pytest.mark.parametrize(
        ("status", "headers", "reaction", "wait"),
        [
            (503, (("Retry-After", "7"),), Reaction.WAIT, 7),
            (503, (), Reaction.WAIT, 60),
            (503, (("Retry-After", "soon"),), Reaction.WAIT, 60),
            (503, (("Retry-After", "0"),), Reaction.WAIT, 0),
            (503, (("Retry-After", f"{DAY} 10:15:20 GMT"), ("Date", f"{DAY} 10:13:18 GMT")), Reaction.WAIT, 122),
            (503, (("Retry-After", f"{DAY} 10:00:00 GMT"), ("Date", f"{DAY} 10:13:18 GMT")), Reaction.WAIT, 0),
            (503, (("Retry-After", f"{DAY} 10:15:20 GMT"),), Reaction.WAIT, 60),
            (403, (), Reaction.REPORT, None),
            (409, (), Reaction.REPORT, None),
            (504, (), Reaction.REPORT, None),
        ],
    )
    def test_refusals(
        self, bench: UsimBench, status: int, headers: tuple[tuple[str, str], ...], reaction: Reaction, wait: int | None
    ) -> None:
        with pytest.raises(ServerRefusedError) as caught:
            self.client(bench, HttpResponse(status, headers)).register([ONE])
        assert (caught.value.status, caught.value.reaction, caught.value.retry_after) == (status, reaction, wait)

    @pytest.mark.parametrize("body", [b"", b"<x/>", b"<mbmsSecurityRegisterResponse/>"])
    def test_answers_that_cannot_be_read(self, bench: UsimBench, body: bytes) -> None:
        demanded = self.demand(f'Digest realm="{GBA}{bench.fqdn}", nonce="n", qop="auth-int"')
        told = HttpResponse(200, (("Content-Type", "application/mbms-register-response+xml"), SIGN), body)
        with pytest.raises(AnswerRefusedError, match="malformed"):
            self.client(bench, demanded, told).register([ONE])
