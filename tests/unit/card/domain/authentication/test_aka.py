"""Authentication on the card against the oracle."""

from __future__ import annotations

import pytest

from card.crypto.milenage import Milenage
from card.crypto.secret import Secret
from card.domain.authentication.aka import Aka, AkaResult, SynchronisationFailure
from card.domain.authentication.sqn import SqnMemory, SqnScheme
from card.errors import MacMismatch
from card.state.nonvolatile import NonVolatile
from card.store.memory import MemoryStore
from tests.oracle import gba
from tests.support.network import rand, vector
from tests.support.profiles import OPC, K


@pytest.fixture
def sqn() -> SqnMemory:
    return SqnMemory(NonVolatile(MemoryStore()), "USIM", SqnScheme())


@pytest.fixture
def aka(sqn: SqnMemory) -> Aka:
    return Aka(Milenage(Secret(K), Secret(OPC)), sqn)


def test_success_stores_the_sqn(aka: Aka, sqn: SqnMemory) -> None:
    made = vector(7, rand(1), 3)
    assert aka.authenticate(rand(1), made["autn"]) == AkaResult(made["f2"], made["f3"], made["f4"])
    assert sqn.highest == 7 << 5 | 3


def test_auts_tells_the_highest_sqn_and_changes_nothing(aka: Aka, sqn: SqnMemory) -> None:
    sqn.accept(9 << 5 | 2)
    answer = aka.authenticate(rand(1), vector(1, rand(1), 2)["autn"])
    assert answer == SynchronisationFailure(vector(9, rand(1), 2)["auts"])
    assert sqn.highest == 9 << 5 | 2


@pytest.mark.parametrize("position", range(16))
def test_any_changed_byte_of_autn_is_a_wrong_mac(aka: Aka, sqn: SqnMemory, position: int) -> None:
    autn = bytearray(vector(1, rand(1))["autn"])
    autn[position] ^= 1
    with pytest.raises(MacMismatch):
        aka.authenticate(rand(1), bytes(autn))
    assert sqn.highest == 0


def test_a_wrong_mac_goes_before_an_old_sqn(aka: Aka, sqn: SqnMemory) -> None:
    sqn.begin_at(100)
    with pytest.raises(MacMismatch):
        aka.authenticate(rand(1), vector(1, rand(2))["autn"])


def test_gba_takes_the_masked_autn_only(aka: Aka) -> None:
    made = vector(1, rand(1))
    with pytest.raises(MacMismatch):
        aka.authenticate_gba(rand(1), made["autn"])
    masked = gba.autn_star(made["autn"], made["f4"])
    with pytest.raises(MacMismatch):
        aka.authenticate(rand(1), masked)
    assert aka.authenticate_gba(rand(1), masked) == AkaResult(made["f2"], made["f3"], made["f4"])


def test_gsm(aka: Aka, sqn: SqnMemory) -> None:
    made = vector(1, rand(5))
    assert aka.run_gsm(rand(5)) == (made["sres"], made["kc"])
    assert sqn.highest == 0


def test_results_stay_out_of_the_repr(aka: Aka) -> None:
    assert repr(aka.authenticate(rand(1), vector(1, rand(1))["autn"])) == "AkaResult()"
