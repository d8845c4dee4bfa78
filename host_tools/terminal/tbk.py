"""Terminal binding: TEKs that only a terminal with the terminal binding key (TBK) can use.

The card takes off the layer of the SEK or PEK and knows nothing of the one below. The TBK comes from a permissions
issuer by HTTPS, where both sides show certificates.

provisional: that exchange (`exchange.messages.tbk`), and the cipher, AES-128 in ECB
mode of the TEK alone. Of the STKM, layout and place of TBK ID and address are the tables'.
"""

from __future__ import annotations

import re
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import Protocol

from card.crypto.primitives import aes_ecb_decrypt
from card.crypto.secret import Secret
from card.disk.kinds import CERTIFICATE
from card.disk.reading import read_text, require_plain
from card.errors import DecodeError, UnusableFile
from host_tools.exchange.errors import TransportError
from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.messages.tbk import TbkRequest, decode_key
from host_tools.exchange.procedures import TBK_REQUEST
from host_tools.exchange.transport import Endpoint
from host_tools.terminal.bcast import Refusal, RefusalReason, StkmOutcome, Tek
from host_tools.terminal.card_stkm import CardStkmView
from host_tools.terminal.errors import TerminalError
from host_tools.terminal.key_source import FeedLayer
from host_tools.wire.http_client import HttpTransport
from host_tools.wire.limits import ClientLimits

_ADDRESS = re.compile(r"https://(?P<host>[A-Za-z0-9.-]{1,253})(:(?P<port>[0-9]{1,5}))?(?P<path>/[!-~]{0,200})?")
_HTTPS_PORT, _LAST_PORT = 443, 65_535
_MOST_TRIES = 3  # an issuer that is not there must not hold up every STKM
_LIMITS = ClientLimits(body_size=1024, whole=10.0)


class PermissionsError(TerminalError):
    """The permissions issuer gave no key: it cannot be reached, is not who it should be, or refused."""


class BindingKeys(Protocol):
    """Where binding keys come from."""

    def fetch(self, uri: str, key_id: int, /) -> Secret:
        """Return the key of this ID (16 bytes). Raises `PermissionsError`."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Files in PEM: whom to trust, this terminal's certificate, its private key."""

    ca: Path
    certificate: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """Return a TLS context that shows the certificate and wants one. Raises `PermissionsError`."""
        try:
            context = ssl.create_default_context(cadata=read_text(self.ca, CERTIFICATE))
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            for file in (self.certificate, self.key):  # ssl opens them by their names
                require_plain(file, CERTIFICATE)
            context.load_cert_chain(str(self.certificate), str(self.key), password=_no_password)
        except UnusableFile as error:
            raise PermissionsError(f"The terminal's certificates cannot be used: {error}.") from None
        except (OSError, ValueError, ssl.SSLError) as error:
            raise PermissionsError(f"The terminal's certificates cannot be used: {error}.") from None
        return context


def _no_password() -> str:
    """Stand for a person who would be asked: a key that is locked is no use here."""
    return ""


class PermissionsClient:
    """Fetches binding keys by HTTPS. `connect_to` replaces host and port, not the name the certificate must have."""

    def __init__(self, context: ssl.SSLContext, connect_to: tuple[str, int] | None = None) -> None:
        self._tls = context
        self._connect_to = connect_to

    def fetch(self, uri: str, key_id: int) -> Secret:
        """Return the key of this ID (16 bytes) from the issuer at `uri`. Raises `PermissionsError`."""
        parts = _ADDRESS.fullmatch(uri)
        if parts is None or int(parts["port"] or _HTTPS_PORT) > _LAST_PORT:
            raise PermissionsError("The STKM names no HTTPS address of a permissions issuer.")
        host, port = parts["host"], int(parts["port"] or _HTTPS_PORT)
        named = host if port == _HTTPS_PORT else f"{host}:{port}"
        headers = (("Host", named), ("Accept", TBK_REQUEST.answer))
        request = HttpRequest(TBK_REQUEST.method, TbkRequest(key_id).target(parts["path"] or ""), headers)
        place = Endpoint(*(self._connect_to or (host, port)))
        try:
            answer = HttpTransport(place, limits=_LIMITS, tls=self._tls, tls_name=host).exchange(request)
        except TransportError as error:
            raise PermissionsError(f"The permissions issuer {host} gave no key: {error}.") from None
        return _read_key(answer)


def _read_key(answer: HttpResponse) -> Secret:
    if answer.status != HTTPStatus.OK:
        raise PermissionsError(f"The permissions issuer refused the binding key: {answer.status} {answer.reason}.")
    try:
        return decode_key(answer.body)
    except DecodeError as error:
        raise PermissionsError(f"The permissions issuer's answer is malformed: {error}.") from None


def unbind(tek: Secret, tbk: Secret) -> Secret:
    """Return the TEK (16 bytes) inside a bound one (16 bytes), under the binding key (16 bytes)."""
    return Secret(aes_ecb_decrypt(tbk.reveal(), tek.reveal()))


@dataclass(slots=True)
class BindingFeed(FeedLayer):
    """Opens bound TEKs on their way from the card; each binding key is fetched once, and asked for three times at most.

    Without `keys`, as in a terminal that has no certificate, a bound TEK becomes a refusal. `on_problem` hears why the
    issuer gave none.
    """

    keys: BindingKeys | None
    on_problem: Callable[[PermissionsError], None] = lambda _error: None
    _held: dict[tuple[bytes, int], Secret] = field(default_factory=dict, init=False, repr=False)
    _failures: Counter[tuple[bytes, int]] = field(default_factory=Counter, init=False)

    def feed(self, stkm: bytes) -> StkmOutcome:
        """Give an STKM to the card and open its TEK if it is bound. Raises as the feed below."""
        outcome = self.feed_below.feed(stkm)
        if not isinstance(outcome, Tek):
            return outcome
        try:
            view = self.read(stkm)
        except DecodeError:
            return outcome
        management = view.management if isinstance(view, CardStkmView) else None
        if management is None or management.terminal_binding_key_id is None:
            return outcome
        tbk = self._key(management.permissions_issuer_uri, management.terminal_binding_key_id)
        if tbk is None:
            reason = RefusalReason.BINDING_KEY_MISSING
            return Refusal(reason, f"{reason.value} ({management.terminal_binding_key_id:08x})")
        return replace(outcome, key=unbind(outcome.key, tbk))

    def _key(self, uri: bytes, key_id: int) -> Secret | None:
        name = (uri, key_id)
        if name not in self._held and self.keys is not None and self._failures[name] < _MOST_TRIES:
            try:
                self._held[name] = self.keys.fetch(uri.decode("ascii", "replace"), key_id)
            except PermissionsError as error:
                self._failures[name] += 1
                self.on_problem(error)
        return self._held.get(name)
