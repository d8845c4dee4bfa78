"""The page of a playing: in a browser, with the keyboard, and with names that want to be markup."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from host_tools.chronicle.model import (
    Balance,
    Chronicle,
    LongTermKeyUse,
    MediaFate,
    Note,
    ServiceStory,
    Slice,
    Stkm,
    StkmFate,
    TrafficKeyUse,
)
from host_tools.chronicle.page.html import playing_page, verdict
from tests.support.capabilities import chromium

NASTY = '<script>alert("x")</script>\x1b\u202e'
STORY = ServiceStory(
    "news", "239.1.1.1", (LongTermKeyUse("00f11000010001", None, 0.0, 9.0, ("live, cost 5",)),),
    (TrafficKeyUse("00010001/0001", "00f11000010001", 0.0, (0.5, 4.0), 170),),
    (
        Stkm(0.0, "00010001/0001", 1, StkmFate.NEW), Stkm(1.0, "00010001/0001", 2, StkmFate.RESENT),
        Stkm(2.0, "00010001/0001", 2, StkmFate.IDENTICAL), Stkm(3.0, "00010001/0001", 1, StkmFate.STALE, "old T"),
        Stkm(5.0, "00010001/0002", 9, StkmFate.REFUSED, NASTY),
    ),
    {StkmFate.NEW: 1, StkmFate.RESENT: 1, StkmFate.IDENTICAL: 1, StkmFate.STALE: 1, StkmFate.REFUSED: 6},
    (
        Slice(0.0, 4.0, {MediaFate.OPENED: 170, MediaFate.LOST: 4}),
        Slice(4.0, 8.0, {MediaFate.WITHOUT_KEY: 40, MediaFate.FAILED: 3, MediaFate.REPEATED: 2}),
    ),
)  # fmt: skip
CHRONICLE = Chronicle(
    NASTY, 1_795_262_400.0, 10.0, (STORY,), (Balance(f"purse, {NASTY}", ((0.0, 20), (0.0, 15), (4.0, 0))),),
    (Note(0.0, f"LTKM {NASTY}"), Note(9.0, "a service was left", bad=True)),
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path)
        yield started
        started.close()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("page") / "page.html"
    target.write_text("".join(playing_page(CHRONICLE)))
    return target


def opened(browser: Browser, path: Path, width: int, scheme: str) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme="dark" if scheme == "dark" else "light", offline=True
    )
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("dialog", lambda dialog: problems.append(dialog.message))
    page.goto(path.as_uri())
    assert problems == []
    return page


def test_it_says_in_one_sentence_how_it_went() -> None:
    said = verdict(CHRONICLE)
    assert said.startswith("170 of 215 media packets decrypted, 2 a copy of an earlier one, 40 without key")
    assert said.endswith("1 traffic key from 10 STKMs, 6 STKMs refused.")


def test_names_are_no_markup() -> None:
    page = "".join(playing_page(CHRONICLE))
    assert "<script>alert" not in page
    assert "\x1b" not in page
    assert page.count("<script>") == 1


@pytest.mark.parametrize(("width", "scheme"), [(1_280, "light"), (400, "dark")])
def test_nothing_runs_out_of_the_window(browser: Browser, path: Path, width: int, scheme: str) -> None:
    page = opened(browser, path, width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    paper, ink = page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    assert (sum(map(int, paper[4:-1].split(", "))) < 200) is (scheme == "dark")
    assert paper != ink


def test_signs_are_told_apart_by_shape(browser: Browser, path: Path) -> None:
    page = opened(browser, path, 1_280, "light")
    shapes = page.eval_on_selector_all(
        ".picture path.stkm", "found => found.map(one => one.getAttribute('d').replace(/[\\\\d. ]+/g, '#'))"
    )
    filled = page.eval_on_selector_all(".picture path.stkm", "found => found.map(one => getComputedStyle(one).fill)")
    assert len(set(zip(shapes, filled, strict=True))) == 5


def test_the_keyboard_reaches_every_sign(browser: Browser, path: Path) -> None:
    page = opened(browser, path, 1_280, "light")
    told = page.locator(".detail")
    page.focus(".strip")
    assert "LTKM" in told.inner_text()
    seen = set()
    for _ in range(8):
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Home")
        for _ in range(6):
            seen.add(told.inner_text())
            page.keyboard.press("ArrowRight")
    assert len(seen) >= page.locator(".m").count() - 2
    assert any("refused" in one for one in seen)
    page.locator(".m", has_text="gave a new").first.hover(force=True)
    assert "gave a new traffic key" in told.inner_text()


def test_stkms_are_filtered(browser: Browser, path: Path) -> None:
    page = opened(browser, path, 1_280, "light")
    page.click("summary")
    page.select_option("select", "refused")
    rows = page.locator("details tbody tr:visible")
    assert rows.count() == 1
    assert "alert" in rows.inner_text()
    assert "5 more are counted" in page.inner_text("details")


def test_it_prints_as_a_whole(browser: Browser, path: Path) -> None:
    page = opened(browser, path, 1_280, "dark")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.querySelector('.strip')).overflowX") == "visible"
    assert page.pdf(format="A4").startswith(b"%PDF")
