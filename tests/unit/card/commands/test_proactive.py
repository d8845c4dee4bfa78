"""The proactive engine through the card: 91XX, FETCH, TERMINAL RESPONSE, ENVELOPE, timers by the card's clock."""

from __future__ import annotations

from typing import Any

import pytest

from card.errors import DecodeError
from card.profile.cat import CatCommand, CatProfile, CatStep, MenuEntry
from tests.support.platform_cards import OBJECTS, platform_card
from tests.support.ports import FakeClock
from tests.support.testcard import TestCard

EVERYTHING = "FF" * 20
POLL = CatStep(CatCommand.POLL_INTERVAL, seconds=30)
TEXT = CatStep(CatCommand.DISPLAY_TEXT, text="Hi")
MENU = (MenuEntry("One", "First"), MenuEntry("Two", "Second"))


def card_with(*steps: CatStep, menu: tuple[MenuEntry, ...] = ()) -> TestCard:
    return platform_card(cat=CatProfile(menu=menu, steps=steps))


def clock_of(card: TestCard) -> FakeClock:
    clock: Any = card.card._context.clock
    assert isinstance(clock, FakeClock)
    return clock


def begin(card: TestCard, profile: str = EVERYTHING) -> str:
    return card.send("80100000", f"{len(profile) // 2:02X}", profile).sw


def fetch(card: TestCard, sw: str) -> str:
    """Fetch the command that 91XX announced; return it without its outer tag."""
    assert sw[:2] == "91", sw
    answer = card.send("80120000", sw[2:])
    assert answer.sw == "9000", "nothing is announced while a command waits for its response"
    assert bytes.fromhex(answer.data)[0] == 0xD0
    assert len(answer.data) // 2 == int(sw[2:], 16)
    return answer.data[4:]


def respond(card: TestCard, number: int, kind: int, result: int = 0) -> str:
    data = f"8103{number:02X}{kind:02X}00" + "82028281" + f"8301{result:02X}"
    return card.send("80140000", f"{len(data) // 2:02X}", data).sw


def test_nothing_before_the_terminal_profile() -> None:
    card = card_with(POLL)
    card.ok("80F2000C")
    card.refused("6985", "8012000000")
    assert begin(card) == "910F"


def test_one_command_from_start_to_end() -> None:
    card = card_with(POLL)
    assert fetch(card, begin(card)) == "810301030082028182" + "8402011E"
    assert card.send("80F2000C").sw == "9000"
    assert respond(card, 1, 0x03) == "9000"
    assert card.send("80F2000C").sw == "9000"


def test_commands_follow_each_other() -> None:
    card = card_with(POLL, TEXT)
    fetch(card, begin(card))
    assert fetch(card, respond(card, 1, 0x03)) == "810302218082028102" + "8D03044869"
    assert respond(card, 2, 0x21) == "9000"


def test_any_command_repeats_the_announcement() -> None:
    card = card_with(POLL)
    sw = begin(card)
    assert card.send("80F2000C").sw == sw
    assert card.send("00A4000C022FE2").sw == sw
    assert card.send("00B0000000").sw == sw
    assert card.send("00A40004022FE2").sw[:2] == "61"
    assert card.exchange("00A40004022FE2").sw == sw, "the announcement comes with the data"
    assert card.send("00A4000C02DEAD").sw == "6A82", "a refusal stays what it is"


def test_blocks_have_their_own_words() -> None:
    card = card_with(POLL)
    card.ok(f"00A4000C02{OBJECTS:04X}")
    begin(card)
    assert card.send("80DB0080", "03", "810A00").sw == "63F2"
    assert card.send("80DB0000", "09", "00" * 9).sw == "910F"
    assert card.send("80CB00800181", "05").sw == "62F2"


def test_wrong_length_of_fetch_keeps_the_command() -> None:
    card = card_with(POLL)
    begin(card)
    assert card.send("8012000005").sw == "6C0F"
    assert card.send("801200000F").sw == "9000"
    card.refused("6985", "801200000F")


@pytest.mark.parametrize(("number", "kind"), [(2, 0x03), (1, 0x21)], ids=["another number", "another type"])
def test_a_response_to_something_else_is_refused(number: int, kind: int) -> None:
    card = card_with(POLL)
    sw = begin(card)
    assert respond(card, 1, 0x03) == "6985", "before FETCH"
    fetch(card, sw)
    assert respond(card, number, kind) == "6985"
    assert respond(card, 1, 0x03) == "9000"


@pytest.mark.parametrize("data", ["8103010300", "830100", "81020103830100", "8183", "0001008301"])
def test_broken_responses_are_refused(data: str) -> None:
    card = card_with(POLL)
    fetch(card, begin(card))
    card.refused("6A80", "80140000", f"{len(data) // 2:02X}", data)


