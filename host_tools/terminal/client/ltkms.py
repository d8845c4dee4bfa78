"""LTKMs at the client: into the journal, to the card, and the answer back; the same octets again are answered from it.

One LTKM is with the card at a time. What a crash left open is settled before anything else goes to the card: EF_MUK
shows whether the card took it. If it did, the verification message is lost, and the next registration tells the BSM.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from card.errors import DecodeError
from host_tools.exchange.messages.ltkm_push import OMA_LTKM_PORT, port_of
from host_tools.exchange.messages.msk import MskName
from host_tools.exchange.ports import Clock
from host_tools.exchange.transport import Datagram
from host_tools.terminal.client.events import (
    Command,
    GivenToCard,
    GiveToCard,
    LtkmHandled,
    LtkmRepeated,
    MessageDropped,
    Save,
    SendBack,
    Settle,
    Settled,
    Tell,
)
from host_tools.terminal.client.journal import Journal, KeptLtkm
from host_tools.terminal.ltkm_delivery import LtkmView
from host_tools.terminal.ltkm_receipt import LtkmReceipt, LtkmVerdict

_MOST_WAITING = 64


class LtkmDesk:
    """Takes LTKMs one after the other."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        emit: Callable[[Command], None],
        came: Callable[[MskName, LtkmReceipt], None],
    ) -> None:
        """Take what is remembered, the time, and who hears of commands and of what came of each LTKM."""
        self._journal = journal
        self._clock = clock
        self._emit = emit
        self._came = came
        self._with_card: tuple[KeptLtkm, Datagram | None, MskName] | None = None
        self.is_settling = False
        self._waiting: deque[tuple[bytes, Datagram | None]] = deque()

    def settle(self) -> None:
        """Settle what an earlier run left open; to be called before anything is taken."""
        if self._journal.given is not None:
            self.is_settling = True
            self._emit(Settle(self._journal.given))

    def settled(self, event: Settled) -> None:
        """Go on with what the card says about an LTKM of an earlier run."""
        self.is_settling = False
        if event.taken:
            self._journal.took(event.ltkm.octets, None, owed=True)
            self._emit(Save())
            name = _name(LtkmView.decode(event.ltkm.octets))
            self._emit(Tell(LtkmHandled(LtkmReceipt(LtkmVerdict.TAKEN), name, by_word=True)))
        else:
            self._journal.refused(event.ltkm.octets)
            self._waiting.appendleft((event.ltkm.octets, None))
        self._next()

    def take(self, octets: bytes, datagram: Datagram | None = None) -> None:
        """Take an LTKM, from a datagram that is answered, or from a short message that is not."""
        known = self._journal.find(octets)
        if known is not None:
            self._repeat(known, datagram)
            return
        if len(self._waiting) >= _MOST_WAITING:
            self._emit(Tell(MessageDropped("too many LTKMs wait for the card")))
            return
        self._waiting.append((octets, datagram))
        self._next()

    def given(self, event: GivenToCard) -> None:
        """Write down what the card said, and only then answer."""
        if self._with_card is None:
            return
        kept, datagram, name = self._with_card
        self._with_card = None
        receipt = event.receipt
        if receipt.taken or receipt.verification is not None:
            self._journal.took(kept.octets, receipt.verification)
        else:
            self._journal.refused(kept.octets)
        self._emit(Save())
        if receipt.verification is not None and datagram is not None:
            self._emit(SendBack(Datagram(datagram.destination, datagram.source, receipt.verification)))
        self._emit(Tell(LtkmHandled(receipt, name)))
        self._came(name, receipt)
        self._next()

    def _repeat(self, known: KeptLtkm, datagram: Datagram | None) -> None:
        answered = known.verification is not None and datagram is not None
        if known.verification is not None and datagram is not None:
            self._emit(SendBack(Datagram(datagram.destination, datagram.source, known.verification)))
        self._emit(Tell(LtkmRepeated(answered)))

    def _next(self) -> None:
        """Give the card the next one, if it has none and nothing is open."""
        while self._with_card is None and self._journal.given is None and self._waiting:
            octets, datagram = self._waiting.popleft()
            try:
                view = LtkmView.decode(octets)
            except DecodeError as error:
                self._emit(Tell(MessageDropped(f"it is no LTKM: {error}")))
                continue
            b_tid, is_bcast = view.id_r.decode("utf-8", "replace"), port_of(octets) == OMA_LTKM_PORT
            kept = KeptLtkm(octets, b_tid, view.counter, self._clock.now(), is_bcast)
            self._journal.giving(kept)
            self._with_card = (kept, datagram, _name(view))
            self._emit(Save())
            self._emit(GiveToCard(kept))


def _name(view: LtkmView) -> MskName:
    return MskName(view.ids.key_domain_id, view.ids.msk_id)
