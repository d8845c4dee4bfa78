"""MANAGE SECURE CHANNEL: every procedure, its chaining, and the status word of every refusal."""

from __future__ import annotations

import pytest

from card.spec.sac_tables import Kind, TekPolicy
from tests.oracle.sac import Connection
from tests.support.profiles import AID
from tests.support.sac import OTHER_PSK, TERMINAL, TERMINAL_APPLI, sac_card
from tests.support.sac_terminal import AES, OracleTerminal, parse
from tests.support.testcard import Answer, TestCard, tlv

ICCID = bytes.fromhex("980001010000000010F9")


@pytest.fixture
def card() -> TestCard:
    return sac_card()


@pytest.fixture
def terminal(card: TestCard) -> OracleTerminal:
    return OracleTerminal(card)


def master_value(methods: int = 2, terminal_id: bytes = TERMINAL, aid: bytes = AID) -> bytes:
    return tlv(0x83, bytes([methods])) + tlv(0x84, terminal_id) + tlv(0x85, TERMINAL_APPLI) + tlv(0x86, aid)


# --- endpoints


def test_endpoints_describe_the_usim(card: TestCard) -> None:
    found = parse(parse(card.ok("0073000000"))[0x73])
    assert found[0x81] == ICCID
    # Application level; APDU; TLS and Secured APDU, two associations, required; GBA and PSK; containers of 240; port 0.
    assert found[0x82] == bytes.fromhex("02 01 95 03 F0 0000") + AID


def test_endpoints_say_what_the_profile_says() -> None:
    card = sac_card(TekPolicy.CLEAR, kinds=(Kind.SECURED_APDU,), connections=4, container=100, psk=(), scp03=None)
    found = parse(parse(card.ok("0073000000"))[0x73])
    assert found[0x82][:5] == bytes.fromhex("02 01 34 01 64")


@pytest.mark.parametrize("p2", ["00", "A0"])
def test_endpoints_come_in_blocks(card: TestCard, p2: str) -> None:
    whole = card.ok("0073000000")
    first = card.send(f"007300{p2}10")
    second = card.send("007300200A")
    third = card.send("0073002000")
    assert (first.sw, second.sw, third.sw) == ("62F1", "62F1", "9000")
    assert bytes.fromhex(first.data + second.data + third.data) == whole
    card.refused("6985", "0073002000")


def test_a_card_without_channels_does_not_know_the_instructions() -> None:
    card = TestCard.new()
    card.refused("6D00", "0073000000")
    card.refused("6D00", "0075000000")
    card.refused("6D00", "8050000008", bytes(8))


def test_reserved_bits_are_ignored(card: TestCard) -> None:
    assert card.ok("0073F81F00") == card.ok("0073000000")


@pytest.mark.parametrize("header", ["00730500", "00730600", "00730700"])
def test_unknown_procedures(card: TestCard, header: str) -> None:
    card.refused("6A86", header + "00")


# --- Master SA


def test_master_sa_is_agreed_by_psk(terminal: OracleTerminal) -> None:
    found = terminal.ask(1, master_value(methods=3))
    assert found[0x87] == b"\x82"
    assert len(found[0x88]) == 16


def test_master_sas_have_fresh_names(terminal: OracleTerminal) -> None:
    assert len({terminal.master().msa_id for _ in range(3)}) == 3


@pytest.mark.parametrize(
    ("value", "sw"),
    [
        (master_value(methods=0x04), "6A81"),  # a weak secret
        (master_value(methods=0x08), "6A81"),  # certificates
        (master_value(methods=0x00), "6A81"),
        (master_value(methods=0x01), "6A88"),  # GBA, and no local key yet
        (master_value(terminal_id=b"somebody"), "6A88"),
        (master_value(aid=AID[:-1]), "6A88"),
        (master_value(aid=bytes(16)), "6A88"),
        (master_value(aid=bytes(4)), "6A80"),
        (master_value(terminal_id=b""), "6A80"),
        (master_value(terminal_id=bytes(11)), "6A80"),
        (master_value()[3:], "6A80"),
        (master_value() + tlv(0x99, b""), "6A80"),
        (master_value() + tlv(0x83, b"\x02"), "6A80"),
        (b"", "6A80"),
        (b"\x83", "6A80"),
    ],
)
def test_refused_masters(card: TestCard, terminal: OracleTerminal, value: bytes, sw: str) -> None:
    before = card.persistent(), card.volatile()
    assert terminal.manage(1, value) == Answer("", sw)
    assert (card.persistent(), card.volatile()) == before


def test_an_object_that_is_not_73_is_refused(card: TestCard) -> None:
    data = tlv(0x53, master_value())
    card.refused("6A80", f"00730180{len(data):02X}", data)


