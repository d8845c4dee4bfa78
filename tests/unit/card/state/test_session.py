"""The volatile state shows no key."""

from __future__ import annotations

import pytest

from card.commands.session import Session
from card.state.session import (
    BASIC_CHANNEL,
    Channel,
    IncomingObject,
    OutgoingObject,
    PendingResponse,
    Transfer,
    Unfinished,
)

SECRET = b"traffic key 0001"


@pytest.mark.parametrize(
    "unfinished",
    [
        PendingResponse(SECRET, 0x9000),
        IncomingObject(0x89, 0x85, SECRET),
        OutgoingObject(0x89, SECRET),
    ],
)
def test_data_on_their_way_stay_out_of_the_repr(unfinished: Unfinished) -> None:
    transfer = Transfer("3F00/2F00", incoming=SECRET, outgoing=SECRET)
    session = Session({BASIC_CHANNEL: Channel("3F00", unfinished=unfinished, transfer=transfer)})
    assert "traffic" not in repr(session)
    assert SECRET.hex() not in repr(session)


def test_a_new_channel_has_nothing_selected_and_nothing_waiting() -> None:
    channel = Channel("3F00")
    assert (channel.file, channel.application, channel.record) == ("", "", 0)
    assert channel.unfinished is None
