"""Every example vector that a file's row carries, there and back through the codec the row names."""

from __future__ import annotations

import pytest

from card.codec.ef import CODECS
from card.errors import DecodeError
from card.spec.files.rows import EfRow
from tests.unit.card.spec.rows import ALL_FILES

EXAMPLES = [pytest.param(row, raw, value, id=f"{row.name}-{value}") for row in ALL_FILES for raw, value in row.examples]


@pytest.mark.parametrize(("row", "raw", "value"), EXAMPLES)
def test_example(row: EfRow, raw: str, value: object) -> None:
    codec, content = CODECS[row.codec], bytes.fromhex(raw)
    assert codec.decode(content) == value
    encoded = codec.encode(value)
    assert encoded in content, f"{encoded.hex()} is not in {raw}"
    assert content.replace(encoded, b"", 1).strip(b"\xff") == b"", "the rest is not padding"


def test_every_row_with_a_codec_names_one_that_exists() -> None:
    assert {row.codec for row in ALL_FILES if row.codec} - set(CODECS) == set()


def test_every_codec_is_shown_by_an_example() -> None:
    shown = {row.codec for row in ALL_FILES if row.examples}
    assert set(CODECS) - shown == set()


@pytest.mark.parametrize(
    ("codec", "content"),
    [
        ("languages", "C3A4"), ("spn", "00E9"), ("msisdn", "00"), ("msisdn", "FF" * 28), ("application", "4F00"),
        ("application", "FF" * 8), ("application", "61034F01"),
    ],
)  # fmt: skip
def test_hostile_content_is_a_decode_error(codec: str, content: str) -> None:
    with pytest.raises(DecodeError):
        CODECS[codec].decode(bytes.fromhex(content))
