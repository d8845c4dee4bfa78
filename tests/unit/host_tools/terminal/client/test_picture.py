"""The picture and the table of the client in the documentation are what the rows make."""

from __future__ import annotations

from xml.etree import ElementTree

from host_tools.terminal.client.states import TRANSITIONS
from tools.draw_client import BEGIN, END, PAGE, PICTURE, draw, rows


def test_the_picture_and_the_table_are_those_of_the_code() -> None:
    assert PICTURE.read_text("utf-8") == draw(), "run python -m tools.draw_client"
    shown = PAGE.read_text("utf-8").partition(BEGIN)[2].partition(END)[0]
    assert shown == rows() + "\n", "run python -m tools.draw_client"
    assert rows().count("\n") == len(TRANSITIONS) + 2


def test_the_picture_can_be_read() -> None:
    root = ElementTree.fromstring(draw())
    assert root.tag.endswith("svg")
