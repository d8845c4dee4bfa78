"""GBA_ME on wires: the card only authenticates, the terminal derives and holds the keys (TS 33.246 clause 6.1)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from host_tools.cli.console import Console
from host_tools.exchange.messages.zn import KeyChoice
from host_tools.headend.subscribers.gba_settings import GbaSettings, UiccType
from host_tools.sessions.online.key_store import KeyStore, key_store
from host_tools.terminal.bcast import Tek
from host_tools.terminal.client.machine import Rules
from host_tools.terminal.identities import me_online
from host_tools.terminal.middleware import TerminalMiddleware
from host_tools.terminal.online import OnlineTerminal
from host_tools.terminal.reach import reach_network
from host_tools.wire.key_sockets import KeySockets
from host_tools.wire.system import SystemClock, SystemRng
from tests.support.head_end import PATIENCE, HeadEnd, PatientTerminal, free_address, fresh_card, head_end
from tests.unit.host_tools.wire.test_whole_run import ONE, TWO, feed

pytestmark = pytest.mark.usefixtures("patient_bsm")
ME_KEYS = GbaSettings(UiccType.GBA, KeyChoice.ME_BASED)


@pytest.fixture
def served() -> Iterator[HeadEnd]:
    with head_end(settings=ME_KEYS) as found:
        yield found
        assert found.defects == 0


def terminal(served: HeadEnd, usim: TerminalMiddleware, store: KeyStore) -> OnlineTerminal:
    clock, rng, address = SystemClock(), SystemRng(), free_address()
    reach = reach_network(served.running.network, address)
    bsf = reach.to_bsf(usim.identity.home_domain, rng)
    card = me_online(usim, store.middleware, store.card.keep_naf_key, bsf, reach.bsm.fqdn, clock)
    sockets, rules = KeySockets(address), Rules(chases=False)
    return PatientTerminal(
        card, reach.bsm, reach.to_bsm(), sockets, clock, rng, rules=rules, patience=PATIENCE, rests=served.rests
    )


def test_keys_in_the_terminal_from_nothing_to_a_traffic_key(served: HeadEnd, tmp_path: Path) -> None:
    usim = fresh_card()
    with key_store(tmp_path / "me.card", usim.tables, Console()) as store:
        with terminal(served, usim, store) as online:
            registered = online.register([ONE, TWO])
            assert registered.granted
            assert len(registered.receipts) == 2
            assert isinstance(feed(served, store.middleware, 1), Tek)
            # Again under the same Ks: nobody bootstraps twice.
            assert online.request_keys(online.groups_held()).b_tid == registered.b_tid
        # The card has no key of the service, and no Ks of GBA_U.
        assert usim.usim.read_msks() == ()
        assert usim.usim.read_bootstrapping() is None
    assert served.call(lambda: dict(served.running.traffic["bsf"].answers)) == {401: 1, 200: 1}

    # Another process: the keys of the service are there, and a new bootstrapping brings the next one.
    with key_store(tmp_path / "me.card", usim.tables, Console()) as store:
        assert isinstance(feed(served, store.middleware, 2), Tek)
        with terminal(served, usim, store) as online:
            again = online.register([ONE])
        assert again.b_tid != registered.b_tid
        assert [receipt.taken for receipt in again.receipts] == [True]


def test_a_bsf_that_wants_gba_u_is_found_out(tmp_path: Path) -> None:
    """The AUTN of its challenge is masked: the card finds it not authentic, and nothing is sent."""
    usim = fresh_card()
    with head_end() as other, key_store(tmp_path / "me.card", usim.tables, Console()) as store:
        with terminal(other, usim, store) as online, pytest.raises(Exception, match="not authentic"):
            online.register([ONE])
        assert other.call(lambda: dict(other.running.traffic["bsf"].answers)) == {401: 1}
