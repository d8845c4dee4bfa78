"""A terminal on real wires: the client of `terminal.client` with a card, sockets and the time of this computer.

It carries out what the client says, one command after the other, and tells it what came of each. Between two events it
waits at the ports of key messages until the next timer. One request is out at a time. Whoever cannot wait for its
answer (`start` without `waits`) gets it with a later `poll`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf
from time import monotonic
from types import TracebackType
from typing import Generic, Self, TypeVar

from card.errors import DecodeError
from host_tools.apdu.response import StatusError
from host_tools.exchange.errors import TransportError
from host_tools.exchange.http import HttpResponse
from host_tools.exchange.messages.msk import MskAnswer, MskCode, MskName
from host_tools.exchange.messages.registration import RegistrationAnswer, ServiceCode
from host_tools.exchange.ports import Clock, Rng
from host_tools.exchange.status import is_success, reaction_to
from host_tools.exchange.transport import Datagram, Transport
from host_tools.terminal.client.awaited import current
from host_tools.terminal.client.errands import Failure, Outcome, Trouble
from host_tools.terminal.client.events import (
    Answered,
    Arrived,
    ClientEvent,
    Command,
    DropTimer,
    ErrandDone,
    GivenToCard,
    GiveToCard,
    Identified,
    Identify,
    Leaving,
    LtkmHandled,
    News,
    NoAnswer,
    NotIdentified,
    Save,
    Send,
    SendBack,
    SetTimer,
    Settle,
    Settled,
    ShortMessageArrived,
    Started,
    Tell,
    TimeUp,
    Wanted,
)
from host_tools.terminal.client.journal import KeptLtkm
from host_tools.terminal.client.keeper import InMemory, JournalKeeper
from host_tools.terminal.client.machine import Client, Rules
from host_tools.terminal.client.states import State
from host_tools.terminal.client.way import Bsm, Manners
from host_tools.terminal.client.wishes import Deregister, Order, OrderMessage, Register, RequestKeys, Resume, Wish
from host_tools.terminal.errors import MalformedAnswerError, NetworkRefusedError, TerminalError
from host_tools.terminal.http.errors import AnswerRefusedError, NotAdmittedError, ServerRefusedError
from host_tools.terminal.identities import OnlineCard
from host_tools.terminal.ltkm_delivery import LtkmView
from host_tools.terminal.ltkm_receipt import LtkmReceipt, LtkmVerdict
from host_tools.wire.background import BackgroundRequests
from host_tools.wire.key_sockets import KeySockets

_LONGEST_TURN = 3600.0
_MORE_FOR_REQUESTS, _LOOK_FOR_ANSWERS = 60.0, 0.1
"""Seconds for which who listens waits for a request beyond its patience, and between two looks meanwhile; ours."""
_MOST_RECEIPTS, _MOST_TAKEN, _MOST_OUTCOMES = 1024, 64, 64  # that nobody has asked about yet
_Code = TypeVar("_Code", ServiceCode, MskCode)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for keys, in seconds: for the first one, and for another one after it."""

    first: float = 5.0
    quiet: float = 0.5


@dataclass(frozen=True, slots=True)
class Asked(Generic[_Code]):
    """What came of a request: the B-TID it went out under, a code for each item, and the LTKMs that came after it."""

    b_tid: str
    codes: tuple[_Code, ...]
    receipts: tuple[LtkmReceipt, ...]

    @property
    def granted(self) -> bool:
        """Whether the BSM granted every item and the card took every key."""
        return all(is_success(code.status) for code in self.codes) and all(receipt.taken for receipt in self.receipts)


