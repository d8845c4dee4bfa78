"""The unit tests stand in the folders of what they test."""

from __future__ import annotations

from tests.meta.tree import ROOT, project_files

UNIT = ROOT / "tests" / "unit"


def test_every_folder_of_unit_tests_is_a_folder_of_the_product() -> None:
    folders = {path.parent.relative_to(UNIT) for path in project_files() if path.is_relative_to(UNIT)}
    assert len(folders) > 20
    assert sorted(str(folder) for folder in folders if not (ROOT / folder / "__init__.py").exists()) == ["."]
