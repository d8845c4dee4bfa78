"""A BSF that is busy: that is no refusal, so a terminal that stays tries again later."""

from __future__ import annotations

import pytest

from host_tools.exchange.errors import TransportError
from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.terminal.http.ub import HttpBsf
from host_tools.wire.system import SystemRng


class Busy:
    """Answers everything with 503."""

    def __init__(self, *said: tuple[str, str]) -> None:
        self.seen: list[HttpRequest] = []
        self._said = said

    def exchange(self, request: HttpRequest) -> HttpResponse:
        self.seen.append(request)
        return HttpResponse(503, self._said, b"")


@pytest.mark.parametrize(("said", "words"), [("7", "try again in 7 s"), ("soon", r"\(status 503\)$")])
def test_a_busy_bsf_is_asked_again_later(said: str, words: str) -> None:
    with pytest.raises(TransportError, match=words):
        HttpBsf(Busy(("Retry-After", said)), "bsf.example.org", SystemRng()).challenge("me@home")


def test_a_tmpi_is_kept_when_the_bsf_is_busy() -> None:
    """Else the IMPI would go out in the clear for nothing."""
    busy = Busy()
    bsf = HttpBsf(busy, "bsf.example.org", SystemRng())
    bsf.tmpi = "tmpi@tmpi.bsf.example.org"
    with pytest.raises(TransportError):
        bsf.challenge("me@home")
    assert bsf.tmpi
    assert len(busy.seen) == 1
