"""A known value goes through every secret file and instruction, on every channel, and is looked for in every output.

The cards here answer whatever a test wants: redaction must hold for any card's traffic. `test_planted_card.py` does
the same with our own card.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Sequence

import pytest

from card.codec.apdu import ClassFamily, CommandApdu
from card.codec.mikey import DataType, EncryptionAlgorithm, Header, Kemac, MbmsKeyIds, MikeyMessage, Rand, Timestamp
from card.codec.redaction import Redactor
from card.codec.tlv import encode_tlv
from card.errors import DecodeError
from card.spec.contexts import EvenP2, OddP2, Step
from card.spec.files.rows import EfRow
from card.spec.ins import INS
from card.spec.secrets import ALL_ROWS, Secrecy, SecrecyRow, find_secrecy
from host_tools.apdu.processors import FormatProcessor, TraceProcessor
from host_tools.links.base import LinkError, TransmissionProtocol
from host_tools.pytest_plugin.explain import explain_comparison
from host_tools.pytest_plugin.transcript import Transcript
from host_tools.pytest_plugin.uicc import Uicc
from host_tools.script.writer import ScriptWriter
from host_tools.trace.events import TraceSink
from host_tools.trace.gsmtap import PcapngSink
from host_tools.trace.jsonl import JsonLinesSink
from host_tools.trace.text import TextSink
from host_tools.trace.tracer import TracedLink, Tracer
from tests.support.planted import SECRET_FILES, extended, on_channel, planted, selection, shows_plant, touching

OK = b"\x90\x00"
PLANTED = planted(16) + OK
Exchanges = Sequence[tuple[bytes, bytes]]


class Tape:
    """A link that gives the answers of a list, whatever is asked."""

    name = "tape"
    atr = bytes.fromhex("3B80")
    protocol = TransmissionProtocol.DIRECT

    def __init__(self, answers: Sequence[bytes]) -> None:
        self._answers = iter(answers)

    def transmit(self, _apdu: bytes) -> bytes:
        answer = next(self._answers)
        if not answer:
            raise LinkError("gone")
        return answer

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        pass


class Kept(io.StringIO):
    def close(self) -> None:
        pass


class KeptBytes(io.BytesIO):
    def close(self) -> None:
        pass


def outputs(exchanges: Exchanges) -> Iterator[tuple[str, str | bytes]]:
    """Yield everything that is shown of a session, each with the name of who shows it."""
    answers = [answer for _, answer in exchanges]
    lines: list[str] = []
    texts, packets, script, transcript = Kept(), KeptBytes(), Kept(), Transcript()
    sinks: list[TraceSink] = [
        TextSink(lines.append),
        JsonLinesSink(texts),
        PcapngSink(packets),
        ScriptWriter(script, "s"),
        transcript,
    ]
    link = TracedLink(Tape(answers), Tracer("tape", sinks))
    for command, _ in exchanges:
        with contextlib.suppress(LinkError):
            link.transmit(command)
    yield "trace lines", "\n".join(lines)
    yield "JSON lines", texts.getvalue()
    yield "pcapng", packets.getvalue()
    yield "script record", script.getvalue()
    yield "transcript of the pytest plugin", "\n".join(transcript.lines())
    events: list[str] = []
    tape = Tape(answers)
    client = TraceProcessor(FormatProcessor(tape), lambda event: events.append(f"{event} {event!r}"))
    uicc = Uicc(Tape(answers))
    for command, came in exchanges:
        with contextlib.suppress(LinkError):
            try:
                client.transmit(CommandApdu.decode(command))
            except DecodeError:
                tape.transmit(command)  # a client cannot send what is no command
        try:
            answer = uicc.send_raw(command)
        except LinkError:
            continue
        events.append(f"{answer!r} {explain_comparison('==', answer.data, came)} {answer.data[1:]!r}")
        text = answer.data.hex()
        events.append(f"{text!r} {explain_comparison('==', text, 'x')} {explain_comparison('!=', answer.data, [1])}")
    yield "client and pytest plugin", "\n".join(events)


def assert_hidden(exchanges: Exchanges) -> None:
    """Show a session that ends with an open file; the open content is seen, the planted value nowhere."""
    opened = bytes.fromhex("5A5B5C5D5E")
    shown = dict(outputs([*exchanges, *((command, OK) for command in selection("3F00/2FE2")), (READ, opened + OK)]))
    assert [who for who, text in shown.items() if shows_plant(text)] == []
    assert "5A 5B 5C 5D 5E" in shown["trace lines"]
    assert opened.hex().upper() in str(shown["client and pytest plugin"])
    assert opened in bytes(shown["pcapng"])  # type: ignore[arg-type]


READ = bytes.fromhex("00B0000005")


def carried_out(commands: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield commands with the answers of a card that has the planted value in every file."""
    for command in commands:
        apdu = CommandApdu.decode(command)
        yield command, (planted(apdu.le) if apdu.le else b"") + OK


