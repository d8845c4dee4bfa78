"""A head-end on a store, a card in a file and a terminal with a journal, and between them wires that fail.

Whoever dies comes back: the terminal as a new one with the same card and journal, the head-end from its store.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from card import Card, CardProfile, create_card, open_card
from card.crypto.secret import Secret
from card.spec.bcast.p1 import P1
from host_tools.exchange.errors import TransportError
from host_tools.exchange.messages.ltkm_push import LTKM_PORTS
from host_tools.exchange.messages.tokens import AccountInquiry
from host_tools.exchange.transport import Endpoint, Transport
from host_tools.headend.http.rates import Rates
from host_tools.headend.store.store import Store
from host_tools.links.inprocess import InProcessLink
from host_tools.terminal.application_middleware import CardMiddleware
from host_tools.terminal.client.errands import Outcome
from host_tools.terminal.client.events import Wanted
from host_tools.terminal.client.keeper import JournalKeeper
from host_tools.terminal.client.machine import Rules
from host_tools.terminal.client.wishes import Order, Wish
from host_tools.terminal.errors import TerminalError
from host_tools.terminal.http.errors import AnswerRefusedError, NotAdmittedError
from host_tools.terminal.http.session import UaSession
from host_tools.terminal.identities import usim_online
from host_tools.terminal.middleware import TerminalMiddleware
from host_tools.terminal.online import OnlineTerminal, Patience
from host_tools.terminal.reach import reach_network
from host_tools.terminal.state_file import open_state
from host_tools.wire.key_sockets import KeySockets
from host_tools.wire.network_file import NetworkFile, Place
from host_tools.wire.system import SystemClock, SystemRng
from tests.flows import offers
from tests.support.chaos.books import Books, books, is_at_rest, pending
from tests.support.chaos.cutter import NEVER, CuttingRelay
from tests.support.chaos.lossy import LossyRelay, Weather
from tests.support.chaos.mortal import Fate, Mortal
from tests.support.chaos.sheet import Sheet
from tests.support.documents import Documents, is_whole
from tests.support.head_end import PIN, HeadEnd, free_address, head_end

_SECONDS = 300.0
"""Until what does not come to rest counts as stuck: nothing is measured by it, and the machine may be loaded."""
_A_WHILE = 10.0
"""Until a terminal asks though it need not: by then the BSM has given up what it sent."""
_ORDER = re.compile(rb"\r\nAuthorization: .*requestID=\"([^\"]+)\"", re.DOTALL)
_GROUPS = {offers.ITEM1.service_id: (1,), offers.BOTH.service_id: (1, 2)}
"""The key groups of what is sold by the month; that of the films, which are for good, is another."""
_PAY = 3
CALM = Weather()


@dataclass
class Tally:
    """What was done, for the books and for a report."""

    begun: dict[str, Decimal] = field(default_factory=dict)
    """Requests that cost and that came as far as the journal or the wire, with their price."""
    tokens: int = 0
    tries: int = 0
    lives: int = 0

    def owe(self, request_id: str, price: Decimal, tokens: int = 0) -> None:
        """Note a purchase that was begun: it is to be charged once, and what was bought must come once."""
        if request_id not in self.begun:
            self.begun[request_id] = price
            self.tokens += tokens


class _Ahead:
    """The clock of a terminal."""

    def __init__(self, ahead: timedelta) -> None:
        self._ahead = ahead

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead


class World:
    """Everything together, for the length of a `with` block."""

    def __init__(
        self,
        folder: Path,
        seed: int = 1,
        *,
        store: str = "",
        sheet: Sheet | None = None,
        ahead: timedelta = timedelta(),
    ) -> None:
        """Take the folder of all files, the seed of the weather, and how far ahead the terminal's clock is.

        `store` is the path or the URL of the head-end's store, without it a file in the folder; counts go to `sheet`.
        """
        self.card_file, self.state_file = folder / "a.card", folder / "state.json"
        self.store_url = store or str(folder / "a.db")
        self.tally = Tally()
        self.listens = 0.05
        """How long a terminal waits for its first key, in seconds, where nobody says otherwise."""
        self.rules = Rules(chases=False)
        self.sheet = sheet or Sheet()
        self._found: Books | None = None
        self._seed = seed
        self._clock = _Ahead(ahead)
        self._stack = ExitStack()
        self.served: HeadEnd
        self.ua: CuttingRelay
        self.ub: CuttingRelay
        self.air: LossyRelay

    def __enter__(self) -> Self:
        with self._stack as opened:
            self.store = Store.connect(self.store_url)
            opened.callback(self.store.close)
            create_card(CardProfile.demo(), self.card_file).close()
            self.served = opened.enter_context(
                head_end(scenario=offers.scenario(), catalogue=offers.catalogue(), store=self.store)
            )
            # Each death may cost a bootstrapping, and more in a minute than one subscriber is allowed.
            self.served.running.servers.ub._rates = Rates(1 << 30, timedelta(days=1), SystemClock())
            # What the BSM takes for the terminal is the relay's address; the terminal is behind it.
            outer, self._inner = free_address(), free_address()
            ways = {Endpoint(outer, port): Endpoint(self._inner, port) for port in LTKM_PORTS}
            self.air = opened.enter_context(LossyRelay(ways, CALM, self._seed))
            self.ua = opened.enter_context(CuttingRelay(self.served.running.network.bsm.endpoint, source=outer))
            self.ub = opened.enter_context(CuttingRelay(self.served.running.network.bsf.endpoint))
            self._stack = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._count()
        finally:
            self._stack.close()
        if error is None:
            self._check_documents()

    def _count(self) -> None:
        """Fill the sheet with what the wires and the head-end saw, and with the books as they were struck last."""
        sheet, counts, pushes = self.sheet, self.air.counts, self.served.running.servers.pushes
        sheet.lost_datagrams += counts["lost"]
        sheet.doubled_datagrams += counts["doubled"]
        sheet.ltkms += self.served.running.port.sent
        sheet.again += pushes.sender.resent
        sheet.verified += pushes.acknowledged
        sheet.believed += pushes.sender.believed
        sheet.reminted += pushes.sender.reminted
        if not sheet.failures:  # else an error of the database is what was meant
            sheet.defects += self.served.defects
        sent = Counter(found[1] for one in self.ua.crossed if (found := _ORDER.search(one.up)) is not None)
        sheet.requests += sent.total()
        sheet.resent += sent.total() - len(sent)
        if self._found is not None:
            owed = sum(self.tally.begun.values(), Decimal(0))
            sheet.strike(self._found, len(self.tally.begun), int(owed * 100), self.tally.tokens)

    def _check_documents(self) -> None:
        """Hold every 3GPP document that crossed whole against its schema."""
        documents = Documents()
        for crossed in (*self.ua.crossed, *self.ub.crossed):
            for stream in (crossed.up, crossed.down):
                if is_whole(bytes(stream)):
                    documents.check(bytes(stream))

    @contextmanager
    def terminal(self, fate: Fate | None = None, *, resends: int = 2) -> Iterator[OnlineTerminal]:
        """Yield a terminal as after a start: only the files of card and journal are those of the one before."""
        with (
            closing(open_card(self.card_file, strict=True)) as card,
            self._terminal(card, fate or Fate(), resends) as made,
        ):
            yield made

    @contextmanager
    def _terminal(self, opened: Card, fate: Fate, resends: int) -> Iterator[OnlineTerminal]:
        self.tally.lives += 1
        told = self.served.running.network
        network = replace(told, bsm=Place(told.bsm.name, self.ua.place), bsf=Place(told.bsf.name, self.ub.place))
        reach = reach_network(network, self._inner)
        middleware = TerminalMiddleware(InProcessLink(opened), tables=P1)
        middleware.connect(Secret(PIN.reveal()))
        clock, rng, rules = self._clock, SystemRng(), self.rules
        bsf = reach.to_bsf(middleware.identity.home_domain, rng)
        card = usim_online(middleware, bsf, reach.bsm.fqdn, clock)
        card.middleware = cast(CardMiddleware, Mortal(middleware, fate, "deliver"))
        card.session = cast(UaSession, Mortal(card.session, fate, "current", "renew"))
        with open_state(self.state_file, "8949010000000000001", reach.bsm.fqdn) as keeper:
            made = OnlineTerminal(
                card,
                reach.bsm,
                cast(Transport, Mortal(reach.to_bsm(), fate, "exchange")),
                cast(KeySockets, Mortal(KeySockets(self._inner), fate, "send")),
                clock,
                rng,
                rules=replace(rules, waits=replace(rules.waits, resends=resends)),
                keeper=cast(JournalKeeper, Mortal(keeper, fate, "save")),
                patience=Patience(0.1, 0.05),
            )
            with made:
                yield made

    def ask(self, wish: Wish, fate: Fate | None = None, *, resends: int = 2, listens: float | None = None) -> Outcome:
        """Let a new terminal want something, whatever comes of it; it `listens` for the first key so many seconds."""
        with self.terminal(fate, resends=resends) as terminal:
            terminal.start(stays=False)
            outcome = terminal.ask(wish)
            terminal.listen(Patience(self.listens if listens is None else listens, 0.02))
            return outcome

    def buy(
        self, order: Order, price: Decimal, tokens: int = 0, fate: Fate | None = None, *, resends: int = 2
    ) -> Outcome:
        """Let a new terminal buy something, and note it in the tally if the purchase was begun."""
        request_id = order.message.request_id
        try:
            return self.ask(order, fate, resends=resends)
        finally:
            if request_id in pending(self.state_file) or self._crossed(request_id):
                self.tally.owe(request_id, price, tokens)

    def bootstrap(self) -> bool:
        """Let a terminal with the card, and nothing else, make a new SMK; return whether it came to one."""
        told = self.served.running.network
        return bootstrap(self.card_file, replace(told, bsf=Place(told.bsf.name, self.ub.place)))

    def settle(self) -> Books:
        """Let all wires be well and a terminal start; return the books when everything has come to rest.

        What the BSM has given up goes out again with the next request. A terminal that has nothing to ask for asks for
        its account in the end, as its user would.
        """
        self.ua.plan = self.ub.plan = lambda _: NEVER
        self.air.weather = CALM
        began, has_asked = time.monotonic(), False
        with self.terminal() as terminal:
            terminal.start()
            while (waited := time.monotonic() - began) < _SECONDS:
                terminal.listen(Patience(0.02, 0.02))
                if is_at_rest(self.store_url, self.state_file):
                    break
                if waited > _A_WHILE and not has_asked:
                    terminal.tell(Wanted(Order(AccountInquiry(f"settle-{self.sheet.balances}"))))
                    has_asked = True
        return self.books()

    def books(self) -> Books:
        """Return the books as they are now. No terminal may run: it holds its card."""
        return books(self.card_file, self.store_url, self.state_file)

    def require_balance(self) -> Books:
        """Settle, and check the books: nothing paid is lost, nothing is given twice, everybody says the same."""
        self._found = found = self.settle()
        self.sheet.balances += 1
        assert (found.on_the_way, found.pending, found.unknown) == (0, frozenset(), 0), found
        assert found.spent == sum(self.tally.begun.values(), Decimal(0)), found
        twice = {name: count for name, count in found.charges.items() if count != 1 or name not in self.tally.begun}
        assert not twice, twice
        assert (found.granted, found.purses) == (self.tally.tokens, self.tally.tokens), found
        assert found.items <= found.rights, found
        assert found.registered == found.items, found
        keys = {group for item, groups in _GROUPS.items() if item in found.items for group in groups}
        assert found.groups - {_PAY} == keys, found
        return found

    def _crossed(self, request_id: str) -> bool:
        """Whether a request left the terminal whole enough to be told by its number."""
        mark = request_id.encode()
        return any(mark in one.up for one in self.ua.crossed)


def bootstrap(card_file: Path, network: NetworkFile) -> bool:
    """Make a new SMK on a card in a file, behind the back of its terminal; return whether it came to one."""
    reach = reach_network(network, "")
    with closing(open_card(card_file, strict=True)) as opened:
        middleware = TerminalMiddleware(InProcessLink(opened), tables=P1)
        middleware.connect(Secret(PIN.reveal()))
        bsf = reach.to_bsf(middleware.identity.home_domain, SystemRng())
        try:
            usim_online(middleware, bsf, reach.bsm.fqdn, SystemClock()).session.renew()
        except (TransportError, TerminalError, AnswerRefusedError, NotAdmittedError):
            return False
    return True
