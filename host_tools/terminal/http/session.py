"""Who a terminal is at a BSM: user name, realm and password, and how they are renewed."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from card.crypto.gba import tmpi_of
from card.crypto.secret import Secret
from card.spec.gba import TMPI_UA_PROTOCOL, naf_id
from host_tools.exchange.digest.client import FixedPassword, Passwords
from host_tools.exchange.names import GBA_TOKEN, gba_realm
from host_tools.terminal.csim_middleware import CsimMiddleware
from host_tools.terminal.errors import NoUsableKsError
from host_tools.terminal.gba import usable_ks
from host_tools.terminal.http.errors import NotAdmittedError
from host_tools.terminal.http.ub import HttpBsf
from host_tools.terminal.middleware import TerminalMiddleware


@dataclass(frozen=True, slots=True)
class UaIdentity:
    """User name (B-TID or NAI), the realm it belongs to, and the password."""

    username: str
    realm: str
    passwords: Passwords


class UaSession(Protocol):
    """The identity of a terminal at one BSM."""

    @property
    def agent(self) -> str:
        """What `User-Agent` says."""

    def current(self) -> UaIdentity:
        """Return the identity, and make one where there is none. Raises `TerminalError`, `TransportError`."""

    def renew(self) -> UaIdentity:
        """Return a new identity, as the BSM refuses the one before. Raises `NotAdmittedError` and as `current`."""


class GbaSession:
    """A USIM: the B-TID and the base64 text of Ks_ext_NAF, which is the SRK (TS 33.246 clause 6.1).

    It bootstraps when the card has no Ks that is fit, and when the BSM wants a new one. Whether one is fit is told by
    the clock of the BSF, once it has said what time it is: that of a terminal may be wrong by days (ours).
    """

    def __init__(self, middleware: TerminalMiddleware, bsf: HttpBsf, fqdn: str, now: Callable[[], datetime]) -> None:
        """Take the card, the BSF, the name of the BSM, and the time."""
        self._middleware = middleware
        self._bsf = bsf
        self._fqdn = fqdn
        self._now = now
        self._known: UaIdentity | None = None
        self._behind = timedelta()

    @property
    def agent(self) -> str:
        """What `User-Agent` says: the terminal holds the SRK itself (TS 24.109 clause 5.2)."""
        return f"bcast-uicc {GBA_TOKEN}"

    def current(self) -> UaIdentity:
        """Return the identity under the Ks in the card; bootstraps where there is none."""
        try:
            b_tid = usable_ks(self._middleware.usim, self._now() + self._behind).b_tid
        except NoUsableKsError:
            return self.renew()
        if self._known is None or self._known.username != b_tid:
            self._known = self._establish(b_tid)
        return self._known

    def renew(self) -> UaIdentity:
        """Bootstrap, and return the identity under the new Ks."""
        b_tid = self._middleware.bootstrap(self._bsf).b_tid
        if self._bsf.result is not None and self._bsf.result.server_time is not None:
            self._behind = self._bsf.result.server_time - self._now()
        self._make_tmpi()
        self._known = self._establish(b_tid, is_new=True)
        return self._known

    def _establish(self, b_tid: str, *, is_new: bool = False) -> UaIdentity:
        srk = self._middleware.establish(
            naf_id(self._fqdn.encode()), now=None if is_new else self._now() + self._behind
        )
        password = Secret(base64.b64encode(srk.reveal()))
        return UaIdentity(b_tid, gba_realm(self._fqdn), FixedPassword(password))

    def _make_tmpi(self) -> None:
        """Have the card derive the TMPI, if the BSF knows it too (TS 33.220 clause B.4)."""
        self._bsf.tmpi = ""
        if self._bsf.result is not None and self._bsf.result.knows_tmpi:
            impi = self._middleware.identity.impi.encode()
            derived = self._middleware.usim.gba_naf_derivation(self._bsf.name.encode() + TMPI_UA_PROTOCOL, impi)
            self._bsf.tmpi = tmpi_of(derived)


class CsimSession:
    """A CSIM: the NAI and what the card answers to each nonce. There is no bootstrapping (provisional)."""

    def __init__(self, middleware: CsimMiddleware, fqdn: str) -> None:
        """Take the card and the name of the BSM."""
        self._identity = UaIdentity(middleware.identity.nai, fqdn, middleware)

    @property
    def agent(self) -> str:
        """What `User-Agent` says."""
        return "bcast-uicc"

    def current(self) -> UaIdentity:
        """Return the identity."""
        return self._identity

    def renew(self) -> UaIdentity:
        """Raise `NotAdmittedError`: there is nothing to renew."""
        raise NotAdmittedError("The BSM refuses the card's answer to its challenge.")
