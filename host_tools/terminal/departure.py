"""Services a terminal leaves, and the card told of it: event signalling, a mode of the OMA BCAST command (INS 1B).

A person who leaves a service means the parental PIN given for it to count no longer. The card sees a change of channel
by itself, but not that the terminal was switched to a service without STKMs, or that playing ended. Mode and fields are
provisional (docs/spec/bcast.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from card.spec.status import describe
from host_tools.apdu.response import StatusError
from host_tools.terminal.audit import Auditor
from host_tools.terminal.card_application import CardApplication

SILENCE = 2.0
"""Seconds without a datagram after which a service counts as left; media come every few milliseconds, STKMs about
every second."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service as the card knows it: key domain (3 bytes) and key group (2 bytes)."""

    key_domain_id: bytes
    key_group: bytes

    def __str__(self) -> str:
        return f"{self.key_domain_id.hex()}/{self.key_group.hex()}"


@dataclass(frozen=True, slots=True)
class Departure:
    """A service that was left. `refusal` says why the card did not take the event; empty: it did."""

    service: Service
    refusal: str = ""

    @property
    def told(self) -> bool:
        """True when the card took the event."""
        return not self.refusal

    def __str__(self) -> str:
        verdict = "the card was told" if self.told else f"the card did not take it, {self.refusal}"
        return f"EVENT {self.service} left: {verdict}"

    def as_dict(self) -> dict[str, object]:
        """Return everything, ready for JSON."""
        names = {"key_domain": self.service.key_domain_id.hex(), "key_group": self.service.key_group.hex()}
        return {**names, "told": self.told, "refusal": self.refusal or None}


def signal_departure(application: CardApplication, service: Service) -> Departure:
    """Tell the card that a service was left. A refusal is an outcome and no error. Raises `LinkError`."""
    try:
        Auditor(application).signal_event(service.key_domain_id, service.key_group)
    except StatusError as error:
        return Departure(service, describe(error.sw))
    return Departure(service)


@dataclass(slots=True)
class _Tuned:
    services: set[Service]
    heard: float


@dataclass(slots=True)
class TunedServices:
    """The services being played, by the address they are sent to. Times are those of the datagrams, in seconds."""

    silence: float = SILENCE
    _tuned: dict[str, _Tuned] = field(default_factory=dict, init=False)

    def tune(self, address: str, service: Service, now: float) -> None:
        """A TEK of a service was got by an STKM sent to this address."""
        self._tuned.setdefault(address, _Tuned(set(), now)).services.add(service)

    def hear(self, address: str, now: float) -> None:
        """Something was sent to this address."""
        tuned = self._tuned.get(address)
        if tuned is not None:
            tuned.heard = now

    def leave_silent(self, now: float) -> list[Service]:
        """Forget and return the services of which nothing has come for `silence` seconds."""
        return self._leave([name for name, tuned in self._tuned.items() if now - tuned.heard > self.silence])

    def leave_all(self) -> list[Service]:
        """Forget and return all services."""
        return self._leave(list(self._tuned))

    def _leave(self, addresses: list[str]) -> list[Service]:
        left = {service for address in addresses for service in self._tuned.pop(address).services}
        return sorted(left, key=str)
