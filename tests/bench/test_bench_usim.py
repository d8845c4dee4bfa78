"""The USIM through stock pcscd and vpcd, with its card file, as a share of a bare echo card in the same run.

Each round is two APDUs; the echo card gets the same ones, and waits for them in the same way as `run` does. Nothing
here asserts a rate: a loaded machine is no defect.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from card import CardProfile, create_card
from tests.bench.harness import card_process, measure_ratio
from tests.bench.test_bench_transport import ECHO, Announce, announce
from tests.bench.usim_rounds import Rounds, UsimRounds
from tests.integration.pcsc_client import Client
from vpicc_bridge.pcscd import PrivatePcscd

__all__ = ["announce"]

RUN = "host_tools.cli.main"
PAIRS, ROUNDS, WARM_UP = 20, 200, 50
COUNT = PAIRS * ROUNDS + WARM_UP

KINDS: dict[str, Callable[[UsimRounds], Rounds]] = {
    "SELECT + READ BINARY": UsimRounds.select_and_read,
    "60-file start-up, each SELECT + READ": UsimRounds.start_up,
    "3G AUTHENTICATE + GET RESPONSE": UsimRounds.authenticate,
    "STKM to its TEK": UsimRounds.stkm_to_tek,
}


@pytest.mark.parametrize("kind", KINDS)
def test_share_of_the_floor(
    private_pcscd: PrivatePcscd, client: Client, announce: Announce, tmp_path: Path, kind: str
) -> None:
    floor_port, card_port = private_pcscd.ports[:2]
    floor_reader, card_reader = private_pcscd.reader_names[:2]
    card_file = tmp_path / "bench.card"
    create_card(CardProfile.demo(), card_file).close()
    with ExitStack() as cards:
        cards.enter_context(card_process(ECHO, str(floor_port), "--alert"))
        cards.enter_context(card_process(RUN, "run", str(card_file), "--port", str(card_port)))
        client.wait_present(floor_reader)
        client.wait_present(card_reader)
        with client.connected(floor_reader) as floor, client.connected(card_reader) as card:
            other = KINDS[kind](UsimRounds(card.transmit, COUNT))
            ratio = measure_ratio(other.echoed(floor.transmit), other, pairs=PAIRS, rounds=ROUNDS, warm_up=WARM_UP)
    client.wait_empty(floor_reader)
    client.wait_empty(card_reader)
    announce(f"{kind}: {ratio}")
