"""Cryptography of the channel profile `x-sac-1`: keys, control MACs and containers.

Provisional: the formulae of TS 102 484 were not at hand, so all of this is this project's own choice, built from the
KDF of TS 33.220 and the algorithms that TS 102 221 names. Card and terminal use it alike.
"""

from __future__ import annotations

from enum import IntEnum

from card.crypto.gba import derive
from card.crypto.primitives import aes_cbc_decrypt, aes_cbc_encrypt, aes_cmac, aes_ecb_encrypt, equal_bytes
from card.crypto.secret import Secret
from card.errors import MacMismatch
from card.lean import lean_dataclass

KEY_SIZE = 16
COUNTER_SIZE = 5
LAST_COUNTER = (1 << 8 * COUNTER_SIZE) - 1
"""The container with this number is the last one of a Connection SA."""

_BLOCK = 16
_CONTAINER_MAC_SIZE = 8

# First byte of the KDF's input, one for each use, so that no key serves two ends.
_FC_KEYS, _FC_MACS, _FC_TERMINATE, _FC_TLS = 0xF1, 0xF2, 0xF3, 0xF4
_LABEL = b"x-sac-1"


class Direction(IntEnum):
    """Which way a container goes; part of its MAC and IV, so that none can be sent back."""

    TO_CARD = 0x00
    TO_TERMINAL = 0x01


class _ControlMac(IntEnum):
    CONNECTION = 0x01
    START = 0x02
    TERMINATE = 0x03


@lean_dataclass(frozen=True, slots=True)
class Parties:
    """Who agreed on a Master SA and how: everything that travelled in clear before there was a key.

    It enters every key, so that the two sides notice when somebody changed it on the way.
    """

    msa_id: bytes
    uicc_id: bytes
    terminal_id: bytes
    terminal_appli_id: bytes
    uicc_appli_id: bytes
    methods: int
    method: int

    def parameters(self) -> tuple[bytes, ...]:
        """Return the KDF parameters."""
        methods = bytes((self.methods, self.method))
        return self.msa_id, self.uicc_id, self.terminal_id, self.terminal_appli_id, self.uicc_appli_id, methods


@lean_dataclass(frozen=True, slots=True)
class Agreement:
    """What makes a Connection SA: the parties, nonces (16 bytes each), CSA_ID (16), algorithms offered and chosen."""

    parties: Parties
    csa_id: bytes
    terminal_nonce: bytes
    card_nonce: bytes
    offered: bytes
    chosen: bytes

    def parameters(self) -> tuple[bytes, ...]:
        """Return the KDF parameters."""
        own = (self.csa_id, self.terminal_nonce, self.card_nonce, self.offered, self.chosen)
        return (_LABEL, *self.parties.parameters(), *own)


@lean_dataclass(frozen=True, slots=True)
class ChannelKeys:
    """Keys of one Connection SA, 16 bytes each: encryption either way, container MACs, control MACs."""

    to_card: Secret
    to_terminal: Secret
    mac: Secret
    control: Secret


def derive_channel_keys(master: Secret, agreement: Agreement) -> ChannelKeys:
    """Derive the keys of a Connection SA from the Master SA secret (32 bytes)."""
    ciphering = derive(master, _FC_KEYS, *agreement.parameters()).reveal()
    integrity = derive(master, _FC_MACS, *agreement.parameters()).reveal()
    return ChannelKeys(
        Secret(ciphering[:KEY_SIZE]),
        Secret(ciphering[KEY_SIZE:]),
        Secret(integrity[:KEY_SIZE]),
        Secret(integrity[KEY_SIZE:]),
    )


def derive_master_control(master: Secret, parties: Parties) -> Secret:
    """Derive the key (16 bytes) of the MAC that ends a Master SA."""
    return Secret(derive(master, _FC_TERMINATE, _LABEL, *parties.parameters()).reveal()[:KEY_SIZE])


