"""Keys from a secret file in place of the seed that everybody can read."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_tools.headend.scenario.maker import make_keys
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.scenario.seeded_keys import traffic_key
from host_tools.sessions.errors import SessionError
from host_tools.sessions.random_keys import with_random_keys

DEMO = shipped_scenario("demo")


def test_each_file_makes_other_keys_and_the_same_file_the_same(tmp_path: Path) -> None:
    one, other = tmp_path / "one.key", tmp_path / "other.key"
    made = [with_random_keys(DEMO, path) for path in (one, one, other, None)]
    assert made[0] == made[1]
    assert made[3] is DEMO
    assert one.stat().st_mode & 0o777 == 0o600
    seks = [make_keys(scenario).seks("tone-a")[0] for scenario in made]
    assert len({sek.key.reveal() for sek in seks}) == 3
    assert len({sek.rand for sek in seks}) == 3
    assert len({traffic_key(scenario, seks[0].term, 1).tek.reveal() for scenario in made}) == 3
    assert seks[0].term == seks[3].term


def test_the_secret_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "one.key"
    made = with_random_keys(DEMO, path)
    assert made.seed not in repr(made)
    assert path.read_text().strip() not in repr(made)


def test_what_is_no_such_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "one.key"
    path.write_text("abc\n")
    with pytest.raises(SessionError, match="64 hex digits"):
        with_random_keys(DEMO, path)
    assert path.read_text() == "abc\n"
