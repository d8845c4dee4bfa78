"""A head-end that does not know where a terminal is pulls by short message; limits and the log on the same wires."""

from __future__ import annotations

import base64
import json
import logging
import signal
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from card import CardProfile, create_card
from host_tools.cli.exits import ExitCode
from host_tools.exchange.messages.msk import MskAnswer
from host_tools.exchange.messages.provisioning import PurchaseItem
from host_tools.exchange.messages.sms_deliver import SmsDeliver
from host_tools.exchange.messages.sms_push import SmsForm, SmsPush
from host_tools.exchange.messages.trigger import Trigger
from host_tools.exchange.transport import Endpoint
from host_tools.headend.bsm.books import Registered, Route
from host_tools.headend.bsm.provisioning.shop_orders import OrderState, ShopOrder
from host_tools.headend.errors import HeadendError
from host_tools.headend.http.key_management import PULLED_LIFE, REGISTRATION_LIFE
from host_tools.headend.http.pull_desk import Way
from host_tools.headend.http.short_messages import SmsPlace, UdpShortMessages
from host_tools.headend.operating.happenings import Happening, Kind
from host_tools.headend.scenario.wares import ITEM_PREFIX, MONTH, SERVICE_PREFIX
from host_tools.headend.subscribers.personalised import record_of
from host_tools.sessions.log_lines import LogLines, log_lines
from host_tools.terminal.client.events import ErrandDone, News, TriggerTaken
from host_tools.wire.network_file import load_network
from host_tools.wire.system import SystemClock
from tests.flows import offers
from tests.support.head_end import PIN, HeadEnd, free_address, fresh_card, head_end
from tests.support.live import wait_until
from tests.unit.host_tools.wire.test_commands import run, serving
from tests.unit.host_tools.wire.test_other_bearers import SMS_PORT, online
from tests.unit.host_tools.wire.test_whole_run import ONE, TWO


def pulled(served: HeadEnd) -> Way:
    """Have the one subscriber pulled, and let go out what is due."""
    identity = served.network.subscriber.impi

    def pull() -> Way:
        way = served.running.servers.pulls.pull(identity)
        served.running.port.flush()
        return way

    return served.call(pull)


@pytest.mark.parametrize("form", list(SmsForm))
def test_a_terminal_that_left_is_pulled_by_short_message_and_served_by_http(form: SmsForm) -> None:
    address, news = free_address(), list[News]()
    with head_end(sms=SmsPlace(Endpoint(address, SMS_PORT), form)) as served:
        with online(served, fresh_card(), address, news) as terminal:
            terminal.register([ONE])
            assert pulled(served) is Way.DATAGRAM
            assert [receipt.taken for receipt in terminal.listen()] == [True]
            terminal.deregister([ONE])
            news.clear()
            assert pulled(served) is Way.SHORT_MESSAGE
            assert any(receipt.taken for receipt in terminal.listen())
        asked = [one.outcome.answer for one in news if isinstance(one, ErrandDone)]
        assert asked
        assert all(isinstance(one, MskAnswer) for one in asked)
        assert {code.status for one in asked if isinstance(one, MskAnswer) for code in one.codes} == {200}
        assert served.defects == 0


@pytest.mark.flow("002", "5.4.7.2.10", step="3", message="SmartcardProfileTrigger by short message, with the items")
@pytest.mark.parametrize("form", list(SmsForm))
def test_a_trigger_by_short_message_leads_to_the_sale(form: SmsForm) -> None:
    """A shop orders for one whose terminal never registered: nobody knows where that is."""
    address, news = free_address(), list[News]()
    where = SmsPlace(Endpoint(address, SMS_PORT), form)
    with head_end(scenario=offers.scenario(), catalogue=offers.catalogue(), sms=where) as served:
        impi, desk = served.network.subscriber.impi, served.running.servers.selling.desk

        def order(name: str) -> ShopOrder:
            made = desk.order(impi, (offers.ITEM1,), name, "127.0.0.2")
            served.running.port.flush()
            return made

        def state(name: str) -> OrderState | None:
            found = desk.find(impi, name)
            return None if found is None else found.state

        with online(served, fresh_card(), address, news) as terminal:
            assert served.call(lambda: order("order-1")).state is OrderState.TRIGGERED
            assert [receipt.taken for receipt in terminal.listen()] == [True]
            wait_until(lambda: served.call(lambda: state("order-1")) is OrderState.DELIVERED)
            assert [one.service_ids for one in news if isinstance(one, TriggerTaken)] == [(offers.ITEM1.service_id,)]
            (pulls,) = [served.running.servers.pulls._messages]
            assert isinstance(pulls, UdpShortMessages)
            sent = pulls.sent
            assert sent > 1
            # It is registered now: the next one goes as a datagram.
            assert served.call(lambda: desk.order(impi, (offers.BOTH,), "order-2")).state is OrderState.TRIGGERED
            assert pulls.sent == sent
        assert served.defects == 0


