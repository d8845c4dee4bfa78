"""What a command of a terminal says when keys were granted and none came."""

from __future__ import annotations

import pytest

from host_tools.cli.exits import CliError, ExitCode
from host_tools.cli.terminal.asking import require_keys
from host_tools.exchange.messages.registration import RegistrationAnswer, ServiceCode
from host_tools.sessions.online.asking import Reply


def reply(status: int) -> Reply:
    return Reply("b-tid", RegistrationAnswer((ServiceCode("urn:x", status),)))


def test_granted_keys_that_do_not_come_are_an_error() -> None:
    with pytest.raises(CliError, match=r"no LTKM came within 0.2 s") as raised:
        require_keys(reply(200), 0.2)
    assert raised.value.exit_code == ExitCode.DIFFERENT


def test_nothing_is_awaited_where_nothing_was_granted() -> None:
    require_keys(reply(403), 0.2)
