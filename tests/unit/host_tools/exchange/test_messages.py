"""The messages: the bodies of the vectors to the octet, everything there and back, what is refused, the schemas."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import pytest
import xmlschema
from lxml import etree

from card import CardProfile
from card.crypto.secret import Secret
from card.errors import DecodeError, EncodeError
from card.spec.bcast.p1 import P1
from host_tools.exchange.messages import key_center, msk, orders, pricing, registration, tbk, tokens, zn_soap
from host_tools.exchange.messages.bootstrapping import BootstrappingInfo
from host_tools.exchange.messages.fields import from_date_time, to_date_time
from host_tools.exchange.messages.ltkm_push import (
    MIKEY_PORT,
    OMA_LTKM_PORT,
    PushKind,
    kind_of_push,
    port_of,
    require_verification,
)
from host_tools.exchange.messages.msk import MskCode, MskName
from host_tools.exchange.messages.orders import Name, Sender
from host_tools.exchange.messages.pricing import PricedItem
from host_tools.exchange.messages.provisioning import (
    HTTP_STATUS_OF,
    ItemResult,
    Price,
    ProvisioningStatus,
    PurchaseItem,
    Window,
    ours,
)
from host_tools.exchange.messages.registration import ServiceCode
from host_tools.exchange.messages.sms_push import SmsForm, SmsPush
from host_tools.exchange.messages.tokens import KeyWish, Purse, PurseKind, Scope, Tokens
from host_tools.exchange.messages.trigger import Trigger
from host_tools.exchange.messages.zn import KeyChoice, ZnAnswer, ZnError, ZnFault, ZnRequest
from host_tools.exchange.xml_text import Node, write_document
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.subscribers.personalised import subscriber_of
from host_tools.sessions.online.asking import result_text
from tests.vectors.loader import load, load_text

BODIES = {name: body["text"].encode() for name, body in load_text("http_digest")["bodies"].items()}
SCHEMAS = Path(__file__).parents[3] / "support" / "xsd"
ITEM, DATA = "urn:example:item1", "urn:example:data1"
SERVICE = ITEM + DATA
MSK = MskName(bytes.fromhex("00f110"), bytes.fromhex("00010000"))
END, NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC), datetime(2030, 1, 1, 3, 4, 5, tzinfo=UTC)
PRICED = PurchaseItem(ITEM, DATA, Price(Decimal("1.50"), "EUR"))
KEY = Secret(bytes(32))
CENTS = Price(Decimal("0.0001"), "EUR")
RESULT = ItemResult(PRICED, ProvisioningStatus.SUCCESS, Window(NOW, END), True, (Price(Decimal(3), "EUR", "once"),))
FAILED = ItemResult(PurchaseItem("urn:x"), ProvisioningStatus.ITEM_UNKNOWN)
SENDER = Sender((Name(3, "me@home"),), (Name(1, "490154203237518"),))
UICC = key_center.UiccKeyRequest("b@x", bytes(10), b"platform", b"platform", bytes(range(16)), bytes(range(10)))
B_TID = next(case["username"] for case in load_text("http_digest")["cases"] if case["id"] == "A1")


class Message(Protocol):
    """What every message has."""

    def encode(self) -> bytes: ...


MESSAGES: dict[str, Message] = {
    "R": registration.Registration((SERVICE,)),
    "DR": registration.Deregistration((SERVICE,)),
    "S": registration.RegistrationAnswer((ServiceCode(SERVICE, 200),)),
    "M": msk.MskRequest((MSK,)),
    "MR": msk.MskAnswer((MskCode(MSK, 200),)),
    "Q": orders.ServiceRequest("r-1", (PurchaseItem(ITEM, DATA),)),
    "B": BootstrappingInfo(B_TID, "2030-01-02T03:04:05Z"),
    "registration of several": registration.Registration((SERVICE, "urn:a&b<c>", "é")),
    "answer with failures": registration.RegistrationAnswer((ServiceCode("a", 403), ServiceCode("b", 503))),
    "MSK answer": msk.MskAnswer((MskCode(MSK, 403), MskCode(replace(MSK, msk_id=b"\0\1\0\2"), 200))),
    "bootstrapping with the time": BootstrappingInfo("b@x", "2030-01-02T03:04:05Z", NOW),
    "service request": orders.ServiceRequest("r", (PRICED, PurchaseItem("urn:x")), SENDER),
    "service answer": orders.ServiceAnswer("r", (RESULT, FAILED), ProvisioningStatus.SUCCESS),
    "renewal request": orders.RenewalRequest("r", (PRICED,)),
    "renewal answer": orders.RenewalAnswer("r", (RESULT,)),
    "unsubscribe request": orders.UnsubscribeRequest("r", (PRICED,)),
    "unsubscribe answer": orders.UnsubscribeAnswer("r", (FAILED,), ProvisioningStatus.ITEM_UNKNOWN),
    "pricing request": pricing.PricingRequest("r", (PRICED,)),
    "pricing request for all that is sold": pricing.PricingRequest("r", ()),
    "pricing answer": pricing.PricingAnswer(
        "r",
        (
            PricedItem(PRICED, prices=(Price(Decimal(3), "EUR", "once"),)),
            PricedItem(PRICED, title="News, a month", period=timedelta(days=30), tokens=Tokens(PurseKind.LIVE, 5)),
        ),
        tokens=(pricing.TokenPrice(PurseKind.USER, Price(Decimal("0.1"), "EUR", "token")),),
        more=True,
    ),
    "token purchase": tokens.TokenPurchaseRequest(
        "r", (PRICED,), (KeyWish(bytes(7), 1, 0xFFFF_FFFF), KeyWish(bytes(7))), Tokens(PurseKind.LIVE, 5), SENDER
    ),
    "tokens alone": tokens.TokenPurchaseRequest("r", tokens=Tokens(PurseKind.USER, 0)),
    "token answer": tokens.TokenPurchaseAnswer(
        "r", (RESULT,), Price(Decimal("0.0001"), "EUR"), registration_required=False
    ),
    "account inquiry": tokens.AccountInquiry("r", Scope.TOKENS, SENDER),
    "account answer": tokens.AccountAnswer(
        "r", (RESULT,), (Purse(PurseKind.USER, 9, bytes(3)), Purse(PurseKind.PLAYBACK, 0)), (Price(Decimal(1), "EUR"),)
    ),
    "account answer that is cut": tokens.AccountAnswer("r", (RESULT,), more=True),
    "trigger": Trigger("t-1", "https://bsm.example.org/sprov", (PRICED,)),
    "UICC key request": UICC,
    "UICC key request without ICCID": replace(UICC, iccid=None),
    "UICC key answer": key_center.UiccKeyAnswer("b@x", Secret(bytes(32)), END, bytes(16)),
    "device key request": key_center.DeviceKeyRequest("b@x", b"\1"),
    "device key answer": key_center.DeviceKeyAnswer("b@x", Secret(bytes(32)), END),
}


@pytest.mark.parametrize("name", sorted(BODIES.keys() & MESSAGES.keys()))
def test_the_bodies_of_the_vectors(name: str) -> None:
    assert MESSAGES[name].encode() == BODIES[name]


@pytest.mark.parametrize("name", MESSAGES)
def test_there_and_back(name: str) -> None:
    message: Any = MESSAGES[name]
    assert type(message).decode(message.encode()) == message


def test_every_body_of_the_vectors_but_the_security_description_is_a_message() -> None:
    assert BODIES.keys() - MESSAGES.keys() == {"SD"}


SCHEMA_OF: dict[str, tuple[Any, tuple[str, ...]]] = {
    "bsf": (BootstrappingInfo, ("B", "bootstrapping with the time")),
    "register": (registration.Registration, ("R", "registration of several")),
    "deregister": (registration.Deregistration, ("DR",)),
    "register-response": (registration.RegistrationAnswer, ("S", "answer with failures")),
    "msk": (msk.MskRequest, ("M",)),
    "msk-response": (msk.MskAnswer, ("MR", "MSK answer")),
    "uicc-key-request": (key_center.UiccKeyRequest, ("UICC key request", "UICC key request without ICCID")),
    "uicc-key-response": (key_center.UiccKeyAnswer, ("UICC key answer",)),
    "device-key-request": (key_center.DeviceKeyRequest, ("device key request",)),
    "device-key-response": (key_center.DeviceKeyAnswer, ("device key answer",)),
}

INSTANCES = {
    "register": '<p:mbmsSecurityRegister xmlns:p="{n}securityRegistration" x="1"><!-- c -->'
    "<p:serviceID> a </p:serviceID>"
    '<p:serviceID>b</p:serviceID><e xmlns="urn:e"><f/></e></p:mbmsSecurityRegister>',
    "register-response": '<mbmsSecurityRegisterResponse xmlns="{n}securityRegistrationResponse"><Response y="2">'
    "<serviceID>a</serviceID><ResponseCode>403 not today</ResponseCode><e xmlns='urn:e'/></Response>"
    "<e xmlns='urn:e'/></mbmsSecurityRegisterResponse>",
    "msk": '<mbmsMSKRequest xmlns="{n}mskRequest"><MSK><keyDomainID>AP EQ</keyDomainID>'
    "<MSKID>\nAAEAAA== </MSKID></MSK>"
    "</mbmsMSKRequest>",
    "bsf": '<BootstrappingInfo xmlns="uri:3gpp-gba"><btid>b@x</btid>'
    "<lifetime>2030-01-02T05:04:05.5+02:00</lifetime>"
    "<Extension><currenttime>2030-01-01T03:04:05Z</currenttime><e xmlns='urn:e'/></Extension></BootstrappingInfo>",
}
READ = {
    "register": registration.Registration(("a", "b")),
    "register-response": registration.RegistrationAnswer((ServiceCode("a", 403),)),
    "msk": msk.MskRequest((MSK,)),
    "bsf": BootstrappingInfo("b@x", "2030-01-02T05:04:05.5+02:00", NOW),
}


class TestSchemas:
    """Written from the texts and not from the code (TS 24.109 C.1, TS 26.346 11.4, TS 33.110 E, TS 33.259 C)."""

    @pytest.mark.parametrize(
        ("schema", "name"), [(schema, name) for schema, (_, names) in SCHEMA_OF.items() for name in names]
    )
    def test_what_we_write_is_valid(self, schema: str, name: str) -> None:
        xmlschema.XMLSchema(SCHEMAS / f"{schema}.xsd").validate(etree.fromstring(MESSAGES[name].encode()))

    @pytest.mark.parametrize("schema", INSTANCES)
    def test_valid_documents_that_we_would_not_write_are_read(self, schema: str) -> None:
        text = INSTANCES[schema].replace("{n}", "urn:3GPP:metadata:2005:MBMS:")
        xmlschema.XMLSchema(SCHEMAS / f"{schema}.xsd").validate(etree.fromstring(text))
        reader: Any = SCHEMA_OF[schema][0]
        assert reader.decode(text.encode()) == READ[schema]

    @pytest.mark.parametrize(
        ("body", "schema"), [(BODIES["R"].replace(b"serviceID", b"service"), "register"), (BODIES["S"], "register")]
    )
    def test_the_schemas_refuse_something(self, body: bytes, schema: str) -> None:
        assert not xmlschema.XMLSchema(SCHEMAS / f"{schema}.xsd").is_valid(etree.fromstring(body))

    @pytest.mark.parametrize(
        "made",
        [
            zn_soap.encode_request(ZnRequest("b@x", b"naf" + bytes(5), True, (4,))),
            zn_soap.encode_answer(
                ZnAnswer(Secret(bytes(32)), Secret(bytes(32)), END, NOW, "i", key_choice=KeyChoice.ME_BASED)
            ),
            zn_soap.encode_answer(ZnAnswer(KEY, None, END, NOW)),
            zn_soap.encode_fault(ZnFault(ZnError.NOT_AUTHORISED, "no")),
        ],
    )
    def test_the_web_service(self, made: bytes) -> None:
        """TS 29.109 annex D."""
        message = etree.fromstring(made)[0][0]
        if etree.QName(message).localname == "Fault":
            message = message[2][0]
        xmlschema.XMLSchema(SCHEMAS / "gba-service.xsd").validate(message)


class TestReading:
    """What TS 33.246 and TS 26.346 leave open is read; what has no meaning is not."""

    def test_the_old_namespace_and_lower_case_names(self) -> None:
        text = (
            b'<mbmsSecurityRegisterResponse xmlns="urn:3GPP:metadata:2005:MBMS:registerResponse"><response><serviceID>a'
            b"</serviceID><responseCode>200</responseCode></response></mbmsSecurityRegisterResponse>"
        )
        assert registration.RegistrationAnswer.decode(text).codes == (ServiceCode("a", 200),)

    @pytest.mark.parametrize(
        ("name", "old", "new"),
        [
            ("R", b"<serviceID>", b"<v:serviceID>urn:other</v:serviceID><serviceID>"),
            ("S", b"<ResponseCode>", b"<v:ResponseCode>403</v:ResponseCode><ResponseCode>"),
            ("Q", b"<PurchaseItem ", b'<v:PurchaseItem globalIDRef="urn:other"/><v:UserID>me</v:UserID><PurchaseItem '),
            ("Q", b' requestID="r-1"', b' requestID="r-1" v:requestID="r-2"'),
            ("Q", b' requestID="r-1"', b' v:requestID="r-2" requestID="r-1"'),
            ("Q", b' globalIDRef="', b' v:globalIDRef="urn:other" globalIDRef="'),
        ],
    )
    def test_extensions_with_names_of_ours_say_nothing(self, name: str, old: bytes, new: bytes) -> None:
        """TS 26.346 clause 11: "any ##other" and "anyAttribute" are anybody's."""
        message = MESSAGES[name]
        body = message.encode().replace(b" xmlns=", b' xmlns:v="urn:vendor" xmlns=', 1)
        assert old in body
        reader: Any = type(message)
        assert reader.decode(body.replace(old, new, 1)) == message

    @pytest.mark.parametrize(
        ("reader", "name", "old", "new"),
        [
            (registration.Registration.decode, "R", b"<serviceID>", b"<serviceID/><serviceID>"),
            (registration.Registration.decode, "R", b"item1urn", b"item1 urn"),
            (registration.Registration.decode, "R", b"mbmsSecurityRegister", b"mbmsSecurityDeregister"),
            (registration.RegistrationAnswer.decode, "S", b"200 OK", b"OK"),
            (registration.RegistrationAnswer.decode, "S", b"200 OK", b"2000"),
            (registration.RegistrationAnswer.decode, "S", b"ResponseCode", b"Code"),
            (msk.MskRequest.decode, "M", b"APEQ", b"APE"),
            (msk.MskRequest.decode, "M", b"APEQ", b"AAEAAA=="),
            (msk.MskRequest.decode, "M", b"AAEAAA==", b"APEQ"),
            (msk.MskRequest.decode, "M", b"<keyDomainID>APEQ</keyDomainID>", b""),
            (msk.MskRequest.decode, "M", b"<keyDomainID>", b"<keyDomainID>A</keyDomainID><keyDomainID>"),
            (msk.MskAnswer.decode, "MR", b"Response>", b"Answer>"),
            (BootstrappingInfo.decode, "B", b"2030-01-02T03:04:05Z", b"tomorrow"),
            (BootstrappingInfo.decode, "B", b"2030-01-02", b"2030-13-02"),
            (BootstrappingInfo.decode, "B", b"2030-01-02T03:04:05Z", b"0001-01-01T00:00:00+14:00"),
            (BootstrappingInfo.decode, "B", b"btid", b"other"),
            (orders.ServiceRequest.decode, "Q", b' requestID="r-1"', b""),
            (orders.ServiceRequest.decode, "Q", b'"r-1"', b'"' + b"r" * 65 + b'"'),
            (orders.ServiceRequest.decode, "Q", b"globalIDRef", b"other"),
            (orders.ServiceRequest.decode, "Q", b"PurchaseItem", b"Item"),
            (orders.ServiceAnswer.decode, "service answer", b'globalStatusCode="0"', b'globalStatusCode="256"'),
            (orders.ServiceAnswer.decode, "service answer", b'globalStatusCode="0"', b'globalStatusCode="-1"'),
            (orders.ServiceAnswer.decode, "service answer", b'itemwiseStatusCode="3"', b'itemwiseStatusCode="x"'),
            (
                orders.ServiceAnswer.decode,
                "service answer",
                b'registrationRequired="true"',
                b'registrationRequired="y"',
            ),
            (orders.ServiceAnswer.decode, "service answer", b'currency="EUR"', b'currency="euro"'),
            (orders.ServiceAnswer.decode, "service answer", b">1.50<", b">1e9<"),
            (orders.ServiceRequest.decode, "service request", b'type="3"', b'type="256"'),
            (tokens.TokenPurchaseRequest.decode, "tokens alone", b"<Tokens", b"<Other"),
            (tokens.TokenPurchaseRequest.decode, "tokens alone", b'"user"', b'"mine"'),
            (tokens.TokenPurchaseRequest.decode, "tokens alone", b'quantity="0"', b'quantity="4294967296"'),
            (tokens.TokenPurchaseRequest.decode, "token purchase", b'tsLow="1"', b'tsLow="4294967296"'),
            (tokens.AccountInquiry.decode, "account inquiry", b'"tokens"', b'"most"'),
            (Trigger.decode, "trigger", b'"t-1"', b'""'),
            (Trigger.decode, "trigger", b"PurchaseItem", b"Item"),
            (key_center.UiccKeyRequest.decode, "UICC key request", b"<RANDX>", b"<RANDX>AAAA"),
            (key_center.UiccKeyRequest.decode, "UICC key request", b"b@x", b""),
            (key_center.UiccKeyAnswer.decode, "UICC key answer", b"<KSLOCAL>AAAA", b"<KSLOCAL>"),
        ],
    )
    def test_malformed(self, reader: Callable[[bytes], object], name: str, old: bytes, new: bytes) -> None:
        body = MESSAGES[name].encode()
        assert old in body
        with pytest.raises(DecodeError):
            reader(body.replace(old, new))

    def test_too_many_items(self) -> None:
        body = registration.Registration(("a",) * 257).encode()
        with pytest.raises(DecodeError, match="257 items"):
            registration.Registration.decode(body)

    def test_a_key_does_not_show(self) -> None:
        assert "AAAA" not in repr(MESSAGES["UICC key answer"])

    def test_what_xml_cannot_hold_is_not_written(self) -> None:
        with pytest.raises(EncodeError):
            registration.Registration(("a\0b",)).encode()
        with pytest.raises(EncodeError):
            write_document(Node("a b"))

    def test_an_empty_order_is_not_written(self) -> None:
        with pytest.raises(EncodeError):
            orders.ServiceRequest("r", ()).encode()

    def test_b_tids_that_do_not_fit_the_card(self) -> None:
        with pytest.raises(EncodeError):
            BootstrappingInfo("b" * 256, "2030-01-02T03:04:05Z").encode()


