"""Pages over a store: each request is one transaction, what is refused leaves nothing, and a restart loses nothing."""

from __future__ import annotations

from pathlib import Path

from host_tools.exchange.messages.registration import Registration
from host_tools.exchange.procedures import REGISTRATION, Target
from host_tools.headend.store.store import Store
from tests.support.web import INCLUDED, MONTH, PageBench, text_of, token_of, whole
from tests.unit.host_tools.headend.networks import IMPI

TWO = "urn:x-bcast-uicc:item:twourn:x-bcast-uicc:data:month"


def press(bench: PageBench, act: str, **fields: str) -> int:
    cookie = bench.enter()
    token = token_of(bench.console(headers=cookie))
    return whole(bench.console("/act", {"token": token, "act": act, **fields}, cookie)).status


def register(bench: PageBench, *items: str) -> None:
    asked = REGISTRATION.build("bsm", Registration(items).encode())
    with bench.servers.books.transactions.transaction():
        assert bench.servers.front.serve(asked, Target.parse(asked.target), bench.caller).status == 200


def test_all_pages_and_acts_over_a_store(tmp_path: Path) -> None:
    place = str(tmp_path / "store.db")
    store = Store.connect(place)
    bench = PageBench(store=store)
    assert bench.known("/shop/buy", {"token": token_of(bench.known()), "item": MONTH}).status == 303
    ordered = bench.shop("/order", {"token": token_of(bench.shop()), "code": bench.code, f"item:{TWO}": "1"})
    shown = ordered.one("Location") or ""
    assert "<b>triggered</b>" in text_of(bench.shop(shown))
    register(bench, INCLUDED, MONTH, TWO)
    for act, fields, status in (
        ("roll", {"service": "one"}, 303),
        ("roll", {"service": "one"}, 409),  # the last SEK has no end
        ("push", {"who": IMPI}, 303),
        ("pull", {"who": IMPI}, 303),
        ("trigger", {"who": IMPI, "item": MONTH}, 303),
        ("withdraw", {"who": IMPI, "item": INCLUDED}, 303),
        ("withdraw", {"who": IMPI, "item": INCLUDED}, 409),
        ("refuse", {"who": IMPI}, 303),
    ):
        assert press(bench, act, **fields) == status, act
    assert bench.known().status == 403
    before = text_of(bench.console("/subscribers", headers=bench.enter()))
    assert bench.rooms.defects() == 0
    store.close()

    store = Store.connect(place)
    again = PageBench(store=store)
    page = text_of(again.console("/subscribers", headers=again.enter()))
    for words in ("refused", "127.0.0.9", "one, a month", "two, a month", "pull"):
        assert words in before
        assert words in page
    assert "refused" in page
    with again.servers.books.transactions.transaction():
        assert not again.servers.selling.include(IMPI)  # what was withdrawn does not come back
        assert not again.servers.selling.sales.may_receive(IMPI, INCLUDED)
    assert press(again, "admit", who=IMPI) == 303
    assert "4.99 EUR" in text_of(again.known("/shop/account"))
    assert "two, a month" in text_of(again.shop(shown))
    store.close()
