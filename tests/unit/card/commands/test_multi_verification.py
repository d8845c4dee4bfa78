"""A card whose applications have each their own PIN, replaced by the universal PIN where it stands in.

TS 31.101 clause 9.6 and TS 31.122 clauses 7.2 and 8.3: tag 8B with a record of EF_ARR for SEID 00 and for SEID 01, the
usage qualifier of the universal PIN, and no other replacement than the universal PIN.
"""

from __future__ import annotations

from typing import Any

import pytest

from card import CardProfile
from card.codec.access_rule import NEVER, AccessRule, Operation, needs
from card.codec.fcp import Fcp, PinStatus
from card.crypto.secret import Secret
from card.errors import ProfileError
from card.personalisation.layout import lay_out
from card.profile.isim import IsimProfile
from card.profile.pins import PinProfile
from tests.support.platform_cards import platform_card, platform_profile
from tests.support.profiles import PIN1, PIN2, TEXT, UNIVERSAL, card_profile
from tests.support.testcard import SELECT_USIM, TestCard, pin_bytes

ISIM_PIN, ISIM_PIN2, ISIM_PUK = "3456", "6543", "11112222"
SELECT_ISIM = "00A4040C07A0000000871004"
DISABLE_FOR_UNIVERSAL = "002691{:02X}08"


def secret(code: str) -> Secret:
    return Secret(pin_bytes(code))


def profile(**changes: Any) -> CardProfile:
    own = PinProfile(secret(ISIM_PIN), puk=secret(ISIM_PUK))
    isim = IsimProfile(pin1=own, pin2=PinProfile(secret(ISIM_PIN2)))
    return platform_profile(isim=isim, **changes)


@pytest.fixture
def card() -> TestCard:
    made = TestCard.new(profile())
    made.ok("0028001108", pin_bytes(UNIVERSAL))
    made.card.reset()
    return made


def fcp(card: TestCard, select: str) -> Fcp:
    return Fcp.decode(card.ok(select))


def usim_fcp(card: TestCard) -> Fcp:
    return fcp(card, SELECT_USIM.replace("040C", "0404"))


def read_rule(card: TestCard, seid: int, file: Fcp) -> AccessRule:
    """Return the rule of a file, as a terminal finds it in EF_ARR of the current directory."""
    card.ok("00A4000C026F06")
    return AccessRule.decode(card.ok(f"00B2{dict(file.environments)[seid]:02X}0400"))


def test_every_file_refers_to_a_rule_for_each_environment() -> None:
    planned = {file.node.path: file for file in lay_out(profile())}
    assert len(planned) > 100
    for path, file in planned.items():
        assert bool(file.node.replaced_record) is not file.expanded, path


def test_tag_8b_and_what_the_records_say(card: TestCard) -> None:
    """EF_IMSI: read PIN. In environment 01 this is the application's PIN, in environment 00 the universal PIN."""
    card.ok(SELECT_USIM)
    answer = card.ok("00A40004026F07").hex().upper()
    at = answer.index("8B066F06")
    assert (answer[at + 8 : at + 10], answer[at + 12 : at + 14]) == ("00", "01")
    imsi = Fcp.decode(bytes.fromhex(answer))
    assert read_rule(card, 1, imsi).condition(Operation.READ) == needs(0x01)
    assert read_rule(card, 0, imsi).condition(Operation.READ) == needs(0x11)
    card.ok(SELECT_ISIM)
    impi = fcp(card, "00A40004026F02")
    assert read_rule(card, 1, impi).condition(Operation.READ) == needs(0x02)
    assert read_rule(card, 0, impi).condition(Operation.READ) == needs(0x11)


def test_a_file_of_the_card_is_open_to_every_application_pin(card: TestCard) -> None:
    languages = fcp(card, "00A40004022F05")
    card.ok("00A4000C022F06")
    rules = {seid: AccessRule.decode(card.ok(f"00B2{number:02X}0400")) for seid, number in languages.environments}
    assert rules[1].condition(Operation.UPDATE) == needs(0x01, 0x02)
    assert rules[0].condition(Operation.UPDATE) == needs(0x11, 0x01, 0x02)


