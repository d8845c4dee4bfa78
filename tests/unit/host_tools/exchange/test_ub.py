"""Ub: the BSF against a client written from the texts, and the terminal against BSFs that go wrong."""

from __future__ import annotations

import base64
import re
import tracemalloc
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from host_tools.exchange.digest.headers import Credentials
from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.messages.bootstrapping import BootstrappingInfo
from host_tools.exchange.messages.zn import KeyChoice
from host_tools.exchange.transport import InProcessTransport, Peer
from host_tools.headend.bsf.bootstrappings import MemoryBootstrappings
from host_tools.headend.bsf.server import PENDING_IN_ALL, Bsf
from host_tools.headend.clock import ManualClock
from host_tools.headend.errors import HeadendError
from host_tools.headend.http.ub import MOST_CHALLENGES, UbServer
from host_tools.headend.seeded import Seeded, SeededRng
from host_tools.headend.subscribers.gba_settings import GbaSettings, UiccType
from host_tools.headend.subscribers.memory import MemorySubscribers
from host_tools.terminal.errors import NetworkRefusedError
from host_tools.terminal.http.errors import AnswerRefusedError
from host_tools.terminal.http.session import GbaSession
from host_tools.terminal.http.ub import HttpBsf
from tests.oracle import gba, http_digest, milenage
from tests.support.wire import TERMINAL, UsimBench
from tests.unit.host_tools.exchange.helpers import Counted
from tests.unit.host_tools.headend.networks import IMPI, OPC, K, small_scenario, subscriber
from tests.unit.host_tools.headend.subscribers.test_many_subscribers import impi, someone

BSF = "bsf.mnc001.mcc001.pub.3gppnetwork.org"
ME_BASED = GbaSettings(UiccType.GBA, KeyChoice.ME_BASED, timedelta(hours=1))
UICC_BASED = GbaSettings(UiccType.GBA_U, KeyChoice.UICC_BASED, timedelta(hours=1))
START = small_scenario().start


class Raw:
    """A client without any of our code: headers by hand, hashes and RES by the oracle."""

    def __init__(self, settings: GbaSettings = UICC_BASED) -> None:
        self.clock = ManualClock(START)
        self.subscribers = MemorySubscribers([subscriber().with_settings(settings)])
        self.bsf = Bsf(
            BSF,
            self.subscribers,
            MemoryBootstrappings(10),
            {},
            SeededRng(Seeded("t"), "rand"),
            self.clock,
        )
        self.server = UbServer(self.bsf, BSF, Counted(), self.clock)

    def get(self, authorization: str | None, method: str = "GET", target: str = "/") -> HttpResponse:
        headers = (("Host", BSF),) + ((("Authorization", authorization),) if authorization is not None else ())
        return self.server.handle(HttpRequest(method, target, headers), TERMINAL)

    def challenged(self, username: str = IMPI) -> dict[str, str]:
        """Introduce the subscriber; return the parameters of the challenge."""
        text = f'Digest username="{username}", realm="{BSF}", nonce="", uri="/", response=""'
        response = self.get(text)
        assert response.status == 401
        return dict(re.findall(r'(\w+)="?([^",]*)"?', response.all("WWW-Authenticate")[0]))

    def answer(self, challenge: dict[str, str], res: bytes, auts: bytes | None = None, **changes: Any) -> HttpResponse:
        said: dict[str, str] = {
            "username": IMPI,
            "realm": BSF,
            "uri": "/",
            "nc": "00000001",
            "cnonce": "6629fae49393a053",
        }
        said |= {"nonce": challenge["nonce"], "opaque": challenge["opaque"]}
        first = http_digest.ha1(said["username"], said["realm"], res)
        second = http_digest.ha2("GET", said["uri"], "auth-int", b"")
        said["response"] = http_digest.response(first, said["nonce"], said["nc"], said["cnonce"], "auth-int", second)
        said |= changes
        if auts is not None:
            said["auts"] = base64.b64encode(auts).decode()
        quoted = ", ".join(f'{name}="{value}"' for name, value in said.items() if name != "nc")
        return self.get(f"Digest {quoted}, nc={said['nc']}, qop=auth-int, algorithm=AKAv1-MD5")

    @staticmethod
    def res(challenge: dict[str, str]) -> bytes:
        rand = base64.b64decode(challenge["nonce"])[:16]
        return milenage.vector(K.reveal(), OPC.reveal(), rand, bytes(6), bytes(2))["f2"]


