"""The set of key functions against the oracle, and the slot for other sets."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from card.crypto.bcmcs import (
    BUILT_IN,
    PROVISIONAL_SET,
    BcmcsFunctions,
    RegistrationKey,
    UnknownFunctions,
    find_functions,
)
from card.crypto.secret import Secret
from card.domain.application import CSIM_PREFIX
from card.errors import DecodeError, StoreError
from tests.oracle import bcmcs
from tests.support.csim import AUTHENTICATE, RK, csim_card, run
from tests.support.testcard import TestCard

KEY, DATA = Secret(bytes(range(16))), b"any data"

# A stand-in for the real functions, in a package of its own as somebody else would install it.
MODULE = """
from card.crypto.secret import Secret
from card.errors import MacMismatch


class Double:
    def derive_tk(self, rk, tk_rand): return Secret(bytes(16))
    def derive_auth_key(self, rk, rand): return Secret(rand)
    def seal_bak(self, tk, bak): return bak.reveal()
    def open_bak(self, tk, encrypted): raise MacMismatch
    def derive_sk(self, bak, sk_rand): return bak
    def derive_srtp_sk(self, bak, sk_rand, packet_index): return bak
    def sign(self, bak, flow_id, bak_id, timestamp): return timestamp
    def respond(self, auth_key, challenge): return b"double" + auth_key.reveal()[:2]


functions = Double()
half = object()
"""
ENTRY_POINTS = """[bcast_uicc.bcmcs]
s-test = bcmcs_double:functions
s-half = bcmcs_double:half
s-gone = bcmcs_double:missing
s-none = bcmcs_nowhere:functions
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "bcmcs_double.py").write_text(MODULE)
    info = tmp_path / "bcmcs_double-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bcmcs-double\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "bcmcs_double", raising=False)
    return tmp_path


class TestProvisionalSet:
    functions = find_functions(PROVISIONAL_SET)

    def test_it_agrees_with_the_oracle(self) -> None:
        key, made = KEY.reveal(), self.functions
        assert made.derive_tk(KEY, DATA).reveal() == bcmcs.tk(key, DATA)
        assert made.derive_auth_key(KEY, DATA).reveal() == bcmcs.auth_key(key, DATA)
        assert made.derive_sk(KEY, DATA).reveal() == bcmcs.sk(key, DATA)
        assert made.derive_srtp_sk(KEY, DATA, b"index").reveal() == bcmcs.srtp_sk(key, DATA, b"index")
        assert made.sign(KEY, b"flow", b"id", b"time") == bcmcs.signature(key, b"flow", b"id", b"time")

    def test_sealed_and_opened(self) -> None:
        bak, tk = Secret(b"b" * 16), Secret(b"t" * 16)
        sealed = self.functions.seal_bak(tk, bak)
        assert self.functions.open_bak(tk, sealed) == bak
        with pytest.raises(DecodeError):
            self.functions.open_bak(tk, sealed + b"\x00")

    def test_every_key_is_another(self) -> None:
        made = [self.functions.derive_tk, self.functions.derive_auth_key, self.functions.derive_sk]
        assert len({derive(KEY, DATA).reveal() for derive in made}) == 3

    def test_it_is_called_provisional(self) -> None:
        assert all(name.startswith("x-") for name in BUILT_IN)

    def test_a_registration_key_does_not_show_itself(self) -> None:
        assert RK.hex() not in repr(RegistrationKey(Secret(RK), self.functions))


class TestSlot:
    def test_an_installed_set_is_found(self, installed: Path) -> None:
        assert isinstance(find_functions("s-test"), BcmcsFunctions)

    @pytest.mark.parametrize("name", ["s-half", "s-gone", "s-none", "s-unknown", ""])
    def test_what_is_not_a_set_is_not(self, installed: Path, name: str) -> None:
        with pytest.raises(UnknownFunctions):
            find_functions(name)

    def test_a_card_uses_the_set_its_profile_names(self, installed: Path) -> None:
        card = csim_card('functions = "s-test"')
        rand = bytes.fromhex("ABCD") + bytes(14)
        answer = run(card, AUTHENTICATE, (0x88, rand), (0x89, b"x"))
        assert answer == ("8A08" + b"double".hex().upper() + "ABCD", "9000")

    def test_a_set_that_authenticates_baks(self, installed: Path) -> None:
        card = csim_card('functions = "s-test"')
        data = bytes.fromhex("8001018101018301018410" + "00" * 16 + "8510" + "00" * 16)
        card.refused("9862", "80580100", bytes((len(data),)), data)

    def test_a_card_whose_set_is_gone_says_so(self, installed: Path) -> None:
        card = csim_card('functions = "s-test"')
        record = card.store.load()[f"{CSIM_PREFIX}CSIM"]
        card.store.commit({f"{CSIM_PREFIX}CSIM": record.replace(b"s-test", b"s-away")})
        with pytest.raises(StoreError, match="s-away are not installed"):
            TestCard(card.store)