def test_every_status_of_provisioning_has_one_of_http() -> None:
    assert HTTP_STATUS_OF.keys() == set(ProvisioningStatus)


@pytest.mark.parametrize("text", ["1.5", "+1.5", "1.500000", "01.5", "\n1.5 "])
def test_a_price_in_other_digits(text: str) -> None:
    """All forms of xs:decimal (XML Schema part 2, 3.2.3) that say the same."""
    body = MESSAGES["service request"].encode()
    assert b">1.50<" in body
    other = body.replace(b">1.50<", b">" + text.encode() + b"<")
    assert orders.ServiceRequest.decode(other) == MESSAGES["service request"]


@pytest.mark.parametrize("text", ["2029-12-31T24:00:00Z", "2029-12-31T24:00:00.000+00:00", "2030-01-01T00:00:00Z"])
def test_the_end_of_a_day_is_the_beginning_of_the_next(text: str) -> None:
    """XML Schema part 2, 3.2.7."""
    assert to_date_time(text) == datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2029-12-31T24:00:01Z", "2029-12-31T25:00:00Z", "9999-12-31T24:00:00Z"])
def test_times_that_are_none(text: str) -> None:
    with pytest.raises(DecodeError):
        to_date_time(text)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "0999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"])
def test_a_year_always_has_four_digits(text: str) -> None:
    assert from_date_time(to_date_time(text)) == text


