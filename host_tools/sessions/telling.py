"""Tells a chronicler what a terminal does: it watches players, and hears of decisions, LTKMs and departures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from card.codec.bcast import LtkmManagement, Subtype, bcast_extension
from card.codec.mikey import MikeyMessage
from card.errors import DecodeError
from host_tools.chronicle.chronicler import Chronicler
from host_tools.chronicle.model import Counted, MediaFate, Stkm, StkmFate, Validity
from host_tools.content.rtp import looks_like_rtp
from host_tools.terminal.audit import quantity_words
from host_tools.terminal.ltkm_delivery import LtkmView

if TYPE_CHECKING:
    from card.spec.bcast.tables import BcastTables
    from host_tools.content.captures.pcap import Datagram
    from host_tools.headend.scenario.model import Scenario
    from host_tools.terminal.decision import Decision
    from host_tools.terminal.departure import Departure
    from host_tools.terminal.key_source import StkmView
    from host_tools.terminal.ltkm_receipt import LtkmReceipt
    from host_tools.terminal.player import Hooks

W = TypeVar("W")
_SHARED = "user_purse"  # pays for every service


def both(first: Callable[[W], None], second: Callable[[W], None]) -> Callable[[W], None]:
    """Return a hook that tells two, one after the other."""

    def told(what: W) -> None:
        first(what)
        second(what)

    return told


class Teller:
    """Turns what a terminal sees into notes. `names` are those of services, by session (key domain and key group)."""

    def __init__(self, chronicler: Chronicler, names: Mapping[bytes, str] | None = None) -> None:
        self._chronicler = chronicler
        self._names = names or {}

    def hooks(self, hooks: Hooks) -> Hooks:
        """Return hooks that do what these do, and tell the chronicler."""
        return replace(
            hooks,
            watch=self,
            on_time=both(self._chronicler.reached, hooks.on_time),
            on_decision=both(hooks.on_decision, self.decision),
            on_departure=both(hooks.on_departure, self.departure),
        )

    def stkm(self, datagram: Datagram, view: StkmView, fate: StkmFate, why: str) -> None:
        """Note an STKM."""
        told = Stkm(0.0, _short(view.label), view.timestamp, fate, why)
        place = str(datagram.destination.host)
        above = view.long_term_key.hex()
        self._chronicler.stkm(datagram.timestamp, place, self._service(view.session), told, above, view.key_name)

    def unreadable(self, datagram: Datagram) -> None:
        """Note what is no STKM."""
        self._chronicler.unreadable(datagram.timestamp, datagram.destination.host)

    def media(self, datagram: Datagram, key_name: bytes | None, fate: MediaFate) -> None:
        """Note a media packet."""
        head = datagram.payload
        source = (int.from_bytes(head[8:12], "big"), int.from_bytes(head[2:4], "big")) if looks_like_rtp(head) else None
        self._chronicler.media(datagram.timestamp, datagram.destination.host, key_name, fate, source)

    def retuned(self) -> None:
        """Another service is listened to from now on."""
        self._chronicler.listens_anew()

    def decision(self, decision: Decision) -> None:
        """Note what an STKM cost, and for which STKMs the card says that the key is good."""
        shown = decision.explanation
        for candidate in shown.candidates if shown else ():
            policy = candidate.policy
            valid = Validity(Counted.TIMESTAMP, policy.first_ts, policy.last_ts, candidate.name)
            self._chronicler.valid(decision.view.long_term_key.hex(), valid)
        for paid in shown.payments if shown else ():
            words = quantity_words(paid.source)
            name = words if paid.source == _SHARED else f"{words}, {self._service(decision.view.session)}"
            self._chronicler.balance(name, paid.before, paid.after)

    def departure(self, departure: Departure) -> None:
        """Note a service that was left."""
        service = departure.service
        name = self._service(service.key_domain_id + service.key_group)
        verdict = "the card was told" if departure.told else f"the card did not take it, {departure.refusal}"
        self._chronicler.note(f"{name} left: {verdict}", bad=not departure.told)

    def ltkm(self, tables: BcastTables) -> Callable[[bytes, LtkmReceipt], None]:
        """Return what notes an LTKM, read by the tables of its card."""

        def heard(ltkm: bytes, receipt: LtkmReceipt) -> None:
            try:
                ids = LtkmView.decode(ltkm).ids
            except DecodeError:
                self._chronicler.note(f"LTKM: {receipt.words}", bad=True)
                return
            above = ids.key_domain_id + ids.msk_id
            allows = _allows(ltkm, tables)
            service = self._service(ids.key_domain_id + ids.key_group)
            words = f"LTKM for key {ids.msk_id.hex()} of {service}: {receipt.words}{f' ({allows})' if allows else ''}"
            self._chronicler.ltkm(above.hex(), words, taken=receipt.taken, allows=allows)

        return heard

    def _service(self, session: bytes) -> str:
        return self._names.get(session) or session.hex()


def service_names(scenario: Scenario) -> dict[bytes, str]:
    """Return what the services of a scenario are called, by session."""
    from host_tools.headend.service_keys import key_domain_id

    return {
        key_domain_id(service.key_domain) + service.key_group.to_bytes(2, "big"): service.id
        for service in scenario.services
    }


def _short(label: str) -> str:
    """Leave the key domain out of a label of the Smartcard Profile: the service has it."""
    _domain, _, rest = label.partition("/")
    return rest or label


def _allows(ltkm: bytes, tables: BcastTables) -> str:
    """Say in words what the policy in an LTKM allows; nothing for a plain MBMS one, or one the tables cannot read."""
    try:
        extension = bcast_extension(MikeyMessage.decode(ltkm))
        if extension is None or extension[0] != Subtype.LTKM_MANAGEMENT:
            return ""
        found = LtkmManagement.decode(extension[1], tables)
    except DecodeError:
        return ""
    if found.spe is None:
        return ""
    row = tables.find_spe(found.spe)
    parts = [row.name if row is not None else f"SPE {found.spe:02X}"]
    parts += [f"cost {found.cost}"] if found.cost else []
    parts += [f"{'+' if found.add else ''}{found.tokens} tokens"] if found.tokens is not None else []
    parts += [f"counter {'+' if found.add else ''}{found.counter}"] if found.counter is not None else []
    return ", ".join(parts)
