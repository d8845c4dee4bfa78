"""The whole contents of a card as a plain tree, for people, JSON and comparison."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TypeAlias

from card.domain.application import load_applications
from card.domain.bcast.tables import load_tables
from card.errors import StoreError
from card.filesystem.filesystem import FileSystem
from card.inspection.files import describe_files
from card.inspection.opening import load_card, opened, sound_records
from card.inspection.tables import describe_tables
from card.inspection.values import Description, Plain, to_plain
from card.personalisation.personalise import personalise
from card.profile.schema import CardProfile
from card.spec.bcast.tables import BcastTables
from card.state.nonvolatile import NonVolatile
from card.store.memory import MemoryStore

Source: TypeAlias = str | os.PathLike[str] | CardProfile
"""A card file, or a profile: then the card as it comes fresh from it."""


def inspect_card(source: Source, *, reveal: bool = False) -> dict[str, Plain]:
    """Return all that a card holds, as dicts, lists, text and numbers; bytes are upper-case hex.

    `files` maps each path to a file's properties, content and decoded value; the other entries (`card`,
    `applications`, `pins`, `sequence numbers`, `bootstrapping`, `NAF keys`, `MUKs`, `MSKs`) are records by application
    and name. Keys, PINs and confidential files are shown with `reveal` only.

    Raises `StoreError`, `CardFileLocked`, `ProfileError`.
    """
    described = describe(source)
    return {name: to_plain(part, reveal=reveal) for name, part in described.items()}


def describe(source: Source) -> Description:
    """Return the same tree with its secrets as `HiddenValue` values, fit for comparing."""
    if isinstance(source, CardProfile):
        fresh = MemoryStore()
        personalise(source, fresh)
        return describe_contents(fresh.load())
    with opened(source) as store:
        return describe_contents(load_card(store))


def describe_contents(contents: dict[str, bytes]) -> Description:
    """Describe everything a store holds. Raises `StoreError` when its records do not make a card."""
    with sound_records():
        # A store of its own: describing never writes.
        nv = NonVolatile(MemoryStore(contents))
        files = FileSystem(nv)
        with suppress(StoreError):  # what is damaged is told beside its record
            load_applications(nv, files)  # they compose some of the files
        return {**describe_tables(nv, list(contents)), "files": describe_files(files)}


def bcast_tables(path: str | os.PathLike[str]) -> BcastTables:
    """Return the tables of a card file that is not in use. Raises `StoreError`, `CardFileLocked`."""
    with opened(path) as store:
        return load_tables(NonVolatile(MemoryStore(load_card(store))))
