"""A terminal on bare sockets, and a log of the octets that crossed: what the flows of the change requests are told by.

It computes the digest with the oracle and shares nothing with the terminal's client; only the card is the product's.
"""

from __future__ import annotations

import base64
import select
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from card.codec.mikey import MbmsKeyIds, MikeyMessage, Timestamp
from host_tools.exchange.digest.headers import AuthenticationInfo, Challenge
from host_tools.exchange.http import Headers, HttpRequest, HttpResponse
from host_tools.exchange.messages.ltkm_push import MIKEY_PORT, OMA_LTKM_PORT
from host_tools.exchange.names import GBA_TOKEN, gba_realm
from host_tools.exchange.procedures import Procedure
from host_tools.exchange.transport import Endpoint
from host_tools.terminal.middleware import TerminalMiddleware
from tests.oracle import http_digest
from tests.support.documents import Documents
from tests.support.head_end import HeadEnd, free_address, fresh_card

_SECONDS = 30.0
_A_MOMENT = 0.02
REQUEST, ANSWER, PUSH, VERIFICATION, TRIGGER = "request", "answer", "push", "verification", "trigger"


@dataclass(frozen=True)
class Crossed:
    """One message: what it is, its octets, and between which ports it went (0 where that does not matter)."""

    kind: str
    octets: bytes
    port: int = 0


@dataclass
class Log:
    """What crossed, in order."""

    crossed: list[Crossed] = field(default_factory=list)
    b_tid: str = ""
    fqdn: str = ""
    srk: bytes = b""
    documents: Documents = field(default_factory=Documents)

    def note(self, kind: str, octets: bytes, port: int = 0) -> None:
        """Note what crossed; a document of 3GPP in it must be valid."""
        if kind in (REQUEST, ANSWER):
            self.documents.check(octets)
        self.crossed.append(Crossed(kind, octets, port))

    def kinds(self) -> list[str]:
        return [one.kind for one in self.crossed]

    def request(self, number: int) -> HttpRequest:
        """The request at this place of the log."""
        assert self.crossed[number].kind == REQUEST, self.kinds()
        return HttpRequest.decode(self.crossed[number].octets)

    def answer(self, number: int) -> HttpResponse:
        """The answer at this place of the log."""
        assert self.crossed[number].kind == ANSWER, self.kinds()
        return HttpResponse.decode(self.crossed[number].octets)

    def mikey(self, number: int, kind: str = PUSH) -> MikeyMessage:
        """The MIKEY message at this place of the log."""
        assert self.crossed[number].kind == kind, self.kinds()
        return MikeyMessage.decode(self.crossed[number].octets)

    def require_challenge(self, number: int) -> Challenge:
        """The answer is 401 with a challenge for the digest of MBMS."""
        answer = self.answer(number)
        assert answer.status == 401
        (challenge,) = Challenge.parse_all(answer.all("WWW-Authenticate"))
        assert challenge.realm == gba_realm(self.fqdn)
        assert 'qop="auth-int"' in answer.all("WWW-Authenticate")[0]
        return challenge

    def require_credentials(self, number: int) -> None:
        """The request has a digest response with the SRK as password and the B-TID as user name, over its body."""
        request = self.request(number)
        said = _said(request)
        first = http_digest.ha1(self.b_tid, gba_realm(self.fqdn), base64.b64encode(self.srk))
        second = http_digest.ha2(request.method, request.target, "auth-int", request.body)
        wanted = http_digest.response(first, said["nonce"], said["nc"], said["cnonce"], "auth-int", second)
        assert (said["username"], said["response"]) == (self.b_tid, wanted)

    def require_signed(self, number: int) -> HttpResponse:
        """The answer shows that the BSM knows the SRK: its rspauth is right over the body."""
        answer, request = self.answer(number), self.request(number - 1)
        said = _said(request)
        info = AuthenticationInfo.parse(answer.one("Authentication-Info") or "")
        first = http_digest.ha1(self.b_tid, gba_realm(self.fqdn), base64.b64encode(self.srk))
        second = http_digest.ha2("", request.target, "auth-int", answer.body)
        wanted = http_digest.response(first, said["nonce"], said["nc"], said["cnonce"], "auth-int", second)
        assert info.rspauth == wanted
        return answer

    def require_push(self, number: int) -> MbmsKeyIds:
        """A push asks for a verification message, and the card's answer to it follows at once, with the same T."""
        push, back = self.mikey(number), self.mikey(number + 1, VERIFICATION)
        assert push.header.verification_requested
        assert (back.header.csb_id, back.one(Timestamp)) == (push.header.csb_id, push.one(Timestamp))
        assert self.crossed[number].port == self.crossed[number + 1].port
        return push.key_ids()


def _said(request: HttpRequest) -> dict[str, str]:
    parts = (request.one("Authorization") or "").removeprefix("Digest ").split(",")
    assert parts != [""], "the request has no credentials"
    return {name: value.strip('"') for name, value in (part.strip().split("=", 1) for part in parts)}


