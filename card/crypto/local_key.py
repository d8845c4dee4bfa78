"""Ks_local, the key between card and terminal that GBA establishes (TS 33.110 clause 4.5.2 and annex A)."""

from __future__ import annotations

from card.crypto.gba import derive
from card.crypto.primitives import hmac_sha256, sha256
from card.crypto.secret import Secret
from card.lean import lean_dataclass

COUNTER_LIMIT_SIZE = 16
MAC_SIZE = 16
LONGEST_RANDX = 16
LONGEST_TERMINAL_APPLI_ID = 32
LONGEST_UICC_APPLI_ID = 16
PLATFORM = b"platform"
"""Stands for both application identifiers when the key belongs to terminal and card as a whole (clause 4.5.2)."""

_FC_LOCAL_KEY = 0x01
_CONFIRMATION = b"verification successful"


@lean_dataclass(frozen=True, slots=True)
class LocalKeyInputs:
    """What Ks_local depends on beside Ks_int_NAF, and the NAF_ID, from which that key comes.

    `b_tid` is the B-TID under which that Ks_int_NAF was derived, `iccid` the bytes of EF_ICCID, `counter_limit` a
    number of 128 bits.
    """

    b_tid: bytes
    naf_id: bytes
    terminal_id: bytes
    iccid: bytes
    terminal_appli_id: bytes
    uicc_appli_id: bytes
    randx: bytes
    counter_limit: int

    def common_parameters(self) -> tuple[bytes, ...]:
        """Return what both the derivation and the request MAC take, in the order of both."""
        limit = self.counter_limit.to_bytes(COUNTER_LIMIT_SIZE, "big")
        return self.terminal_id, self.iccid, self.terminal_appli_id, self.uicc_appli_id, self.randx, limit


def terminal_appli_id(name: bytes) -> bytes:
    """Return the identifier of a terminal application: its name, or SHA-256 of one above 32 octets (clause 3.1)."""
    return name if len(name) <= LONGEST_TERMINAL_APPLI_ID else sha256(name)


def derive_ks_local(ks_int_naf: Secret, inputs: LocalKeyInputs) -> Secret:
    """Derive Ks_local (32 bytes) from Ks_int_NAF (32 bytes). There is no label: P0 is the B-TID (clause A.2)."""
    return derive(ks_int_naf, _FC_LOCAL_KEY, inputs.b_tid, *inputs.common_parameters())


def request_mac(ks_local: Secret, inputs: LocalKeyInputs) -> bytes:
    """Return the MAC (16 bytes) with which a terminal shows that the network gave it Ks_local (step 11)."""
    return hmac_sha256(ks_local.reveal(), inputs.naf_id + b"".join(inputs.common_parameters()))[:MAC_SIZE]


def response_mac(ks_local: Secret) -> bytes:
    """Return the MAC (16 bytes) with which the card shows that it derived the same key (step 13)."""
    return hmac_sha256(ks_local.reveal(), _CONFIRMATION)[:MAC_SIZE]
