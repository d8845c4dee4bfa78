"""A terminal that holds the keys of MBMS itself: GBA_ME (TS 33.220 clause 4.5, TS 33.246 clause 6.1 and annex F).

The USIM gives CK and IK in an ordinary 3G authentication, and the terminal (the ME) derives Ks and Ks_NAF from them:
Ks_NAF is the MUK, and the MRK is derived from it. What a card does with MUK, MSK and MTK in GBA_U, the terminal does
here, and by the same code: a key store that is a card of this project, in this process, and gets its MUK from outside.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from card.crypto.gba import derive_ks, derive_ks_ext_naf, derive_ks_naf_mrk, derive_tmpi
from card.crypto.secret import Secret
from card.spec.gba import naf_id
from host_tools.exchange.digest.client import FixedPassword
from host_tools.exchange.messages.fields import to_date_time
from host_tools.exchange.names import GBA_TOKEN, gba_realm
from host_tools.terminal.aka import AkaKeys
from host_tools.terminal.errors import ChallengedAgainError, NetworkRefusedError
from host_tools.terminal.gba import MOST_CHALLENGES, STALE_AGAIN
from host_tools.terminal.http.session import UaIdentity
from host_tools.terminal.http.ub import HttpBsf, UbChallenge, UbResult
from host_tools.terminal.middleware import TerminalMiddleware


class MukStore(Protocol):
    """What takes the MUK of a BM-SC: `Card.keep_naf_key` of the key store."""

    def __call__(self, naf_id: bytes, b_tid: bytes, key: Secret, /) -> None:
        """Keep the key (32 bytes) for FQDN and Ua protocol, under this B-TID."""


class MeSession:
    """The identity of such a terminal at a BSM. Ks lives as long as this object: a new process bootstraps anew."""

    def __init__(
        self,
        usim: TerminalMiddleware,
        keep: MukStore,
        bsf: HttpBsf,
        fqdn: str,
        now: Callable[[], datetime],
    ) -> None:
        """Take the card for its 3G authentication, the key store, the BSF, the name of the BSM, and the time."""
        self._usim = usim
        self._keep = keep
        self._bsf = bsf
        self._fqdn = fqdn
        self._now = now
        self._known: UaIdentity | None = None
        self._expires: datetime | None = None

    @property
    def agent(self) -> str:
        """What `User-Agent` says: the terminal can use a key that it holds itself (TS 24.109 clause 5.2)."""
        return f"bcast-uicc {GBA_TOKEN}"

    def current(self) -> UaIdentity:
        """Return the identity under the Ks of this process; bootstraps where there is none that is good."""
        is_over = self._expires is not None and self._now() >= self._expires
        return self.renew() if self._known is None or is_over else self._known

    def renew(self) -> UaIdentity:
        """Bootstrap, derive MUK and MRK, and return the identity under them.

        Raises `NetworkRefusedError`, `AnswerRefusedError`, `TransportError`, `StatusError`, `LinkError`.
        """
        impi = self._usim.identity.impi.encode()
        challenge, keys, result = self._authenticate(self._usim.identity.impi)
        ks = derive_ks(keys.ck.reveal(), keys.ik.reveal())
        naf = naf_id(self._fqdn.encode())
        muk = derive_ks_ext_naf(ks, challenge.rand, impi, naf)
        self._keep(naf, result.b_tid.encode(), muk)
        self._bsf.tmpi = derive_tmpi(ks, challenge.rand, impi, self._bsf.name.encode()) if result.knows_tmpi else ""
        password = Secret(base64.b64encode(derive_ks_naf_mrk(muk).reveal()))
        self._expires = to_date_time(result.lifetime)
        self._known = UaIdentity(result.b_tid, gba_realm(self._fqdn), FixedPassword(password))
        return self._known

    def _authenticate(self, impi: str) -> tuple[UbChallenge, AkaKeys, UbResult]:
        """Run Ub as `terminal.gba.bootstrap` does, with the 3G context of the card."""
        resynchronised = False
        for _ in range(MOST_CHALLENGES):
            challenge = self._bsf.challenge(impi)
            answer = self._usim.usim.authenticate_3g(challenge.rand, challenge.autn_star)
            if isinstance(answer, AkaKeys):
                try:
                    return challenge, answer, self._bsf.complete(challenge.rand, answer.res)
                except ChallengedAgainError:
                    continue
            if resynchronised:
                break
            self._bsf.resynchronise(impi, challenge.rand, answer.auts)
            resynchronised = True
        raise NetworkRefusedError(STALE_AGAIN)
