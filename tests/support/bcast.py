"""A card with OMA BCAST and the other side of it, for tests: messages from the oracle, answers taken apart by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from card import CardProfile
from card.personalisation.personalise import personalise
from card.store.memory import MemoryStore
from tests.oracle import bcast_wire
from tests.oracle.bcast_model import LtkmData, StkmData
from tests.oracle.bcast_wire import Wire
from tests.oracle.mikey import Ltkm, Stkm
from tests.support.network import FQDN, Bootstrap, bootstrap, derive_naf_keys
from tests.support.profiles import TEXT
from tests.support.testcard import Answer, TestCard, pin_bytes, tlv

KEY_DOMAIN, OTHER_DOMAIN = bytes.fromhex("00F110"), bytes.fromhex("00F120")
GROUP = b"\x00\x01"
KEY_ID = (KEY_DOMAIN, GROUP, b"\x00\x01")
SEK = bytes(range(0xA0, 0xB0))
OTHER_SEK = bytes(range(0x50, 0x60))
TEK_SALT = bytes(range(0xC0, 0xCE))
CSB_ID, RAND = 0x11223344, bytes(range(16))

SMALL = """
[bcast]
table_set = "%s"
service_purse = %s
%s

[bcast.tables.capacity]
history_keys = 3
records_per_key = 5
contents = 3
purses = 3
"""


def tek(mtk: int) -> bytes:
    """Return the TEK that goes with an MTK ID."""
    return b"TEK" + bytes(11) + mtk.to_bytes(2, "big")


def profile(wire: Wire, extra: str = "", *, disabled: str = "") -> CardProfile:
    """Return the test profile on one set of tables, with little room."""
    text = TEXT.replace("DISABLED", disabled).replace("INITIAL_SEQ", "0").replace("AGE_LIMIT", "0")
    service_purse = "true" if wire.name == "X2" else "false"
    return CardProfile.parse(text + SMALL % (wire.name, service_purse, extra), "test profile")


@dataclass
class BcastCard:
    """A powered card, its SMK known to the network, and how its tables write things.

    Without `fetching` a response object that is announced stays on the card: the status word is 62F3 then.
    """

    card: TestCard
    network: Bootstrap
    wire: Wire
    fetching: bool = True

    @classmethod
    def new(cls, wire: Wire, extra: str = "", *, disabled: str = "") -> Self:
        store = MemoryStore()
        personalise(profile(wire, extra, disabled=disabled), store)
        card = TestCard(store).ready()
        network = bootstrap(card)
        derive_naf_keys(card)
        return cls(card, network, wire)

    def again(self) -> BcastCard:
        """Return the same card on a copy of what it remembers, powered anew and ready."""
        return BcastCard(TestCard(MemoryStore(self.card.store.load())).ready(), self.network, self.wire)

    # --- messages

    def ltkm(self, m: LtkmData, *, verify: bool = False, reporting: bool = False,
             rating: tuple[int, int] | None = None) -> Ltkm:  # fmt: skip
        """Return an LTKM. Bounds have 2 bytes by the MBMS rules, 4 with a policy."""
        size = 4 if m.policy else 2
        extension = bcast_wire.ltkm_extension(m, self.wire, reporting=reporting, rating=rating)
        return Ltkm(
            self.network.muk(), CSB_ID, RAND, m.ts, FQDN, self.network.b_tid, m.key_id[0], m.key_id[1] + m.key_id[2],
            m.key, m.lower.to_bytes(size, "big"), m.upper.to_bytes(size, "big"), verify, extension,
        )  # fmt: skip

    def stkm(self, m: StkmData, *, protection: int = 3, binding: int | None = None, salt: bytes | None = None) -> Stkm:
        """Return an STKM."""
        extension = bcast_wire.stkm_extension(m, self.wire, protection=protection, binding=binding)
        return Stkm(
            m.key, CSB_ID, RAND, m.ts, m.key_id[0], m.key_id[1] + m.key_id[2], m.mtk.to_bytes(2, "big"), tek(m.mtk),
            salt, extension,
        )  # fmt: skip

    def parental(self, ts: int, pin: str | None, level: tuple[int, int] | None, *, unblock: bool = False) -> Ltkm:
        """Return a parental control message."""
        extension = bcast_wire.parental_extension(pin is not None, level, unblock, self.wire)
        return Ltkm(
            self.network.muk(), CSB_ID, RAND, ts, FQDN, self.network.b_tid, KEY_DOMAIN, bytes(4),
            pin_bytes(pin) if pin else b"", b"\0\0", b"\0\0", False, extension,
        )  # fmt: skip

    # --- sending

    def update(self, message: bytes) -> tuple[str, dict[int, bytes]]:
        """Give an LTKM to the card; return the status word and the objects of the answer."""
        return self.run(tlv(0x53, b"\x01" + message))

    def generate(self, message: bytes) -> tuple[str, dict[int, bytes]]:
        """Give an STKM to the card."""
        return self.run(tlv(0x53, b"\x02" + message))

    def run(self, data_object: bytes, ins: int = 0x89, p2: int = 0x85) -> tuple[str, dict[int, bytes]]:
        """Send a data object in blocks; return the status word, and the objects in AE or under DB."""
        answer = self.exchange(data_object, ins, p2)
        if not answer.data:
            return answer.sw, {}
        ((outer, value),) = objects(bytes.fromhex(answer.data))
        if outer == 0x53:
            assert value[0] == 0xDB
            return answer.sw, {0xDB: value[1:]}
        assert outer == 0x73
        inner = list(objects(value))
        if [tag for tag, _ in inner] == [0xAE]:
            return answer.sw, dict(objects(inner[0][1]))
        return answer.sw, {0: value}

    def exchange(self, data_object: bytes, ins: int = 0x89, p2: int = 0x85, block: int = 255) -> Answer:
        """Send a data object in blocks and fetch the response object whole."""
        answer = Answer("", "63F1")
        for start in range(0, len(data_object), block):
            assert answer.sw == "63F1"
            part = data_object[start : start + block]
            answer = self.card.send(bytes((0, ins, 0x80 if start == 0 else 0, p2, len(part))), part)
        if answer.sw != "62F3" or not self.fetching:
            return answer
        response = self.card.send(bytes((0, ins, 0xA0, p2, 0)))
        received = response.data
        while response.sw == "62F1":
            response = self.card.send(bytes((0, ins, 0x20, p2, 0)))
            received += response.data
        return Answer(received, response.sw)

    # --- operations of the terminal

    def operation(self, mode: str, **fields: bytes) -> tuple[str, bytes]:
        """Send the OMA BCAST command; return the status word and the value of object 73."""
        answer = self.exchange(tlv(0x73, self.fields(**fields)), 0x1B, self.wire.modes[mode])
        sw, data = answer.sw, bytes.fromhex(answer.data)
        return sw, next(objects(data))[1] if data else b""

    def deletion(self, mode: str, **fields: bytes) -> tuple[str, dict[int, bytes]]:
        """Delete policies or a recording; return the status word and the objects of the answer."""
        body = tlv(self.wire.audit["mode"], bytes((self.wire.modes[mode],))) + self.fields(**fields)
        answer = self.exchange(tlv(0x73, tlv(0xAE, body)))
        if not answer.data:
            return answer.sw, {}
        ((_, template),) = objects(next(objects(bytes.fromhex(answer.data)))[1])
        return answer.sw, dict(objects(template))

    def fields(self, **fields: bytes) -> bytes:
        """Return data objects by their names (blanks written as underscores)."""
        return b"".join(tlv(self.wire.audit[name.replace("_", " ")], value) for name, value in fields.items())

    def key_fields(self, key_id: tuple[bytes, ...]) -> dict[str, bytes]:
        """Return the objects that name a key group, or a key."""
        return dict(zip(("key_domain", "key_group", "key_number"), key_id, strict=False))

    def purses(self) -> dict[tuple[bytes, bytes], dict[str, int]]:
        """Return the purses of every key group that the card tells of."""
        sw, value = self.operation("audit")
        found = {}
        for _, description in objects(value) if sw == "9000" else ():
            inner = dict(objects(description))
            group = inner[self.wire.audit["key domain"]], inner[self.wire.audit["key group"]]
            found[group] = {
                name: int.from_bytes(inner[self.wire.audit[name]], "big")
                for name in ("user", "live", "playback", "service", "kept")
                if self.wire.audit[name] in inner
            }
        return found

    def policies(self, group: tuple[bytes, bytes]) -> list[dict[str, bytes]]:
        """Return the policies of a key group, each as its objects by name."""
        sw, value = self.operation("audit", **self.key_fields(group))
        names = {tag: name for name, tag in self.wire.audit.items()}
        if sw != "9000":
            return []
        return [{names[tag]: item for tag, item in objects(description)} for _, description in objects(value)]


def objects(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tags (one byte) and values of BER-TLV objects."""
    position = 0
    while position < len(data):
        tag, size, position = data[position], data[position + 1], position + 2
        if size > 0x80:
            count = size - 0x80
            size = int.from_bytes(data[position : position + count], "big")
            position += count
        yield tag, data[position : position + size]
        position += size
        assert position <= len(data)
