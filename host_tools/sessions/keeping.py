"""Where a served network keeps its state, and whom it serves."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from card.crypto.secret import Secret
from card.disk.kinds import STORE_KEY
from card.disk.reading import read_text
from host_tools.files.holding import FileInUse, held
from host_tools.files.writing import told, write_whole
from host_tools.headend.scenario.parts import Parts, memory_parts
from host_tools.headend.subscribers.files import load_records
from host_tools.headend.subscribers.memory import MemorySubscribers
from host_tools.headend.subscribers.personalised import record_of
from host_tools.headend.subscribers.record import SubscriberRecord
from host_tools.headend.subscribers.rk_subscriber import RkSubscriber
from host_tools.sessions.csim import csim_subscriber
from host_tools.sessions.errors import SessionError, Trouble

if TYPE_CHECKING:
    from card import CardProfile
    from host_tools.headend.clock import NetworkClock
    from host_tools.headend.scenario.model import Scenario

MEMORY = "memory"
"""In the place of a URL: nothing is kept."""
_STATE_VARIABLE, _STATE_DEFAULT = "XDG_STATE_HOME", ".local/state"
_FOLDER = Path("bcast-uicc") / "headend"
_KEY = re.compile(r"[0-9A-Fa-f]{64}")


@dataclass(frozen=True, slots=True)
class Keeping:
    """A URL of SQLAlchemy, the path of an SQLite file, `MEMORY`, or None for a file of the user's state folder.

    `key_file` has the key of the store's secrets; one that is not there is made. `subscribers` is a file of further
    subscribers.
    """

    db: str | None = MEMORY
    key_file: Path | None = None
    subscribers: Path | None = None

    def url(self, scenario: Scenario) -> str:
        """Return where the state of a scenario's network is."""
        if self.db is not None:
            return self.db
        base = Path(os.environ.get(_STATE_VARIABLE) or Path.home() / _STATE_DEFAULT)
        fingerprint = hashlib.sha256(scenario.seed.encode()).hexdigest()[:8]
        return str(base / _FOLDER / f"{re.sub('[^A-Za-z0-9._-]', '_', scenario.name)}-{fingerprint}.db")


@contextmanager
def keeping(choice: Keeping, scenario: Scenario, profile: CardProfile, clock: NetworkClock) -> Iterator[Parts]:
    """Yield the parts of a network, for the subscriber of a profile, USIM and CSIM, and those of the file.

    Raises `SessionError`, `HeadendError`, `UnusableFile`, `UnwritableFile`.
    """
    records = _records(choice, scenario, profile)
    if choice.db == MEMORY:
        if choice.key_file is not None:
            raise SessionError("--key-file is for a store, and with --db memory there is none.", Trouble.MISUSE)
        usims = [one.made() for one in records if isinstance(one, SubscriberRecord)]
        others = [one for one in records if isinstance(one, RkSubscriber)]
        yield memory_parts(scenario, MemorySubscribers(usims, others))
        return
    from host_tools.headend.scenario.stored import stored_parts
    from host_tools.headend.store.database import sqlite_file
    from host_tools.headend.store.store import Store

    url = choice.url(scenario)
    key = None if choice.key_file is None else _key(choice.key_file)
    with _alone(sqlite_file(url)):
        store = Store.connect(url, key)
        try:
            yield stored_parts(store, scenario, records, clock)
        finally:
            store.close()


def _records(choice: Keeping, scenario: Scenario, profile: CardProfile) -> list[SubscriberRecord | RkSubscriber]:
    """Return the profile's subscriber first, with its USIM and its CSIM, and those of the file.

    What the file has another record of is as there.
    """
    listed = [] if choice.subscribers is None else list(load_records(choice.subscribers))
    if profile.csim is not None:
        csim = csim_subscriber(profile)
        if not any(isinstance(one, RkSubscriber) and one.nai == csim.nai for one in listed):
            listed.insert(0, csim)
    own = record_of(profile)
    if any(isinstance(one, SubscriberRecord) and one.impi == own.impi for one in listed):
        return list[SubscriberRecord | RkSubscriber](listed)
    settings = replace(own.settings, plain_res=scenario.network.plain_res)
    return [replace(own, settings=settings), *listed]


def _key(path: Path) -> Secret:
    """Return the key in a file; a file that is not there is made, for its owner's eyes only."""
    with told(path):
        there = path.exists()
        if not there:
            path.parent.mkdir(parents=True, exist_ok=True)
    if not there:
        write_whole(path, secrets.token_hex(32).encode() + b"\n", private=True)
    text = read_text(path, STORE_KEY).strip()
    if not _KEY.fullmatch(text):
        raise SessionError(f"{path} is no key of a store: 64 hex digits are wanted.", Trouble.INPUT)
    return Secret(bytes.fromhex(text))


@contextmanager
def _alone(path: Path | None) -> Iterator[None]:
    """Hold the file of an SQLite store for the length of the block; a database that is no file, None, has no holder.

    What a head-end has in memory (challenges, what it read a moment ago) is right for one process on such a file.
    Raises `SessionError` when another process serves from it.
    """
    if path is None:
        yield
        return
    _make_private(path)
    try:
        with held(path.resolve()):
            yield
    except FileInUse as error:
        raise SessionError(f"another head-end serves from this store: {error}", Trouble.LOCKED) from None


def _make_private(path: Path) -> None:
    """Make the file of an SQLite store that is not there yet, readable by its owner only: it may hold keys."""
    with told(path):
        there, usable = path.exists(), path.is_file()
        if not there:
            path.parent.mkdir(parents=True, exist_ok=True)
    if there and not usable:
        raise SessionError(f"{path} is no file that a database can be in.", Trouble.INPUT)
    if not there:
        write_whole(path, b"", private=True)
