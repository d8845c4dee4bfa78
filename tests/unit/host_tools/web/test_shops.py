"""Both shops without a socket: what is bought, what is refused, and what a second click does."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.messages.provisioning import Price
from host_tools.exchange.messages.registration import Registration
from host_tools.exchange.procedures import REGISTRATION, Target
from host_tools.exchange.transport import LARGEST_DATAGRAM
from host_tools.headend.catalogue.items import Catalogue, CatalogueItem, ItemKind
from host_tools.headend.store.store import Store
from tests.support.web import INCLUDED, MONTH, PUSH, SHOP, PageBench, request, text_of, token_of, whole
from tests.unit.host_tools.headend.networks import IMPI


@pytest.fixture
def bench() -> PageBench:
    return PageBench()


def spent(bench: PageBench) -> list[str]:
    return [str(one.amount) for one in bench.servers.selling.sales.ledger.spent(IMPI)]


def test_the_known_shop_sells_once_for_two_clicks(bench: PageBench) -> None:
    page = bench.known()
    assert page.status == 200
    assert "one, a month" in text_of(page)
    token = token_of(page)
    sold, again = (bench.known("/shop/buy", {"token": token, "item": MONTH}) for _ in range(2))
    assert (sold.status, again.status) == (303, 303)
    assert (sold.one("Location") or "").startswith("/shop/account?done=buy")
    assert spent(bench) == ["4.99"]
    registered = bench.servers.keys.registration(IMPI)
    assert registered is not None
    assert (registered.service_ids, registered.route.address) == ((MONTH,), "127.0.0.9")
    account = text_of(bench.known(sold.one("Location") or ""))
    assert "Bought: one, a month." in account
    assert "4.99 EUR" in account
    assert "One key is on its way." in account


def test_the_known_shop_prolongs_and_ends(bench: PageBench) -> None:
    bench.known("/shop/buy", {"token": token_of(bench.known()), "item": MONTH})
    account = bench.known("/shop/account")
    renewed = bench.known("/shop/renew", {"token": token_of(account), "item": MONTH})
    assert renewed.status == 303
    assert spent(bench) == ["9.98"]
    left = bench.known("/shop/leave", {"token": token_of(account, 1), "item": MONTH})
    assert left.status == 303
    assert bench.servers.keys.registration(IMPI) is None
    assert "one, a month" not in text_of(bench.known("/shop/account")).partition("What you paid")[0]


def test_what_the_known_shop_refuses(bench: PageBench) -> None:
    token = token_of(bench.known())
    for form, status in (
        ({"item": MONTH}, 400),
        ({"token": token}, 400),
        ({"token": token, "item": "urn:nothing"}, 404),
        ({"token": "1.2.3", "item": MONTH}, 403),
        ({"token": token, "item": INCLUDED}, 409),
    ):
        assert bench.known("/shop/buy", form).status == status
    assert bench.known("/shop/nothing").status == 404
    assert bench.known("/shop/buy").status == 405
    assert spent(bench) == []
    assert bench.rooms.behind_digest.defects == 0


def test_a_form_of_another_subscriber_is_refused(bench: PageBench) -> None:
    token = token_of(bench.shop())
    assert bench.known("/shop/buy", {"token": token, "item": MONTH}).status == 403


def test_the_open_shop_takes_an_order_once_and_calls_the_terminal(bench: PageBench) -> None:
    token = token_of(bench.shop())
    form = {"token": token, "code": bench.code.lower().replace("-", " "), f"item:{MONTH}": "1"}
    (shown,) = {bench.shop("/order", form).one("Location") for _ in range(2)}
    assert shown is not None
    called = bench.servers.pushes.due()
    assert {(one.source, one.destination.address, one.destination.port) for one in called} == {
        (PUSH, "127.0.0.2", 4359)
    }
    assert len({one.payload for one in called}) == 1  # a terminal heeds the same trigger once
    assert called[0].payload.startswith(b"<SmartcardProfileTrigger")
    page = bench.shop(shown)
    assert 'class="now" aria-current="step"><b>triggered' in text_of(page)
    assert spent(bench) == []  # nothing is sold before the terminal has shown who it is
    # The terminal is called again on demand, and the order stays one.
    again = bench.shop("/call", {"token": token_of(page), "order": shown.partition("=")[2]})
    assert again.one("Location") == shown
    assert len(bench.servers.pushes.due()) == 1
    # It registers: that authenticates, and the item is sold.
    asked = REGISTRATION.build("bsm", Registration((MONTH,)).encode())
    with bench.servers.books.transactions.transaction():
        bench.servers.front.serve(asked, Target.parse(asked.target), bench.caller)
    assert spent(bench) == ["4.99"]
    assert 'aria-current="step"><b>registered' in text_of(bench.shop(shown))


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"code": "AAAA-AAAA-AAAA"}, 403),
        ({"code": ""}, 403),
        ({"code": "<script>alert(1)</script>"}, 403),
        ({f"item:{INCLUDED}": "1"}, 400),
        ({"item:urn:nothing": "1"}, 400),
        ({"token": "x"}, 403),
    ],
)
def test_what_the_open_shop_refuses(bench: PageBench, form: dict[str, str], status: int) -> None:
    token = token_of(bench.shop())
    refused = bench.shop("/order", {"token": token, "code": bench.code, f"item:{MONTH}": "1", **form})
    assert refused.status == status
    assert "<script>" not in text_of(refused)
    assert spent(bench) == []
    assert bench.rooms.shop.defects == 0


def test_codes_cannot_be_found_by_trying(bench: PageBench) -> None:
    statuses = [
        bench.shop("/order", {"token": token_of(bench.shop()), "code": "A" * 12, f"item:{MONTH}": "1"}).status
        for _ in range(21)
    ]
    assert statuses == [403] * 20 + [429]
    token = token_of(bench.shop())
    assert bench.shop("/order", {"token": token, "code": bench.code, f"item:{MONTH}": "1"}).status == 429


def test_a_form_of_another_page_and_a_foreign_host_are_refused(bench: PageBench) -> None:
    form = {"token": token_of(bench.shop()), "code": bench.code, f"item:{MONTH}": "1"}
    foreign = request(SHOP, "/order", form, origin="http://evil.example")
    assert whole(bench.rooms.shop.handle(foreign, bench.caller.peer)).status == 403
    rebound = HttpRequest("GET", "/", (("Host", "evil.example"),))
    assert whole(bench.rooms.shop.handle(rebound, bench.caller.peer)).status == 421
    assert spent(bench) == []


def test_nobody_sees_an_order_without_its_name(bench: PageBench) -> None:
    for name in ("", "0" * 24, "../x", "é", "a" * 65):
        assert bench.shop(f"/order?order={name}" if name.isascii() else "/order?order=%C3%A9").status == 404


def test_an_order_that_cannot_be_sold_says_so(bench: PageBench) -> None:
    token = token_of(bench.shop())
    shown = bench.shop("/order", {"token": token, "code": bench.code, f"item:{MONTH}": "1"}).one("Location") or ""
    bench.clock.advance(25 * 3600)
    page = text_of(bench.shop(shown))
    assert "Nothing was sold" in page
    assert 'http-equiv="refresh"' not in page


def test_what_does_not_fit_into_one_trigger_is_not_ordered(tmp_path: Path) -> None:
    """No terminal would take so long a datagram: the order would stay as triggered for a day, and then fail."""
    names = [f"urn:{'x' * 200}:{number}" for number in range(8)]
    items = [CatalogueItem(name, "", ItemKind.ONCE, Price(Decimal(1), "EUR"), services=("one",)) for name in names]
    store = Store.connect(str(tmp_path / "a.db"))
    bench = PageBench(store=store, catalogue=Catalogue(items))

    def order(*wanted: str) -> HttpResponse:
        form = {"token": token_of(bench.shop()), "code": bench.code, **{f"item:{one}": "1" for one in wanted}}
        return bench.shop("/order", form)

    refused = order(*names)
    assert (refused.status, "order fewer of them at once" in text_of(refused)) == (409, True)
    with store.database.transaction():
        assert bench.servers.selling.orders.of(IMPI) == ()
    assert bench.servers.pushes.due() == ()
    assert order(*names[:3]).status == 303
    (sent,) = bench.servers.pushes.due()
    assert len(sent.payload) <= LARGEST_DATAGRAM
    store.close()
