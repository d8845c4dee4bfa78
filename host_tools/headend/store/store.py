"""A store that is open: the parts of a head-end that it keeps, under one key or none."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from card.crypto.secret import Secret
from host_tools.headend.bsm.books import Books
from host_tools.headend.store.books import StoredOutbox, StoredRegistrations
from host_tools.headend.store.database import Database
from host_tools.headend.store.errors import StoreError
from host_tools.headend.store.keys import StoredRights
from host_tools.headend.store.letters import StoredLetters
from host_tools.headend.store.papers import StoredRecords, StoredRequests
from host_tools.headend.store.subscribers import StoredBootstrappings, StoredMuks, StoredSubscribers
from host_tools.headend.store.vault import KEY_SIZE, KeyVault, OpenVault, Vault

_META = text("SELECT value FROM meta WHERE name = :name")
_SET_META = text("INSERT INTO meta (name, value) VALUES (:name, :value) ON CONFLICT (name) DO NOTHING")
_PROOF = b"bcast-uicc store"


@dataclass(frozen=True, slots=True)
class Broadcast:
    """What a store is of: a scenario (its name, and a fingerprint of its seed), and when its broadcast began."""

    scenario: str
    fingerprint: str
    began: datetime


class Store:
    """Everything that is kept of one head-end."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self.database = database
        self.vault = vault
        self.subscribers = StoredSubscribers(database, vault)
        self.bootstrappings = StoredBootstrappings(database, vault)
        self.muks = StoredMuks(database, vault)
        self.rights = StoredRights(database)
        self.books = Books(
            database,
            StoredRegistrations(database),
            StoredOutbox(database, vault),
            StoredRequests(database, vault),
            StoredRecords(database, vault),
            StoredLetters(database),
        )

    @classmethod
    def connect(cls, url: str, key: Secret | None = None) -> Store:
        """Open a store by its URL, with the key of its secrets (32 bytes) or none. Raises `StoreError`.

        A new store takes the key for good; one that has secrets under another, or under none, is refused.
        """
        if key is not None and len(key) != KEY_SIZE:
            raise StoreError(f"the key of a store has {KEY_SIZE} bytes, not {len(key)}")
        database = Database.connect(url)
        try:
            made = cls(database, OpenVault() if key is None else KeyVault(key))
            with database.transaction():
                made._prove()
        except BaseException:
            database.close()
            raise
        return made

    def broadcast(self, scenario: str, seed: str, now: datetime) -> Broadcast:
        """Return what this store is of; a new one becomes that of this scenario, whose broadcast begins now.

        Raises `StoreError` when it is of another scenario.
        """
        fingerprint = hashlib.sha256(f"{scenario}\0{seed}".encode()).hexdigest()
        for name, value in (("scenario", scenario), ("fingerprint", fingerprint), ("began", now.isoformat())):
            self.database.run(_SET_META, {"name": name, "value": value.encode()})
        found = Broadcast(
            self._meta("scenario").decode(),
            self._meta("fingerprint").decode(),
            datetime.fromisoformat(self._meta("began").decode()),
        )
        if found.fingerprint != fingerprint:
            raise StoreError(
                f"this store is of scenario {found.scenario}: give {scenario} a store of its own, with --db"
            )
        return found

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def _prove(self) -> None:
        """Check that the secrets of this store are under the key that was given."""
        place = ("meta", "value", "proof")
        self.database.run(_SET_META, {"name": "proof", "value": self.vault.seal(place, _PROOF)})
        try:
            sound = self.vault.unseal(place, self._meta("proof")) == _PROOF
        except StoreError:
            sound = False
        if not sound:
            wanted = "with its --key-file" if isinstance(self.vault, OpenVault) else "with another --key-file, or none"
            raise StoreError(f"the secrets of this store are not under this key: open it {wanted}")

    def _meta(self, name: str) -> bytes:
        return bytes(self.database.run(_META, {"name": name}).scalar_one())
