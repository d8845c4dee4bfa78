"""The way of one errand after the other: what happens is looked up in the table, and the row is carried out."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

from card.errors import DecodeError, EncodeError
from host_tools.apdu.response import StatusError
from host_tools.exchange.http import Headers, HttpRequest, HttpResponse
from host_tools.exchange.names import client_id_agent
from host_tools.exchange.ports import Clock, Rng
from host_tools.exchange.procedures import CLIENT_ID
from host_tools.terminal.client.errands import (
    Answer,
    Consequences,
    Errand,
    Failure,
    Outcome,
    Trouble,
    consequences,
    errand_for,
    taken_headers,
    write,
)
from host_tools.terminal.client.events import (
    Command,
    DropTimer,
    ErrandDone,
    Identified,
    Identify,
    MessageDropped,
    NotIdentified,
    Save,
    Send,
    SetTimer,
    StateChanged,
    Tell,
    Waiting,
)
from host_tools.terminal.client.journal import Journal
from host_tools.terminal.client.states import Act, Goal, Happening, State, transition
from host_tools.terminal.client.waits import Waits, seconds
from host_tools.terminal.client.wishes import RequestKeys, Wish
from host_tools.terminal.errors import TerminalError
from host_tools.terminal.http.dialogue import Dialogue, Heard, Verdict
from host_tools.terminal.http.session import UaIdentity

BACK_OFF = "back off"
_MOST_QUEUED = 64
_TROUBLE = {
    Heard.BUSY: Trouble.BUSY,
    Heard.STALE: Trouble.NOT_ADMITTED,
    Heard.NOT_KNOWN: Trouble.NOT_ADMITTED,
    Heard.NOT_ADMITTED: Trouble.NOT_ADMITTED,
    Heard.NOT_AUTHENTIC: Trouble.NOT_AUTHENTIC,
}
_FOR_LATER = frozenset({Heard.STALE, Heard.NOT_KNOWN, Heard.BUSY, Heard.NOT_AUTHENTIC})
"""What another time may bring, for who is patient; all else would be the same again."""


@dataclass(frozen=True, slots=True)
class Bsm:
    """The BSM as the client addresses it: its name, the path before its procedures, and whether TLS is below.

    `port` is the one that its URL names, None where it names none or the usual one.
    """

    fqdn: str
    base: str = ""
    tls: bool = False
    port: int | None = None

    @property
    def host(self) -> str:
        """The header Host: name and port of the URL (TS 33.246 clause H.2.1, RFC 7230 clause 5.4)."""
        return self.fqdn if self.port is None else f"{self.fqdn}:{self.port}"


@dataclass(frozen=True, slots=True)
class Manners:
    """How the terminal shows itself: `User-Agent`, and the client ID, `show_at_once` or when it is asked for.

    `address` is the one that it asks from, which a registration tells the BSM.
    """

    agent: str
    client_id: bytes | None = None
    show_at_once: bool = False
    address: str = ""


class Way:
    """The queue of errands, the one that is out, and the state."""

    def __init__(
        self,
        bsm: Bsm,
        manners: Manners,
        journal: Journal,
        clock: Clock,
        rng: Rng,
        waits: Waits,
        emit: Callable[[Command], None],
        follow: Callable[[Consequences], None],
    ) -> None:
        """Take where to ask, how, what is remembered, and who hears of commands and of what follows from answers."""
        self._bsm = bsm
        self._manners = manners
        self._journal = journal
        self._clock = clock
        self._rng = rng
        self._waits = waits
        self._emit = emit
        self._follow = follow
        self._dialogue = Dialogue(bsm.fqdn, rng)
        self._identity: UaIdentity | None = None
        self._queue: deque[Errand] = deque()
        self._now: Errand | None = None
        self._failure: Failure | None = None
        self._wait = 0.0
        self._verdict: Verdict | None = None
        self.state = State.READY if journal.is_registered else State.IDLE

    @property
    def is_over(self) -> bool:
        """Whether no errand is out and none waits."""
        return self._now is None and not self._queue

    def add(self, wish: Wish, *, patient: bool, first: bool = False, urgent: bool = False) -> None:
        """Queue a wish; one that waits already is not queued again. `begin` sees to it that its turn comes.

        Somebody waits for the outcome of an `urgent` one: an errand that backs off steps aside for it. What the
        terminal asks for by itself waits behind that: the BSM has said that it is busy.
        """
        if urgent and self.state is State.BACKING_OFF:
            self._step_aside()
        found = next((errand for errand in self._queue if errand.wish == wish), None)
        if found is not None:
            if urgent:
                found.patient, found.not_before = patient, None
            return
        if isinstance(wish, RequestKeys) and self._now is not None and self._now.wish == wish:
            return  # it is out
        errand = errand_for(wish, patient=patient)
        if len(self._queue) >= _MOST_QUEUED:
            words = "too many requests wait for the BSM: one is dropped"
            self._emit(Tell(MessageDropped(words)))
            self._done(errand, failure=Failure(Trouble.BUSY, words))
        elif first:
            self._queue.appendleft(errand)
        else:
            self._queue.append(errand)

    def begin(self) -> None:
        """Begin with the next errand where none is out. What there is nothing to ask for is over at once."""
        while self._now is None and self._queue:
            now = self._clock.now()
            errand = next((one for one in self._queue if one.not_before is None or one.not_before <= now), None)
            if errand is None:
                self._back_off_again(now)
                return
            self._queue.remove(errand)
            errand.fresh(self._waits)
            try:
                has_content = write(errand, self._journal, now)
            except EncodeError as error:
                self._done(errand, failure=Failure(Trouble.NOTHING_TO_ASK, str(error)))
                continue
            if not has_content:
                self._done(errand, failure=Failure(Trouble.NOTHING_TO_ASK, Trouble.NOTHING_TO_ASK.value))
                continue
            self._now = errand
            self._emit(Save())
            self.happened(Happening.BEGUN)

    def _step_aside(self) -> None:
        assert self._now is not None, "something backs off"
        self._emit(DropTimer(BACK_OFF))
        self._queue.append(self._now)
        self._now = None
        self._enter(self._rest(), "somebody waits for another answer")

    def _back_off_again(self, now: datetime) -> None:
        """Let the errand wait for the rest of its time that stepped aside for others."""
        self._now = errand = self._queue.popleft()
        assert errand.not_before is not None, "it is not its turn yet"
        self._emit(SetTimer(BACK_OFF, (errand.not_before - now).total_seconds()))
        self._enter(State.BACKING_OFF, "nobody waits for another answer")

    def look_again(self, why: str) -> None:
        """Go to the state of rest that the journal tells now, where no errand is out."""
        if self._now is None:
            self._enter(self._rest(), why)

    def leave(self) -> None:
        """Forget what waits; the errand that is out goes on, but for one that waits for better times."""
        while self._queue:
            self._done(self._queue.popleft(), failure=Failure(Trouble.LEFT, Trouble.LEFT.value))
        if self._now is not None:
            self._now.patient, self._now.resends = False, 0
        self.happened(Happening.LEFT)

    # What happens

    def identified(self, event: Identified) -> None:
        """Take the identity and go on."""
        self._identity = event.identity
        self._dialogue.identify(event.identity)
        if (self._journal.b_tid, self._journal.tmpi) != (event.identity.username, event.tmpi):
            self._journal.b_tid, self._journal.tmpi = event.identity.username, event.tmpi
            self._emit(Save())
        self.happened(Happening.IDENTIFIED)

    def not_identified(self, event: NotIdentified) -> None:
        """There is no identity."""
        self._verdict = None
        self._fail(event.trouble, event.words, may_wait=not event.lasting)

    def no_answer(self, words: str) -> None:
        """Send the same octets again, or see that no server answers."""
        if self._now is None:
            return
        self._verdict = None
        if self._now.resends > 0:
            self._now.resends -= 1
            self.happened(Happening.NO_ANSWER, words)
        else:
            self._fail(Trouble.NO_SERVER, words, may_wait=True)

    def answered(self, verdict: Verdict) -> None:
        """Do what an answer calls for."""
        errand = self._now
        if errand is None:
            return
        self._verdict = verdict
        match verdict.heard:
            case Heard.CHALLENGED:
                self.happened(Happening.CHALLENGED)
            case Heard.STALE if errand.stale > 0:
                errand.stale -= 1
                self.happened(Happening.STALE)
            case Heard.NOT_KNOWN if errand.renewals > 0:
                errand.renewals -= 1
                self.happened(Happening.NOT_KNOWN)
            case Heard.CLIENT_ID_WANTED if self.state is State.REGISTER and self._may_show_id():
                self.happened(Happening.CLIENT_ID_WANTED)
            case Heard.ACCEPTED:
                self.happened(Happening.ACCEPTED)
            case _:
                words = f"{errand.procedure.name}: {verdict.words}"
                self._fail(_TROUBLE.get(verdict.heard, Trouble.REFUSED), words, may_wait=verdict.heard in _FOR_LATER)

    def judge(self, response: HttpResponse) -> Verdict:
        """Return what an answer means."""
        return self._dialogue.judge(response)

    def happened(self, on: Happening, why: str = "") -> None:
        """Look the row up and carry it out; what is not in the table changes nothing."""
        row = transition(self.state, on)
        if row is None:
            return
        errand = self._now
        assert errand is not None, "every row is about an errand"
        if row.then is Goal.REST:  # which of the two it is, the answer says
            self._carry_out(row.do, errand)
            self._enter(self._rest(), why or on.value)
        else:
            self._enter(errand.asking if row.then is Goal.ASKING else row.then, why or on.value)
            self._carry_out(row.do, errand)

    def _enter(self, state: State, why: str) -> None:
        before, self.state = self.state, state
        if state is not before:
            self._emit(Tell(StateChanged(before, state, why)))

    # What is done

    def _carry_out(self, act: Act, errand: Errand) -> None:
        match act:
            case Act.IDENTIFY:
                self._emit(Identify(renew=False))
            case Act.RENEW:
                self._emit(Identify(renew=True))
            case Act.SEND:
                self._send(errand.procedure.build(self._bsm.host, errand.body, self._headers(errand), self._bsm.base))
            case Act.SHOW_CLIENT_ID:
                self._send(CLIENT_ID.build(self._bsm.host, b"", (("User-Agent", self._shown_id()),)))
            case Act.WAIT:
                self._emit(SetTimer(BACK_OFF, self._wait))
                self._emit(Tell(Waiting(self._wait, self._failure.words if self._failure else "")))
            case Act.FINISH:
                self._finish(errand)
            case Act.GIVE_UP:
                self._end(errand, failure=self._failure)
            case Act.DROP:
                self._emit(DropTimer(BACK_OFF))
                self._end(errand, failure=Failure(Trouble.LEFT, Trouble.LEFT.value))

    def _send(self, request: HttpRequest) -> None:
        """Send with credentials where a nonce is known; a card that makes the password may refuse to."""
        try:
            shown = self._dialogue.authorised(request)
        except (StatusError, TerminalError) as error:
            self._fail(Trouble.NOT_ADMITTED, str(error), may_wait=False)
            return
        self._emit(Send(shown))

    def _headers(self, errand: Errand) -> Headers:
        shows = self._manners.show_at_once and errand.asking is State.REGISTER and self._may_show_id()
        agent = self._shown_id() if shows else self._manners.agent
        return (("User-Agent", agent), *taken_headers(errand, self._journal))

    def _may_show_id(self) -> bool:
        """A client ID goes over TLS only; to have none may be said without."""
        return self._manners.client_id is None or self._bsm.tls

    def _shown_id(self) -> str:
        return "" if self._manners.client_id is None else client_id_agent(self._manners.client_id)

    def _finish(self, errand: Errand) -> None:
        """Read the answer. One that cannot be read is a failure: nobody knows what the server did."""
        assert self._verdict is not None, "an answer came"
        try:
            answer = errand.read(self._verdict.response)
        except DecodeError as error:
            words = f"{errand.procedure.name}: the answer is malformed: {error}"
            self._end(errand, failure=Failure(Trouble.NOT_AUTHENTIC, words, self._verdict.response.status))
            return
        found = consequences(errand, answer, self._journal, self._manners.address)
        self._emit(Save())
        self._end(errand, answer=answer)
        self._follow(found)

    def _fail(self, trouble: Trouble, words: str, *, may_wait: bool) -> None:
        """Note why, and back off where the errand is patient and another time may bring more; else give it up."""
        errand = self._now
        if errand is None:
            return
        response = None if self._verdict is None else self._verdict.response
        after = None if self._verdict is None else self._verdict.retry_after
        self._failure = Failure(trouble, words, None if response is None else response.status, after)
        if not (may_wait and errand.patient):
            self.happened(Happening.OVER, words)
            return
        errand.failures += 1
        errand.fresh(self._waits)
        failures = errand.failures
        self._wait = self._waits.after(failures, self._rng) if after is None else self._waits.busy(after, failures)
        errand.not_before = self._clock.now() + seconds(self._wait)
        self.happened(Happening.LATER, words)

    def _end(self, errand: Errand, *, answer: Answer | None = None, failure: Failure | None = None) -> None:
        """The errand that is out is over."""
        if answer is None and failure is not None and failure.trouble is Trouble.REFUSED:
            answer = self._refusal(errand)
        self._now = self._verdict = self._failure = None
        self._done(errand, answer, failure)

    def _refusal(self, errand: Errand) -> Answer | None:
        """Return the document that a refusal of service provisioning carries.

        The request is answered: cross it off. But who met an error of the server does not know whether it was done:
        it is sent again by the next run, and acts once.
        """
        assert self._verdict is not None, "a refusal is an answer"
        if self._verdict.response.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            self._journal.answered(errand.request_id)
            self._emit(Save())
        try:
            return errand.read(self._verdict.response)
        except DecodeError:
            return None

    def _done(self, errand: Errand, answer: Answer | None = None, failure: Failure | None = None) -> None:
        b_tid = self._identity.username if self._identity else self._journal.b_tid
        self._emit(Tell(ErrandDone(Outcome(errand.wish, b_tid, answer, failure))))

    def _rest(self) -> State:
        return State.READY if self._journal.is_registered else State.IDLE
