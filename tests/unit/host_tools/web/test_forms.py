"""Form tokens and the reading of forms."""

from __future__ import annotations

import pytest

from host_tools.exchange.http import HttpRequest
from host_tools.headend.clock import ManualClock
from host_tools.headend.seeded import Seeded, SeededRng
from host_tools.web.forms import FORM_TYPE, FormTokens, read_form, read_query
from host_tools.wire.visitors import VisitRefusedError
from tests.unit.host_tools.headend.networks import small_scenario

TYPED = (("Content-Type", FORM_TYPE),)


def make() -> tuple[FormTokens, ManualClock]:
    clock = ManualClock(small_scenario().start)
    return FormTokens(SeededRng(Seeded("forms"), "x"), clock), clock


def test_a_token_is_good_for_its_visitor_and_names_one_request() -> None:
    tokens, _ = make()
    token = tokens.make("me")
    assert tokens.check("me", token) == tokens.check("me", token)
    assert tokens.check("me", tokens.make("me")) != tokens.check("me", token)
    with pytest.raises(VisitRefusedError):
        tokens.check("you", token)


def test_a_token_that_was_touched_is_refused() -> None:
    tokens, _ = make()
    token = tokens.make("me")
    for at in range(len(token)):
        other = token[:at] + ("0" if token[at] != "0" else "1") + token[at + 1 :]
        with pytest.raises(VisitRefusedError):
            tokens.check("me", other)
    for other in ("", ".", token + "0", token[1:], "é" * 40):
        with pytest.raises(VisitRefusedError):
            tokens.check("me", other)


def test_a_token_ends() -> None:
    tokens, clock = make()
    token = tokens.make("me")
    clock.advance(13 * 3600)
    with pytest.raises(VisitRefusedError):
        tokens.check("me", token)


def test_the_fields_of_a_form() -> None:
    assert read_form(HttpRequest("POST", "/", TYPED, b"a=1&b=%C3%A4+x&c=")) == {"a": "1", "b": "ä x", "c": ""}


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ((), b"a=1", 415),
        ((("Content-Type", "application/json"),), b"{}", 415),
        (TYPED, b"a=1&a=2", 400),
        (TYPED, b"a=%ff", 400),
        (TYPED, b"a=x%00", 400),
        (TYPED, b"a%0a=x", 400),
        (TYPED, b"&".join(b"f%d=1" % number for number in range(65)), 400),
        (TYPED, b"a" * 16_385, 413),
    ],
)
def test_forms_that_are_refused(headers: tuple[tuple[str, str], ...], body: bytes, status: int) -> None:
    with pytest.raises(VisitRefusedError) as refused:
        read_form(HttpRequest("POST", "/", headers, body))
    assert refused.value.status == status


def test_an_address_that_no_database_could_look_up_is_refused() -> None:
    assert read_query("order=a%C3%A4") == {"order": "aä"}
    with pytest.raises(VisitRefusedError, match="control character"):
        read_query("order=%00")
