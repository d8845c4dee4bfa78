"""The PC/SC link against a stand-in for pyscard; the real service is used in tests/integration."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from host_tools.links import pcsc
from host_tools.links.base import LinkError, NoReader, ReaderGone, TransmissionProtocol

OK = 0
NO_SMARTCARD = 0x8010000C
PRESENT, CHANGED, MUTE = 0x20, 0x2, 0x200


class FakeService:
    """The PC/SC calls the link makes, with results that a test sets."""

    def __init__(self) -> None:
        self.readers = ["Virtual PCD 00 00", "Virtual PCD 00 01"]
        self.establish_result = OK
        self.list_result = OK
        self.states: Iterator[int] = iter([PRESENT] * 100)
        self.connect_results: Iterator[int] = iter([OK] * 100)
        self.transmit_result = OK
        self.answer: list[int] | None = None
        self.reconnect_result = OK
        self.released = 0
        self.disconnected = 0
        self.begin_result = OK
        self.transactions: list[str] = []

    def module(self) -> Any:
        return SimpleNamespace(
            SCARD_SCOPE_USER=0, SCARD_STATE_UNAWARE=0, SCARD_STATE_CHANGED=CHANGED,
            SCARD_STATE_PRESENT=PRESENT, SCARD_STATE_MUTE=MUTE,
            SCARD_SHARE_SHARED=2, SCARD_PROTOCOL_T0=1, SCARD_PROTOCOL_T1=2,
            SCARD_RESET_CARD=1, SCARD_LEAVE_CARD=0,
            SCardEstablishContext=lambda _scope: (self.establish_result, 7),
            SCardReleaseContext=self._release,
            SCardListReaders=lambda _context, _groups: (self.list_result, self.readers),
            SCardGetStatusChange=self._status_change,
            SCardConnect=lambda *_: (next(self.connect_results), 9, 1),
            SCardStatus=lambda _card: (OK, "x", 0, 1, [0x3B, 0x00]),
            SCardTransmit=lambda _card, _protocol, apdu: self._transmit(apdu),
            SCardReconnect=lambda *_: (self.reconnect_result, 2),
            SCardDisconnect=self._disconnect,
            SCardBeginTransaction=lambda _card: self._note("begin", self.begin_result),
            SCardEndTransaction=lambda _card, _how: self._note("end", OK),
        )  # fmt: skip

    def _transmit(self, apdu: list[int]) -> tuple[int, list[int]]:
        return self.transmit_result, [*reversed(apdu)] if self.answer is None else self.answer

    def _note(self, what: str, result: int) -> int:
        self.transactions.append(what)
        return result

    def _release(self, _context: int) -> int:
        self.released += 1
        return OK

    def _disconnect(self, _card: int, _how: int) -> int:
        self.disconnected += 1
        return OK

    def _status_change(self, _context: int, _wait: int, known: list[tuple[str, int]]) -> Any:
        state = next(self.states)
        return OK, [(reader, state | CHANGED, []) for reader, _ in known]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> FakeService:
    fake = FakeService()
    monkeypatch.setattr(pcsc, "_scard", fake.module)
    return fake


def test_opens_the_first_reader_with_a_card(service: FakeService) -> None:
    link = pcsc.PcscLink.open()
    assert (link.name, link.atr, link.protocol) == ("Virtual PCD 00 00", b"\x3b\x00", TransmissionProtocol.T0)
    assert link.transmit(b"\x01\x02") == b"\x02\x01"
    link.close()
    link.close()
    with pytest.raises(LinkError, match="is closed"):
        link.transmit(b"\x00\xa4\x00\x00")
    assert (service.disconnected, service.released) == (1, 1)


def test_a_part_of_the_name_is_enough(service: FakeService) -> None:
    assert pcsc.PcscLink.open("00 01").name == service.readers[1]


def test_a_part_that_fits_two_names_is_refused(service: FakeService) -> None:
    with pytest.raises(NoReader, match="fits several"):
        pcsc.PcscLink.open("Virtual")
    assert service.released == 1


def test_an_unknown_reader_names_those_there_are(service: FakeService) -> None:
    with pytest.raises(NoReader, match="Virtual PCD 00 00"):
        pcsc.PcscLink.open("Omnikey")
    assert service.released == 1


def test_no_reader_at_all(service: FakeService) -> None:
    service.list_result = 0x8010002E
    with pytest.raises(NoReader, match="no reader"):
        pcsc.PcscLink.open()


def test_no_service(service: FakeService) -> None:
    service.establish_result = -2146435043  # 0x8010001D as pyscard gives it
    with pytest.raises(NoReader, match="pcscd"):
        pcsc.PcscLink.open()


def test_a_card_that_appears_later_is_waited_for(service: FakeService) -> None:
    service.states = iter([0, 0, PRESENT, 0, PRESENT | MUTE, PRESENT])
    assert pcsc.PcscLink.open().name == service.readers[0]


def test_a_card_that_does_not_come(service: FakeService) -> None:
    service.states = iter([0] * 1000)
    with pytest.raises(NoReader, match="No card in reader"):
        pcsc.PcscLink.open("00 00", wait=-1)


def test_connecting_too_early_is_repeated(service: FakeService) -> None:
    service.connect_results = iter([NO_SMARTCARD, NO_SMARTCARD, OK])
    assert pcsc.PcscLink.open().transmit(b"\x00\x01") == b"\x01\x00"


def test_an_exclusive_user_is_named_as_such(service: FakeService) -> None:
    service.connect_results = iter([0x8010000B])
    with pytest.raises(LinkError, match="exclusively"):
        pcsc.PcscLink.open()


@pytest.mark.parametrize("code", [0x80100069, 0x80100016, 0x80100017, 0x8010001E, 0x80100013])
def test_a_reader_that_vanishes(service: FakeService, code: int) -> None:
    link = pcsc.PcscLink.open()
    service.transmit_result = code - (1 << 32)
    with pytest.raises(ReaderGone, match="vanished"):
        link.transmit(b"\x00\xa4\x00\x00")


def test_any_error_of_a_service_that_died_means_that_the_reader_is_gone(service: FakeService) -> None:
    link = pcsc.PcscLink.open()
    service.transmit_result, service.list_result = 0x8010006A, 0x8010001D
    with pytest.raises(ReaderGone, match="vanished"):
        link.transmit(b"\x00\xa4\x00\x00")


@pytest.mark.parametrize("answer", [[], [0x90]])
def test_an_answer_without_status_word_means_that_the_card_is_gone(service: FakeService, answer: list[int]) -> None:
    link = pcsc.PcscLink.open()
    service.answer = answer
    with pytest.raises(ReaderGone, match="vanished"):
        link.transmit(b"\x00\xa4\x00\x00")


def test_another_error_shows_its_number(service: FakeService) -> None:
    link = pcsc.PcscLink.open()
    service.transmit_result = 0x80100004
    with pytest.raises(LinkError, match="80100004"):
        link.transmit(b"\x00\xa4\x00\x00")


def test_reset_takes_the_new_protocol(service: FakeService) -> None:
    link = pcsc.PcscLink.open()
    assert link.reset() == b"\x3b\x00"
    assert link.protocol is TransmissionProtocol.T1
    service.reconnect_result = 0x80100069
    with pytest.raises(ReaderGone):
        link.reset()


def test_pyscard_missing_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "smartcard.scard", None)
    with pytest.raises(NoReader, match="pyscard is missing"):
        pcsc.PcscLink.open()


def test_a_block_of_commands_is_one_transaction(service: FakeService) -> None:
    with pcsc.PcscLink.open() as link:
        with link.together():
            link.transmit(b"\0\0\0\0")
            with link.together():
                link.transmit(b"\0\0\0\0")
            assert service.transactions == ["begin"]
        assert service.transactions == ["begin", "end"]


def test_a_card_that_is_gone_has_no_transaction(service: FakeService) -> None:
    with pcsc.PcscLink.open() as link:
        service.begin_result = 0x80100069
        with pytest.raises(ReaderGone), link.together():
            pass
        assert service.transactions == ["begin"]
        service.begin_result = 0x80100068
        with pytest.raises(ReaderGone, match="Another program reset the card"), link.together():
            pass
