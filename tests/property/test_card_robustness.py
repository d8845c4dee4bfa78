"""Whatever arrives, the card answers with a status word it knows, and goes on working.

The cards run in strict mode: an internal error is raised here instead of being answered 6F00.
"""

from __future__ import annotations

from functools import cache

from hypothesis import example, given
from hypothesis import strategies as st

from card.spec.ins import INS
from card.store.memory import MemoryStore
from tests.support.network import (
    BM_SC,
    KEY_DOMAIN,
    MSK_UPDATE,
    MTK_GENERATION,
    Bootstrap,
    card_with_msk,
    rand,
    stkm,
    vector,
)
from tests.support.profiles import AID
from tests.support.testcard import Answer, TestCard

CLASSES = st.sampled_from([0x00, 0x01, 0x0C, 0x40, 0x80, 0x81, 0xA0, 0xC0, 0xFF])
BYTE = st.integers(0, 255)
TEK_AND_SALT = Answer("DB" + bytes(range(0xB0, 0xCE)).hex().upper(), "9000")


@cache
def saved_card() -> tuple[dict[str, bytes], Bootstrap]:
    """Return a card's memory with one MSK (counter of the MUK: 1), and what the network knows."""
    card, session, _ = card_with_msk()
    return card.persistent(), session


def ready_card() -> tuple[TestCard, Bootstrap]:
    contents, session = saved_card()
    return TestCard(MemoryStore(contents)).unlocked(), session


def still_works(card: TestCard, session: Bootstrap) -> None:
    """Prove that the card opens again from its memory and answers."""
    reopened = card.reopened()
    assert reopened.card.power_on() == card.card.atr
    assert reopened.exchange("00A40004023F0000").sw == "9000"


def no_fault(message: bytes, sw: str) -> bool:
    """Tell whether a word is no sign of a fault: 6F00 is for a GET RESPONSE with nothing pending alone.

    TS 102 221 clause 12.1.1. That the word stands in the table is asserted by `TestCard.send`.
    """
    return sw != "6F00" or message[1] == INS.GET_RESPONSE


@st.composite
def commands(draw: st.DrawFn, most: int = 300) -> bytes:
    """Draw an APDU with a real instruction, and length fields that mostly fit."""
    ins = draw(st.sampled_from(INS) | BYTE)
    header = bytes((draw(CLASSES), ins, draw(st.sampled_from([0, 1, 4, 8, 0x80, 0xA0, 0x20]) | BYTE), draw(BYTE)))
    data = draw(st.binary(max_size=most))
    form = draw(st.sampled_from(["none", "le", "short", "short le", "extended", "extended le", "wrong"]))
    match form:
        case "none":
            return header
        case "le":
            return header + draw(st.binary(min_size=1, max_size=1))
        case "short":
            return header + bytes((len(data[:255]),)) + data[:255]
        case "short le":
            return header + bytes((len(data[:255]),)) + data[:255] + b"\0"
        case "extended":
            return header + b"\0" + len(data).to_bytes(2, "big") + data
        case "extended le":
            return header + b"\0" + len(data).to_bytes(2, "big") + data + draw(st.binary(min_size=2, max_size=2))
    return header + data


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=10))
def test_any_bytes(messages: list[bytes]) -> None:
    card, session = ready_card()
    for message in messages:
        assert no_fault(message, card.send(message).sw)
    still_works(card, session)


@given(st.lists(commands(), min_size=1, max_size=15))
def test_any_commands(messages: list[bytes]) -> None:
    card, session = ready_card()
    for message in messages:
        assert no_fault(message, card.send(message).sw)
    still_works(card, session)


@given(st.sampled_from(INS), BYTE, BYTE, st.integers(0, 65540), BYTE)
@example(INS.UPDATE_BINARY, 0, 0, 65540, 0)
@example(INS.AUTHENTICATE_ODD, 0x80, 0x85, 65540, 0x53)
@example(INS.GET_RESPONSE, 0, 0, 0, 0)
def test_long_messages(ins: int, p1: int, p2: int, size: int, fill: int) -> None:
    card, session = ready_card()
    data = bytes((fill,)) * size
    for raw in (data, b"\0" + min(size, 0xFFFF).to_bytes(2, "big") + data[:0xFFFF]):
        message = bytes((0, ins, p1, p2)) + raw
        assert no_fault(message, card.send(message).sw)
    still_works(card, session)


@given(st.integers(5, 65540), st.binary(min_size=1, max_size=255))
def test_an_endless_data_object_ends(length: int, block: bytes) -> None:
    """The card stops collecting at the size of its buffer, whatever length the object claims."""
    card, _ = ready_card()
    header = b"\x53\x83" + length.to_bytes(3, "big")
    blocks = [header + block] + [block] * 400
    collected = 0
    for number, sent in enumerate(blocks):
        sent = sent[:255]
        answer = card.send("0089", "00" if number else "80", "85", bytes((len(sent),)), sent)
        if answer.sw != "63F1":
            assert answer.sw in ("62F3", "6700", "6A84", "9862")
            return
        collected += len(sent)
        assert collected <= 16384, "the card keeps more than its buffer holds"


# --- hostile MIKEY


