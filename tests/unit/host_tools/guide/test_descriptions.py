"""Security descriptions, user service descriptions, fragments: there and back, the schema, the example of the sheet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest
import xmlschema

from card.errors import DecodeError
from host_tools.exchange.messages.msk import MskName
from host_tools.guide.fragments import (
    AccessFragment,
    KeyManagementSystem,
    PurchaseChannelFragment,
    PurchaseDataFragment,
    PurchaseItemFragment,
    ServiceFragment,
    user_service_id,
)
from host_tools.guide.names import KmsType, ProtectionType
from host_tools.guide.security import KeyManagement, ProtectedFlow, SecurityDescription
from host_tools.guide.usd import DeliveryMethod, UserService, UserServiceDescription

SCHEMAS = Path(__file__).parents[3] / "support" / "xsd"
GROUP = MskName(bytes.fromhex("02f480"), bytes.fromhex("00010000"))
OTHER = MskName(bytes.fromhex("02f480"), bytes.fromhex("00020000"))
SECURITY = SecurityDescription(
    (ProtectedFlow("232.1.2.3/5004", GROUP), ProtectedFlow("232.1.2.3/5006", GROUP), ProtectedFlow("ff1e::1/9", OTHER)),
    KeyManagement(("http://bsm.example/", "http://bsm2.example/"), 5, 10, False),
)
USD = UserServiceDescription(
    (
        UserService("urn:one", (DeliveryMethod("a.sdp", "a.xml"), DeliveryMethod("b.sdp")), "One"),
        UserService("urn:two", (DeliveryMethod("c.sdp"),)),
    )
)
ACCESS = AccessFragment(
    "a1",
    "s1",
    "a.sdp",
    "u.xml",
    ("a.xml", "b.xml"),
    (KeyManagementSystem(KmsType.GBA_U, "a.xml", ProtectionType.BOTH),),
)
FRAGMENTS = [
    ServiceFragment("s1", "urn:one", "One"),
    ACCESS,
    PurchaseItemFragment("i1", "urn:item", ("s1", "s2"), "Item"),
    PurchaseDataFragment("data", "i1", "c1", "1.00 EUR"),
    PurchaseChannelFragment("c1", "http://bsm.example/", "https://shop.example/"),
]
EXAMPLE = b"""<securityDescription xmlns="urn:3GPP:metadata:2005:MBMS:securityDescription">
  <keyManagement offsetTime="5" randomTimePeriod="10" uiccKeyManagement="true">
    <serverURI>http://bsm.example/</serverURI></keyManagement>
  <keyId><mediaFlow flowID="232.1.2.3/5004"><MSK><keyDomainID>AvSA</keyDomainID><MSKID>AAEAAA==</MSKID></MSK>
  </mediaFlow></keyId>
