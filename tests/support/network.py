"""The other side for tests of the card: vectors, bootstrapping and key messages, all from the oracle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tests.oracle import gba, milenage
from tests.oracle.mikey import Ltkm, Stkm
from tests.support.profiles import IMSI, OPC, K
from tests.support.testcard import TestCard, lv

IMPI = f"{IMSI}@ims.mnc001.mcc001.3gppnetwork.org".encode()
BSF = b"bsf.mnc001.mcc001.pub.3gppnetwork.org"
UA_MBMS = bytes.fromhex("0100000001")
FQDN = b"bmsc.mnc001.mcc001.pub.3gppnetwork.org"
"""IDi of the BM-SC's messages (TS 33.246 clause 6.4.5.1)."""
BM_SC = FQDN + UA_MBMS
"""NAF_ID of the BM-SC."""
KEY_DOMAIN = bytes.fromhex("00F110")
MSK_UPDATE, MTK_GENERATION, MSK_DELETION, MUK_DELETION = 1, 2, 3, 4
LIFETIME = b"2031-01-01T00:00:00Z"


def rand(number: int) -> bytes:
    """Return a RAND that can be told apart."""
    return bytes((number,)) * 16


def vector(seq: int, rand: bytes, ind: int = 0, amf: bytes = b"\x80\x00") -> dict[str, bytes]:
    """Return an authentication vector of the test subscriber with SQN = SEQ || IND."""
    return milenage.vector(K, OPC, rand, (seq << 5 | ind).to_bytes(6, "big"), amf)


def autn_star(made: dict[str, bytes]) -> bytes:
    """Return AUTN* of a vector."""
    return gba.autn_star(made["autn"], made["f4"])


@dataclass(frozen=True)
class Bootstrap:
    """What the network knows after a bootstrapping: Ks and its RAND."""

    ks: bytes
    rand: bytes

    @property
    def b_tid(self) -> bytes:
        return gba.b_tid(self.rand, BSF)

    def muk(self, naf_id: bytes = BM_SC) -> bytes:
        return gba.ks_int_naf(self.ks, self.rand, IMPI, naf_id)

    def ks_ext_naf(self, naf_id: bytes = BM_SC) -> bytes:
        return gba.ks_ext_naf(self.ks, self.rand, IMPI, naf_id)

    def ltkm(self, counter: int = 1, naf_id: bytes = BM_SC, **changes: Any) -> Ltkm:
        """Return an MSK message under the MUK of this bootstrapping; without the V bit."""
        message = Ltkm(
            psk=self.muk(naf_id),
            csb_id=0x11223344,
            rand=bytes(range(16)),
            timestamp=counter,
            id_i=naf_id.removesuffix(UA_MBMS),
            id_r=self.b_tid,
            key_domain_id=KEY_DOMAIN,
            msk_id=bytes.fromhex("00010001"),
            msk=bytes(range(0xA0, 0xB0)),
            lower=b"\x00\x00",
            upper=b"\xff\xfe",
            verify=False,
        )
        return replace(message, **changes)


def stkm(ltkm: Ltkm, counter: int = 1, **changes: Any) -> Stkm:
    """Return an MTK message under the MSK that an MSK message brought; TEK b0 to bf, salt c0 to cd.

    The MTK ID is the counter, unless another one is given.
    """
    message = Stkm(
        psk=ltkm.msk,
        csb_id=ltkm.csb_id,
        rand=ltkm.rand,
        timestamp=counter,
        key_domain_id=ltkm.key_domain_id,
        msk_id=ltkm.msk_id,
        mtk_id=(counter & 0xFFFF).to_bytes(2, "big"),
        tek=bytes(range(0xB0, 0xC0)),
        salt=bytes(range(0xC0, 0xCE)),
    )
    return replace(message, **changes)


def bootstrap(card: TestCard, seq: int = 1, number: int | None = None) -> Bootstrap:
    """Run a bootstrapping with the card and write B-TID and lifetime as a terminal does; USIM current, PIN verified."""
    made = vector(seq, rand(number or seq), seq % 32)
    answer = card.ok("0088008423DD", lv(rand(number or seq), autn_star(made)))
    assert answer == b"\xdb" + lv(gba.flip(made["f2"]))
    session = Bootstrap(made["f3"] + made["f4"], rand(number or seq))
    write_b_tid(card, session)
    return session


def write_b_tid(card: TestCard, session: Bootstrap) -> None:
    """Write B-TID and lifetime behind the RAND in EF_GBABP."""
    tail = lv(session.b_tid, LIFETIME)
    card.ok("00A4000C026FD6")
    card.ok("00D60011", bytes((len(tail),)), tail)


def derive_naf_keys(card: TestCard, naf_id: bytes = BM_SC) -> bytes:
    """Run a NAF derivation; return the card's answer."""
    data = b"\xde" + lv(naf_id, IMPI)
    return card.ok("00880084", bytes((len(data),)), data)


def refused_naf_derivation(card: TestCard, naf_id: bytes = BM_SC) -> None:
    """Run a NAF derivation that must fail, as there is no Ks."""
    data = b"\xde" + lv(naf_id, IMPI)
    card.refused("6985", "00880084", bytes((len(data),)), data)


def deliver(card: TestCard, message: Ltkm) -> None:
    """Deliver an MSK message that must be accepted."""
    assert card.mbms(MSK_UPDATE, message.build()) == ("DB", "9000")


def card_with_muk() -> tuple[TestCard, Bootstrap]:
    """Return a card that is ready and holds the Ks_int_NAF of the BM-SC, and what the network knows."""
    card = TestCard.new().ready()
    session = bootstrap(card)
    derive_naf_keys(card)
    return card, session


def card_with_msk() -> tuple[TestCard, Bootstrap, Ltkm]:
    """Return a card that holds one MSK as well, and the message that brought it."""
    card, session = card_with_muk()
    message = session.ltkm()
    deliver(card, message)
    return card, session, message