def derive_tls_psk(master: Secret, parties: Parties) -> Secret:
    """Derive the pre-shared key (32 bytes) of a TLS channel under a Master SA."""
    return derive(master, _FC_TLS, _LABEL, *parties.parameters())


def connection_mac(keys: ChannelKeys, agreement: Agreement) -> bytes:
    """Return CSAMAC (16 bytes): the card's proof that it holds the keys of the agreement."""
    covered = b"".join(len(part).to_bytes(2, "big") + part for part in agreement.parameters())
    return _control_mac(keys.control, _ControlMac.CONNECTION, covered)


def start_mac(keys: ChannelKeys, csa_id: bytes, chosen: bytes, size: int) -> bytes:
    """Return SSCMAC (16 bytes): the terminal's proof, over CSA_ID, algorithms and container size (1 byte)."""
    return _control_mac(keys.control, _ControlMac.START, csa_id + chosen + bytes((size,)))


def termination_mac(control: Secret, sa_id: bytes) -> bytes:
    """Return the MAC (16 bytes) with which a party ends the association `sa_id` (16 bytes)."""
    return _control_mac(control, _ControlMac.TERMINATE, sa_id)


def verify_mac(expected: bytes, found: bytes) -> None:
    """Raise `MacMismatch` unless both are equal; compares in constant time."""
    if not equal_bytes(expected, found):
        raise MacMismatch("a MAC of the secure channel is wrong")


def _control_mac(control: Secret, use: _ControlMac, covered: bytes) -> bytes:
    return aes_cmac(control.reveal(), bytes((use,)) + covered)


# --- containers


def seal_container(keys: ChannelKeys, csa_id: bytes, direction: Direction, counter: int, text: bytes) -> bytes:
    """Return the container with number `counter` (1 to `LAST_COUNTER`) around an APDU or a response.

    It is 13 bytes and the padding (1 to 16 bytes) longer than `text`.
    """
    number = counter.to_bytes(COUNTER_SIZE, "big")
    padded = text + b"\x80"
    padded += bytes(-len(padded) % _BLOCK)
    key = _encryption_key(keys, direction)
    encrypted = aes_cbc_encrypt(key, _iv(key, direction, number), padded)
    return number + encrypted + _container_mac(keys, csa_id, direction, number + encrypted)


def open_container(keys: ChannelKeys, csa_id: bytes, direction: Direction, counter: int, container: bytes) -> bytes:
    """Return what the container with number `counter` holds. Raises `MacMismatch` for anything else.

    The MAC is checked first and over all of it; number, length and padding give no other answer than the MAC.
    """
    body, mac = container[:-_CONTAINER_MAC_SIZE], container[-_CONTAINER_MAC_SIZE:]
    verify_mac(_container_mac(keys, csa_id, direction, body), mac)
    number, encrypted = body[:COUNTER_SIZE], body[COUNTER_SIZE:]
    if number != counter.to_bytes(COUNTER_SIZE, "big") or not encrypted or len(encrypted) % _BLOCK:
        raise MacMismatch("the container is not the next one")
    key = _encryption_key(keys, direction)
    return _unpad(aes_cbc_decrypt(key, _iv(key, direction, number), encrypted))


def _encryption_key(keys: ChannelKeys, direction: Direction) -> bytes:
    return (keys.to_card if direction is Direction.TO_CARD else keys.to_terminal).reveal()


def _iv(key: bytes, direction: Direction, number: bytes) -> bytes:
    """The encrypted number: never the same twice under one key, and not to be foreseen without it."""
    return aes_ecb_encrypt(key, bytes(10) + bytes((direction,)) + number)


def _container_mac(keys: ChannelKeys, csa_id: bytes, direction: Direction, body: bytes) -> bytes:
    return aes_cmac(keys.mac.reveal(), bytes((direction,)) + csa_id + body)[:_CONTAINER_MAC_SIZE]


def _unpad(padded: bytes) -> bytes:
    text = padded.rstrip(b"\0")
    if not text.endswith(b"\x80"):
        raise MacMismatch("the container's padding is wrong")
    return text[:-1]