def test_a_service_id_is_as_long_as_both_its_identifiers() -> None:
    """Each of them has up to 1,024 characters."""
    longest = PurchaseItem("urn:" + "g" * 1020, "urn:" + "d" * 1020).service_id
    for message in (
        registration.Registration((longest,)),
        registration.RegistrationAnswer((ServiceCode(longest, 200),)),
    ):
        assert type(message).decode(message.encode()) == message
    with pytest.raises(DecodeError):
        registration.Registration.decode(registration.Registration((longest + "x",)).encode())


def test_the_space_around_an_attribute_is_none() -> None:
    """XML Schema takes it away from every type used here; a parser that validates nothing does not."""
    body = MESSAGES["account inquiry"].encode()
    assert tokens.AccountInquiry.decode(body.replace(b'"tokens"', b'" tokens\t"')) == MESSAGES["account inquiry"]


@pytest.mark.parametrize(
    ("start", "end", "window"),
    [
        # 4,102,444,800 s: 130 years from 1900 on, 32 of them with a leap day.
        ("4102444800", "4102531200", Window(datetime(2030, 1, 1, tzinfo=UTC), datetime(2030, 1, 2, tzinfo=UTC))),
        ("2030-01-01T03:04:05Z", "4102531200", Window(NOW, datetime(2030, 1, 2, tzinfo=UTC))),
        ("4102444800", None, None),
        (None, "4102444800", None),
    ],
)
def test_windows_of_others(start: str | None, end: str | None, window: Window | None) -> None:
    """Seconds of NTP, and windows that are open at one side; they do not make the whole answer malformed."""
    attributes = {name: text for name, text in (("startTime", start), ("endTime", end)) if text is not None}
    found = ItemResult.read(PRICED.node(children=(ours("SubscriptionWindow", attributes=attributes),)))
    assert found.window == window


