"""Keys for the player from a network: registered for first, asked for and bought when the card refuses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from host_tools.exchange.messages.msk import MskAnswer, MskName
from host_tools.exchange.messages.provisioning import ProvisioningStatus
from host_tools.exchange.messages.tokens import KeyWish, TokenPurchaseAnswer, TokenPurchaseRequest
from host_tools.exchange.status import is_success
from host_tools.sessions.online.asking import new_request_id
from host_tools.sessions.online.opening import Online
from host_tools.terminal.application_middleware import CardMiddleware
from host_tools.terminal.bcast import Refusal, RefusalReason
from host_tools.terminal.client.awaited import current
from host_tools.terminal.client.errands import Outcome
from host_tools.terminal.client.wishes import Order, Register, RequestKeys
from host_tools.terminal.key_delivery import KeyDelivery
from host_tools.terminal.key_source import StkmView
from host_tools.terminal.online import OnlineTerminal, Patience, error_of
from host_tools.terminal.purchase import BUYABLE, Remedy

_DOMAIN_SIZE = 3
_MOST_PURCHASES = 16
_MOST_REQUESTS = 64
_WHAT_CAME = Patience(first=0.02, quiet=0.02)


@dataclass(slots=True)
class WireRemedy:
    """Cures refusals over the wire: an LTKM that came meanwhile, a request for the key, a purchase if that is wanted.

    A purchase names the key that was wanted and the time it was wanted for. Each key is asked for once.
    """

    terminal: OnlineTerminal
    buys: bool
    made: int = 0
    asked: set[bytes] = field(default_factory=set)

    def __call__(self, view: StkmView, refusal: Refusal) -> bool:
        """Try it; True when the card took an LTKM. Raises `LinkError`, and what the BSM's refusal is."""
        if refusal.reason not in BUYABLE:
            return False
        if self._took(_WHAT_CAME):
            return True
        wanted = MskName(view.long_term_key[:_DOMAIN_SIZE], view.long_term_key[_DOMAIN_SIZE:])
        return (refusal.reason is RefusalReason.UNKNOWN_KEY and self._request(wanted)) or self._buy(view)

    def _request(self, wanted: MskName) -> bool:
        name = current(wanted)
        key = name.key_domain_id + name.msk_id
        if key in self.asked or len(self.asked) >= _MOST_REQUESTS:
            return False
        self.asked.add(key)
        return _is_granted(_answer(self.terminal.ask(RequestKeys((name,))))) and self._took()

    def _buy(self, view: StkmView) -> bool:
        if not self.buys or self.made >= _MOST_PURCHASES:
            return False
        self.made += 1
        wish = KeyWish(view.long_term_key, view.timestamp, view.timestamp)
        match _answer(self.terminal.ask(Order(TokenPurchaseRequest(new_request_id(), keys=(wish,))))):
            case TokenPurchaseAnswer(status=ProvisioningStatus.SUCCESS):
                return self._took()
            case _:
                return False

    def _took(self, patience: Patience | None = None) -> bool:
        return any(receipt.taken for receipt in self.terminal.listen(patience))


def _answer(outcome: Outcome) -> object:
    """Return the answer, a refusal of service provisioning included. Raises the error that a failure without one is."""
    if outcome.answer is None and outcome.failure is not None:
        raise error_of(outcome.failure)
    return outcome.answer


def _is_granted(answer: object) -> bool:
    """Tell whether an answer to a request for keys grants one."""
    return isinstance(answer, MskAnswer) and any(is_success(code.status) for code in answer.codes)


class WireKeys:
    """Where a player gets its keys: from the network that `opened` opens, with the card in it."""

    ltkms: Path | None = None
    subscriber: Path | None = None

    def __init__(self, opened: Callable[[], AbstractContextManager[Online]], *, buys: bool) -> None:
        """Take what opens card and network, and whether to buy."""
        self._opened = opened
        self._buys = buys
        self._online: Online | None = None

    @contextmanager
    def connected(self) -> Iterator[CardMiddleware]:
        """Open card and network, and yield what STKMs go to: the card, or the terminal's own key store.

        Raises as `opened_online`.
        """
        with self._opened() as online:
            self._online = online
            try:
                yield online.keys
            finally:
                self._online = None

    def fetch(self, middleware: CardMiddleware, start: float) -> tuple[KeyDelivery | None, Remedy | None]:
        """Register for what the network lists, or what is in force, and take the keys; return how to get more.

        A CSIM, which does not register, asks for the current keys of the groups that it has. Raises `LinkError`, and
        what the BSM's refusal is.
        """
        del middleware, start
        online = self._online
        assert online is not None, "fetch comes inside of connected"
        held = () if online.registers else online.terminal.groups_held()
        if online.registers and (online.service_ids or online.terminal.journal_items):
            _answer(online.terminal.ask(Register(online.service_ids)))
            online.terminal.listen()
        elif held and _is_granted(_answer(online.terminal.ask(RequestKeys(held)))):
            online.terminal.listen()
        return None, WireRemedy(online.terminal, self._buys)
