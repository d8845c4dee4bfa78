"""OMA BCAST in a CSIM, for tests: its SMK comes from RK."""

from __future__ import annotations

from dataclasses import dataclass

from tests.oracle import bcmcs
from tests.oracle.bcast_wire import P1
from tests.support.bcast import RAND, BcastCard
from tests.support.csim import NAI, RK, SELECT_CSIM, csim_card
from tests.support.network import Bootstrap
from tests.support.testcard import TestCard


@dataclass(frozen=True)
class FromRk(Bootstrap):
    """The network of a CSIM: the SMK is the TK of the RAND that every LTKM here carries."""

    @property
    def b_tid(self) -> bytes:
        return NAI.encode()

    def muk(self, naf_id: bytes = b"") -> bytes:
        return bcmcs.tk(RK, RAND)


def in_csim() -> BcastCard:
    """Return a card whose CSIM is in use, and its network."""
    return BcastCard(csim_card(), FromRk(b"", b""), P1)


def csim_ready(card: TestCard) -> TestCard:
    """Select the CSIM and verify PIN1; return the card."""
    card.ok(SELECT_CSIM)
    assert card.verify(0x01, "1234").sw == "9000"
    return card
