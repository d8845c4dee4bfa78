"""Somebody between terminal and card, or beside them: nothing they do yields a TEK or a channel they can use."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.oracle.sac import Connection
from tests.support.network import MTK_GENERATION, stkm
from tests.support.sac import OTHER_PSK, sac_card, sac_card_with_msk
from tests.support.sac_terminal import AES, TEK, OracleTerminal, Tunnel, get_tek, stkm_commands
from tests.support.testcard import Answer, TestCard, tlv

STATUS = bytes.fromhex("80F2000C")


@pytest.fixture
def card() -> TestCard:
    return sac_card()


@pytest.fixture
def tunnel(card: TestCard) -> Tunnel:
    return OracleTerminal(card).open()


def is_gone(tunnel: Tunnel) -> None:
    """Check that the channel gives nothing any more, not even for the right container."""
    tunnel.card.refused("9863", f"0075{tunnel.session << 6:02X}0000")
    assert tunnel.send(tunnel.made.seal(0, tunnel.counter + 1, STATUS)) == Answer("", "9863")
    terminal = OracleTerminal(tunnel.card)
    assert terminal.manage(3, terminal.start_value(tunnel.made)).sw == "9863"


# --- containers to the card


def test_replay(tunnel: Tunnel) -> None:
    sealed = tunnel.seal(STATUS)
    assert tunnel.send(sealed).sw == "9201"
    tunnel.fetch()
    assert tunnel.send(sealed) == Answer("", "9863")
    is_gone(tunnel)


def test_reordering(tunnel: Tunnel) -> None:
    first, second = tunnel.seal(STATUS), tunnel.seal(STATUS)
    assert tunnel.send(second) == Answer("", "9863")
    assert tunnel.send(first) == Answer("", "9863")
    is_gone(tunnel)


def test_suppression_is_noticed_with_the_next(tunnel: Tunnel) -> None:
    tunnel.seal(STATUS)
    assert tunnel.send(tunnel.seal(STATUS)) == Answer("", "9863")
    is_gone(tunnel)


def test_reflection(tunnel: Tunnel) -> None:
    assert tunnel.send(tunnel.seal(STATUS)).sw == "9201"
    answer = tunnel.fetch()
    assert tunnel.send(answer) == Answer("", "9863")
    is_gone(tunnel)


def test_reflection_with_the_number_that_is_due(tunnel: Tunnel) -> None:
    tunnel.run(STATUS)
    assert tunnel.send(tunnel.made.seal(1, 2, STATUS)) == Answer("", "9863")
    is_gone(tunnel)


def test_a_container_of_another_session(card: TestCard, tunnel: Tunnel) -> None:
    other = OracleTerminal(card).open()
    sealed = other.seal(STATUS)
    assert tunnel.send(sealed) == Answer("", "9863")
    is_gone(tunnel)
    # The other channel was only looked at.
    assert other.send(sealed).sw == "9241"


def test_containers_that_were_swapped_between_sessions(card: TestCard, tunnel: Tunnel) -> None:
    other = OracleTerminal(card).open()
    mine, theirs = tunnel.seal(STATUS), other.seal(STATUS)
    assert tunnel.send(theirs).sw == "9863"
    assert other.send(mine).sw == "9863"


def test_an_old_channel_of_the_same_master(card: TestCard) -> None:
    terminal = OracleTerminal(card)
    old = terminal.open()
    recorded = old.seal(STATUS)
    assert terminal.end_connection(old.made).sw == "9000"
    made = terminal.connect(old.names)
    new = Tunnel(card, old.names, made, terminal.start(made))
    assert new.session == old.session
    assert new.send(recorded) == Answer("", "9863")
    is_gone(new)


def test_blocks_in_another_order(card: TestCard) -> None:
    tunnel = OracleTerminal(card).open(16)
    sealed = tunnel.seal(STATUS)
    assert len(sealed) == 29
    assert tunnel.block(sealed[16:], 1).sw == "9200"
    assert tunnel.block(sealed[:16], 0) == Answer("", "9863")
    is_gone(tunnel)


@pytest.mark.parametrize("length", range(29))
def test_truncation(tunnel: Tunnel, length: int) -> None:
    assert tunnel.block(tunnel.seal(STATUS)[:length]) == Answer("", "9863")
    is_gone(tunnel)


def test_extension(tunnel: Tunnel) -> None:
    assert tunnel.block(tunnel.seal(STATUS) + b"\0") == Answer("", "9863")
    is_gone(tunnel)


def test_a_cut_off_tail_of_blocks(card: TestCard) -> None:
    tunnel = OracleTerminal(card).open(16)
    command = bytes.fromhex("00A4080C02") + bytes(2)
    sealed = tunnel.seal(command * 3)
    assert tunnel.block(sealed[:16], 0) == Answer("", "9863")
    is_gone(tunnel)


@pytest.mark.parametrize("position", range(29))
def test_flipped_bits_in_every_byte(card: TestCard, position: int) -> None:
    for bit in range(8):
        tunnel = OracleTerminal(card).open()
        changed = bytearray(tunnel.seal(STATUS))
        changed[position] ^= 1 << bit
        assert tunnel.send(bytes(changed)) == Answer("", "9863")
        is_gone(tunnel)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(junk=st.binary(max_size=240))
def test_junk(card: TestCard, junk: bytes) -> None:
    tunnel = OracleTerminal(card).open()
    assert tunnel.block(junk) == Answer("", "9863")
    is_gone(tunnel)


def test_number_zero_and_numbers_from_the_past(tunnel: Tunnel) -> None:
    tunnel.run(STATUS)
    assert tunnel.send(tunnel.made.seal(0, 0, STATUS)) == Answer("", "9863")
    is_gone(tunnel)


def test_a_counter_that_would_wrap(card: TestCard, tunnel: Tunnel) -> None:
    # (1 << 40) does not fit in five bytes: it would come round as 0, which is never the next one.
    assert tunnel.send(tunnel.made.seal(0, (1 << 40) - 1, STATUS)) == Answer("", "9863")
    is_gone(tunnel)


# --- after a failure


def test_nothing_in_clear_follows_a_failure(card: TestCard) -> None:
    card, _, message = sac_card_with_msk()
    tunnel = OracleTerminal(card).open()
    tunnel.expect(stkm_commands(message, 1)[0], "62F3")
    assert tunnel.block(b"forged") == Answer("", "9863")
    for fetch in ("0089A00000", "00C0000000", "0075000000", "0075010000"):
        assert card.send(fetch).data == ""
    card.mbms_refused("6989", MTK_GENERATION, stkm(message, 2).build())
    is_gone(tunnel)
    get_tek(OracleTerminal(card).open(), message, 2)


def test_an_answer_that_waits_goes_with_the_channel(card: TestCard, tunnel: Tunnel) -> None:
    assert tunnel.send(tunnel.seal(STATUS)).sw == "9201"
    assert OracleTerminal(card).end_connection(tunnel.made).sw == "9000"
    card.refused("9863", "0075000000")


# --- strangers


def test_a_stranger_cannot_start(card: TestCard) -> None:
    terminal = OracleTerminal(card)
    made = terminal.connect(terminal.master())
    value = terminal.start_value(made)
    for mac in (bytes(16), made.csa_mac(), made.end_mac(), made.start_mac(239)):
        forged = value.replace(made.start_mac(240), mac)
        assert terminal.manage(3, forged) == Answer("", "9862")
    assert terminal.start(made) == 0


def test_a_stranger_cannot_terminate(card: TestCard, tunnel: Tunnel) -> None:
    terminal = OracleTerminal(card)
    made, names = tunnel.made, tunnel.names
    before = card.persistent(), card.volatile()
    for mac in (bytes(16), made.csa_mac(), made.start_mac(240), b"\xff" * 16):
        assert terminal.end_connection(made, mac) == Answer("", "9862")
        assert terminal.end_master(names, mac) == Answer("", "9862")
    assert (card.persistent(), card.volatile()) == before
    tunnel.run(STATUS)


def test_a_terminal_with_another_secret_cannot_terminate(card: TestCard, tunnel: Tunnel) -> None:
    assert OracleTerminal(card, OTHER_PSK.reveal()).end_master(tunnel.names) == Answer("", "9862")
    tunnel.run(STATUS)


def test_a_recorded_termination_does_not_end_the_next_association(card: TestCard) -> None:
    terminal = OracleTerminal(card)
    first = terminal.open()
    connection_end = tlv(0x8B, first.made.csa_id + first.made.end_mac())
    assert terminal.end_master(first.names).sw == "9000"
    second = terminal.open()
    assert terminal.manage(4, connection_end) == Answer("", "9863")
    assert terminal.end_master(first.names) == Answer("", "9863")
    second.run(STATUS)


def test_a_recorded_start_starts_nothing(card: TestCard) -> None:
    terminal = OracleTerminal(card)
    tunnel = terminal.open()
    recorded = terminal.start_value(tunnel.made)
    assert terminal.end_connection(tunnel.made).sw == "9000"
    assert terminal.manage(3, recorded) == Answer("", "9863")
    terminal.connect(tunnel.names)
    assert terminal.manage(3, recorded) == Answer("", "9863")


def test_a_wrong_secret(card: TestCard) -> None:
    terminal = OracleTerminal(card)
    names = terminal.master()
    found = terminal.ask(2, tlv(0x88, names.msa_id) + tlv(0x89, AES) + tlv(0x8A, bytes(16)))
    guessed = Connection(OTHER_PSK.reveal(), names, found[0x8B], bytes(16), found[0x8A], AES, found[0x89])
    assert found[0x8C] != guessed.csa_mac()
    assert terminal.manage(3, terminal.start_value(guessed)) == Answer("", "9862")
    card.refused("9863", "0075000000")


# --- somebody changes what is agreed on in clear


@pytest.mark.parametrize(
    ("seen", "meant"),
    [
        ("methods", 3),
        ("terminal_id", bytes.fromhex("0A1032547698103254F6")),
        ("terminal_appli_id", b"other"),
        ("uicc_appli_id", bytes.fromhex("A0000003431002FF86FF0389FFFFFFFF")),
        ("uicc_id", bytes(10)),
        ("method", 0x81),
    ],
)
def test_names_that_were_changed_on_the_way_give_other_keys(card: TestCard, seen: str, meant: object) -> None:
    from dataclasses import replace

    terminal = OracleTerminal(card)
    names = terminal.master()
    changed = replace(names, **{seen: meant})  # type: ignore[arg-type]
    found = terminal.ask(2, tlv(0x88, names.msa_id) + tlv(0x89, AES) + tlv(0x8A, bytes(16)))
    believed = Connection(terminal.psk, changed, found[0x8B], bytes(16), found[0x8A], AES, found[0x89])
    assert found[0x8C] != believed.csa_mac()
    assert terminal.manage(3, terminal.start_value(believed)) == Answer("", "9862")


def test_an_offer_that_was_weakened_on_the_way_gives_other_keys(card: TestCard) -> None:
    terminal = OracleTerminal(card)
    names = terminal.master()
    # The terminal offered AES only; somebody made it "everything", hoping the card would choose something weak.
    found = terminal.ask(2, tlv(0x88, names.msa_id) + tlv(0x89, b"\x07\x07") + tlv(0x8A, bytes(16)))
    believed = Connection(terminal.psk, names, found[0x8B], bytes(16), found[0x8A], AES, found[0x89])
    assert found[0x89] == AES
    assert found[0x8C] != believed.csa_mac()
    assert terminal.manage(3, terminal.start_value(believed)) == Answer("", "9862")


# --- everything at once


MESSAGES: dict[str, Callable[[OracleTerminal, Connection], bytes]] = {
    "start": lambda terminal, made: tlv(0x73, terminal.start_value(made)),
    "terminate": lambda _, made: tlv(0x73, tlv(0x8B, made.csa_id + made.end_mac())),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_flipped_bits_in_every_byte_of_proved_messages(card: TestCard, name: str) -> None:
    terminal = OracleTerminal(card)
    made = terminal.connect(terminal.master())
    message = MESSAGES[name](terminal, made)
    procedure = {"start": 3, "terminate": 4}[name]
    for position in range(8 * len(message)):
        changed = bytearray(message)
        changed[position // 8] ^= 1 << position % 8
        answer = card.send(f"0073{procedure:02X}80{len(changed):02X}", bytes(changed))
        assert answer.sw in ("6700", "6A80", "6A81", "6A84", "9862", "9863", "63F1"), (position, answer)
        assert card.send("80F2000C").sw == "9000"  # ends what a longer length began
    assert terminal.start(made) == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(
    apdus=st.lists(
        st.tuples(st.sampled_from([0x73, 0x75]), st.integers(0, 255), st.integers(0, 255), st.binary(max_size=60)),
        max_size=12,
    )
)
def test_no_command_in_clear_disturbs_a_channel(card: TestCard, apdus: list[tuple[int, int, int, bytes]]) -> None:
    tunnel = OracleTerminal(card).open()
    for ins, p1, p2, data in apdus:
        if ins == 0x75 and p1 >> 6 == tunnel.session:
            continue  # that one does: by design a forged container ends the channel
        raw = bytes((0, ins, p1, p2)) + (bytes((len(data),)) + data if data else b"\0")
        assert card.send(raw).sw[:2] in ("67", "6A", "69", "98", "62", "63", "90", "6C", "61"), raw.hex()
    tunnel.run(STATUS)
    assert OracleTerminal(card).end_master(tunnel.names).sw == "9000"


def test_a_tek_comes_out_for_nobody_but_the_channel(card: TestCard) -> None:
    card, _, message = sac_card_with_msk()
    seen = bytearray()
    for size in (1, 7, 255):
        for block in stkm_commands(message, 1, size):
            seen += bytes.fromhex(card.send(block).data)
        for fetch in ("0089A00000", "0089200000", "00C0000000"):
            seen += bytes.fromhex(card.send(fetch).data)
    assert TEK[1:17] not in seen
    assert not seen
