"""The doctor's table, its JSON and its exit status."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from host_tools.cli import doctor as module
from vpicc_bridge.doctor import Finding, Health

FINE = Finding("pcscd", Health.OK, "/usr/sbin/pcscd")
ODD = Finding("port 35963", Health.OPTIONAL, "closed", "sudo pcscd")
SICK = Finding("vpcd driver", Health.MISSING, "not installed", "sudo apt-get install vsmartcard-vpcd")


def diagnose(monkeypatch: pytest.MonkeyPatch, findings: list[Finding], *options: str) -> tuple[int, str]:
    def fake(_machine: object) -> Iterator[Finding]:
        return iter(findings)

    monkeypatch.setattr("host_tools.sessions.health.examine", fake)
    result = CliRunner().invoke(module.doctor, list(options))
    return result.exit_code, result.output


def test_a_healthy_machine_exits_0(monkeypatch: pytest.MonkeyPatch) -> None:
    status, output = diagnose(monkeypatch, [FINE, ODD])
    assert status == 0
    assert "Everything needed is there." in output
    assert "fix: sudo pcscd" in output


def test_a_missing_package_exits_3_and_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    status, output = diagnose(monkeypatch, [FINE, SICK])
    assert status == 3
    assert "fix: sudo apt-get install vsmartcard-vpcd" in output
    assert "1 missing." in output


def test_json_holds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    status, output = diagnose(monkeypatch, [FINE, SICK], "--json")
    assert status == 3
    assert json.loads(output)[1] == {
        "name": "vpcd driver",
        "health": "missing",
        "detail": "not installed",
        "fix": "sudo apt-get install vsmartcard-vpcd",
    }


def test_the_real_machine_is_examined() -> None:
    result = CliRunner().invoke(module.doctor, ["--json"])
    assert result.exit_code in (0, 3)
    assert {entry["health"] for entry in json.loads(result.output)} <= {"ok", "missing", "optional"}
