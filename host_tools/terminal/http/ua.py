"""A terminal asks its BSM, in one go (TS 24.109 clause 5.2, TS 33.246 6.2.1.3).

A 401 with stale=true is answered with the new nonce and the same keys, twice at most. Any other 401 to credentials
means that the BSM wants a new B-TID: the terminal bootstraps once and asks again, and then gives up. A challenge in a
foreign realm is not answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from card.errors import DecodeError
from host_tools.exchange.http import Headers, HttpRequest, HttpResponse
from host_tools.exchange.messages.msk import MskAnswer, MskCode, MskName, MskRequest
from host_tools.exchange.messages.registration import Deregistration, Registration, RegistrationAnswer, ServiceCode
from host_tools.exchange.ports import Rng
from host_tools.exchange.procedures import DEREGISTRATION, MSK_REQUEST, REGISTRATION, Procedure
from host_tools.exchange.status import reaction_to
from host_tools.exchange.transport import Transport
from host_tools.terminal.http.dialogue import Dialogue, Heard, Verdict
from host_tools.terminal.http.errors import AnswerRefusedError, NotAdmittedError, ServerRefusedError
from host_tools.terminal.http.session import UaSession

MOST_STALE = 2
"""How often a nonce may be stale for one request; ours."""
MOST_RENEWALS = 1
"""How often a request may lead to a bootstrapping; ours."""
_Answer = TypeVar("_Answer")


class UaClient:
    """One BSM, one request at a time."""

    def __init__(self, transport: Transport, fqdn: str, session: UaSession, rng: Rng, base: str = "") -> None:
        """Take the way to the BSM, its name, who the terminal is there, and where cnonces come from.

        `base` is the path of the BSM's address in front of that of a procedure.
        """
        self._transport = transport
        self._fqdn = fqdn
        self._session = session
        self._base = base
        self._dialogue = Dialogue(fqdn, rng)

    def register(self, service_ids: Iterable[str]) -> tuple[ServiceCode, ...]:
        """Register for these services, too; return the code of each. Raises as `ask`."""
        body = Registration(tuple(service_ids)).encode()
        return _read(RegistrationAnswer.decode, REGISTRATION, self.ask(REGISTRATION, body)).codes

    def deregister(self, service_ids: Iterable[str]) -> tuple[ServiceCode, ...]:
        """Leave these services; return the code of each. Raises as `ask`."""
        body = Deregistration(tuple(service_ids)).encode()
        return _read(RegistrationAnswer.decode, DEREGISTRATION, self.ask(DEREGISTRATION, body)).codes

    def request_keys(self, names: Iterable[MskName]) -> tuple[MskCode, ...]:
        """Ask for these keys, which come as datagrams; return the code of each. Raises as `ask`."""
        body = MskRequest(tuple(names)).encode()
        return _read(MskAnswer.decode, MSK_REQUEST, self.ask(MSK_REQUEST, body)).codes

    def ask(self, procedure: Procedure, body: bytes) -> HttpResponse:
        """Send a request and return the answer, whose status is one of success.

        Raises `ServerRefusedError`, `NotAdmittedError`, `AnswerRefusedError`, and what the session and the transport
        raise.
        """
        headers: Headers = (("User-Agent", self._session.agent),)
        request = procedure.build(self._fqdn, body, headers, self._base)
        verdict = ask_in_one_go(request, self._transport, self._dialogue, self._session)
        return _require_success(procedure, verdict)


def ask_in_one_go(request: HttpRequest, transport: Transport, dialogue: Dialogue, session: UaSession) -> Verdict:
    """Send a request, with a new nonce or a new B-TID where the BSM wants one; return what it says in the end.

    Raises what the session and the transport raise.
    """
    stale, renewals = MOST_STALE, MOST_RENEWALS
    dialogue.identify(session.current())
    while True:
        verdict = dialogue.judge(transport.exchange(dialogue.authorised(request)))
        match verdict.heard:
            case Heard.CHALLENGED:
                pass
            case Heard.STALE if stale:
                stale -= 1
            case Heard.NOT_KNOWN if renewals:
                renewals -= 1
                dialogue.identify(session.renew())
            case _:
                return verdict


def _read(decode: Callable[[bytes], _Answer], procedure: Procedure, response: HttpResponse) -> _Answer:
    """Read the body of an answer. Raises `AnswerRefusedError`."""
    try:
        return decode(procedure.require_answer(response))
    except DecodeError as error:
        raise AnswerRefusedError(f"The BSM's answer is malformed: {error}.") from None


def _require_success(procedure: Procedure, verdict: Verdict) -> HttpResponse:
    """Return the answer. Raises the error that the verdict is."""
    match verdict.heard:
        case Heard.ACCEPTED:
            return verdict.response
        case Heard.NOT_AUTHENTIC:
            raise AnswerRefusedError(f"The BSM's answer is not taken: {verdict.words}.")
        case Heard.STALE:
            raise NotAdmittedError("The BSM finds one nonce after the other stale.")
        case Heard.NOT_KNOWN:
            raise NotAdmittedError("The BSM refuses the credentials, also those of a new bootstrapping.")
        case Heard.NOT_ADMITTED:
            raise NotAdmittedError(f"The BSM cannot be answered: {verdict.words}.")
        case _:
            status = verdict.response.status
            raise ServerRefusedError(procedure.name, status, reaction_to(status), verdict.retry_after)
