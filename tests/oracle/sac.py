"""The channel profile x-sac-1, Ks_local and the MACs around them, written a second time. Shares no code with `card`."""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass

from tests.oracle import aes


def kdf(key: bytes, code: int, *params: bytes) -> bytes:
    message = bytes([code])
    for param in params:
        message += param
        message += struct.pack(">H", len(param))
    return hmac.new(key, message, hashlib.sha256).digest()


def _double(block: bytes) -> bytes:
    number = int.from_bytes(block, "big") << 1
    if number >> 128:
        number = (number & ((1 << 128) - 1)) ^ 0x87
    return number.to_bytes(16, "big")


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def cmac(key: bytes, message: bytes) -> bytes:
    first = _double(aes.encrypt(key, bytes(16)))
    whole = len(message) > 0 and len(message) % 16 == 0
    if not whole:
        message += b"\x80"
        while len(message) % 16:
            message += b"\x00"
    blocks = [message[start : start + 16] for start in range(0, len(message), 16)]
    blocks[-1] = _xor(blocks[-1], first if whole else _double(first))
    state = bytes(16)
    for block in blocks:
        state = aes.encrypt(key, _xor(state, block))
    return state


def cbc(key: bytes, iv: bytes, text: bytes) -> bytes:
    output, state = b"", iv
    for start in range(0, len(text), 16):
        state = aes.encrypt(key, _xor(state, text[start : start + 16]))
        output += state
    return output


@dataclass(frozen=True)
class Names:
    """What travelled in clear while a Master SA was agreed on."""

    msa_id: bytes
    uicc_id: bytes
    terminal_id: bytes
    terminal_appli_id: bytes
    uicc_appli_id: bytes
    methods: int
    method: int

    def fields(self) -> list[bytes]:
        return [
            self.msa_id, self.uicc_id, self.terminal_id, self.terminal_appli_id, self.uicc_appli_id,
            bytes([self.methods, self.method]),
        ]  # fmt: skip


class Connection:
    """One Connection SA, either side."""

    def __init__(
        self, master: bytes, names: Names, csa_id: bytes, t_nonce: bytes, u_nonce: bytes, offered: bytes, chosen: bytes
    ) -> None:
        self.fields = [b"x-sac-1", *names.fields(), csa_id, t_nonce, u_nonce, offered, chosen]
        enc = kdf(master, 0xF1, *self.fields)
        mac = kdf(master, 0xF2, *self.fields)
        self.enc = {0: enc[:16], 1: enc[16:]}
        self.mac_key, self.control = mac[:16], mac[16:]
        self.csa_id, self.chosen = csa_id, chosen

    def csa_mac(self) -> bytes:
        return cmac(self.control, b"\x01" + b"".join(struct.pack(">H", len(f)) + f for f in self.fields))

    def start_mac(self, size: int) -> bytes:
        return cmac(self.control, b"\x02" + self.csa_id + self.chosen + bytes([size]))

    def end_mac(self) -> bytes:
        return cmac(self.control, b"\x03" + self.csa_id)

    def seal(self, direction: int, counter: int, text: bytes) -> bytes:
        number = counter.to_bytes(5, "big")
        text += b"\x80"
        while len(text) % 16:
            text += b"\x00"
        key = self.enc[direction]
        body = number + cbc(key, aes.encrypt(key, bytes(10) + bytes([direction]) + number), text)
        return body + cmac(self.mac_key, bytes([direction]) + self.csa_id + body)[:8]


def master_end_mac(master: bytes, names: Names) -> bytes:
    return cmac(kdf(master, 0xF3, b"x-sac-1", *names.fields())[:16], b"\x03" + names.msa_id)


@dataclass(frozen=True)
class LocalKey:
    """A Ks_local as the network and the terminal compute it, read from TS 33.110 clause 4.5.2 and annex A."""

    ks_int_naf: bytes
    b_tid: bytes
    naf_id: bytes
    terminal_id: bytes
    iccid: bytes
    terminal_appli_id: bytes
    uicc_appli_id: bytes
    randx: bytes
    limit: int

    @property
    def counter_limit(self) -> bytes:
        high, low = divmod(self.limit, 1 << 64)
        return struct.pack(">QQ", high, low)

    @property
    def key(self) -> bytes:
        s = b"\x01"
        s += self.b_tid + struct.pack(">H", len(self.b_tid))
        s += self.terminal_id + struct.pack(">H", len(self.terminal_id))
        s += self.iccid + struct.pack(">H", len(self.iccid))
        s += self.terminal_appli_id + struct.pack(">H", len(self.terminal_appli_id))
        s += self.uicc_appli_id + struct.pack(">H", len(self.uicc_appli_id))
        s += self.randx + struct.pack(">H", len(self.randx))
        s += self.counter_limit + b"\x00\x10"
        return hmac.new(self.ks_int_naf, s, hashlib.sha256).digest()

    @property
    def request_mac(self) -> bytes:
        text = self.naf_id + self.terminal_id + self.iccid + self.terminal_appli_id + self.uicc_appli_id + self.randx
        return hmac.new(self.key, text + self.counter_limit, hashlib.sha256).digest()[:16]

    @property
    def response_mac(self) -> bytes:
        return hmac.new(self.key, b"verification successful", hashlib.sha256).digest()[:16]