def test_strangers_cannot_push_out_a_proved_master(card: TestCard, terminal: OracleTerminal) -> None:
    names = terminal.master()
    made = terminal.connect(names)
    terminal.start(made)
    for _ in range(20):
        terminal.master()
    terminal.connect(names)


def test_a_master_that_was_never_proved_ends_with_power(card: TestCard, terminal: OracleTerminal) -> None:
    names = terminal.master()
    assert card.persistent() == card.reopened().persistent()
    again = OracleTerminal(card.reopened())
    assert again.manage(2, _connection_value(names.msa_id)).sw == "9863"


def test_a_proved_master_outlives_power(card: TestCard, terminal: OracleTerminal) -> None:
    tunnel = terminal.open()
    again = OracleTerminal(card.reopened())
    made = again.connect(tunnel.names)
    again.start(made)


# --- Connection SA


def _connection_value(msa_id: bytes, offered: bytes = AES, nonce: bytes = b"n" * 16) -> bytes:
    return tlv(0x88, msa_id) + tlv(0x89, offered) + tlv(0x8A, nonce)


@pytest.mark.parametrize("offered", ["0404", "0704", "0407", "FFFF", "8F8F"])
def test_aes_is_chosen_whatever_else_is_offered(terminal: OracleTerminal, offered: str) -> None:
    made = terminal.connect(terminal.master(), bytes.fromhex(offered))
    assert made.chosen == AES


@pytest.mark.parametrize("offered", ["0000", "0404"[:2] + "01", "0402", "0403", "0104", "0204", "0304", "8080", "0101"])
def test_weak_algorithms_are_refused(terminal: OracleTerminal, offered: str) -> None:
    names = terminal.master()
    assert terminal.manage(2, _connection_value(names.msa_id, bytes.fromhex(offered))).sw == "6A81"


@pytest.mark.parametrize(
    ("value", "sw"),
    [
        (_connection_value(bytes(16)), "9863"),
        (_connection_value(bytes(15)), "6A80"),
        (_connection_value(bytes(16), nonce=bytes(15)), "6A80"),
        (_connection_value(bytes(16), offered=b"\x04"), "6A80"),
    ],
)
def test_refused_connections(card: TestCard, terminal: OracleTerminal, value: bytes, sw: str) -> None:
    terminal.master()
    before = card.volatile()
    assert terminal.manage(2, value).sw == sw
    assert card.volatile() == before


def test_ids_and_nonces_of_the_card_are_fresh(terminal: OracleTerminal) -> None:
    names = terminal.master()
    answers = [terminal.ask(2, _connection_value(names.msa_id)) for _ in range(3)]
    assert len({answer[0x8B] for answer in answers}) == 3
    assert len({answer[0x8A] for answer in answers}) == 3


def test_idle_connections_make_room_and_running_ones_do_not(terminal: OracleTerminal) -> None:
    names = terminal.master()
    idle, second, third = (terminal.connect(names) for _ in range(3))
    assert terminal.manage(3, terminal.start_value(idle)).sw == "9863"
    assert (terminal.start(second), terminal.start(third)) == (0, 1)
    assert terminal.manage(2, _connection_value(names.msa_id)).sw == "6A84"


# --- Start


@pytest.fixture
def made(terminal: OracleTerminal) -> Connection:
    return terminal.connect(terminal.master())


def test_start_gives_a_session(terminal: OracleTerminal, made: Connection) -> None:
    assert terminal.start(made) == 0


def test_start_happens_once(terminal: OracleTerminal, made: Connection) -> None:
    terminal.start(made)
    assert terminal.manage(3, terminal.start_value(made)).sw == "6985"


@pytest.mark.parametrize("size", [0, 1, 15, 241, 255])
def test_container_sizes_out_of_range(terminal: OracleTerminal, made: Connection, size: int) -> None:
    assert terminal.manage(3, terminal.start_value(made, size)).sw == "6A80"


def test_start_with_another_algorithm_is_refused(terminal: OracleTerminal, made: Connection) -> None:
    # Even somebody with the keys cannot start what was not agreed on.
    made.chosen = b"\x01\x01"
    assert terminal.manage(3, terminal.start_value(made)).sw == "6A81"


def test_start_with_the_wrong_secret(card: TestCard) -> None:
    stranger = OracleTerminal(card)
    names = stranger.master()
    answer = stranger.ask(2, _connection_value(names.msa_id))
    made = Connection(OTHER_PSK.reveal(), names, answer[0x8B], b"n" * 16, answer[0x8A], AES, AES)
    assert answer[0x8C] != made.csa_mac()
    assert stranger.manage(3, stranger.start_value(made)).sw == "9862"


