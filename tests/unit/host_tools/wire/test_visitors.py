"""Who may come with a browser: Host, Origin, the key that opens once, the cookie."""

from __future__ import annotations

import pytest

from host_tools.exchange.http import HttpRequest
from host_tools.headend.seeded import Seeded, SeededRng
from host_tools.wire.visitors import Visitors, VisitRefusedError

HOST = "127.0.0.1:8000"
HOME = (("Host", HOST),)


def make() -> Visitors:
    return Visitors([HOST, "localhost:8000"], SeededRng(Seeded("visitors"), "keys"))


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:8001", "", "127.0.0.1:8000.evil.example"])
def test_another_host_is_refused(host: str) -> None:
    with pytest.raises(VisitRefusedError) as refused:
        make().check(HttpRequest("GET", "/", (("Host", host),)))
    assert refused.value.status == 421


def test_no_host_and_two_hosts_are_refused() -> None:
    for headers in ((), (*HOME, *HOME)):
        with pytest.raises(VisitRefusedError):
            make().check(HttpRequest("GET", "/", headers))


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "https://127.0.0.1:8000", "null", "http://127.0.0.1", "http://127.0.0.1:8000/x"]
)
def test_a_form_of_another_page_is_refused(origin: str) -> None:
    with pytest.raises(VisitRefusedError) as refused:
        make().check(HttpRequest("POST", "/", (*HOME, ("Origin", origin))))
    assert refused.value.status == 403


def test_a_form_without_origin_is_refused_and_one_of_its_own_is_not() -> None:
    visitors = make()
    with pytest.raises(VisitRefusedError):
        visitors.check(HttpRequest("POST", "/", HOME))
    visitors.check(HttpRequest("POST", "/", (*HOME, ("Origin", f"http://{HOST}"))))
    visitors.check(HttpRequest("GET", "/", (("Host", "LOCALHOST:8000"),)))


def test_a_key_opens_once_and_a_cookie_takes_its_place() -> None:
    visitors = make()
    key = visitors.new_key()
    came = HttpRequest("GET", f"/some/page?key={key}", HOME)
    opened = visitors.opened(came)
    assert opened is not None
    assert (opened.status, opened.one("Location")) == (303, "/some/page")
    set_cookie = opened.one("Set-Cookie") or ""
    assert set_cookie.endswith("; Path=/; HttpOnly; SameSite=Strict")
    cookie = ("Cookie", "other=1; " + set_cookie.partition(";")[0])
    assert visitors.is_known(HttpRequest("GET", "/", (*HOME, cookie)))
    with pytest.raises(VisitRefusedError):
        visitors.opened(came)
    # In the browser that has the cookie the same link leads on.
    again = visitors.opened(HttpRequest("GET", f"/?key={key}", (*HOME, cookie)))
    assert again is not None
    assert again.all("Set-Cookie") == ()


def test_a_wrong_cookie_is_none() -> None:
    visitors = make()
    visitors.opened(HttpRequest("GET", f"/?key={visitors.new_key()}", HOME))
    for cookie in ("bcast-uicc-8000=", "bcast-uicc-8000=" + "0" * 48, "bcast-uicc-8000=zz", "=;;;==", "a" * 9000):
        assert not visitors.is_known(HttpRequest("GET", "/", (*HOME, ("Cookie", cookie))))


def test_keys_and_cookies_are_bounded() -> None:
    visitors = make()
    first = visitors.new_key()
    cookies = []
    for _ in range(40):
        opened = visitors.opened(HttpRequest("GET", f"/?key={visitors.new_key()}", HOME))
        assert opened is not None
        cookies.append((opened.one("Set-Cookie") or "").partition(";")[0])
    known = [visitors.is_known(HttpRequest("GET", "/", (*HOME, ("Cookie", one)))) for one in cookies]
    assert known == [False] * 8 + [True] * 32
    for _ in range(8):
        visitors.new_key()
    with pytest.raises(VisitRefusedError):
        visitors.opened(HttpRequest("GET", f"/?key={first}", HOME))


def test_a_key_leads_to_no_other_server() -> None:
    visitors = make()
    opened = visitors.opened(HttpRequest("GET", f"//evil.example/?key={visitors.new_key()}", HOME))
    assert opened is not None
    assert opened.one("Location") == "/evil.example/"
