"""The terminal's calls to a CSIM, against the card and against cards that answer nonsense."""

from __future__ import annotations

import pytest

from card import memory_card
from card.crypto.secret import Secret
from card.spec.bcast.p1 import P1
from card.spec.bcmcs_tables import DEFAULT_TAGS
from host_tools.apdu.client import ApduClient
from host_tools.apdu.response import StatusError
from host_tools.exchange.digest.compute import Asked
from host_tools.exchange.digest.headers import Challenge
from host_tools.links.inprocess import InProcessLink
from host_tools.terminal.csim import EF_HRPDUPP, Csim
from host_tools.terminal.csim_middleware import CsimMiddleware
from host_tools.terminal.errors import (
    MalformedAnswerError,
    NoCsimError,
    PinNeededError,
    PinWrongError,
    TerminalError,
)
from tests.support.csim import NAI, csim_profile
from tests.support.profiles import IMSI, card_profile
from tests.unit.host_tools.links.fakes import ScriptedLink

PIN = Secret(b"1234")
COMMAND = "80580000 10 8004666C6F77 81026964 820400000000 00"  # Retrieve SK for "flow" and "id"


def link(extra: str = "", tail: str = "") -> InProcessLink:
    return InProcessLink(memory_card(csim_profile(extra, tail), strict=True))


class TestConnecting:
    def test_who_the_subscriber_is(self) -> None:
        identity = CsimMiddleware(link(), tables=P1, tags=DEFAULT_TAGS).connect(PIN)
        assert (identity.imsi, identity.nai) == (IMSI, NAI)

    def test_a_nai_from_outside_goes_first(self) -> None:
        assert CsimMiddleware(link(), tables=P1, tags=DEFAULT_TAGS).connect(PIN, "me@else").nai == "me@else"

    def test_the_nai_of_simple_ip_stands_in(self) -> None:
        sip = b"\x08\x01" + bytes((7,)) + b"u@sip.x"
        tail = f'[csim.services]\ndisabled = [8]\nextra = [14]\n[[files]]\npath = "ADF.CSIM/6F4C"\nhex = "{sip.hex()}"'
        assert CsimMiddleware(link(tail=tail), tables=P1, tags=DEFAULT_TAGS).connect(PIN).nai == "u@sip.x"

    def test_no_nai_anywhere(self) -> None:
        middleware = CsimMiddleware(link(tail="[csim.services]\ndisabled = [8]"), tables=P1, tags=DEFAULT_TAGS)
        with pytest.raises(TerminalError, match="names no NAI"):
            middleware.connect(PIN)

    def test_a_card_without_a_csim(self) -> None:
        with pytest.raises(NoCsimError):
            CsimMiddleware(InProcessLink(memory_card(card_profile())), tables=P1, tags=DEFAULT_TAGS).connect(PIN)

    def test_without_the_pin(self) -> None:
        with pytest.raises(PinNeededError):
            CsimMiddleware(link(), tables=P1, tags=DEFAULT_TAGS).connect()

    def test_with_a_wrong_pin(self) -> None:
        with pytest.raises(PinWrongError, match="2 tries"):
            CsimMiddleware(link(), tables=P1, tags=DEFAULT_TAGS).connect(Secret(b"0000"))

    def test_before_connecting(self) -> None:
        with pytest.raises(TerminalError, match="not connected"):
            _ = CsimMiddleware(link(), tables=P1, tags=DEFAULT_TAGS).identity

    def test_a_nai_file_that_is_no_nai(self) -> None:
        tail = f'[[files]]\npath = "ADF.CSIM/{EF_HRPDUPP:04X}"\nhex = "0802FF"'
        with pytest.raises(MalformedAnswerError, match="NAI"):
            CsimMiddleware(link(tail=tail), tables=P1, tags=DEFAULT_TAGS).connect(PIN)


class TestAnswers:
    @pytest.mark.parametrize(
        "answer", ["9000", "8A009000", "8A11" + "00" * 17 + "9000", "8B01009000", "8A0100008A9000"]
    )
    def test_a_malformed_response_object(self, answer: str) -> None:
        csim = Csim(ApduClient(ScriptedLink(f"{COMMAND} -> {answer}")), P1, DEFAULT_TAGS)
        with pytest.raises(MalformedAnswerError, match="Retrieve SK"):
            csim.retrieve_sk(b"flow", b"id", bytes(4))

    def test_a_refusal(self) -> None:
        csim = Csim(ApduClient(ScriptedLink(f"{COMMAND} -> 9404")), P1, DEFAULT_TAGS)
        with pytest.raises(StatusError, match=r"9404.*BCMCS_Flow_ID"):
            csim.retrieve_sk(b"flow", b"id", bytes(4))

    @pytest.mark.parametrize("nonce", ["", "AAAA", "%%%"])
    def test_a_challenge_that_is_none(self, nonce: str) -> None:
        middleware = CsimMiddleware(link(), tables=P1, tags=DEFAULT_TAGS)
        middleware.connect(PIN)
        with pytest.raises(TerminalError, match="HTTP challenge is malformed"):
            middleware.answer(Challenge("realm", nonce), Asked("GET", "/"), bytes)
