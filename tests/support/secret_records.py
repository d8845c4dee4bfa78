"""Every type of stored record that has a secret in it. `tests/meta/test_secret_records.py` keeps the list complete."""

from __future__ import annotations

from card.domain.application import ApplicationRecord, CsimRecord
from card.domain.authentication.gba import BootstrapRecord, NafKeyRecord
from card.domain.authentication.group_calls import GroupKey
from card.domain.keys.bcmcs import BakRecord
from card.domain.keys.local_key import LocalKeyRecord
from card.domain.keys.mbms import MskRecord, MukRecord
from card.domain.pin import PinRecord
from card.domain.secure_channel.settings import PskRecord, Scp03Record
from card.domain.secure_channel.state import MasterSa

SECRET_RECORDS: tuple[type, ...] = (
    ApplicationRecord,
    BakRecord,
    BootstrapRecord,
    CsimRecord,
    GroupKey,
    LocalKeyRecord,
    MasterSa,
    MskRecord,
    MukRecord,
    NafKeyRecord,
    PinRecord,
    PskRecord,
    Scp03Record,
)
