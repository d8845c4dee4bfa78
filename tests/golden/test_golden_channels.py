"""Secrets of channels that a card of an older version held: what TS 33.110 names otherwise now is renamed or gone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from yubikit.core.smartcard import ApduError, SmartCardProtocol

from card.crypto.secret import Secret
from tests.golden.opened import VERSIONS, Saved, opened, version_name
from tests.golden.past import NAMED_TOO_LONG, OTHER_TERMINAL, session
from tests.support.network import stkm
from tests.support.sac import OTHER_PSK, PSK, TERMINAL
from tests.support.sac_terminal import AES, ANSWER, OracleTerminal, Tunnel, get_tek
from tests.support.testcard import tlv
from tests.unit.card.commands.authenticate.test_local_key import (
    AVAILABLE,
    NOT_THERE,
    check,
    derived,
    local_key_of,
    open_on,
    request,
    run,
)
from tests.unit.card.commands.secure_channel.test_scp03 import Connection, params

pytestmark = pytest.mark.norm("74")

MESSAGE = session(1).ltkm(1)
MASTERS_OF_BEFORE = ("1bcccea696762e6116c6e9c92d99bf35", "f5b165224a58b791df6af1d8303e61cd")
"""The Master SAs in the cards of versions 1 and 2."""


@pytest.fixture(params=VERSIONS, ids=version_name)
def saved(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Saved]:
    with opened("channels", request.param, tmp_path) as found:
        found.card.ready()
        yield found


@pytest.mark.parametrize(("terminal", "secret"), [(TERMINAL, PSK), (OTHER_TERMINAL, OTHER_PSK)], ids=["IMEI", "name"])
def test_a_secret_given_beforehand_serves_its_terminal(saved: Saved, terminal: bytes, secret: Secret) -> None:
    """One terminal was named by its IMEI: it has the Terminal_ID of that IMEI now."""
    speaker = OracleTerminal(saved.card, secret.reveal())
    names = speaker.master(terminal=terminal)
    made = speaker.connect(names)
    get_tek(Tunnel(saved.card, names, made, speaker.start(made)), MESSAGE, 1)


def test_a_name_that_no_terminal_can_have_is_gone(saved: Saved) -> None:
    name = hashlib.sha256(NAMED_TOO_LONG).hexdigest()[:32]
    assert f"sac-psk/{name}" not in saved.card.persistent()


def test_a_local_key_of_the_old_derivation_is_gone_and_can_be_derived_again(saved: Saved) -> None:
    key = local_key_of(session(1))
    assert run(saved.card, check(key)) == (AVAILABLE if saved.conformed else NOT_THERE)
    assert run(saved.card, request(key)) == derived(key)
    assert run(saved.card, check(key)) == AVAILABLE
    get_tek(open_on(saved.card, key), MESSAGE, 1)


def test_associations_under_old_names_are_gone(saved: Saved) -> None:
    """A terminal goes on by the name that the card gave its Master SA."""
    names = [name.partition("/")[2] for name in saved.card.persistent() if name.startswith("sac-master/")]
    assert len(names) == (2 if saved.conformed else 0)
    for name in names or MASTERS_OF_BEFORE:
        value = tlv(0x88, bytes.fromhex(name)) + tlv(0x89, AES) + tlv(0x8A, b"n" * 16)
        answer = OracleTerminal(saved.card).manage(2, value)
        assert answer.sw == ("62F3" if saved.conformed else "9863")


def test_scp03_keys_keep_their_version(saved: Saved) -> None:
    protocol = SmartCardProtocol(Connection(saved.card), ins_send_remaining=0xC0)
    protocol.init_scp(params(version=0x30 if saved.conformed else 1))
    message = tlv(0x53, b"\x02" + stkm(MESSAGE, 1).build())
    with pytest.raises(ApduError) as announced:
        protocol.send_apdu(0, 0x89, 0x80, 0x85, message)
    assert announced.value.sw == 0x62F3
    assert protocol.send_apdu(0, 0x89, 0xA0, 0x85) == ANSWER


def test_a_tek_still_leaves_in_a_channel_only(saved: Saved) -> None:
    assert saved.card.mbms(2, stkm(MESSAGE, 1).build()).sw == "6989"


def test_a_terminal_without_a_secret_gets_none(saved: Saved) -> None:
    stranger = replace(local_key_of(session(1)), terminal_id=b"stranger")
    assert run(saved.card, check(stranger)) == NOT_THERE
