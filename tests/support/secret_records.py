"""Every type of stored record that has a secret in it. `tests/meta/test_secret_records.py` keeps the list complete."""

from __future__ import annotations

from card.domain.application import StoredApplication, StoredCsim
from card.domain.authentication.gba import StoredBootstrap, StoredNafKey
from card.domain.authentication.group_calls import GroupKey
from card.domain.keys.bcmcs import StoredBak
from card.domain.keys.local_key import StoredLocalKey
from card.domain.keys.mbms import StoredMsk, StoredMuk
from card.domain.pin import StoredPin
from card.domain.secure_channel.settings import StoredPsk, StoredScp03
from card.domain.secure_channel.state import MasterSa

SECRET_RECORDS: tuple[type, ...] = (
    StoredApplication,
    StoredBak,
    StoredBootstrap,
    StoredCsim,
    GroupKey,
    StoredLocalKey,
    MasterSa,
    StoredMsk,
    StoredMuk,
    StoredNafKey,
    StoredPin,
    StoredPsk,
    StoredScp03,
)
