"""The parental PIN in the present session: for which service it was given, and when that ends."""

from __future__ import annotations

from card.commands.context import Context
from card.domain.bcast.parental import PinState
from card.domain.pin import PinNotFound

_SERVICE = "parental service"


class SessionGate:
    """Implements `card.domain.bcast.parental.PinGate` over the verified PINs and the notes of a session.

    VERIFY PIN marks the PIN; the first STKM that needs it uses the mark up for its key group.
    """

    __slots__ = ("_ctx", "_name")

    def __init__(self, ctx: Context, name: str) -> None:
        self._ctx = ctx
        self._name = name

    def state(self, group: bytes) -> PinState:
        """Return what the PIN says to a key group (5 bytes)."""
        try:
            pin = self._ctx.pins.find(self._name)
        except PinNotFound:
            return PinState.ABSENT
        if not pin.enabled:
            return PinState.OPEN
        if not pin.tries_left:
            return PinState.BLOCKED
        if self._entered == group:
            return PinState.OPEN
        return PinState.GIVEN if self._name in self._ctx.session.verified else PinState.CLOSED

    def enter(self, group: bytes, *, with_pin: bool) -> None:
        """A TEK of a group is given out: a verification for another group lapses; `with_pin` uses the one given."""
        if with_pin:
            self._ctx.note(_SERVICE, group)
            self._ctx.mark_verified(self._name, verified=False)
        elif self._entered not in (None, group):
            self._ctx.note(_SERVICE, None)

    def lapse(self, group: bytes | None = None) -> None:
        """Forget the verification, for one group or whatever it was used for."""
        if group is None:
            self._ctx.mark_verified(self._name, verified=False)
        if self._entered is not None and group in (None, self._entered):
            self._ctx.note(_SERVICE, None)

    @property
    def _entered(self) -> bytes | None:
        """The key group for which the PIN was given."""
        return self._ctx.session.notes.get(_SERVICE)
