"""Ks_local, the key between card and terminal that GBA establishes (TS 33.110 annexes A and B).

provisional: function code, order and coding of the parameters and the MACs are this project's choice; the set of
parameters is recalled.
"""

from __future__ import annotations

from dataclasses import dataclass

from card.crypto.gba import derive
from card.crypto.primitives import hmac_sha256
from card.crypto.secret import Secret

RANDX_SIZE = 16
COUNTER_LIMIT_SIZE = 4
MAC_SIZE = 16
PLATFORM = b"platform"
"""Stands for both application identifiers when the key belongs to terminal and card as a whole."""

_FC_LOCAL_KEY = 0x01
_LABEL = b"ks_local"
_CONFIRMATION = b"verification successful message"


@dataclass(frozen=True, slots=True)
class LocalKeyInputs:
    """What Ks_local depends on beside Ks_int_NAF. `counter_limit` is how often it may be used (32 bits)."""

    b_tid: bytes
    naf_id: bytes
    terminal_id: bytes
    iccid: bytes
    terminal_appli_id: bytes
    uicc_appli_id: bytes
    randx: bytes
    counter_limit: int

    def parameters(self) -> tuple[bytes, ...]:
        """Return the KDF parameters behind the label."""
        limit = self.counter_limit.to_bytes(COUNTER_LIMIT_SIZE, "big")
        names = (self.b_tid, self.naf_id, self.terminal_id, self.iccid, self.terminal_appli_id, self.uicc_appli_id)
        return (*names, self.randx, limit)


def derive_ks_local(ks_int_naf: Secret, inputs: LocalKeyInputs) -> Secret:
    """Derive Ks_local (32 bytes) from Ks_int_NAF (32 bytes)."""
    return derive(ks_int_naf, _FC_LOCAL_KEY, _LABEL, *inputs.parameters())


def request_mac(ks_local: Secret, inputs: LocalKeyInputs) -> bytes:
    """Return the MAC (16 bytes) with which a terminal shows that the network gave it Ks_local."""
    return hmac_sha256(ks_local.reveal(), _covered(inputs))[:MAC_SIZE]


def response_mac(ks_local: Secret, inputs: LocalKeyInputs) -> bytes:
    """Return the MAC (16 bytes) with which the card shows that it derived the same key."""
    return hmac_sha256(ks_local.reveal(), _CONFIRMATION + _covered(inputs))[:MAC_SIZE]


def _covered(inputs: LocalKeyInputs) -> bytes:
    return b"".join(len(part).to_bytes(2, "big") + part for part in inputs.parameters())
