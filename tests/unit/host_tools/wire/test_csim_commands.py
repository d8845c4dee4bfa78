"""A CSIM before `headend serve`: it goes by its NAI, its digest is keyed by the registration key, and it buys."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from card import CardProfile, create_card
from host_tools.cli.exits import ExitCode
from host_tools.headend.scenario.wares import ITEM_PREFIX, MONTH
from tests.support.head_end import PIN
from tests.unit.host_tools.wire.test_commands import run, serving


def test_a_csim_asks_and_buys_over_http(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = CardProfile.demo("csim")
    assert profile.csim is not None
    monkeypatch.setenv("BCAST_UICC_PIN", PIN.reveal().rstrip(b"\xff").decode())
    card, subscribers = tmp_path / "csim.card", tmp_path / "subscribers.toml"
    create_card(profile, card).close()
    imsi = profile.csim.imsi or profile.usim.imsi
    fields = f'imsi = "{imsi}"\nnai = "{profile.csim.nai}"\nrk = "{profile.csim.rk.reveal().hex()}"\n'
    subscribers.write_text(f'[[subscriber]]\n{fields}functions = "{profile.csim.functions}"\n')
    with serving(tmp_path, "--subscribers", str(subscribers), "--db", str(tmp_path / "a.db")) as served:
        status = run(served, "buy", card, f"{ITEM_PREFIX}tone-a,{MONTH}", "--csim")
        captured = capsys.readouterr()
        assert status == ExitCode.OK, captured.err
        told = json.loads(captured.out)
        assert "taken" in {one["verdict"] for one in told["ltkms"]}, told
