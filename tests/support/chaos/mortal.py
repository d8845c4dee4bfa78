"""Ports that die: at the n-th call of any of them the process is as good as killed, before or after the call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


class Died(BaseException):
    """The process is gone. Not an `Exception`: nothing of the product may catch it."""


@dataclass
class Fate:
    """Dies at the call `at`, counted from 1, before it was made or after; `calls` names those that were made."""

    at: int = 0
    after: bool = False
    calls: list[str] = field(default_factory=list)

    def meet(self, name: str, call: Callable[[], Any]) -> Any:
        """Make a call, and die where it is time."""
        self.calls.append(name)
        is_time = len(self.calls) == self.at
        if is_time and not self.after:
            raise Died(name)
        found = call()
        if is_time:
            raise Died(name)
        return found


class Mortal:
    """A port of which some calls are met by fate; everything else is that of the port."""

    def __init__(self, port: Any, fate: Fate, *calls: str) -> None:
        self._port = port
        self._fate = fate
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if name not in self._calls:
            return found
        said = f"{type(self._port).__name__}.{name}"
        return lambda *arguments: self._fate.meet(said, lambda: found(*arguments))

    def __enter__(self) -> Any:
        return self._port.__enter__()

    def __exit__(self, *why: Any) -> Any:
        return self._port.__exit__(*why)
