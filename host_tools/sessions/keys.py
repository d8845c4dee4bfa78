"""Where a fresh card gets its keys from: a test head-end in this process, or a file of LTKMs."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from card.disk.kinds import LTKMS
from card.disk.reading import read_text
from host_tools.headend.errors import VerificationError
from host_tools.headend.subscribers.personalised import subscriber_of
from host_tools.sessions.errors import SessionError, Trouble
from host_tools.terminal.errors import LtkmRefusedError
from host_tools.terminal.key_delivery import DueLtkm, KeyDelivery, LtkmTaker
from host_tools.terminal.ltkm_receipt import LtkmReceipt, LtkmVerdict
from host_tools.terminal.middleware import TerminalMiddleware

if TYPE_CHECKING:
    from card.spec.bcast.tables import BcastTables
    from host_tools.headend.scenario.csim import CsimNetwork
    from host_tools.headend.scenario.handover import PlannedLtkm
    from host_tools.headend.scenario.network import Network
    from host_tools.headend.scenario.schedule import Delivery
    from host_tools.headend.scenario.usim import UsimNetwork
    from host_tools.terminal.application_middleware import CardMiddleware
    from host_tools.terminal.purchase import PurchaseFlow, Remedy


class PlayKeys(Protocol):
    """Where a player gets its keys, if the card does not have them already. The files are named so as to be kept."""

    @property
    def ltkms(self) -> Path | None:
        """A file that is read, if any."""

    @property
    def subscriber(self) -> Path | None:
        """A file that is read, if any."""

    def fetch(self, middleware: CardMiddleware, start: float, /) -> tuple[KeyDelivery | None, Remedy | None]:
        """Return the delivery of keys that have a time, and how to get more; None for what there is not."""


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where the keys come from, if the card does not have them already.

    Either the test head-end of a `scenario` (file or shipped name), which knows the subscriber of a card profile; or
    `ltkms`, a file of LTKMs. `buys`: the head-end sells what the card lacks.
    """

    scenario: str | None = None
    subscriber: Path | None = None
    ltkms: Path | None = None
    buys: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether no keys come from here: those of the card are all there are."""
        return self.ltkms is None and (self.scenario is None or self.subscriber is None)

    def service_names(self) -> dict[bytes, str]:
        """Return what services are called, by key domain and key group, where that is known. Raises `HeadendError`."""
        from host_tools.headend.scenario.reading import find_scenario
        from host_tools.sessions.telling import service_names

        return {} if self.scenario is None else service_names(find_scenario(self.scenario))

    def fetch(self, middleware: CardMiddleware, start: float) -> tuple[KeyDelivery | None, PurchaseFlow | None]:
        """Bootstrap a USIM; return the delivery of the keys and the way to buy more, None for what there is not.

        `start` is the moment the broadcast begins, in seconds on its own clock. Raises as `subscribe`, `open_network`
        and `keys_from_file` do, and `SessionError` for a file of LTKMs and a CSIM.
        """
        if self.scenario is not None and self.subscriber is not None:
            delivery, flow = self._subscribed(middleware, self.scenario, self.subscriber)
            return delivery, flow if self.buys else None
        if self.ltkms is not None:
            if not isinstance(middleware, TerminalMiddleware):
                raise SessionError("--ltkms are for a USIM, which bootstraps first: leave --csim out", Trouble.MISUSE)
            return keys_from_file(middleware, self.ltkms, start), None
        return None, None

    def _subscribed(
        self, middleware: CardMiddleware, scenario: str, subscriber: Path
    ) -> tuple[KeyDelivery, PurchaseFlow]:
        if isinstance(middleware, TerminalMiddleware):
            return subscribe(middleware, open_network(scenario, subscriber, middleware.tables))
        return subscribe_csim(middleware, open_csim_network(scenario, subscriber, middleware.tables))


def subscribe(middleware: TerminalMiddleware, network: UsimNetwork) -> tuple[KeyDelivery, PurchaseFlow]:
    """Bootstrap with the network; return the delivery of its LTKMs, and the way to buy what the card lacks.

    Raises `TerminalError`, `StatusError`, `LinkError`, `HeadendError`.
    """
    b_tid = middleware.bootstrap(network.bsf).b_tid
    middleware.establish(network.bsm.naf_id, now=network.scenario.start, bsf=network.bsf)
    return _delivered(middleware, network, b_tid)


def subscribe_csim(middleware: CardMiddleware, network: CsimNetwork) -> tuple[KeyDelivery, PurchaseFlow]:
    """Return the delivery of a network's LTKMs to a CSIM, and the way to buy what it lacks: no GBA (provisional)."""
    return _delivered(middleware, network, network.subscriber.nai)


