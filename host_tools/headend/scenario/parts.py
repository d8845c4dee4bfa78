"""Where the servers of a network keep what they know: in memory, or in a store that outlives the process."""

from __future__ import annotations

from dataclasses import dataclass

from host_tools.headend.bsf.bootstrappings import Bootstrappings, MemoryBootstrappings
from host_tools.headend.bsm.books import Books
from host_tools.headend.bsm.mbms_naf import MemoryMuks
from host_tools.headend.bsm.memory import MemoryRights
from host_tools.headend.bsm.memory_books import memory_books
from host_tools.headend.bsm.ports import KeyStore, Muks, Rights
from host_tools.headend.bsm.rk_home import AuthKeys, MemoryAuthKeys
from host_tools.headend.scenario.maker import make_keys
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.on_air import ScenarioServices
from host_tools.headend.subscribers.memory import MOST_SUBSCRIBERS, MemorySubscribers
from host_tools.headend.subscribers.ports import Subscribers


@dataclass(frozen=True, slots=True)
class Parts:
    """What a network is put together from, besides its scenario.

    `services` says what is on the air when, None for a broadcast that begins now.
    """

    subscribers: Subscribers
    runs: Bootstrappings
    muks: Muks
    auth_keys: AuthKeys
    keys: KeyStore
    rights: Rights
    books: Books
    services: ScenarioServices | None = None


def memory_parts(scenario: Scenario, subscribers: MemorySubscribers) -> Parts:
    """Return parts that are gone with the process."""
    return Parts(
        subscribers,
        MemoryBootstrappings(MOST_SUBSCRIBERS),
        MemoryMuks(),
        MemoryAuthKeys(),
        make_keys(scenario),
        MemoryRights(),
        memory_books(),
    )
