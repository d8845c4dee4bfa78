"""All pages in a real browser: it buys in both shops, and the operator's console lives."""

from __future__ import annotations

import fcntl
import re
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from host_tools.sessions.events import Event, PortalOpened
from host_tools.sessions.online.opening import Online
from host_tools.sessions.online.portal import open_portal
from host_tools.terminal.client.machine import Rules
from host_tools.terminal.http.session import GbaSession
from host_tools.terminal.identities import usim_online
from host_tools.terminal.online import OnlineTerminal, Patience
from host_tools.terminal.reach import reach_network
from host_tools.wire.key_sockets import KeySockets
from host_tools.wire.system import SystemClock, SystemRng
from tests.support.capabilities import chromium
from tests.support.head_end import HeadEnd, free_address, fresh_card, head_end
from tests.support.web import INCLUDED, MONTH

_PATIENCE = 20_000.0
"""Milliseconds; machines that run tests are busy."""
WIDE, NARROW = {"width": 1200, "height": 900}, {"width": 400, "height": 800}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser; one at a time on this machine, as each takes hundreds of megabytes."""
    path = chromium()
    with (Path(tempfile.gettempdir()) / "bcast-uicc-browser.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with sync_playwright() as playwright:
            started = playwright.chromium.launch(executable_path=path)
            yield started
            started.close()


@pytest.fixture(scope="module")
def served() -> Iterator[HeadEnd]:
    with head_end(pages=True) as found:
        yield found
        assert found.defects == 0


@contextmanager
def page_of(browser: Browser, size: dict[str, int] = WIDE, scheme: str = "light") -> Iterator[Page]:
    """Yield a page in a browser of its own; whatever it complains of fails the test."""
    context = browser.new_context(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    context.set_default_timeout(_PATIENCE)
    page, complaints = context.new_page(), list[str]()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    yield page
    context.close()
    assert complaints == []


@cache
def _address() -> str:
    """Return the address of all terminals here: a purchase does not move where pushes of a registration go."""
    return free_address()


@contextmanager
def online(served: HeadEnd) -> Iterator[Online]:
    """Yield a terminal with a fresh card, which stays."""
    card, clock, rng, address = fresh_card(), SystemClock(), SystemRng(), _address()
    reach = reach_network(served.running.network, address)
    bsf = reach.to_bsf(card.identity.home_domain, rng)
    session = GbaSession(card, bsf, reach.bsm.fqdn, clock.now)
    terminal = OnlineTerminal(
        usim_online(card, bsf, reach.bsm.fqdn, clock),
        reach.bsm,
        reach.to_bsm(),
        KeySockets(address),
        clock,
        rng,
        rules=Rules(),
        patience=Patience(first=_PATIENCE / 1000),
    )
    with terminal:
        yield Online(terminal, served.running.network.service_ids, True, session, reach, card)


@contextmanager
def staying(terminal: OnlineTerminal) -> Iterator[None]:
    """Let a terminal take what comes, in a thread of its own."""
    ended = threading.Event()

    def stay() -> None:
        while not ended.is_set():
            terminal.stay(0.05)

    thread = threading.Thread(target=stay)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(_PATIENCE / 1000)


def charged(served: HeadEnd) -> list[str]:
    identity = served.network.subscriber.impi
    ledger = served.running.servers.selling.sales.ledger
    return [charge.what for charge in served.call(lambda: ledger.charges(identity))]


def console_of(served: HeadEnd) -> str:
    """Return an address that opens the console once."""
    assert served.running.pages is not None
    place = served.running.pages.console_url
    visitors = served.running.pages.console._visitors  # type: ignore[attr-defined]
    return re.sub(r"key=.*", f"key={served.call(visitors.new_key)}", place)


def shop_of(served: HeadEnd) -> str:
    place = served.running.network.others["shop"].endpoint
    return f"http://{place.address}:{place.port}/"


@pytest.mark.flow("002", "5.4.7.2.10", step="1", message="a browser orders an item in the shop")
@pytest.mark.flow(
    "002", "5.4.7.2.10", step="12", message="the shop tells the browser that it is complete and delivered"
)
def test_a_browser_buys_in_the_shop_that_knows_nothing(browser: Browser, served: HeadEnd) -> None:
    assert served.running.pages is not None
    (code,) = served.running.pages.codes().values()
    with online(served) as found:
        assert found.terminal.register([INCLUDED]).granted
        with staying(found.terminal), page_of(browser) as page:
            page.goto(shop_of(served))
            page.get_by_label("two, a month").check()
            page.get_by_label("Order code").fill(code)
            page.get_by_role("button", name="Order").dblclick()
            expect(page.get_by_text("its keys are delivered")).to_be_visible(timeout=_PATIENCE)
            assert page.locator(".stages .done").count() == 5
    assert charged(served).count("urn:x-bcast-uicc:item:twourn:x-bcast-uicc:data:month") == 1
    keys = [entry.msk_id.hex() for entry in found.terminal._card.middleware.application.read_msks()]
    assert "00020001" in keys


def test_a_browser_buys_through_the_portal(browser: Browser, served: HeadEnd) -> None:
    opened: Future[str] = Future()

    class Heard:
        def emit(self, event: Event, /) -> None:
            if isinstance(event, PortalOpened):
                opened.set_result(event.url)

    stopped = threading.Event()
    with online(served) as found:
        thread = threading.Thread(target=lambda: open_portal(found, 0, Heard(), stopped=stopped))
        thread.start()
        try:
            with page_of(browser) as page:
                page.goto(opened.result(_PATIENCE / 1000))
                page.get_by_role("button", name="Buy one, a month").dblclick()
                expect(page.get_by_role("status")).to_have_text("Bought: one, a month.", timeout=_PATIENCE)
                assert "key=" not in page.url
                expect(page.locator("tr", has_text="one, a month").first).to_contain_text("registered")

                def arrived() -> None:
                    page.reload()
                    expect(page.get_by_text("All keys have arrived.")).to_be_visible(timeout=1000)

                _until(arrived)
        finally:
            stopped.set()
            thread.join(_PATIENCE / 1000)
    assert charged(served).count(MONTH) == 1
    assert len(found.terminal._card.middleware.application.read_msks()) >= 1


def test_the_console_lives(browser: Browser, served: HeadEnd) -> None:
    with online(served) as found, page_of(browser) as page:
        page.goto(console_of(served))
        assert "key=" not in page.url
        expect(page.locator("#live")).to_have_text("live", timeout=_PATIENCE)
        # The timeline moves.
        moving = page.locator(".moving").first
        before = moving.get_attribute("x")
        page.wait_for_function(
            "before => document.querySelector('.moving').getAttribute('x') !== before", arg=before, timeout=_PATIENCE
        )
        # An event arrives, and the part about subscribers with it.
        assert found.terminal.register([INCLUDED]).granted
        expect(page.locator("#events li").first).to_contain_text("acknowledgement", timeout=_PATIENCE)
        expect(page.locator(".subscriber dl")).to_contain_text("registered, heard", timeout=_PATIENCE)
        # A button acts, by keyboard alone.
        page.get_by_role("button", name=re.compile("^Pull")).focus()
        with staying(found.terminal):
            page.keyboard.press("Enter")
            expect(page.locator("#events")).to_contain_text("solicited pull", timeout=_PATIENCE)
            expect(page.locator("#events")).to_contain_text("requesttype=msk-request", timeout=_PATIENCE)


def test_the_timeline_goes_on_where_a_table_is_open_and_a_button_is_held(browser: Browser, served: HeadEnd) -> None:
    """It would move out of the window; what somebody has opened or stands at stays."""
    with page_of(browser) as page:
        page.goto(console_of(served))
        page.locator(".service summary").first.click()
        page.locator(".service button").first.focus()
        page.evaluate("window.before = document.querySelector('.moving')")
        said = page.locator(".service .heading p").first.inner_text()
        for _ in range(2):
            page.wait_for_function(
                "said => document.querySelector('.service .heading p').innerText !== said", arg=said, timeout=_PATIENCE
            )
            said = page.locator(".service .heading p").first.inner_text()
        assert page.evaluate("!document.contains(window.before)")
        assert page.evaluate("document.activeElement.closest('.service') !== null")
        assert page.locator(".service details").first.get_attribute("open") is not None
        assert page.locator(".service").count() == page.locator(".service .timeline").count()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_a_narrow_screen(browser: Browser, served: HeadEnd, scheme: str) -> None:
    with page_of(browser, NARROW, scheme) as page:
        for where in (console_of(served), shop_of(served)):
            page.goto(where)
            assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
            # Everything that can be pressed can be reached by keyboard, and shows that it was.
            page.keyboard.press("Tab")
            assert page.evaluate("document.activeElement.className") == "skip"
            page.keyboard.press("Tab")
            assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_pages_work_without_a_script(browser: Browser, served: HeadEnd) -> None:
    context = browser.new_context(java_script_enabled=False)
    context.set_default_timeout(_PATIENCE)
    page = context.new_page()
    page.goto(console_of(served))
    page.get_by_role("button", name=re.compile("^Refuse")).click()
    expect(page.locator(".subscriber em")).to_have_text("refused", timeout=_PATIENCE)
    page.get_by_role("button", name=re.compile("^Let in again")).click()
    expect(page.locator(".subscriber em")).to_have_count(0, timeout=_PATIENCE)
    context.close()


def _until(step: object) -> None:
    """Repeat a step until it does not fail."""
    assert callable(step)
    for _ in range(int(_PATIENCE / 1000)):
        try:
            step()
            return
        except AssertionError:
            continue
    step()
