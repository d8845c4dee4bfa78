"""The client: events in, commands out. What belongs together stands in a part of its own; here they meet."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from card.errors import DecodeError
from host_tools.exchange.messages.ltkm_push import PushKind, kind_of_push
from host_tools.exchange.messages.msk import MskName
from host_tools.exchange.messages.trigger import Trigger
from host_tools.exchange.ports import Clock, Rng
from host_tools.exchange.status import DEFAULT_RETRY_SECONDS
from host_tools.exchange.transport import Datagram
from host_tools.terminal.client.awaited import AwaitedKeys, Names, current
from host_tools.terminal.client.errands import Consequences, brings_keys, may_resume
from host_tools.terminal.client.events import (
    Answered,
    Arrived,
    ClientEvent,
    Command,
    Connected,
    DropTimer,
    GivenToCard,
    Identified,
    ItemsOver,
    KeysMissing,
    KeyUnknown,
    Leaving,
    MessageDropped,
    NoAnswer,
    NotIdentified,
    Save,
    SetTimer,
    Settled,
    ShortMessageArrived,
    Started,
    StockTaken,
    Tell,
    TimeUp,
    TriggerTaken,
    Waiting,
    Wanted,
)
from host_tools.terminal.client.journal import Journal
from host_tools.terminal.client.ltkms import LtkmDesk
from host_tools.terminal.client.short_messages import ShortMessages
from host_tools.terminal.client.states import Happening, State
from host_tools.terminal.client.triggers import TriggerGate
from host_tools.terminal.client.unknown import UnknownKeys
from host_tools.terminal.client.waits import WaitingTime, Waits, seconds
from host_tools.terminal.client.way import BACK_OFF, Bsm, Manners, Way
from host_tools.terminal.client.wishes import Deregister, Register, RequestKeys, Resume, TakeStock, Wish
from host_tools.terminal.ltkm_receipt import LtkmReceipt

_MISSING = "missing keys"
_MOST_DELAYED = 64
_MOST_GROUPS = 256
_MOST_UNCHECKED = 16  # groups that the terminal does not know, within the time for which one is asked for once
_REQUEST_ID_SIZE = 16


@dataclass(frozen=True, slots=True)
class Rules:
    """How this terminal behaves.

    `registers` is False for a (R-)UIM, which neither registers nor deregisters. `abroad`: register in a foreign
    network, too. `chases`: ask for keys that do not come. `groups` are the key groups of each serviceID that an
    announcement names. `announced` is how long to wait before a key of each group is asked for, as security
    descriptions say; `waiting` goes before that.
    """

    registers: bool = True
    abroad: bool = False
    chases: bool = True
    waiting: WaitingTime | None = None
    announced: Mapping[MskName, WaitingTime] = field(default_factory=dict)
    waits: Waits = field(default_factory=Waits)
    groups: Mapping[str, Names] = field(default_factory=dict)

    def waiting_of(self, name: MskName) -> WaitingTime:
        """Return how long to wait before a request for a key; no time for one that nothing is said of."""
        return self.waiting or self.announced.get(current(name)) or WaitingTime()


class Client:
    """One terminal at one BSM."""

    def __init__(self, bsm: Bsm, manners: Manners, rules: Rules, journal: Journal, clock: Clock, rng: Rng) -> None:
        """Take the BSM, how the terminal shows itself and behaves, what it remembers, time and randomness."""
        self._rules = rules
        self._journal = journal
        self._clock = clock
        self._rng = rng
        self._out: list[Command] = []
        waits = rules.waits
        self._way = Way(bsm, manners, journal, clock, rng, waits, self._out.append, self._follow)
        self._ltkms = LtkmDesk(journal, clock, self._out.append, self._came)
        self._awaited = AwaitedKeys(waits.missing)
        self._unknown = UnknownKeys(*waits.same_key, waits.same_group)
        self._triggers = TriggerGate(bsm.fqdn, journal, seconds(waits.between_triggers))
        self._messages = ShortMessages(seconds(waits.parts_of_a_message))
        self._delayed: dict[str, Wish] = {}
        self._groups: OrderedDict[MskName, None] = OrderedDict()
        self._last_asked: OrderedDict[MskName, datetime] = OrderedDict()
        self._address = manners.address
        self._is_home = True

    @property
    def state(self) -> State:
        """Where the client is."""
        return self._way.state

    @property
    def is_over(self) -> bool:
        """Whether nothing is out at the BSM and nothing waits to go there."""
        return self._way.is_over

    @property
    def awaits_keys(self) -> bool:
        """Whether a key should come."""
        return self._awaited.is_waiting

    def take(self, event: ClientEvent) -> tuple[Command, ...]:
        """Take an event; return what is to be done, in this order."""
        match event:
            case Started():
                self._start(event)
            case Connected(home):
                self._register_if_allowed(home)
            case Wanted(wish, patient):
                self._want(wish, patient=patient)
            case Identified():
                self._way.identified(event)
            case NotIdentified():
                self._way.not_identified(event)
            case Answered(response):
                self._way.answered(self._way.judge(response))
            case NoAnswer(words):
                self._unknown.unheard()
                self._way.no_answer(words)
            case TimeUp(timer):
                self._time_up(timer)
            case KeyUnknown(name, period, announced):
                known = current(name) in self._groups if announced is None else announced
                wanted = self._unknown.ask(name, self._clock.now(), period, known=known)
                if wanted is not None:
                    self._request_after_wait((wanted,))
            case Leaving(deregister):
                self._leave(deregister)
            case Arrived() | ShortMessageArrived() | GivenToCard() | Settled():
                self._message(event)
        if not self._ltkms.is_settling:  # what the card took is told to the BSM with the first registration
            self._way.begin()
        out = tuple(self._out)
        self._out.clear()
        return out

    # Beginning and end

    def _start(self, event: Started) -> None:
        """Do what an earlier run left undone, then register for what is in force."""
        self._is_home = event.home
        self._purge()
        self._ltkms.settle()
        for pending in self._journal.pending.values():
            if may_resume(pending):
                self._way.add(Resume(pending), patient=event.stays)
        if self._journal.stock is not None:
            self._way.add(TakeStock(self._rng.random_bytes(_REQUEST_ID_SIZE).hex(), before=False), patient=event.stays)
        if event.stays:
            self._register_if_allowed(event.home)

    def _register_if_allowed(self, home: bool, *, patient: bool = True) -> None:
        """Register after the start and whenever the connection is there again (TS 33.246 clause 6.3.2.1A).

        In a foreign network it may be left out (OMA BCAST, change request on SPCP, clause 6.4).
        """
        if self._rules.registers and self._journal.items and (home or self._rules.abroad):
            self._purge()
            self._way.add(Register(), patient=patient)

    def _leave(self, deregister: bool) -> None:
        for timer in (*self._delayed, _MISSING):
            self._out.append(DropTimer(timer))
        self._delayed.clear()
        self._awaited.give_up()
        self._way.leave()
        if deregister and self._rules.registers and self._journal.is_registered:
            self._way.add(Deregister(), patient=False)

    def _purge(self) -> None:
        over = self._journal.purge(self._clock.now())
        if over:
            self._out.append(Save())
            self._out.append(Tell(ItemsOver(over)))
            self._way.look_again("what was registered for is over")

    # Errands

    def _want(self, wish: Wish, *, patient: bool) -> None:
        """Queue what the user wants. Where keys follow and the BSM would send them elsewhere, registration comes first.

        Elsewhere is where the terminal was when it registered: the connection it had then is lost (TS 33.246 clause
        6.3.2.1A).
        """
        journal = self._journal
        has_moved = journal.is_registered and journal.address not in ("", self._address)
        if has_moved and brings_keys(wish):
            self._register_if_allowed(self._is_home, patient=patient)
        self._way.add(wish, patient=patient, urgent=not patient)

    def _follow(self, found: Consequences) -> None:
        """Do what follows from an answer."""
        if found.bought or found.ended:
            self._out.append(Tell(StockTaken(found.bought, found.ended)))
        for wish in found.wishes:
            if self._rules.registers or not isinstance(wish, Register):
                self._way.add(wish, patient=True, first=True)
        self._denied(found.denied)
        for wish in found.later:
            self._delay(wish, float(DEFAULT_RETRY_SECONDS), "the BSM may grant it later")
        is_over = found.goes_on and not self._awaited.is_waiting
        if found.awaited is not None and self._rules.chases and not is_over:
            at = self._awaited.expect(found.awaited or self._lacking(), or_any=not found.awaited)
            if at is not None:
                self._out.append(SetTimer(_MISSING, at))

    def _denied(self, names: Names) -> None:
        self._unknown.denied(names)
        was_waiting = self._awaited.is_waiting
        self._awaited.denied(names)
        if was_waiting and not self._awaited.is_waiting:
            self._out.append(DropTimer(_MISSING))

    def _lacking(self) -> Names:
        """Return the groups of what is in force of which the card has no key, as far as an announcement names them."""
        named = (current(name) for item in self._journal.items for name in self._rules.groups.get(item, ()))
        return tuple(dict.fromkeys(name for name in named if name not in self._groups))[:_MOST_GROUPS]

    def _may_be_missing(self) -> Names:
        """Return the groups of which a key may be missing where it is not known which: those of the card.

        With something in force that the announcement does not name, which is bought under a name of its own, those of
        the whole announcement, too: the BSM gives what was bought.
        """
        groups = self._rules.groups
        if all(item in groups for item in self._journal.items):
            return tuple(self._groups)
        announced = (current(name) for names in groups.values() for name in names)
        return tuple(dict.fromkeys((*self._groups, *announced)))[:_MOST_GROUPS]

    def _delay(self, wish: Wish, wait: float, why: str) -> None:
        """Want something after a time. The same again while it waits is the same."""
        if wish in self._delayed.values() or len(self._delayed) >= _MOST_DELAYED:
            return
        free = next(number for number in range(_MOST_DELAYED) if f"wish {number}" not in self._delayed)
        timer = f"wish {free}"
        self._delayed[timer] = wish
        self._out.append(SetTimer(timer, wait))
        self._out.append(Tell(Waiting(wait, why)))

    def _request_after_wait(self, names: Names, *, awaited: bool = False) -> float:
        """Ask for keys after the waiting time of the announcement (TS 33.246 clause 6.3.2.2.1).

        Return how long the last of the requests waits, in seconds.
        """
        together: dict[WaitingTime, list[MskName]] = {}
        for name in names:
            together.setdefault(self._rules.waiting_of(name), []).append(name)
        longest = 0.0
        for waiting, wanted in together.items():
            wait, wish = waiting.draw(self._rng), RequestKeys(tuple(wanted), awaited)
            longest = max(longest, wait)
            if wait > 0:
                self._delay(wish, wait, "every request for keys waits, so that not all ask at once")
            else:
                self._way.add(wish, patient=False)
        return longest

    def _time_up(self, timer: str) -> None:
        if timer == BACK_OFF:
            self._way.happened(Happening.TIME)
        elif timer == _MISSING:
            self._keys_are_missing()
        elif timer in self._delayed:
            wish = self._delayed.pop(timer)
            self._way.add(wish, patient=isinstance(wish, Register))

    def _keys_are_missing(self) -> None:
        if not self._awaited.is_waiting:
            return
        names, again = self._awaited.ask(self._may_be_missing())
        if again is None:
            self._out.append(Tell(KeysMissing(self._awaited.give_up())))
            return
        wait = self._request_after_wait(names[:_MOST_GROUPS], awaited=True)
        self._out.append(SetTimer(_MISSING, wait + again))

    # Messages

    def _message(self, event: Arrived | ShortMessageArrived | GivenToCard | Settled) -> None:
        """Take what comes to the ports and from the card; what is none is dropped."""
        try:
            match event:
                case GivenToCard():
                    self._ltkms.given(event)
                case Settled():
                    self._ltkms.settled(event)
                case Arrived(datagram):
                    self._pushed(datagram.payload, datagram)
                case ShortMessageArrived(tpdu):
                    pushed = self._messages.take(tpdu, self._clock.now())
                    if pushed is not None:
                        self._pushed(pushed)
        except DecodeError as error:
            self._out.append(Tell(MessageDropped(str(error))))

    def _pushed(self, payload: bytes, datagram: Datagram | None = None) -> None:
        """Take an LTKM, a pull or a trigger, which came in a datagram or not. Raises `DecodeError`."""
        if kind_of_push(payload) is PushKind.TRIGGER:
            self._triggered(Trigger.decode(payload))
        else:
            self._ltkms.take(payload, datagram)

    def _triggered(self, trigger: Trigger) -> None:
        refusal = self._triggers.refusal(trigger, self._clock.now())
        if refusal is None and not self._rules.registers:
            refusal = "a terminal with a (R-)UIM does not register"
        if refusal is not None:
            self._out.append(Tell(MessageDropped(f"a trigger is not heeded: {refusal}")))
            return
        service_ids = tuple(dict.fromkeys(item.service_id for item in trigger.items))
        self._out += (Save(), Tell(TriggerTaken(trigger.trigger_id, service_ids)))
        self._purge()
        self._way.add(Register(service_ids), patient=True)

    def _came(self, name: MskName, receipt: LtkmReceipt) -> None:
        """Note that a key came, and ask for the one that the card lacks (TS 31.102 clause 7.1.1.6)."""
        if receipt.taken and receipt.request is None:
            self._know(current(name))
            self._unknown.came(name)
            was_waiting = self._awaited.is_waiting
            self._awaited.came(name)
            if was_waiting and not self._awaited.is_waiting:
                self._out.append(DropTimer(_MISSING))
        if receipt.request is None:
            return
        wanted = MskName(receipt.request.key_domain_id, receipt.request.msk_id)
        if not receipt.taken and not self._may_ask(wanted):
            return  # the card has found no MAC right: anybody may have sent it
        if receipt.request.back_off:
            self._request_after_wait((wanted,))
        else:
            self._way.add(RequestKeys((wanted,)), patient=False)

    def _may_ask(self, name: MskName) -> bool:
        """Tell whether a message that nobody checked may lead to a request for this group now (ours).

        Whoever sends one for each group there may be is heard for some, beside those of which the terminal knows.
        """
        now, span = self._clock.now(), seconds(self._rules.waits.same_group)
        fresh = [group for group, at in self._last_asked.items() if now - at < span]
        if name in fresh:
            return False
        if name not in self._groups and len([one for one in fresh if one not in self._groups]) >= _MOST_UNCHECKED:
            return False
        self._last_asked.pop(name, None)
        self._last_asked[name] = now
        _bound(self._last_asked)
        return True

    def _know(self, name: MskName) -> None:
        self._groups.pop(name, None)
        self._groups[name] = None
        _bound(self._groups)

    def know_groups(self, names: Iterable[MskName]) -> None:
        """Take key groups of which the card holds keys: they are asked for where nothing says which key is missing."""
        for name in names:
            self._know(current(name))


def _bound(table: OrderedDict[MskName, datetime] | OrderedDict[MskName, None]) -> None:
    while len(table) > _MOST_GROUPS:
        table.popitem(last=False)
