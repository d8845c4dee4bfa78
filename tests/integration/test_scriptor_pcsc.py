"""What we write for pcsc-tools its scriptor can run, and what scriptor prints we read back and can do again."""

from __future__ import annotations

from pathlib import Path

import pytest

from card import CardProfile, memory_card
from host_tools.cli.main import invoke
from tests.integration.conftest import Desk
from tests.integration.test_clients_tools import run
from vpicc_bridge.pcscd import PrivatePcscd

pytestmark = pytest.mark.pcscd


def test_a_suite_goes_through_scriptor_and_back(
    private_pcscd: PrivatePcscd, insert: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reader = insert(memory_card(CardProfile.demo()))
    exported, output, again = tmp_path / "uicc.scriptor", tmp_path / "uicc.out", tmp_path / "again.toml"
    assert invoke(["script", "export", "uicc", "-o", str(exported)]) == 0
    output.write_text(run(private_pcscd, "scriptor", "-r", reader, str(exported)), encoding="utf-8")
    assert invoke(["script", "import", str(output), "--with-data", "-o", str(again)]) == 0
    assert "not understood" not in capsys.readouterr().err
    assert again.read_text().count("[[step]]") >= 20
    status = invoke(["script", "run", str(again), "--reader", reader])
    shown = capsys.readouterr().out
    assert status == 0, shown
    assert "skipped" not in shown