def test_only_what_the_terminal_can_do() -> None:
    without_display = "FFFF" + "FE" + "FF" * 10
    card = card_with(TEXT, POLL)
    assert fetch(card, begin(card, without_display)).startswith("81030103")
    assert begin(card_with(TEXT, POLL), "FFFF") == "9000"


def test_steps_become_due_by_the_clock() -> None:
    card = card_with(CatStep(CatCommand.DISPLAY_TEXT, text="Hi", after=60, every=10))
    assert begin(card) == "9000"
    clock_of(card).now = 59.9
    assert card.send("80F2000C").sw == "9000"
    clock_of(card).now = 60.0
    assert fetch(card, card.send("80F2000C").sw).startswith("81030121")
    assert respond(card, 1, 0x21) == "9000"
    clock_of(card).now = 69.9
    assert card.send("80F2000C").sw == "9000"
    clock_of(card).now = 70.0
    assert fetch(card, card.send("80F2000C").sw).startswith("81030221")


def test_a_terminal_that_never_fetches_fills_no_memory() -> None:
    card = card_with(CatStep(CatCommand.DISPLAY_TEXT, text="Hi", every=1))
    begin(card)
    for second in range(100):
        clock_of(card).now = float(second)
        card.send("80F2000C")
    state = card.card._context.session.notes.cat
    assert state is not None
    assert len(state.queue) == 16


def test_menu() -> None:
    card = card_with(menu=MENU)
    menu = fetch(card, begin(card))
    assert menu == "810301250082028182" + "8504" + b"Card".hex().upper() + "8F04014F6E65" + "8F040254776F"
    respond(card, 1, 0x25)
    sw = card.send("80C20000 09 D307 82020181 900102".replace(" ", "")).sw
    assert fetch(card, sw).endswith("8D0704" + b"Second".hex().upper())
    respond(card, 2, 0x21)
    assert card.send("80C2000009D30782020181900109").sw == "9000", "an item that is not there"


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (CatStep(CatCommand.POLL_INTERVAL, seconds=600), "8402000A"),
        (CatStep(CatCommand.POLLING_OFF), "0400"),
        (CatStep(CatCommand.PROVIDE_LOCAL_INFORMATION, qualifier=1), "2601"),
        (CatStep(CatCommand.REFRESH, qualifier=4), "0104"),
        (CatStep(CatCommand.SET_UP_EVENT_LIST, events=(3, 4)), "99020304"),
        (CatStep(CatCommand.TIMER_MANAGEMENT, timer=2, seconds=3723), "A40102A503102030"),
    ],
)
def test_encodings(step: CatStep, expected: str) -> None:
    card = card_with(step)
    assert expected in fetch(card, begin(card))


def test_reset_ends_everything() -> None:
    card = card_with(POLL)
    begin(card)
    card.card.reset()
    assert card.send("80F2000C").sw == "9000"
    card.refused("6985", "801200000F")


class Inbox:
    """A handler that keeps what it gets."""

    def __init__(self, answer: bytes = b"", refuses: bool = False) -> None:
        self.messages: list[tuple[bytes, bytes]] = []
        self._answer, self._refuses = answer, refuses

    def receive(self, originator: bytes, tpdu: bytes) -> bytes:
        self.messages.append((originator, tpdu))
        if self._refuses:
            raise DecodeError("no")
        return self._answer


DOWNLOAD = "80C2000010 D10E 82028381 06029101 8B04 DEADBEEF".replace(" ", "")


def test_short_messages_go_to_the_handler() -> None:
    card, inbox = platform_card(), Inbox(b"\x01\x02")
    card.card._context.card.downloads = inbox
    assert card.ok(DOWNLOAD) == b"\x01\x02"
    assert inbox.messages == [(b"\x91\x01", bytes.fromhex("DEADBEEF"))]


def test_a_handler_may_refuse() -> None:
    card = platform_card()
    card.card._context.card.downloads = Inbox(refuses=True)
    card.refused("6A80", DOWNLOAD)


def test_without_a_handler_messages_are_acknowledged() -> None:
    platform_card().ok(DOWNLOAD)


@pytest.mark.parametrize("data", ["D400", "D500", "D600", "D700", "D200"])
def test_other_messages_are_acknowledged(data: str) -> None:
    platform_card().ok("80C2000002", data)


@pytest.mark.parametrize(
    ("sw", "data"), [("6A80", "D800"), ("6A80", "D104820283"), ("6A80", "D10482028381"), ("6985", "D303900101")]
)
def test_envelopes_refused(sw: str, data: str) -> None:
    platform_card().refused(sw, "80C20000", f"{len(data) // 2:02X}", data)


def test_a_menu_selection_without_item() -> None:
    card = card_with(menu=MENU)
    begin(card)
    card.refused("6A80", "80C2000006D30482020181")
