"""Keys for the player from a network: what is granted is not bought."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from host_tools.exchange.messages.msk import MskAnswer, MskCode
from host_tools.exchange.messages.tokens import TokenPurchaseAnswer
from host_tools.sessions.online.playing import WireRemedy
from host_tools.terminal.bcast import Refusal, RefusalReason
from host_tools.terminal.client.errands import Outcome
from host_tools.terminal.client.wishes import Order, RequestKeys, Wish
from host_tools.terminal.ltkm_receipt import LtkmReceipt, LtkmVerdict

TAKEN = LtkmReceipt(LtkmVerdict.TAKEN)
VIEW = SimpleNamespace(long_term_key=b"abcdefg", timestamp=1)


@dataclass
class FakeTerminal:
    """Answers each key with `status`; its LTKM comes behind that, or behind a purchase."""

    status: int
    asked: list[type[Wish]] = field(default_factory=list)
    coming: list[LtkmReceipt] = field(default_factory=list)

    def listen(self, patience: object = None) -> list[LtkmReceipt]:
        del patience
        coming, self.coming = self.coming, []
        return coming

    def ask(self, wish: Wish) -> Outcome:
        self.asked.append(type(wish))
        if isinstance(wish, RequestKeys):
            self.coming = [TAKEN] if self.status < 300 else []
            return Outcome(wish, "b-tid", MskAnswer(tuple(MskCode(name, self.status) for name in wish.names)))
        self.coming = [TAKEN]
        return Outcome(wish, "b-tid", TokenPurchaseAnswer("r"))


@pytest.mark.parametrize("status", [200, 202, 299, 403])
def test_a_key_is_bought_where_it_is_not_granted(status: int) -> None:
    """Any 2xx grants it (TS 33.246 clause 6.3.2.4)."""
    terminal = FakeTerminal(status)
    refusal = cast("Refusal", SimpleNamespace(reason=RefusalReason.UNKNOWN_KEY))
    assert WireRemedy(cast("Any", terminal), buys=True)(cast("Any", VIEW), refusal)
    assert terminal.asked == ([RequestKeys] if status < 300 else [RequestKeys, Order])