def test_a_trigger_for_a_registration_that_is_over_goes_by_short_message() -> None:
    with head_end(sms=SmsPlace(Endpoint(free_address(), SMS_PORT))) as served:
        servers, impi = served.running.servers, served.network.subscriber.impi
        desk = servers.selling.desk
        long_ago = servers.pushes.now - REGISTRATION_LIFE
        item = PurchaseItem(ITEM_PREFIX + "one", MONTH)

        def order() -> ShopOrder:
            with servers.books.transactions.transaction():
                route = Route("127.0.0.9", "b-tid")
                servers.books.registrations.put(impi, Registered((SERVICE_PREFIX + "one",), route, long_ago))
            return desk.order(impi, (item,), "order-1")

        assert served.call(order).state is OrderState.TRIGGERED
        assert isinstance(desk._messages, UdpShortMessages)
        assert desk._messages.sent > 0
        assert served.defects == 0


def test_a_trigger_that_is_too_long_for_short_messages_is_said_to_be(tmp_path: Path) -> None:
    with head_end(sms=SmsPlace(Endpoint(free_address(), SMS_PORT))) as served:
        impi, desk = served.network.subscriber.impi, served.running.servers.selling.desk
        items = tuple(PurchaseItem(f"urn:item:{number}:{'x' * 60}") for number in range(12))

        def send() -> bool:
            with served.running.servers.books.transactions.transaction():
                return desk.send(impi, Trigger("t-1", desk.bsm_uri, items))

        with pytest.raises(HeadendError, match="more than 8 short messages"):
            served.call(send)