def test_each_application_has_its_own_pin(card: TestCard) -> None:
    card.ok(SELECT_USIM)
    assert card.verify(0x01, PIN1).sw == "9000"
    card.ok("00A4000C026F07")
    assert card.ok("00B0000009")
    card.ok(SELECT_ISIM)
    card.ok("00A4000C026F02")
    card.refused("6982", "00B0000001")
    assert card.verify(0x02, PIN1).sw == "63C2", "it is another PIN"
    assert card.verify(0x02, ISIM_PIN).sw == "9000"
    assert card.ok("00B0000001")


def test_authenticate_asks_for_the_pin_of_its_application(card: TestCard) -> None:
    card.ok(SELECT_ISIM)
    command = "0088008122" + "10" + "00" * 16 + "10" + "00" * 16
    assert card.verify(0x01, PIN1).sw == "9000"
    card.refused("6982", command)
    assert card.verify(0x02, ISIM_PIN).sw == "9000"
    card.refused("9862", command)


def test_second_pins_are_local_and_numbered_like_the_first(card: TestCard) -> None:
    card.ok(SELECT_USIM)
    assert card.verify(0x81, PIN2).sw == "9000"
    card.refused("6A88", "0020008208", pin_bytes(ISIM_PIN2))
    card.ok(SELECT_ISIM)
    card.refused("6A88", "0020008108", pin_bytes(PIN2))
    assert card.verify(0x82, ISIM_PIN2).sw == "9000"


def test_the_status_template_shows_the_pins_that_count(card: TestCard) -> None:
    mine = (PinStatus(0x01, enabled=True), PinStatus(0x11, enabled=True, usage=0x00), PinStatus(0x81, enabled=True))
    assert sorted(usim_fcp(card).pins, key=lambda pin: pin.reference) == list(mine)
    its = fcp(card, SELECT_ISIM.replace("040C", "0404")).pins
    assert {pin.reference for pin in its} == {0x02, 0x82, 0x11}
    card.card.reset()
    assert {pin.reference for pin in fcp(card, "00A40004023F00").pins} >= {0x01, 0x02, 0x11}


def test_the_universal_pin_in_the_place_of_one_application_pin(card: TestCard) -> None:
    """Only the application whose PIN was replaced changes its environment, and only its usage qualifier says 08."""
    card.ok(SELECT_USIM)
    card.ok(DISABLE_FOR_UNIVERSAL.format(0x01), pin_bytes(PIN1))
    assert {pin.reference: pin.usage for pin in usim_fcp(card).pins} == {0x01: None, 0x11: 0x08, 0x81: None}
    card.ok("00A4000C026F07")
    card.refused("6982", "00B0000009")
    assert card.verify(0x11, UNIVERSAL).sw == "9000"
    assert card.ok("00B0000009")
    isim = fcp(card, SELECT_ISIM.replace("040C", "0404"))
    assert {pin.reference: pin.usage for pin in isim.pins} == {0x02: None, 0x11: 0x00, 0x82: None}
    card.ok("00A4000C026F02")
    card.refused("6982", "00B0000001")


def test_the_rule_of_the_environment_in_force_counts(card: TestCard) -> None:
    """With the record of environment 00 overwritten, the file is closed once the PIN was replaced, and only then."""
    card.ready()
    imsi = fcp(card, "00A40004026F07")
    number = dict(imsi.environments)[0]
    assert card.verify(0x0A, "11223344").sw == "9000"
    card.ok("00A4000C026F06")
    size = len(card.ok(f"00B2{number:02X}0400"))
    nobody = AccessRule(((Operation.READ, NEVER),)).encode()
    card.ok(f"00DC{number:02X}04{size:02X}", nobody.ljust(size, b"\xff"))
    card.ok("00A4000C026F07")
    assert card.ok("00B0000009")
    card.ok(DISABLE_FOR_UNIVERSAL.format(0x01), pin_bytes(PIN1))
    assert card.verify(0x11, UNIVERSAL).sw == "9000"
    card.refused("6982", "00B0000009")


