"""What a terminal does with an LTKM before and after the card sees it (TS 33.246 clause 6.4.6.1), with a real card."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NoReturn

import pytest

from card import memory_card
from card.codec.apdu import CommandApdu
from card.codec.mikey import SecurityPolicy
from card.crypto.secret import Secret
from card.spec.bcast.p1 import P1
from card.spec.gba import naf_id
from host_tools.apdu.response import StatusError
from host_tools.links.inprocess import InProcessLink
from host_tools.terminal.bcast import Tek
from host_tools.terminal.card_stkm import CardStkmView
from host_tools.terminal.errors import NoUsableKsError
from host_tools.terminal.ltkm_delivery import KeepNeeded
from host_tools.terminal.ltkm_receipt import LtkmReceipt, LtkmVerdict, MskRequest
from host_tools.terminal.middleware import TerminalMiddleware
from tests.oracle.mikey import Ltkm
from tests.support.network import BSF, KEY_DOMAIN, Bootstrap, autn_star, rand, stkm, vector
from tests.support.profiles import PIN1, card_profile

FQDN = b"bmsc.mnc001.mcc001.pub.3gppnetwork.org"
GROUP = b"\0\1"
LIFETIME = "2031-01-01T00:00:00Z"
BEFORE, AFTER = datetime(2030, 12, 31, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
MSK_UPDATE = 0x01


class Watched(InProcessLink):
    """Counts the MSK updates and other AUTHENTICATEs that the card sees."""

    def __init__(self) -> None:
        super().__init__(memory_card(card_profile(), strict=True))
        self.updates = 0
        self.derivations = 0
        self.commands = 0

    def transmit(self, apdu: bytes) -> bytes:
        command = CommandApdu.decode(apdu)
        self.commands += 1
        self.updates += (command.ins, command.p1) == (0x89, 0x80) and MSK_UPDATE in command.data[2:6]
        self.derivations += (command.ins, command.data[:1]) == (0x88, b"\xde")
        return super().transmit(apdu)


class FakeBsf:
    """A BSF whose next challenge is known; `session` is what it knows of the last run."""

    autn_star = b""
    rand = b""
    b_tid = ""
    lifetime = LIFETIME

    def __init__(self) -> None:
        self.runs = 0

    def challenge(self, _impi: str) -> FakeBsf:
        self.runs += 1
        made = vector(self.runs, rand(self.runs), self.runs)
        self.session = Bootstrap(made["f3"] + made["f4"], rand(self.runs))
        self.rand, self.autn_star = rand(self.runs), autn_star(made)
        self.b_tid = self.session.b_tid.decode()
        return self

    def complete(self, _rand: bytes, _res: bytes) -> FakeBsf:
        return self

    def resynchronise(self, _impi: str, _rand: bytes, _auts: bytes) -> None:
        raise AssertionError("the challenges are in order")


class Scene:
    """A terminal that has bootstrapped once and shares keys with one BM-SC."""

    def __init__(self) -> None:
        self.link = Watched()
        self.bsf = FakeBsf()
        self.terminal = TerminalMiddleware(self.link, tables=P1)
        self.terminal.connect(Secret(PIN1.encode()))
        self.session = self.bootstrap()
        self.terminal.establish(naf_id(FQDN))

    def bootstrap(self) -> Bootstrap:
        self.terminal.bootstrap(self.bsf)
        return self.bsf.session

    def deliver(self, message: Ltkm, **options: Any) -> LtkmReceipt:
        return self.terminal.deliver(message.build(), **options)

    def establish(self, fqdn: bytes) -> None:
        self.terminal.establish(naf_id(fqdn))

    def ltkm(self, counter: int = 1, fqdn: bytes = FQDN, **changes: Any) -> Ltkm:
        return self.session.ltkm(counter, naf_id(fqdn), **changes)


@pytest.fixture
def it() -> Iterator[Scene]:
    scene = Scene()
    with closing(scene.terminal):
        yield scene


def request(group: bytes = GROUP, *, back_off: bool, b_tid: bytes) -> MskRequest:
    return MskRequest(KEY_DOMAIN, group, back_off, b_tid.decode())


class TestBeforeTheCard:
    @pytest.mark.norm("66")
    @pytest.mark.parametrize(
        ("first", "then", "taken"),
        [(5, 6, True), (5, 5, False), (5, 4, False), (0xFFFFFFF0, 5, True), (1, 0x80000001, False)],
    )
    def test_t_is_compared_with_ef_muk(self, it: Scene, first: int, then: int, taken: bool) -> None:
        """By RFC 1982: a counter may wrap around; the distance of 2^31 is no step forward."""
        assert it.deliver(it.ltkm(first)).taken
        receipt = it.deliver(it.ltkm(then))
        assert receipt.taken is taken
        assert it.link.updates == 1 + taken
        if not taken:
            assert receipt == LtkmReceipt(LtkmVerdict.STALE)  # nothing to send, nothing to ask for

    @pytest.mark.norm("66")
    def test_without_a_record_of_the_muk_any_t_is_new(self, it: Scene) -> None:
        assert it.terminal.usim.read_msks() == ()
        assert it.deliver(it.ltkm(0)).taken

    @pytest.mark.norm("66")
    def test_a_message_that_is_no_ltkm_never_reaches_the_card(self, it: Scene) -> None:
        ltkm = it.ltkm()
        for raw in (b"", b"\1", ltkm.build()[:-1], stkm(ltkm).build()):
            assert it.terminal.deliver(raw) == LtkmReceipt(LtkmVerdict.NO_LTKM)
        assert it.link.updates == 0


class TestTaken:
    @pytest.mark.norm("66", "71")
    def test_sp_is_in_use_only_when_the_card_took_the_message(self, it: Scene) -> None:
        sp = bytes.fromhex("0101011002010203011404010e")
        message = it.ltkm(sp=sp, ssrc=1)
        forged = replace(message, psk=bytes(32))
        assert it.deliver(forged) == LtkmReceipt(LtkmVerdict.NOT_AUTHENTIC, sw=0x9862)
        assert it.deliver(message).policies == (SecurityPolicy(0, 0, sp),)

    @pytest.mark.norm("66")
    def test_a_verification_message_is_handed_on(self, it: Scene) -> None:
        message = it.ltkm(verify=True)
        assert it.deliver(message).verification == message.build_verification()

    @pytest.mark.norm("66", "20")
    def test_a_pull_asks_for_the_current_key_at_once(self, it: Scene) -> None:
        receipt = it.deliver(it.ltkm(msk_id=GROUP + bytes(2), pull=True))
        assert receipt.taken
        assert receipt.request == request(back_off=False, b_tid=it.session.b_tid)
        assert receipt.request.msk_id == GROUP + bytes(2)


class TestReactions:
    @pytest.mark.norm("66", "12")
    @pytest.mark.parametrize("pull", [False, True])
    def test_an_outdated_muk_asks_under_the_new_b_tid(self, it: Scene, pull: bool) -> None:
        """9865: the message is authentic under the MUK used last; no verification message (clause 6.3.2.3.1)."""
        it.deliver(it.ltkm(1))
        new = it.bootstrap()
        it.establish(FQDN)
        ids: dict[str, Any] = {"msk_id": GROUP + bytes(2), "pull": True} if pull else {}
        receipt = it.deliver(it.ltkm(2, verify=not pull, **ids))
        assert (receipt.verdict, receipt.sw, receipt.verification) == (LtkmVerdict.OUTDATED_MUK, 0x9865, None)
        assert receipt.request == request(back_off=not pull, b_tid=new.b_tid)

    @pytest.mark.norm("66", "14")
    def test_a_lost_naf_key_is_derived_again_while_its_ks_is_there(self, it: Scene) -> None:
        """6985, as the NAF key was overwritten (two fit) before its first LTKM."""
        for other in (b"one.example.org", b"two.example.org"):
            it.establish(other)
        before = it.link.derivations
        receipt = it.deliver(it.ltkm())
        assert (receipt.taken, it.link.derivations, it.link.updates) == (True, before + 1, 2)

    @pytest.mark.norm("66", "14")
    def test_a_lost_naf_key_of_an_older_ks_calls_for_a_request(self, it: Scene) -> None:
        new = it.bootstrap()
        for other in (b"one.example.org", b"two.example.org"):
            it.establish(other)
        receipt = it.deliver(it.ltkm())
        assert (receipt.verdict, receipt.sw, it.link.updates) == (LtkmVerdict.NAF_KEY_GONE, 0x6985, 1)
        assert receipt.request == request(back_off=True, b_tid=new.b_tid)

    @pytest.mark.norm("66", "69")
    def test_where_a_bsf_is_at_hand_the_new_b_tid_is_bootstrapped(self, it: Scene) -> None:
        for other in (b"one.example.org", b"two.example.org"):
            it.establish(other)
        receipt = it.deliver(it.ltkm(), now=AFTER)
        assert receipt.request == MskRequest(KEY_DOMAIN, GROUP, back_off=True)
        receipt = it.deliver(it.ltkm(), now=AFTER, bsf=it.bsf)
        assert it.bsf.runs == 2
        assert receipt.request == request(back_off=True, b_tid=it.bsf.session.b_tid)

    @pytest.mark.norm("66")
    def test_an_unknown_muk_calls_for_a_request(self, it: Scene) -> None:
        it.deliver(it.ltkm())
        receipt = it.deliver(it.ltkm(2, id_r=b"AAAAAAAAAAAAAAAAAAAAAA==@" + BSF))
        assert (receipt.verdict, receipt.sw) == (LtkmVerdict.UNKNOWN_MUK, 0x6A88)
        assert receipt.request == request(back_off=True, b_tid=it.session.b_tid)

    @pytest.mark.norm("66")
    def test_a_full_ef_msk_loses_what_is_not_needed(self, it: Scene) -> None:
        """9866: three groups fit; the card never gives one away by itself."""
        for number in (1, 2, 3):
            assert it.deliver(it.ltkm(number, msk_id=bytes((0, number, 0, 1)))).taken
        fourth = it.ltkm(4, msk_id=bytes.fromhex("00040001"))
        assert it.deliver(fourth).verdict is LtkmVerdict.NO_ROOM_FOR_MSK
        needed = KeepNeeded(frozenset(KEY_DOMAIN + bytes((0, number)) for number in (1, 3)))
        assert it.deliver(fourth, spare=needed).taken
        held = it.terminal.usim.read_msks()
        assert {entry.msk_id[:2] for entry in held} == {b"\0\1", b"\0\3", b"\0\4"}

    @pytest.mark.norm("66")
    def test_a_full_ef_muk_loses_what_is_not_needed(self, it: Scene) -> None:
        """9867: two MUKs fit."""
        others = (b"one.example.org", b"two.example.org")
        assert it.deliver(it.ltkm()).taken
        for fqdn in others:
            it.establish(fqdn)
        assert it.deliver(it.ltkm(1, others[0])).taken
        third = it.ltkm(1, others[1])
        assert it.deliver(third).verdict is LtkmVerdict.NO_ROOM_FOR_MUK
        assert it.deliver(third, spare=KeepNeeded(frozenset(), frozenset({FQDN, others[0]}))).sw == 0x9867
        assert it.deliver(third, spare=KeepNeeded(frozenset(), frozenset({FQDN}))).taken
        assert {muk.id_i for muk in it.terminal.usim.iter_muks()} == {FQDN, others[1]}

    def test_a_card_that_does_not_show_what_it_holds_keeps_its_room(
        self, it: Scene, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The refusal of the message is what counts, and not that of EF_MUK."""
        others = (b"one.example.org", b"two.example.org")
        assert it.deliver(it.ltkm()).taken
        for fqdn in others:
            it.establish(fqdn)
        assert it.deliver(it.ltkm(1, others[0])).taken

        def refused() -> NoReturn:
            raise StatusError(0x6982, "READ RECORD")

        monkeypatch.setattr(it.terminal.usim, "iter_muks", refused)
        spare = KeepNeeded(frozenset(), frozenset({FQDN}))
        assert it.deliver(it.ltkm(1, others[1]), spare=spare).verdict is LtkmVerdict.NO_ROOM_FOR_MUK

    @pytest.mark.norm("66")
    def test_a_forged_message_asks_for_nothing(self, it: Scene) -> None:
        receipt = it.deliver(it.ltkm(psk=bytes(32), msk_id=GROUP + bytes(2), pull=True))
        assert receipt == LtkmReceipt(LtkmVerdict.NOT_AUTHENTIC, sw=0x9862)


