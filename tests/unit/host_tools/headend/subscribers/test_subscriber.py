"""Authentication vectors and resynchronisation against published MILENAGE numbers."""

from __future__ import annotations

import pytest

from card.crypto.milenage import Milenage
from card.crypto.secret import Secret
from host_tools.headend.errors import HeadendError
from host_tools.headend.subscribers.sequence import SequenceNumbers
from host_tools.headend.subscribers.subscriber import Subscriber
from tests.unit.host_tools.headend.networks import OPC, K, subscriber

RAND = bytes.fromhex("23553cbe9637a89d218ae64dae47bf35")
SQN_SET_1 = bytes.fromhex("ff9bb4d0b607")
AUTS_SET_1 = bytes.fromhex("ba853f3c123ccf44e93596e355c6")


def test_the_first_vector_is_that_of_pysim() -> None:
    """The end-to-end vector of pySim's authenticate test, made with SQN 0x20 and AMF 0000."""
    opc = Secret(bytes.fromhex("b54aa2ed5fb981dd3d544c1fe3e36b6f"))
    k = Secret(bytes.fromhex("56c3a6da347ae7e43c69d37576725d81"))
    vector = Subscriber.milenage("1", "2", k, opc).vector(bytes.fromhex("e85b2b7fe58f0e6239b32543d3e3259a"))
    assert vector.autn.hex() == "7928ea47ae090000ca8ab1f93c7cb03a"
    assert vector.xres.hex() == "13484811d553ab35"
    assert vector.ck == Secret(bytes.fromhex("0f93c4807f4ff57c6cd348fea590c06d"))
    assert vector.ik == Secret(bytes.fromhex("608e7bff4856c73e363e795b165a4158"))


def test_sequence_numbers_count_in_both_parts() -> None:
    numbers = SequenceNumbers()
    drawn = [int.from_bytes(numbers.next(), "big") for _ in range(34)]
    assert [number >> 5 for number in drawn] == list(range(1, 35))
    assert [number & 31 for number in drawn] == [*range(32), 0, 1]


def test_sequence_numbers_end() -> None:
    numbers = SequenceNumbers(sequence=(1 << 43) - 2)
    numbers.next()
    with pytest.raises(HeadendError, match="used up"):
        numbers.next()


def test_resynchronisation_takes_over_the_cards_number() -> None:
    someone = subscriber()
    someone.resynchronise(RAND, AUTS_SET_1)
    out = Milenage(K, OPC).f2345(RAND)
    sqn = int.from_bytes(someone.vector(RAND).autn[:6], "big") ^ int.from_bytes(out.ak, "big")
    assert sqn >> 5 == (int.from_bytes(SQN_SET_1, "big") >> 5) + 1


@pytest.mark.parametrize(
    ("rand", "auts", "complaint"),
    [
        (RAND, AUTS_SET_1[:-1] + b"\0", "MAC-S"),
        (bytes(16), AUTS_SET_1, "MAC-S"),
        (RAND, AUTS_SET_1[:13], "14 bytes"),
    ],
)
def test_a_wrong_auts_changes_nothing(rand: bytes, auts: bytes, complaint: str) -> None:
    someone = subscriber()
    with pytest.raises(HeadendError, match=complaint):
        someone.resynchronise(rand, auts)
    assert someone.vector(RAND).autn == subscriber().vector(RAND).autn


def test_no_key_shows() -> None:
    vector = subscriber().vector(RAND)
    shown = repr(vector) + repr(subscriber())
    assert all(secret.hex() not in shown for secret in (vector.ck.reveal(), vector.ik.reveal(), vector.xres))
    assert "Secret(16 bytes)" in shown
