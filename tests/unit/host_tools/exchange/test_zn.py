"""Zn in both writings, against the BSF and against the vectors."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from lxml import etree

from card.crypto.secret import Secret
from card.errors import DecodeError
from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.messages import zn_json, zn_soap
from host_tools.exchange.messages.zn import KeyChoice, ZnAnswer, ZnError, ZnFault, ZnRequest
from host_tools.exchange.transport import Peer
from tests.support.wire import UsimBench
from tests.vectors.loader import load, load_text

VECTORS = load_text("zn")
GBA = load("gba")["vectors"][0]
B_TID, NAF_ID = GBA["b_tid"].decode(), GBA["naf_id"]
REQUEST = ZnRequest(B_TID, NAF_ID, gba_u_aware=True)
NAF = Peer("127.0.0.1", certificate="bmsc.mnc001.mcc001.pub.3gppnetwork.org")
END, BEGIN = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC), datetime(2030, 1, 1, 3, 4, 5, tzinfo=UTC)
ANSWER = ZnAnswer(
    Secret(GBA["ks_ext_naf"]), Secret(GBA["ks_int_naf"]), END, BEGIN, "me@home", key_choice=KeyChoice.BOTH
)
JSON_PATH, SOAP_PATH = "/nbsp-gba/v1/bootstrapping-info-retrieval", "/GBAService"


class TestJson:
    def test_the_request(self) -> None:
        assert json.loads(zn_json.encode_request(REQUEST)) == {
            "btId": B_TID,
            "nafId": {"nafFqdn": "bmsc.mnc001.mcc001.pub.3gppnetwork.org", "uaSecProtId": "0100000001"},
            "gbaUAware": True,
        }
        assert zn_json.decode_request(zn_json.encode_request(REQUEST)) == REQUEST

    def test_keys_stand_in_hex(self) -> None:
        content = json.loads(zn_json.encode_answer(ANSWER))
        assert content["meKeyMaterial"] == GBA["ks_ext_naf"].hex()
        assert content["uiccKeyMaterial"] == GBA["ks_int_naf"].hex()
        assert zn_json.decode_answer(zn_json.encode_answer(ANSWER)) == ANSWER

    @pytest.mark.parametrize("error", ZnError)
    def test_failures(self, error: ZnError) -> None:
        status = zn_json.STATUS_OF_ERROR[error]
        assert zn_json.decode_fault(status, zn_json.encode_fault(ZnFault(error))) == ZnFault(error)

    def test_failures_by_status_alone(self) -> None:
        assert zn_json.decode_fault(403, b"") == ZnFault(ZnError.NOT_AUTHORISED)
        assert zn_json.decode_fault(404, b"[]") == ZnFault(ZnError.TRANSACTION_IDENTIFIER_INVALID)
        with pytest.raises(DecodeError, match="status 500"):
            zn_json.decode_fault(500, b"{}")

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "[]",
            "[" * 5000,
            '{"btId": 1, "nafId": {"nafFqdn": "x", "uaSecProtId": "0100000001"}}',
            '{"btId": "", "nafId": {"nafFqdn": "x", "uaSecProtId": "0100000001"}}',
            '{"btId": "\\ud800", "nafId": {"nafFqdn": "x", "uaSecProtId": "0100000001"}}',
            '{"btId": "a\\u0000", "nafId": {"nafFqdn": "x", "uaSecProtId": "0100000001"}}',
            '{"btId": "a", "nafId": {"nafFqdn": "", "uaSecProtId": "0100000001"}}',
            '{"btId": "a", "nafId": {"nafFqdn": "\\ud800", "uaSecProtId": "0100000001"}}',
            '{"btId": "a", "nafId": {"nafFqdn": "x", "uaSecProtId": "01000000"}}',
            '{"btId": "a", "nafId": {"nafFqdn": "x", "uaSecProtId": "0100000001"}, "gbaUAware": 1}',
            '{"btId": "a", "nafId": {"nafFqdn": "x", "uaSecProtId": "0100000001"}, "gsIds": [-1]}',
            '{"btId": "a", "nafId": "x"}',
            " " * 70_000,
        ],
    )
    def test_malformed_requests(self, text: str) -> None:
        with pytest.raises(DecodeError):
            zn_json.decode_request(text.encode())


class TestSoap:
    def test_the_values_of_the_vectors(self) -> None:
        assert f"<nafid>{VECTORS['nafid']}</nafid>".encode() in zn_soap.encode_request(REQUEST)
        sent = zn_soap.encode_answer(ANSWER).decode()
        assert f"<meKeyMaterial>{VECTORS['meKeyMaterial']}</meKeyMaterial>" in sent
        assert f"<uiccKeyMaterial>{VECTORS['uiccKeyMaterial']}</uiccKeyMaterial>" in sent

    def test_round_trips(self) -> None:
        request = ZnRequest(B_TID, NAF_ID, gba_u_aware=False, gaa_services=(4, 7))
        assert zn_soap.decode_request(zn_soap.encode_request(request)) == request
        assert zn_soap.decode_answer(zn_soap.encode_answer(ANSWER)) == ANSWER
        fault = ZnFault(ZnError.NOT_AUTHORISED, "no")
        assert zn_soap.decode_answer(zn_soap.encode_fault(fault)) == fault

    @pytest.mark.parametrize("quoted", ["\0", "\x0b", "\x1f", "\ud800", "\ufffe", "\uffff"])
    def test_a_fault_may_quote_what_xml_cannot_hold(self, quoted: str) -> None:
        fault = ZnFault(ZnError.NOT_AUTHORISED, f"not {quoted}\U0001f4fa")
        shown = ZnFault(ZnError.NOT_AUTHORISED, "not \ufffd\U0001f4fa")
        assert zn_soap.decode_answer(zn_soap.encode_fault(fault)) == shown

    def test_the_message_is_qualified_and_its_content_is_not(self) -> None:
        root = etree.fromstring(zn_soap.encode_request(REQUEST))
        message = root[0][0]
        assert message.tag == "{urn:3gpp:gba:GBAService:2010-02}requestBootstrappingInfoRequest"
        assert [child.tag for child in message] == ["btid", "nafid", "gbaUAware"]

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b"http://schemas.xmlsoap.org/soap/envelope/", b"http://www.w3.org/2003/05/soap-envelope"),
            (b"soap:Body", b"soap:Header"),
            (b"requestBootstrappingInfoRequest", b"other"),
            (b"<btid>", b"<btid>x</btid><btid>"),
            (b"<gbaUAware>true", b"<gbaUAware>yes"),
        ],
    )
    def test_malformed_requests(self, old: bytes, new: bytes) -> None:
        with pytest.raises(DecodeError):
            zn_soap.decode_request(zn_soap.encode_request(REQUEST).replace(old, new))


@pytest.fixture(scope="module")
def bench() -> UsimBench:
    bench = UsimBench()
    bench.session.renew()
    return bench


class TestServer:
    def ask(self, bench: UsimBench, path: str, body: bytes, peer: Peer = NAF, kind: str = "") -> HttpResponse:
        media = kind or ("application/json" if path == JSON_PATH else "text/xml; charset=utf-8")
        return bench.zn.handle(HttpRequest("POST", path, (("Content-Type", media),), body), peer)

    def request(self, bench: UsimBench, **changes: object) -> ZnRequest:
        values = {"b_tid": bench.session.current().username, "naf_id": bench.network.bsm.naf_id, "gba_u_aware": True}
        return ZnRequest(**(values | changes))  # type: ignore[arg-type]

    def test_keys_in_both_writings(self, bench: UsimBench) -> None:
        wanted = self.request(bench)
        by_json = self.ask(bench, "/api" + JSON_PATH, zn_json.encode_request(wanted), kind="application/json")
        by_soap = self.ask(bench, SOAP_PATH, zn_soap.encode_request(wanted))
        assert (by_json.status, by_soap.status) == (200, 200)
        keys = zn_json.decode_answer(by_json.body)
        assert keys == zn_soap.decode_answer(by_soap.body)
        assert keys.me_key == bench.network.bsm.srk(wanted.b_tid)
        assert keys.uicc_key == bench.network.bsm.smk(wanted.b_tid)
        assert keys.impi == bench.identity
        assert (keys.created, keys.key_choice) == (bench.clock.now(), KeyChoice.UICC_BASED)

    def test_a_server_that_knows_no_gba_u_gets_one_key(self, bench: UsimBench) -> None:
        body = zn_json.encode_request(self.request(bench, gba_u_aware=False))
        assert zn_json.decode_answer(self.ask(bench, JSON_PATH, body).body).uicc_key is None

    @pytest.mark.parametrize(
        ("changes", "error", "status"),
        [
            ({"b_tid": "x"}, ZnError.TRANSACTION_IDENTIFIER_INVALID, 404),
            ({"naf_id": b"other" + bytes(5)}, ZnError.NOT_AUTHORISED, 403),
            # The words of the fault quote the name, and XML can hold none of these.
            ({"naf_id": b"other\x00\x0b\x1f" + bytes(5)}, ZnError.NOT_AUTHORISED, 403),
        ],
    )
    def test_failures(self, bench: UsimBench, changes: dict[str, object], error: ZnError, status: int) -> None:
        wanted = self.request(bench, **changes)
        by_json = self.ask(bench, JSON_PATH, zn_json.encode_request(wanted))
        assert by_json.status == status
        assert zn_json.decode_fault(by_json.status, by_json.body).error is error
        by_soap = self.ask(bench, SOAP_PATH, zn_soap.encode_request(wanted))
        fault = zn_soap.decode_answer(by_soap.body)
        assert by_soap.status == 500
        assert isinstance(fault, ZnFault)
        assert fault.error is error

    def test_without_a_certificate_there_are_no_keys(self, bench: UsimBench) -> None:
        body = zn_json.encode_request(self.request(bench))
        assert self.ask(bench, JSON_PATH, body, Peer("127.0.0.1")).status == 403

    def test_another_server_may_not_use_the_name(self, bench: UsimBench) -> None:
        body = zn_json.encode_request(self.request(bench))
        assert self.ask(bench, JSON_PATH, body, Peer("127.0.0.1", certificate="other")).status == 403

    def test_malformed(self, bench: UsimBench) -> None:
        assert self.ask(bench, JSON_PATH, b"{}").status == 400
        assert self.ask(bench, SOAP_PATH, b"<x/>").status == 400
        assert self.ask(bench, JSON_PATH, b"{}", kind="text/plain").status == 400
        assert self.ask(bench, "/other", b"").status == 404
        assert bench.zn.handle(HttpRequest("GET", JSON_PATH), NAF).status == 405


def test_keys_do_not_show() -> None:
    assert base64.b64decode(VECTORS["meKeyMaterial"]) == GBA["ks_ext_naf"]
    assert GBA["ks_ext_naf"].hex() not in repr(ANSWER)
