"""A BSF that is reached over HTTP: Ub as a terminal runs it (TS 24.109 clause 4).

`HttpBsf` is the BSF of `terminal.gba`, which talks to the card. Each of its calls is one request. The password of the
digest is RES as the card gave it: with GBA_U its last bit is flipped, which a terminal need not know.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from card.crypto.secret import Secret
from card.errors import DecodeError
from host_tools.exchange.digest.aka import NO_PASSWORD, AkaNonce
from host_tools.exchange.digest.client import answer, check_info
from host_tools.exchange.digest.compute import Algorithm, Asked, Qop
from host_tools.exchange.digest.headers import Challenge, Credentials
from host_tools.exchange.errors import ServerNotAuthenticError, TransportError
from host_tools.exchange.http import Headers, HttpRequest, HttpResponse
from host_tools.exchange.messages.bootstrapping import BootstrappingInfo
from host_tools.exchange.names import TMPI_TOKEN
from host_tools.exchange.ports import Rng
from host_tools.exchange.procedures import BOOTSTRAPPING
from host_tools.exchange.status import retry_after
from host_tools.exchange.transport import Transport
from host_tools.terminal.errors import ChallengedAgainError, NetworkRefusedError
from host_tools.terminal.http.errors import AnswerRefusedError

_log = logging.getLogger(__name__)
_CNONCE_SIZE = 8
_AGENT: Headers = (("User-Agent", f"bcast-uicc {TMPI_TOKEN}"),)


@dataclass(frozen=True, slots=True)
class UbChallenge:
    """RAND and AUTN, or AUTN* (16 bytes each), and the name that was challenged."""

    rand: bytes
    autn_star: bytes
    username: str
    header: Challenge


@dataclass(frozen=True, slots=True)
class UbResult:
    """B-TID and lifetime as they came; the server's time, from which a terminal reckons the end of the lifetime.

    `knows_tmpi`: the server said so, and the terminal is to make a TMPI too (TS 24.109 clause 4.2).
    """

    b_tid: str
    lifetime: str
    server_time: datetime | None
    knows_tmpi: bool


class HttpBsf:
    """One BSF. At most one run at a time; `tmpi` is the name to use in place of the IMPI, "" for none."""

    def __init__(self, transport: Transport, name: str, rng: Rng) -> None:
        """Take the way to the BSF, its name, and where cnonces come from."""
        self._transport = transport
        self._name = name
        self._rng = rng
        self._given: UbChallenge | None = None
        self._next: UbChallenge | None = None
        self._is_second = False
        self.result: UbResult | None = None
        self.tmpi = ""

    @property
    def name(self) -> str:
        """The name of the BSF."""
        return self._name

    def challenge(self, impi: str) -> UbChallenge:
        """Return a fresh challenge. A TMPI that the BSF does not know is dropped, and the IMPI used.

        Raises `NetworkRefusedError`, `AnswerRefusedError`, `TransportError`.
        """
        given, self._next = self._next, None
        self._is_second = self._is_second and given is not None
        if given is None and self.tmpi:
            given, self.tmpi = self._introduce(self.tmpi, may_fail=True), ""
        self._given = given or self._introduce(impi)
        assert self._given is not None, "an introduction that may not fail gives a challenge or raises"
        return self._given

    def complete(self, rand: bytes, res: bytes) -> UbResult:
        """Answer the challenge with RES and return what the BSF says, once it has shown that it knows RES too.

        A BSF that challenges again (it may have forgotten the nonce, as after a restart) is answered once more: its
        challenge is kept for the next call of `challenge`. Raises `ChallengedAgainError` then, `NetworkRefusedError`,
        `AnswerRefusedError`, `TransportError`.
        """
        password = Secret(res)
        sent = self._credentials(self._take(rand), password)
        response = self._ask(sent)
        if response.status != HTTPStatus.OK:
            refused = f"The BSF refused the card's answer with status {response.status}."
            if response.status == HTTPStatus.UNAUTHORIZED and not self._is_second:
                self._next, self._is_second = self._read_challenge(response, sent.username), True
                raise ChallengedAgainError(refused)
            raise NetworkRefusedError(refused)
        try:
            info = check_info(sent, password, response.all("Authentication-Info"), response.body)
            if info.rspauth is None:
                raise ServerNotAuthenticError("rspauth is missing")
            found = BootstrappingInfo.decode(BOOTSTRAPPING.require_answer(response))
        except (ServerNotAuthenticError, DecodeError) as error:
            raise AnswerRefusedError(f"The BSF's answer is not taken: {error}.") from None
        knows_tmpi = any(TMPI_TOKEN in value for value in response.all("Server"))
        self.result = UbResult(found.b_tid, found.lifetime, found.server_time, knows_tmpi)
        return self.result

    def resynchronise(self, impi: str, rand: bytes, auts: bytes) -> None:
        """Send AUTS (14 bytes) and keep the challenge that comes back for the next call of `challenge`.

        The digest has an empty password (RFC 3310 clause 3.4). Raises `NetworkRefusedError`, `AnswerRefusedError`,
        `TransportError`.
        """
        del impi
        given = self._take(rand)
        response = self._ask(self._credentials(given, NO_PASSWORD, auts))
        self._next = self._read_challenge(response, given.username)

    def _introduce(self, username: str, *, may_fail: bool = False) -> UbChallenge | None:
        """Name the subscriber and return the challenge; None for a name that is not known, where that may be."""
        response = self._ask(Credentials.introduction(username, self._name, BOOTSTRAPPING.target))
        if may_fail and response.status != HTTPStatus.UNAUTHORIZED:
            _log.info("the BSF does not know the TMPI any more (status %s)", response.status)
            return None
        return self._read_challenge(response, username)

    def _read_challenge(self, response: HttpResponse, username: str) -> UbChallenge:
        if response.status != HTTPStatus.UNAUTHORIZED:
            raise NetworkRefusedError(f"The BSF does not challenge the subscriber; its status is {response.status}.")
        try:
            for header in Challenge.parse_all(response.all("WWW-Authenticate")):
                if header.algorithm is Algorithm.AKA_V1_MD5 and header.qop is Qop.AUTH_INT:
                    nonce = AkaNonce.parse(header.nonce)
                    return UbChallenge(nonce.rand, nonce.autn, username, header)
        except DecodeError as error:
            raise AnswerRefusedError(f"The BSF's challenge is malformed: {error}.") from None
        raise AnswerRefusedError("The BSF offers no digest AKA with integrity protection.")

    def _take(self, rand: bytes) -> UbChallenge:
        given, self._given = self._given, None
        if given is None or given.rand != rand:
            raise ValueError("this is not the challenge that was given last")
        return given

    def _credentials(self, given: UbChallenge, password: Secret, auts: bytes | None = None) -> Credentials:
        asked = Asked(BOOTSTRAPPING.method, BOOTSTRAPPING.target)
        cnonce = self._rng.random_bytes(_CNONCE_SIZE).hex()
        return answer(given.header, given.username, password, asked, cnonce, auts=auts)

    def _ask(self, credentials: Credentials) -> HttpResponse:
        shown: Headers = (("Authorization", credentials.header_value()),)
        request: HttpRequest = BOOTSTRAPPING.build(self._name, headers=(*_AGENT, *shown))
        response = self._transport.exchange(request)
        if response.status == HTTPStatus.SERVICE_UNAVAILABLE:  # another time may bring more: it is no refusal
            said = retry_after(response)
            wait = "" if said is None else f"; it says to try again in {said} s"
            raise TransportError(f"the BSF is busy (status {response.status}){wait}")
        return response