@st.composite
def mutations(draw: st.DrawFn, message: bytes) -> bytes:
    """Draw a message with some bits flipped, a part cut out, put in twice, or replaced."""
    result = bytearray(message)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, max(0, len(result) - 1)))
        count = draw(st.integers(0, 8))
        match draw(st.sampled_from(["flip", "cut", "truncate", "insert", "repeat", "set"])):
            case "flip" if result:
                result[at] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del result[at : at + count]
            case "truncate":
                del result[at:]
            case "insert":
                result[at:at] = draw(st.binary(min_size=1, max_size=8))
            case "repeat":
                result[at:at] = result[at : at + count]
            case "set" if result:
                result[at] = draw(st.sampled_from([0x00, 0x01, 0x7F, 0x80, 0xFF]))
    return bytes(result)


@st.composite
def hostile(draw: st.DrawFn) -> tuple[int, bytes]:
    """Draw a mode and a message that began as a valid LTKM or STKM."""
    session = saved_card()[1]
    bcast = draw(st.none() | st.binary(max_size=40))
    message = session.ltkm(2, verify=draw(st.booleans()), bcast=bcast).build()
    traffic = stkm(session.ltkm(1), bcast=bcast).build()
    return draw(st.sampled_from([1, 2, 3, 4])), draw(st.sampled_from([message, traffic]).flatmap(mutations))


@given(hostile())
def test_mutated_messages(drawn: tuple[int, bytes]) -> None:
    mode, message = drawn
    card, session = ready_card()
    before = card.persistent()
    answer = card.mbms(mode, message)
    assert answer.sw in ("9000", "6700", "6A88", "9862", "9865", "6985"), answer
    if answer.sw != "9000":
        assert card.persistent() == before
        assert card.mbms(MTK_GENERATION, stkm(session.ltkm(1)).build()) == TEK_AND_SALT


NUMBER = st.integers(0, 0xFFFFFFFF)
SHORT = st.binary(max_size=12)


@given(
    counter=NUMBER,
    csb_id=NUMBER,
    rand_=st.binary(max_size=40),
    domain=st.just(KEY_DOMAIN) | SHORT,
    msk_id=st.binary(min_size=4, max_size=4) | SHORT,
    msk=st.binary(min_size=16, max_size=16) | st.binary(max_size=64),
    lower=SHORT,
    upper=SHORT,
    bcast=st.none() | st.binary(max_size=60),
)
def test_authentic_ltkms_of_any_content(
    counter: int,
    csb_id: int,
    rand_: bytes,
    domain: bytes,
    msk_id: bytes,
    msk: bytes,
    lower: bytes,
    upper: bytes,
    bcast: bytes | None,
) -> None:
    """A BM-SC gone mad: the MAC is right, the rest is anything."""
    card, session = ready_card()
    message = session.ltkm(
        counter, csb_id=csb_id, rand=rand_, key_domain_id=domain, msk_id=msk_id, msk=msk, lower=lower, upper=upper,
        bcast=bcast,
    )  # fmt: skip
    before = card.persistent()
    answer = card.mbms(MSK_UPDATE, message.build())
    assert answer.sw != "6F00"
    if not answer.data:
        assert card.persistent() == before
    still_works(card, session)


@given(
    counter=NUMBER,
    csb_id=NUMBER,
    mtk_id=st.binary(min_size=2, max_size=2) | SHORT,
    tek=st.binary(min_size=16, max_size=16) | st.binary(max_size=64),
    salt=st.none() | st.binary(max_size=64),
    bcast=st.none() | st.binary(max_size=60),
)
def test_authentic_stkms_of_any_content(
    counter: int, csb_id: int, mtk_id: bytes, tek: bytes, salt: bytes | None, bcast: bytes | None
) -> None:
    card, session = ready_card()
    message = stkm(session.ltkm(1), counter, csb_id=csb_id, mtk_id=mtk_id, tek=tek, salt=salt, bcast=bcast)
    answer = card.mbms(MTK_GENERATION, message.build())
    assert answer.sw != "6F00"
    if bcast is None and answer.sw == "9000":
        assert answer.data == ("DB" + (tek + (salt or b"")).hex()).upper()
    still_works(card, session)


# --- hostile files


FILES = [0x6F06, 0x6F38, 0x6FD6, 0x6FD7, 0x6FD8, 0x6FDA, 0x6F07]


@given(st.lists(st.tuples(st.sampled_from(FILES), st.integers(1, 12), st.binary(max_size=200)), max_size=6))
def test_any_content_of_the_files_the_card_reads(writes: list[tuple[int, int, bytes]]) -> None:
    """The holder of the administrative key may write nonsense into EF_ARR, EF_UST, EF_GBABP and the others."""
    card, session = ready_card()
    for fid, number, data in writes:
        card.ok(f"00A4000C02{fid:04X}")
        size = len(card.exchange("00B0000000").data) // 2 or len(card.exchange(f"00B2{number:02X}0400").data) // 2
        content = data[:size].ljust(size, b"\xff")
        if content:
            card.send("00D60000", bytes((size,)), content)
            card.send(f"00DC{number:02X}04", bytes((size,)), content)
    made = vector(5, rand(5))
    for raw in (
        b"\x00\x88\x00\x81\x22\x10" + rand(5) + b"\x10" + made["autn"],
        b"\x00\x88\x00\x84" + bytes((len(BM_SC) + 7,)) + b"\xde" + bytes((len(BM_SC),)) + BM_SC + b"\x04impi",
        bytes.fromhex(f"00A4040410{AID.hex()}00"),
        bytes.fromhex("80F2000000"),
    ):
        assert card.send(raw).sw != "6F00"
    assert card.mbms(MSK_UPDATE, session.ltkm(2).build()).sw != "6F00"
    assert card.mbms(MTK_GENERATION, stkm(session.ltkm(1)).build()).sw != "6F00"
    still_works(card, session)
