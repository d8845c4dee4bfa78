"""What personalisation decides about secure channels: kinds, policy, shared secrets."""

from __future__ import annotations

from collections.abc import Iterable

from card.crypto.primitives import sha256
from card.crypto.secret import Secret
from card.domain.keys.local_key import LocalKeyPolicy
from card.lean import lean_dataclass
from card.spec.sac_tables import Kind, TekPolicy
from card.state.nonvolatile import NonVolatile
from card.state.stored import StoredTable

_PREFIX = "sac/"
_PSK_PREFIX = "sac-psk/"
_SCP03_PREFIX = "sac-scp03/"
SETTINGS_PREFIXES = (_PREFIX, _SCP03_PREFIX)
"""Tables that are read once; secrets are looked up when they are needed."""
_ONLY = "card"


@lean_dataclass(frozen=True, slots=True)
class StoredSac:
    """What a card offers. `kinds` are values of `Kind` with commas between, `tek` is one of `TekPolicy`.

    `terminals` and `applications` are those of the policy for local keys, in hex with commas between.
    """

    kinds: str
    tek: str
    container: int
    connections: int
    terminals: str = ""
    applications: str = ""

    @property
    def policy(self) -> LocalKeyPolicy:
        """Whom the card derives local keys for."""
        return LocalKeyPolicy(_names(self.terminals), _names(self.applications))


@lean_dataclass(frozen=True, slots=True)
class StoredPsk:
    """A secret (32 bytes) that a terminal and the card were given beforehand."""

    terminal_id: bytes
    key: Secret


@lean_dataclass(frozen=True, slots=True)
class StoredScp03:
    """The static keys K-ENC and K-MAC (16 bytes each) with their version number."""

    version: int
    key_enc: Secret
    key_mac: Secret


def _names(listed: str) -> frozenset[bytes]:
    return frozenset(bytes.fromhex(name) for name in listed.split(",") if name)


def list_names(names: Iterable[bytes]) -> str:
    """Write names as `StoredSac` keeps them."""
    return ",".join(name.hex() for name in names)


class SacSettings:
    """The settings of one card. They change at personalisation only, so they are read once."""

    def __init__(self, nv: NonVolatile) -> None:
        record = StoredTable(nv, _PREFIX, StoredSac).get(_ONLY) or StoredSac("", TekPolicy.CLEAR.value, 0, 0)
        self.kinds = frozenset(Kind(name) for name in record.kinds.split(",") if name)
        self.tek = TekPolicy(record.tek)
        self.container = record.container
        self.connections = record.connections
        self.local_key_policy = record.policy
        self.scp03 = StoredTable(nv, _SCP03_PREFIX, StoredScp03).get(_ONLY)
        self._psks = StoredTable(nv, _PSK_PREFIX, StoredPsk)

    @property
    def offers_sac(self) -> bool:
        """True when the card has MANAGE SECURE CHANNEL and TRANSACT DATA at all."""
        return bool(self.kinds & {Kind.SECURED_APDU, Kind.TLS})

    @property
    def has_psk(self) -> bool:
        """True when the card shares a secret with some terminal."""
        return any(True for _ in self._psks.items())

    def find_psk(self, terminal_id: bytes) -> Secret | None:
        """Return the secret (32 bytes) shared with a terminal, or None."""
        record = self._psks.get(_psk_name(terminal_id))
        return record.key if record is not None else None


def store_settings(
    nv: NonVolatile, record: StoredSac, psks: Iterable[StoredPsk] = (), scp03: StoredScp03 | None = None
) -> None:
    """Write the settings of a new card."""
    StoredTable(nv, _PREFIX, StoredSac).put(_ONLY, record)
    for psk in psks:
        StoredTable(nv, _PSK_PREFIX, StoredPsk).put(_psk_name(psk.terminal_id), psk)
    if scp03 is not None:
        StoredTable(nv, _SCP03_PREFIX, StoredScp03).put(_ONLY, scp03)


def _psk_name(terminal_id: bytes) -> str:
    return sha256(terminal_id).hex()[:32]
