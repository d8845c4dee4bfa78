"""Parental control in the reference model of the BCAST rules: levels, the PIN, the service it was given for."""

from __future__ import annotations

from dataclasses import dataclass, field

Group = tuple[bytes, bytes]  # key domain, key group
_TRIES = 3


@dataclass
class Parents:
    """Levels by type of rating. `given`: the PIN was verified and no service has used that; `entered`: one has."""

    levels: dict[int, int] = field(default_factory=dict)
    pin: str | None = None
    tries: int = 0
    on: bool = True
    given: bool = False
    entered: Group | None = None

    def told(self, pin: str | None, level: tuple[int, int] | None, *, unblock: bool) -> None:
        """A parental control message came."""
        if level is not None:
            self.levels[level[0]] = level[1]
        if pin is not None:
            if self.pin is None:
                self.tries = _TRIES
            self.pin, self.on = pin, True
        if unblock and self.pin is not None:
            self.tries = _TRIES
        self.leave(None)

    def level_below(self, rating: tuple[int, int] | None, *, above_is_held: bool) -> int | None:
        """Return the level that a rating offends, None when it offends none."""
        if rating is None or rating[0] not in self.levels:
            return None
        level = self.levels[rating[0]]
        return level if (rating[1] > level if above_is_held else rating[1] < level) else None

    def objection(self, group: Group) -> str:
        """Return why a service that offends a level is held back, or nothing."""
        if self.pin is None:
            return "rating fixed"
        if not self.on:
            return ""
        if self.tries == 0:
            return "pin blocked"
        return "" if self.entered == group or self.given else "pin needed"

    def enter(self, group: Group, *, with_pin: bool) -> None:
        """A TEK of this group left; leaving another group ends what the PIN was given for."""
        if self.entered == group:
            return
        self.entered = group if with_pin else None
        if with_pin:
            self.given = False

    def leave(self, group: Group | None) -> None:
        """A service was left, None: all."""
        if group is None:
            self.given = False
        if group is None or group == self.entered:
            self.entered = None

    def reset(self) -> None:
        """The card was reset."""
        self.leave(None)

    def verify(self, pin: str) -> str:
        """Return the status word of VERIFY PIN."""
        if self.pin is not None and not self.on:
            return "6984"
        sw = self._try(pin)
        self.given = self.given or sw == "9000"
        return sw

    def disable(self, pin: str) -> str:
        """Return the status word of DISABLE PIN."""
        if self.pin is not None and not self.on:
            return "6984"
        sw = self._try(pin)
        self.on = sw != "9000"
        return sw

    def _try(self, pin: str) -> str:
        if self.pin is None:
            return "6A88"
        if self.tries == 0:
            return "6983"
        if pin != self.pin:
            self.tries -= 1
            return f"63C{self.tries}"
        self.tries = _TRIES
        return "9000"
