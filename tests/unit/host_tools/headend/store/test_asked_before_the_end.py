"""What a BSM has asked of a terminal outlives its process: a trigger, a short message, the client ID it waits for."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from host_tools.exchange.http import HttpRequest
from host_tools.exchange.messages.ltkm_push import OMA_LTKM_PORT
from host_tools.exchange.messages.registration import Registration, RegistrationAnswer, ServiceCode
from host_tools.exchange.messages.trigger import Trigger
from host_tools.exchange.names import client_id_agent
from host_tools.exchange.procedures import REGISTRATION
from host_tools.headend.bsm.provisioning.shop_orders import OrderState
from host_tools.headend.clock import ManualClock
from host_tools.headend.http.client_id import PENDING_SECONDS, AnyTerminal
from host_tools.headend.scenario.wares import SERVICE_PREFIX
from host_tools.headend.store.database import Database
from host_tools.headend.store.store import Store
from tests.flows import offers
from tests.flows.offers import ITEM1
from tests.support.flows import RawTerminal, raw_terminal
from tests.support.head_end import HeadEnd, free_address, head_end
from tests.support.lab_tls import LabTls
from tests.unit.host_tools.headend.networks import small_scenario
from tests.unit.host_tools.headend.store.conftest import KEY

FQDN = small_scenario().network.bsm_fqdn
ONE = SERVICE_PREFIX + "one"
CLIENT_ID = bytes.fromhex("ff00010203040506")
_KILLED = """
import os, signal, sys, time
from card.crypto.secret import Secret
from host_tools.exchange.transport import Endpoint
from host_tools.headend.store.store import Store
store = Store.connect(sys.argv[1], Secret(bytes(range(32))))
with store.database.transaction():
    store.books.letters.add(Endpoint(sys.argv[2], 4359), sys.argv[3].encode(), time.time())
os.kill(os.getpid(), signal.SIGKILL)
"""


def waiting(served: HeadEnd) -> int:
    """How many letters are kept; to be called in the thread that serves."""
    database = served.running.servers.parts.books.transactions
    assert isinstance(database, Database)
    with database.transaction():
        return int(database.run(text("SELECT count(*) FROM letters")).scalar_one())


def test_a_trigger_that_was_not_sent_goes_out_of_the_next_process(url: str) -> None:
    plan, goods, address = offers.scenario(), offers.catalogue(), free_address()
    store = Store.connect(url, KEY)
    with head_end(scenario=plan, catalogue=goods, store=store) as served:
        impi, servers = served.network.subscriber.impi, served.running.servers
        servers.pushes.due = lambda: ()  # type: ignore[method-assign]  # it ends before anything goes out
        made = served.call(lambda: servers.selling.desk.order(impi, (ITEM1,), "order-1", address))
        assert made.state is OrderState.TRIGGERED
        assert served.call(lambda: waiting(served)) == 1
    store.close()
    again = Store.connect(url, KEY)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as heard:
        heard.bind((address, OMA_LTKM_PORT))
        heard.settimeout(60.0)
        with head_end(scenario=plan, catalogue=goods, store=again) as served:
            trigger = Trigger.decode(heard.recv(4096))
            assert (trigger.trigger_id, trigger.items) == ("order-1", (ITEM1,))
            while served.call(lambda: waiting(served)):
                time.sleep(0.02)
            assert served.defects == 0
    again.close()


def test_a_process_that_was_killed_leaves_its_trigger(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'a.db'}"
    trigger = Trigger("killed-1", f"http://{FQDN}/", (ITEM1,)).encode().decode()
    store = Store.connect(url, KEY)
    with head_end(store=store) as served, raw_terminal(served) as terminal:
        killed = subprocess.run([sys.executable, "-c", _KILLED, url, terminal.address, trigger], timeout=120)
        assert killed.returncode == -signal.SIGKILL
        assert terminal.take(1, 60.0) == 1  # another process on the same store looks for letters now and then
        assert Trigger.decode(terminal.log.crossed[0].octets).trigger_id == "killed-1"
        assert served.defects == 0
    store.close()


@pytest.mark.parametrize("late", [False, True])
def test_a_registration_that_waits_for_a_client_id_is_answered_by_the_next_process(
    url: str, tmp_path: Path, late: bool
) -> None:
    tls = LabTls(tmp_path)
    rule = AnyTerminal(wanted=True)
    store = Store.connect(url, KEY)
    with head_end(ua_tls=tls.server(FQDN), client_ids=rule, store=store) as served:
        with raw_terminal(served, tls.terminal("terminal-1")) as terminal:
            asked = terminal.ask(REGISTRATION, Registration((ONE,)).encode())
            assert (asked.status, asked.body.strip()) == (403, b"send_BCAST_Client_ID")
            b_tid, srk, address = terminal.log.b_tid, terminal.log.srk, terminal.address
            card = terminal.card
        assert served.defects == 0
    store.close()
    again = Store.connect(url, KEY)
    with head_end(ua_tls=tls.server(FQDN), client_ids=rule, store=again) as served:
        if late:
            gate = served.running.servers.selling.routes._keys
            gate._clock = ManualClock(gate._clock.now() + timedelta(seconds=PENDING_SECONDS))
        served.terminal_address = address
        with RawTerminal(served, tls.terminal("terminal-1")) as terminal:
            terminal.card, terminal.log.b_tid, terminal.log.srk = card, b_tid, srk
            shown = HttpRequest("GET", "/", (("Host", FQDN), ("User-Agent", client_id_agent(CLIENT_ID))))
            answer = terminal.ask_request(shown)
            if late:
                assert answer.status == 403
                assert terminal.take(1, 0.2) == 0
            else:
                codes = RegistrationAnswer.decode(answer.body).codes
                assert (answer.status, codes) == (200, (ServiceCode(ONE, 200),))
                assert terminal.take(1) == 1
                # It waits no more.
                assert terminal.ask_request(shown).status == 403
        assert served.defects == 0
    again.close()
