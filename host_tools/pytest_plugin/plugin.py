"""Fixtures, markers and hooks. Imported by every pytest run, so what is heavy is imported when it is used."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from card import CardProfile
    from host_tools.headend.scenario.usim import UsimNetwork
    from host_tools.headend.subscribers.subscriber import Subscriber
    from host_tools.pytest_plugin.readers import VirtualReader
    from host_tools.pytest_plugin.transcript import Transcript
    from host_tools.pytest_plugin.uicc import Uicc
    from host_tools.sessions.readers import OccupiedReader, ReaderPool
    from vpicc_bridge.adapter import VirtualCard

PROFILE_MARKER = "uicc_profile"
SCENARIO_MARKER = "uicc_scenario"
SLOTS_OPTION = "uicc_slots"
_MARKERS = (
    f"{PROFILE_MARKER}(profile): the card of this test: a TOML file beside it, or the name of a profile that ships",
    f"{SCENARIO_MARKER}(scenario): the broadcast of this test: a TOML file beside it, or the name of one that ships",
)
_TRANSCRIPTS = pytest.StashKey[list["Transcript"]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ini options."""
    parser.addini(PROFILE_MARKER, "card profile where a test names none", default="usim")
    parser.addini(SCENARIO_MARKER, "scenario where a test names none", default="demo")
    parser.addini(SLOTS_OPTION, "virtual readers per test process, 1 to 16", default="4")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Explain comparisons of status words and card data."""
    from host_tools.pytest_plugin.explain import explain_comparison

    return explain_comparison(op, left, right)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put what the test's cards were asked and answered into the report of a failure."""
    report = yield
    if report.failed and call.when != "teardown":
        for transcript in item.stash.get(_TRANSCRIPTS, []):
            report.sections.append((transcript.title, "\n".join(transcript.lines())))
    return report


@pytest.fixture
def uicc_profile(request: pytest.FixtureRequest) -> CardProfile:
    """The profile that `uicc` and `virtual_reader` are made from. Override the fixture to make your own."""
    from card.errors import ProfileError
    from host_tools.sessions.cards import load_profile

    name = _chosen(request, PROFILE_MARKER)
    try:
        return load_profile(_beside(request, name) if name.endswith(".toml") else Path(name))
    except (ProfileError, OSError) as error:
        return pytest.fail(f"card profile {name!r}: {error}", pytrace=False)


@pytest.fixture
def uicc(request: pytest.FixtureRequest, uicc_profile: CardProfile) -> Iterator[Uicc]:
    """A new card in this process, switched on."""
    from host_tools.pytest_plugin.transcript import Transcript
    from host_tools.pytest_plugin.uicc import Uicc
    from host_tools.sessions.opening import new_card_in_process, traced

    transcript = Transcript()
    request.node.stash.setdefault(_TRANSCRIPTS, []).append(transcript)
    with Uicc(traced(new_card_in_process(uicc_profile), [transcript])) as made:
        yield made


@pytest.fixture(scope="session")
def uicc_readers(request: pytest.FixtureRequest) -> Iterator[ReaderPool]:
    """The virtual readers of this process: a private pcscd beside the system's."""
    from host_tools.sessions.readers import ReaderPool
    from vpicc_bridge.pcscd import PcscdError

    pool = ReaderPool(_slots(request.config), f"set the ini option {SLOTS_OPTION} higher")
    try:
        pool.__enter__()
    except PcscdError as error:
        pytest.fail(f"no virtual reader: {error}", pytrace=False)
    yield pool
    pool.__exit__(None, None, None)


@pytest.fixture
def insert_card(
    request: pytest.FixtureRequest, uicc_readers: ReaderPool
) -> Iterator[Callable[[VirtualCard], VirtualReader]]:
    """Take any card and return the reader that it was put into. It is out again after the test."""
    from host_tools.pytest_plugin.readers import VirtualReader
    from host_tools.pytest_plugin.transcript import Transcript

    occupied: list[OccupiedReader] = []
    transcripts = request.node.stash.setdefault(_TRANSCRIPTS, [])

    def insert(card: VirtualCard) -> VirtualReader:
        heard: list[Transcript] = []

        def make_sink(name: str) -> Transcript:
            heard.append(Transcript(f"what the card in “{name}” was asked and answered"))
            return heard[0]

        reader = uicc_readers.insert(card, make_sink)
        occupied.append(reader)
        transcripts.extend(heard)
        return VirtualReader.of(reader, heard[0])

    yield insert
    for reader in reversed(occupied):
        reader.remove()


@pytest.fixture
def virtual_reader(insert_card: Callable[[VirtualCard], VirtualReader], uicc_profile: CardProfile) -> VirtualReader:
    """A PC/SC reader with a new card in it."""
    from host_tools.sessions.opening import new_card

    return insert_card(new_card(uicc_profile))


@pytest.fixture
def subscriber(uicc_profile: CardProfile) -> Subscriber:
    """The home network's record of the card's subscriber."""
    from host_tools.sessions.broadcast import subscriber_of

    return subscriber_of(uicc_profile)


@pytest.fixture
def headend(request: pytest.FixtureRequest, subscriber: Subscriber, uicc_profile: CardProfile) -> UsimNetwork:
    """The network: `bsf`, `bsm`, `recording()`. It knows subscriber and tables of the card, and stands at the start."""
    from host_tools.headend.errors import HeadendError
    from host_tools.sessions.broadcast import network_for

    name = _chosen(request, SCENARIO_MARKER)
    try:
        where = str(_beside(request, name)) if name.endswith(".toml") else name
        return network_for(where, uicc_profile, subscriber)
    except (HeadendError, OSError) as error:
        return pytest.fail(f"scenario {name!r}: {error}", pytrace=False)


def _chosen(request: pytest.FixtureRequest, marker: str) -> str:
    found = request.node.get_closest_marker(marker)
    if found is None:
        return str(request.config.getini(marker))
    if len(found.args) != 1 or found.kwargs:
        pytest.fail(f"the marker {marker} takes one name or file", pytrace=False)
    return str(found.args[0])


def _beside(request: pytest.FixtureRequest, name: str) -> Path:
    """Return a file that a test names: relative to the test, or to the ini file when only that names it."""
    beside: Path = request.path.parent / name
    return beside if beside.exists() else request.config.rootpath / name


def _slots(config: pytest.Config) -> int:
    text = str(config.getini(SLOTS_OPTION))
    if not text.isdigit() or not 1 <= int(text) <= 16:
        raise pytest.UsageError(f"{SLOTS_OPTION}: a number from 1 to 16, not {text!r}")
    return int(text)
