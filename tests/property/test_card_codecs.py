"""Codecs of the card there and back, and on any bytes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from card.codec.access_rule import ALWAYS, NEVER, AccessRule, Combination, Condition, Operation
from card.codec.apdu import CommandApdu
from card.codec.ef import CODECS
from card.codec.fcp import DescriptorByte, Fcp, PinStatus, decode_pin_status
from card.codec.tlv import Tlv, decode_tlv, decode_tlvs, encode_tlvs, iter_tlvs
from card.errors import DecodeError

BYTE = st.integers(0, 255)


@given(BYTE, BYTE, BYTE, BYTE, st.binary(max_size=600), st.none() | st.integers(1, 65536), st.booleans())
def test_command_apdu(cla: int, ins: int, p1: int, p2: int, data: bytes, le: int | None, extended: bool) -> None:
    apdu = CommandApdu(cla, ins, p1, p2, data, le, extended)
    again = CommandApdu.decode(apdu.encode())
    assert (again.cla, again.ins, again.p1, again.p2) == (cla, ins, p1, p2)
    assert (again.data, again.le) == (data, le)


@given(st.binary(max_size=300))
def test_whatever_is_read_as_an_apdu_is_written_with_the_same_meaning(raw: bytes) -> None:
    try:
        apdu = CommandApdu.decode(raw)
    except DecodeError:
        return
    assert CommandApdu.decode(apdu.encode()) == apdu


TAGS = st.integers(0, 0xFF).filter(lambda tag: tag & 0x1F != 0x1F) | st.integers(0, 0x7FFF).map(
    lambda number: 0x1F00 | (number & 0xE0) << 8 | number & 0xFF
)


@given(st.lists(st.builds(Tlv, TAGS, st.binary(max_size=300)), max_size=5))
def test_tlv(items: list[Tlv]) -> None:
    assert list(iter_tlvs(encode_tlvs(items))) == items


PINS = st.lists(st.builds(PinStatus, BYTE, st.booleans(), st.none() | BYTE), max_size=10).map(tuple)


@given(
    st.sampled_from([DescriptorByte.TRANSPARENT, DescriptorByte.LINEAR_FIXED, DescriptorByte.CYCLIC]),
    st.integers(0, 0xFFFF),
    st.integers(1, 255),
    st.integers(1, 254),
    st.none() | st.integers(1, 30),
    st.none() | st.tuples(st.integers(0, 0xFFFF), BYTE),
)
def test_fcp_of_a_file(
    kind: DescriptorByte, fid: int, length: int, count: int, sfi: int | None, arr: tuple[int, int] | None
) -> None:
    has_records = kind is not DescriptorByte.TRANSPARENT
    fcp = Fcp(
        kind, fid, record_length=length if has_records else 0, record_count=count if has_records else 0, arr=arr,
        file_size=length * count, sfi=sfi,
    )  # fmt: skip
    assert Fcp.decode(fcp.encode()) == fcp


@given(st.integers(0, 0xFFFF), st.binary(min_size=1, max_size=16), PINS)
def test_fcp_of_a_directory(fid: int, name: bytes, pins: tuple[PinStatus, ...]) -> None:
    fcp = Fcp(DescriptorByte.DIRECTORY, fid, df_name=name, proprietary=b"\x80\x01\x71", pins=pins)
    assert Fcp.decode(fcp.encode()) == fcp


CONDITIONS = st.builds(Condition, st.sampled_from(Combination), st.lists(BYTE, max_size=3).map(tuple))
OPERATIONS = st.integers(1, 127).map(Operation) | st.just(Operation.INCREASE)


@given(st.lists(st.tuples(OPERATIONS, CONDITIONS), max_size=4), st.sets(BYTE), st.sampled_from(Operation))
@example([(Operation.READ, ALWAYS), (Operation.UPDATE, NEVER), (Operation.UPDATE, ALWAYS)], set(), Operation.UPDATE)
def test_an_access_rule_means_the_same_after_writing(
    grants: list[tuple[Operation, Condition]], held: set[int], operation: Operation
) -> None:
    rule = AccessRule(tuple(grants))
    again = AccessRule.decode(rule.encode())
    assert again.condition(operation).satisfied(held.__contains__) is rule.condition(operation).satisfied(
        held.__contains__
    )


DECODERS: dict[str, Callable[[bytes], object]] = {
    "apdu": CommandApdu.decode,
    "tlv": decode_tlv,
    "tlvs": decode_tlvs,
    "fcp": Fcp.decode,
    "pin status": decode_pin_status,
    "access rule": AccessRule.decode,
    **{f"ef {name}": codec.decode for name, codec in CODECS.items()},
}


@pytest.mark.parametrize("name", DECODERS)
@given(raw=st.binary(max_size=80))
def test_any_bytes_decode_or_are_refused(name: str, raw: bytes) -> None:
    with suppress(DecodeError):  # any other exception fails the test
        DECODERS[name](raw)
