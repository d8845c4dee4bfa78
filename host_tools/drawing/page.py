"""The frame of a self-contained HTML page. It needs no network, and forbids every script but its own.

Whatever comes from a card, a reader, a capture or a script goes through `text`.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from html import escape

from card.disk.shipped import shipped_text
from host_tools.trace.printable import printable


def text(value: str) -> str:
    """Return text that is safe in an element or a quoted attribute; characters nobody can see are spelled out."""
    return escape(printable(value, keep="\n"), quote=True)


def page(title: str, package: str, stem: str, body: Iterable[str]) -> Iterator[str]:
    """Yield a page, part by part, with a line end behind each.

    `body` is HTML; style and script are the shared style, and STEM.css and STEM.js of a package.
    """
    shared, own, script = (
        shipped_text(*name) or ""
        for name in ((__package__ or "", "base.css"), (package, f"{stem}.css"), (package, f"{stem}.js"))
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    yield '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
    yield '<meta name="viewport" content="width=device-width">\n<meta name="color-scheme" content="light dark">\n'
    yield f"<title>{text(title)}</title>\n<style>\n{shared}{own}</style>\n</head>\n<body>\n"
    for part in body:
        yield part + "\n"
    yield f"<script>{script}</script>\n</body>\n</html>\n"