class OnlineTerminal:
    """One terminal at one BSM; its UDP ports are open for the length of a `with` block."""

    def __init__(
        self,
        card: OnlineCard,
        bsm: Bsm,
        transport: Transport,
        sockets: KeySockets,
        clock: Clock,
        rng: Rng,
        *,
        rules: Rules,
        keeper: JournalKeeper | None = None,
        patience: Patience | None = None,
        manners: Manners | None = None,
        sms_port: int | None = None,
        on_news: Callable[[News], None] = lambda _: None,
    ) -> None:
        """Take the connected card, the BSM and the way to it, the own ports, time and randomness.

        `keeper` has the journal, `on_news` hears what happens.
        """
        self._card = card
        self._transport = transport
        self._sockets = sockets
        self._keeper = keeper or InMemory()
        self._patience = patience or Patience()
        self._sms_port = sms_port
        self._on_news = on_news
        shown = manners or Manners(card.session.agent)
        self._client = Client(bsm, shown, rules, self._keeper.journal, clock, rng)
        self._timers: dict[str, float] = {}
        self._receipts: deque[LtkmReceipt] = deque(maxlen=_MOST_RECEIPTS)
        self._taken: deque[MskName] = deque(maxlen=_MOST_TAKEN)
        self._outcomes: deque[Outcome] = deque(maxlen=_MOST_OUTCOMES)
        self._is_started = False
        self._background: BackgroundRequests | None = None
        card.use_tmpi(self._keeper.journal.tmpi)

    def __enter__(self) -> Self:
        """Open the ports. Raises `TransportError`."""
        self._sockets.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the ports."""
        self._sockets.__exit__(kind, error, trace)

    @property
    def state(self) -> State:
        """Where the client is."""
        return self._client.state

    @property
    def is_busy(self) -> bool:
        """Whether a request waits for better times."""
        return not self._client.is_over

    @property
    def has_open_stock(self) -> bool:
        """Whether an order went past the client whose outcome nobody has looked up."""
        return self._keeper.journal.stock is not None

    @property
    def journal_items(self) -> tuple[str, ...]:
        """The serviceIDs that are in force."""
        return tuple(self._keeper.journal.items)

    # What a program asks for

    def start(self, *, home: bool = True, stays: bool = True, waits: bool = True) -> None:
        """Begin: what an earlier run left undone is done; with `stays` the terminal registers.

        Without `waits` answers of the BSM come with `poll`, which does not wait for them. Raises `LinkError`.
        """
        self._is_started = True
        self._background = None if waits else BackgroundRequests(self._transport)
        self._client.know_groups(self.groups_held())
        self.tell(Started(home, stays))

    def ask(self, wish: Wish) -> Outcome:
        """Want something and wait until it is answered or has failed. Raises `LinkError`, `UnwritableFile`."""
        self._outcomes.clear()
        if not self._is_started:
            self.start(stays=False)
        self._receipts.clear()
        if self._outcome_of(wish) is None:  # or it was sent again with the start
            self.tell(Wanted(wish))
        while (found := self._outcome_of(wish)) is None:
            self._turn(_LONGEST_TURN)
        return found

    def wish_for(self, message: OrderMessage) -> Order | Resume:
        """Return the wish for an order: that to send one again which has no answer and asks for the same, if there is.

        Who orders once more what came to nothing wants it once (ours). Raises `EncodeError`.
        """
        octets, own = message.encode(), message.request_id.encode()
        for pending in self._keeper.journal.pending.values():
            same = octets.replace(own, pending.request_id.encode()) == pending.body
            if same and pending.procedure == message.procedure.name:
                return Resume(pending)
        return Order(message)

    def keeps(self, wish: Wish) -> bool:
        """Tell whether an order is kept without an answer, to be sent again."""
        match wish:
            case Order(message):
                return message.request_id in self._keeper.journal.pending
            case Resume(pending):
                return pending.request_id in self._keeper.journal.pending
            case _:
                return False

    def register(self, service_ids: Iterable[str]) -> Asked[ServiceCode]:
        """Register for these services, too, and take the keys. Raises as `answer_of`."""
        return self._asked_for_services(self.ask(Register(tuple(service_ids), only=True)))

    def deregister(self, service_ids: Iterable[str]) -> Asked[ServiceCode]:
        """Leave these services and take the LTKMs that make their keys invalid. Raises as `answer_of`."""
        return self._asked_for_services(self.ask(Deregister(tuple(service_ids))))

    def request_keys(self, names: Iterable[MskName]) -> Asked[MskCode]:
        """Ask for these keys and take them. Raises as `answer_of`."""
        outcome = self.ask(RequestKeys(tuple(names)))
        answer = answer_of(outcome)
        assert isinstance(answer, MskAnswer), "that is what answers a request for keys"
        return self._asked(outcome.b_tid, answer.codes)

    def groups_held(self) -> tuple[MskName, ...]:
        """Return the current key of each key group that the card has a key of. Raises `LinkError`."""
        try:
            held = self._card.middleware.application.read_msks()
        except StatusError:
            return ()
        return tuple(dict.fromkeys(current(MskName(entry.key_domain_id, entry.msk_id)) for entry in held))

    def listen(self, patience: Patience | None = None) -> tuple[LtkmReceipt, ...]:
        """Take the LTKMs that come, and answer pulls; return what came of them, and of those since the last request.

        A request that is out, or is tried again, has a minute more. Raises `LinkError`, `UnwritableFile`.
        """
        waits = patience or self._patience
        until = monotonic() + waits.first
        while (left := until - monotonic()) > 0 or (left > -_MORE_FOR_REQUESTS and not self._client.is_over):
            if self._turn(left if left > 0 else _LOOK_FOR_ANSWERS):
                until = monotonic() + (waits.quiet if self._receipts else waits.first)
        found = tuple(self._receipts)
        self._receipts.clear()
        return found

    def stay(self, seconds: float | None = None) -> None:
        """Take what comes, for so long or until an interrupt. Raises `LinkError`, `UnwritableFile`."""
        until = None if seconds is None else monotonic() + seconds
        while until is None or monotonic() < until:
            self._turn(_LONGEST_TURN if until is None else max(until - monotonic(), 0.0))

    def poll(self, until: float = inf, early: Callable[[MskName], bool] = lambda _: True) -> tuple[MskName, ...]:
        """Take what is there and do what is due, without waiting for more; return the keys that the card took.

        Key messages that came after `until` (seconds since 1970) wait, unless they bring a key that may come `early`.
        Raises `LinkError`, `UnwritableFile`.
        """
        self._turn(0.0, until, early)
        taken = tuple(self._taken)
        self._taken.clear()
        return taken

    def leave(self, *, deregister: bool) -> None:
        """End, also in the middle of what an interrupt cut; with `deregister` leave all services.

        Raises `LinkError`, `UnwritableFile`.
        """
        self.tell(Leaving(deregister))
        if not self._client.is_over and self._client.state is State.BOOTSTRAP:
            self.tell(NotIdentified("interrupted", Trouble.LEFT, lasting=True))
        elif not self._client.is_over:
            self.tell(NoAnswer("interrupted"))
        if deregister:
            self.listen(Patience(self._patience.first if self._receipts else self._patience.quiet))

    # How it goes

    def tell(self, event: ClientEvent) -> None:
        """Give the client an event, carry out what it says, and all that comes of it."""
        commands: deque[Command] = deque(self._client.take(event))
        while commands:
            came = self._carry_out(commands.popleft())
            if came is not None:
                commands.extend(self._client.take(came))

    def _turn(self, longest: float, until: float = inf, early: Callable[[MskName], bool] = lambda _: True) -> bool:
        """Wait for the next datagram or timer; return whether a datagram came. The rest is as in `poll`."""
        now = monotonic()
        first = min(self._timers.values(), default=now + longest)
        datagrams = self._sockets.wait(
            max(0.0, min(first - now, longest)), until, lambda octets: _brings(octets, early)
        )
        for datagram in datagrams:
            self.tell(self._event(datagram))
        if self._background is not None and (came := _answered(self._background.answer)) is not None:
            self.tell(came)
        now = monotonic()
        for name in [name for name, at in self._timers.items() if at <= now]:
            if self._timers.pop(name, None) is not None:
                self.tell(TimeUp(name))
        return bool(datagrams)

    def _outcome_of(self, wish: Wish) -> Outcome | None:
        return next((one for one in self._outcomes if one.wish == wish), None)

    def _event(self, datagram: Datagram) -> ClientEvent:
        if datagram.destination.port == self._sms_port:
            return ShortMessageArrived(datagram.payload)
        return Arrived(datagram)

    def _carry_out(self, command: Command) -> ClientEvent | None:
        match command:
            case Identify(renew):
                return self._identify(renew)
            case Send(request) if self._background is not None:
                self._background.begin(request)
            case Send(request):
                return _answered(lambda: self._transport.exchange(request))
            case GiveToCard(ltkm):
                return GivenToCard(ltkm, self._deliver(ltkm))
            case Settle(ltkm):
                return Settled(ltkm, self._was_taken(ltkm))
            case SendBack(datagram):
                self._sockets.send(datagram)
            case Save():
                self._keeper.save()
            case SetTimer(name, seconds):
                self._timers[name] = monotonic() + seconds
            case DropTimer(name):
                self._timers.pop(name, None)
            case Tell(news):
                self._hear(news)
        return None

    def _identify(self, renew: bool) -> ClientEvent:
        session = self._card.session
        try:
            identity = session.renew() if renew else session.current()
            return Identified(identity, self._card.tmpi)
        except TransportError as error:
            return NotIdentified(str(error), Trouble.NO_SERVER, lasting=False)
        except AnswerRefusedError as error:
            return NotIdentified(str(error), Trouble.NOT_AUTHENTIC, lasting=False)
        except (NetworkRefusedError, NotAdmittedError) as error:
            return NotIdentified(str(error), Trouble.NOT_ADMITTED, lasting=True)
        except (StatusError, TerminalError) as error:
            return NotIdentified(str(error), Trouble.CARD, lasting=True)

    def _deliver(self, ltkm: KeptLtkm) -> LtkmReceipt:
        """Give an LTKM to the card. Where its answer is none that we know, EF_MUK shows whether it took it."""
        try:
            return self._card.middleware.deliver(ltkm.octets)
        except (StatusError, MalformedAnswerError):
            return LtkmReceipt(LtkmVerdict.TAKEN if self._was_taken(ltkm) else LtkmVerdict.REFUSED)

    def _was_taken(self, ltkm: KeptLtkm) -> bool:
        """Tell whether EF_MUK shows the T of this LTKM, or a later one, under its MUK."""
        try:
            muks = list(self._card.middleware.application.iter_muks())
        except (StatusError, MalformedAnswerError):
            return False
        found = next((muk for muk in muks if muk.id_r.decode("utf-8", "replace") == ltkm.b_tid), None)
        # Serial numbers of 32 bits: not older than this one.
        return found is not None and (found.counter - ltkm.counter) & 0xFFFF_FFFF < 1 << 31 and found.counter != 0

    def _hear(self, news: News) -> None:
        match news:
            case ErrandDone(outcome):
                self._outcomes.append(outcome)
            case LtkmHandled(receipt, key) if receipt.request is None or receipt.request.back_off:
                self._receipts.append(receipt)
                if receipt.taken and key is not None:
                    self._taken.append(key)
        self._on_news(news)

    def _asked_for_services(self, outcome: Outcome) -> Asked[ServiceCode]:
        answer = answer_of(outcome)
        assert isinstance(answer, RegistrationAnswer), "that is what answers both"
        return self._asked(outcome.b_tid, answer.codes)

    def _asked(self, b_tid: str, codes: tuple[_Code, ...]) -> Asked[_Code]:
        expects_keys = any(is_success(code.status) for code in codes)
        return Asked(b_tid, codes, self.listen() if expects_keys else ())


def _answered(ask: Callable[[], HttpResponse | None]) -> Answered | NoAnswer | None:
    """Return what came of a request; None where nothing did so far."""
    try:
        answer = ask()
    except TransportError as error:
        return NoAnswer(str(error))
    return None if answer is None else Answered(answer)


def _brings(octets: bytes, wanted: Callable[[MskName], bool]) -> bool:
    """Tell whether a datagram is an LTKM with a key that is wanted; anybody may have sent it."""
    try:
        ids = LtkmView.decode(octets).ids
    except DecodeError:
        return False
    return wanted(MskName(ids.key_domain_id, ids.msk_id))


def answer_of(outcome: Outcome) -> object:
    """Return the answer to a wish. Raises the error that its failure is.

    They are `ServerRefusedError`, `NotAdmittedError`, `AnswerRefusedError`, `TransportError` and `TerminalError`.
    """
    failure = outcome.failure
    if failure is None:
        return outcome.answer
    raise error_of(failure)


def error_of(failure: Failure, besides: str = "") -> Exception:
    """Return the error that a failure is; `besides` goes behind its words."""
    words = failure.words + besides
    match failure.trouble:
        case Trouble.REFUSED | Trouble.BUSY if failure.status is not None:
            what = failure.words.partition(":")[0]
            return ServerRefusedError(what, failure.status, reaction_to(failure.status), failure.retry_after, besides)
        case Trouble.NO_SERVER:
            return TransportError(words)
        case Trouble.NOT_AUTHENTIC:
            return AnswerRefusedError(words)
        case Trouble.NOT_ADMITTED:
            return NotAdmittedError(words)
        case _:
            return TerminalError(f"{words[:1].upper()}{words[1:]}.")
