"""AUTHENTICATE answers no status word but those of its column in TS 31.102 table 7.3.2, whatever its data say.

A context is one row of `CONTEXTS`: header and data of a command that the card carries out. Mutations of both are tried
on a card where the command could succeed. `DEVIATIONS` are the words outside the table that the card owns up to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.codec.group_call import VoiceCall
from card.crypto.secret import Secret
from card.profile.usim import GroupKeyProfile
from card.spec.status import SW, belongs_to_authenticate, describe
from card.store.memory import MemoryStore
from tests.support.mbms import muk_id
from tests.support.network import (
    FQDN,
    KEY_DOMAIN,
    Bootstrap,
    autn_star,
    bootstrap,
    deliver,
    derive_naf_keys,
    rand,
    stkm,
    vector,
)
from tests.support.profiles import PIN1, K, card_profile
from tests.support.testcard import SELECT_USIM, TestCard, lv, tlv

# Named in docs/spec/deviations.md: an object in blocks that is too long, and a TEK that has to go through a channel.
DEVIATIONS = frozenset({SW.NOT_ENOUGH_MEMORY, SW.SECURE_CHANNEL_REQUIRED})
VSERVICE_ID = bytes.fromhex("178C29D0")  # VGCS, group 12345678 (TS 31.102 annex K)


@dataclass(frozen=True)
class AuthContext:
    """A command that succeeds in one context: instruction, P2, data; with the odd instruction P1 names the block."""

    name: str
    ins: int
    p2: int
    data: bytes
    p1: int = 0x00


_VECTOR = vector(1, rand(1), 1)
SESSION = Bootstrap(_VECTOR["f3"] + _VECTOR["f4"], rand(1))

CONTEXTS = (
    AuthContext("GSM", 0x88, 0x80, lv(rand(3))),
    AuthContext("3G", 0x88, 0x81, lv(rand(3), vector(9, rand(3))["autn"])),
    AuthContext("VGCS/VBS", 0x88, 0x82, lv(VSERVICE_ID, b"\x01", bytes(5))),
    AuthContext("GBA bootstrapping", 0x88, 0x84, b"\xdd" + lv(rand(3), autn_star(vector(9, rand(3))))),
    AuthContext("NAF derivation", 0x88, 0x84, b"\xde" + lv(b"naf.example.org\x01\x00\x00\x00\x01", b"a@b")),
    AuthContext("MSK update", 0x89, 0x85, tlv(0x53, b"\x01" + SESSION.ltkm(2).build()), p1=0x80),
    AuthContext("MTK generation", 0x89, 0x85, tlv(0x53, b"\x02" + stkm(SESSION.ltkm(1)).build()), p1=0x80),
    AuthContext("MSK deletion", 0x89, 0x85, tlv(0x53, b"\x03" + KEY_DOMAIN + b"\x00\x01"), p1=0x80),
    AuthContext("MUK deletion", 0x89, 0x85, tlv(0x53, b"\x04" + muk_id(FQDN, SESSION.b_tid)), p1=0x80),
)


@cache
def template() -> TestCard:
    """Return a card with a group key, a MUK and an MSK, once."""
    base = card_profile()
    groups = (GroupKeyProfile(VoiceCall.VGCS, "12345678", 1, Secret(K)),)
    card = TestCard.new(replace(base, usim=replace(base.usim, group_keys=groups))).ready()
    bootstrap(card)
    derive_naf_keys(card)
    deliver(card, SESSION.ltkm(1))
    return card


def new() -> TestCard:
    """Return a card like the template, as it was made."""
    return TestCard(MemoryStore(template().persistent()))


def fresh() -> TestCard:
    """Return such a card with its USIM selected and its PIN verified."""
    card = new()
    card.ok(SELECT_USIM)
    assert card.verify(0x01, PIN1).sw == "9000"
    return card


def words(card: TestCard, context: AuthContext, p1: int, p2: int, data: bytes, tail: bytes) -> set[int]:
    """Send the command, and fetch what it left; return the words that are the command's own."""
    sent = bytes((0x00, context.ins, p1, p2)) + (bytes((len(data),)) if data else b"") + data + tail
    answer = card.send(sent)
    if answer.sw.startswith("61"):
        answer = card.send("00C00000" + answer.sw[2:])
    found = {int(answer.sw, 16)}
    if answer.sw == "62F3":
        found.add(int(card.send(bytes((0x00, context.ins, 0xA0, p2, 0x00))).sw, 16))
    return found


def mutations(data: bytes) -> st.SearchStrategy[bytes]:
    """Return data cut, lengthened, with a byte changed, or made of nothing but chance."""
    position = st.integers(0, len(data) - 1)
    return st.one_of(
        st.just(data),
        position.map(lambda end: data[:end]),
        st.binary(min_size=1, max_size=4).map(lambda more: data + more),
        st.tuples(position, st.integers(0, 255)).map(lambda at: data[: at[0]] + bytes((at[1],)) + data[at[0] + 1 :]),
        st.binary(max_size=255),
    )


@pytest.mark.parametrize("context", CONTEXTS, ids=lambda context: context.name)
def test_the_command_itself_is_carried_out(context: AuthContext) -> None:
    """What is mutated below is right as it stands."""
    expected = {SW.RESPONSE_AVAILABLE, SW.OK} if context.p1 else {SW.OK}
    assert words(fresh(), context, context.p1, context.p2, context.data, b"") == expected


@pytest.mark.parametrize("context", CONTEXTS, ids=lambda context: context.name)
@given(data=st.data())
def test_mutated_data(context: AuthContext, data: st.DataObject) -> None:
    card = fresh()
    mutated = data.draw(mutations(context.data))
    tail = data.draw(st.sampled_from([b"", b"\x00", b"\x10"]))
    check(words(card, context, context.p1, context.p2, mutated, tail))


@pytest.mark.parametrize("context", CONTEXTS, ids=lambda context: context.name)
@given(p1=st.integers(0, 255), p2=st.integers(0, 255), place=st.sampled_from(["MF", "no PIN", "ready"]))
def test_parameters_and_places(context: AuthContext, p1: int, p2: int, place: str) -> None:
    card = new()
    if place != "MF":
        card.ok(SELECT_USIM)
    if place == "ready":
        assert card.verify(0x01, PIN1).sw == "9000"
    check(words(card, context, p1, p2, context.data, b""))


def check(found: set[int]) -> None:
    """Assert that words belong to the command or are named as deviations."""
    outside = {sw for sw in found if not belongs_to_authenticate(sw) and sw not in DEVIATIONS}
    assert outside == set(), [describe(sw) for sw in outside]


@pytest.mark.parametrize("sw", [0x6A80, 0x6A82, 0x6A83, 0x6A84, 0x6A87, 0x6981, 0x6983, 0x6986, 0x6989, 0x6D00, 0x6282])
def test_words_that_are_not_in_the_column(sw: int) -> None:
    assert not belongs_to_authenticate(sw)


@pytest.mark.parametrize("sw", [0x9000, 0x910B, 0x9862, 0x9867, 0x62F1, 0x63F1, 0x6700, 0x6985, 0x6A88, 0x6F00])
def test_words_that_are(sw: int) -> None:
    assert belongs_to_authenticate(sw)
