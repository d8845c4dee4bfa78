"""Who may come with a browser to a server on this computer: the machine's user, from no page but the server's own.

Any page that a browser shows can send requests to servers on the same computer, and a name of its own can lead there.
So a visitor names this server in `Host`; what changes something comes from a page of this server (`Origin`); and where
the visitor matters it has shown a key that stood on the screen of whoever started the server. The key opens once; a
cookie, which no script can read and no other page can send, takes its place. All of it is ours.
"""

from __future__ import annotations

import hmac
import re
from collections import OrderedDict
from collections.abc import Iterable
from http import HTTPStatus
from urllib.parse import parse_qsl

from card.errors import DecodeError
from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.ports import Rng
from host_tools.exchange.procedures import Target

KEY_PARAMETER = "key"
_KEY_SIZE = 24
_MOST_KEYS, _MOST_COOKIES = 8, 32
_COOKIE = re.compile(r"([!-:<>-~]{1,64})=([0-9a-f]{2,128})")
SAFE_METHODS = frozenset(("GET", "HEAD"))


class VisitRefusedError(Exception):
    """A request that is not handed on; `status` and the message say why."""

    def __init__(self, status: HTTPStatus, words: str) -> None:
        super().__init__(words)
        self.status = status


class Visitors:
    """The names of one server, and where it wants keys, who has shown one."""

    def __init__(self, names: Iterable[str], rng: Rng) -> None:
        """Take what may stand in `Host` (host and port), and where keys come from."""
        self._names = frozenset(name.lower() for name in names)
        self._origins = frozenset(f"http://{name}" for name in self._names)
        self._rng = rng
        self._keys: OrderedDict[str, None] = OrderedDict()
        self._cookies: OrderedDict[str, None] = OrderedDict()
        # Cookies do not know ports: two servers of this kind must not take each other's away.
        self._cookie_name = (
            f"bcast-uicc-{min(self._names).rpartition(':')[2] or 'http'}" if self._names else "bcast-uicc"
        )

    def new_key(self) -> str:
        """Return a further key; it opens once, and of many the oldest open no more."""
        return _note(self._keys, self._rng.random_bytes(_KEY_SIZE).hex(), _MOST_KEYS)

    def check(self, request: HttpRequest) -> None:
        """Check `Host`, and `Origin` of what may change something. Raises `VisitRefusedError`."""
        hosts, origins = request.all("Host"), request.all("Origin")
        if len(hosts) != 1 or hosts[0].lower() not in self._names:
            raise VisitRefusedError(HTTPStatus.MISDIRECTED_REQUEST, "the Host of the request is none of this server")
        if request.method in SAFE_METHODS:
            return
        if len(origins) != 1 or origins[0].lower() not in self._origins:
            raise VisitRefusedError(HTTPStatus.FORBIDDEN, "the request does not come from a page of this server")

    def is_known(self, request: HttpRequest) -> bool:
        """Tell whether a request carries a cookie of this server."""
        return self.cookie(request) is not None

    def cookie(self, request: HttpRequest) -> str | None:
        """Return the cookie of this server that a request carries, None for none that is good."""
        found = None
        for header in request.all("Cookie"):
            for part in header.split(";")[:64]:
                match = _COOKIE.fullmatch(part.strip())
                if match is None or match[1] != self._cookie_name:
                    continue
                for known in self._cookies:  # each is looked at, so that time says nothing
                    if hmac.compare_digest(known, match[2]):
                        found = known
        return found

    def opened(self, request: HttpRequest) -> HttpResponse | None:
        """Return the answer to one who comes with a key: a cookie, and the way to the page without the key.

        None for a request without a key. Raises `VisitRefusedError` for a key that does not open.
        """
        try:
            target = Target.parse(request.target)
        except DecodeError as error:
            raise VisitRefusedError(HTTPStatus.BAD_REQUEST, str(error)) from None
        shown = [value for name, value in _query(target.query) if name == KEY_PARAMETER]
        if request.method not in SAFE_METHODS or not shown:
            return None
        key = None
        for known in self._keys:
            if hmac.compare_digest(known.encode(), shown[0].encode()):
                key = known
        if key is None:
            if self.is_known(request):  # the link was opened a second time, in the same browser
                return _to(target.path, ())
            raise VisitRefusedError(HTTPStatus.FORBIDDEN, "the key in the address opened once, or was never given out")
        del self._keys[key]
        cookie = _note(self._cookies, self._rng.random_bytes(_KEY_SIZE).hex(), _MOST_COOKIES)
        return _to(target.path, (("Set-Cookie", f"{self._cookie_name}={cookie}; Path=/; HttpOnly; SameSite=Strict"),))


def _query(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, max_num_fields=64, errors="strict")
    except ValueError:
        raise VisitRefusedError(HTTPStatus.BAD_REQUEST, "the query of the address cannot be read") from None


def _note(table: OrderedDict[str, None], value: str, most: int) -> str:
    table[value] = None
    while len(table) > most:
        table.popitem(last=False)
    return value


def _to(path: str, headers: tuple[tuple[str, str], ...]) -> HttpResponse:
    # A path that begins with two slashes would be the name of another server.
    where = "/" + path.lstrip("/")
    return HttpResponse(HTTPStatus.SEE_OTHER, (("Location", where), ("Cache-Control", "no-store"), *headers))
