"""Opens a terminal on a network: the card, its state, the ways to BSM and BSF, the ports."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from card.disk.kinds import CERTIFICATE
from card.disk.reading import read_text
from card.errors import UnusableFile
from host_tools.apdu.client import ApduClient
from host_tools.exchange.errors import TransportError
from host_tools.exchange.transport import Endpoint
from host_tools.files.holding import FileInUse
from host_tools.links.base import Link
from host_tools.sessions.csim import csim_middleware
from host_tools.sessions.errors import SessionError, Trouble
from host_tools.sessions.events import ClientNews, Events, TerminalOnline
from host_tools.sessions.online.key_store import KeyStore, key_store
from host_tools.sessions.online.servers import Announced, announced_at, announced_servers, choose_server
from host_tools.sessions.opening import AskPin, CardSource, connect
from host_tools.terminal.application_middleware import CardMiddleware
from host_tools.terminal.card_application import CardFiles
from host_tools.terminal.client.machine import Rules
from host_tools.terminal.client.waits import WaitingTime
from host_tools.terminal.client.way import Manners
from host_tools.terminal.errors import NetworkRefusedError
from host_tools.terminal.http.errors import AnswerRefusedError, NotAdmittedError, ServerRefusedError
from host_tools.terminal.http.session import UaSession
from host_tools.terminal.identities import OnlineCard, csim_online, me_online, usim_online
from host_tools.terminal.middleware import TerminalMiddleware
from host_tools.terminal.online import OnlineTerminal, Patience
from host_tools.terminal.reach import Reach, WrongUrl, bsf_of, reach_network, reach_url
from host_tools.terminal.state_file import bsms_known, open_state
from host_tools.wire.key_sockets import KeySockets
from host_tools.wire.network_file import load_network
from host_tools.wire.system import SystemClock, SystemRng

if TYPE_CHECKING:
    from card.spec.bcast.tables import BcastTables
    from host_tools.trace.events import TraceSink

DEFAULT_ADDRESS = "127.0.0.2"
_STATE_VARIABLE, _STATE_DEFAULT = "XDG_STATE_HOME", ".local/state"
_STATE_FOLDER = Path("bcast-uicc") / "terminals"
_ICCID = re.compile(r"[0-9]{1,20}")


@dataclass(frozen=True, slots=True)
class NetworkChoice:
    """Which network, and how the terminal behaves there.

    A network file, the URL of a BSM, or both: the file then says where names are. `resolved` are further places by
    name. `me` is a card file in which the terminal holds its keys itself (GBA_ME). `ca` is whom to trust behind https,
    `certificates` a folder with terminal.pem and terminal.key besides; with one of them the BSM of a network file is
    the one behind https. `announced` is what an announcement says; a BSM that is named goes before its servers.
    `waiting` goes before its waiting times.
    """

    network: Path | None = None
    bsm: str | None = None
    bsf: str = ""
    resolved: tuple[tuple[str, Endpoint], ...] = ()
    ca: Path | None = None
    certificates: Path | None = None
    address: str = DEFAULT_ADDRESS
    state: Path | None = None
    me: Path | None = None
    client_id: bytes | None = None
    shows_client_id: bool = False
    waiting: WaitingTime | None = None
    announced: Announced | None = None
    abroad: bool = False
    sms_port: int | None = None
    wait: float = 5.0

    def reach(self) -> tuple[Reach, tuple[str, ...]]:
        """Return how to reach the servers, and the serviceIDs that a network file lists.

        Raises `SessionError`, `UnusableFile`.
        """
        network = None if self.network is None else load_network(self.network)
        if network is None and self.bsm is None:
            raise SessionError("name the network: --network FILE, or --bsm URL", Trouble.MISUSE)
        tls = self._tls() if self.ca is not None or self.certificates is not None else None
        try:
            found = None if network is None else reach_network(network, self.address, tls if self.bsm is None else None)
        except WrongUrl as error:
            raise SessionError(f"--network {self.network}: {error}", Trouble.MISUSE) from None
        places: Mapping[str, Endpoint] = {} if found is None else found.places
        known = (*places, *(self.announced.names() if self.announced else ()))
        if self.bsm is not None:
            try:
                found = reach_url(self.bsm, self.address, places, "", tls or self._tls())
            except WrongUrl as error:
                raise SessionError(f"--bsm {self.bsm}: {error}", Trouble.MISUSE) from None
            if network is not None:
                found = found.with_bsf(*bsf_of(network, tls))
        assert found is not None, "one of the two is there"
        if self.bsf:
            try:
                found = found.with_bsf_url(self.bsf, tls or self._tls())
            except WrongUrl as error:
                raise SessionError(f"--bsf {self.bsf}: {error}", Trouble.MISUSE) from None
        unknown = [name for name, _ in self.resolved if network is not None and self.bsm is None and name not in known]
        if unknown:
            there = " and ".join(sorted({*known}))
            raise SessionError(f"--resolve {unknown[0]}: the network file has {there}", Trouble.MISUSE)
        reach = replace(found, places={**found.places, **dict(self.resolved)})
        return reach, () if network is None else network.service_ids

    def reaches(self, named: Reach) -> tuple[Reach, ...]:
        """Return the ways to the BSM that is `named`, or to those that are announced. Raises `SessionError`."""
        servers = self.announced.servers if self.announced is not None and self.bsm is None else ()
        if not servers:
            return (named,)
        is_secure = any(server.lower().startswith("https:") for server in servers)
        return announced_servers(servers, named, self._tls() if is_secure else None)

    def _tls(self) -> ssl.SSLContext:
        """Return the context for servers behind https. Raises `SessionError`."""
        from host_tools.terminal.errors import TerminalError
        from host_tools.terminal.tbk import Credentials

        try:
            if self.certificates is not None:
                folder = self.certificates
                files = Credentials(self.ca or folder / "ca.pem", folder / "terminal.pem", folder / "terminal.key")
                return files.context()
            cadata = None if self.ca is None else read_text(self.ca, CERTIFICATE)
            context = ssl.create_default_context(cadata=cadata)
        except TerminalError as error:
            raise SessionError(str(error), Trouble.INPUT) from None
        except (UnusableFile, ValueError, ssl.SSLError) as error:
            raise SessionError(f"the certificates of --ca cannot be used: {error}.", Trouble.INPUT) from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    def state_file(self, iccid: str) -> Path:
        """Return where the state of a card is kept."""
        if self.state is not None:
            return self.state
        root = os.environ.get(_STATE_VARIABLE)
        folder = Path(root) if root and Path(root).is_absolute() else Path.home() / _STATE_DEFAULT
        return folder / _STATE_FOLDER / f"{iccid}.json"


@dataclass(frozen=True, slots=True)
class Online:
    """An open terminal, what the network file lists, and whether the terminal registers (a USIM does).

    `session` is who the terminal is at the BSM, `reach` the way there, for what goes beside its own requests. `keys` is
    what STKMs go to: the USIM, the CSIM, or the terminal's own key store.
    """

    terminal: OnlineTerminal
    service_ids: tuple[str, ...]
    registers: bool
    session: UaSession
    reach: Reach
    keys: CardMiddleware


@contextmanager
def opened_online(
    source: CardSource,
    choice: NetworkChoice,
    sinks: Sequence[TraceSink],
    ask_pin: AskPin,
    events: Events,
    *,
    chases: bool = False,
) -> Iterator[Online]:
    """Open card, state and ports for the length of a `with` block. `chases`: ask for keys that do not come.

    Raises `SessionError`, `TerminalError`, `StatusError`, `LinkError`, `CardError`, `UnusableFile`.
    """
    if source.csim and choice.me is not None:
        raise SessionError("give --csim or --me: a CSIM has no GBA", Trouble.MISUSE)
    named, service_ids = choice.reach()
    reaches = choice.reaches(named)
    with source.linked(sinks, events) as (link, tables), online_errors(), ExitStack() as stack:
        store = stack.enter_context(key_store(choice.me, tables, events)) if choice.me is not None else None
        iccid = _iccid(CardFiles(ApduClient(link)).read_iccid())
        reach = choose_server(reaches, named, bsms_known(choice.state_file(iccid)), SystemRng(), events)
        card, subscriber = _connected(source, reach, link, tables, ask_pin, store)
        announced = choice.announced or (announced_at(reach) if chases else Announced())
        rules = Rules(
            registers=not source.csim, abroad=choice.abroad, chases=chases, waiting=choice.waiting,
            announced=announced.waiting, groups=announced.groups,
        )  # fmt: skip
        with online_with(card, iccid, subscriber, choice, reach, events, rules) as terminal:
            yield Online(terminal, service_ids, rules.registers, card.session, reach, card.middleware)


@contextmanager
def online_with(
    card: OnlineCard, iccid: str, subscriber: str, choice: NetworkChoice, reach: Reach, events: Events, rules: Rules
) -> Iterator[OnlineTerminal]:
    """Open state and ports around a card that is connected. Raises `SessionError`, `UnusableFile`."""
    path = choice.state_file(iccid)
    clock, rng = SystemClock(), SystemRng()
    try:
        with open_state(path, iccid, reach.bsm.fqdn) as keeper:
            terminal = OnlineTerminal(
                card,
                reach.bsm,
                reach.to_bsm(),
                KeySockets(choice.address, choice.sms_port),
                clock,
                rng,
                rules=rules,
                keeper=keeper,
                patience=Patience(first=choice.wait),
                manners=Manners(card.session.agent, choice.client_id, choice.shows_client_id, choice.address),
                sms_port=choice.sms_port,
                on_news=lambda news: events.emit(ClientNews(news)),
            )
            with terminal:
                events.emit(TerminalOnline(subscriber, reach.bsm.fqdn, choice.address, path))
                yield terminal
    except FileInUse as error:
        raise SessionError(f"the state of this terminal is used already: {error}", Trouble.LOCKED) from None


@contextmanager
def online_errors() -> Iterator[None]:
    """Turn what servers and sockets refuse into a `SessionError`."""
    try:
        yield
    except TransportError as error:
        raise SessionError(f"{error}.", Trouble.ENVIRONMENT) from None
    except (AnswerRefusedError, NetworkRefusedError, NotAdmittedError, ServerRefusedError) as error:
        raise SessionError(str(error), Trouble.DIFFERENT) from None


def _connected(
    source: CardSource,
    reach: Reach,
    link: Link,
    tables: BcastTables,
    ask_pin: AskPin,
    store: KeyStore | None,
) -> tuple[OnlineCard, str]:
    """Select the application, give the PIN; return the card for the BSM, and who the subscriber is."""
    if source.csim:
        csim = csim_middleware(link, source.profile, tables)
        connect(csim, source.pin, ask_pin)
        return csim_online(csim, reach.bsm.fqdn), csim.identity.nai
    usim = TerminalMiddleware(link, tables=tables)
    connect(usim, source.pin, ask_pin)
    bsf = reach.to_bsf(usim.identity.home_domain, SystemRng())
    fqdn, clock, impi = reach.bsm.fqdn, SystemClock(), usim.identity.impi
    if store is not None:
        return me_online(usim, store.middleware, store.card.keep_naf_key, bsf, fqdn, clock), impi
    return usim_online(usim, bsf, fqdn, clock), impi


def _iccid(read: str) -> str:
    """Return the number of the card, which names its state file. Raises `SessionError`."""
    if _ICCID.fullmatch(read) is None:
        raise SessionError("the card has no number (EF_ICCID) that could name its state: give --state FILE")
    return read
