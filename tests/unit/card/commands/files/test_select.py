"""SELECT in all its forms, and STATUS."""

from __future__ import annotations

import pytest

from card.codec.fcp import Fcp
from tests.support import profiles
from tests.support.profiles import AID
from tests.support.testcard import SELECT_USIM, TestCard, tlv

AID_HEX = AID.hex()


@pytest.fixture
def card() -> TestCard:
    return TestCard.new()


def selected(card: TestCard) -> tuple[str, str, str]:
    """Return current directory, file and application."""
    directory, file, application, _ = card.volatile()[0][0]
    return directory, file, application


def fcp(card: TestCard, *parts: str) -> Fcp:
    return Fcp.decode(card.ok(*parts))


@pytest.mark.parametrize(
    ("raw", "directory", "file"),
    [
        ("00A4000C023F00", "3F00", ""),
        ("00A4000C", "3F00", ""),
        ("00A4000C022FE2", "3F00", "3F00/2FE2"),
        ("00A4030C", "3F00", ""),
        ("00A4080C022FE2", "3F00", "3F00/2FE2"),
        ("00A4090C022FE2", "3F00", "3F00/2FE2"),
        (f"00A4040C10{AID_HEX}", "ADF.USIM", ""),
        ("00A4040C07A0000000871002", "ADF.USIM", ""),
        ("00A4040D07A0000000871002", "ADF.USIM", ""),
        ("00A4040E07A0000000871002", "ADF.USIM", ""),
        ("00A4040F07A0000000871002", "ADF.USIM", ""),
    ],
)
def test_from_the_mf(card: TestCard, raw: str, directory: str, file: str) -> None:
    card.ok(raw)
    assert selected(card)[:2] == (directory, file)


@pytest.mark.parametrize(
    ("raw", "directory", "file"),
    [
        ("00A4000C023F00", "3F00", ""),
        ("00A4000C026F07", "ADF.USIM", "ADF.USIM/6F07"),
        ("00A4000C027FFF", "ADF.USIM", ""),
        (f"00A4010C02{profiles.NESTED_DF:04X}", "ADF.USIM/5F10", ""),
        ("00A4030C", "3F00", ""),
        ("00A4080C047FFF6F07", "ADF.USIM", "ADF.USIM/6F07"),
        ("00A4080C067FFF5F104F01", "ADF.USIM/5F10", "ADF.USIM/5F10/4F01"),
        ("00A4090C045F104F01", "ADF.USIM/5F10", "ADF.USIM/5F10/4F01"),
        ("00A4080C022FE2", "3F00", "3F00/2FE2"),
    ],
)
def test_from_the_adf(card: TestCard, raw: str, directory: str, file: str) -> None:
    card.ok(SELECT_USIM)
    card.ok(raw)
    assert selected(card) == (directory, file, "USIM"), "the application stays current"


def test_from_a_df(card: TestCard) -> None:
    card.ok(SELECT_USIM)
    card.ok("00A4000C025F10")
    card.ok("00A4000C024F01")
    assert selected(card)[1] == "ADF.USIM/5F10/4F01"
    card.ok("00A4030C")
    assert selected(card)[:2] == ("ADF.USIM", "")


@pytest.mark.parametrize(
    ("sw", "raw"),
    [
        ("6A82", "00A4000C026F07"),  # the application is not selected
        ("6A82", "00A4000C027FFF"),
        ("6A82", "00A4000C02DEAD"),
        ("6A82", "00A4010C022FE2"),  # a child, but no DF
        ("6A82", "00A4080C043F002FE2"),  # the path must not begin with the MF
        ("6A82", "00A4080C042FE22FE2"),
        ("6A82", "00A4040C07A0000000871099"),
        ("6A82", f"00A4040C10{AID_HEX[:-2]}77"),
        ("6700", f"00A4040C11{AID_HEX}00"),  # a DF name has at most 16 bytes
        ("6700", "00A4000C012F"),
        ("6700", "00A4000C032FE200"),
        ("6700", "00A4080C032FE200"),
        ("6700", "00A4080C"),
        ("6700", "00A4010C"),
        ("6700", "00A4030C022FE2"),
        ("6A86", "00A4020C022FE2"),
        ("6A86", "00A40A0C022FE2"),
        ("6A86", "00A4001C022FE2"),
        ("6A86", "00A40014022FE2"),
        ("6A86", "00A4008C022FE2"),
        ("6A86", "00A4000D022FE2"),  # an occurrence belongs to a DF name
        ("6A86", "00A4004C022FE2"),  # and so does the end of a session
    ],
)
def test_refused(card: TestCard, sw: str, raw: str) -> None:
    card.refused(sw, raw)


