"""The console without a socket: who gets in, what it shows, what its buttons do, and what it never shows."""

from __future__ import annotations

import base64
import random
from itertools import pairwise
from pathlib import Path
from urllib.parse import quote

import pytest

from card import CardProfile
from host_tools.exchange.http import HttpRequest
from host_tools.exchange.messages.provisioning import PurchaseItem
from host_tools.headend.bsm.books import Registered, Route
from host_tools.headend.bsm.orders import Order
from host_tools.headend.operating.picture import SekPicture, ServicePicture, periods_until
from host_tools.headend.scenario import wares
from host_tools.headend.service_keys import ServiceKey
from host_tools.headend.store.store import Store
from host_tools.web.console.timeline import drawing
from host_tools.wire.streams import Streamed
from tests.support.web import (
    B_TID,
    BROWSER,
    CONSOLE,
    INCLUDED,
    MONTH,
    SHOP,
    PageBench,
    request,
    text_of,
    token_of,
    whole,
)
from tests.unit.host_tools.headend.networks import IMPI


@pytest.fixture
def bench() -> PageBench:
    return PageBench()


def register(bench: PageBench) -> None:
    """Have the terminal registered, as after a Registration."""
    route = Route("127.0.0.9", B_TID)
    bench.servers.books.registrations.put(IMPI, Registered((INCLUDED,), route, bench.clock.now().timestamp()))
    bench.servers.pushes.order(IMPI, route, [Order.for_key("one")])


def act(bench: PageBench, name: str, **fields: str) -> int:
    cookie = bench.enter()
    token = token_of(bench.console(headers=cookie))
    return whole(bench.console("/act", {"token": token, "act": name, **fields}, cookie)).status


def waiting(bench: PageBench) -> list[str]:
    return [order.kind.value for _, order in bench.servers.books.outbox.orders(IMPI)]


def test_without_the_key_there_is_nothing_to_see(bench: PageBench) -> None:
    register(bench)
    for path in ("/", "/air", "/subscribers", "/events", "/static/console.js"):
        refused = bench.console(path)
        assert whole(refused).status == 403
        assert IMPI not in text_of(refused)
    assert whole(bench.console("/act", {"act": "push", "who": IMPI})).status == 403


def test_what_it_shows(bench: PageBench) -> None:
    register(bench)
    cookie = bench.enter()
    page = text_of(bench.console(headers=cookie))
    for words in (IMPI, bench.code, "127.0.0.9", "never bootstrapped", "SEK 00010001", "MTK 1", "waiting", "Roll SEK"):
        assert words in page
    assert "Set-Cookie" not in dict(whole(bench.console(headers=cookie)).headers)
    assert "MTK 1" in text_of(bench.console("/air", headers=cookie))
    assert IMPI in text_of(bench.console("/subscribers", headers=cookie))


def test_its_headers_forbid_scripts_of_others(bench: PageBench) -> None:
    policy = whole(bench.console(headers=bench.enter())).one("Content-Security-Policy") or ""
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    page = text_of(bench.console(headers=bench.enter()))
    assert " style=" not in page
    assert " onclick=" not in page


def test_an_event_is_told_as_it_comes(bench: PageBench) -> None:
    stream = bench.console("/events", headers=bench.enter())
    assert isinstance(stream, Streamed)
    heard: list[bytes] = []
    leave = stream.listen(heard.append)
    register(bench)
    bench.operator.pull(IMPI)
    (told,) = heard
    assert told.startswith(b"event: happening\nid: 1\ndata: <li><time>12:00:00</time>")
    assert b"solicited pull for " + IMPI.encode() in told
    leave()
    bench.operator.pull(IMPI)
    assert len(heard) == 1


def test_a_stream_begins_where_the_page_or_the_last_stream_ended(bench: PageBench) -> None:
    register(bench)
    cookie = bench.enter()
    for _ in range(3):
        bench.operator.pull(IMPI)
    assert 'data-last="3"' in text_of(bench.console(headers=cookie))
    for target, headers, told in (
        ("/events?after=1", (), [2, 3]),
        ("/events?after=1", (("Last-Event-ID", "2"),), [3]),
        ("/events?after=x", (("Last-Event-ID", "9" * 40),), [1, 2, 3]),
        ("/events?after=3", (), []),
    ):
        stream = bench.console(target, headers=(*cookie, *headers))
        assert isinstance(stream, Streamed)
        heard: list[bytes] = []
        stream.listen(heard.append)()
        assert [f"id: {number}\n".encode() in piece for number, piece in zip(told, heard, strict=True)] == [True] * len(
            told
        )