def opening(channel: int) -> Exchanges:
    return [(bytes((0x00, INS.MANAGE_CHANNEL, 0x00, channel)), OK)] if channel else []


def session_with(path: str, row: EfRow, channel: int, *, long: bool) -> Iterator[tuple[bytes, bytes]]:
    """Yield what writes the value into a file and reads it back in every way there is."""
    select, current = selection(path), touching(row, least=4)
    if long:
        current = [extended(command) for command in current]
    to_channel = [on_channel(command, channel) for command in (*select, *current)]
    yield from opening(channel)
    yield from carried_out(to_channel)
    read = to_channel[-1]
    yield read, b"\x61\x10"
    yield on_channel(bytes.fromhex("00C0000008"), channel), planted(8) + b"\x61\x08"
    yield on_channel(bytes.fromhex("00C0000008"), channel), PLANTED
    if row.sfi:
        in_directory = [on_channel(command, channel) for command in select[:-1]]
        yield from carried_out(in_directory)
        by_sfi = [on_channel(command, channel) for command in touching(row, by_sfi=True, least=4)]
        yield from ((command, b"\x69\x82") for command in by_sfi)
        yield from carried_out(by_sfi)
        yield from carried_out(
            [on_channel(command, channel) for command in touching(row, least=4)]
        )  # and now it is current


@pytest.mark.parametrize("channel", range(20))
@pytest.mark.parametrize("long", [False, True], ids=["short", "extended"])
def test_secret_files_on_every_channel(channel: int, long: bool) -> None:
    for path, row in SECRET_FILES:
        assert_hidden(list(session_with(path, row, channel, long=long)))


def test_secret_files_of_a_sim() -> None:
    of_sim = [(path, row) for path, row in SECRET_FILES if path.startswith("3F00/7F20")]
    assert {row.name for _, row in of_sim} == {"EF_Kc", "EF_KcGPRS"}
    for path, row in of_sim:
        assert_hidden(list(carried_out([*selection(path, 0xA0), *touching(row, cla=0xA0, least=4)])))


CLASSES = {ClassFamily.INTERINDUSTRY: 0x00, ClassFamily.ETSI: 0x80, ClassFamily.GSM: 0xA0}
SECRET_COMMANDS = [row for row in ALL_ROWS if row.command is Secrecy.SECRET]
SECRET_ANSWERS = [row for row in ALL_ROWS if row.answer is Secrecy.SECRET]


def in_classes(rows: Sequence[SecrecyRow]) -> Iterator[tuple[int, SecrecyRow]]:
    for row in rows:
        for family in row.families:
            yield CLASSES[family], row


@pytest.mark.parametrize("channel", range(20))
def test_secret_instructions_on_every_channel(channel: int) -> None:
    exchanges: list[tuple[bytes, bytes]] = []
    for cla, row in in_classes(SECRET_COMMANDS):
        plain = CommandApdu(cla, row.ins, 0, 1, planted(16)).encode()
        for command in (plain, extended(plain), plain[:-1], plain + b"\x00\x01"):
            on_it = command if cla == 0xA0 else on_channel(command, channel)
            exchanges += [(on_it, b"\x69\x82"), (on_it, OK)]
    for cla, row in in_classes(SECRET_ANSWERS):
        asking = CommandApdu(cla, row.ins, 0, 1, b"\x01", le=256).encode()
        exchanges.append((asking if cla == 0xA0 else on_channel(asking, channel), PLANTED))
    assert_hidden(exchanges)