class TestLifetimeOfKs:
    @pytest.mark.norm("69")
    def test_a_ks_that_is_over_derives_nothing(self, it: Scene) -> None:
        it.terminal.establish(naf_id(FQDN), now=BEFORE)
        before = it.link.derivations
        with pytest.raises(NoUsableKsError, match="good until 2031"):
            it.terminal.establish(naf_id(FQDN), now=AFTER)
        assert it.link.derivations == before

    @pytest.mark.norm("69")
    def test_then_the_terminal_bootstraps_again(self, it: Scene) -> None:
        it.terminal.establish(naf_id(FQDN), now=AFTER, bsf=it.bsf)
        assert it.bsf.runs == 2
        it.session = it.bsf.session
        assert it.deliver(it.ltkm()).taken

    @pytest.mark.norm("69")
    def test_a_card_without_ks(self) -> None:
        with closing(TerminalMiddleware(Watched(), tables=P1)) as terminal:
            terminal.connect(Secret(PIN1.encode()))
            with pytest.raises(NoUsableKsError, match="no bootstrapped key"):
                terminal.establish(naf_id(FQDN))

    @pytest.mark.norm("69", "13")
    def test_a_ks_that_went_with_its_muk(self, it: Scene) -> None:
        it.deliver(it.ltkm())
        it.terminal.usim.muk_deletion(it.session.b_tid, FQDN)
        with pytest.raises(NoUsableKsError, match="no bootstrapped key"):
            it.establish(FQDN)


