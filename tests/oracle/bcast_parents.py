"""Parental control in the reference model of the BCAST rules: levels, the PIN, the service it was given for."""

from __future__ import annotations

from dataclasses import dataclass, field

Group = tuple[bytes, bytes]  # key domain, key group
_TRIES = 3
# From OMA's registry of rating types: of ICRA (2, 4, 6, 8) and RIAA (5) the first value is the strictest.
_LOWER_IS_STRICTER = {2, 4, 5, 6, 8}
_NOT_RATED = {(0, 0), (1, 4), (2, 6), (3, 6), (4, 6), (6, 6), (7, 7), (8, 6), (10, 0)}


def is_held(rating: tuple[int, int], level: int, *, turned: bool) -> bool:
    """Tell whether a rating (type, value) offends the level granted for its type."""
    kind, value = rating
    if rating in _NOT_RATED:
        return turned
    return value < level if (kind in _LOWER_IS_STRICTER) != turned else value > level


def stricter(kind: int, level: int, *, turned: bool) -> int:
    """Return the value next to a level that the level just holds back."""
    return level - 1 if (kind in _LOWER_IS_STRICTER) != turned else level + 1


def strictest(kind: int, *, turned: bool) -> int:
    """Return the value of one byte that any other level holds back."""
    return 0 if (kind in _LOWER_IS_STRICTER) != turned else 255


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

    def level_below(self, rating: tuple[int, int] | None, *, turned: bool) -> int | None:
        """Return the level that a rating offends, None when it offends none."""
        if rating is None or rating[0] not in self.levels:
            return None
        level = self.levels[rating[0]]
        return level if is_held(rating, level, turned=turned) else None

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
