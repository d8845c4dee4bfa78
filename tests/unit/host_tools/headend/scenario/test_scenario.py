"""Scenario files: what ships is right, and what is wrong is told with file, field and what is allowed."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host_tools.headend.errors import ScenarioError
from host_tools.headend.scenario.model import Scenario, SekRollover, ServiceSwitch
from host_tools.headend.scenario.reading import load_scenario, parse_scenario, shipped_scenario
from tests.unit.host_tools.headend.networks import SMALL, small_scenario


def test_the_demo_is_what_the_product_promises() -> None:
    demo = shipped_scenario("demo")
    assert len(demo.services) == 2
    assert demo.periods >= 4
    assert demo.stkm.repeat < demo.stkm.crypto_period
    assert {type(event) for event in demo.events} == {SekRollover, ServiceSwitch}
    assert 20_000 <= demo.duration <= 30_000


def test_fields_are_read() -> None:
    scenario = small_scenario()
    assert scenario.duration == 2000
    assert (scenario.stkm.crypto_period, scenario.stkm.repeat, scenario.stkm.copies) == (500, 200, 2)
    assert scenario.stkm.port == 2269
    assert scenario.periods == 4
    assert [service.key_domain for service in scenario.services] == ["001-01", "262-02"]
    assert [service.first_sequence for service in scenario.services] == [None, 65530]
    assert scenario.events == (SekRollover(1000, "one"), ServiceSwitch(1200, "two"))


def test_what_the_terminal_listens_to() -> None:
    scenario = small_scenario()
    assert [scenario.viewed_at(at) for at in (-100, 0, 1199, 1200, 1999)] == ["one", "one", "one", "two", "two"]
    assert small_scenario(**{'view = "one"': 'view = "all"'}).viewed_at(5) is None


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('name = "small"', "name = 5", "name: 5 is not allowed; a text of 1 to 64"),
        ('seed = "a seed"', "", "seed: is missing"),
        ("2026-11-21T12:00:00Z", "2026-11-21", "start: a date is not allowed; a date and time with zone"),
        ("2026-11-21T12:00:00Z", "2026-11-21T12:00:00", "start: .*with zone"),
        ("duration = 2.0", "duration = 0", "duration: 0 is not allowed; seconds from 0.1 to 21600"),
        ("duration = 2.0", "duration = nan", "duration: nan is not allowed"),
        ("duration = 2.0", "duration = true", "duration: True is not allowed"),
        ("001010123456789", "12a", "network.imsi: '12a' is not allowed; 6 to 15 digits"),
        ("crypto_period = 0.5", "crypto_periode = 0.5", "stkm.crypto_periode: .* did you mean crypto_period"),
        ("copies = 2", "copies = 11", "stkm.copies: 11 is not allowed; a whole number from 1 to 10"),
        ("copies = 2", "copies = 1.5", "stkm.copies: 1.5 is not allowed"),
        ("lead = 0.1", "lead = 0.5", "stkm.lead: must be shorter than stkm.crypto_period"),
        ('view = "one"', 'view = "three"', "recording.view: 'three' is not allowed; one of all, one, two"),
        ('recording.view = "one"', "recording = 5", "recording: a table"),
        ('address = "239.1.1.1"', 'address = "10.0.0.1"', "address: '10.0.0.1' .* IPv4 multicast"),
        ('address = "239.1.1.1"', 'address = "239.1.1.300"', "address: '239.1.1.300' is not allowed"),
        ("key_group = 2", "key_group = 1", "service.key_group: two services have the same"),
        ('key_domain = "262-02"', 'key_domain = "26202"', r"service\[2\].key_domain: '26202' .* MCC and MNC"),
        ('id = "two"', 'id = "Zwei!"', r"service\[2\].id: 'Zwei!' is not allowed"),
        ("first_sequence = 65530", "first_sequence = 65536", "first_sequence: 65536 is not allowed"),
        ("port = 5006", "port = 2269", "service.port: port 2269 carries the STKMs"),
        ("first_sequence = 65530", "payload_type = 96", "payload_type: 96 is not allowed"),
        ("at = 1.0", "at = 5", r"event\[1\].at: 5 is not allowed; seconds from 0 to 2"),
        ("at = 1.0", "at = 1.9", "event.at: no crypto period begins at 1.9 s or later"),
        ("at = 1.0", "at = 0", "event.at: no crypto period begins at 0 s"),
        ('id = "one"', 'id = "one"\nsek_size = 20', r"sek_size: 20 is not allowed; 16, 24 and 32"),
        ('kind = "switch"', 'kind = "flip"', r"event\[2\].kind: 'flip' .* sek-rollover, switch"),
        ('kind = "switch"\nservice = "two"', 'kind = "switch"\nservice = "x"', r"event\[2\].service: 'x'"),
        ('at = 1.2\nkind = "switch"\nservice = "two"', 'at = 0.7\nkind = "sek-rollover"\nservice = "one"', "two SEK"),
    ],
)
def test_a_wrong_field_is_named_with_what_is_allowed(old: str, new: str, complaint: str) -> None:
    assert old in SMALL
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(SMALL.replace(old, new, 1), "my.toml")
    assert str(caught.value).startswith("my.toml is not a scenario")
    assert re.search(complaint, str(caught.value))


@pytest.mark.parametrize(
    ("old", "new"), [("copies = 2", "copies = 11"), ("port = 5006", "port = 0"), ('kind = "switch"', 'kind = "flip"')]
)
def test_a_wrong_field_is_found_by_its_line(old: str, new: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(SMALL.replace(old, new, 1), "my.toml")
    line = SMALL[: SMALL.index(old)].count("\n") + 1
    assert f"\n  my.toml:{line}: " in str(caught.value)


def test_services_need_names_and_places_of_their_own() -> None:
    doubled = SMALL.partition("[[event]]")[0].replace('"two"', '"one"').replace("239.1.1.2", "239.1.1.1")
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(doubled.replace("port = 5006", ""), "x")
    assert "service.id: two services have the same" in str(caught.value)
    assert "service.address and port: two services have the same" in str(caught.value)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario("service = 5\nmore = 6", "my.toml")
    text = str(caught.value)
    assert all(field in text for field in ("name:", "seed:", "start:", "duration:", "service:", "more:"))


def test_a_scenario_without_services_is_refused() -> None:
    with pytest.raises(ScenarioError, match="at least one table"):
        parse_scenario(SMALL.partition("[[service]]")[0].replace('"one"', '"all"'), "x")


def test_a_scenario_has_no_more_crypto_periods_than_mtk_ids() -> None:
    """0 and FFFF are none (TS 33.246 clauses 6.4.5.1 and 6.5.4)."""
    most = SMALL.replace("crypto_period = 0.5", "crypto_period = 0.1").replace("lead = 0.1", "lead = 0")
    assert parse_scenario(most.replace("duration = 2.0", "duration = 6553.4"), "x").periods == 0xFFFE
    with pytest.raises(ScenarioError, match=r"65535 periods are too many; there are 65534 MTK IDs"):
        parse_scenario(most.replace("duration = 2.0", "duration = 6553.5"), "x")


def test_many_problems_are_cut_short() -> None:
    with pytest.raises(ScenarioError, match=r"and [0-9]+ more"):
        parse_scenario(SMALL + "\n[[event]]\nat = -1\n" * 30, "x")


def test_toml_errors_have_their_line() -> None:
    with pytest.raises(ScenarioError, match=r"my\.toml:2: not TOML, at column 8: Invalid value"):
        parse_scenario("a = 1\nname = oops\n", "my.toml")


def test_files_that_are_no_text_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    with pytest.raises(ScenarioError, match=r"x\.toml: cannot be read: No such file"):
        load_scenario(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ScenarioError, match="UTF-8"):
        load_scenario(path)
    path.write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(ScenarioError, match="larger"):
        load_scenario(path)
    path.write_text(SMALL, encoding="utf-8")
    assert load_scenario(path) == small_scenario()


@pytest.mark.parametrize("name", ["nothing", "../demo", "demo.toml", ""])
def test_a_scenario_that_does_not_ship(name: str) -> None:
    with pytest.raises(ScenarioError, match=r"nor a scenario that ships: .*demo"):
        shipped_scenario(name)


def test_an_unknown_service_is_named() -> None:
    with pytest.raises(ScenarioError, match="no service three"):
        small_scenario().service("three")


@given(st.data())
def test_hostile_text_is_a_scenario_or_an_error(data: st.DataObject) -> None:
    text = SMALL
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 12)))
        text = text[:start] + data.draw(st.text(max_size=8)) + text[end:]
    with suppress(ScenarioError):
        assert isinstance(parse_scenario(text, "x"), Scenario)
