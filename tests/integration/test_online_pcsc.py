"""The client of a terminal with a card in a real reader: HTTP and UDP on one side, pcscd and vpcd on the other."""

from __future__ import annotations

import pytest

from card import CardProfile, memory_card
from card.spec.bcast.p1 import P1
from host_tools.links.pcsc import PcscLink
from host_tools.terminal.bcast import Tek
from host_tools.terminal.middleware import TerminalMiddleware
from tests.integration.conftest import Desk
from tests.support.head_end import PIN, head_end, terminal
from tests.unit.host_tools.wire.test_whole_run import ONE, TWO, feed

pytestmark = [pytest.mark.pcscd, pytest.mark.usefixtures("patient_bsm")]


def test_ltkms_over_udp_go_to_the_card_in_the_reader_and_acknowledgements_back(insert: Desk) -> None:
    reader = insert(memory_card(CardProfile.demo(), strict=True))
    with head_end() as served:
        link = PcscLink.open(reader)
        middleware = TerminalMiddleware(link, tables=P1)
        try:
            middleware.connect(PIN)
            with terminal(middleware, served) as online:
                registered = online.register([ONE, TWO])
                assert registered.granted
                assert len(registered.receipts) == 2
                assert isinstance(feed(served, middleware, 1), Tek)
                assert online.deregister([TWO]).granted
                assert not isinstance(feed(served, middleware, 2), Tek)
        finally:
            middleware.close()
        pushes = served.running.servers.pushes
        assert served.call(lambda: (pushes.acknowledged, pushes.figures().outstanding)) == (4, 0)
        assert served.defects == 0
