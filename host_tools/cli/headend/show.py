"""What `bcast-uicc headend` prints: its progress, where its servers are, what it wrote."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from host_tools.cli.console import Console
from host_tools.sessions.events import (
    BroadcastEnded,
    BroadcastMade,
    BroadcastOnAir,
    BroadcastProgressed,
    DistributionServed,
    Event,
    LtkmsWritten,
    NetworkServed,
    PagesServed,
    PermissionsServed,
    TransportKeyMade,
    TruthWritten,
)

if TYPE_CHECKING:
    from click._termui_impl import ProgressBar

    from host_tools.headend.scenario.model import Scenario
    from host_tools.headend.scenario.truth import Truth
    from host_tools.wire.network_file import NetworkFile

_WORTH_A_WORD = timedelta(seconds=10)  # until a broadcast begins; less is its lead


class Show(Console):
    """Shows a bar on standard error while a broadcast is made, and each file that was written."""

    def __init__(self) -> None:
        self._bar: ProgressBar[int] | None = None

    def emit(self, event: Event, /) -> None:
        """Show the event."""
        match event:
            case BroadcastProgressed(reached, duration):
                self._progress(reached, duration)
            case BroadcastMade(output, scenario, truth):
                self.close()
                click.echo(f"{output}: {_summary(scenario, truth)}")
            case LtkmsWritten(output, handover):
                whose = f"{len(handover.ltkms)} LTKMs for {handover.result.b_tid}"
                click.echo(f"{output}: {whose}, for a card fresh from its profile")
            case TruthWritten(output, truth):
                secret = f"{len(truth.teks)} TEKs in the clear, for tests only"
                click.echo(f"{output}: {secret}; readable by you alone (mode 0600)")
            case TransportKeyMade(path):
                click.echo(f"{path}: a new transport key; BSM and BSD/A must have the same", err=True)
            case PermissionsServed():
                keys = "1 binding key" if event.keys == 1 else f"{event.keys} binding keys"
                where = f"{event.host}:{event.port}"
                click.echo(f"{keys} for terminal {event.terminal}, at {where}; certificates in {event.folder}")
            case BroadcastOnAir():
                _show_air(event)
            case DistributionServed(place, secured):
                click.echo(f"BSD/A, http, /metrics: {place.address}:{place.port}")
                if secured is not None:
                    click.echo(f"BSD/A, hand-over, https: {secured.address}:{secured.port}")
            case BroadcastEnded(scenario):
                click.echo(f"{scenario.name} is over; --loop begins anew")
            case NetworkServed(network, network_file, store):
                _show_network(network, network_file, store)
            case PagesServed():
                _show_pages(event)
            case _:
                super().emit(event)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None

    def _progress(self, reached: int, duration: int) -> None:
        if self._bar is None:
            self._bar = click.progressbar(length=duration, label="recording", file=sys.stderr)
            self._bar.__enter__()
        self._bar.update(max(reached - self._bar.pos, 0))


def _show_network(network: NetworkFile, network_file: Path | None, store: str | None) -> None:
    what = {
        "zn": "Zn, https",
        "bsm-tls": "BSM (Ua, https)",
        "bsda": "BSD/A, told of SEKs out of turn",
        "bsf-tls": "BSF (Ub, https)",
        "metrics": "metrics, http, /metrics",
        "shop": "open shop, http",
    }
    rows = [
        (f"BSF {network.bsf.name} (Ub, http)", network.bsf.endpoint),
        (f"BSM {network.bsm.name} (Ua, http)", network.bsm.endpoint),
        *((what[role], place.endpoint) for role, place in network.others.items()),
        ("LTKMs (udp)", network.push),
    ]
    for name, end in rows:
        click.echo(f"{name}: {end.address}:{end.port}")
    for service in network.service_ids:
        click.echo(f"service {service}")
    if network_file is not None:
        click.echo(f"for terminals: --network {network_file}")
    where = "memory only" if store is None else f"{_without_password(store)}"
    click.echo(f"Registrations and keys are kept in {where}. Ctrl-C ends.")


def _without_password(url: str) -> str:
    return re.sub(r"(://[^:@/]*):[^@/]*@", r"\1:***@", url)


def _show_pages(pages: PagesServed) -> None:
    click.echo(f"shop for anybody: {pages.shop}")
    for identity, code in pages.codes.items():
        click.echo(f"order code of {identity}: {code}")
    click.echo(f"console, opens once: {pages.console}")


def _summary(plan: Scenario, truth: Truth) -> str:
    media = ", ".join(
        f"{heard.packets} packets of {service} on port {truth.ports[service]}" for service, heard in truth.media.items()
    )
    stkms = f"{truth.stkms_sent} STKMs ({truth.stkms_different} different) on port {plan.stkm.port}"
    return f"{plan.duration / 1000:g} s, {stkms}, {media}"


def _show_air(aired: BroadcastOnAir) -> None:
    scenario, plan = aired.scenario, aired.plan
    what = "on the air" if aired.here else "on the air by the BSD/A"
    for places in plan.targets(scenario):
        for service, heard in places.items():
            media, stkms = heard.media, heard.stkms
            click.echo(f"{what}: {service} to {media.address}:{media.port}, STKMs to port {stkms.port}")
    times = "" if plan.speed == 1 else f", {plan.speed:g} times as fast"
    how = "again and again" if plan.loop else f"for {scenario.duration / 1000 / plan.speed:g} s"
    click.echo(f"{how}{times}; announced at /guide/ of the BSM")
    wait = aired.began - datetime.now(UTC)
    if wait > _WORTH_A_WORD:
        when = f"{aired.began.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
        why = "" if plan.clock_file is None else ", as its clock file says"
        click.echo(f"it begins in {wait.total_seconds():.0f} s, at {when}{why}")
