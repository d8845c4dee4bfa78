"""No PIN and no key gets into a trace, whatever way it travels."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card import CardProfile, memory_card
from card.codec.apdu import CommandApdu
from card.codec.mikey import (
    DataType,
    EncryptionAlgorithm,
    Header,
    Kemac,
    KeyData,
    KeyType,
    MbmsKeyIds,
    MikeyMessage,
    Timestamp,
    encode_key_data,
)
from card.codec.redaction import Redactor, blank
from card.codec.tlv import encode_tlv
from card.crypto.secret import Secret
from card.spec.bcast.p1 import P1
from card.spec.ins import INS
from host_tools.apdu.client import ApduClient
from host_tools.apdu.trace import Exchange
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.stkm import StkmContent, seal_stkm
from host_tools.headend.subscribers.personalised import subscriber_of
from host_tools.links.inprocess import InProcessLink
from host_tools.pytest_plugin.uicc import Uicc
from host_tools.terminal.bcast import Tek
from host_tools.terminal.middleware import TerminalMiddleware
from host_tools.trace.events import TracedExchange
from host_tools.trace.jsonl import encode_event
from host_tools.trace.ladder import LadderWatch
from host_tools.trace.text import event_lines
from host_tools.trace.tracer import TracedLink, Tracer
from tests.unit.host_tools.trace.fakes import Collector, exchanges

KEY = bytes.fromhex("A1B2C3D4E5F60718293A4B5C6D7E8F90")


def redacted(*pairs: tuple[str, str]) -> list[tuple[str, str]]:
    """Return commands and answers as a trace shows them."""
    redactor = Redactor()
    shown = []
    for command, response in pairs:
        sent, came = bytes.fromhex(command), bytes.fromhex(response)
        secrets = redactor.exchange(sent, came)
        shown.append((blank(sent, secrets.command).hex(), blank(came, secrets.response).hex()))
    return shown


@pytest.mark.parametrize("ins", ["20", "24", "26", "28", "2C"])
def test_pins_are_hidden(ins: str) -> None:
    ((sent, _),) = redacted((f"00{ins}0001 08 3132333435363738", "9000"))
    assert sent == f"00{ins.lower()}0001080000000000000000"


def test_a_pin_in_a_malformed_command_is_hidden() -> None:
    ((sent, _),) = redacted(("00200001 09 3132333435363738", "6700"))
    assert "3132" not in sent


K = KEY.hex()


@pytest.mark.parametrize(
    ("command", "response"),
    [
        ("0088008122 10" + "00" * 16 + "10" + "00" * 16, "DB 04 01020304 10" + K + "10" + K + "08" + K[:16] + "9000"),
        ("0088008011 10" + "00" * 16, "04 01020304 08" + K[:16] + "9000"),
        ("A088000010" + "00" * 16, "01020304" + K[:16] + "9000"),
        ("0088008404 DE 0100 00", "DB 20" + K + K + "9000"),
        ("0058010003 010203", K + "9000"),
    ],
)
def test_keys_in_answers_are_hidden(command: str, response: str) -> None:
    ((_, came),) = redacted((command, response))
    assert K[:16] not in came
    assert came.endswith("9000")


def test_res_and_auts_may_be_seen() -> None:
    challenge = "0088008122 10" + "00" * 16 + "10" + "00" * 16
    assert redacted((challenge, "DB 04 01020304 10" + K + "10" + K + "9000"))[0][1].startswith("db0401020304")
    assert redacted((challenge, "DC 0E" + "AB" * 14 + "9000"))[0][1] == "dc0e" + "ab" * 14 + "9000"


def test_an_answer_fetched_later_belongs_to_its_command() -> None:
    shown = redacted(
        ("0088008122 10" + "00" * 16 + "10" + "00" * 16, "6128"),
        ("00C0000028", "DB 04 01020304 10" + K + "10" + K + "9000"),
    )
    assert K[:8] not in shown[1][1]


@pytest.mark.parametrize(
    "response",
    [
        "53 11 DB" + K + "9000",
        "73 14 AE 12 86 10" + K + "9000",
        "73 14 AE 12 96 10" + K + "9000",
        "53 40 DB" + K + "62F1",
        K + "9000",
    ],
)
def test_traffic_keys_are_hidden_in_every_shape(response: str) -> None:
    shown = redacted(("0089808505 53 03 02 0101", "62F3"), ("0089A08500", response), ("0089208500", K + "9000"))
    assert K[:16] not in shown[1][1] + shown[2][1]


def test_a_bcast_status_may_be_seen() -> None:
    shown = redacted(("0089808505 53 03 02 0101", "62F3"), ("0089A08500", "73 05 AE 03 80 01 02 9000"))
    assert shown[1][1] == "7305ae038001029000"


def test_a_verification_message_may_be_seen() -> None:
    shown = redacted(("0089808505 53 03 01 0101", "62F3"), ("0089A08500", "53 03 DB 0101 9000"))
    assert shown[1][1] == "5303db01019000"


@pytest.mark.parametrize(
    ("select", "read"), [("00A40004026F08", "00B0000021"), ("00A40004026F08", "00B0880021"), ("", "00B0880021")]
)
def test_files_with_keys_are_hidden(select: str, read: str) -> None:
    usim = ("00A4040407A0000000871002", "9000")
    pairs = [usim, *([(select, "9000")] if select else []), (read, "00" + K + K + "9000")]
    assert K[:8] not in redacted(*pairs)[-1][1]
    assert redacted(usim, ("00A40004026F07", "9000"), ("00B0000009", "080910101032547698 9000"))[-1][1][:4] == "0809"


def test_writing_a_file_with_keys_is_hidden() -> None:
    pairs = [("00A4040407A0000000871002", "9000"), ("00D6880010" + K, "9000")]
    assert K[:8] not in redacted(*pairs)[-1][0]


def test_a_message_whose_key_is_not_encrypted_is_hidden() -> None:
    plain = encode_key_data([KeyData(KeyType.TEK, Secret(KEY))])
    kemac = Kemac(EncryptionAlgorithm.NULL, plain)
    ids = MbmsKeyIds(bytes(3), bytes(4), bytes(2))
    message = MikeyMessage(Header(DataType.PRE_SHARED, 1), (ids.to_extension(), Timestamp(1), kemac)).encode()
    data = encode_tlv(0x53, b"\x02" + message)
    assert K[:16] not in redacted((f"00898085{len(data):02X}" + data.hex(), "9862"))[0][0]


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_any_bytes_are_taken(command: bytes, response: bytes) -> None:
    redactor = Redactor()
    for _ in range(2):
        secrets = redactor.exchange(command, response)
        assert len(blank(response, secrets.response)) == len(response)
        assert len(blank(command, secrets.command)) == len(command)
        if len(response) >= 2:
            assert blank(response, secrets.response)[-2:] == response[-2:]


def test_a_whole_session_shows_no_secret() -> None:
    profile = CardProfile.demo()
    collector = Collector()
    link = TracedLink(InProcessLink(memory_card(profile)), Tracer("test", [collector]))
    network = UsimNetwork(shipped_scenario("demo"), subscriber_of(profile), tables=P1)
    middleware = TerminalMiddleware(link, tables=P1)
    middleware.connect(profile.pins.pin1.value)
    bootstrapped = middleware.bootstrap(network.bsf)
    srk = middleware.establish(network.bsm.naf_id)
    ltkm = network.bsm.ltkm("tone-a", bootstrapped.b_tid)
    network.bsm.verify(ltkm, middleware.deliver(ltkm).verification)  # type: ignore[arg-type]  # asked for
    key = network.bsm.current_key("tone-a")
    content = StkmContent(key.traffic_key_ids(1), Secret(KEY), Secret(KEY[:14]), 1)
    outcome = middleware.feed(seal_stkm(content, key.key, key.csb_id, key.rand))
    assert isinstance(outcome, Tek)
    assert outcome.key == Secret(KEY)
    middleware.close()

    watch = LadderWatch()
    shown = "\n".join(encode_event(event) for event in collector.events)
    shown += "\n".join(line for event in collector.events for line in event_lines(event, watch)).replace(" ", "")
    for secret in (KEY, KEY[:14], srk.reveal(), key.key.reveal(), b"1234\xff\xff"):
        assert secret.hex() not in shown.lower()
    ladder = "\n".join(line for event in collector.events for line in event_lines(event, LadderWatch()))
    assert "VERIFY PIN" in ladder


def test_the_ladder_is_told_step_by_step() -> None:
    collector = Collector()
    profile = CardProfile.demo()
    link = TracedLink(InProcessLink(memory_card(profile)), Tracer("test", [collector]))
    network = UsimNetwork(shipped_scenario("demo"), subscriber_of(profile), tables=P1)
    middleware = TerminalMiddleware(link, tables=P1)
    middleware.connect(profile.pins.pin1.value)
    bootstrapped = middleware.bootstrap(network.bsf)
    middleware.establish(network.bsm.naf_id)
    key = network.bsm.current_key("tone-a")
    stkm = seal_stkm(StkmContent(key.traffic_key_ids(1), Secret(KEY), None, 1), key.key, key.csb_id, key.rand)
    middleware.feed(stkm)
    middleware.deliver(network.bsm.ltkm("tone-a", bootstrapped.b_tid))
    middleware.feed(stkm)
    watch = LadderWatch()
    told = [words for event in exchanges(collector) if (words := watch.watch(event))]
    name = f"key domain {key.key_domain_id.hex().upper()}, MSK {key.msk_id.hex().upper()}"
    bm_sc = network.bsm.naf_id[:-5].decode()  # without the Ua protocol
    assert told == [
        "PIN verified",
        "GBA bootstrapping: done, new Ks in the card",
        f"NAF key derivation: Ks_int_NAF for {bm_sc} kept in the card, Ks_ext_NAF given (hidden)",
        f"STKM for {name}, MTK 0001: refused, 6A88: referenced data not found",
        f"LTKM for {name}: accepted, with a verification message",
        f"STKM for {name}, MTK 0001: TEK given (hidden)",
    ]
    assert all(isinstance(event, TracedExchange) for event in exchanges(collector))


class TestSharedCard:
    """Another program may have selected a file of keys before a trace begins; only a SELECT tells what is current."""

    class Link(InProcessLink):
        """A card on PC/SC."""

        @property
        def shared(self) -> bool:
            return True

        def together(self) -> AbstractContextManager[None]:
            return nullcontext()

    @pytest.fixture
    def link(self) -> Link:
        """Return a link whose card has EF_Keys selected, CK and IK written."""
        profile = CardProfile.demo()
        link = self.Link(memory_card(profile))
        pin = profile.pins.pin1.value.reveal().hex()
        for command in ("00A4040407A0000000871002", f"0020000108{pin}", "00A40004026F08", f"00D6000020{K}{K}"):
            assert link.transmit(bytes.fromhex(command))[-2:-1] in (b"\x90", b"\x61")
        return link

    def test_a_recorded_link(self, link: Link) -> None:
        collector = Collector()
        recorded = TracedLink(link, Tracer("test", [collector]))
        assert bytes.fromhex(K) in recorded.transmit(bytes.fromhex("00B0000021"))
        (read,) = exchanges(collector)
        assert bytes.fromhex(K)[:4] not in read.response
        assert read.file == ""
        recorded.transmit(bytes.fromhex("00A40004023F00"))
        recorded.transmit(bytes.fromhex("00A40004022FE2"))
        recorded.transmit(bytes.fromhex("00B000000A"))
        assert exchanges(collector)[-1].file == "MF/EF_ICCID"
        assert not exchanges(collector)[-1].hidden_response

    def test_the_trace_of_a_client(self, link: Link) -> None:
        shown: list[Exchange] = []
        ApduClient(link, shown.append).transmit(CommandApdu(0, INS.READ_BINARY, 0, 0, le=33))
        assert K[:8].lower() not in str(shown[0]).replace(" ", "").lower()

    def test_an_answer_in_a_test(self, link: Link) -> None:
        assert K[:8].lower() not in repr(Uicc(link).send("00B0000021")).replace(" ", "").lower()
