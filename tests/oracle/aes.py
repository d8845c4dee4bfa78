"""AES-128 encryption of one block, slow and plain (FIPS 197). Shares no code with `card`."""

from __future__ import annotations


def _times_x(value: int) -> int:
    value <<= 1
    return value ^ 0x11B if value & 0x100 else value


def _multiply(left: int, right: int) -> int:
    product = 0
    while right:
        if right & 1:
            product ^= left
        left, right = _times_x(left), right >> 1
    return product


def _substitute(value: int) -> int:
    inverse = next((other for other in range(256) if _multiply(value, other) == 1), 0)
    result = 0x63
    for shift in range(5):
        result ^= (inverse << shift | inverse >> (8 - shift)) & 0xFF
    return result


_SBOX = [_substitute(value) for value in range(256)]


def _round_keys(key: bytes) -> list[bytes]:
    words = [key[index : index + 4] for index in range(0, 16, 4)]
    constant = 1
    while len(words) < 44:
        word = words[-1]
        if len(words) % 4 == 0:
            word = bytes(_SBOX[byte] for byte in word[1:] + word[:1])
            word = bytes((word[0] ^ constant,)) + word[1:]
            constant = _times_x(constant)
        words.append(bytes(a ^ b for a, b in zip(word, words[-4], strict=True)))
    return [b"".join(words[index : index + 4]) for index in range(0, 44, 4)]


def _mix(column: list[int]) -> list[int]:
    return [
        _times_x(column[i]) ^ _times_x(column[i - 3]) ^ column[i - 3] ^ column[i - 2] ^ column[i - 1] for i in range(4)
    ]


def encrypt(key: bytes, block: bytes) -> bytes:
    keys = _round_keys(key)
    state = [a ^ b for a, b in zip(block, keys[0], strict=True)]
    for number in range(1, 11):
        state = [_SBOX[byte] for byte in state]
        state = [state[(i + 4 * (i % 4)) % 16] for i in range(16)]
        if number < 10:
            state = [byte for start in range(0, 16, 4) for byte in _mix(state[start : start + 4])]
        state = [a ^ b for a, b in zip(state, keys[number], strict=True)]
    return bytes(state)


def counter_mode(key: bytes, iv: bytes, data: bytes) -> bytes:
    output = b""
    counter = int.from_bytes(iv, "big")
    for start in range(0, len(data), 16):
        stream = encrypt(key, counter.to_bytes(16, "big"))
        output += bytes(a ^ b for a, b in zip(data[start : start + 16], stream, strict=False))
        counter = (counter + 1) % (1 << 128)
    return output
