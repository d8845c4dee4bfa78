"""Files of the computer are opened in one place and written in one place: checked on the syntax tree."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.meta.tree import ROOT

OPENERS = {
    "open", "fdopen", "read_text", "read_bytes", "write_text", "write_bytes", "FileIO", "mkstemp", "mkdtemp",
    "NamedTemporaryFile", "TemporaryFile", "TemporaryDirectory", "copyfile", "copy2", "copytree", "move", "mkfifo",
    "symlink_to", "hardlink_to", "rename", "read_history_file", "write_history_file", "load_verify_locations",
    "load_cert_chain", "ZipFile", "fromfile", "memmap",
}  # fmt: skip
# Where a call of such a name is right, and why.
ALLOWED = {
    "card/disk/reading.py": {"open", "fdopen"},  # the one way in
    "card/disk/shipped.py": {"read_text"},  # what comes with the packages
    "card/store/sqlite.py": {"open"},  # makes a new card file, which SQLite then opens
    "card/store/lock.py": {"open"},  # the file that names the holder
    "card/store/log.py": {"open"},  # the log of a card file
    "card/inspection/card_files.py": {"open", "fdopen"},  # overwrites a card file that it holds
    "host_tools/files/writing.py": {"open", "fdopen", "FileIO"},  # the one way out
    "host_tools/files/holding.py": {"open"},  # the file that names the holder
    "host_tools/files/temporary.py": {"TemporaryDirectory"},  # the one place of temporary folders
    "host_tools/cli/main.py": {"open"},  # os.devnull, where a reader of our output has gone
    # archives around files that are open, and their members
    "host_tools/content/containers/recording.py": {"ZipFile", "open"},
    "host_tools/content/sinks/sink.py": {"open"},  # wave around a file that is open
    "host_tools/headend/on_air/sources.py": {"open"},  # wave around a file that is open
    "host_tools/sessions/demo/live.py": {"open"},  # wave around a file that is open
    "host_tools/terminal/tbk.py": {"load_cert_chain"},  # ssl opens by name what was looked at before
    "host_tools/headend/permissions_issuer/certificates.py": {"load_cert_chain"},  # what it wrote itself
    "host_tools/shell/lines.py": {"read_history_file"},  # readline opens by name what was looked at before
}
# Methods that are named so and open no file: of links, secure channels, protected content and the like.
OTHER_OBJECTS = {"PcscLink", "session", "channels", "self", "opener"}
IMPORTED = {"read_text", "read_bytes"}  # the functions of card.disk, called by their bare names


def calls(source: str) -> list[tuple[int, str]]:
    """Return line and name of the calls that open or write a file."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        match node.func:
            case ast.Name(id=name) if name in OPENERS - IMPORTED:
                found.append((node.lineno, name))
            case ast.Attribute(value=of, attr=name) if name in OPENERS and ast.unparse(of).split(".")[-1] not in (
                OTHER_OBJECTS
            ):
                found.append((node.lineno, name))
            case _:
                pass
    return found


@pytest.mark.parametrize("package", ["card", "host_tools"])
def test_files_are_opened_in_one_place(package: str) -> None:
    wrong = []
    for path in sorted((ROOT / package).rglob("*.py")):
        name = str(path.relative_to(ROOT))
        wrong += [
            f"{name}:{line}: {call}" for line, call in calls(path.read_text()) if call not in ALLOWED.get(name, set())
        ]
    assert wrong == [], "use card.disk to read and host_tools.files to write"


def test_what_is_allowed_is_there() -> None:
    """A row that no call needs any more would hide the next one."""
    unused = [
        (name, call)
        for name, allowed in ALLOWED.items()
        for call in allowed - {found for _, found in calls(Path(ROOT / name).read_text())}
    ]
    assert unused == []


def test_the_check_sees_what_it_looks_for() -> None:
    source = "open('x')\npath.read_text()\nPath('x').open('wb')\nread_text('x', SCRIPT)\nPcscLink.open(reader)\n"
    assert calls(source) == [(1, "open"), (2, "read_text"), (3, "open")]
