"""The card as its reader sees it: power, reset and APDUs. The only place that catches what nobody expected."""

from __future__ import annotations

import traceback
from pathlib import PurePath
from typing import TYPE_CHECKING

from card.commands.context import NO_CHANNEL, Context
from card.commands.dispatch import abandon, execute, find_row
from card.commands.parts import CardParts
from card.commands.registry import CommandRow
from card.commands.reply import Refused
from card.commands.session import Session
from card.crypto.secret import Secret
from card.domain.secure_channel.protection import Protection
from card.errors import CardError, StoreError
from card.filesystem.node import MF_PATH
from card.ports import Clock, Rng, Store, TraceSink
from card.spec.status import SW
from card.state.nonvolatile import ATR_KEY, NonVolatile
from card.state.session import BASIC_CHANNEL, Channel
from card.trace import InternalFault, NullTrace, PowerEvent

if TYPE_CHECKING:
    from card.commands.tracing import ExchangeDescriber

_USIM = "USIM"


class Card:
    """A card with everything it remembers. One APDU is one transaction over persistent and volatile state."""

    def __init__(
        self, store: Store, *, rng: Rng, clock: Clock, trace: TraceSink | None = None, strict: bool = False
    ) -> None:
        """Load a personalised card from its store. With `strict`, unexpected exceptions are raised, not answered 6F00.

        Raises `StoreError` when the store holds no card.
        """
        self._nv = NonVolatile(store)
        atr = self._nv.get(ATR_KEY)
        if atr is None:
            self._nv.close()
            raise StoreError("the store holds no personalised card")
        self._atr = atr
        self._trace = trace or NullTrace()
        self._describer = None if trace is None else _describer()
        self._strict = strict
        self._powered = False
        self._context = Context(CardParts(self._nv, rng, clock, self._answer_inside), Session())

    @property
    def atr(self) -> bytes:
        """The answer to reset."""
        return self._atr

    @property
    def aids(self) -> tuple[bytes, ...]:
        """The AIDs of the card's applications."""
        return tuple(adf.aid for adf in self._context.files.tree.adfs)

    def power_on(self) -> bytes:
        """Apply power; return the ATR. Everything volatile begins anew."""
        return self._begin("power on")

    def reset(self) -> bytes:
        """Reset; return the ATR."""
        return self._begin("reset")

    def _begin(self, what: str) -> bytes:
        self._powered = True
        self._context.session = Session({BASIC_CHANNEL: Channel(directory=MF_PATH)})
        if self._describer is not None:
            self._describer.reset()
        self._trace.emit(PowerEvent(what))
        return self._atr

    def power_off(self) -> None:
        """Remove power: verified PINs, selection and half-sent data are gone."""
        self._powered = False
        self._context.session = Session()
        self._trace.emit(PowerEvent("power off"))

    def transmit(self, raw: bytes) -> bytes:
        """Answer a command APDU with data and status word: at least 2, at most 65,538 bytes.

        Never fails for what the bytes contain. Raises `CardError` when the card has no power.
        """
        if not self._powered:
            raise CardError("the card has no power")
        return self._answer(raw)

    def _answer_inside(self, raw: bytes, protection: Protection) -> bytes:
        """Answer a command that came out of a protected channel, in the middle of the one that carried it."""
        context = self._context
        number, context.protection = context.channel_number, protection
        try:
            return self._answer(raw)
        finally:
            context.channel_number, context.protection = number, None

    def _answer(self, raw: bytes) -> bytes:
        context, row = self._context, None
        before = context.session
        context.channel_number = NO_CHANNEL
        try:
            row = find_row(context, raw)
            response = execute(context, raw, row)
            self._nv.commit()
        except Refused as refusal:
            response = refusal.sw.to_bytes(2, "big")
            self._undo(before)
        except StoreError:
            response = SW.MEMORY_PROBLEM.to_bytes(2, "big")
            self._undo(before)
        except Exception as fault:
            self._undo(before)
            self._trace.emit(_fault_event(fault, row))
            if self._strict:
                raise
            response = SW.INTERNAL_ERROR.to_bytes(2, "big")
        except BaseException:  # an interrupt: whoever goes on with this card goes on with a whole one
            self._undo(before)
            raise
        if self._describer is not None:
            inside = context.protection is not None
            self._trace.emit(self._describer.describe(raw, response, row, inside=inside))
        return response

    def _undo(self, before: Session) -> None:
        self._nv.rollback()
        self._context.session = abandon(before, self._context.channel_number)

    def keep_naf_key(self, naf_id: bytes, b_tid: bytes, key: Secret) -> None:
        """Give the USIM the key (32 bytes) of a NAF, as if it had derived it: for keys that a terminal holds (GBA_ME).

        No APDU leads here. `naf_id` is FQDN and Ua protocol. Raises `CardError`, `StoreError`; nothing is kept then.
        """
        try:
            self._context.applications[_USIM].gba.keep(naf_id, b_tid, key)
            self._nv.commit()
        except BaseException:
            self._nv.rollback()
            raise

    def close(self) -> None:
        """Remove power and release the card file."""
        self._powered = False
        self._nv.close()


def _describer() -> ExchangeDescriber:
    """Return what describes commands. Imported for a card that is traced only: it knows every secret of every file."""
    from card.commands.tracing import ExchangeDescriber

    return ExchangeDescriber()


def _fault_event(fault: Exception, row: CommandRow | None) -> InternalFault:
    frame = traceback.extract_tb(fault.__traceback__)[-1]
    place = f"{PurePath(frame.filename).name}:{frame.lineno}"
    return InternalFault(row.name if row else "unknown command", type(fault).__name__, place)