@pytest.mark.parametrize("end", ["-1", "99999999999", "soon", ""])
def test_a_window_that_ends_never_in_words(end: str) -> None:
    with pytest.raises(DecodeError):
        Window.read(ours("SubscriptionWindow", attributes={"startTime": "1", "endTime": end}))


def test_codes_of_others_are_read() -> None:
    """A table of others may be longer, and 128 to 255 are for private use; the other items of an answer count."""
    body = MESSAGES["service answer"].encode().replace(b'itemwiseStatusCode="3"', b'itemwiseStatusCode="130"')
    good, bad = orders.ServiceAnswer.decode(body).results
    assert good.status is ProvisioningStatus.SUCCESS
    assert (int(bad.status), bad.status.name) == (130, "UNKNOWN")
    assert bad.status == ProvisioningStatus(130)
    assert "130" in result_text(bad)


class TestTbk:
    def test_the_target(self) -> None:
        assert tbk.TbkRequest(7).target("/base/") == "/base/tbk/00000007"
        assert tbk.TbkRequest.parse("/base/tbk/00000007") == tbk.TbkRequest(7)

    @pytest.mark.parametrize(
        "target", ["", "/tbk/7", "/tbk/0000000A", "tbk/00000007", "/a b/tbk/00000007", "/tbk/00000007/x"]
    )
    def test_other_targets(self, target: str) -> None:
        with pytest.raises(DecodeError):
            tbk.TbkRequest.parse(target)

    def test_the_answer(self) -> None:
        assert tbk.decode_key(bytes(16)) == Secret(bytes(16))
        with pytest.raises(DecodeError):
            tbk.decode_key(bytes(17))