@pytest.mark.norm("67")
def test_ef_msk_is_read_once_and_after_ltkms(it: Scene) -> None:
    message = it.ltkm()
    it.deliver(message)
    gate = it.terminal.gate

    def judged(number: int, t: int) -> bool:
        made = stkm(message, t, mtk_id=number.to_bytes(2, "big"))
        view = CardStkmView.decode(made.build(), P1)
        if gate.judge(view.ids, view.timestamp) is not None:
            return False
        assert isinstance(it.terminal.feed(made.build()), Tek)
        gate.took(view.ids, view.timestamp)
        return True

    assert judged(1, 1)
    before = it.link.commands
    assert [judged(*pair) for pair in ((1, 1), (1, 2), (2, 1))] == [False, False, False]
    assert it.link.commands == before  # neither the file nor the card was asked
    assert judged(2, 2)
    assert it.link.commands == before + 2  # the command and its answer
    it.deliver(it.ltkm(2, msk_id=bytes.fromhex("00010002")))
    before = it.link.commands
    assert not judged(2, 2)
    assert it.link.commands > before


@pytest.mark.norm("67")
def test_another_terminal_goes_on_where_the_card_is(it: Scene) -> None:
    """T of EF_MSK tells a terminal that was just switched on what came before."""
    message = it.ltkm()
    it.deliver(message)
    it.terminal.feed(stkm(message, 7).build())
    again = TerminalMiddleware(it.link, tables=P1)
    ids = stkm(message, 7, mtk_id=b"\0\2")
    view = CardStkmView.decode(ids.build(), P1)
    assert again.gate.judge(view.ids, 7) is not None
    assert again.gate.judge(view.ids, 8) is None
