"""Templates become pages: escaped, with nothing undefined, and with headers that forbid what a page does not need."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from http import HTTPStatus

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from card.disk.shipped import shipped_text
from host_tools.exchange.http import Headers, HttpResponse
from host_tools.trace.printable import printable

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_GUARDING: Headers = (
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)
_STATIC = {"style.css": "text/css; charset=utf-8", "console.js": "text/javascript; charset=utf-8"}


class Renderer:
    """Makes pages from the templates of this room. `values` are known to all of them."""

    def __init__(self, **values: object) -> None:
        """Take what every template may use."""
        self._templates = Environment(
            loader=PackageLoader("host_tools.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_shown,
        )
        self._templates.filters |= {"moment": _moment, "clock": _clock, "money": _money}
        self._templates.globals |= values

    def page(self, template: str, status: int = HTTPStatus.OK, /, **values: object) -> HttpResponse:
        """Return a page."""
        return html(self.part(template, **values), status)

    def part(self, template: str, /, **values: object) -> str:
        """Return the text of a template."""
        return self._templates.get_template(template).render(values)


def html(text: str, status: int = HTTPStatus.OK) -> HttpResponse:
    """Return HTML with the headers of a page."""
    return HttpResponse(status, (("Content-Type", "text/html; charset=utf-8"), *_GUARDING), text.encode())


def to(where: str) -> HttpResponse:
    """Return the way to another page, which is what follows a form."""
    return HttpResponse(HTTPStatus.SEE_OTHER, (("Location", where), *_GUARDING))


def static(name: str) -> HttpResponse | None:
    """Return a file that pages use, None for no such file."""
    kind = _STATIC.get(name)
    if kind is None:
        return None
    text = shipped_text("host_tools.web", "static", name) or ""
    if name == "style.css":
        text = (shipped_text("host_tools.drawing", "base.css") or "") + text
    headers: Headers = (("Content-Type", kind), ("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-cache"))
    return HttpResponse(HTTPStatus.OK, headers, text.encode())


def _shown(value: object) -> object:
    """Spell out characters that nobody can see."""
    return printable(value, keep="\n") if isinstance(value, str) and not isinstance(value, Markup) else value


def _moment(value: datetime) -> str:
    return value.strftime("%Y-%m-%d %H:%M UTC")


def _clock(value: datetime) -> str:
    return value.strftime("%H:%M:%S")


def _money(amount: Decimal) -> str:
    return f"{amount:.2f}" if amount == amount.quantize(Decimal("0.01")) else f"{amount:f}"
