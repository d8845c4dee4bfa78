"""STKMs made by the BSM or by the BSD/A: the same bytes, the same terminal, and each side knows only its own."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files

import pytest

from card.codec.mikey import MbmsKeyIds
from card.crypto.primitives import hmac_sha256
from card.crypto.secret import Secret
from card.spec.bcast.p1 import P1
from host_tools.headend.bsda.slots import StkmSlot
from host_tools.headend.bsm.back_end import BackEnd
from host_tools.headend.errors import HeadendError, ScenarioError
from host_tools.headend.scenario.driver import play
from host_tools.headend.scenario.maker import make_bsda, make_keys
from host_tools.headend.scenario.model import Scenario, StkmBy
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.scenario.recorder import record_from
from host_tools.headend.scenario.schedule import slots
from host_tools.headend.sealing import MikeySealer, SekSource, StkmOrder
from host_tools.headend.service_keys import KeyTerm
from host_tools.headend.stkm import StkmContent
from tests.support.stage import Stage
from tests.unit.host_tools.headend.networks import small_scenario

BOTH = [StkmBy.BSM, StkmBy.BSD]


class Made:
    """A scenario recorded with one of the two, and what crossed between them."""

    def __init__(self, scenario: Scenario, by: StkmBy) -> None:
        self.scenario = replace(scenario, stkm_by=by)
        self.keys = make_keys(self.scenario)
        self.back_end = BackEnd(self.keys, MikeySealer)
        self.recording = record_from(self.scenario, make_bsda(self.scenario, self.back_end, P1))


SHIPPED = sorted(path.name.removesuffix(".toml") for path in (files("host_tools.headend") / "scenarios").iterdir())


@pytest.mark.parametrize("name", [*SHIPPED, "small"])
def test_the_capture_is_the_same(name: str) -> None:
    scenario = small_scenario() if name == "small" else shipped_scenario(name)
    by_bsm, by_bsd = (Made(scenario, by) for by in BOTH)
    assert by_bsm.recording == by_bsd.recording
    made = [slot for slot in slots(scenario) if isinstance(slot, StkmSlot) and not slot.copy]
    assert by_bsm.back_end.sealed == len(made) > 0  # each once, however often it goes out
    assert by_bsm.recording.truth.stkms_sent >= by_bsm.recording.truth.stkms_different > 0
    assert (by_bsm.back_end.handed_over, by_bsd.back_end.sealed) == (0, 0)
    keys = sum(len(by_bsd.keys.seks(service.id)) for service in scenario.services)
    assert by_bsd.back_end.handed_over == keys  # each once, whatever the number of STKMs


@pytest.mark.parametrize("name", ["subscribe", "pay_per_view", "withdrawal"])
def test_the_terminal_hears_the_same(name: str) -> None:
    heard = []
    for by in BOTH:
        stage = Stage(replace(shipped_scenario(name), stkm_by=by))
        statistics = stage.play()
        assert stage.network.back_end.sealed == (0 if by is StkmBy.BSD else stage.network.truth.stkms_sent)
        heard.append((stage.teks, stage.heard, stage.refusals(), statistics.packets_decrypted))
    assert heard[0] == heard[1]
    assert heard[0][0]
    assert heard[0][3] > 0


@pytest.mark.parametrize("by", BOTH)
def test_a_scenario_says_who(by: StkmBy) -> None:
    assert small_scenario(**{'seed = "a seed"': f'seed = "a seed"\nstkm_by = "{by.value}"'}).stkm_by is by
    assert small_scenario().stkm_by is StkmBy.BSM
    with pytest.raises(ScenarioError, match="stkm_by: 'bsa' is not allowed; one of bsm, bsd"):
        small_scenario(**{'seed = "a seed"': 'seed = "a seed"\nstkm_by = "bsa"'})


class Toy:
    """Another profile: no MIKEY, and a key that is asked for in the same way."""

    def __init__(self, seks: SekSource) -> None:
        self._seks = seks

    def seal(self, order: StkmOrder) -> bytes:
        sek = self._seks.sek(order.service, order.content.key_ids)
        return b"TOY" + hmac_sha256(sek.key.reveal(), order.content.tek.reveal())


@pytest.mark.parametrize("by", BOTH)
def test_another_profile_plugs_in_on_either_side(by: StkmBy) -> None:
    scenario = replace(small_scenario(), stkm_by=by)
    keys = make_keys(scenario)
    bsda = make_bsda(scenario, BackEnd(keys, Toy), P1, Toy)
    first = next(play(scenario, bsda)).what
    tek = record_from(scenario, make_bsda(scenario, BackEnd(keys, MikeySealer), P1)).truth.teks
    expected = {b"TOY" + hmac_sha256(keys.seks("one")[0].key.reveal(), key.tek.reveal()) for key in tek.values()}
    assert first.datagram.payload in expected


class TestBackEnd:
    KEYS = make_keys(small_scenario())
    FIRST, SECOND = KEYS.seks("one")

    def order(self, key: KeyTerm, mtk_id: int, service: str = "one") -> StkmOrder:
        return StkmOrder(service, StkmContent(key.traffic_key_ids(mtk_id), Secret(bytes(16)), None, 1))

    def test_a_key_seals_for_its_own_mtk_ids_only(self) -> None:
        back_end = BackEnd(self.KEYS, MikeySealer)
        assert back_end.seal(self.order(self.FIRST, 2))
        for key, mtk_id, service, words in (
            (self.FIRST, 3, "one", "not good for MTK ID 0003"),
            (self.SECOND, 2, "one", "not good for MTK ID 0002"),
            (self.FIRST, 2, "two", "two has no SEK 00010001"),
            (self.FIRST, 2, "three", "no service three"),
        ):
            with pytest.raises(HeadendError, match=words):
                back_end.seal(self.order(key, mtk_id, service))
        assert back_end.sealed == 1

    def test_a_key_is_handed_over_by_its_name(self) -> None:
        back_end = BackEnd(self.KEYS, MikeySealer)
        found = back_end.sek("one", MbmsKeyIds(self.SECOND.key_domain_id, self.SECOND.msk_id))
        assert found == self.SECOND
        with pytest.raises(HeadendError, match="has no SEK"):
            back_end.sek("one", MbmsKeyIds(bytes(3), self.SECOND.msk_id))

    def test_what_is_to_be_sent_names_keys_and_holds_none(self) -> None:
        assert {type(slot.key) for slot in slots(small_scenario())} == {KeyTerm}
