"""The volatile state shows no key."""

from __future__ import annotations

from card.state.session import BASIC_CHANNEL, Channel, IncomingObject, Session

SECRET = b"traffic key 0001"


def test_data_on_their_way_stay_out_of_the_repr() -> None:
    incoming = IncomingObject(0x89, 0x85, SECRET)
    channel = Channel("3F00", pending=SECRET, outgoing=SECRET, incoming=incoming)
    session = Session({BASIC_CHANNEL: channel})
    assert "traffic" not in repr(session)
    assert SECRET.hex() not in repr(session)


def test_a_new_channel_has_nothing_selected_and_nothing_waiting() -> None:
    channel = Channel("3F00")
    assert (channel.file, channel.application, channel.record) == ("", "", 0)
    assert (channel.pending, channel.outgoing, channel.incoming) == (b"", b"", None)
