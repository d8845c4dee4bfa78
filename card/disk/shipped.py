"""Files that come with the packages."""

from __future__ import annotations

from importlib.resources import files


def shipped_text(package: str, *names: str) -> str | None:
    """Return the text of a file inside a package, by its folders and name; None where there is none."""
    resource = files(package).joinpath(*names)
    return resource.read_text(encoding="utf-8") if resource.is_file() else None
