"""File control parameters: those of real cards, and our own there and back."""

from __future__ import annotations

import pytest

from card.codec.fcp import DescriptorByte, Fcp, PinStatus, decode_pin_status, encode_pin_status
from card.errors import DecodeError

# From the unit tests of Osmocom pySim (test_decode_select_resp).
MF = "622c8202782183023f00a50c80017183040003a7388701018a01058b032f0601c60c90016083010183010a83010b"
ADF_USIM = (
    "623d8202782183027fd0840ca0000000871002ff49ff0589a50c80017183040003a7388701018a01058b032f0601"
    "c60f90017083010183018183010a83010b"
)
EF_IMSI = "62178202412183026f078a01058b036f060a80020009880138"
EF_ECC = "621a82054221000e0283026fb78a01058b036f06088002001c880108"


def test_mf_of_a_real_card() -> None:
    fcp = Fcp.decode(bytes.fromhex(MF))
    assert fcp.is_directory
    assert (fcp.descriptor, fcp.file_id, fcp.life_cycle, fcp.arr) == (0x78, 0x3F00, 5, (0x2F06, 1))
    assert fcp.proprietary == bytes.fromhex("80017183040003A738870101")
    assert [(pin.reference, pin.enabled) for pin in fcp.pins] == [(0x01, False), (0x0A, True), (0x0B, True)]


def test_adf_of_a_real_card() -> None:
    fcp = Fcp.decode(bytes.fromhex(ADF_USIM))
    assert fcp.is_directory
    assert (fcp.file_id, fcp.df_name.hex()) == (0x7FD0, "a0000000871002ff49ff0589")
    assert [(pin.reference, pin.enabled) for pin in fcp.pins] == [
        (0x01, False), (0x81, True), (0x0A, True), (0x0B, True),
    ]  # fmt: skip


def test_transparent_file_of_a_real_card() -> None:
    fcp = Fcp.decode(bytes.fromhex(EF_IMSI))
    assert not fcp.is_directory
    assert (fcp.file_id, fcp.file_size, fcp.sfi, fcp.arr) == (0x6F07, 9, 7, (0x6F06, 10))
    assert fcp.encode().hex() == EF_IMSI


def test_linear_file_of_a_real_card() -> None:
    fcp = Fcp.decode(bytes.fromhex(EF_ECC))
    assert (fcp.descriptor, fcp.record_length, fcp.record_count, fcp.file_size) == (0x42, 14, 2, 28)
    assert fcp.sfi == 1
    assert fcp.encode().hex() == EF_ECC


OURS = {
    "transparent": Fcp(DescriptorByte.TRANSPARENT, 0x6F07, file_size=9, arr=(0x6F06, 3), sfi=7),
    "no SFI": Fcp(DescriptorByte.TRANSPARENT, 0x6FD6, file_size=128, arr=(0x6F06, 3)),
    "larger than 64 KiB": Fcp(DescriptorByte.BER_TLV, 0x4F01, file_size=0x12345, total_size=0x20000),
    "cyclic": Fcp(DescriptorByte.CYCLIC, 0x6F39, 4, 3, 5, file_size=15),
    "ADF": Fcp(
        DescriptorByte.DIRECTORY, 0x7FFF, df_name=bytes(16), proprietary=b"\x80\x01\x71", arr=(0x2F06, 1),
        pins=(PinStatus(0x01, True), PinStatus(0x81, False), PinStatus(0x11, True, 0x08)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("fcp", OURS.values(), ids=OURS)
def test_there_and_back(fcp: Fcp) -> None:
    assert Fcp.decode(fcp.encode()) == fcp


def test_no_sfi_is_said_and_not_left_out() -> None:
    assert OURS["no SFI"].encode().endswith(b"\x88\x00")


@pytest.mark.parametrize(
    ("descriptor", "directory"),
    [(0x78, True), (0x38, True), (0x41, False), (0x42, False), (0x46, False), (0x79, False)],
)
def test_directories_are_told_from_files(descriptor: int, directory: bool) -> None:
    assert Fcp(descriptor, 0x3F00).is_directory is directory


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "6200",  # no file descriptor
        "8202782183023F00",  # no template
        "6204820278",  # cut off
        "6203820178",  # half a file descriptor
        "62088202782182027821",  # the descriptor twice
    ],
)
def test_malformed(raw: str) -> None:
    with pytest.raises(DecodeError):
        Fcp.decode(bytes.fromhex(raw))


def test_more_than_eight_pins() -> None:
    pins = tuple(PinStatus(number, number % 3 == 0) for number in range(1, 12))
    assert decode_pin_status(encode_pin_status(pins)) == pins


def test_pin_status_of_no_pins() -> None:
    assert encode_pin_status(()) == bytes.fromhex("900100")
    assert decode_pin_status(encode_pin_status(())) == ()
