"""A card under test: sends hex, follows the transport rules, and proves that a refused command changed nothing."""

from __future__ import annotations

from typing import Any, NamedTuple

from card import CardProfile
from card.card import Card
from card.personalisation.personalise import personalise
from card.ports import Store, TraceSink
from card.spec.status import describe, find_row
from card.store.memory import MemoryStore
from tests.support.ports import FakeClock, SeededRng
from tests.support.profiles import ADM1, AID, PIN1, PIN2, card_profile

SELECT_USIM = f"00A4040C10{AID.hex()}"


class Answer(NamedTuple):
    """Response data in upper-case hex, and the status word in four hex digits."""

    data: str
    sw: str


class TestCard:
    """A powered card in strict mode (an internal error is raised, not answered) over a store one can look into."""

    __test__ = False

    def __init__(self, store: Store, trace: TraceSink | None = None) -> None:
        self.store = store
        self.card = Card(store, rng=SeededRng(), clock=FakeClock(), trace=trace, strict=True)
        self.card.power_on()

    @classmethod
    def new(cls, profile: CardProfile | None = None, trace: TraceSink | None = None) -> TestCard:
        """Personalise a card in memory."""
        store = MemoryStore()
        personalise(profile or card_profile(), store)
        return cls(store, trace)

    # --- sending

    def send(self, *parts: str | bytes) -> Answer:
        """Send one APDU, given as hex or bytes in any number of parts. Every answer has a known status word."""
        raw = b"".join(part if isinstance(part, bytes) else bytes.fromhex(part) for part in parts)
        response = self.card.transmit(raw)
        sw = int.from_bytes(response[-2:], "big")
        assert find_row(sw) is not None, f"{raw[:5].hex()} answered {describe(sw)}"
        return Answer(response[:-2].hex().upper(), f"{sw:04X}")

    def exchange(self, *parts: str | bytes) -> Answer:
        """Send one APDU as a T=0 terminal does: 61XX is followed by GET RESPONSE, and so is a warning of SELECT.

        The warning is then the status word of the whole (TS 102 221 annex C). What waits is fetched on the channel of
        the command.
        """
        raw = b"".join(part if isinstance(part, bytes) else bytes.fromhex(part) for part in parts)
        get_response = f"{raw[0] & 0x7F:02X}C00000"
        answer = self.send(raw)
        data = answer.data
        if answer.sw in ("6283", "6285") and not data:
            fetched = self.send(get_response, "00")
            return Answer(fetched.data, answer.sw)
        while answer.sw.startswith("61"):
            answer = self.send(get_response, answer.sw[2:])
            data += answer.data
        return Answer(data, answer.sw)

    def ok(self, *parts: str | bytes) -> bytes:
        """Exchange one APDU that must succeed; return its data."""
        answer = self.exchange(*parts)
        assert answer.sw == "9000", answer
        return bytes.fromhex(answer.data)

    def refused(self, sw: str, *parts: str | bytes) -> None:
        """Send one APDU that must be refused with `sw`, without data and without any effect."""
        before = self.persistent(), self.volatile()
        assert self.send(*parts) == Answer("", sw)
        after = self.persistent(), self.volatile()
        assert after == before, f"refused with {sw}, yet something changed"

    # --- looking inside

    def persistent(self) -> dict[str, bytes]:
        """Return everything the card would remember without power."""
        return self.store.load()

    def volatile(self) -> tuple[Any, ...]:
        """Return selection, record pointers, verified PINs, notes, generation; not what is half done."""
        session = self.card._context.session
        channels = {
            number: (channel.directory, channel.file, channel.application, channel.record)
            for number, channel in session.channels.items()
        }
        return channels, session.verified, session.notes, session.generation

    def reopened(self) -> TestCard:
        """Return the same card after losing power."""
        self.card.power_off()
        return TestCard(self.store)

    # --- steps that many tests begin with

    def verify(self, reference: int, code: str) -> Answer:
        """Send VERIFY PIN for a code in digits."""
        return self.send(f"002000{reference:02X}08", pin_bytes(code))

    def ready(self) -> TestCard:
        """Select the USIM and verify PIN1; return the card."""
        self.ok(SELECT_USIM)
        assert self.verify(0x01, PIN1).sw == "9000"
        return self

    def unlocked(self) -> TestCard:
        """As `ready`, with PIN2 and ADM1 verified as well."""
        self.ready()
        assert self.verify(0x81, PIN2).sw == "9000"
        assert self.verify(0x0A, ADM1).sw == "9000"
        return self

    def read(self, fid: int) -> bytes:
        """Return a transparent file by its FID, as seen from the current directory."""
        self.ok(f"00A4000C02{fid:04X}")
        return self.ok("00B0000000")

    def record(self, fid: int, number: int) -> bytes:
        """Return a record of a file, as seen from the current directory."""
        self.ok(f"00A4000C02{fid:04X}")
        return self.ok(f"00B2{number:02X}0400")

    def binary(self, fid: int) -> bytes:
        """Return a transparent file, as seen from the current directory."""
        self.ok(f"00A4000C02{fid:04X}")
        return self.ok("00B0000000")

    # --- MBMS

    def mbms(self, mode: int, body: bytes) -> Answer:
        """Run one mode of the MBMS context: send the object in blocks, fetch the answer in blocks.

        Returns the value of the response object and the status word that ended it.
        """
        return self.authenticate_odd(tlv(0x53, bytes((mode,)) + body))

    def authenticate_odd(self, data_object: bytes, block_size: int = 255) -> Answer:
        """Send a data object in blocks of at most `block_size` bytes and fetch the response object."""
        answer = Answer("", "63F1")
        for start in range(0, len(data_object), block_size):
            assert answer.sw == "63F1"
            block = data_object[start : start + block_size]
            answer = self.send("0089", "80" if start == 0 else "00", "85", bytes((len(block),)), block)
        if answer.sw != "62F3":
            return answer
        response = self.send("0089A00000")
        received = response.data
        while response.sw == "62F1":
            response = self.send("0089200000")
            received += response.data
        return Answer(_value_of(0x53, bytes.fromhex(received)).hex().upper(), response.sw)

    def mbms_refused(self, sw: str, mode: int, body: bytes) -> None:
        """Run one mode that must be refused without any effect."""
        before = self.persistent(), self.volatile()
        assert self.mbms(mode, body) == Answer("", sw)
        assert (self.persistent(), self.volatile()) == before, f"refused with {sw}, yet something changed"


