"""A card through APDUs, with the steps and the answers of `tests.oracle.mbms_model`, so that both can be compared."""

from __future__ import annotations

from typing import Protocol

from tests.oracle.mbms_model import Answer, MbmsModel
from tests.support.network import MSK_DELETION, MSK_UPDATE, MTK_GENERATION, MUK_DELETION
from tests.support.profiles import OPC, K
from tests.support.testcard import TestCard, lv, tlv

EF_GBABP, EF_MSK, EF_MUK, EF_GBANL = 0x6FD6, 0x6FD7, 0x6FD8, 0x6FDA
NAF_KEYS, MUKS, GROUPS = 2, 2, 3  # of the test profile


class Side(Protocol):
    """What a test does with the card and with the model alike."""

    def bootstrap(self, rand: bytes, autn_star: bytes) -> Answer: ...
    def write_gbabp(self, offset: int, data: bytes) -> None: ...
    def derive(self, naf_id: bytes, impi: bytes) -> Answer: ...
    def update_msk(self, message: bytes) -> Answer: ...
    def generate_mtk(self, message: bytes) -> Answer: ...
    def delete_msks(self, key_domain_id: bytes, number: bytes) -> Answer: ...
    def delete_muk(self, id_i: bytes, id_r: bytes) -> Answer: ...
    def ef_gbanl(self) -> list[bytes]: ...
    def ef_muk(self) -> list[bytes]: ...
    def ef_msk(self) -> list[bytes]: ...


def new_model(gbabp_size: int = 128) -> MbmsModel:
    """Return the model of a new card with the test profile."""
    return MbmsModel(K, OPC, naf_keys=NAF_KEYS, muks=MUKS, groups=GROUPS, gbabp_size=gbabp_size)


class CardSide:
    """The card: USIM selected, PIN verified."""

    def __init__(self, card: TestCard) -> None:
        self.card = card.ready()

    def bootstrap(self, rand: bytes, autn_star: bytes) -> Answer:
        return self._even(b"\xdd" + lv(rand, autn_star))

    def write_gbabp(self, offset: int, data: bytes) -> None:
        self.card.ok(f"00A4000C02{EF_GBABP:04X}")
        self.card.ok(f"00D6{offset:04X}", bytes((len(data),)), data)

    def derive(self, naf_id: bytes, impi: bytes) -> Answer:
        return self._even(b"\xde" + lv(naf_id, impi))

    def update_msk(self, message: bytes) -> Answer:
        return self._mbms(MSK_UPDATE, message)

    def generate_mtk(self, message: bytes) -> Answer:
        return self._mbms(MTK_GENERATION, message)

    def delete_msks(self, key_domain_id: bytes, number: bytes) -> Answer:
        return self._mbms(MSK_DELETION, key_domain_id + number)

    def delete_muk(self, id_i: bytes, id_r: bytes) -> Answer:
        return self._mbms(MUK_DELETION, tlv(0xA0, tlv(0x80, id_r) + tlv(0x82, id_i)))

    def gbabp(self) -> bytes:
        return self.card.read(EF_GBABP)

    def ef_gbanl(self) -> list[bytes]:
        return [self.card.record(EF_GBANL, number + 1) for number in range(NAF_KEYS)]

    def ef_muk(self) -> list[bytes]:
        return [self.card.record(EF_MUK, number + 1) for number in range(MUKS)]

    def ef_msk(self) -> list[bytes]:
        return [self.card.record(EF_MSK, number + 1) for number in range(GROUPS)]

    def lose_power(self) -> None:
        self.card = self.card.reopened().ready()

    def _even(self, data: bytes) -> Answer:
        answer = self.card.exchange("00880084", bytes((len(data),)), data, "00")
        return Answer(bytes.fromhex(answer.data), answer.sw)

    def _mbms(self, mode: int, body: bytes) -> Answer:
        answer = self.card.mbms(mode, body)
        return Answer(bytes.fromhex(answer.data), answer.sw)


def same_files(card: CardSide, model: MbmsModel) -> None:
    """Compare every record that the card keeps, FF behind the content included."""
    assert card.gbabp() == bytes(model.gbabp)
    for shown, wanted in (
        (card.ef_gbanl(), model.ef_gbanl()),
        (card.ef_muk(), model.ef_muk()),
        (card.ef_msk(), model.ef_msk()),
    ):
        assert shown == [entry.ljust(len(record), b"\xff") for record, entry in zip(shown, wanted, strict=True)]
