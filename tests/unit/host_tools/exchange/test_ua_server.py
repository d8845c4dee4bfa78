"""The BSM over HTTP against a client written from the texts: who gets in, and which status says what."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from typing import Any

import pytest

from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.messages.msk import MskName, MskRequest
from host_tools.exchange.messages.registration import Registration, RegistrationAnswer, ServiceCode
from host_tools.exchange.transport import Datagram
from host_tools.headend.bsm.ltkm_sender import FIRST_WAIT
from host_tools.headend.bsm.orders import Order
from host_tools.headend.errors import HeadendError, NafNotAuthorisedError
from tests.oracle import http_digest
from tests.support.wire import BSM_PLACE, ONE, TERMINAL, TWO, UsimBench
from tests.unit.host_tools.exchange.test_messages import MESSAGES

REGISTER = "/keymanagement?requesttype=register"
R = Registration((ONE,)).encode()
R_TYPE, M_TYPE = "application/mbms-register+xml", "application/mbms-msk+xml"


class Raw:
    """Asks the BSM with headers by hand and hashes of the oracle."""

    def __init__(self) -> None:
        self.bench = UsimBench()
        self.b_tid = self.bench.middleware.bootstrap(self.bench.bsf).b_tid
        self.key = self.bench.network.bsm.srk(self.b_tid).reveal()
        self.realm = f"3GPP-bootstrapping@{self.bench.fqdn}"

    def send(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse.decode(self.bench.handle(HttpRequest.decode(request.encode()), TERMINAL).encode())

    def nonce(self) -> str:
        response = self.send(HttpRequest("POST", REGISTER, (("User-Agent", "x 3gpp-gba"),)))
        assert response.status == 401
        found = re.search(r'nonce="([^"]+)"', response.all("WWW-Authenticate")[0])
        assert found is not None
        return found[1]

    def ask(
        self, target: str = REGISTER, body: bytes = R, kind: str = R_TYPE, method: str = "POST", **said: Any
    ) -> HttpResponse:
        values = {"username": self.b_tid, "realm": self.realm, "uri": target, "nc": "00000001", "cnonce": "c"}
        values |= {"nonce": said.pop("nonce", None) or self.nonce()}
        password = said.pop("password", base64.b64encode(self.key))
        hashed = said.pop("hashed", body)
        extra = said.pop("extra", ())
        values |= said
        first = http_digest.ha1(values["username"], values["realm"], password)
        second = http_digest.ha2(method, values["uri"], "auth-int", hashed)
        names = values["nonce"], values["nc"], values["cnonce"]
        response = http_digest.response(first, *names, "auth-int", second)
        text = ", ".join(f'{name}="{value}"' for name, value in values.items() if name != "nc")
        shown = f'Digest {text}, response="{response}", nc={values["nc"]}, qop=auth-int, algorithm=MD5'
        headers = (("Content-Type", kind), ("Authorization", shown), *extra)
        self.signed = (first, names, values["uri"])
        return self.send(HttpRequest(method, target, headers, body))

    def is_signed(self, response: HttpResponse) -> bool:
        first, names, uri = self.signed
        second = http_digest.ha2("", uri, "auth-int", response.body)
        wanted = http_digest.response(first, *names, "auth-int", second)
        return f'rspauth="{wanted}"' in (response.one("Authentication-Info") or "")


@pytest.fixture(scope="module")
def raw() -> Raw:
    return Raw()


def demanded(response: HttpResponse) -> str:
    """Return the challenge of a 401."""
    assert response.status == 401
    return response.all("WWW-Authenticate")[0]


class TestAuthentication:
    def test_right(self, raw: Raw) -> None:
        response = raw.ask()
        assert response.status == 200
        assert raw.is_signed(response)
        assert "nextnonce=" in (response.one("Authentication-Info") or "")
        assert response.one("Cache-Control") == "no-store"
        assert RegistrationAnswer.decode(response.body).codes == (ServiceCode(ONE, 200),)

    def test_one_realm_and_no_stale_in_the_first_challenge(self, raw: Raw) -> None:
        request = HttpRequest("POST", REGISTER, (("User-Agent", "MBMSAgent; Release-6 3gpp-gba"),))
        text = demanded(raw.send(request))
        assert f'realm="{raw.realm}"' in text
        assert "stale" not in text

    def test_without_a_token_no_gba_is_offered(self, raw: Raw) -> None:
        assert raw.send(HttpRequest("POST", REGISTER)).status == 403

    def test_a_client_id_in_the_place_of_the_token(self, raw: Raw) -> None:
        demanded(raw.send(HttpRequest("POST", REGISTER, (("User-Agent", "BCAST_Client_ID=YQ=="),))))

    def test_nothing_is_read_before_the_authentication(self, raw: Raw) -> None:
        hostile = b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
        demanded(raw.send(HttpRequest("POST", "/nowhere", (("User-Agent", "3gpp-gba"),), hostile)))

    @pytest.mark.parametrize(
        "said",
        [
            {"password": b"other"},
            {"username": "other@bsf"},
            {"hashed": b""},
            {"hashed": R + b" "},
        ],
        ids=str,
    )
    def test_wrong_credentials_ask_for_a_bootstrapping(self, raw: Raw, said: dict[str, Any]) -> None:
        assert "stale" not in demanded(raw.ask(**said))

    @pytest.mark.parametrize(
        ("said", "words"),
        [
            ({"hashed": b""}, "that of an empty body"),
            ({"password": "raw"}, "the key itself"),
            ({"password": "hex"}, "hex text of the key"),
        ],
    )
    def test_known_mistakes_are_logged_without_the_key(
        self, raw: Raw, said: dict[str, Any], words: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO")
        keys = {"raw": raw.key, "hex": raw.key.hex().encode()}
        demanded(raw.ask(**{name: keys.get(value, value) for name, value in said.items()}))
        assert words in caplog.text
        assert raw.key.hex() not in caplog.text

    def test_keys_that_are_over_ask_for_a_bootstrapping(self) -> None:
        """TS 33.246 clause 6.2.1.3: the SRK would do, but the SMK is over with it."""
        raw = Raw()
        assert raw.ask().status == 200
        raw.bench.clock.advance(24 * 3600)
        assert "stale" not in demanded(raw.ask())

    def test_a_nonce_of_nobody_is_stale_for_one_with_the_password(self, raw: Raw) -> None:
        assert "stale=true" in demanded(raw.ask(nonce="bGF0ZXN0LW5vbmNlLTAx"))

    @pytest.mark.parametrize("realm", ["3GPP-bootstrapping-uicc@", "3GPP-bootstrapping@other.", ""])
    def test_other_realms(self, raw: Raw, realm: str) -> None:
        """The key that stays in the card is not for MBMS (TS 33.246 clause 6.2.1.3)."""
        assert raw.ask(realm=realm + raw.bench.fqdn).status == 403

    def test_the_uri_of_the_example_in_the_text(self, raw: Raw) -> None:
        """TS 33.246 clause H.2 has the FQDN before the path in the credentials alone."""
        assert raw.ask(uri=f"/{raw.bench.fqdn}{REGISTER}").status == 200
        assert raw.ask(uri=REGISTER.replace("?", "/?")).status == 200

    @pytest.mark.parametrize("uri", ["/", "/keymanagement", "/x" + REGISTER, REGISTER + "&a=b", "x"])
    def test_another_uri(self, raw: Raw, uri: str) -> None:
        assert raw.ask(uri=uri).status == 400

    def test_credentials_twice(self, raw: Raw) -> None:
        assert raw.ask(extra=(("Authorization", "Digest x=y"),)).status == 400

    @pytest.mark.parametrize("shown", ["", "Basic x", "Bearer"])
    def test_credentials_of_another_scheme_are_none(self, raw: Raw, shown: str) -> None:
        """RFC 7235 clause 2.1: whoever cannot use them says what it wants."""
        headers = (("Authorization", shown), ("User-Agent", "x 3gpp-gba"))
        response = raw.send(HttpRequest("POST", REGISTER, headers))
        assert (response.status, len(response.all("WWW-Authenticate"))) == (401, 1)

    @pytest.mark.parametrize("shown", ["Digest", 'digest username="a"', 'Digest username="a", username="b"'])
    def test_malformed_credentials(self, raw: Raw, shown: str) -> None:
        assert raw.send(HttpRequest("POST", REGISTER, (("Authorization", shown),))).status == 400

    @pytest.mark.parametrize(
        ("error", "status"),
        [(NafNotAuthorisedError("5402"), 403), (HeadendError("silent"), 504), (RuntimeError("a secret"), 503)],
    )
    def test_what_the_bsf_says(self, raw: Raw, error: Exception, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """TS 29.109: 5402 is never a 401; TS 33.246 clause G.2.4: 504 without an answer, and no 500."""
        nonce = raw.nonce()

        def failing(*_: object) -> None:
            raise error

        monkeypatch.setattr(raw.bench.accounts[raw.realm], "find", failing)
        response = raw.ask(nonce=nonce)
        assert response.status == status
        assert response.all("WWW-Authenticate") == ()
        assert b"secret" not in response.encode()
        assert (response.one("Retry-After") is not None) == (status == 503)


class TestProcedures:
    @pytest.mark.parametrize(
        ("target", "body", "kind", "status"),
        [
            ("/any/prefix" + REGISTER + "&x=y", R, R_TYPE + ";charset=utf-8", 200),
            (REGISTER, R, M_TYPE, 400),
            (REGISTER, R, "text/xml", 400),
            (REGISTER, b"", R_TYPE, 400),
            (REGISTER, R[:-1], R_TYPE, 400),
            (REGISTER, b"<!DOCTYPE a>" + R, R_TYPE, 400),
            ("/keymanagement", R, R_TYPE, 400),
            (REGISTER + "&requesttype=deregister", R, R_TYPE, 400),
            ("/keymanagement?requesttype=sip-based-register", R, R_TYPE, 501),
            ("/other?requesttype=register", R, R_TYPE, 404),
        ],
    )
    def test_statuses_and_all_are_signed(self, raw: Raw, target: str, body: bytes, kind: str, status: int) -> None:
        """TS 33.246 clause G.2.4; the answer is protected whatever it says."""
        response = raw.ask(target, body, kind)
        assert response.status == status
        assert raw.is_signed(response)

    def test_another_method(self, raw: Raw) -> None:
        response = raw.ask(method="PUT")
        assert (response.status, response.one("Allow")) == (405, "POST")

    def test_an_error_of_the_service_is_503(self, raw: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
        def failing(*_: object) -> None:
            raise RuntimeError("a secret")

        monkeypatch.setattr(raw.bench.keys, "register", failing)
        response = raw.ask()
        assert response.status == 503
        assert b"secret" not in response.encode()
        assert raw.is_signed(response)

    def test_a_registration_survives_a_new_b_tid(self) -> None:
        """TS 33.246 clause 6.2.1.3: the IMPI ties the two together."""
        raw = Raw()
        raw.ask(body=Registration((TWO,)).encode())
        raw.b_tid = raw.bench.middleware.bootstrap(raw.bench.bsf).b_tid
        raw.key = raw.bench.network.bsm.srk(raw.b_tid).reveal()
        key = raw.bench.network.bsm.current_key("two")
        body = MskRequest((MskName(key.key_domain_id, key.msk_id),)).encode()
        response = raw.ask("/keymanagement?requesttype=msk-request", body, M_TYPE)
        assert b"200 OK" in response.body
        (push,) = raw.bench.pushes.due()
        assert raw.b_tid.encode() in push.payload


class TestPushes:
    @pytest.fixture
    def bench(self) -> UsimBench:
        bench = UsimBench()
        bench.terminal.register([TWO])
        return bench

    def test_the_next_one_waits_for_the_acknowledgement(self, bench: UsimBench) -> None:
        (first,) = bench.pushes.due()
        assert bench.pushes.due() == ()
        verification = bench.middleware.deliver(first.payload).verification
        assert verification is not None
        (second,) = bench.pushes.received(Datagram(first.destination, BSM_PLACE, verification))
        assert second.payload != first.payload

    def test_one_that_is_not_acknowledged_goes_again_with_another_t(self, bench: UsimBench) -> None:
        """TS 33.246 clause 6.4.3."""
        (first,) = bench.pushes.due()
        bench.clock.advance(FIRST_WAIT)
        (again,) = bench.pushes.due()
        assert again.payload != first.payload
        assert bench.middleware.deliver(again.payload).taken

    def test_what_many_wait_for_goes_out_in_parts(self, bench: UsimBench) -> None:
        """Requests are answered in between, as after a restart behind which many lines are due at once."""
        first = bench.pushes.due()
        route = bench.keys.registration(bench.identity)
        assert route is not None
        for number in range(100):
            bench.pushes.order(f"{number}@home", replace(route.route, port=number + 1), [Order.for_pull("two")])
        sent, parts = list[Datagram](), 0
        while (at := bench.pushes.next_at()) is not None and at <= bench.pushes.now:
            part = bench.pushes.due()
            assert 0 < len(part) <= 32
            sent += part
            parts += 1
        assert (parts, len(first)) == (4, 1)
        assert sorted(datagram.destination.port for datagram in sent) == list(range(1, 101))

    def test_forged_and_foreign_acknowledgements_are_dropped(self, bench: UsimBench) -> None:
        (first,) = bench.pushes.due()
        verification = bench.middleware.deliver(first.payload).verification or b""
        forged = verification[:-1] + bytes((verification[-1] ^ 1,))
        foreign = verification.replace(bench.session.current().username[:8].encode(), b"AAAAAAAA")
        nameless = [verification.replace(b"@", other) for other in (b"\0", b"\xff", b"\n")]
        for payload in (forged, foreign, *nameless, first.payload, b""):
            assert bench.pushes.received(Datagram(first.destination, BSM_PLACE, payload)) == ()
        assert (bench.pushes.dropped, bench.pushes.acknowledged) == (7, 0)

    def test_a_trigger_reaches_its_listener(self, bench: UsimBench) -> None:
        bench.pushes.due()
        port = bench.key_port(bench.middleware)
        trigger = Datagram(BSM_PLACE, BSM_PLACE, MESSAGES["trigger"].encode())
        assert port.received(trigger) == ()
        assert port.received(Datagram(BSM_PLACE, BSM_PLACE, b"<x/>")) == ()
        assert bench.triggers == [MESSAGES["trigger"]]
        assert port.dropped == 1


def test_made_up_names_push_no_nonce_of_a_living_one_out(raw: Raw) -> None:
    """Whatever password goes with a name that nobody has, it is not counted among the nonces in use."""
    nonce = raw.nonce()
    assert raw.ask(nonce=nonce).status == 200
    for number in range(4200):
        made_up = raw.ask(username=f"{number}@nowhere", password=b"", nonce=nonce)
        assert made_up.status == 401
        assert "stale" not in (made_up.one("WWW-Authenticate") or "")
    assert raw.ask(nonce=nonce, nc="00000002").status == 200