@pytest.fixture
def raw() -> Raw:
    return Raw()


class TestServer:
    def test_the_challenge(self, raw: Raw) -> None:
        challenge = raw.challenged()
        assert (challenge["realm"], challenge["qop"], challenge["algorithm"]) == (BSF, "auth-int", "AKAv1-MD5")
        assert len(base64.b64decode(challenge["nonce"])) == 32

    def test_who_knows_many_names_pushes_out_no_challenge_of_another_address(self, raw: Raw) -> None:
        challenge, stranger = raw.challenged(), Peer("192.0.2.1")
        for number in range(PENDING_IN_ALL // MOST_CHALLENGES + 1):
            raw.subscribers.add(someone(number))
            header = Credentials.introduction(impi(number), BSF, "/").header_value()
            request = HttpRequest("GET", "/", (("Host", BSF), ("Authorization", header)))
            assert {raw.server.handle(request, stranger).status for _ in range(MOST_CHALLENGES)} == {401}
        assert raw.answer(challenge, gba.flip(raw.res(challenge))).status == 200

    def test_gba_u_wants_res_with_its_last_bit_flipped(self, raw: Raw) -> None:
        challenge = raw.challenged()
        flipped = gba.flip(raw.res(challenge))
        response = raw.answer(challenge, flipped)
        assert response.status == 200
        info = BootstrappingInfo.decode(response.body)
        rand = base64.b64decode(challenge["nonce"])[:16]
        assert info.b_tid == f"{base64.b64encode(rand).decode()}@{BSF}"
        assert info.server_time == START
        assert response.one("Content-Type") == "application/vnd.3gpp.bsf+xml"
        assert response.one("Expires") == "Sat, 21 Nov 2026 13:00:00 GMT"
        assert "3gpp-gba-tmpi" in (response.one("Server") or "")
        first = http_digest.ha1(IMPI, BSF, flipped)
        second = http_digest.ha2("", "/", "auth-int", response.body)
        signed = http_digest.response(first, challenge["nonce"], "00000001", "6629fae49393a053", "auth-int", second)
        assert f'rspauth="{signed}"' in (response.one("Authentication-Info") or "")

    @pytest.mark.parametrize(("settings", "wants"), [(UICC_BASED, "not flipped"), (ME_BASED, "flipped")])
    def test_the_other_form_of_res_is_refused_and_logged(
        self, settings: GbaSettings, wants: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        raw = Raw(settings)
        challenge = raw.challenged()
        plain = raw.res(challenge)
        wrong = plain if settings is UICC_BASED else gba.flip(plain)
        assert raw.answer(challenge, wrong).status == 401
        assert f"RES {wants}" in caplog.text
        assert wrong.hex() not in caplog.text

    def test_gba_me(self) -> None:
        raw = Raw(ME_BASED)
        challenge = raw.challenged()
        data = base64.b64decode(challenge["nonce"])
        made = milenage.vector(K.reveal(), OPC.reveal(), data[:16], bytes.fromhex("000000000020"), bytes(2))
        assert data[16:] == made["autn"]
        assert raw.answer(challenge, made["f2"]).status == 200

    def test_a_challenge_is_answered_once(self, raw: Raw) -> None:
        challenge = raw.challenged()
        flipped = gba.flip(raw.res(challenge))
        assert [raw.answer(challenge, flipped).status for _ in range(2)] == [200, 401]

    def test_the_third_wrong_answer_in_a_row_is_the_last(self, raw: Raw) -> None:
        statuses = [raw.answer(raw.challenged(), b"wrong").status for _ in range(3)]
        challenge = raw.challenged()
        assert raw.answer(challenge, gba.flip(raw.res(challenge))).status == 200
        assert statuses == [401, 401, 403]

    @pytest.mark.parametrize(
        "changes",
        [
            {"opaque": "x"},
            {"username": "x@y"},
            {"realm": "x"},
            {"nonce": "AAAA"},
            {"nonce": base64.b64encode(bytes(32)).decode()},
            {"uri": "/x"},
            {"cnonce": "other"},
            {"response": "0" * 32},
        ],
        ids=lambda changes: next(iter(changes)),
    )
    def test_changed_answers(self, raw: Raw, changes: dict[str, Any]) -> None:
        challenge = raw.challenged()
        assert raw.answer(challenge, gba.flip(raw.res(challenge)), **changes).status in (401, 403)
        with pytest.raises(HeadendError):
            raw.bsf.naf_keys("x", "x", b"x" * 6, gba_u_aware=True)

    @pytest.mark.parametrize(
        ("authorization", "method", "target", "status"),
        [
            (None, "GET", "/", 400),
            ("", "GET", "/", 400),
            ("Basic abc", "GET", "/", 400),
            ('Digest username="a"', "GET", "/", 400),
            (None, "POST", "/", 405),
            (None, "GET", "/x", 404),
            (None, "GET", "x", 400),
            ('Digest username="who@x", realm="r", nonce="", uri="/", response=""', "GET", "/", 403),
            (f'Digest username="{IMPI}", realm="r", nonce="", uri="/", response=""', "GET", f"http://{BSF}/", 401),
        ],
    )
    def test_requests(self, raw: Raw, authorization: str | None, method: str, target: str, status: int) -> None:
        response = raw.get(authorization, method, target)
        assert response.status == status
        assert "3gpp-gba-tmpi" in (response.one("Server") or "")

    def test_auts_needs_its_digest_and_its_mac(self, raw: Raw) -> None:
        assert raw.answer(raw.challenged(), b"not empty", auts=bytes(14)).status == 401
        assert raw.answer(raw.challenged(), b"", auts=bytes(14)).status == 403

    def test_what_is_unexpected_shows_nothing(self, raw: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_: object) -> None:
            raise RuntimeError("a secret thing")

        monkeypatch.setattr(raw.bsf, "challenge", broken)
        text = f'Digest username="{IMPI}", realm="{BSF}", nonce="", uri="/", response=""'
        response = raw.get(text)
        assert response.status == 503
        assert b"secret" not in response.encode()


AKA = f'Digest realm="x", nonce="{"A" * 64}", algorithm=AKAv1-MD5, qop="auth-int"'


def demand(text: str) -> HttpResponse:
    return HttpResponse(401, (("WWW-Authenticate", text),))


class TestTerminal:
    def test_a_used_card_resynchronises_a_new_network(self) -> None:
        bench = UsimBench()
        bench.session.renew()
        bsf = UsimBench().new_bsf()  # of a network whose sequence numbers begin anew
        assert bench.middleware.bootstrap(bsf).resynchronised
        assert bsf.result is not None
        assert not bench.middleware.bootstrap(bsf).resynchronised

    def test_the_tmpi_is_the_name_of_the_next_run(self) -> None:
        bench = UsimBench()
        bench.session.renew()
        tmpi = bench.bsf.tmpi
        assert re.fullmatch(r"[A-Za-z0-9+/]{32}@tmpi\.bsf\.3gppnetwork\.org", tmpi)
        bench.wire.crossed.clear()
        bench.session.renew()
        assert f'username="{tmpi}"' in bench.wire.crossed[0][0].all("Authorization")[0]
        assert bench.wire.statuses() == [401, 200]
        assert bench.bsf.tmpi not in ("", tmpi)

    def test_a_tmpi_that_is_not_known_any_more(self) -> None:
        bench = UsimBench()
        bench.bsf.tmpi = "old@tmpi.bsf.3gppnetwork.org"
        bench.session.renew()
        assert bench.wire.statuses() == [403, 401, 200]

    def scripted(self, *answers: HttpResponse) -> HttpBsf:
        class Scripted:
            def handle(self, request: HttpRequest, peer: Peer) -> HttpResponse:
                return left.pop(0)

        left = list(answers)
        return HttpBsf(InProcessTransport(Scripted(), TERMINAL), BSF, Counted())

    CHALLENGE = demand(AKA)

    def test_the_realm_of_the_challenge_is_echoed(self) -> None:
        bsf = self.scripted(self.CHALLENGE)
        assert bsf.challenge(IMPI).header.realm == "x"

    @pytest.mark.parametrize(
        ("response", "words"),
        [
            (HttpResponse(200), "status is 200"),
            (HttpResponse(403), "status is 403"),
            (HttpResponse(401), "offers no digest AKA"),
            (demand('Digest realm="x", nonce="AAAA", qop="auth-int"'), "offers no"),
            (demand(AKA.replace("-int", "")), "offers no"),
            (demand(AKA.replace("A" * 64, "A")), "malformed"),
            (demand("Digest"), "offers no"),
        ],
    )
    def test_challenges_that_are_none(self, response: HttpResponse, words: str) -> None:
        with pytest.raises((NetworkRefusedError, AnswerRefusedError), match=words):
            self.scripted(response).challenge(IMPI)

    @pytest.mark.parametrize(
        ("headers", "words"),
        [
            ((), "rspauth is missing"),
            ((("Authentication-Info", 'nextnonce="x"'),), "rspauth is missing"),
            ((("Authentication-Info", 'rspauth="00"'),), "rspauth is wrong"),
            ((("Authentication-Info", "rspauth"),), "cannot be read"),
        ],
    )
    def test_a_server_that_does_not_know_res(self, headers: tuple[tuple[str, str], ...], words: str) -> None:
        bsf = self.scripted(self.CHALLENGE, HttpResponse(200, headers, b""))
        rand = bsf.challenge(IMPI).rand
        with pytest.raises(AnswerRefusedError, match=words):
            bsf.complete(rand, b"res!")
        assert bsf.result is None

    def test_an_answer_that_is_refused(self) -> None:
        bsf = self.scripted(self.CHALLENGE, self.CHALLENGE)
        rand = bsf.challenge(IMPI).rand
        with pytest.raises(NetworkRefusedError, match="status 401"):
            bsf.complete(rand, b"res!")
        with pytest.raises(ValueError, match="not the challenge"):
            bsf.complete(rand, b"res!")

    @pytest.mark.parametrize(("times", "statuses"), [(1, [401, 401, 200]), (2, [401, 401, 401])])
    def test_a_bsf_that_challenges_again_is_answered_once_more(self, times: int, statuses: list[int]) -> None:
        """TS 24.109 clause 4.3; one that has forgotten its nonces, as after a restart, does no other."""
        bench, forgotten = UsimBench(), [True] * times

        class Forgetful:
            def handle(self, request: HttpRequest, peer: Peer) -> HttpResponse:
                shown = Credentials.parse(request.one("Authorization") or "")
                if not shown.is_introduction and forgotten:
                    forgotten.pop()
                    introduction = Credentials.introduction(shown.username, shown.realm, shown.uri).header_value()
                    request = replace(request, headers=(("Host", BSF), ("Authorization", introduction)))
                return bench.ub.handle(request, peer)

        bsf = HttpBsf(InProcessTransport(Forgetful(), TERMINAL, bench.wire), bench.bsf.name, Counted())
        if times == 1:
            assert bench.middleware.bootstrap(bsf).b_tid.endswith(f"@{BSF}")
        else:
            with pytest.raises(NetworkRefusedError, match="status 401"):
                bench.middleware.bootstrap(bsf)
        assert bench.wire.statuses() == statuses

    def test_a_card_that_finds_the_network_wrong_sends_nothing(self) -> None:
        bench = UsimBench()
        forged = self.scripted(self.CHALLENGE)
        session = GbaSession(bench.middleware, forged, bench.fqdn, bench.clock.now)
        with pytest.raises(NetworkRefusedError, match="not authentic"):
            session.current()


def test_names_that_anybody_makes_up_take_no_memory() -> None:
    """They are refused before anything is counted, and a name may be as long as a header."""
    raw = Raw()

    def introduce(numbers: range) -> int:
        for number in numbers:
            name = f"{number:07}" + "x" * 7900
            assert raw.get(f'Digest username="{name}", realm="{BSF}", nonce="", uri="/", response=""').status == 403
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = introduce(range(20))
        assert introduce(range(20, 220)) - before < 200_000  # a byte for each of theirs would be 1.6 million
    finally:
        tracemalloc.stop()
