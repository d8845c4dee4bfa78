"""Sessions without a command line: what they do, and that all that happens leaves as events."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import pytest

from card.crypto.secret import Secret
from card.profile.schema import demo_path
from host_tools.content.known import KNOWN
from host_tools.sessions import events
from host_tools.sessions.broadcast import BroadcastJob
from host_tools.sessions.cards import load_profile, open_named_card
from host_tools.sessions.errors import SessionError, Trouble
from host_tools.sessions.events import BroadcastMade, BroadcastProgressed, Event, Played, Progressed, TruthWritten
from host_tools.sessions.keys import KeySource
from host_tools.sessions.opening import IN_PROCESS, CardSource, card_in_process, connect
from host_tools.sessions.play import PlayJob
from host_tools.terminal.middleware import TerminalMiddleware
from host_tools.terminal.player import PlayOptions

PIN = Secret(b"1234")


class Heard(list[Event]):
    """Keeps what happened."""

    def emit(self, event: Event) -> None:
        self.append(event)


def asked_in_vain() -> Secret:
    raise AssertionError("the PIN was given")


def test_every_event_is_frozen_and_belongs_to_the_port() -> None:
    named = {getattr(events, name) for name in events.__all__}
    defined = {kind for kind in named if isinstance(kind, type) and dataclasses.is_dataclass(kind)}
    assert defined == set(get_args(Event))
    for kind in defined:
        assert kind.__dataclass_params__.frozen, kind.__name__  # type: ignore[attr-defined]


def test_a_broadcast_is_made_and_played_with_no_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capture, truth_file = tmp_path / "b.pcap", tmp_path / "truth.json"
    made = Heard()
    BroadcastJob("demo", capture, truth=truth_file).run(made)
    progress = [event for event in made if isinstance(event, BroadcastProgressed)]
    assert progress[-1].reached <= progress[-1].duration
    assert [event.reached for event in progress] == sorted(event.reached for event in progress)
    assert [type(event) for event in made[len(progress) :]] == [BroadcastMade, TruthWritten]
    (truth,) = (event.truth for event in made if isinstance(event, BroadcastMade))

    played = Heard()

    @contextmanager
    def connected() -> Iterator[TerminalMiddleware]:
        source = CardSource(IN_PROCESS, profile=demo_path(), pin=PIN)
        with source.opened((), played) as (_, middleware):
            connect(middleware, source.pin, asked_in_vain)
            yield middleware

    PlayJob(capture, PlayOptions(KNOWN), None, connected, KeySource("demo", demo_path())).run(played)
    assert {type(event) for event in played} == {Progressed, Played}
    last = played[-1]
    assert isinstance(last, Played)
    assert last.statistics.packets_decrypted == sum(media.packets for media in truth.media.values())
    assert capsys.readouterr() == ("", "")


def test_who_asks_for_what_does_not_go_together_is_told_so(tmp_path: Path) -> None:
    for ask in (
        lambda: card_in_process(None, Heard()),
        lambda: open_named_card(tmp_path / "x.card", Heard(), fresh=True),
    ):
        with pytest.raises(SessionError) as caught:
            ask()
        assert caught.value.trouble is Trouble.MISUSE


def test_a_profile_is_found_by_name_and_by_file() -> None:
    assert load_profile(Path("usim")) == load_profile(demo_path("usim"))
