"""Loads scripts from files by what their names end with, follows includes, and checks the names of variables."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from card.disk.kinds import SCRIPT
from card.disk.reading import read_text
from card.errors import UnusableFile
from card.tables.problems import Place, Problem
from host_tools.script.errors import NoScript, ScriptError
from host_tools.script.model import Script
from host_tools.script.names import check_names
from host_tools.script.oneline import parse_lines
from host_tools.script.toml.form import MOST_ROUNDS, parse_script
from host_tools.script.walk import most_rounds

_TOML = ".toml"
_DEEPEST = 16
_MOST_FILES = 1000


def load_script(file: Path) -> Script:
    """Return the script in a file: TOML where its name ends so, else one command per line.

    Raises `ScriptError` naming file, line and what would be right.
    """
    script = _Loader(file).load(file, (), Place(str(file), 1))
    check_names(script)
    _check_rounds(script)
    return script


def shipped_suites() -> dict[str, Path]:
    """Return the scripts of the conformance suite that come with the package, by name."""
    folder = Path(str(files("host_tools") / "suites"))
    return {path.stem: path for path in sorted(folder.glob("*.toml")) if not path.stem.startswith("_")}


def find_scripts(names: Iterator[str] | list[str]) -> list[Path]:
    """Return the files that names stand for: files, folders of TOML scripts, or names of shipped suites.

    Raises `ScriptError`, and `NoScript` for a folder that holds none.
    """
    suites = shipped_suites()
    found: list[Path] = []
    for name in names:
        path = Path(name)
        if path.is_dir():
            held = sorted(item for item in path.glob("*.toml") if not item.stem.startswith("_"))
            if not held:
                raise NoScript(f"{name}: the folder holds no script: no file NAME.toml without a _ in front")
            found += held
        elif name in suites and not path.exists():
            found.append(suites[name])
        elif name == "all" and not path.exists():
            found += suites.values()
        elif not path.exists():
            hint = f"a file, a folder, or a suite that ships: all, {', '.join(suites)}"
            raise ScriptError(Problem(Place(name, 1), "there is no such script", hint))
        else:
            found.append(path)
    return found


class _Loader:
    """Follows the includes of one script, all below the folder of that script, and counts them."""

    def __init__(self, file: Path) -> None:
        self._folder = file.resolve().parent
        self._loaded = 0

    def load(self, file: Path, chain: tuple[Path, ...], asked_at: Place) -> Script:
        """Return the script in a file that `chain` leads to. Raises `ScriptError`."""
        resolved = file.resolve()
        if resolved in chain:
            shown = " -> ".join(path.name for path in (*chain[chain.index(resolved) :], resolved))
            raise ScriptError(Problem(asked_at, f"includes go round in a circle: {shown}", "take one of them out"))
        if not resolved.is_relative_to(self._folder):
            # Whoever wrote the script need not be who runs it, and may not look at other files through messages.
            raise ScriptError(Problem(asked_at, "the include leads out of the folder of the script", "keep it below"))
        if len(chain) >= _DEEPEST:
            raise ScriptError(Problem(asked_at, f"includes nested deeper than {_DEEPEST}"))
        self._loaded += 1
        if self._loaded > _MOST_FILES:
            raise ScriptError(Problem(asked_at, f"more than {_MOST_FILES} includes"))
        text = _read(file, asked_at, included=bool(chain))
        if file.suffix.lower() != _TOML:
            return _lines(text, file, quoted=not chain)

        def include(name: str, place: Place) -> Script:
            return self.load(file.parent / name, (*chain, resolved), place)

        return parse_script(text, file.stem, str(file), include)


def _check_rounds(script: Script) -> None:
    """Raise `ScriptError` where loops inside loops amount to more rounds than one loop may have."""
    too_many = [
        Problem(step.head.place, f"the loops around this step amount to {rounds} rounds", f"at most {MOST_ROUNDS}")
        for step, rounds in most_rounds(script.steps)
        if rounds > MOST_ROUNDS
    ]
    if too_many:
        raise ScriptError(*too_many)


def _lines(text: str, file: Path, *, quoted: bool) -> Script:
    """Return the script of a file of lines. Of one that is included, messages quote nothing."""
    try:
        return parse_lines(text.splitlines(), file.stem, str(file))
    except ScriptError as error:
        if quoted:
            raise
        raise ScriptError(*(Problem(problem.place, "this line is no command") for problem in error.problems)) from None


def _read(file: Path, asked_at: Place, *, included: bool) -> str:
    try:
        return read_text(file, SCRIPT)
    except UnusableFile as error:
        at_fault = Place(str(file), error.line or 1)
        problem = Problem(asked_at, str(error)) if included else Problem(at_fault, error.reason)
        raise ScriptError(problem) from None
