"""The rounds that a broadcast terminal does all day, ready to be timed: every command is made before the clock runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle

from card import CardProfile
from card.codec.mikey import KeyInterval
from card.crypto.secret import Secret
from card.spec.bcast.p1 import P1
from card.spec.files.catalogue import all_files
from card.spec.files.rows import EfRow
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.stkm import StkmContent, seal_stkm
from host_tools.headend.subscribers.personalised import subscriber_of
from host_tools.links.base import TransmissionProtocol
from host_tools.terminal.middleware import TerminalMiddleware

Transmit = Callable[[bytes], bytes]

SELECT_IMSI = bytes.fromhex("00A40004026F0700")
READ_IMSI = bytes.fromhex("00B0000009")
OK = b"\x90\x00"
RESPONSE_AVAILABLE = b"\x62\xf3"
RETRIEVE = bytes.fromhex("0089A08500")
KEYS_WAIT = b"\x61\x35"  # DB, and RES, CK, IK and Kc behind their lengths
GET_KEYS = bytes.fromhex("00C0000035")
_SERVICE = "tone-a"
_FILES = 60


class LinkOver:
    """A terminal's link (`host_tools.links.base.Link`) over nothing but a transmit function."""

    name = "bench"
    atr = b""
    protocol = TransmissionProtocol.T0

    def __init__(self, transmit: Transmit) -> None:
        self.transmit = transmit

    def reset(self) -> bytes:
        return self.atr

    def close(self) -> None:
        pass


def _select(path: str) -> bytes:
    """Return the SELECT by path from the MF; 7FFF stands for the ADF."""
    fids = bytes.fromhex(path.replace("ADF.USIM", "7FFF").removeprefix("3F00/").replace("/", ""))
    return bytes.fromhex("00A40804") + bytes((len(fids),)) + fids + b"\0"


def _read(row: EfRow) -> bytes:
    """Return the command that reads the file, or its first record."""
    return bytes.fromhex("00B2010400" if row.structure.has_records else "00B0000000")


class Rounds:
    """A round of two commands, again and again: each pair in its turn, the answers checked."""

    def __init__(
        self, transmit: Transmit, pairs: Sequence[tuple[bytes, bytes]], expected: Callable[[bytes, bytes], bool]
    ) -> None:
        self._transmit = transmit
        self._pairs = pairs
        self._next = cycle(pairs).__next__
        self._expected = expected

    def __call__(self) -> None:
        first, second = self._next()
        assert self._expected(self._transmit(first), self._transmit(second))

    def echoed(self, transmit: Transmit) -> Rounds:
        """Return the same commands for an echo card: the floor of the path for these very bytes."""
        return Rounds(transmit, self._pairs, lambda first, second: first[-2:] == second[-2:] == OK)


class UsimRounds:
    """A terminal that is bootstrapped and holds an SEK, with `count` authentications and STKMs prepared."""

    def __init__(self, transmit: Transmit, count: int) -> None:
        self._transmit = transmit
        profile = CardProfile.demo()
        self._network = UsimNetwork(shipped_scenario("demo"), subscriber_of(profile), tables=P1)
        middleware = TerminalMiddleware(LinkOver(transmit), tables=P1)
        middleware.connect(profile.pins.pin1.value)
        self._deliver_key(middleware)
        self._challenges = [self._challenge(number) for number in range(count)]
        self._stkms = list(self._make_stkms(count))

    def _deliver_key(self, middleware: TerminalMiddleware) -> None:
        network = self._network
        bootstrapped = middleware.bootstrap(network.bsf)
        middleware.establish(network.bsm.naf_id)
        everything = KeyInterval.between(1, 0xFFFF, 2)
        ltkm = network.bsm.ltkm(_SERVICE, bootstrapped.b_tid, validity=everything)
        verification = middleware.deliver(ltkm).verification
        assert verification is not None
        network.bsm.verify(ltkm, verification)

    def _challenge(self, number: int) -> bytes:
        vector = self._network.subscriber.vector(number.to_bytes(16, "big"))
        return bytes.fromhex("008800812210") + vector.rand + b"\x10" + vector.autn

    def _make_stkms(self, count: int) -> Iterator[bytes]:
        key = self._network.bsm.current_key(_SERVICE)
        for number in range(1, count + 1):
            ids = key.traffic_key_ids(1 + number)  # above the lower limit, and rising: the card wants it so
            content = StkmContent(ids, Secret(number.to_bytes(16, "big")), Secret(bytes(14)), number)
            message = b"\x02" + seal_stkm(content, key.key, key.csb_id, key.rand)
            body = b"\x53" + bytes((len(message),)) + message
            yield bytes.fromhex("00898085") + bytes((len(body),)) + body

    def select_and_read(self) -> Rounds:
        """SELECT EF_IMSI, READ BINARY."""
        return Rounds(self._transmit, [(SELECT_IMSI, READ_IMSI)], lambda first, second: first[-2:] == second[-2:] == OK)

    def start_up(self) -> Rounds:
        """SELECT and read 60 files of the card one after the other, as a terminal does when it starts."""
        pairs = [(_select(path), _read(row)) for path, row in all_files() if path.startswith(("ADF.USIM/", "3F00/"))]
        readable = [pair for pair in pairs if all(self._transmit(command)[-2:] == OK for command in pair)]
        assert len(readable) >= _FILES
        return Rounds(self._transmit, readable[:_FILES], lambda first, second: first[-2:] == second[-2:] == OK)

    def authenticate(self) -> Rounds:
        """3G AUTHENTICATE, GET RESPONSE."""
        pairs = [(challenge, GET_KEYS) for challenge in self._challenges]
        return Rounds(self._transmit, pairs, lambda first, second: first == KEYS_WAIT and second[0] == 0xDB)

    def stkm_to_tek(self) -> Rounds:
        """An STKM, and the retrieval of its TEK."""
        pairs = [(stkm, RETRIEVE) for stkm in self._stkms]
        return Rounds(self._transmit, pairs, lambda first, second: first == RESPONSE_AVAILABLE and second[2] == 0xDB)
