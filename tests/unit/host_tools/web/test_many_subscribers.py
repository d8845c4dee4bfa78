"""A head-end with many subscribers: each has an order code, and the console leads to each, page by page or by name."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from host_tools.headend.bsm.books import Registered, Route
from host_tools.headend.bsm.memory_books import MOST_ORDERS, memory_books
from host_tools.headend.bsm.orders import Order
from host_tools.headend.bsm.provisioning.shop_orders import OrderState
from host_tools.headend.operating.codes import OrderCodes
from host_tools.headend.operating.operator import A_PAGE
from host_tools.headend.seeded import Seeded, SeededRng
from host_tools.headend.store.store import Store
from host_tools.headend.subscribers.memory import MemorySubscribers
from host_tools.headend.subscribers.subscriber import Subscriber
from tests.support.web import INCLUDED, MONTH, PageBench, text_of, token_of, whole
from tests.unit.host_tools.headend.networks import IMPI, OPC, K
from tests.unit.host_tools.headend.store.conftest import KEY

_MANY = 260
_NEXT = re.compile(r'<a rel="next" href="([^"]+)"')
_SHOWN = re.compile(r"<h3>([^ <]+@[^ <]+)")


def name(number: int) -> str:
    return f"00102{number:010}@home"


@pytest.fixture
def bench() -> PageBench:
    """The one subscriber of the scenario, and many more."""
    made = PageBench()
    subscribers = made.network.parts.subscribers
    assert isinstance(subscribers, MemorySubscribers)
    for number in range(_MANY):
        subscribers.add(Subscriber.milenage(f"00102{number:010}", name(number), K, OPC))
    return made


def shown(bench: PageBench, target: str) -> list[str]:
    return [str(one) for one in _SHOWN.findall(text_of(bench.console(target, headers=bench.enter())))]


def test_every_subscriber_is_on_one_page(bench: PageBench) -> None:
    target, pages = "/", list[list[str]]()
    while target:
        pages.append(shown(bench, target))
        following = _NEXT.findall(text_of(bench.console(target, headers=bench.enter())))
        target = html.unescape(following[0]).partition("#")[0] if following else ""
    assert [len(page) for page in pages] == [A_PAGE] * 5 + [_MANY + 1 - 5 * A_PAGE]
    assert [one for page in pages for one in page] == sorted([IMPI, *map(name, range(_MANY))])
    # What a script asks for anew is the page that is shown.
    assert shown(bench, f"/subscribers?after={name(49)}")[0] == name(50)


def test_a_subscriber_is_found_by_how_its_name_begins(bench: PageBench) -> None:
    assert shown(bench, "/?begins=001020000000255") == [name(255)]
    assert shown(bench, "/?begins=00102000000025") == list(map(name, range(250, 260)))
    assert shown(bench, "/?begins=nobody") == []
    assert "Nobody has such a name" in text_of(bench.console("/?begins=%3Cb%3E", headers=bench.enter()))
    assert "<b>" not in text_of(bench.console("/?begins=%3Cb%3E", headers=bench.enter())).partition("Events</h2>")[0]


def test_an_act_leads_back_to_where_it_was(bench: PageBench) -> None:
    cookie, target = bench.enter(), "/?begins=001020000000255"
    page = bench.console(target, headers=cookie)
    assert 'name="begins" value="001020000000255"' in text_of(page)
    fields = {"token": token_of(page), "act": "refuse", "who": name(255), "begins": "001020000000255"}
    answer = whole(bench.console("/act", fields, cookie))
    assert (answer.status, answer.one("Location")) == (303, "/?begins=001020000000255#subscribers")
    assert "refused" in text_of(bench.console(target, headers=cookie))


def test_the_last_of_them_orders_in_the_open_shop(bench: PageBench) -> None:
    code = bench.operator.codes.of(name(_MANY - 1))
    page = bench.shop()
    form = {"token": token_of(page), "code": code, f"item:{MONTH}": "on"}
    answer = bench.shop("/order", form)
    assert answer.status == 303, answer.body
    found = bench.servers.selling.desk.find_any((answer.one("Location") or "").partition("order=")[2])
    assert found is not None
    assert (found[0], found[1].state) == (name(_MANY - 1), OrderState.TRIGGERED)
    assert bench.shop(answer.one("Location") or "").status == 200


def test_a_sek_that_is_rolled_goes_to_all_who_are_registered(bench: PageBench) -> None:
    books = bench.servers.books
    for number in range(_MANY):
        bench.servers.selling.include(name(number))
        route = Route("127.0.0.9", f"b-tid-{number}")
        books.registrations.put(name(number), Registered((INCLUDED,), route, bench.clock.now().timestamp()))
    bench.operator.roll("one")
    assert all(len(books.outbox.orders(name(number))) == 1 for number in range(_MANY))
    picture = bench.operator.picture()
    assert [(one.id, one.listeners) for one in picture.services if one.id == "one"] == [("one", _MANY)]


def test_one_for_whom_too_much_waits_keeps_the_new_sek_from_nobody(bench: PageBench) -> None:
    books = bench.servers.books
    for number in range(3):
        bench.servers.selling.include(name(number))
        route = Route("127.0.0.9", f"b-tid-{number}")
        books.registrations.put(name(number), Registered((INCLUDED,), route, bench.clock.now().timestamp()))
    for _ in range(MOST_ORDERS):
        books.outbox.add(name(1), Order.for_key("one"))
    bench.operator.roll("one")
    newest = bench.network.bsm.keys("one")[-1].key_ids
    assert [books.outbox.orders(name(number))[-1][1].key for number in range(3)] == [newest, None, newest]
    told = bench.operator.happenings.newest()[-1].words
    assert told.endswith("sent to 2, not to 1 for whom too many LTKMs wait")


class TestCodes:
    def test_a_code_stays_over_a_restart_and_every_process_finds_it(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path / 'a.db'}"
        first, second = Store.connect(url), Store.connect(url)
        codes = OrderCodes(first.books, SeededRng(Seeded("a"), "codes"))
        mine, yours = codes.of("me@home"), codes.of("you@home")
        assert mine != yours
        assert re.fullmatch(r"[A-Z2-7]{4}-[A-Z2-7]{4}-[A-Z2-7]{4}", mine)
        other = OrderCodes(second.books, SeededRng(Seeded("b"), "codes"))
        assert other.of("me@home") == mine
        for spelled in (mine, mine.replace("-", "").lower(), mine.replace("-", " ")):
            assert other.find(spelled) == "me@home"
        for wrong in ("", "AAAA-AAAA-AAAA", mine[:-1], mine + "A", "1111-1111-1111", "\0"):
            assert other.find(wrong) is None
        first.close()
        second.close()

    def test_a_store_with_a_key_has_no_code_in_the_clear(self, tmp_path: Path) -> None:
        store = Store.connect(f"sqlite:///{tmp_path / 'a.db'}", KEY)
        codes = OrderCodes(store.books, SeededRng(Seeded("a"), "codes"))
        code = codes.of("me@home")
        store.close()
        written = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert b"me@home" in written
        assert code.replace("-", "").encode() not in written

    def test_a_code_that_an_older_version_wrote_is_known_and_no_longer_in_the_clear_once_it_was_shown(self) -> None:
        books = memory_books()
        books.records.put("order code", "me@home", "code", b"ABCDEFGHIJKL")
        books.records.put("order code of", "ABCDEFGHIJKL", "who", b"me@home")
        codes = OrderCodes(books, SeededRng(Seeded("a"), "codes"))
        assert codes.find("ABCD-EFGH-IJKL") == "me@home"
        assert codes.of("me@home") == "ABCD-EFGH-IJKL"
        assert books.records.of("order code of", "ABCDEFGHIJKL") == {}
        assert codes.find("ABCD-EFGH-IJKL") == "me@home"

    def test_a_code_is_in_no_other_code(self) -> None:
        codes = OrderCodes(memory_books(), SeededRng(Seeded("a"), "codes"))
        assert len({codes.of(f"{number}@home") for number in range(500)}) == 500


def test_the_codes_that_are_printed_are_bounded(bench: PageBench) -> None:
    assert len(bench.rooms.codes()) == A_PAGE
