"""A broadcast on the air: a scenario's BSD/A with its clock, its sockets and the file that keeps what goes out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from card.disk.kinds import AIR_CLOCK
from card.disk.reading import read_text
from card.errors import UnusableFile
from card.spec.bcast.tables import BcastTables
from host_tools.content.captures.pcapng import PcapngWriter
from host_tools.exchange.transport import Endpoint
from host_tools.files.writing import open_growing, write_whole
from host_tools.headend.errors import HeadendError
from host_tools.headend.on_air.outlets import DEFAULT_LISTENER, Places, UdpOutlet, multicast_places, unicast_places
from host_tools.headend.on_air.queue import SendQueue
from host_tools.headend.on_air.sources import WaitingFrames, open_source
from host_tools.headend.on_air.transmitter import Transmitter
from host_tools.headend.scenario.maker import BackEndOfBsm, make_bsda
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.rolls import Rolls
from host_tools.headend.scenario.timetable import Timetable
from host_tools.wire.metrics import Metric

_NO_MEDIA: Mapping[str, str] = MappingProxyType({})
_INTERFACE = "bcast-uicc"
_SETTING_UP = 0.5  # seconds that servers take to listen


@dataclass(frozen=True, slots=True)
class AirPlan:
    """How a scenario goes on the air.

    `speed` is how fast its time goes. With `loop` it begins anew at its end. `listeners` hear it one by one; with
    `multicast` it goes to the groups of its services on this computer alone. `record` is a pcapng file for what goes
    out. `media` says what services play (`on_air.sources`). `clock_file` keeps when the broadcast began, so that one
    that is started again goes on.
    """

    speed: float = 1.0
    loop: bool = False
    listeners: tuple[Endpoint, ...] = (DEFAULT_LISTENER,)
    multicast: bool = False
    record: Path | None = None
    media: Mapping[str, str] = field(default_factory=lambda: _NO_MEDIA)
    clock_file: Path | None = None

    def targets(self, scenario: Scenario) -> tuple[Places, ...]:
        """Return where everything goes. Raises `HeadendError`."""
        if self.multicast:
            return (multicast_places(scenario),)
        try:
            return tuple(unicast_places(scenario, listener) for listener in self.listeners)
        except ValueError as error:
            raise HeadendError(str(error)) from None

    def began(self, scenario: Scenario, now: datetime) -> datetime:
        """Return when the broadcast began, or begins: after the lead of its first STKMs. Raises `HeadendError`.

        Where there is a clock file that is told, so that BSM and BSD/A as two programs agree.
        """
        begins = now + timedelta(seconds=_SETTING_UP + scenario.stkm.lead / 1000 / self.speed)
        if self.clock_file is None:
            return begins
        kept = _read_clock(self.clock_file, scenario, self.speed)
        if kept is None:
            kept = begins
            text = json.dumps({"scenario": scenario.name, "speed": self.speed, "began": begins.isoformat()})
            write_whole(self.clock_file, (text + "\n").encode())
        return kept


def position(began: datetime, now: datetime, speed: float) -> float:
    """Return where a broadcast is, in milliseconds from its begin."""
    return (now - began).total_seconds() * 1000 * speed


class OnAir:
    """One broadcast, from `start` to the end of its scenario or `close`."""

    def __init__(
        self,
        scenario: Scenario,
        plan: AirPlan,
        began: datetime,
        back_end: BackEndOfBsm,
        tables: BcastTables,
        on_end: Callable[[], None] | None = None,
        on_stkm: Callable[[str, bytes], None] | None = None,
        rolls: Rolls | None = None,
    ) -> None:
        """Open its sockets and files; `on_end` hears of its end, `on_stkm` of every STKM. `rolls` are those of its BSM.

        Raises `HeadendError`, `TransportError`, `UnwritableFile`.
        """
        unknown = set(plan.media) - {service.id for service in scenario.services}
        if unknown:
            raise HeadendError(f"{scenario.name} has no service {min(unknown)}")
        self.plan = plan
        self.began = began
        self.targets = plan.targets(scenario)
        self.timetable = Timetable(scenario, plan.loop, Rolls() if rolls is None else rolls)
        self._opened = ExitStack()
        with self._opened as opened:
            frames = {service: open_source(text, service, opened) for service, text in plan.media.items()}
            self._waiting = {name: one for name, one in sorted(frames.items()) if isinstance(one, WaitingFrames)}
            self.outlet = UdpOutlet(self.targets, multicast=plan.multicast)
            opened.callback(self.outlet.close)
            recorder = None
            if plan.record is not None:
                recorder = PcapngWriter(opened.enter_context(open_growing(plan.record)), _INTERFACE)
            self.bsda = make_bsda(scenario, back_end, tables, frames=frames, start=began)
            self._recorder, self._on_end, self._on_stkm = recorder, on_end, on_stkm
            self._opened = opened.pop_all()
        self.queue: SendQueue | None = None
        self.transmitter: Transmitter | None = None

    def start(self, now: datetime) -> None:
        """Begin to send, from where the broadcast has got to; to be called on an event loop."""
        position = self.position(now)
        behind = position > 0
        self.queue = SendQueue(self.timetable.slots(round(position) if behind else None), self.bsda)
        self.transmitter = Transmitter(
            self.queue, self.outlet, self.plan.speed, self._recorder, self._on_end, self._on_stkm
        )
        self.transmitter.start(position)

    def position(self, now: datetime) -> float:
        """Return where the broadcast is, in milliseconds from its begin."""
        return position(self.began, now, self.plan.speed)

    def sent_until(self, now: datetime) -> float:
        """Return up to which moment (ms) everything has been sent that can be: behind `position` when it is late."""
        at = self.position(now)
        following = None if self.queue is None else self.queue.next_at
        return at if following is None else min(at, following)

    def close(self) -> None:
        """Send nothing more and close everything."""
        if self.transmitter is not None:
            self.transmitter.stop()
        self._opened.close()

    def metrics(self) -> Iterator[Metric]:
        """Yield what it counts."""
        yield Metric("bcast_uicc_air_packets_total", "Packets sent, each once however many hear it.", self._sent)
        yield Metric(
            "bcast_uicc_air_late_total",
            "Packets sent 2 ms or more behind their time.",
            lambda: [("", 0 if self.transmitter is None else self.transmitter.lateness.late)],
        )
        yield Metric(
            "bcast_uicc_air_lateness_microseconds", "Delay behind the schedule by share.", self._lateness, "gauge"
        )
        yield Metric("bcast_uicc_air_lost_total", "Packets that were not sent, by reason.", self._lost)
        if self._waiting:
            yield Metric(
                "bcast_uicc_air_silent_total",
                "Packets of silence, as ffmpeg or a sender brought nothing in time.",
                lambda: [(f'service="{name}"', one.silent) for name, one in self._waiting.items()],
            )
            yield Metric(
                "bcast_uicc_air_foreign_total",
                "Datagrams from a sender that are no PCMU.",
                lambda: [(f'service="{name}"', one.foreign) for name, one in self._waiting.items()],
            )

    def _sent(self) -> list[tuple[str, int]]:
        sent = {} if self.transmitter is None else self.transmitter.sent
        return [(f'service="{service}",kind="{kind}"', count) for (service, kind), count in sorted(sent.items())]

    def _lateness(self) -> list[tuple[str, int]]:
        if self.transmitter is None:
            return []
        lateness = self.transmitter.lateness
        shares = [(f'share="{share}"', round(lateness.share(share) * 1e6)) for share in (0.5, 0.99)]
        return [*shares, ('share="1"', round(lateness.worst * 1e6))]

    def _lost(self) -> list[tuple[str, int]]:
        queue = self.queue
        nothing = Counter[tuple[str, str]]()
        reasons = {
            "refused by the system": self.outlet.refused,
            "nobody made it": nothing if queue is None else queue.missing,
            "too late to be made": nothing if queue is None else queue.skipped,
        }
        return [
            (f'service="{service.id}",kind="{kind}",reason="{reason}"', counts[service.id, kind])
            for service in self.timetable.scenario.services
            for kind in ("media", "stkm")
            for reason, counts in reasons.items()
        ]

    def defects(self) -> int:
        """Return how many exceptions nobody expected."""
        return 0 if self.transmitter is None else self.transmitter.defects


def _read_clock(path: Path, scenario: Scenario, speed: float) -> datetime | None:
    """Return what a clock file says, None where there is none. Raises `HeadendError`."""
    if not path.exists():
        return None
    try:
        found = json.loads(read_text(path, AIR_CLOCK))
    except (UnusableFile, ValueError, RecursionError):
        raise HeadendError(f"{path} is no clock of a broadcast; take another name, or remove it") from None
    if not isinstance(found, dict) or (found.get("scenario"), found.get("speed")) != (scenario.name, speed):
        raise HeadendError(f"{path} is of another scenario or another speed; take another name, or remove it")
    try:
        began = datetime.fromisoformat(str(found.get("began")))
        return began.replace(tzinfo=UTC) if began.tzinfo is None else began.astimezone(UTC)
    except (ValueError, OverflowError):  # an hour before the year 1, or behind the year 9999
        raise HeadendError(f"{path} does not say when the broadcast began") from None
