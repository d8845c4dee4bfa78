"""Who asks for the next STKM may wait for it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from host_tools.exchange.http import HttpRequest
from host_tools.exchange.transport import Peer
from host_tools.headend.clock import ManualClock
from host_tools.headend.http.stkm_shelf import StkmShelf


@pytest.mark.parametrize("target", ["*", "ftp://a/b", "//", ""])
def test_a_request_that_cannot_be_read_does_not_wait_and_is_told_so(target: str) -> None:
    shelf = StkmShelf(ManualClock(datetime(2026, 11, 30, tzinfo=UTC)))
    request = HttpRequest("OPTIONS", target)
    assert not shelf.has_nothing_new(request)
    assert shelf.handle(request, Peer("127.0.0.1")).status in (400, 404)
    assert shelf.defects == 0
