from __future__ import annotations

import pytest

from card.crypto.aka_algorithm import AkaAlgorithm
from card.crypto.secret import Secret
from card.crypto.xor import XorTest

RAND = bytes(range(0x10))
K = b"\xff" * 16
XDOUT = bytes(range(0xFF, 0xEF, -1))


def test_outputs_are_turns_of_k_xor_rand() -> None:
    outputs = XorTest(Secret(K)).f2345(RAND)
    assert outputs.res == XDOUT
    assert outputs.ck.hex() == "fefdfcfbfaf9f8f7f6f5f4f3f2f1f0ff"
    assert outputs.ik.hex() == "fdfcfbfaf9f8f7f6f5f4f3f2f1f0fffe"
    assert outputs.ak.hex() == "fcfbfaf9f8f7"


def test_macs_are_xdout_xor_sqn_and_amf() -> None:
    algorithm: AkaAlgorithm = XorTest(Secret(K))
    assert algorithm.f1(RAND, bytes(6), bytes(2)) == XDOUT[:8]
    assert algorithm.f1(RAND, b"\x01" + bytes(5), b"\x00\x80").hex() == "fefefdfcfbfaf978"
    assert algorithm.f1_star(RAND, bytes(6), bytes(2)) == XDOUT[:8]
    assert algorithm.f5_star(RAND) == algorithm.f2345(RAND).ak


def test_res_can_be_shorter() -> None:
    assert XorTest(Secret(K), res_size=4).f2345(RAND).res == XDOUT[:4]


@pytest.mark.parametrize(("k", "res_size"), [(15, 8), (16, 3), (16, 17)])
def test_wrong_sizes_are_refused(k: int, res_size: int) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        XorTest(Secret(bytes(k)), res_size)


def test_wrong_inputs_are_refused() -> None:
    with pytest.raises(ValueError, match="16, 6 and 2"):
        XorTest(Secret(K)).f2345(RAND[1:])