UNNAMED = [
    (cla, ins)
    for cla in (*range(0x00, 0x100, 0x10), 0x04, 0x0C, 0x84)
    for ins in range(0x100)
    if ins != INS.GET_RESPONSE and find_secrecy(cla, ins) is None
]


@pytest.mark.parametrize("cla", sorted({cla for cla, _ in UNNAMED}), ids=lambda cla: f"{cla:02X}")
def test_what_nobody_named_is_hidden(cla: int) -> None:
    redactor = Redactor()
    for ins in (ins for own, ins in UNNAMED if own == cla):
        command = bytes((cla, ins, 0, 0, 16)) + planted(16)
        found = redactor.exchange(command, PLANTED)
        assert (found.command, found.response) == (((5, 21),), ((0, 16),)), f"INS {ins:02X}"
    assert_hidden([(bytes((cla, ins, 0, 0, 16)) + planted(16), PLANTED) for own, ins in UNNAMED[::7] if own == cla])


def test_a_mistyped_pin_is_among_them() -> None:
    """Each is one digit away from VERIFY PIN."""
    for command in ("00210001", "20200001", "10200001", "00220001"):
        assert find_secrecy(*bytes.fromhex(command)[:2]) is None
        assert_hidden([(bytes.fromhex(command) + b"\x10" + planted(16), b"\x6d\x00")])


def authenticated(p2: int, data: str, answer: bytes, cla: int = 0) -> Exchanges:
    command = CommandApdu(cla, INS.AUTHENTICATE, 0, p2, bytes.fromhex(data)).encode()
    first = [(command, answer + OK)]
    cuts: list[tuple[bytes, bytes]] = []
    for size in range(1, len(answer) + 1):
        cuts.append((command, b"\x61\x10"))
        for at in range(0, len(answer), size):
            part = answer[at : at + size]
            cuts.append((bytes((cla, INS.GET_RESPONSE, 0, 0, len(part))), part + OK))
    return [*first, *cuts]


RES = bytes.fromhex("0411223344")


@pytest.mark.parametrize(
    ("p2", "data", "answer", "cla"),
    [
        (EvenP2.UMTS, "10" + "00" * 16, b"\xdb" + RES + b"\x10" + planted(16) + b"\x10" + planted(16), 0),
        (EvenP2.UMTS, "10" + "00" * 16, b"\xdb\xff" + planted(16), 0),  # RES that is longer than one can be
        (EvenP2.GSM, "10" + "00" * 16, RES + b"\x08" + planted(8), 0),
        (0x00, "00" * 16, RES[1:] + planted(8), 0xA0),
        (EvenP2.GROUP_CALL, "04" + "00" * 10, b"\xdb\x10" + planted(16), 0),
        (EvenP2.GBA, "DE0100", b"\xdb\x20" + planted(32), 0),
        (EvenP2.GBA, "DD10" + "00" * 16, b"\xdb\x10" + planted(16), 0),  # RES is a password there
        (0x85, "02", planted(16), 0),
        (0x9F, "02", b"\xdc" + planted(16), 0),
    ],
    ids=["3G", "3G with an impossible RES", "GSM", "SIM", "VGCS", "NAF", "bootstrapping", "even MBMS", "unknown"],
)
def test_keys_of_an_authentication_in_any_portions(p2: int, data: str, answer: bytes, cla: int) -> None:
    assert_hidden(authenticated(p2, data, answer, cla))