class RawTerminal:
    """A USIM behind bare sockets. Its ports of key messages are open for the length of a `with` block."""

    def __init__(self, served: HeadEnd, tls: ssl.SSLContext | None = None) -> None:
        self.served = served
        self.tls = tls
        served.terminal_address = self.address = served.terminal_address or free_address()
        self.card: TerminalMiddleware = fresh_card()
        self.log = Log(fqdn=served.network.scenario.network.bsm_fqdn)
        self.agent = f"raw {GBA_TOKEN}"
        self._count = 0
        self._udp: list[socket.socket] = []
        self._answered: dict[bytes, bytes | None] = {}

    def __enter__(self) -> RawTerminal:
        for port in (MIKEY_PORT, OMA_LTKM_PORT):
            opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            opened.bind((self.address, port))
            self._udp.append(opened)
        return self

    def __exit__(self, *_: object) -> None:
        for opened in self._udp:
            opened.close()

    def establish(self) -> None:
        """Bootstrap, and derive SRK and SMK: that is assumed before every flow."""
        served, log = self.served, self.log
        log.b_tid = served.call(self._bootstrap)
        log.srk = self.card.establish(served.network.bsm.naf_id, now=served.network.bsm._clock.now()).reveal()

    def _bootstrap(self) -> str:
        with self.served.running.servers.parts.books.transactions.transaction():
            return self.card.bootstrap(self.served.network.bsf).b_tid

    def place(self) -> Endpoint:
        network = self.served.running.network
        return network.bsm.endpoint if self.tls is None else network.others["bsm-tls"].endpoint

    def exchange(self, request: HttpRequest) -> HttpResponse:
        """Send one request on a connection of its own and note the octets both ways."""
        end = self.place()
        octets = replace(request, headers=(*request.headers, ("Connection", "close"))).encode()
        opened: socket.socket = socket.create_connection((end.address, end.port), _SECONDS, (self.address, 0))
        if self.tls is not None:
            opened = self.tls.wrap_socket(opened, server_hostname=self.log.fqdn)
        with opened:
            opened.sendall(octets)
            self.log.note(REQUEST, octets)
            found = bytearray()
            while piece := opened.recv(65_536):
                found += piece
        answer = HttpResponse.decode(bytes(found))
        self.log.note(ANSWER, bytes(found))
        return answer

    def ask(self, procedure: Procedure, body: bytes, headers: Headers = ()) -> HttpResponse:
        """Ask without credentials, take the challenge, and ask again with them; return the answer."""
        return self.ask_request(procedure.build(self.log.fqdn, body, (("User-Agent", self.agent), *headers)))

    def ask_request(self, request: HttpRequest) -> HttpResponse:
        refused = self.exchange(request)
        assert refused.status == 401, refused.status
        (challenge,) = Challenge.parse_all(refused.all("WWW-Authenticate"))
        return self.exchange(self.authorised(request, challenge.nonce))

    def authorised(self, request: HttpRequest, nonce: str) -> HttpRequest:
        """Return the request with a digest response by the oracle."""
        self._count += 1
        realm, cnonce = gba_realm(self.log.fqdn), f"c{self._count:07d}"
        first = http_digest.ha1(self.log.b_tid, realm, base64.b64encode(self.log.srk))
        second = http_digest.ha2(request.method, request.target, "auth-int", request.body)
        response = http_digest.response(first, nonce, "00000001", cnonce, "auth-int", second)
        shown = (
            f'Digest username="{self.log.b_tid}", realm="{realm}", nonce="{nonce}", uri="{request.target}", '
            f'response="{response}", algorithm=MD5, qop=auth-int, nc=00000001, cnonce="{cnonce}"'
        )
        return replace(request, headers=(*request.headers, ("Authorization", shown)))

    def take(self, wanted: int, seconds: float = _SECONDS) -> int:
        """Take so many datagrams, give LTKMs to the card and send its answers back; return how many came.

        The same octets again are a message that was sent again: they are answered from memory and do not count.
        """
        came, until = 0, time.monotonic() + seconds
        while came < wanted and (left := until - time.monotonic()) > 0:
            for opened in select.select(self._udp, (), (), left)[0]:
                payload, source = opened.recvfrom(4096)
                if payload in self._answered:
                    if (known := self._answered[payload]) is not None:
                        opened.sendto(known, source)
                    continue
                came += 1
                port = opened.getsockname()[1]
                if payload.startswith(b"<"):
                    self.log.note(TRIGGER, payload, port)
                    continue
                self.log.note(PUSH, payload, port)
                receipt = self.card.deliver(payload)
                self._answered[payload] = receipt.verification
                if receipt.verification is not None:
                    opened.sendto(receipt.verification, source)
                    self.log.note(VERIFICATION, receipt.verification, port)
        return came

    def settled(self, is_so: Callable[[], bool], *, taking: bool = False) -> bool:
        """Wait until the head-end has come to something; `taking`: take what it sends meanwhile."""
        until = time.monotonic() + _SECONDS
        while time.monotonic() < until:
            if self.served.call(is_so):
                return True
            if taking:
                self.take(1, _A_MOMENT)
            else:
                time.sleep(_A_MOMENT)
        return False


@contextmanager
def raw_terminal(served: HeadEnd, tls: ssl.SSLContext | None = None) -> Iterator[RawTerminal]:
    """Yield a terminal that has SMK and SRK."""
    with RawTerminal(served, tls) as made:
        made.establish()
        yield made
