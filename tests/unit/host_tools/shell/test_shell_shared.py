"""A card that another program uses, too: what belongs together stays together, and what is read is what was named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from card import CardProfile, memory_card
from card.crypto.secret import Secret
from host_tools.links.base import is_shared, together
from host_tools.links.inprocess import InProcessLink
from host_tools.script.timed import TimedLink
from host_tools.shell.session import Session, ShellError
from host_tools.trace.tracer import TracedLink, Tracer

IMSI = "08 09 10 10"  # how its content begins
OTHER = "00A40804027FFF6F7B00"  # selects another file of the same application


class SharedCard(InProcessLink):
    """A card on PC/SC with another program beside: between two blocks it does as it likes, inside one it waits."""

    def __init__(self) -> None:
        super().__init__(memory_card(CardProfile.demo()))
        self.blocks: list[int] = []
        self.inside = False
        self.others: list[str] = []

    @property
    def shared(self) -> bool:
        return True

    @contextmanager
    def together(self) -> Iterator[None]:
        for command in self.others:
            super().transmit(bytes.fromhex(command))
        self.inside = True
        self.blocks.append(0)
        try:
            yield
        finally:
            self.inside = False

    def transmit(self, apdu: bytes) -> bytes:
        assert self.inside, "another program may come between"
        self.blocks[-1] += 1
        return super().transmit(apdu)


@pytest.fixture
def card() -> SharedCard:
    return SharedCard()


@pytest.fixture
def printed() -> list[str]:
    return []


@pytest.fixture
def session(card: SharedCard, printed: list[str]) -> Session:
    return Session(card, printed.append, lambda _prompt: Secret(b"1234"))


@pytest.mark.parametrize(
    "way", [("select EF_IMSI",), ("select USIM", "select 6F07"), ("select MF", "select ADF.USIM/EF_IMSI")]
)
def test_what_is_read_is_what_was_named(
    card: SharedCard, session: Session, printed: list[str], way: tuple[str, ...]
) -> None:
    session.run("select USIM")
    session.run("pin")
    for line in way:
        session.run(line)
    card.others = [OTHER]
    printed.clear()
    session.run("read")
    shown = "\n".join(printed)
    assert "READ BINARY" in shown
    assert "imsi" in shown.lower() or IMSI in shown
    assert "SELECT" not in shown, "getting back happens out of sight"


def test_another_application_in_between_is_left_again(card: SharedCard, session: Session, printed: list[str]) -> None:
    session.run("select ADF.USIM/EF_AD")
    card.others = ["00A40004023F0000"]
    printed.clear()
    session.run("read")
    assert "9000" in "".join(printed)


def test_a_file_that_is_gone_meanwhile_is_not_another_one(card: SharedCard, session: Session) -> None:
    session.run("select ADF.USIM/EF_AD")
    card.others = ["0070800100", "00A40004023F0000"]
    whole = card.transmit
    card.transmit = lambda apdu: bytes.fromhex("6A82") if apdu[1] == 0xA4 else whole(apdu)  # type: ignore[method-assign]
    with pytest.raises(ShellError, match="Another program has changed what is selected"):
        session.run("read")


def test_wrappers_pass_it_on(card: SharedCard) -> None:
    for link in (TimedLink(card), TracedLink(card, Tracer("x", []))):
        assert is_shared(link)
        before = len(card.blocks)
        with together(link):
            assert card.inside
        assert len(card.blocks) == before + 1
    alone = TimedLink(InProcessLink(memory_card(CardProfile.demo())))
    assert not is_shared(alone)
    with together(alone):
        assert alone.transmit(bytes.fromhex("00A40004023F0000"))[-2:] != b"\x6f\x00"
