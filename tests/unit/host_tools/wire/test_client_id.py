"""The terminal's commands before a BSM over TLS that wants the BCAST_Client_ID (change request on SPCP, 6.9.2)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from card import CardProfile, create_card
from host_tools.cli.exits import ExitCode
from host_tools.cli.main import invoke
from host_tools.headend.http.client_id import AnyTerminal
from tests.support.head_end import PIN, HeadEnd, free_address, head_end
from tests.support.lab_tls import LabTls
from tests.unit.host_tools.headend.networks import small_scenario
from tests.unit.host_tools.wire.test_whole_run import ONE

REFUSED = "ffff010203040506"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[HeadEnd, list[str]]]:
    """Yield a head-end, and the options that lead to it."""
    monkeypatch.setenv("BCAST_UICC_PIN", PIN.reveal().rstrip(b"\xff").decode())
    tls, rule = LabTls(tmp_path), AnyTerminal(wanted=True, refused=frozenset({bytes.fromhex(REFUSED)}))
    tls.terminal("terminal")
    (tmp_path / "ca.pem").write_bytes(tls.ca)
    create_card(CardProfile.demo(), tmp_path / "a.card").close()
    with head_end(ua_tls=tls.server(small_scenario().network.bsm_fqdn), client_ids=rule) as served:
        (tmp_path / "net.toml").write_text(served.running.network.to_toml())
        card = ["--link", "inprocess", "--profile", str(tmp_path / "a.card"), "--json"]
        yield served, [*card, "--network", str(tmp_path / "net.toml"), "--address", free_address()]
        assert served.defects == 0


def test_it_is_shown_when_the_bsm_asks_over_https(
    place: tuple[HeadEnd, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, options = place
    https = ["--certificates", str(tmp_path), "--client-id", "ff00010203040506"]
    assert invoke(["terminal", "register", ONE, *options, *https]) == ExitCode.OK
    told = json.loads(capsys.readouterr().out)
    assert told["answers"] == [{"service": ONE, "status": 200}]
    assert [one["verdict"] for one in told["ltkms"]] == ["taken"]


def test_one_that_is_refused_and_none_at_all(
    place: tuple[HeadEnd, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, options = place
    https = ["--certificates", str(tmp_path)]
    for more in ([*https, "--client-id", REFUSED], https, [], ["--client-id", "ff00010203040506"]):
        assert invoke(["terminal", "register", ONE, *options, *more]) == ExitCode.DIFFERENT
        assert "refused" in capsys.readouterr().err


def test_a_server_that_nobody_certified_is_left_alone(
    place: tuple[HeadEnd, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, options = place
    (tmp_path / "other").mkdir()
    other = LabTls(tmp_path / "other")
    (tmp_path / "other.pem").write_bytes(other.ca)
    command = ["terminal", "register", ONE, *options, "--ca", str(tmp_path / "other.pem")]
    assert invoke(command) == ExitCode.ENVIRONMENT
    assert "certificate" in capsys.readouterr().err.lower()