def mikey(*, encrypted: bool, padding: int = 0) -> bytes:
    """Return an MSK message whose key data are the planted value: in clear, or as if they were encrypted."""
    ids = MbmsKeyIds(bytes(3), bytes(4)).to_extension()
    rand = (Rand(bytes(padding)),) if padding else ()
    kemac = Kemac(EncryptionAlgorithm.AES_CM_128 if encrypted else EncryptionAlgorithm.NULL, planted(32))
    return MikeyMessage(Header(DataType.PRE_SHARED, 1), (ids, Timestamp(1), *rand, kemac)).encode()


@pytest.mark.parametrize("size", [20, 40, 64, 255])
@pytest.mark.parametrize("mode", [1, 2, 7])
def test_a_key_in_clear_on_its_way_to_the_card(size: int, mode: int) -> None:
    whole = encode_tlv(0x53, bytes((mode,)) + mikey(encrypted=False))
    assert_hidden(list(blocks(whole, size, OddP2.MBMS)))


@pytest.mark.parametrize("size", [20, 40, 64, 255])
def test_an_encrypted_message_is_shown_in_any_blocks(size: int) -> None:
    whole = encode_tlv(0x53, b"\x01" + mikey(encrypted=True))
    shown = dict(outputs(list(blocks(whole, size, OddP2.MBMS))))
    sent = "".join(
        line.removeprefix("    > ")[15:] for line in str(shown["trace lines"]).splitlines() if "    > " in line
    )
    assert "··" not in sent
    assert shows_plant(shown["pcapng"])


def blocks(whole: bytes, size: int, context: int) -> Iterator[tuple[bytes, bytes]]:
    for at in range(0, len(whole), size):
        step = Step.NEXT_COMMAND if at else Step.FIRST_COMMAND
        is_last = at + size >= len(whole)
        yield (
            CommandApdu(0, INS.AUTHENTICATE_ODD, step, context, whole[at : at + size]).encode(),
            b"\x90\x00" if is_last else b"\x63\xf1",
        )


def fetching(answer: bytes, size: int, p2: int = OddP2.MBMS) -> Iterator[tuple[bytes, bytes]]:
    for at in range(0, len(answer), size):
        step = Step.NEXT_RESPONSE if at else Step.FIRST_RESPONSE
        sw = OK if at + size >= len(answer) else b"\x62\xf1"
        yield CommandApdu(0, INS.AUTHENTICATE_ODD, step, p2, le=size).encode(), answer[at : at + size] + sw


LENGTHS = {
    "short": lambda body: bytes((len(body),)),
    "81": lambda body: bytes((0x81, len(body))),
    "82": lambda body: b"\x82" + len(body).to_bytes(2, "big"),
    "83": lambda body: b"\x83" + len(body).to_bytes(3, "big"),
}


@pytest.mark.parametrize(
    ("form", "padding"), [("short", 0), ("81", 0), ("81", 100), ("82", 0), ("82", 200), ("83", 0), ("83", 200)]
)
def test_length_fields_of_every_form(form: str, padding: int) -> None:
    """An answer to an LTKM may be seen, whatever the length of its object looks like; a key in clear never."""
    for encrypted in (True, False):
        body = b"\x01" + mikey(encrypted=encrypted, padding=padding)
        whole = b"\x53" + LENGTHS[form](body) + body
        *sent, (last, _) = blocks(whole, 255, OddP2.MBMS)
        answer = encode_tlv(0x53, b"\xdb" + planted(16))
        shown = dict(outputs([*sent, (last, b"\x62\xf3"), *fetching(answer, 255)]))
        assert planted(16).hex().upper() in str(shown["trace lines"]).replace(" ", "")
        sent_lines = [line for line in str(shown["trace lines"]).splitlines() if line.startswith("    > ")]
        assert any("··" in line for line in sent_lines) is not encrypted


STKM = (bytes.fromhex("0089808505 5303020101"), b"\x62\xf3")
LTKM = (bytes.fromhex("0089808505 5303010101"), b"\x62\xf3")
ANSWERS = {
    "MBMS": encode_tlv(0x53, b"\xdb" + planted(16)),
    "BCAST": encode_tlv(0x73, encode_tlv(0xAE, b"\x80\x01\x00" + encode_tlv(0x86, planted(16)))),
    "X2": encode_tlv(0x73, encode_tlv(0xAE, b"\x90\x01\x00" + encode_tlv(0x96, planted(16)))),
    "a salt of 4 bytes": encode_tlv(0x73, encode_tlv(0xAE, encode_tlv(0x87, planted(4)))),
    "other tags": encode_tlv(0x73, encode_tlv(0xAE, encode_tlv(0x80, planted(16)))),
    "no object": planted(16),
}