def pin_bytes(code: str) -> bytes:
    """Return the eight bytes in which a code of 4 to 8 digits travels."""
    return code.encode().ljust(8, b"\xff")


def lv(*values: bytes) -> bytes:
    """Return values, each behind its one-byte length."""
    return b"".join(bytes((len(value),)) + value for value in values)


def tlv(tag: int, value: bytes) -> bytes:
    """Return one BER-TLV object, written here a second time so that the tests do not lean on the card's own."""
    size = len(value)
    if size < 0x80:
        length = bytes((size,))
    else:
        count = 1 if size < 0x100 else 2
        length = bytes((0x80 + count,)) + size.to_bytes(count, "big")
    return bytes((tag,)) + length + value


def _value_of(tag: int, data_object: bytes) -> bytes:
    assert data_object[0] == tag
    header = 2 if data_object[1] < 0x80 else data_object[1] - 0x80 + 2
    value = data_object[header:]
    assert tlv(tag, value) == data_object
    return value


def held_by(card: Card) -> tuple[dict[str, object], ...]:
    """Return by name what a card holds from one command to the next: itself, its context and its parts."""
    context = card._context
    return _held(card), _held(context), _held(context.card)


def _held(one: Any) -> dict[str, object]:
    """Return the fields of an object by name, also where they are slots or its class is compiled."""
    names = getattr(one, "__dict__", None) or getattr(one, "__mypyc_attrs__", None) or one.__slots__
    return {name: getattr(one, name) for name in names}
