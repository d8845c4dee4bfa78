"""No command writes over what it reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_tools.cli.exits import ExitCode
from host_tools.cli.main import invoke
from tests.support.hostile import write_good_files

CARD = ("--link", "inprocess", "--profile", "@profile", "--pin", "1234")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_good_files(tmp_path_factory.mktemp("good"))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("capture", ("terminal", "play", "@capture", *CARD, "--trace", "@")),
        ("ltkms", ("terminal", "play", "@capture", *CARD, "--ltkms", "@ltkms", "--trace", "@")),
        ("profile", ("terminal", "info", *CARD, "--trace", "@")),
        ("recording", ("terminal", "replay", "@recording", *CARD, "--trace", "@")),
        ("capture", ("terminal", "record", "@capture", "--no-card", "-o", "@")),
        ("capture", ("terminal", "record", "@capture", *CARD, "-o", "x", "--trace", "@")),
        ("card", ("run", "@card", "--wait", "0", "--trace", "@")),
        ("faults", ("run", "@card", "--wait", "0", "--faults", "@faults", "--trace", "@")),
        ("profile", ("shell", "--link", "inprocess", "--profile", "@profile", "--trace", "@")),
        ("scenario", ("headend", "record", "@scenario", "-o", "@")),
        ("scenario", ("headend", "record", "@scenario", "-o", "x", "--truth", "@")),
        ("script", ("script", "export", "@script", "-o", "@", "--force")),
        ("log", ("script", "import", "@log", "-o", "@", "--force")),
        ("trace", ("realism", "learn", "@trace", "-o", "@", "--force")),
        ("trace", ("trace", "filter", "@trace", "-o", "@")),
    ],
)
def test_what_is_read_stays_as_it_was(
    kind: str,
    words: tuple[str, ...],
    good: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    other = tmp_path / "other-name"
    other.hardlink_to(good[kind])
    before = good[kind].read_bytes()
    for target in (good[kind], other):
        given = [str(target) if word == "@" else word for word in words]
        command = [str(good[word[1:]]) if word.startswith("@") else word for word in given]
        assert invoke(command) == ExitCode.USAGE
        assert f"{target} is what this command reads" in capsys.readouterr().err
    assert good[kind].read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["other-name"]