def test_every_flipped_bit_of_a_start_is_refused(card: TestCard, terminal: OracleTerminal, made: Connection) -> None:
    value = terminal.start_value(made)
    before = card.persistent()
    for position in range(8 * len(value)):
        changed = bytearray(value)
        changed[position // 8] ^= 1 << position % 8
        assert terminal.manage(3, bytes(changed)).sw in ("6A80", "6A81", "9862", "9863", "6A86"), position
    assert card.persistent() == before
    assert terminal.start(made) == 0


def test_kinds_that_the_profile_leaves_out_are_refused() -> None:
    terminal = OracleTerminal(sac_card(kinds=(Kind.TLS,), scp03=None))
    made = terminal.connect(terminal.master())
    assert terminal.manage(3, terminal.start_value(made)).sw == "6A81"
    terminal = OracleTerminal(sac_card(kinds=(Kind.SECURED_APDU,), scp03=None))
    names = terminal.master()
    assert terminal.manage(3, tlv(0x88, names.msa_id) + tlv(0x8E, b"\xf0")).sw == "6A81"


# --- Terminate


def test_terminating_a_connection_ends_its_session(card: TestCard, terminal: OracleTerminal) -> None:
    tunnel = terminal.open()
    assert terminal.end_connection(tunnel.made).sw == "9000"
    card.refused("9863", "0075000000")
    assert terminal.end_connection(tunnel.made).sw == "9863"
    terminal.start(terminal.connect(tunnel.names))


def test_terminating_a_master_ends_everything_under_it(card: TestCard, terminal: OracleTerminal) -> None:
    tunnel = terminal.open()
    waiting = terminal.connect(tunnel.names)
    assert terminal.end_master(tunnel.names).sw == "9000"
    card.refused("9863", "0075000000")
    assert terminal.manage(3, terminal.start_value(waiting)).sw == "9863"
    assert terminal.manage(2, _connection_value(tunnel.names.msa_id)).sw == "9863"
    assert OracleTerminal(card.reopened()).manage(2, _connection_value(tunnel.names.msa_id)).sw == "9863"


def test_terminating_several_connections_is_all_or_nothing(card: TestCard, terminal: OracleTerminal) -> None:
    names = terminal.master()
    first, second = terminal.connect(names), terminal.connect(names)
    right = [tlv(0x8B, made.csa_id + made.end_mac()) for made in (first, second)]
    wrong = tlv(0x8B, second.csa_id + bytes(16))
    assert terminal.manage(4, right[0] + wrong).sw == "9862"
    assert terminal.start(first) == 0
    assert terminal.manage(4, right[0] + right[1]).sw == "9000"
    card.refused("9863", "0075000000")


@pytest.mark.parametrize("size", [0, 31, 33])
def test_terminate_of_another_length(terminal: OracleTerminal, size: int) -> None:
    assert terminal.manage(4, tlv(0x8B, bytes(size))).sw == "6A80"


@pytest.mark.parametrize("value", [b"", tlv(0x88, bytes(32)) * 2, tlv(0x8B, bytes(32)) * 5, tlv(0x89, bytes(32))])
def test_terminate_of_another_shape(terminal: OracleTerminal, value: bytes) -> None:
    assert terminal.manage(4, value).sw == "6A80"


# --- chaining


@pytest.mark.parametrize("block", [1, 2, 3, 16])
def test_commands_in_small_blocks(terminal: OracleTerminal, block: int) -> None:
    assert terminal.manage(1, master_value(), block).sw == "62F3"


def test_a_next_block_without_a_first_one(card: TestCard) -> None:
    card.refused("6A86", "0073010001", b"\x73")


def test_a_next_block_of_another_procedure(card: TestCard) -> None:
    data = tlv(0x73, master_value())
    assert card.send("0073018010", data[:16]).sw == "63F1"
    card.refused("6A86", "00730200", bytes((len(data) - 16,)), data[16:])


def test_another_command_ends_the_sequence(card: TestCard) -> None:
    assert card.send("0073018001", b"\x73").sw == "63F1"
    card.ok("80F2000C")
    card.refused("6A86", "0073010001", b"\x10")


def test_a_response_is_fetched_once(card: TestCard, terminal: OracleTerminal) -> None:
    assert terminal.manage(1, master_value()).sw == "62F3"
    card.ok("007301A000")
    card.refused("6985", "007301A000")


def test_blocks_need_data_and_retrievals_none(card: TestCard) -> None:
    card.refused("6700", "00730180")
    card.refused("6700", "007301A001", b"\x00")
    card.refused("6700", "0073000001", b"\x00")
