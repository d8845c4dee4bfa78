"""Card and model in lock step through GBA_U and MBMS: each step is one command to both, and answers that agree.

The walk knows what a network knows: the sessions it bootstrapped and the messages it sent. Where a message must stand
in a relation to what the card holds (T just above, MTK ID just at the limit), the model is asked.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from tests.oracle import gba, milenage
from tests.oracle.mbms_model import Answer, Msk, MukName
from tests.oracle.mikey import Ltkm, Stkm
from tests.support.mbms_pair import CardSide, new_model, same_files
from tests.support.network import BSF, IMPI, KEY_DOMAIN, LIFETIME, vector
from tests.support.profiles import card_profile
from tests.support.testcard import TestCard, lv

SERVERS = tuple(name + b".mnc001.mcc001.pub.3gppnetwork.org" for name in (b"bmsc", b"news", b"film"))
OMA_BCAST = 75  # service of EF_UST (TS 31.102 clause 4.2.8)
UA_OTHER = bytes.fromhex("0100000002")
FIRST_T = (1, 0, 0xFFFFFFF0, 0xE9000000)
"""What a BM-SC may begin to count with; the last is about what NTP seconds are."""
STEPS_OF_T = (1, 2, 0x20, 0x7FFFFFFF, 0, -1, 0x80000000)
"""Distances from the last T: the first four are newer, the others are not (RFC 1982)."""
LIMITS = ((0, 0xFFFE), (0, 3), (2, 9), (5, 5), (6, 2), (0x10, 0x20))


@dataclass(frozen=True)
class Update:
    """Choices for an MSK message; key `None` is one about validity only, number 0 a pull."""

    server: int = 0
    age: int = 0  # of the MUK: 0 the one derived last, 1 the one before it
    group: int = 1
    number: int = 1
    key: int | None = 0
    size: int = 16
    limits: tuple[int, int] = LIMITS[0]
    first: int = 1
    step: int = 1
    verify: bool = False
    forged: bool = False


@dataclass(frozen=True)
class Traffic:
    """Choices for an MTK message; `mtk` is a distance from SEQl, or from SEQu when `at_upper`."""

    which: int = 0
    mtk: int = 1
    at_upper: bool = False
    first: int = 1
    step: int = 1
    size: int = 16
    salted: bool = True
    own_csb: bool = False
    forged: bool = False


class MbmsWalk:
    """One card, its model, and the network before them; the card is one of MBMS alone unless `bcast` is asked for."""

    def __init__(self, *, bcast: bool = False) -> None:
        self.card = CardSide(TestCard.new(card_profile(disabled=() if bcast else (OMA_BCAST,))))
        self.model = new_model(len(self.card.gbabp()))
        self.met: Counter[tuple[str, str]] = Counter()
        self.seq = 0
        self.b_tid = b""
        self.muks: dict[int, list[MukName]] = {number: [] for number in range(len(SERVERS))}
        self.brought: list[Ltkm] = []
        self.sent: list[tuple[bool, bytes]] = []

    # --- GBA

    def bootstrap(self, *, writes: bool = True, forged: bool = False) -> None:
        self.seq += 1
        rand = self.seq.to_bytes(2, "big") * 8
        made = vector(self.seq, rand, self.seq % 32)
        masked = gba.autn_star(made["autn"], made["f4"])
        if forged:
            masked = milenage.xor(masked, bytes(15) + b"\1")
        answer = self.model.bootstrap(rand, masked)
        self.agree("bootstrap", self.card.bootstrap(rand, masked), answer)
        if answer.sw == "9000":
            self.b_tid = gba.b_tid(rand, BSF)
        if writes:
            self.write_b_tid()

    def write_b_tid(self, b_tid: bytes | None = None) -> None:
        """Write as a terminal does; a terminal that writes another name only misleads itself."""
        if self.model.ks is None:
            return
        tail = lv(self.b_tid if b_tid is None else b_tid, LIFETIME)
        self.card.write_gbabp(17, tail)
        self.model.write_gbabp(17, tail)
        self.compare()

    def derive(self, server: int, ua: bytes = gba.UA_MBMS) -> None:
        naf_id = SERVERS[server] + ua
        self.agree("derive", self.card.derive(naf_id, IMPI), self.model.derive(naf_id, IMPI))
        if self.model.ks is not None and ua == gba.UA_MBMS:
            ks, rand = self.model.ks
            muk = MukName(self.model.b_tid, gba.ks_int_naf(ks, rand, IMPI, naf_id))
            if muk not in self.muks[server][-1:]:
                self.muks[server].append(muk)

    # --- MSK messages

    def update(self, choice: Update) -> None:
        server = SERVERS[choice.server]
        known = self.muks[choice.server]
        muk = known[-1 - choice.age] if choice.age < len(known) else MukName(b"nobody@" + BSF, bytes(32))
        record = next((record for record in self.model.muks if record and record.id_i == server), None)
        current = record is not None and record.generated == muk
        last = record.t if record and current else None
        filling = 0xA0 + (choice.key or 0)
        message = Ltkm(
            psk=muk.key,
            csb_id=0x11223344,
            rand=bytes((filling,)) * 16,
            timestamp=choice.first if last is None else (last + choice.step) % 2**32,
            id_i=server,
            id_r=muk.id_r,
            key_domain_id=KEY_DOMAIN,
            msk_id=bytes((0, choice.group, 0, choice.number)),
            msk=b"" if choice.key is None else bytes((filling,)) * choice.size,
            lower=choice.limits[0].to_bytes(2, "big"),
            upper=choice.limits[1].to_bytes(2, "big"),
            verify=choice.verify,
            pull=choice.number == 0 and choice.key is None,
        )
        raw = message.build()
        raw = milenage.xor(raw, bytes(len(raw) - 1) + b"\1") if choice.forged else raw
        if message.msk:
            self.brought.append(message)
        self._send(True, raw)

    def repeat(self, age: int) -> None:
        """Send an earlier message once more, byte for byte."""
        if age < len(self.sent):
            self._send(*self.sent[-1 - age])

    def _send(self, is_msk: bool, raw: bytes) -> None:
        self.sent.append((is_msk, raw))
        if is_msk:
            self.agree("update", self.card.update_msk(raw), self.model.update_msk(raw))
        else:
            self.agree("traffic", self.card.generate_mtk(raw), self.model.generate_mtk(raw))

    # --- MTK messages

    def traffic(self, choice: Traffic) -> None:
        if choice.which >= len(self.brought):
            return
        # Messages whose MSK the card still holds go first, the youngest before the others.
        youngest_first = [*reversed(self.brought)]
        source = sorted(youngest_first, key=lambda message: self._held(message) is None)[choice.which]
        msk = self._held(source)
        lower, upper = (msk.lower, msk.upper) if msk else (0, 9)
        last = msk.t if msk else None
        if msk and not choice.forged:
            source = replace(source, msk=msk.key, rand=msk.rand)
        mtk = (upper if choice.at_upper else lower) + choice.mtk
        message = Stkm(
            psk=source.msk,
            csb_id=0xA1B2C3D4 if choice.own_csb else source.csb_id,
            rand=source.rand,
            timestamp=choice.first if last is None else (last + choice.step) % 2**32,
            key_domain_id=source.key_domain_id,
            msk_id=source.msk_id,
            mtk_id=min(max(mtk, 0), 0xFFFF).to_bytes(2, "big"),
            tek=bytes((0xB0 + choice.which,)) * choice.size,
            salt=b"\xc0" * 14 if choice.salted else None,
        )
        raw = message.build()
        self._send(False, milenage.xor(raw, bytes(len(raw) - 1) + b"\1") if choice.forged else raw)

    def _held(self, source: Ltkm) -> Msk | None:
        group = self.model.group(source.key_domain_id, source.msk_id[:2])
        return next((msk for msk in group.msks if msk.msk_id == source.msk_id), None) if group else None

    # --- deletion, power

    def delete_msks(self, group: int) -> None:
        name = KEY_DOMAIN, bytes((0, group))
        self.agree("delete msks", self.card.delete_msks(*name), self.model.delete_msks(*name))

    def delete_muk(self, server: int, age: int) -> None:
        known = self.muks[server]
        name = SERVERS[server], known[-1 - age].id_r if age < len(known) else b"nobody"
        self.agree("delete muk", self.card.delete_muk(*name), self.model.delete_muk(*name))

    def lose_power(self) -> None:
        self.card.lose_power()
        self.compare()

    # --- agreement

    def agree(self, step: str, card: Answer, model: Answer) -> None:
        self.met[step, model.sw] += 1
        assert card == model, f"{step}: the card answers {card.sw}, the model {model.sw}"
        self.compare()

    def compare(self) -> None:
        same_files(self.card, self.model)