</securityDescription>"""


class _Document(Protocol):
    def encode(self) -> bytes: ...


@pytest.mark.parametrize("document", [SECURITY, USD, *FRAGMENTS], ids=lambda found: type(found).__name__)
def test_there_and_back(document: _Document) -> None:
    read: Callable[[bytes], object] = type(document).decode  # type: ignore[attr-defined]
    assert read(document.encode()) == document


def test_flows_of_one_key_stand_together_and_follow_the_schema() -> None:
    text = SECURITY.encode()
    assert text.count(b"<keyId>") == 2
    xmlschema.XMLSchema(SCHEMAS / "security-description.xsd").validate(text.decode())
    assert SECURITY.msk_of("FF1E::1/9") == OTHER
    assert SECURITY.msk_of("232.1.2.3/5005") is None


def test_the_example_and_what_it_leaves_out() -> None:
    found = SecurityDescription.decode(EXAMPLE)
    assert found == SecurityDescription(
        (ProtectedFlow("232.1.2.3/5004", GROUP),), KeyManagement(("http://bsm.example/",), 5, 10)
    )
    bare = SecurityDescription.decode(
        EXAMPLE.replace(b' offsetTime="5" randomTimePeriod="10" uiccKeyManagement="true"', b"")
    )
    assert bare.management == KeyManagement(("http://bsm.example/",))
    assert bare.management is not None
    assert bare.management.wait(max) == 0


def test_the_key_number_is_ignored_and_the_wait_lies_between() -> None:
    found = SecurityDescription.decode(EXAMPLE.replace(b"AAEAAA==", b"AAEABw=="))
    assert found.flows[0].msk == GROUP
    assert found.management is not None
    assert found.management.wait(lambda low, high: (low + high) / 2) == 10


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (b"232.1.2.3/5004", b"232.1.2.3:5004", "slash"),
        (b"/5004", b"/65536", "65535"),
        (b"AvSA", b"AvSAAA==", "3"),
        (b'"5"', b'"-5"', "offsetTime"),
        (b'"10"', b'"99999999"', "randomTimePeriod"),
        (b'"true"', b'"yes"', "uiccKeyManagement"),
        (b"<serverURI>http://bsm.example/</serverURI>", b"", "0 items"),
        (b"securityDescription", b"somethingElse", "no securityDescription"),
        (b"<securityDescription", b"<!DOCTYPE x><securityDescription", "DOCTYPE"),
    ],
)
def test_what_is_no_security_description(before: bytes, after: bytes, words: str) -> None:
    assert before in EXAMPLE
    with pytest.raises(DecodeError, match=words):
        SecurityDescription.decode(EXAMPLE.replace(before, after))


@pytest.mark.parametrize("name", ["offsetTime", "randomTimePeriod"])
@pytest.mark.parametrize(
    "value",
    ["", "-1", "+5", "1e3", "0x10", "1.5", "5 5", "NaN", "INF", "604801", "18446744073709551616", "9" * 5000, "\u0663"],
)
def test_a_wait_that_nobody_can_mean(name: str, value: str) -> None:
    was = {"offsetTime": b'"5"', "randomTimePeriod": b'"10"'}[name]
    with pytest.raises(DecodeError, match=f"{name} is no number from 0 to 604800"):
        SecurityDescription.decode(EXAMPLE.replace(was, f'"{value}"'.encode()))


def test_the_longest_wait_there_is_and_a_wait_in_spaces() -> None:
    week = 7 * 86_400
    longest = EXAMPLE.replace(b'"5"', f'"{week}"'.encode()).replace(b'"10"', f'" {week}\n"'.encode())
    management = SecurityDescription.decode(longest).management
    assert management is not None
    assert (management.offset_time, management.random_time_period) == (week, week)
    assert management.wait(max) == 2 * week
    doubled = EXAMPLE.replace(b'offsetTime="5"', b'offsetTime="5" offsetTime="6"')
    with pytest.raises(DecodeError):
        SecurityDescription.decode(doubled)


def test_a_flow_has_one_key() -> None:
    key = EXAMPLE[EXAMPLE.index(b"<keyId>") : EXAMPLE.index(b"</keyId>") + 8]
    with pytest.raises(DecodeError, match="twice"):
        SecurityDescription.decode(EXAMPLE.replace(key, key * 2))


def test_the_usd_of_an_older_and_of_a_newer_writer() -> None:
    text = USD.encode()
    assert b'xmlns="urn:3GPP:metadata:2005:MBMS:userServiceDescription"' in text
    older = text.replace(b"<sv:delimiter>0</sv:delimiter>", b"")
    newer = text.replace(b"<sv:delimiter>0</sv:delimiter>", b'<n:new xmlns:n="urn:new"><n:deeper/></n:new>')
    assert UserServiceDescription.decode(older) == UserServiceDescription.decode(newer) == USD


@pytest.mark.parametrize("missing", [b' serviceId="urn:one"', b' sessionDescriptionURI="a.sdp"'])
def test_a_usd_without_what_counts(missing: bytes) -> None:
    text = USD.encode()
    assert missing in text
    with pytest.raises(DecodeError, match="no attribute"):
        UserServiceDescription.decode(text.replace(missing, b""))


def test_other_names_for_the_same() -> None:
    text = ACCESS.encode().replace(b"RightsIssuerURI", b"PermissionsIssuerURI").replace(b"oma-bcast-gba_u-mbms", b"1")
    assert AccessFragment.decode(text) == ACCESS
    with pytest.raises(DecodeError, match="ProtectionType"):
        AccessFragment.decode(ACCESS.encode().replace(b'ProtectionType="3"', b'ProtectionType="9"'))


def test_purchases() -> None:
    item, data = PurchaseItemFragment("i1", "urn:item", ("s1",)), PurchaseDataFragment("data", "i1", "c1")
    assert user_service_id(item, data) == "urn:itemdata"
    assert PurchaseChannelFragment("c", None, "https://shop.example/").portal_only
    assert not PurchaseChannelFragment("c", "http://bsm.example/", "https://shop.example/").portal_only