LTKM, PULL = load("mikey")["ltkm"]["message"], load("mikey")["pull"]["message"]
VERIFICATION = load("mikey")["ltkm"]["verification"]


class TestDatagrams:
    def test_the_port_goes_by_the_extension(self) -> None:
        network = UsimNetwork(shipped_scenario("subscribe"), subscriber_of(CardProfile.demo()), tables=P1)
        b_tid = network.bsf.presume_answered(network.bsf.challenge(network.subscriber.impi).rand).b_tid
        plain = network.bsm.pull(network.deliveries[0].key.service, b_tid)
        extended = next(delivery for delivery in network.deliveries if delivery.planned and delivery.planned.spe)
        assert port_of(plain) == MIKEY_PORT
        assert port_of(network.ltkm(extended, b_tid)) == OMA_LTKM_PORT

    @pytest.mark.parametrize("message", [LTKM, PULL])
    def test_key_messages(self, message: bytes) -> None:
        assert kind_of_push(message) is PushKind.LTKM

    def test_a_trigger_on_the_same_port(self) -> None:
        assert kind_of_push(MESSAGES["trigger"].encode()) is PushKind.TRIGGER

    @pytest.mark.parametrize("payload", [b"", b"x", LTKM[:-1], LTKM + bytes(1400), VERIFICATION])
    def test_what_is_no_push(self, payload: bytes) -> None:
        with pytest.raises(DecodeError):
            kind_of_push(payload)

    def test_a_verification_message_and_what_is_none(self) -> None:
        assert require_verification(VERIFICATION).encode() == VERIFICATION
        with pytest.raises(DecodeError, match="another kind"):
            require_verification(LTKM)


