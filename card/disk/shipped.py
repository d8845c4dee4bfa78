"""Files that come with the packages."""

from __future__ import annotations

from importlib.resources import files


def shipped_text(package: str, *names: str) -> str | None:
    """Return the text of a file inside a package, by its folders and name; None where there is none."""
    resource = files(package).joinpath(*names)
    return resource.read_text(encoding="utf-8") if resource.is_file() else None


def shipped_names(package: str, *folders: str, suffix: str) -> tuple[str, ...]:
    """Return the names, without `suffix`, of the files in a folder of a package that end with it, in order."""
    resources = files(package).joinpath(*folders).iterdir()
    return tuple(sorted(one.name.removesuffix(suffix) for one in resources if one.name.endswith(suffix)))
