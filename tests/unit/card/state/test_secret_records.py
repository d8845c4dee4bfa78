"""A stored record that holds a key or a PIN shows it in no form of itself."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_type_hints

import pytest

from card.crypto.secret import Secret
from card.state.stored import _without_none
from tests.support.planted import planted, shows_plant
from tests.support.secret_records import SECRET_RECORDS


def filled(kind: type[Any]) -> Any:
    """Return a record with the planted value in every secret."""
    hints = get_type_hints(kind)
    plain: dict[Any, Any] = {bytes: b"\0" * 16, int: 1, bool: True, str: "name", dict[str, int]: {}}
    values: dict[str, Any] = {}
    for field in fields(kind):
        hint = _without_none(hints[field.name])
        if not field.init:
            continue
        values[field.name] = Secret(planted(16)) if hint is Secret else plain[hint]
    return kind(**values)


@pytest.mark.parametrize("kind", SECRET_RECORDS, ids=lambda kind: kind.__name__)
def test_no_record_shows_its_secret(kind: type[Any]) -> None:
    record = filled(kind)
    assert any(isinstance(getattr(record, field.name), Secret) for field in fields(kind))
    assert not shows_plant(f"{record!r} {record!s} {[record]!r}")