def test_push_pull_and_withdraw(bench: PageBench) -> None:
    assert act(bench, "push", who=IMPI) == 409  # it never registered
    register(bench)
    before = len(waiting(bench))
    assert act(bench, "push", who=IMPI) == 303
    assert act(bench, "pull", who=IMPI) == 303
    assert waiting(bench)[before:] == ["key", "pull"]
    assert bench.servers.selling.sales.may_receive(IMPI, INCLUDED)
    assert act(bench, "withdraw", who=IMPI, item=INCLUDED) == 303
    assert not bench.servers.selling.sales.may_receive(IMPI, INCLUDED)
    assert bench.servers.keys.registration(IMPI) is None
    assert act(bench, "withdraw", who=IMPI, item=INCLUDED) == 409


def test_a_sek_is_rolled(bench: PageBench) -> None:
    register(bench)
    before = bench.network.bsm.keys("one")
    assert act(bench, "roll", service="one") == 303
    after = bench.network.bsm.keys("one")
    assert len(after) == len(before) + 1
    assert bench.servers.books.outbox.orders(IMPI)[-1][1].key == after[-1].key_ids
    assert act(bench, "roll", service="nothing") == 409


def test_no_other_process_works_for_a_subscriber_meanwhile(bench: PageBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is paid would be sent twice, and an order of the shop sold twice, were it read before another's write."""
    register(bench)
    held: list[str] = []
    monkeypatch.setattr(bench.servers.books.transactions, "hold", held.append)
    desk, shop = bench.operator, bench.servers.selling.desk
    for do in (
        lambda: desk.push(IMPI),
        lambda: desk.pull(IMPI),
        lambda: desk.trigger(IMPI, [MONTH]),
        lambda: desk.refuse(IMPI, refused=True),
        lambda: desk.roll("one"),
        lambda: desk.withdraw(IMPI, INCLUDED),
        lambda: shop.order(IMPI, [PurchaseItem(wares.ITEM_PREFIX + "one", wares.MONTH)], "order 1", "127.0.0.9"),
    ):
        do()
        assert set(held) == {IMPI}
        held.clear()


def test_a_sek_out_of_turn_is_written_down_before_anybody_hears_of_it(tmp_path: Path) -> None:
    """Or a database that fails at the end leaves a broadcast under a SEK that nobody has."""
    store = Store.connect(f"sqlite:///{tmp_path / 'a.db'}")
    bench = PageBench(store)

    def rolls(service: str) -> ServiceKey:
        before = store.database.committed
        key = bench.network.bsm.rekey(service)
        assert store.database.committed > before
        return key

    bench.operator._roll = rolls
    bench.operator.roll("one")
    assert "sent before that" in bench.happenings.newest()[-1].words
    store.close()


def test_a_trigger_goes_out(bench: PageBench) -> None:
    assert act(bench, "trigger", who=IMPI, item=MONTH) == 303
    (sent,) = bench.servers.pushes.due()
    assert (sent.destination.address, sent.destination.port) == ("127.0.0.2", 4359)
    assert act(bench, "trigger", who=IMPI, item="urn:nothing") == 409
    assert act(bench, "trigger", who="nobody", item=MONTH) == 409


def test_who_is_refused_gets_nothing_until_let_in_again(bench: PageBench) -> None:
    assert bench.known().status == 200
    assert act(bench, "refuse", who=IMPI) == 303
    assert bench.known().status == 403
    assert "refused" in text_of(bench.console("/subscribers", headers=bench.enter()))
    assert act(bench, "admit", who=IMPI) == 303
    assert bench.known().status == 200


def test_a_button_that_is_pressed_twice_acts_once(bench: PageBench) -> None:
    register(bench)
    cookie = bench.enter()
    token, before = token_of(bench.console(headers=cookie)), len(waiting(bench))
    for _ in range(3):
        assert whole(bench.console("/act", {"token": token, "act": "pull", "who": IMPI}, cookie)).status == 303
    assert len(waiting(bench)) == before + 1


def test_what_is_no_button_of_this_page_is_refused(bench: PageBench) -> None:
    register(bench)
    cookie, before = bench.enter(), waiting(bench)
    token = token_of(bench.console(headers=cookie))
    good = {"token": token, "act": "pull", "who": IMPI}
    other = token_of(bench.console(headers=bench.enter_again()))
    assert whole(bench.console("/act", {**good, "token": other}, cookie)).status == 403
    assert whole(bench.console("/act", {"act": "pull", "who": IMPI}, cookie)).status == 400
    assert whole(bench.console("/act", {**good, "act": "burn"}, cookie)).status == 400
    assert whole(bench.console("/act?token=" + quote(token), headers=cookie)).status == 405
    foreign = request(CONSOLE, "/act", good, cookie, origin="http://evil.example")
    assert whole(bench.rooms.console.handle(foreign, BROWSER)).status == 403
    assert waiting(bench) == before


def test_one_more_browser_is_let_in(bench: PageBench) -> None:
    cookie = bench.enter()
    page = text_of(bench.console("/invite", {"token": token_of(bench.console(headers=cookie))}, cookie))
    key = page.partition("/?key=")[2][:48]
    assert whole(bench.console(f"/?key={key}")).status == 303
    assert whole(bench.console(f"/?key={key}")).status == 403


@pytest.mark.parametrize(
    ("over", "said"), [(None, "Nothing is broadcast"), (True, "The broadcast is over"), (False, None)]
)
def test_it_says_whether_anything_is_broadcast(over: bool | None, said: str | None) -> None:
    bench = PageBench(over=over)
    for path in ("/", "/air"):
        page = text_of(bench.console(path, headers=bench.enter()))
        assert "broadcast" not in page if said is None else said in page


def test_no_sek_is_in_use_where_none_is_good_any_more(bench: PageBench) -> None:
    shown = text_of(bench.console("/air", headers=bench.enter()))
    bench.clock.advance(60)
    later = text_of(bench.console("/air", headers=bench.enter()))
    assert (shown.count("(in use)"), later.count("(in use)")) == (2, 0)
    assert "no SEK is for it" in later


def test_the_drawing_of_a_service(bench: PageBench) -> None:
    bench.clock.advance(0.7)  # crypto periods of 0.5 s: the second one
    one = next(service for service in bench.operator.picture().services if service.id == "one")
    made = drawing(one)
    assert made.words == "crypto period 2, 0:00 left, under SEK 00010001"
    now = next(box for box in made.periods if box.label == "MTK 2")
    assert now.left < made.now < now.left + now.width
    assert ("now" in now.told, now.odd) == (True, False)
    # SEK 1 is for MTK IDs 1 and 2, and the next one begins where that ends.
    first, second = made.seks
    assert (first.label, second.label) == ("SEK 00010001", "SEK 00010002")
    assert first.left + first.width == pytest.approx(now.left + now.width)
    assert second.left == pytest.approx(now.left + now.width)
    bench.clock.advance(60)
    late = drawing(next(service for service in bench.operator.picture().services if service.id == "one"))
    assert "no SEK is for it" in late.words


def test_the_drawing_goes_on_where_mtk_ids_begin_again() -> None:
    """A lap of six crypto periods: SEK a for 1 to 3, b for 4 to 6, then c for 1 to 3 again."""

    def sek(name: str, now: int, first: int, last: int) -> SekPicture:
        begins = periods_until(now, first, last, 6)
        return SekPicture("00f110", name, first, last, begins, begins + last - first)

    before = ServicePicture("one", 6, 0.25, 0.5, (sek("a", 6, 1, 3), sek("b", 6, 4, 6)), 0, 5, 6)
    assert [(one.begins, one.ends) for one in before.seks] == [(1, 3), (-2, 0)]
    after = ServicePicture("one", 1, 0.25, 0.5, (sek("b", 1, 4, 6), sek("c", 1, 1, 3)), 0, 6, 6)
    assert [(one.begins, one.ends) for one in after.seks] == [(-3, -1), (0, 2)]
    for service, current in ((before, "b"), (after, "c")):
        made = drawing(service)
        assert service.current.msk_id == current
        assert made.words == f"crypto period {service.mtk_id}, 0:00 left, under SEK {current}"
        lefts = [box.left for box in made.periods]
        assert lefts == sorted(lefts)
        numbers = [int(box.label.removeprefix("MTK ")) for box in made.periods]
        place = numbers.index(service.mtk_id)
        assert numbers == [(service.mtk_id - 1 + number - place) % 6 + 1 for number in range(len(numbers))]
        assert {4, 5, 6, 1, 2, 3} == set(numbers)
        assert all(box.width > 0 for box in (*made.periods, *made.seks))
        assert made.periods[place].left < made.now < made.periods[place].left + made.periods[place].width
        # One SEK ends where the next one begins, at the crypto period that is called 1 again.
        bound = next(box.left for box in made.periods if box.label == "MTK 1")
        assert bound in [box.left for box in made.seks]


def test_a_sek_out_of_turn_is_drawn_over_that_of_the_schedule() -> None:
    seks = (
        SekPicture("00f110", "00010001", 1, 9, -1, 7),
        SekPicture("00f110", "00010002", 10, 19, 8, 17),
        SekPicture("00f110", "0001c000", 4, 9, 2, 7),
    )
    made = drawing(ServicePicture("one", 2, 0.0, 1.0, seks, 0, 1, None))
    assert [box.label for box in made.seks] == ["SEK 00010001", "SEK 0001c000"]
    assert made.periods[0].label == "MTK 1"
    assert made.seks[1].left == next(box.left for box in made.periods if box.label == "MTK 4")
    assert all(box.width > 0 for box in made.seks)


def test_neighbouring_seks_differ_wherever_one_was_rolled_out_of_turn() -> None:
    planned = [SekPicture("00f110", f"0001000{number}", 1, 9, 2 * number - 3, 2 * number - 2) for number in range(1, 4)]
    for begins, ends in ((0, 0), (2, 2), (1, 2)):
        seks = (*planned, SekPicture("00f110", "0001c000", 1, 9, begins, ends))
        made = drawing(ServicePicture("one", 5, 0.0, 1.0, seks, 0, 4, None))
        assert "SEK 0001c000" in [box.label for box in made.seks]
        assert all(one.odd != other.odd for one, other in pairwise(made.seks))


def secrets_of(bench: PageBench) -> list[bytes]:
    """Return every key that the head-end knows."""
    profile = CardProfile.demo()
    keys = [key.key.reveal() for service in ("one", "two") for key in bench.network.bsm.keys(service)]
    roots = [one.reveal() for one in (profile.usim.k, profile.usim.op, profile.usim.opc) if one is not None]
    found = [*keys, *roots]
    assert len(roots) >= 2
    assert all(len(one) >= 16 for one in found)
    return found


def test_no_page_and_no_event_shows_a_key(bench: PageBench) -> None:
    heard: list[bytes] = []
    cookie = bench.enter()
    stream = bench.console("/events", headers=cookie)
    assert isinstance(stream, Streamed)
    stream.listen(heard.append)
    register(bench)
    act(bench, "roll", service="one")
    bench.shop("/order", {"token": token_of(bench.shop()), "code": bench.code, f"item:{MONTH}": "1"})
    bench.known("/shop/buy", {"token": token_of(bench.known()), "item": "urn:x-bcast-uicc:item:two"})
    pages = [
        *(bench.console(path, headers=cookie) for path in ("/", "/air", "/subscribers")),
        *(bench.known(path) for path in ("/shop/", "/shop/account")),
        bench.shop("/"),
    ]
    seen = b"".join(heard) + b"".join(whole(page).body for page in pages)
    assert len(seen) > 10_000
    shown = seen.lower()
    for secret in secrets_of(bench):
        assert secret not in seen
        assert secret.hex().encode()[:16] not in shown
        assert base64.b64encode(secret)[:16] not in seen


_PATHS = (
    "/",
    "/act",
    "/events",
    "/air",
    "/order",
    "/call",
    "/shop/",
    "/shop/buy",
    "/shop/account",
    "/static/style.css",
)
_PIECES = (
    b"token=", b"&", b"=", b"%00", b"%ff", b"act=roll", b"who=", b"item:", b"code=", b"\x00", b"\xff",
    b"<svg/onload=x>", b"../", b"a" * 300, b"1.2.3", b"'\"><", b"%F0%9F%98%80", b"service=one", b"order=", b"key=",
)  # fmt: skip


def test_hostile_requests_are_no_defect(bench: PageBench) -> None:
    draw = random.Random(13)
    cookie = bench.enter()
    token = token_of(bench.console(headers=cookie)).encode()
    statuses: set[int] = set()
    for _ in range(1500):
        pieces = [draw.choice((*_PIECES, token)) for _ in range(draw.randrange(8))]
        query = b"".join(piece for piece in pieces if piece.isalnum() or b"=" in piece)
        target = draw.choice(_PATHS) + draw.choice(
            ("", "?" + query.decode("latin-1"), "/..", "%2e%2e", "//x", "?done=buy")
        )
        place = draw.choice((SHOP, CONSOLE))
        headers = [
            ("Host", f"{place.address}:{place.port}"), ("Origin", f"http://{place.address}:{place.port}"),
            ("Content-Type", draw.choice(("application/x-www-form-urlencoded", "text/plain", "\x80"))),
            ("Cookie", draw.choice((cookie[0][1], "x", "=" * 50, cookie[0][1] + "; " + cookie[0][1]))),
        ]  # fmt: skip
        draw.shuffle(headers)
        del headers[draw.randrange(8) :]
        asked = HttpRequest(
            draw.choice(("GET", "POST", "PUT", "HEAD", "OPTIONS")), target, tuple(headers), b"".join(pieces)
        )
        server = bench.rooms.shop if place is SHOP else bench.rooms.console
        answer = server.handle(asked, BROWSER)
        known = bench.rooms.behind_digest.serve(asked, None, bench.caller)  # type: ignore[arg-type]
        statuses.add(known.status)
        if not isinstance(answer, Streamed):
            statuses.add(answer.status)
            assert b"<svg/onload=x>" not in answer.body
            assert all(value.isascii() and value.isprintable() for _, value in answer.headers)
    assert bench.rooms.defects() == 0
    assert not statuses & {500, 503}
    assert {200, 400, 403, 404, 405} <= statuses
