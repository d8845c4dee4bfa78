"""What happens during a session, and the port through which it leaves.

Every event is frozen, and none shows a key: what is secret in it stays wrapped. A counter that still moves is handed
out live where a copy for each datagram would cost more than the work: read it during `emit`. The events stand here by
family; one that is new goes into its family and into `Event`. A family is imported when one of its events is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from host_tools.sessions.events.cards import (
        CardFileExposed,
        CardKept,
        CardMade,
        FaultInjected,
        PcscdStarted,
    )
    from host_tools.sessions.events.every import Event
    from host_tools.sessions.events.laboratory import (
        CardAnswered,
        NotSent,
        PacketsLeftOut,
        ScriptDone,
        ScriptsDone,
        ScriptStepDone,
        SideDone,
        TapOpened,
    )
    from host_tools.sessions.events.network import (
        BroadcastEnded,
        BroadcastMade,
        BroadcastOnAir,
        BroadcastProgressed,
        DistributionServed,
        LtkmsWritten,
        NetworkServed,
        PagesServed,
        PermissionsServed,
        StepDone,
        TransportKeyMade,
        TruthWritten,
    )
    from host_tools.sessions.events.playing import (
        BindingFailed,
        KeptAllTheSame,
        LiveProgressed,
        MostStayShut,
        NothingKept,
        Played,
        Progressed,
        Recorded,
        Replayed,
        ReportWritten,
        ServiceLeft,
        StkmDecided,
        Tuned,
        TuneEnded,
    )
    from host_tools.sessions.events.terminal import (
        ClientNews,
        PortalOpened,
        TerminalOnline,
    )
else:
    from importlib import import_module

    def __getattr__(name: str) -> object:
        """Look for an event in one family after the other (PEP 562)."""
        families = ("cards", "laboratory", "network", "playing", "terminal", "every") if name in __all__ else ()
        for family in families:
            module = import_module(f"{__name__}.{family}")
            if hasattr(module, name):
                return globals().setdefault(name, getattr(module, name))
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "BindingFailed",
    "BroadcastEnded",
    "BroadcastMade",
    "BroadcastOnAir",
    "BroadcastProgressed",
    "CardAnswered",
    "CardFileExposed",
    "CardKept",
    "CardMade",
    "ClientNews",
    "DistributionServed",
    "Event",
    "Events",
    "FaultInjected",
    "KeptAllTheSame",
    "LiveProgressed",
    "LtkmsWritten",
    "MostStayShut",
    "NetworkServed",
    "NoListener",
    "NotSent",
    "NothingKept",
    "PacketsLeftOut",
    "PagesServed",
    "PcscdStarted",
    "PermissionsServed",
    "Played",
    "PortalOpened",
    "Progressed",
    "Recorded",
    "Replayed",
    "ReportWritten",
    "ScriptDone",
    "ScriptStepDone",
    "ScriptsDone",
    "ServiceLeft",
    "SideDone",
    "StepDone",
    "StkmDecided",
    "TapOpened",
    "TerminalOnline",
    "TransportKeyMade",
    "TruthWritten",
    "TuneEnded",
    "Tuned",
]


class Events(Protocol):
    """Where events go: to a terminal, into JSON, onto a page, into the counters of a load test."""

    def emit(self, event: Event, /) -> None:
        """Take one event. Called in the thread of the session, in the order in which things happen."""


class NoListener:
    """Takes events for nobody."""

    def emit(self, event: Event, /) -> None:
        """Take one event."""
