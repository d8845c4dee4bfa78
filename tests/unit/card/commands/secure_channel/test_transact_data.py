"""TRANSACT DATA: containers in blocks, and the commands in them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from card.card import Card
from card.domain.secure_channel.tunnels import SecuredApdu
from card.personalisation.personalise import personalise
from card.profile.cat import CatCommand, CatProfile, CatStep
from card.store.memory import MemoryStore
from tests.support.ports import CollectingTrace
from tests.support.profiles import AID, OPEN_TRANSPARENT, PIN1
from tests.support.sac import sac_card, sac_profile
from tests.support.sac_terminal import OracleTerminal, Tunnel
from tests.support.testcard import TestCard, pin_bytes

SELECT_OPEN = f"00A4000C02{OPEN_TRANSPARENT:04X}"
CONTENT = bytes(range(16))


@pytest.fixture
def card() -> TestCard:
    return sac_card()


@pytest.fixture
def tunnel(card: TestCard) -> Tunnel:
    return OracleTerminal(card).open()


# --- commands inside


def test_a_command_inside_is_answered_as_outside(tunnel: Tunnel) -> None:
    tunnel.expect(SELECT_OPEN, "9000")
    tunnel.expect("00B0000010", CONTENT + b"\x90\x00")
    tunnel.expect("00B0000000", CONTENT + b"\x90\x00")


def test_refusals_inside_keep_the_channel_and_change_nothing(card: TestCard, tunnel: Tunnel) -> None:
    before = card.persistent()
    tunnel.expect("00A4000C024242", "6A82")
    tunnel.expect("00FF0000", "6D00")
    tunnel.expect("00", "6700")
    tunnel.expect(b"", b"\x67\x00")
    tunnel.expect("0CA40000023F00", "6882")
    assert card.persistent() == before
    tunnel.expect(SELECT_OPEN, "9000")


def test_state_is_shared_with_commands_in_clear(card: TestCard, tunnel: Tunnel) -> None:
    tunnel.expect(SELECT_OPEN, "9000")
    assert card.ok("00B0000010") == CONTENT
    tunnel.expect(f"00A4040C10{AID.hex()}", "9000")
    tunnel.expect(b"\x00\x20\x00\x01\x08" + pin_bytes(PIN1), "9000")
    card.ok("00A4000C026F07")
    card.ok("00B0000009")


def test_a_wrong_pin_inside_is_counted(card: TestCard, tunnel: Tunnel) -> None:
    tunnel.expect(f"00A4040C10{AID.hex()}", "9000")
    tunnel.expect(b"\x00\x20\x00\x01\x08" + pin_bytes("0000"), "63C2")
    assert card.send("00200001").sw == "63C2"


def test_other_logical_channels(card: TestCard, tunnel: Tunnel) -> None:
    tunnel.expect("0070000001", "019000")
    tunnel.expect(SELECT_OPEN, "9000")
    tunnel.expect("01A4000C022FE2", "9000")
    tunnel.expect("00B0000010", CONTENT + b"\x90\x00")
    tunnel.expect("01B000000A", "980001010000000010F99000")
    # The channel's own commands may come on any logical channel.
    sealed = tunnel.seal(bytes.fromhex("00B0000010"))
    assert card.send("01750400", bytes((len(sealed) + 2, 0x80, len(sealed))), sealed).sw == "9201"
    assert bytes.fromhex(card.send("0175000000").data)[2:] == tunnel.made.seal(1, tunnel.counter, CONTENT + b"\x90\x00")
    tunnel.expect("02A4000C022FE2", "6881")


def test_get_response_stays_inside(card: TestCard, tunnel: Tunnel) -> None:
    fcp = card.ok("00A40004023F00")
    tunnel.expect("00A40004023F00", bytes((0x61, len(fcp))))
    card.refused("6F00", "00C0000000")
    tunnel.expect("00C00000" + f"{len(fcp):02X}", fcp + b"\x90\x00")


def test_get_response_stays_outside(card: TestCard, tunnel: Tunnel) -> None:
    answer = card.send("00A40004023F00")
    assert answer.sw.startswith("61")
    tunnel.expect("00C00000" + answer.sw[2:], "6F00")


def test_blocks_in_and_out_of_a_channel_do_not_mix(card: TestCard, tunnel: Tunnel) -> None:
    card.ready()
    assert card.send("008980850153").sw == "63F1"
    tunnel.expect("008900850101", "6A86")
    tunnel.expect("008980850153", "63F1")
    card.refused("6A86", "008900850101")


def test_a_channel_inside_a_channel_is_refused(tunnel: Tunnel) -> None:
    tunnel.expect("0075000000", "6985")
    tunnel.expect("0075040003800101", "6985")


def test_management_inside_works(card: TestCard, tunnel: Tunnel) -> None:
    endpoints = card.ok("0073000000")
    tunnel.expect("0073000000", endpoints + b"\x90\x00")


def test_a_channel_can_end_itself(card: TestCard, tunnel: Tunnel) -> None:
    ended = bytes.fromhex("73228B20") + tunnel.made.csa_id + tunnel.made.end_mac()
    tunnel.expect(bytes.fromhex("0073048024") + ended, "9000")
    card.refused("9863", "0075000000")


def test_a_proactive_command_is_announced_inside_and_waits() -> None:
    steps = (CatStep(CatCommand.DISPLAY_TEXT, text="hello"),)
    card = TestCard.new(replace(sac_profile(), cat=CatProfile(steps=steps)))
    tunnel = OracleTerminal(card).open()
    announced = card.send("80100000", bytes((4,)), b"\xff" * 4)
    assert announced.sw.startswith("91")
    # Inside it is told with every answer; the transfer's own status words say how the transfer stands.
    tunnel.expect(SELECT_OPEN, bytes.fromhex(announced.sw))
    tunnel.expect("00B0000010", CONTENT + bytes.fromhex(announced.sw))
    tunnel.expect("0089800001" + "53", "6A86")
    assert card.send("80F2000C").sw == announced.sw
    command = card.card.transmit(bytes.fromhex("80120000" + announced.sw[2:]))
    assert command[0] == 0xD0


def test_what_runs_inside_is_traced_without_secrets() -> None:
    trace = CollectingTrace()
    card = TestCard.new(sac_profile(), trace)
    tunnel = OracleTerminal(card).open()
    tunnel.expect(f"00A4040C10{AID.hex()}", "9000")
    tunnel.expect(b"\x00\x20\x00\x01\x08" + pin_bytes(PIN1), "9000")
    lines = [str(event) for event in trace.events]
    assert any("VERIFY" in line for line in lines)
    assert not any(pin_bytes(PIN1).hex().upper() in line for line in lines)


# --- blocks


@pytest.mark.parametrize("size", [16, 17, 29, 100, 240])
def test_block_sizes(card: TestCard, size: int) -> None:
    tunnel = OracleTerminal(card).open(size)
    card.ok(SELECT_OPEN)
    tunnel.expect("00B0000010", CONTENT + b"\x90\x00")
    update = bytes.fromhex("00D6000010") + bytes(range(0x20, 0x30))
    tunnel.expect(update, "9000")
    tunnel.expect("00B0000010", bytes(range(0x20, 0x30)) + b"\x90\x00")


def test_four_sessions_interleaved() -> None:
    card = sac_card(connections=4)
    tunnels = [OracleTerminal(card).open() for _ in range(4)]
    assert [tunnel.session for tunnel in tunnels] == [0, 1, 2, 3]
    card.ok(SELECT_OPEN)
    sealed = [tunnel.seal(bytes.fromhex("00B0000010")) for tunnel in tunnels]
    for tunnel, container in zip(tunnels, sealed, strict=True):
        assert tunnel.block(container[:20], 1).sw == f"{0x9200 | tunnel.session << 6:04X}"
    for tunnel, container in zip(tunnels, sealed, strict=True):
        assert tunnel.block(container[20:]).sw == f"{0x9201 | tunnel.session << 6:04X}"
    for tunnel in reversed(tunnels):
        assert tunnel.fetch() == tunnel.made.seal(1, 1, CONTENT + b"\x90\x00")


@pytest.mark.parametrize("left", [[2, 0], [2, 2], [2, 3], [1, 1], [0xFF, 0xFD]])
def test_blocks_must_count_down(card: TestCard, tunnel: Tunnel, left: list[int]) -> None:
    sealed = tunnel.seal(bytes.fromhex(SELECT_OPEN))
    assert tunnel.block(sealed[:5], left[0]).sw == "9200"
    assert tunnel.block(sealed[5:], left[1]).sw == "6A86"
    # The transfer is lost, the channel is not.
    tunnel.counter -= 1
    tunnel.expect(SELECT_OPEN, "9000")


def test_containers_have_a_longest_length(tunnel: Tunnel) -> None:
    for left in range(255, 255 - 68, -1):
        assert tunnel.block(bytes(240), left).sw == "9200"
    assert tunnel.block(bytes(240), 255 - 68).sw == "6A84"
    tunnel.expect(SELECT_OPEN, "9000")


def test_an_answer_must_be_fetched_before_new_data(card: TestCard, tunnel: Tunnel) -> None:
    assert tunnel.send(tunnel.seal(bytes.fromhex(SELECT_OPEN))).sw == "9201"
    card.refused("6985", "0075040003800101")
    assert tunnel.fetch() == tunnel.made.seal(1, 1, b"\x90\x00")
    card.refused("6985", "0075000000")


def test_the_last_block_can_be_had_again(card: TestCard) -> None:
    tunnel = OracleTerminal(card).open(16)
    card.refused("6985", "0075010000")
    assert tunnel.send(tunnel.seal(bytes.fromhex(SELECT_OPEN))).sw == "9201"
    card.refused("6985", "0075010000")
    first = card.send("0075000000")
    assert card.send("0075010000") == first
    assert card.send("0075010000") == first
    second = card.send("0075000000")
    assert (first.sw, second.sw) == ("9202", "9000")
    assert card.send("0075010000") == second
    whole = bytes.fromhex(first.data)[2:] + bytes.fromhex(second.data)[2:]
    assert whole == tunnel.made.seal(1, 1, b"\x90\x00")


def test_a_wrong_le_loses_nothing(card: TestCard, tunnel: Tunnel) -> None:
    tunnel.send(tunnel.seal(bytes.fromhex(SELECT_OPEN)))
    assert card.send("0075000005").sw == "6C1F"
    assert tunnel.fetch() == tunnel.made.seal(1, 1, b"\x90\x00")


def test_aborting_while_sending(tunnel: Tunnel) -> None:
    assert tunnel.block(b"half", 1).sw == "9200"
    assert tunnel.card.send("00750200").sw == "9000"
    tunnel.expect(SELECT_OPEN, "9000")


def test_aborting_while_fetching(tunnel: Tunnel) -> None:
    tunnel.send(tunnel.seal(bytes.fromhex(SELECT_OPEN)))
    assert tunnel.card.send("00750200").sw == "9000"
    tunnel.card.refused("6985", "0075000000")
    tunnel.expect("00B0000010", CONTENT + b"\x90\x00")


def test_lengths_and_parameters(card: TestCard, tunnel: Tunnel) -> None:
    card.refused("6700", "00750400")
    card.refused("6700", "0075000001", b"\x00")
    card.refused("6700", "00750000")
    card.refused("6700", "0075020001", b"\x00")
    card.refused("6A86", "0075000100")
    card.refused("6A80", "0075040003810100")
    card.refused("6A80", "0075040003800200")
    card.refused("9863", "0075400000")


def test_the_last_container_number_closes_the_channel(card: TestCard, tunnel: Tunnel) -> None:
    ctx = card.card._context
    state = ctx.notes.secure_channels
    session = state.sessions[0]
    assert isinstance(session.tunnel, SecuredApdu)
    last = (1 << 40) - 2
    changed = state.with_session(0, replace(session, tunnel=replace(session.tunnel, last=last)))
    ctx.notes = replace(ctx.notes, secure_channels=changed)
    tunnel.counter = last
    tunnel.expect(SELECT_OPEN, "9000")
    card.refused("9863", "0075000000")


def test_power_and_reset_end_sessions(card: TestCard, tunnel: Tunnel) -> None:
    card.card.reset()
    card.refused("9863", "0075000000")
    sealed = tunnel.seal(bytes.fromhex(SELECT_OPEN))
    assert tunnel.send(sealed).sw == "9863"


def test_a_store_that_fails_answers_inside() -> None:
    class Failing(MemoryStore):
        broken = False

        def commit(self, changes: object) -> None:
            if self.broken:
                from card.errors import StoreError

                raise StoreError("no")
            super().commit(changes)  # type: ignore[arg-type]

    store = Failing()
    personalise(sac_profile(), store)
    card = TestCard(store)
    assert isinstance(card.card, Card)
    tunnel = OracleTerminal(card).open()
    tunnel.expect(SELECT_OPEN, "9000")
    store.broken = True
    tunnel.expect(bytes.fromhex("00D6000001FF"), "6581")
    store.broken = False
    tunnel.expect("00B0000010", CONTENT + b"\x90\x00")


def test_what_was_begun_on_a_logical_channel_goes_with_it(card: TestCard, tunnel: Tunnel) -> None:
    tunnel.expect("0070000001", "019000")
    tunnel.expect("0173018001" + "73", "63F1")
    tunnel.expect("00708001", "9000")
    tunnel.expect("0070000001", "019000")
    tunnel.expect("0173010001" + "00", "6A86")
