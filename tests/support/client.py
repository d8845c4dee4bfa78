"""A stage for the client of a terminal: it carries out what the client says, with answers that a test writes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import cache

from card.crypto.secret import Secret
from host_tools.exchange.digest.client import FixedPassword
from host_tools.exchange.digest.headers import Credentials
from host_tools.exchange.http import Headers, HttpRequest, HttpResponse
from host_tools.exchange.messages.registration import RegistrationAnswer, ServiceCode
from host_tools.exchange.names import gba_realm
from host_tools.exchange.procedures import REGISTRATION, Procedure
from host_tools.headend.clock import ManualClock
from host_tools.headend.seeded import Seeded, SeededRng
from host_tools.terminal.client.errands import Outcome
from host_tools.terminal.client.events import (
    Answered,
    ClientEvent,
    Command,
    DropTimer,
    ErrandDone,
    GivenToCard,
    GiveToCard,
    Identified,
    Identify,
    News,
    NoAnswer,
    NotIdentified,
    Save,
    Send,
    SendBack,
    SetTimer,
    Settle,
    Settled,
    Tell,
    TimeUp,
)
from host_tools.terminal.client.journal import Journal
from host_tools.terminal.client.machine import Client, Rules
from host_tools.terminal.client.way import Bsm, Manners
from host_tools.terminal.http.session import UaIdentity
from host_tools.terminal.ltkm_receipt import LtkmReceipt, LtkmVerdict
from tests.oracle import http_digest

FQDN = "bmsc.mnc001.mcc001.pub.3gppnetwork.org"
REALM = gba_realm(FQDN)
SRK = b"T2hmuIcC4MYJExytZxWj3FUZ4rpcF96raM4GbNogV/0="
START = datetime(2030, 1, 1, tzinfo=UTC)
Script = Callable[[HttpRequest], HttpResponse]


@cache
def identity(number: int) -> UaIdentity:
    """Return who the terminal is after so many bootstrappings."""
    return UaIdentity(f"b-tid-{number}@bsf", REALM, FixedPassword(Secret(SRK)))


def demand(nonce: str = "n1", *, stale: bool = False, realm: str = REALM) -> Script:
    """Return what answers 401."""
    more = ", stale=TRUE" if stale else ""
    text = f'Digest nonce="{nonce}", qop="auth,auth-int", realm="{realm}"{more}, algorithm=MD5'
    return lambda _request: HttpResponse(401, (("WWW-Authenticate", text),))


def signed(
    status: int = 200, body: bytes = b"", kind: str = "", headers: Headers = (), nextnonce: str | None = None
) -> Script:
    """Return what answers with rspauth, by the oracle."""

    def answer(request: HttpRequest) -> HttpResponse:
        shown = Credentials.parse(request.one("Authorization") or "")
        first = http_digest.ha1(shown.username, shown.realm, SRK)
        asked = http_digest.ha2(request.method, shown.uri, "auth-int", request.body)
        count = f"{shown.nc:08x}"
        right = http_digest.response(first, shown.nonce, count, shown.cnonce, "auth-int", asked)
        assert shown.response == right, "the client's digest is wrong"
        second = http_digest.ha2("", shown.uri, "auth-int", body)
        rspauth = http_digest.response(first, shown.nonce, count, shown.cnonce, "auth-int", second)
        info = f'rspauth="{rspauth}"' + (f', nextnonce="{nextnonce}"' if nextnonce else "")
        typed: Headers = (("Content-Type", kind),) if kind else ()
        return HttpResponse(status, (*typed, *headers, ("Authentication-Info", info)), body)

    return answer


def granted(*services: str, refused: Iterable[str] = (), procedure: Procedure = REGISTRATION) -> Script:
    """Return what grants a registration or a deregistration."""
    codes = [*(ServiceCode(one, 200) for one in services), *(ServiceCode(one, 403) for one in refused)]
    return signed(body=RegistrationAnswer(tuple(codes)).encode(), kind=procedure.answer)


class Stage:
    """One client with what a test gives it: answers of the BSM (None is no answer), identities, receipts."""

    def __init__(
        self, *answers: Script | None, rules: Rules | None = None, journal: Journal | None = None,
        manners: Manners | None = None, tls: bool = False,
    ) -> None:  # fmt: skip
        self.clock = ManualClock(START)
        self.journal = journal or Journal()
        self.answers = deque(answers)
        self.identities: deque[UaIdentity | NotIdentified] = deque()
        self.receipts: deque[LtkmReceipt] = deque()
        self.was_taken = False
        self.sent: list[HttpRequest] = []
        self.bootstrapped: list[bool] = []
        self.done: list[Command] = []
        self.news: list[News] = []
        self.timers: dict[str, float] = {}
        rng = SeededRng(Seeded("client"), "stage")
        bsm = Bsm(FQDN, tls=tls)
        self.client = Client(bsm, manners or Manners("test 3gpp-gba"), rules or Rules(), self.journal, self.clock, rng)
        self._runs = 1

    def tell(self, event: ClientEvent) -> None:
        """Give the client an event, and carry out what comes of it."""
        commands = deque(self.client.take(event))
        while commands:
            command = commands.popleft()
            self.done.append(command)
            came = self._carry_out(command)
            if came is not None:
                commands.extend(self.client.take(came))

    def after(self, timer: str) -> float:
        """Let the time of a timer pass, and return how long it was."""
        seconds = self.timers.pop(timer)
        self.clock.advance(seconds)
        self.tell(TimeUp(timer))
        return seconds

    def outcomes(self) -> list[Outcome]:
        """Return how errands ended, and forget it."""
        found = [one.outcome for one in self.news if isinstance(one, ErrandDone)]
        self.news = [one for one in self.news if not isinstance(one, ErrandDone)]
        return found

    def kinds(self) -> list[str]:
        """Return what was done since the last call, by name, without news."""
        found = [type(one).__name__ for one in self.done if not isinstance(one, Tell)]
        self.done.clear()
        return found

    def _carry_out(self, command: Command) -> ClientEvent | None:
        match command:
            case Identify(renew):
                return self._identify(renew)
            case Send(request):
                self.sent.append(request)
                script = self.answers.popleft()
                return NoAnswer("nobody answers") if script is None else Answered(script(request))
            case GiveToCard(ltkm):
                receipt = self.receipts.popleft() if self.receipts else LtkmReceipt(LtkmVerdict.TAKEN, b"verified")
                return GivenToCard(ltkm, receipt)
            case Settle(ltkm):
                return Settled(ltkm, self.was_taken)
            case SetTimer(timer, seconds):
                self.timers[timer] = seconds
            case DropTimer(timer):
                self.timers.pop(timer, None)
            case Tell(news):
                self.news.append(news)
            case Save() | SendBack():
                pass
        return None

    def _identify(self, renew: bool) -> ClientEvent:
        self.bootstrapped.append(renew)
        self._runs += renew
        found = self.identities.popleft() if self.identities else identity(self._runs)
        return found if isinstance(found, NotIdentified) else Identified(found, "tmpi")
