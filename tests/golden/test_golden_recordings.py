"""Recordings of released versions still open and play.

`v1-recorded.bcrec` is the shipped scenario "recorded", three media packets of each crypto period, as it was written
when the index said how media are protected in a field `srtp`.
"""

from __future__ import annotations

from pathlib import Path

from host_tools.content.containers.recording import open_recording
from host_tools.content.known import KNOWN
from host_tools.terminal.replay import Replay, Segment
from tests.support.stage import Stage

RECORDINGS = Path(__file__).parent / "recordings"


def test_a_recording_whose_index_names_srtp_plays() -> None:
    stage = Stage("recorded")
    with open_recording(RECORDINGS / "v1-recorded.bcrec", KNOWN) as content:
        assert (content.index.content_id, content.index.stkms, content.index.packets) == ("film", 12, 18)
        replay = Replay(content, stage.middleware, stage.out())
        replay.play(Segment(), stage.hooks(stage.purchase(), on_time=lambda _moment: None))
    assert replay.refused is None
    assert stage.teks == stage.true_teks("news", range(1, 7))
    assert set(stage.heard.values()) == {3}
    assert replay.played[0].packets_decrypted == 18
