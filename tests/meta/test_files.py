"""What may not stand in a committed file."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from card.store.sqlite import SqliteStore
from host_tools.files.holding import held
from host_tools.files.writing import whole_file
from host_tools.headend.store.store import Store
from tests.meta.tree import ROOT, text_files

# Written in pieces, so that this file does not find itself.
FORBIDDEN = {
    "a package index": re.compile("py" + r"pi\.org|python" + r"hosted\.org|index" + "-url|find" + "-links"),
    "a path of one machine": re.compile(r"(?<![\w.])/(?:wo" + r"rk|ho" + r"me|ro" + r"ot|Us" + r"ers)/\w"),
    "an unfinished remark": re.compile(r"\b(?:TO" + "DO|FIX" + r"ME|X" + r"XX)\b"),
    "a merge conflict": re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE),
}

_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_contains(what: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, hit.start()) + 1}: {hit.group()!r}"
        for path, text in text_files()
        for hit in FORBIDDEN[what].finditer(text)
    ]
    assert not found, f"{what}:\n" + "\n".join(found)


@pytest.mark.skipif(not (shutil.which("git") and (ROOT / ".git").exists()), reason="this is no working copy of git")
def test_what_a_process_that_is_killed_leaves_is_not_committed(tmp_path: Path) -> None:
    """It is what lies there while a card, a store and a state are open, and while something is written."""
    with ExitStack() as opened:
        card = opened.enter_context(closing(SqliteStore(tmp_path / "a.card", create=True)))
        card.commit({"a": b"1"})
        opened.enter_context(closing(Store.connect(f"sqlite:///{tmp_path / 'a.db'}")))
        opened.enter_context(held(tmp_path / "a.db"))
        opened.enter_context(held(tmp_path / "state.json"))
        opened.enter_context(whole_file(tmp_path / "a.pcap"))
        names = sorted(path.name for path in tmp_path.iterdir())
    assert {"a.card.lock", "a.card-log", "a.db.lock", "a.db-wal", "a.db-shm", "state.json.lock"} < set(names)
    # Each name as if it lay in the folder of the project.
    checked = subprocess.run(
        ["git", "-c", "safe.directory=*", "check-ignore", "--no-index", *names],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert checked.stdout.split() == names


def test_links_of_documents_lead_somewhere() -> None:
    """To a file that is there, and where they name one, to a heading in it: as GitHub and Sphinx call headings."""
    documents = {path: text for path, text in text_files() if path.suffix == ".md"}
    headings = {path: {anchor(title) for title in _HEADING.findall(text)} for path, text in documents.items()}
    lost = []
    for path, text in documents.items():
        for link in _LINK.findall(text):
            name, _, heading = link.partition("#")
            target = (path.parent / name).resolve() if name else path
            if not target.exists() or (heading and target in headings and heading not in headings[target]):
                lost.append(f"{path.relative_to(ROOT)}: {link}")
    assert len(documents) > 20
    assert lost == []


def anchor(title: str) -> str:
    return re.sub(r"[^\w -]", "", title.strip().lower()).replace(" ", "-")


def test_constraints_are_exact_versions_and_nothing_else() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert pins
    assert [line for line in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line)] == []


def test_every_direct_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    wanted = [*project["dependencies"], *(item for extra in extras for item in extra)]
    pins = {normal(line.split("==")[0]) for line in (ROOT / "constraints.txt").read_text().splitlines()}
    assert {normal(re.split(r"[^\w.-]", item)[0]) for item in wanted} - pins == set()


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
PAGES = [path for path, _ in text_files() if path.suffix == ".md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_to_local_files_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    targets = [hit.group(1).partition("#")[0] for hit in LINK.finditer(prose)]
    local = [target for target in targets if target and not re.match(r"[a-z]+:", target)]
    assert [target for target in local if not (page.parent / target).exists()] == []
