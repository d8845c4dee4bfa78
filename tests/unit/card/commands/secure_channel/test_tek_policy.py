"""When a TEK may leave the card: the whole way of an STKM, inside a channel and outside."""

from __future__ import annotations

from dataclasses import replace

import pytest

from card.spec.sac_tables import TekPolicy
from tests.oracle.bcast_model import LtkmData, StkmData
from tests.oracle.bcast_wire import P1, X2, Wire
from tests.oracle.mikey import Ltkm
from tests.support.bcast import KEY_ID, SEK, BcastCard, tek
from tests.support.csim import CSIM_AID, csim_profile
from tests.support.network import (
    MSK_DELETION,
    MSK_UPDATE,
    MTK_GENERATION,
    bootstrap,
    deliver,
    derive_naf_keys,
    stkm,
)
from tests.support.profiles import AID, PIN1
from tests.support.sac import sac_card_with_msk, sac_profile
from tests.support.sac_terminal import ANSWER, TEK, OracleTerminal, Tunnel, get_tek, stkm_commands
from tests.support.testcard import TestCard, pin_bytes

SELECT_USIM = bytes.fromhex(f"00A4040C10{AID.hex()}")


@pytest.fixture
def setting() -> tuple[TestCard, Ltkm]:
    card, _, message = sac_card_with_msk()
    return card, message


# --- in clear


@pytest.mark.parametrize("size", [255, 40, 1])
def test_in_clear_it_is_6989_and_nothing_changes(setting: tuple[TestCard, Ltkm], size: int) -> None:
    card, message = setting
    *blocks, last = stkm_commands(message, 1, size)
    for block in blocks:
        assert card.send(block).sw == "63F1"
    card.refused("6989", last)
    card.refused("6985", "0089A00000")


def test_the_same_stkm_then_works_inside(setting: tuple[TestCard, Ltkm]) -> None:
    card, message = setting
    card.mbms_refused("6989", MTK_GENERATION, stkm(message, 1).build())
    get_tek(OracleTerminal(card).open(), message, 1)


def test_everything_else_works_in_clear(setting: tuple[TestCard, Ltkm]) -> None:
    card, message = setting
    assert card.mbms(MSK_DELETION, message.key_domain_id + message.msk_id[:2]).data == "DB"
    assert card.mbms(MSK_UPDATE, b"").sw == "9862"


def test_without_a_policy_a_tek_leaves_in_clear_and_inside() -> None:
    card, _, message = sac_card_with_msk(TekPolicy.CLEAR)
    assert card.mbms(MTK_GENERATION, stkm(message, 1).build()).data == TEK.hex().upper()
    get_tek(OracleTerminal(card).open(), message, 2)


# --- inside


@pytest.mark.parametrize("size", [255, 40])
def test_inside_it_is_the_whole_way(setting: tuple[TestCard, Ltkm], size: int) -> None:
    card, message = setting
    tunnel = OracleTerminal(card).open()
    get_tek(tunnel, message, 1, size)
    tunnel.expect(stkm_commands(message, 1)[0], "9865")
    get_tek(tunnel, message, 2, size)


def test_a_tek_that_waits_inside_cannot_be_fetched_in_clear(setting: tuple[TestCard, Ltkm]) -> None:
    card, message = setting
    tunnel = OracleTerminal(card).open()
    tunnel.expect(stkm_commands(message, 1)[0], "62F3")
    for fetch in ("0089A00000", "0089200000", "007301A000"):
        card.refused("6985", fetch)
    card.refused("6F00", "00C0000000")
    tunnel.expect("0089A00000", ANSWER + b"\x90\x00")


def test_a_tek_that_waits_inside_cannot_be_fetched_on_another_session(setting: tuple[TestCard, Ltkm]) -> None:
    card, message = setting
    first, second = OracleTerminal(card).open(), OracleTerminal(card).open()
    first.expect(stkm_commands(message, 1)[0], "62F3")
    second.expect("0089A00000", "6985")
    first.expect("0089A0000A", ANSWER[:10] + b"\x62\xf1")
    second.expect("0089200000", "6985")
    first.expect("0089200000", ANSWER[10:] + b"\x90\x00")


def test_a_stkm_begun_inside_cannot_be_finished_in_clear(setting: tuple[TestCard, Ltkm]) -> None:
    card, message = setting
    tunnel = OracleTerminal(card).open()
    first, second = stkm_commands(message, 1, 70)
    tunnel.expect(first, "63F1")
    card.refused("6A86", second)
    tunnel.expect(second, "62F3")


def test_on_another_logical_channel(setting: tuple[TestCard, Ltkm]) -> None:
    card, message = setting
    tunnel = OracleTerminal(card).open()
    tunnel.expect("0070000001", "019000")
    tunnel.expect(b"\x01" + SELECT_USIM[1:], "9000")
    tunnel.expect(b"\x01\x20\x00\x01\x08" + pin_bytes(PIN1), "9000")
    tunnel.expect(stkm_commands(message, 1, cla=1)[0], "62F3")
    tunnel.expect("0089A00000", "6985")
    tunnel.expect("0189A00000", ANSWER + b"\x90\x00")


