"""A terminal made of the oracle and plain bytes: shares no code with the card or the real terminal."""

from __future__ import annotations

from tests.oracle.mikey import Ltkm
from tests.oracle.sac import Connection, Names, master_end_mac
from tests.support.network import stkm
from tests.support.profiles import AID
from tests.support.sac import PSK, TERMINAL, TERMINAL_APPLI
from tests.support.testcard import Answer, TestCard, tlv

AES = bytes.fromhex("0404")
SIZE = 240
TEK = b"\xdb" + bytes(range(0xB0, 0xC0)) + bytes(range(0xC0, 0xCE))
ANSWER = tlv(0x53, TEK)


def parse(data: bytes) -> dict[int, bytes]:
    """Return tag to value for objects with short lengths."""
    found = {}
    while data:
        found[data[0]] = data[2 : 2 + data[1]]
        data = data[2 + data[1] :]
    return found


class OracleTerminal:
    """Speaks MANAGE SECURE CHANNEL and TRANSACT DATA by hand."""

    def __init__(self, card: TestCard, psk: bytes = PSK.reveal()) -> None:
        self.card = card
        self.psk = psk
        self.uicc_id = b""

    # --- MANAGE SECURE CHANNEL

    def manage(self, procedure: int, value: bytes, block: int = 255) -> Answer:
        """Send one procedure in blocks; return the last answer."""
        whole = tlv(0x73, value)
        answer = Answer("", "63F1")
        for start in range(0, len(whole), block):
            assert answer.sw == "63F1"
            part = whole[start : start + block]
            answer = self.card.send(f"0073{procedure:02X}{0 if start else 0x80:02X}{len(part):02X}", part)
        return answer

    def ask(self, procedure: int, value: bytes) -> dict[int, bytes]:
        """Run a procedure that must answer; return the objects of its response."""
        assert self.manage(procedure, value).sw == "62F3"
        return parse(parse(self.card.ok(f"0073{procedure:02X}A000"))[0x73])

    def endpoints(self) -> bytes:
        """Return the description of the endpoints."""
        return parse(self.card.ok("0073000000"))[0x73]

    def master(self, methods: int = 2, terminal: bytes = TERMINAL, aid: bytes = AID) -> Names:
        """Agree on a Master SA."""
        self.uicc_id = self.endpoints()[2:12]
        value = tlv(0x83, bytes([methods])) + tlv(0x84, terminal) + tlv(0x85, TERMINAL_APPLI) + tlv(0x86, aid)
        found = self.ask(1, value)
        return Names(found[0x88], self.uicc_id, terminal, TERMINAL_APPLI, aid, methods, found[0x87][0])

    def connect(self, names: Names, offered: bytes = AES, nonce: bytes = b"n" * 16) -> Connection:
        """Make a Connection SA and check the card's proof."""
        found = self.ask(2, tlv(0x88, names.msa_id) + tlv(0x89, offered) + tlv(0x8A, nonce))
        made = Connection(self.psk, names, found[0x8B], nonce, found[0x8A], offered, found[0x89])
        assert found[0x8C] == made.csa_mac()
        return made

    def start_value(self, made: Connection, size: int = SIZE) -> bytes:
        """Return the command of the procedure Start."""
        objects = ((0x89, made.chosen), (0x8B, made.csa_id), (0x8D, made.start_mac(size)), (0x8E, bytes([size])))
        return b"".join(tlv(tag, value) for tag, value in objects)

    def start(self, made: Connection, size: int = SIZE) -> int:
        """Start a channel; return its session number."""
        return self.ask(3, self.start_value(made, size))[0x8F][0]

    def open(self, size: int = SIZE) -> Tunnel:
        """Go all the way."""
        names = self.master()
        made = self.connect(names)
        return Tunnel(self.card, names, made, self.start(made, size), size)

    def end_connection(self, made: Connection, mac: bytes | None = None) -> Answer:
        """Terminate a Connection SA."""
        return self.manage(4, tlv(0x8B, made.csa_id + (made.end_mac() if mac is None else mac)))

    def end_master(self, names: Names, mac: bytes | None = None) -> Answer:
        """Terminate a Master SA."""
        proof = master_end_mac(self.psk, names) if mac is None else mac
        return self.manage(4, tlv(0x88, names.msa_id + proof))


class Tunnel:
    """An open channel."""

    def __init__(self, card: TestCard, names: Names, made: Connection, session: int, size: int = SIZE) -> None:
        self.card, self.names, self.made, self.session, self.size = card, names, made, session, size
        self.counter = 0

    def seal(self, command: bytes) -> bytes:
        """Return the next container to the card."""
        self.counter += 1
        return self.made.seal(0, self.counter, command)

    def block(self, part: bytes, left: int = 0) -> Answer:
        """Send one block."""
        data = tlv(0x80, part)
        return self.card.send(f"0075{self.session << 6 | 4:02X}{left:02X}{len(data):02X}", data)

    def send(self, container: bytes) -> Answer:
        """Send a container in as many blocks as it takes; return the last answer."""
        parts = [container[start : start + self.size] for start in range(0, len(container), self.size)]
        answer = Answer("", "")
        for number, part in enumerate(parts):
            answer = self.block(part, len(parts) - 1 - number)
            if answer.sw != f"{0x9200 | self.session << 6:04X}":
                break
        return answer

    def fetch(self) -> bytes:
        """Return the answering container."""
        found = b""
        while True:
            answer = self.card.send(f"0075{self.session << 6:02X}0000")
            data = bytes.fromhex(answer.data)
            header = 2 if data[1] < 0x80 else 3
            assert data[0] == 0x80
            found += data[header:]
            if answer.sw == "9000":
                return found
            assert answer.sw == f"{0x9202 | self.session << 6:04X}"

    def expect(self, command: str | bytes, response: str | bytes) -> None:
        """Run a command inside and check the whole response, byte for byte as the oracle would seal it."""
        raw = command if isinstance(command, bytes) else bytes.fromhex(command)
        plain = response if isinstance(response, bytes) else bytes.fromhex(response)
        assert self.send(self.seal(raw)).sw == f"{0x9201 | self.session << 6:04X}"
        assert self.fetch() == self.made.seal(1, self.counter, plain)

    def run(self, command: str | bytes) -> None:
        """Run a command inside and fetch whatever it answers."""
        raw = command if isinstance(command, bytes) else bytes.fromhex(command)
        assert self.send(self.seal(raw)).sw == f"{0x9201 | self.session << 6:04X}"
        assert self.fetch()


def stkm_commands(message: Ltkm, counter: int, size: int = 255, cla: int = 0) -> list[bytes]:
    data = tlv(0x53, b"\x02" + stkm(message, counter).build())
    return [
        bytes((cla, 0x89, 0x00 if start else 0x80, 0x85, len(data[start : start + size]))) + data[start : start + size]
        for start in range(0, len(data), size)
    ]


def get_tek(tunnel: Tunnel, message: Ltkm, counter: int, size: int = 255) -> None:
    *blocks, last = stkm_commands(message, counter, size)
    for block in blocks:
        tunnel.expect(block, "63F1")
    tunnel.expect(last, "62F3")
    tunnel.expect("0089A00000", ANSWER + b"\x90\x00")