def test_management_by_the_reference_of_the_application(card: TestCard) -> None:
    card.ok("0024000210", pin_bytes(ISIM_PIN), pin_bytes("7777"))
    assert [card.verify(0x02, "0000").sw for _ in range(3)] == ["63C2", "63C1", "63C0"]
    assert card.send("00200002").sw == "6983"
    assert card.send("00200001").sw == "63C3", "the other application's PIN has all its tries"
    card.ok("002C000210", pin_bytes(ISIM_PUK), pin_bytes(ISIM_PIN))
    assert card.verify(0x02, ISIM_PIN).sw == "9000"


@pytest.mark.parametrize(
    ("sw", "header"),
    [
        ("6A88", "0026820108"),  # another application's PIN as replacement
        ("6A88", "0026810208"),
        ("6A88", "0026911108"),  # the universal PIN in its own place
        ("6A88", "0026918108"),  # a second PIN is not replaced
    ],
)
def test_only_the_universal_pin_replaces_and_only_an_application_pin(card: TestCard, sw: str, header: str) -> None:
    card.ok(SELECT_USIM)
    card.refused(sw, header, pin_bytes(PIN1))


def test_a_disabled_universal_pin_replaces_nothing(card: TestCard) -> None:
    card.ok("0026001108", pin_bytes(UNIVERSAL))
    card.refused("6984", DISABLE_FOR_UNIVERSAL.format(0x01), pin_bytes(PIN1))


def test_a_universal_pin_disabled_later_is_used_no_more(card: TestCard) -> None:
    """A disabled PIN asks for nothing: the usage qualifier is 00 again (TS 102 221 clause 9.5.2), the file open."""
    card.ok(SELECT_USIM)
    card.ok(DISABLE_FOR_UNIVERSAL.format(0x01), pin_bytes(PIN1))
    card.ok("0026001108", pin_bytes(UNIVERSAL))
    assert {pin.reference: pin.usage for pin in usim_fcp(card).pins}[0x11] == 0x00
    card.ok("00A4000C026F07")
    assert card.ok("00B0000009")


def test_the_said_end_of_a_session_forgets_the_pin_of_that_application_only(card: TestCard) -> None:
    card.ok(SELECT_USIM)
    assert card.verify(0x01, PIN1).sw == "9000"
    assert card.verify(0x02, ISIM_PIN).sw == "9000"
    card.ok("00A4044C07A0000000871002")
    assert card.send("00200001").sw == "63C3"
    card.ok(SELECT_ISIM)
    card.ok("00A4000C026F02")
    assert card.ok("00B0000001")


def test_a_single_verification_card_has_one_record() -> None:
    card = platform_card()
    card.ok(SELECT_USIM)
    imsi = fcp(card, "00A40004026F07")
    assert (imsi.environments, imsi.arr is not None) == ((), True)
    card.ok(SELECT_ISIM)
    assert card.verify(0x01, PIN1).sw == "9000"
    card.ok("00A4000C026F02")
    assert card.ok("00B0000001")


ISIM_TEXT = '\n[isim]\npin1 = { value = "3456" }\n'
CSIM_TEXT = '\n[csim]\nrk = "00112233445566778899AABBCCDDEEFF"\nnai = "a@b"\n'


def parsed(text: str) -> CardProfile:
    return CardProfile.parse(text.replace("DISABLED", "").replace("INITIAL_SEQ", "0").replace("AGE_LIMIT", "0"), "test")


def test_a_profile_with_an_application_pin() -> None:
    assert parsed(TEXT + ISIM_TEXT).is_multi_verification
    assert not card_profile().is_multi_verification


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT + ISIM_TEXT + CSIM_TEXT, "csim.pin1: missing"),
        (TEXT + '\n[isim]\npin2 = { value = "3456" }\n', "isim.pin2: found without pin1"),
        (TEXT.replace("universal = ", "# universal = ") + ISIM_TEXT, "pins.universal: missing"),
    ],
)
def test_profiles_that_lack_a_pin(text: str, message: str) -> None:
    with pytest.raises(ProfileError, match=message):
        parsed(text)
