"""What a running server counts, and the text form in which Prometheus reads it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from card.errors import DecodeError
from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.procedures import Target
from host_tools.exchange.transport import Peer

_PATH = "/metrics"
_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(slots=True)
class Traffic:
    """What crossed the sockets of one server.

    `answers` counts by status, `cut` connections that were ended for being slow or broken, `defects` exceptions that
    nobody expected: they must stay 0.
    """

    answers: Counter[int] = field(default_factory=Counter)
    cut: int = 0
    defects: int = 0


@dataclass(frozen=True, slots=True)
class Metric:
    """One counter or gauge; `read` returns its values, each with the text of its labels ("" for none)."""

    name: str
    meaning: str
    read: Callable[[], Iterable[tuple[str, int]]]
    kind: str = "counter"

    def text(self) -> str:
        """Return its lines."""
        lines = [f"# HELP {self.name} {self.meaning}", f"# TYPE {self.name} {self.kind}"]
        lines += [
            f"{self.name}{{{labels}}} {value}" if labels else f"{self.name} {value}" for labels, value in self.read()
        ]
        return "\n".join(lines) + "\n"


class MetricsServer:
    """Answers GET /metrics, and nothing else."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        """Take what is told."""
        self._metrics = tuple(metrics)

    def handle(self, request: HttpRequest, peer: Peer) -> HttpResponse:
        """Answer a request."""
        del peer
        try:
            is_ours = Target.parse(request.target).path == _PATH
        except DecodeError:
            return HttpResponse(HTTPStatus.BAD_REQUEST)
        if not is_ours:
            return HttpResponse(HTTPStatus.NOT_FOUND)
        if request.method != "GET":
            return HttpResponse(HTTPStatus.METHOD_NOT_ALLOWED, (("Allow", "GET"),))
        text = "".join(metric.text() for metric in self._metrics)
        return HttpResponse(HTTPStatus.OK, (("Content-Type", _TYPE),), text.encode())
