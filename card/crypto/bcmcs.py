"""The key functions of BCMCS, behind one interface: a provisional set of our own, and a slot for the real ones.

The functions of 3GPP2 S.S0083-A were not at hand. Card and head-end therefore run on the set `x-bcmcs-hmac256`, which
stands for no specification. Whoever has the real functions puts them into a package of their own, which announces an
object with the methods of `BcmcsFunctions` under the entry point group `bcast_uicc.bcmcs`; a card profile then names
it (`[csim] functions = "..."`). No code here changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from card.crypto.primitives import BLOCK_SIZE, aes_ecb_decrypt, aes_ecb_encrypt, hmac_sha256
from card.crypto.secret import Secret
from card.errors import CardError, DecodeError
from card.lean import lean_dataclass

ENTRY_POINTS = "bcast_uicc.bcmcs"
PROVISIONAL_SET = "x-bcmcs-hmac256"

_KEY_SIZE = 16
_SIGNATURE_SIZE = 4


class UnknownFunctions(CardError):
    """No set of BCMCS functions has this name, or the one installed under it lacks functions."""


@runtime_checkable
class BcmcsFunctions(Protocol):
    """What BCMCS derives (3GPP2 S.S0083-A). All keys have 16 bytes."""

    def derive_tk(self, rk: Secret, tk_rand: bytes) -> Secret:
        """Return the temporary key, which protects one BAK delivery."""

    def derive_auth_key(self, rk: Secret, rand: bytes) -> Secret:
        """Return the key that authenticates the subscriber to the BCMCS controller."""

    def seal_bak(self, tk: Secret, bak: Secret) -> bytes:
        """Return the BAK as it is delivered: the head-end's side of `open_bak`."""

    def open_bak(self, tk: Secret, encrypted: bytes) -> Secret:
        """Return the BAK of a delivery. Raises `DecodeError`, or `MacMismatch` where a set authenticates it."""

    def derive_sk(self, bak: Secret, sk_rand: bytes) -> Secret:
        """Return the short-term key for one SK_RAND of the broadcast."""

    def derive_srtp_sk(self, bak: Secret, sk_rand: bytes, packet_index: bytes) -> Secret:
        """Return the short-term key for SRTP."""

    def sign(self, bak: Secret, flow_id: bytes, bak_id: bytes, timestamp: bytes) -> bytes:
        """Return the authorization signature (at most 16 bytes)."""

    def respond(self, auth_key: Secret, challenge: bytes) -> bytes:
        """Return the response to a challenge of the BCMCS controller (at most 16 bytes)."""


class HmacFunctions:
    """The set `x-bcmcs-hmac256`. provisional throughout: labels, order and sizes are our choice."""

    def derive_tk(self, rk: Secret, tk_rand: bytes) -> Secret:
        """Return F(RK, "TK", TK_RAND)."""
        return Secret(_f(rk, b"TK", tk_rand))

    def derive_auth_key(self, rk: Secret, rand: bytes) -> Secret:
        """Return F(RK, "AUTH", RAND)."""
        return Secret(_f(rk, b"AUTH", rand))

    def seal_bak(self, tk: Secret, bak: Secret) -> bytes:
        """Return one AES block under TK."""
        return aes_ecb_encrypt(tk.reveal(), bak.reveal())

    def open_bak(self, tk: Secret, encrypted: bytes) -> Secret:
        """Take one AES block. It carries no MAC, so a wrong one gives a wrong BAK. Raises `DecodeError`."""
        if len(encrypted) != BLOCK_SIZE:
            raise DecodeError(f"encrypted BAK: {BLOCK_SIZE} bytes wanted, {len(encrypted)} found")
        return Secret(aes_ecb_decrypt(tk.reveal(), encrypted))

    def derive_sk(self, bak: Secret, sk_rand: bytes) -> Secret:
        """Return F(BAK, "SK", SK_RAND)."""
        return Secret(_f(bak, b"SK", sk_rand))

    def derive_srtp_sk(self, bak: Secret, sk_rand: bytes, packet_index: bytes) -> Secret:
        """Return F(BAK, "SRTP", SK_RAND | PacketIndex)."""
        return Secret(_f(bak, b"SRTP", sk_rand + packet_index))

    def sign(self, bak: Secret, flow_id: bytes, bak_id: bytes, timestamp: bytes) -> bytes:
        """Return the first 4 bytes of F(BAK, "SIG", Flow_ID | BAK_ID | Timestamp)."""
        return _f(bak, b"SIG", flow_id + bak_id + timestamp)[:_SIGNATURE_SIZE]

    def respond(self, auth_key: Secret, challenge: bytes) -> bytes:
        """Return F(Auth-Key, "RESP", Challenge)."""
        return _f(auth_key, b"RESP", challenge)


def _f(key: Secret, label: bytes, data: bytes) -> bytes:
    """Return the first 16 bytes of HMAC-SHA-256 over label, 00, data and the length of data in two bytes."""
    text = label + b"\x00" + data + len(data).to_bytes(2, "big")
    return hmac_sha256(key.reveal(), text)[:_KEY_SIZE]


BUILT_IN: Mapping[str, BcmcsFunctions] = MappingProxyType({PROVISIONAL_SET: HmacFunctions()})
"""The sets that come with the card."""


def find_functions(name: str) -> BcmcsFunctions:
    """Return the set of functions with this name, built in or installed. Raises `UnknownFunctions`."""
    built_in = BUILT_IN.get(name)
    if built_in is not None:
        return built_in
    from importlib.metadata import entry_points  # only here: it takes as long to import as all of this package

    found = next(iter(entry_points(group=ENTRY_POINTS, name=name)), None)
    if found is None:
        raise UnknownFunctions(f"BCMCS functions {name} are not installed")
    try:
        functions = found.load()
    except (ImportError, AttributeError):
        raise UnknownFunctions(f"BCMCS functions {name} cannot be loaded") from None
    if not isinstance(functions, BcmcsFunctions):
        raise UnknownFunctions(f"BCMCS functions {name} are not complete")
    return functions


@lean_dataclass(frozen=True, slots=True)
class RegistrationKey:
    """RK (16 bytes), the root of all keys of a BCMCS subscriber, and the functions that derive from it."""

    rk: Secret
    functions: BcmcsFunctions

    def derive_tk(self, tk_rand: bytes) -> Secret:
        """Return the temporary key for TK_RAND. In OMA BCAST it is the SMK (provisional)."""
        return self.functions.derive_tk(self.rk, tk_rand)

    def derive_auth_key(self, rand: bytes) -> Secret:
        """Return the authentication key for RAND. In OMA BCAST it is the SRK (provisional)."""
        return self.functions.derive_auth_key(self.rk, rand)

    def open_bak(self, tk_rand: bytes, encrypted: bytes) -> Secret:
        """Return the BAK of a delivery under the temporary key for TK_RAND. Raises `DecodeError`, `MacMismatch`."""
        return self.functions.open_bak(self.derive_tk(tk_rand), encrypted)

    def respond(self, rand: bytes, challenge: bytes) -> bytes:
        """Return the response with which the subscriber shows that it holds RK."""
        return self.functions.respond(self.derive_auth_key(rand), challenge)
