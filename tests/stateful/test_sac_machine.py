"""Random lives of a secure channel: whatever happens, either both sides agree or the channel is gone.

Commands, renewed keys, resets, power cut at a write, strangers who forge and replay. After each step a model knows
which TEKs may have left; in clear none ever does.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from card.codec.sac import StartRequest, TerminateRequest, Termination
from card.personalisation.personalise import personalise
from card.spec.sac_tables import Kind
from card.store.memory import MemoryStore
from host_tools.apdu.client import ApduClient
from host_tools.links.base import LinkError
from host_tools.terminal.errors import TerminalError
from host_tools.terminal.sac.channels import SecuredApduChannel
from host_tools.terminal.sac.commands import SacCommands
from host_tools.terminal.sac.errors import ChannelError
from host_tools.terminal.sac.link import SacLink
from tests.support.faulty_store import FaultyStore, PowerCut
from tests.support.network import bootstrap, deliver, derive_naf_keys, stkm
from tests.support.profiles import AID, PIN1
from tests.support.sac import Wire, sac_link, sac_profile
from tests.support.testcard import TestCard, pin_bytes, tlv

OK = b"\x90\x00"
STATUS = bytes.fromhex("80F2000C")
SELECT = bytes.fromhex(f"00A4040C10{AID.hex()}")
TEK = bytes(range(0xB0, 0xC0))
KINDS = st.sampled_from((Kind.SECURED_APDU, Kind.TLS))


def provisioned() -> dict[str, bytes]:
    """Return what a card with one SEK and without PIN remembers: each power cut in a VERIFY would cost a try."""
    store = MemoryStore()
    personalise(sac_profile(connections=4), store)
    card = TestCard(store).ready()
    session = bootstrap(card)
    derive_naf_keys(card)
    deliver(card, session.ltkm())
    assert card.send("0026000108", pin_bytes(PIN1)).sw == "9000"
    PROVISIONED.append(session.ltkm())
    return store.load()


PROVISIONED: list[Any] = []
CONTENTS = provisioned()
LTKM = PROVISIONED[0]


class SacMachine(RuleBasedStateMachine):
    """One card, one terminal, one stranger on the same wire."""

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore(dict(CONTENTS))
        self.wire = Wire(TestCard(self.store))
        self.link: SacLink = sac_link(self.wire)
        self.counter = 0

    @initialize(kind=KINDS, rekey=st.integers(1, 6))
    def terminal(self, kind: Kind, rekey: int) -> None:
        self.link = sac_link(self.wire, kind=kind, rekey_after=rekey)

    # --- the terminal

    def send(self, command: bytes) -> bytes:
        """Send a command inside. A stranger may have spoilt the channel; the next try then has a new one."""
        try:
            return self.link.transmit(command)
        except (ChannelError, LinkError):
            return self.link.transmit(command)

    @rule()
    def status(self) -> None:
        assert self.send(STATUS) == OK

    @rule()
    def tek(self) -> None:
        """The whole way of an STKM, with keys renewed before or after it but not on the way."""
        self.counter += 1
        assert self.send(SELECT) == OK
        assert self.send(self._stkm(self.counter)) == b"\x62\xf3"
        assert self.send(bytes.fromhex("0089A08500"))[3:19] == TEK

    @rule()
    def close_and_open(self) -> None:
        kind, rekey, association = self.link._kind, self.link._rekey_after, self.link.association
        channel = self.link._channel
        if channel is not None:
            with suppress(ChannelError):
                channel.close()
        self.link = sac_link(self.wire, kind=kind, rekey_after=rekey, association=association)

    @rule()
    def forget_the_association(self) -> None:
        self.link = sac_link(self.wire, kind=self.link._kind, rekey_after=self.link._rekey_after)
        self.wire.card.card.reset()  # else the places of channels nobody knows any more run out

    # --- the card

    @rule()
    def reset_by_the_terminal(self) -> None:
        self.link.reset()

    @rule()
    def reset_behind_its_back(self) -> None:
        self.wire.card.card.reset()

    @rule(cut=st.integers(1, 4), before=st.booleans())
    def power_cut(self, cut: int, before: bool) -> None:
        """Cut the power at a write of whatever comes next, then power the card again."""
        faulty = TestCard(FaultyStore(self.store, cut, before=before))
        self.wire.card = faulty
        self.counter += 1
        with suppress(PowerCut):
            self.send(SELECT)
            self.send(self._stkm(self.counter))
        self.wire.card = TestCard(self.store)

    # --- the stranger

    @rule(session=st.integers(0, 3), junk=st.binary(max_size=40))
    def forge(self, session: int, junk: bytes) -> None:
        data = tlv(0x80, junk)
        answer = self.wire.card.send(f"0075{session << 6 | 4:02X}00{len(data):02X}", data)
        assert answer.data == ""
        assert answer.sw in ("9863", "6985") or answer.sw.startswith("92")

    @rule(number=st.integers(0, 30))
    def replay(self, number: int) -> None:
        """Send something once more that went over the wire, fetches and refusals among it."""
        sent = [apdu for apdu, _ in self.wire.log if apdu[1] == 0x75 and apdu[2] & 4]
        if sent:
            answer = self.wire.card.card.transmit(sent[number % len(sent)])
            assert len(answer) == 2

    @rule()
    def fetch(self) -> None:
        for header in ("0089A08500", "0089208500", "00C0000000"):
            assert self.wire.card.send(header).data == ""

    @rule()
    def terminate(self) -> None:
        commands = SacCommands(ApduClient(self.wire))
        channel = self.link._channel
        ended = [bytes(16)]
        if isinstance(channel, SecuredApduChannel):
            ended.append(channel._csa_id)
        for sa_id in ended:
            with suppress(TerminalError):
                commands.terminate(TerminateRequest(connections=(Termination(sa_id, bytes(16)),)))
                raise AssertionError("a stranger ended a channel")
            with suppress(TerminalError):
                commands.start(StartRequest(b"\x04\x04", sa_id, bytes(16), 240))
                raise AssertionError("a stranger started a channel")

    @rule()
    def a_terminal_with_another_secret(self) -> None:
        from tests.support.sac import OTHER_PSK, TERMINAL, TERMINAL_APPLI

        stranger = sac_link(Wire(self.wire.card), type(self.link._credentials)(TERMINAL, TERMINAL_APPLI, OTHER_PSK))
        with suppress(TerminalError, LinkError):
            stranger.transmit(STATUS)
            raise AssertionError("a stranger got a channel")

    @rule()
    def in_clear(self) -> None:
        """Ask for the next TEK in clear: 6989 when everything else is right, and the counter stays."""
        card = self.wire.card
        assert card.send(SELECT).sw == "9000"
        assert card.send(self._stkm(self.counter + 1)).sw == "6989"

    # ---

    def _stkm(self, counter: int) -> bytes:
        data = tlv(0x53, b"\x02" + stkm(LTKM, counter).build())
        return b"\x00\x89\x80\x85" + bytes((len(data),)) + data

    @invariant()
    def no_key_went_over_the_wire(self) -> None:
        for _sent, received in self.wire.log:
            assert TEK not in received
        assert all(sent[1] in (0x73, 0x75, 0xC0) for sent, _ in self.wire.log)


SacMachine.TestCase.settings = settings(stateful_step_count=30)
TestSacMachine = SacMachine.TestCase