def test_a_trigger_in_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`terminal sms` with the TPDUs of a trigger: the terminal registers, and its key comes."""
    monkeypatch.setenv("BCAST_UICC_PIN", PIN.reveal().rstrip(b"\xff").decode())
    card = tmp_path / "a.card"
    create_card(CardProfile.demo(), card).close()
    with serving(tmp_path) as served:
        item = PurchaseItem(SERVICE_PREFIX + "tone-a")
        trigger = Trigger("t-1", f"http://{served.network.bsm.name}/", (item,)).encode()
        files = []
        for number, part in enumerate(SmsPush(SmsForm.A, trigger).encode()):
            files.append(tmp_path / f"{number}.tpdu")
            files[-1].write_bytes(SmsDeliver(part).encode())
        assert run(served, "sms", card, *map(str, files)) == ExitCode.OK
        told = capsys.readouterr().out
        assert SERVICE_PREFIX + "tone-a" in told
        assert '"taken"' in told
        assert run(served, "sms", card, str(files[0])) == ExitCode.DIFFERENT


def test_a_pull_that_no_way_leads_to() -> None:
    address = free_address()
    with head_end() as served, pytest.raises(HeadendError, match="is not registered"):
        pulled(served)
    with head_end(sms=SmsPlace(Endpoint(address, SMS_PORT))) as served:
        with pytest.raises(HeadendError, match="never shown a B-TID"):
            pulled(served)
        identity = served.network.subscriber.impi
        keys, books = served.running.servers.keys, served.running.servers.books

        def expected(age: float) -> tuple[str, ...]:
            with books.transactions.transaction():
                books.records.put("pulled", identity, "at", str(keys._pushes.now - age).encode())
                return keys._expected(identity)

        with online(served, fresh_card(), address, []) as terminal:
            terminal.register([ONE])
        assert served.call(lambda: expected(0)) == (ONE, TWO)
        assert served.call(lambda: expected(PULLED_LIFE)) == ()
        assert served.call(lambda: expected(-1)) == ()


def test_one_that_asks_too_often_is_put_off() -> None:
    address, news = free_address(), list[News]()
    with head_end(most_requests=2) as served, online(served, fresh_card(), address, news) as terminal:
        terminal.register([ONE])
        terminal.deregister([ONE])
        with pytest.raises(Exception, match="503"):
            terminal.register([ONE])
        ua = served.running.servers.ua
        assert served.call(lambda: (ua.limited > 0, ua.defects)) == (True, 0)
        # Nothing of it is kept.
        identity = served.network.subscriber.impi

        def registered() -> bool:
            with served.running.servers.books.transactions.transaction():
                return served.running.servers.keys.registration(identity) is not None

        assert not served.call(registered)


def test_the_log_has_what_happened_and_no_secret(tmp_path: Path) -> None:
    path, address = tmp_path / "serve.log", free_address()
    path.write_text("of before\n")
    with log_lines(path) as lines:
        assert lines is not None
        with head_end(hears=lines.hear) as served, online(served, fresh_card(), address, []) as terminal:
            b_tid = terminal.register([ONE]).b_tid
            bsm = served.network.bsm
            keys = served.call(lambda: [bsm.smk(b_tid, b""), bsm.srk(b_tid), *(one.key for one in bsm.keys("one"))])
        logging.getLogger("host_tools.test").info("%s", "words" * 100)
    assert (tmp_path / "serve.log.1").read_text() == "of before\n"
    told = [json.loads(line) for line in path.read_text().splitlines()]
    assert all({"time", "event"} <= set(one) for one in told)
    asked = [(one["server"], one["status"]) for one in told if one["event"] == "asked"]
    assert ("Ub", 200) in asked
    assert ("Ua", 401) in asked
    assert [one["user"] for one in told if one.get("server") == "Ua" and one.get("status") == 200] == [b_tid]
    assert {one["what"] for one in told if one["event"] in ("sent", "heard")} == {"LTKM", "acknowledgement"}
    assert [len(one["words"]) for one in told if one.get("module") == "test"] == [300]
    record = record_of(CardProfile.demo())
    keys += [record.k, record.constant]
    octets = path.read_bytes().lower()
    for key in keys:
        raw = key.reveal()
        assert len(raw) >= 16
        for shown in (raw, raw.hex().encode(), base64.b64encode(raw).lower(), repr(raw).encode()):
            assert shown.lower() not in octets


def test_the_log_is_bounded_and_a_full_queue_holds_nobody_up(tmp_path: Path) -> None:
    path = tmp_path / "serve.log"
    log = LogLines(path, largest=4000, waiting=3)
    happening = Happening(1, SystemClock().now(), Kind.ASKED, "Ua", "x", (("status", 200),))
    for _ in range(5):
        log.hear(happening)
    assert log.dropped == 2
    log.start()
    for _ in range(500):
        log.hear(happening)
    log.stop()
    assert sorted(file.name for file in tmp_path.iterdir()) in (["serve.log"], ["serve.log", "serve.log.1"])
    assert all(file.stat().st_size <= 4000 for file in tmp_path.iterdir())


def test_the_log_on_standard_output_is_nothing_but_lines(tmp_path: Path) -> None:
    file = tmp_path / "net.toml"
    command = [sys.executable, "-m", "host_tools.cli.main", "headend", "serve", "--db", "memory", "--no-pages"]
    command += ["--network-file", str(file), "--log", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert any(line.startswith("Registrations") for line in process.stderr)
            end = load_network(file).bsf.endpoint
            with pytest.raises(HTTPError, match=r"HTTP Error 4"):
                urlopen(f"http://{end.address}:{end.port}/", timeout=30)
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert [json.loads(line)["server"] for line in out.splitlines()] == ["Ub"]
