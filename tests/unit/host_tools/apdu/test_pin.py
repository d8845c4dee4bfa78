"""PINs as commands carry them."""

from __future__ import annotations

from card.crypto.secret import Secret
from host_tools.apdu.pin import PIN_SIZE, pad_pin


def test_a_pin_is_filled_up_with_ff() -> None:
    assert pad_pin(Secret(b"1234")) == b"1234\xff\xff\xff\xff"
    assert pad_pin(Secret(b"12345678")) == b"12345678"
    assert len(pad_pin(Secret(b"123456"))) == PIN_SIZE
