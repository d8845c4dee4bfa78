"""Text from outside that is shown."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from host_tools.trace.printable import printable


def test_what_could_steer_a_terminal_is_escaped() -> None:
    assert printable("Grüße\n\x1b]0;x\u202e\ud800") == "Grüße\\n\\x1b]0;x\\u202e\\ud800"
    assert printable("a\n\x1bb", keep="\n") == "a\n\\x1bb"


@given(st.text())
def test_what_comes_out_is_printable_and_stays(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert printable(shown) == shown
    assert text.isprintable() or shown != text
