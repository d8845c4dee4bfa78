"""Messages of MANAGE SECURE CHANNEL and blocks of TRANSACT DATA, both ways."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.codec import sac
from card.errors import DecodeError
from card.spec.sac_tables import SAC_STATUS, TAG_REFS, Procedure, SacTag, TransferState, transfer_status
from card.spec.status import find_row

ID = st.binary(min_size=16, max_size=16)
TERMINAL, NAME = st.binary(min_size=1, max_size=10), st.binary(min_size=1, max_size=32)
AID = st.binary(min_size=5, max_size=16)
BYTE = st.integers(0, 255)
PAIR = st.binary(min_size=2, max_size=2)
ENDPOINT = st.builds(sac.Endpoint, BYTE, BYTE, BYTE, BYTE, BYTE, st.binary(max_size=16), st.integers(0, 0xFFFF))
TERMINATION = st.builds(sac.Termination, ID, ID)

MESSAGES = st.one_of(
    st.builds(sac.Endpoints, st.binary(min_size=10, max_size=10), st.lists(ENDPOINT, max_size=4).map(tuple)),
    st.builds(sac.MasterRequest, BYTE, TERMINAL, NAME, AID),
    st.builds(sac.MasterResponse, BYTE, ID),
    st.builds(sac.ConnectionRequest, ID, PAIR, ID),
    st.builds(sac.ConnectionResponse, PAIR, ID, ID, ID),
    st.builds(sac.StartRequest, PAIR, ID, ID, BYTE),
    st.builds(sac.TlsStartRequest, ID, BYTE),
    st.builds(sac.StartResponse, st.integers(0, 3)),
    st.builds(sac.TerminateRequest, st.tuples(TERMINATION), st.just(())),
    st.builds(sac.TerminateRequest, st.just(()), st.lists(TERMINATION, min_size=1, max_size=4).map(tuple)),
)
DECODERS: tuple[Callable[[bytes], object], ...] = (
    sac.Endpoints.decode,
    sac.MasterRequest.decode,
    sac.MasterResponse.decode,
    sac.ConnectionRequest.decode,
    sac.ConnectionResponse.decode,
    sac.StartRequest.decode,
    sac.TlsStartRequest.decode,
    sac.StartResponse.decode,
    sac.TerminateRequest.decode,
    sac.decode_start,
    sac.decode_block,
)


@given(MESSAGES)
def test_what_is_written_is_read(message: sac.MasterRequest) -> None:
    assert type(message).decode(message.encode()) == message


@given(st.one_of(st.builds(sac.StartRequest, PAIR, ID, ID, BYTE), st.builds(sac.TlsStartRequest, ID, BYTE)))
def test_both_kinds_of_start_are_told_apart(message: sac.StartRequest | sac.TlsStartRequest) -> None:
    assert sac.decode_start(message.encode()) == message


@given(MESSAGES, st.data())
def test_no_part_of_a_message_is_read(message: sac.MasterRequest, data: st.DataObject) -> None:
    encoded = message.encode()
    length = data.draw(st.integers(0, len(encoded) - 1))
    try:
        shorter = type(message).decode(encoded[:length])
    except DecodeError:
        return
    # Endpoints and terminations are lists: a shorter list is a message too.
    assert shorter.encode() == encoded[:length]


@pytest.mark.parametrize("decode", DECODERS)
@given(junk=st.binary(max_size=80))
def test_junk_is_refused_by_name(decode: Callable[[bytes], object], junk: bytes) -> None:
    try:
        decode(junk)
    except DecodeError:
        return


@given(st.binary(max_size=240))
def test_blocks(part: bytes) -> None:
    assert sac.decode_block(sac.encode_block(part)) == part


def test_a_worked_endpoint() -> None:
    # The layout that the fact sheet works out: one USIM endpoint, required, Secured APDU, two associations.
    aid = bytes.fromhex("A0000000871002FFFFFFFF8907090000")
    message = sac.Endpoints(bytes(10), (sac.Endpoint(2, 1, 0x94, 3, 0xF0, aid),))
    assert message.encode() == bytes.fromhex("810A" + "00" * 10 + "8217 02 01 94 03 F0 0000") + aid


@pytest.mark.parametrize("number", [4, 255])
def test_session_numbers(number: int) -> None:
    with pytest.raises(DecodeError):
        sac.StartResponse.decode(bytes((0x8F, 1, number)))


# --- tables


def test_every_tag_says_where_it_comes_from() -> None:
    assert set(TAG_REFS) == set(SacTag)
    assert TAG_REFS[SacTag.NONCE].provisional
    assert not TAG_REFS[SacTag.MSA_ID].provisional


@pytest.mark.parametrize("name", SAC_STATUS)
def test_every_status_word_is_known_and_provisional(name: str) -> None:
    assert find_row(SAC_STATUS[name].value) is not None
    assert SAC_STATUS[name].ref.provisional


def test_transfer_status_words() -> None:
    assert [transfer_status(3, state) for state in TransferState] == [0x92C0, 0x92C1, 0x92C2]
    assert find_row(0x92C1) is not None
    assert list(Procedure) == [0, 1, 2, 3, 4]