def _delivered(middleware: LtkmTaker, network: Network, identity: str) -> tuple[KeyDelivery, PurchaseFlow]:
    from host_tools.headend.shop import TokenDesk
    from host_tools.terminal.purchase import PurchaseFlow

    desk = TokenDesk(network.shop, identity)
    flow = PurchaseFlow(desk, middleware.deliver, lambda ltkm, receipt: check_receipt(network, ltkm, receipt))
    return keys_to_deliver(middleware, network, identity), flow


def check_receipt(network: Network, ltkm: bytes, receipt: LtkmReceipt) -> None:
    """Check what the card answered to an LTKM of this network. Raises `VerificationError`, `HeadendError`."""
    require_taken(ltkm, receipt)
    network.bsm.verify(ltkm, receipt.verification or b"")


def require_taken(_ltkm: bytes, receipt: LtkmReceipt) -> None:
    """Raise `LtkmRefusedError` when the card did not take an LTKM, `VerificationError` when its policies refuse it."""
    if receipt.verdict is LtkmVerdict.POLICY:
        raise VerificationError(f"the card did not take an LTKM: {receipt.words}")
    if not receipt.taken:
        raise LtkmRefusedError(f"The LTKM was not taken: {receipt.words}.")


def keys_from_network(middleware: TerminalMiddleware, network: UsimNetwork) -> KeyDelivery:
    """Bootstrap with the network and return the delivery of its LTKMs.

    Raises `TerminalError`, `StatusError`, `LinkError`, `HeadendError`.
    """
    return subscribe(middleware, network)[0]


def keys_to_deliver(middleware: LtkmTaker, network: Network, b_tid: str) -> KeyDelivery:
    """Return the delivery of a network's LTKMs to the card behind `b_tid`; the network checks each answer."""
    start = network.scenario.start.timestamp()

    def due(delivery: Delivery) -> DueLtkm:
        at = start + delivery.at / 1000
        return DueLtkm(at, delivery.key.service, lambda: network.ltkm(delivery, b_tid))

    def check(ltkm: bytes, receipt: LtkmReceipt) -> None:
        check_receipt(network, ltkm, receipt)

    return KeyDelivery(middleware, map(due, network.deliveries), check)


def open_network(scenario: str, profile: Path, tables: BcastTables) -> UsimNetwork:
    """Return the test network of a scenario (file or shipped name) for the subscriber of a card profile.

    `tables` are those of the card, which need not be the profile's: a card file may have others. Its GBA challenges are
    new each time, for cards that met earlier ones. Raises `HeadendError`, and `ProfileError` for a wrong profile.
    """
    from host_tools.headend.scenario.reading import find_scenario
    from host_tools.headend.scenario.usim import UsimNetwork
    from host_tools.sessions.cards import load_profile

    plan = find_scenario(scenario)
    subscriber = subscriber_of(load_profile(profile))
    return UsimNetwork(plan, subscriber, session=secrets.token_hex(8), tables=tables)


def open_csim_network(scenario: str, profile: Path, tables: BcastTables) -> CsimNetwork:
    """Return the test network of a scenario for the CSIM of a card profile. Raises as `open_network`."""
    from host_tools.headend.scenario.csim import CsimNetwork
    from host_tools.headend.scenario.reading import find_scenario
    from host_tools.sessions.cards import load_profile
    from host_tools.sessions.csim import csim_subscriber

    return CsimNetwork(find_scenario(scenario), csim_subscriber(load_profile(profile)), tables=tables)


def keys_from_file(middleware: TerminalMiddleware, path: Path, start: float) -> KeyDelivery:
    """Bootstrap with the stored challenge of a file of LTKMs and return their delivery.

    `start` is the moment the broadcast begins, in seconds on the clock of the capture. Raises `UnusableFile` for a file
    that cannot be read, `HeadendError` for a wrong one, `TerminalError`, `StatusError`, `LinkError`.
    """
    from host_tools.headend.scenario.handover import Handover, StoredBsf

    handover = Handover.parse(read_text(path, LTKMS), str(path))
    middleware.bootstrap(StoredBsf(handover))
    middleware.establish(handover.naf_id)

    def due(planned: PlannedLtkm) -> DueLtkm:
        return DueLtkm(start + planned.at, planned.service, lambda: planned.ltkm)

    return KeyDelivery(middleware, map(due, handover.ltkms), require_taken)
