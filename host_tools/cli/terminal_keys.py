"""Where `terminal play` gets a fresh card's keys from: a test head-end in this process, or a file of LTKMs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from host_tools.cli.exits import INPUT, CliError
from host_tools.cli.headend import subscriber_of
from host_tools.terminal.key_delivery import DueLtkm, KeyDelivery

if TYPE_CHECKING:
    from host_tools.headend.handover import PlannedLtkm
    from host_tools.headend.network import TestNetwork
    from host_tools.headend.schedule import Delivery
    from host_tools.terminal.bcast import LtkmReceipt
    from host_tools.terminal.middleware import TerminalMiddleware

_LARGEST_FILE = 1 << 24


def keys_from_network(middleware: TerminalMiddleware, network: TestNetwork) -> KeyDelivery:
    """Bootstrap with the network and return the delivery of its LTKMs.

    Raises `TerminalError`, `StatusError`, `LinkError`, `HeadendError`.
    """
    b_tid = middleware.bootstrap(network.bsf).b_tid
    middleware.establish(network.bsm.naf_id)
    return keys_to_deliver(middleware, network, b_tid)


def keys_to_deliver(middleware: TerminalMiddleware, network: TestNetwork, b_tid: str) -> KeyDelivery:
    """Return the delivery of a network's LTKMs to the card behind `b_tid`; the network checks each answer."""
    start = network.scenario.start.timestamp()

    def due(delivery: Delivery) -> DueLtkm:
        at = start + delivery.at / 1000
        return DueLtkm(at, delivery.key.service, lambda: network.ltkm(delivery, b_tid))

    def check(ltkm: bytes, receipt: LtkmReceipt) -> None:
        network.bsm.verify(ltkm, receipt.verification or b"")

    return KeyDelivery(middleware, map(due, network.deliveries), check)


def open_network(scenario: str, profile: Path) -> TestNetwork:
    """Return the test network of a scenario (file or shipped name) for the subscriber of a card profile.

    Raises `HeadendError`, and `CliError` for a wrong profile.
    """
    from host_tools.cli.cards import load_profile, plain_errors
    from host_tools.headend.network import TestNetwork
    from host_tools.headend.scenario import load_scenario, shipped_scenario

    path = Path(scenario)
    is_name = scenario.isidentifier() and not path.exists()
    plan = shipped_scenario(scenario) if is_name else load_scenario(path)
    with plain_errors():
        return TestNetwork(plan, subscriber_of(load_profile(profile)))


def keys_from_file(middleware: TerminalMiddleware, path: Path, start: float) -> KeyDelivery:
    """Bootstrap with the stored challenge of a file of LTKMs and return their delivery.

    `start` is the moment the broadcast begins, in seconds on the clock of the capture. Raises `CliError` for a file
    that cannot be read, `HeadendError` for a wrong one, `TerminalError`, `StatusError`, `LinkError`.
    """
    from host_tools.headend.handover import Handover, StoredBsf

    handover = Handover.parse(_read(path), str(path))
    middleware.bootstrap(StoredBsf(handover))
    middleware.establish(handover.naf_id)

    def due(planned: PlannedLtkm) -> DueLtkm:
        return DueLtkm(start + planned.at, planned.service, lambda: planned.ltkm)

    return KeyDelivery(middleware, map(due, handover.ltkms), lambda _ltkm, _receipt: None)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise CliError(f"{path}: {error.strerror}", INPUT) from None
    if len(raw) > _LARGEST_FILE:
        raise CliError(f"{path}: larger than {_LARGEST_FILE} bytes, so it is no file of LTKMs", INPUT)
    return raw.decode(errors="replace")
