"""MILENAGE and what an AKA makes of it, written a second time from TS 35.206 and TS 33.102.

Shares no code with `card`.
"""

from __future__ import annotations

from tests.oracle.aes import encrypt


def xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _turn(block: bytes, count: int) -> bytes:
    """Rotate to the left by whole bytes: all standard rotations are."""
    return block[count:] + block[:count]


def opc(k: bytes, op: bytes) -> bytes:
    return xor(encrypt(k, op), op)


def out1(k: bytes, opc: bytes, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
    temp = encrypt(k, xor(rand, opc))
    in1 = sqn + amf + sqn + amf
    return xor(encrypt(k, xor(temp, _turn(xor(in1, opc), 8))), opc)


def out(number: int, k: bytes, opc: bytes, rand: bytes) -> bytes:
    """Return OUT2 to OUT5."""
    temp = encrypt(k, xor(rand, opc))
    turn, constant = {2: (0, 1), 3: (4, 2), 4: (8, 4), 5: (12, 8)}[number]
    return xor(encrypt(k, xor(_turn(xor(temp, opc), turn), bytes(15) + bytes((constant,)))), opc)


def vector(k: bytes, opc: bytes, rand: bytes, sqn: bytes, amf: bytes) -> dict[str, bytes]:
    """Return everything the functions yield, and AUTN, AUTS (for SQN_MS = sqn), SRES and Kc."""
    mac = out1(k, opc, rand, sqn, amf)
    ak, res = out(2, k, opc, rand)[:6], out(2, k, opc, rand)[8:]
    ck, ik = out(3, k, opc, rand), out(4, k, opc, rand)
    ak_star = out(5, k, opc, rand)[:6]
    mac_s = out1(k, opc, rand, sqn, bytes(2))[8:]
    return {
        "f1": mac[:8],
        "f1_star": mac[8:],
        "f2": res,
        "f3": ck,
        "f4": ik,
        "f5": ak,
        "f5_star": ak_star,
        "autn": xor(sqn, ak) + amf + mac[:8],
        "auts": xor(sqn, ak_star) + mac_s,
        "sres": xor(res[:4], res[4:]),
        "kc": xor(xor(ck[:8], ck[8:]), xor(ik[:8], ik[8:])),
    }
