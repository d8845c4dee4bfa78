"""Middleware under test against a card in a real PC/SC reader and a head-end. Put your own middleware in its place."""

from __future__ import annotations

import os
import subprocess
import sys

from card.crypto.secret import Secret
from card.spec.bcast.p1 import P1
from card.spec.status import SW
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.pytest_plugin.readers import VirtualReader
from host_tools.terminal.middleware import TerminalMiddleware

PIN = Secret(b"1234")


def test_keys_are_agreed_with_the_head_end(virtual_reader: VirtualReader, headend: UsimNetwork) -> None:
    with virtual_reader.open() as card:
        middleware = TerminalMiddleware(card.link, tables=P1)
        middleware.connect(PIN)
        agreed = middleware.bootstrap(headend.bsf)
        assert middleware.establish(headend.bsm.naf_id) == headend.bsm.srk(agreed.b_tid)
        ltkm = headend.ltkm(headend.deliveries[0], agreed.b_tid)
        receipt = middleware.deliver(ltkm)
        assert receipt.verification is not None
        headend.bsm.verify(ltkm, receipt.verification)


def test_the_card_in_the_reader_can_be_asked(virtual_reader: VirtualReader) -> None:
    with virtual_reader.open() as card:
        answer = card.send("00 A4 00 04 02 3F00 00")
        assert answer.sw == SW.OK
        assert answer.tlv("62/83") == bytes.fromhex("3F00")


def test_another_process_sees_the_reader(virtual_reader: VirtualReader) -> None:
    program = "from smartcard.System import readers; print(*readers(), sep='\\n')"
    listed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env={**os.environ, **virtual_reader.environ}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert virtual_reader.name in listed.splitlines()