@pytest.mark.parametrize("size", [5, 12, 255])
@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_traffic_keys_in_any_blocks(answer: bytes, size: int) -> None:
    for p2 in (OddP2.MBMS, OddP2.LOCAL_KEY):  # the card does not look at P2 when an answer is fetched
        assert_hidden([STKM, *fetching(answer, size, p2)])
    refused = (LTKM[0], b"\x69\x82")
    assert_hidden([STKM, refused, *fetching(answer, size)])
    assert_hidden(list(fetching(answer, size)))


SELECT_SECRET = selection("ADF.USIM/6F08")
UNSEEN: dict[str, Exchanges] = {
    "a selection without an answer": [(SELECT_SECRET[1], b"")],
    "a selection with a wrong Le": [(SELECT_SECRET[1], b"\x6c\x10")],
    "an encrypted selection": [(bytes.fromhex("04A4000C10") + bytes(16), OK)],
    "a command of somebody's own": [(bytes.fromhex("80EE000002") + b"\x6f\x08", OK)],
    "a container": [(bytes.fromhex("0075040008") + bytes(8), OK)],
    "a file that was created": [(bytes.fromhex("00E0000004") + bytes.fromhex("62020101"), OK)],
    "a file that was activated by its identifier": [(bytes.fromhex("00440000026F08"), OK)],
    "an application that began elsewhere": [(bytes.fromhex("00A4040C05A000000087"), OK)],
    "another file of a SIM's": [(bytes.fromhex("A0A40000026F20"), OK)],
    "an odd path": [(bytes.fromhex("00A4080C036F0801"), OK)],
}


@pytest.mark.parametrize("unseen", UNSEEN.values(), ids=UNSEEN)
def test_after_what_cannot_be_followed_files_are_hidden(unseen: Exchanges) -> None:
    innocent = [(command, OK) for command in selection("ADF.USIM/6F07")]
    assert_hidden([*innocent, *unseen, (bytes.fromhex("00B0000021"), planted(33) + OK)])


def test_the_application_of_a_path_is_the_one_selected_last() -> None:
    """Behind 7FFF stands the USIM although the MF is current: SFI 09 is EF_KeysPS there, not a file of the ISIM."""
    steps = [*selection("ADF.USIM"), *selection("3F00"), bytes.fromhex("00A4080C047FFF6F09")]
    assert_hidden([*((step, OK) for step in steps), (bytes.fromhex("00B0000021"), planted(33) + OK)])


def test_a_channel_opened_from_another_one_begins_where_that_one_is() -> None:
    open_1 = (bytes.fromhex("00700001"), OK)
    in_usim = [(on_channel(command, 1), OK) for command in selection("ADF.USIM")]
    open_2 = (on_channel(bytes.fromhex("00700002"), 1), OK)
    by_sfi = (on_channel(bytes.fromhex("00B0880021"), 2), planted(33) + OK)
    assert_hidden([open_1, *in_usim, open_2, by_sfi])


@pytest.mark.parametrize("command", ["80C2000012D110", "8014000015 8103012300 0D10", "8014000016 810301FF00 0D10"])
def test_what_a_user_types_and_messages_for_the_card(command: str) -> None:
    sent = bytes.fromhex(command) + planted(16)
    assert_hidden([(sent[:4] + bytes((len(sent) - 5,)) + sent[5:], OK)])


def test_a_password_in_a_proactive_command() -> None:
    open_channel = encode_tlv(0xD0, bytes.fromhex("8103014000") + encode_tlv(0x0D, planted(16)))
    assert_hidden([(bytes((0x80, INS.FETCH, 0, 0, len(open_channel))), open_channel + OK)])