def test_with_a_pin_that_was_verified_inside(setting: tuple[TestCard, Ltkm]) -> None:
    card, message = setting
    card.card.reset()
    tunnel = OracleTerminal(card).open()
    tunnel.expect(SELECT_USIM, "9000")
    tunnel.expect(stkm_commands(message, 1)[0], "6982")
    tunnel.expect(b"\x00\x20\x00\x01\x08" + pin_bytes(PIN1), "9000")
    get_tek(tunnel, message, 1)


def test_the_tek_never_crosses_the_wire(setting: tuple[TestCard, Ltkm]) -> None:
    card, message = setting
    seen: list[bytes] = []
    transmit = card.card.transmit

    def listening(raw: bytes) -> bytes:
        answer = transmit(raw)
        seen.extend((raw, answer))
        return answer

    card.card.transmit = listening  # type: ignore[method-assign]
    get_tek(OracleTerminal(card).open(), message, 1)
    assert not any(TEK[1:17] in data or stkm(message, 1).build() in data for data in seen)
    assert len(seen) > 10


# --- terminal binding

SAC = """
[sac]
tek = "%s"
psk = [{ terminal_id = "490154203237518", key = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" }]
"""
MESSAGE = StkmData(KEY_ID, SEK, mtk=1, ts=1, extended=True)


def bcast_card(wire: Wire, policy: TekPolicy) -> BcastCard:
    """Return a card under BCAST rules that holds one key for live reception."""
    made = BcastCard.new(wire, SAC % policy.value)
    made.update(made.ltkm(LtkmData(KEY_ID, SEK, 0, 100, 1)).build())
    return made


@pytest.mark.parametrize("wire", [P1, X2], ids=lambda wire: wire.name)
def test_with_terminal_binding_the_channel_is_optional(wire: Wire) -> None:
    made = bcast_card(wire, TekPolicy.CHANNEL_OR_BINDING)
    assert made.generate(made.stkm(MESSAGE).build())[0] == "6989"
    sw, answer = made.generate(made.stkm(MESSAGE, binding=7).build())
    assert sw == "9000"
    assert tek(1) in b"".join(answer.values())


@pytest.mark.parametrize("wire", [P1, X2], ids=lambda wire: wire.name)
def test_with_the_strict_policy_it_is_not(wire: Wire) -> None:
    made = bcast_card(wire, TekPolicy.CHANNEL)
    assert made.generate(made.stkm(MESSAGE, binding=7).build())[0] == "6989"


@pytest.mark.parametrize("wire", [P1, X2], ids=lambda wire: wire.name)
def test_binding_cannot_be_pretended(wire: Wire) -> None:
    # The extension that says "bound" in front of a message that was made without it: the policy believes it, its MAC
    # does not.
    made = bcast_card(wire, TekPolicy.CHANNEL_OR_BINDING)
    bound, plain = made.stkm(MESSAGE, binding=7).build(), made.stkm(MESSAGE).build()
    forged = bound[: -len(_kemac(plain))] + _kemac(plain)
    assert made.generate(forged) == ("9862", {})
    assert made.generate(plain)[0] == "6989"


@pytest.mark.parametrize(
    ("policy", "protection", "answer"),
    [
        # The card's own policy looks at no message; the rule of OMA BCAST is about content that stays protected.
        (TekPolicy.CLEAR, 0, "status"),
        (TekPolicy.CLEAR, 1, "status"),
        (TekPolicy.CLEAR, 2, "TEK"),
        (TekPolicy.CLEAR, 3, "TEK"),
        (TekPolicy.CHANNEL, 0, "6989"),
        (TekPolicy.CHANNEL, 3, "6989"),
    ],
)
def test_the_two_rules_side_by_side(policy: TekPolicy, protection: int, answer: str) -> None:
    made = BcastCard.new(P1, "secure_channel = true" + SAC % policy.value)
    made.update(made.ltkm(LtkmData(KEY_ID, SEK, 0, 100, 1, "live_free")).build())
    before = made.card.persistent()
    sw, objects = made.generate(made.stkm(MESSAGE, protection=protection).build())
    if answer == "TEK":
        assert (sw, objects[0x86]) == ("9000", tek(1))
        return
    assert made.card.persistent() == before
    refused = ("9000", b"\x0b") if answer == "status" else ("6989", None)
    assert (sw, objects.get(0x80)) == refused
    assert 0x86 not in objects


def _kemac(message: bytes) -> bytes:
    """Return the KEMAC payload at the end: its encrypted part differs not, its MAC does."""
    return message[-20:]


# --- a channel to one application is none to another


def test_a_channel_to_the_csim_gives_no_tek_of_the_usim() -> None:
    profile = csim_profile()
    card = TestCard.new(replace(profile, sac=sac_profile().sac)).ready()
    session = bootstrap(card)
    derive_naf_keys(card)
    message = session.ltkm()
    deliver(card, message)
    terminal = OracleTerminal(card)
    names = terminal.master(aid=CSIM_AID)
    made = terminal.connect(names)
    stranger = Tunnel(card, names, made, terminal.start(made))
    stranger.expect(stkm_commands(message, 1)[0], "6989")
    get_tek(terminal.open(), message, 1)


@pytest.mark.parametrize("mode", [0, 3])
def test_keys_of_bcmcs_need_the_channel_too(mode: int) -> None:
    card = TestCard.new(replace(csim_profile(), sac=sac_profile().sac))
    card.ok(f"00A4040C10{CSIM_AID.hex()}")
    card.refused("6989", f"8058{mode:02X}0003", "8001FF")
