"""The files of the project, for the tests that read them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = {".git", ".venv", "__pycache__", "_build", ".hypothesis", ".benchmarks", "build", "dist"}


def project_files() -> list[Path]:
    """Return every file that is, or would be, committed: what git lists, or a walk where there is no git."""
    if shutil.which("git") and (ROOT / ".git").exists():
        listing = subprocess.run(
            ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
        ).stdout
        paths = (ROOT / name for name in listing.decode().split("\0") if name)
    else:
        paths = (path for path in ROOT.rglob("*") if not NOT_OURS.intersection(path.relative_to(ROOT).parts))
    return sorted(path for path in paths if path.is_file())


def text_files() -> list[tuple[Path, str]]:
    """Return the project's files that are text, each with its content."""
    found = []
    for path in project_files():
        try:
            found.append((path, path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue
    return found