def test_a_refused_select_keeps_the_selection(card: TestCard) -> None:
    card.ok(SELECT_USIM)
    card.ok("00A4000C026F07")
    card.refused("6A82", "00A4000C02DEAD")
    assert selected(card) == ("ADF.USIM", "ADF.USIM/6F07", "USIM")


def test_fcp_of_the_mf(card: TestCard) -> None:
    answer = fcp(card, "00A40004023F0000")
    assert (answer.file_id, answer.is_directory, answer.life_cycle) == (0x3F00, True, 5)
    assert [pin.reference for pin in answer.pins] == [0x01, 0x11], "local PINs belong to an application"


def test_fcp_of_the_adf(card: TestCard) -> None:
    answer = fcp(card, f"00A4040410{AID_HEX}00")
    assert (answer.df_name, answer.file_id) == (AID, 0x7FFF)
    assert [(pin.reference, pin.enabled) for pin in answer.pins] == [(0x01, True), (0x11, False), (0x81, True)]


def test_fcp_of_files(card: TestCard) -> None:
    linear = fcp(card, f"00A4000402{profiles.OPEN_LINEAR:04X}00")
    assert (linear.descriptor, linear.record_length, linear.record_count, linear.file_size) == (0x42, 3, 3, 9)
    assert linear.sfi == 22
    assert fcp(card, f"00A4000402{profiles.OPEN_CYCLIC:04X}00").descriptor == 0x46
    transparent = fcp(card, f"00A4000402{profiles.OPEN_TRANSPARENT:04X}00")
    assert (transparent.descriptor, transparent.file_size, transparent.pins) == (0x41, 16, ())


def test_the_fcp_fits_a_one_byte_length(card: TestCard) -> None:
    """Some clients read the length of the template as one byte."""
    for raw in ("00A40004023F0000", f"00A4040410{AID_HEX}00", "00A40004026F0700"):
        assert card.ok(raw)[1] < 0x80


def test_the_access_rule_reference_leads_to_a_rule(card: TestCard) -> None:
    card.ok(SELECT_USIM)
    arr = fcp(card, "00A40004026F0700").arr
    assert arr is not None
    assert card.record(arr[0], arr[1])[:1] == b"\x80"


def test_no_fcp_is_sent_when_none_is_wanted(card: TestCard) -> None:
    assert card.send("00A4000C023F0000").data == ""
    assert card.send("00A40000023F0000").data == ""


def test_a_new_selection_resets_the_record_pointer(card: TestCard) -> None:
    card.ok(f"00A4000C02{profiles.OPEN_LINEAR:04X}")
    card.ok("00B2000203")
    assert card.volatile()[0][0][3] == 1
    card.ok(f"00A4000C02{profiles.OPEN_LINEAR:04X}")
    assert card.volatile()[0][0][3] == 0


def test_the_end_of_an_application_session(card: TestCard) -> None:
    card.unlocked()
    card.ok(f"00A4044C10{AID_HEX}")
    channels, verified, *_ = card.volatile()
    assert channels[0][:3] == ("3F00", "", "")
    assert "USIM:81" not in verified, "a local PIN is forgotten with its application"
    card.refused("6A82", "00A4044C07A0000000871099")


# --- STATUS


def test_status_shows_the_current_directory(card: TestCard) -> None:
    assert fcp(card, "80F2000000").file_id == 0x3F00
    card.ok(SELECT_USIM)
    card.ok("00A4000C026F07")
    assert fcp(card, "80F2000000").df_name == AID


def test_status_shows_the_name_of_the_application(card: TestCard) -> None:
    card.refused("6A86", "80F2000100")
    card.ok(SELECT_USIM)
    assert card.ok("80F2000100") == tlv(0x84, AID)


@pytest.mark.parametrize("raw", ["80F2000C", "80F2010C", "80F2020C", "80F20000"])
def test_status_without_data(card: TestCard, raw: str) -> None:
    assert card.send(raw) == ("", "9000")


@pytest.mark.parametrize("raw", ["80F20300", "80F20002", "80F200FF"])
def test_status_with_wrong_parameters(card: TestCard, raw: str) -> None:
    card.refused("6A86", raw)


def test_status_changes_nothing(card: TestCard) -> None:
    card.ready()
    before = card.volatile(), card.persistent()
    card.ok("80F2000000")
    assert (card.volatile(), card.persistent()) == before
