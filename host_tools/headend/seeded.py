"""Everything random in the head-end, from one seed, so that every run can be repeated byte for byte."""

from __future__ import annotations

from card.crypto.primitives import hmac_sha256
from card.crypto.secret import Secret

_BLOCK = 32


class Seeded:
    """Derives bytes from a seed and labels; the same give the same bytes, in whatever order one asks.

    The bytes are HMAC-SHA-256 under the seed in counter mode. They are for tests: whoever knows the seed
    knows every key.
    """

    def __init__(self, seed: str) -> None:
        self._key = hmac_sha256(b"bcast-uicc head-end", seed.encode())

    def __repr__(self) -> str:
        return "Seeded()"

    def derive(self, size: int, *labels: str | int | bytes) -> bytes:
        """Return `size` bytes for these labels; their kinds and boundaries count."""
        context = b"".join(_frame(label) for label in labels)
        blocks = -(-size // _BLOCK)
        stream = b"".join(hmac_sha256(self._key, index.to_bytes(4, "big") + context) for index in range(blocks))
        return stream[:size]

    def derive_secret(self, size: int, *labels: str | int | bytes) -> Secret:
        """Return `size` secret bytes for these labels."""
        return Secret(self.derive(size, *labels))

    def derive_int(self, bits: int, *labels: str | int | bytes) -> int:
        """Return a number below 2**bits for these labels."""
        return int.from_bytes(self.derive(-(-bits // 8), *labels), "big") % (1 << bits)


class SeededRng:
    """A source of random bytes that always gives the same sequence for the same seed and label."""

    def __init__(self, seeded: Seeded, label: str) -> None:
        self._seeded = seeded
        self._label = label
        self._drawn = 0

    def random_bytes(self, count: int, /) -> bytes:
        """Return the next `count` bytes."""
        self._drawn += 1
        return self._seeded.derive(count, "rng", self._label, self._drawn)


def _frame(label: str | int | bytes) -> bytes:
    """Write a label so that no two lists of labels look alike."""
    match label:
        case str():
            kind, data = b"s", label.encode()
        case int():
            kind, data = b"i", str(label).encode()
        case _:
            kind, data = b"b", label
    return kind + len(data).to_bytes(4, "big") + data