class TestSmsPush:
    def test_the_octets_of_a_short_message(self) -> None:
        """The WAP push of application/mikey for bcast.ua, and 8-bit data to port 2269."""
        push = "0605040b8423f0010614" + b"application/mikey\0".hex() + "af93"
        short = bytes(100)
        assert SmsPush(SmsForm.A, short).encode() == (bytes.fromhex(push) + short,)
        assert SmsPush(SmsForm.B, short).encode() == (bytes.fromhex("06050408dd08dd") + short,)

    @pytest.mark.parametrize("form", SmsForm)
    def test_a_pull_of_the_vectors_takes_two(self, form: SmsForm) -> None:
        sent = SmsPush(form, PULL)
        first, second = sent.encode(reference=7)
        assert first[:12].endswith(bytes.fromhex("0003070201"))
        assert len(first) == 140
        assert SmsPush.decode([second, first]) == sent

    @pytest.mark.parametrize(("form", "ports"), [(SmsForm.A, "0b8423f0"), (SmsForm.B, "11071107")])
    def test_a_trigger_goes_as_its_media_type_or_to_its_port(self, form: SmsForm, ports: str) -> None:
        trigger = Trigger("t-1", "http://bmsc.example.org/", (PurchaseItem("urn:item:", "one"),)).encode()
        sent = SmsPush(form, trigger)
        parts = sent.encode(reference=7)
        assert len(parts) > 1
        assert all(part[1:7].hex() == "0504" + ports for part in parts)
        assert (b"application/vnd.oma.bcast.smartcard-trigger+xml\0\xaf\x93<" in parts[0]) is (form is SmsForm.A)
        assert SmsPush.decode(list(reversed(parts))) == sent

    def test_a_push_that_is_not_what_its_media_type_says(self) -> None:
        headers = b"application/vnd.oma.bcast.smartcard-trigger+xml\0\xaf\x93"
        trigger = Trigger("t-1", "http://bmsc.example.org/", (PurchaseItem("urn:item:", "one"),)).encode()
        for content, is_right in ((trigger, True), (PULL, False)):
            body = bytes((1, 6, len(headers))) + headers + content
            pieces = [body[start : start + 120] for start in range(0, len(body), 120)]
            parts = [
                bytes.fromhex("0b05040b8423f00003") + bytes((9, len(pieces), number)) + piece
                for number, piece in enumerate(pieces, 1)
            ]
            if is_right:
                assert SmsPush.decode(parts).content == trigger
            else:
                with pytest.raises(DecodeError, match="media type that it names"):
                    SmsPush.decode(parts)

    def test_missing_doubled_and_foreign_parts(self) -> None:
        first, second = SmsPush(SmsForm.A, PULL).encode(1)
        other = SmsPush(SmsForm.A, PULL).encode(2)[1]
        for parts in ([first], [second], [first, first], [first, other], [], [first] * 9):
            with pytest.raises(DecodeError):
                SmsPush.decode(parts)

    def test_one_that_does_not_fit(self) -> None:
        with pytest.raises(EncodeError, match="8 short messages"):
            SmsPush(SmsForm.A, bytes(1100)).encode()

    @pytest.mark.parametrize("place", range(35))
    def test_every_changed_octet_of_the_headers_is_noticed(self, place: int) -> None:
        first, second = SmsPush(SmsForm.A, PULL).encode()
        changed = bytearray(first)
        changed[place] ^= 0x40
        if place in (5, 6, 12):
            # Source port and transaction mean nothing.
            assert SmsPush.decode([bytes(changed), second]).content == PULL
        else:
            with pytest.raises(DecodeError):
                SmsPush.decode([bytes(changed), second])
