"""What a command works with: the card's state, the channel it came on, and the checks every command needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from card.codec.access_rule import Condition, Operation
from card.codec.apdu import CommandApdu
from card.codec.fcp import PinStatus
from card.domain.application import Application, application_aid, card_iccid
from card.domain.cat.download import DiscardingHandler, DownloadHandler
from card.domain.cat.engine import ProactiveEngine
from card.domain.pin import APPLICATION_PIN, APPLICATION_PINS, UNIVERSAL_PIN, PinNotFound, PinTable, pin_name
from card.domain.secure_channel.channels import SecureChannels
from card.domain.secure_channel.protection import Protection
from card.domain.secure_channel.settings import SacSettings
from card.filesystem.errors import AccessDenied, FileDeactivated, NoFileSelected, WrongStructure
from card.filesystem.filesystem import NORMAL, REPLACED, FileSystem
from card.filesystem.node import ADF_PREFIX, FileNode
from card.ports import Clock, Rng
from card.spec.files.rows import Structure
from card.state.nonvolatile import NonVolatile
from card.state.session import Channel, Session, Unfinished

NO_CHANNEL = -1
# Usage qualifier of the universal PIN (TS 102 221 clause 9.5.2).
NOT_USED, USED_AS_PIN = 0x00, 0x08

Interpreter = Callable[[bytes, Protection], bytes]
"""Answers a command APDU that came in a protected channel, as if it had come by itself."""


class Context:
    """One for each card. `channel_number` is set for each command, to `NO_CHANNEL` until its class byte is read.

    `protection` says under which association the command came, None for one in clear; `interpret` is the card's own.
    `understood` remembers short commands and what they mean (`dispatch.py`).
    `downloads` takes the short messages for the card; whoever builds on them puts a handler there.
    """

    def __init__(
        self,
        nv: NonVolatile,
        files: FileSystem,
        pins: PinTable,
        applications: dict[str, Application],
        rng: Rng,
        clock: Clock,
        session: Session,
    ) -> None:
        self.nv = nv
        self.files = files
        self.pins = pins
        self.applications = applications
        self.rng = rng
        self.clock = clock
        self.session = session
        self.channel_number = NO_CHANNEL
        self.understood: dict[bytes, tuple[CommandApdu, Any]] = {}
        self.cat = ProactiveEngine(nv)
        self.downloads: DownloadHandler = DiscardingHandler()
        self.protection: Protection | None = None
        self.interpret: Interpreter = _interpret_nothing
        endpoints = {application_aid(files, name): application for name, application in applications.items()}
        self.secure_channels = SecureChannels(nv, SacSettings(nv), card_iccid(files), endpoints, rng)

    @property
    def channel(self) -> Channel:
        """The logical channel of this command."""
        return self.session.channels[self.channel_number]

    def change_channel(self, **changes: Any) -> None:
        """Replace fields of the channel's state."""
        self.replace_channel(replace(self.channel, **changes))

    def leave(self, unfinished: Unfinished | None) -> None:
        """Leave something half done on the channel for the next command, or nothing."""
        channel = self.channel
        if channel.unfinished is not unfinished:
            self.replace_channel(channel.leaving(unfinished))

    def replace_channel(self, channel: Channel) -> None:
        """Put a new state in the place of the channel's."""
        session = self.session
        channels = {**session.channels, self.channel_number: channel}
        # Written out, as every SELECT comes by here and dataclasses.replace costs as much as the rest of it.
        self.session = Session(channels, session.verified, session.notes, session.generation)

    def note(self, name: str, value: object) -> None:
        """Keep a volatile fact until reset."""
        self.session = replace(self.session, notes={**self.session.notes, name: value})

    @property
    def directory(self) -> FileNode:
        """The current directory."""
        return self.files.tree[self.channel.directory]

    def current_file(self) -> FileNode:
        """Return the current EF. Raises `NoFileSelected`."""
        path = self.channel.file
        if not path:
            raise NoFileSelected
        return self.files.tree[path]

    def open_file(self, sfi: int, operation: Operation, *structures: Structure) -> FileNode:
        """Return the EF to work on: the current one, or that of an SFI (not 0), which then is the current one.

        Raises `NoFileSelected`, `FileNotFound`, `WrongStructure`, and as `require` does.
        """
        node = self.files.tree.by_sfi(self.channel.directory, sfi) if sfi else self.current_file()
        if node.structure not in structures:
            raise WrongStructure
        self.require(node, operation)
        if sfi:
            self.change_channel(file=node.path, record=0)
        return node

    def current_application(self) -> Application | None:
        """Return the application whose ADF is current on this channel, or None."""
        return self.applications.get(self.channel.application)

    def holds(self, reference: int) -> bool:
        """Tell whether a key reference of an access rule counts as satisfied.

        A PIN must be verified and not blocked. A disabled one is satisfied, unless another PIN stands in for it.
        """
        name = self.pin_name(reference)
        try:
            pin = self.pins.find(name)
        except PinNotFound:
            return False
        if not pin.enabled:
            return not pin.replaced_by or self.holds(pin.replaced_by)
        return name in self.session.verified and pin.tries_left > 0

    @property
    def application_pin(self) -> int:
        """Key reference of the PIN of the current application; that of the first application where there is none."""
        adf = self.files.tree.get(f"{ADF_PREFIX}{self.directory.application or self.channel.application}")
        return adf.pin if adf is not None else APPLICATION_PIN

    @property
    def environment(self) -> int:
        """The security environment in force: has the universal PIN replaced the current application's PIN?"""
        try:
            pin = self.pins.find(self.pin_name(self.application_pin))
        except PinNotFound:
            return NORMAL
        return REPLACED if not pin.enabled and pin.replaced_by else NORMAL

    def pin_name(self, reference: int) -> str:
        """Return the name of a PIN as seen from the current directory: local references belong to its application."""
        return pin_name(reference, self.directory.application or self.channel.application)

    def mark_verified(self, name: str, *, verified: bool) -> None:
        """Set or drop the verified status of a PIN until reset."""
        names = self.session.verified
        self.session = replace(self.session, verified=names | {name} if verified else names - {name})

    def require(self, node: FileNode, operation: Operation) -> None:
        """Check the access rule, then the life cycle. Raises `AccessDenied` or `FileDeactivated`."""
        condition = self.files.condition(node, operation, self.environment if node.replaced_record else NORMAL)
        if not self.satisfies(condition):
            raise AccessDenied
        if operation is not Operation.ACTIVATE and not self.files.is_usable(node):
            raise FileDeactivated

    def satisfies(self, condition: Condition) -> bool:
        """Evaluate a security condition on this channel."""
        return condition.satisfied(self.holds)

    def pin_status(self) -> tuple[PinStatus, ...]:
        """Return the PINs shown in the FCP of the current application; the universal PIN with its usage.

        Of the applications' PINs that of the current application alone is shown, or all where there is none.
        """
        application = self.directory.application or self.channel.application
        foreign = APPLICATION_PINS - {self.application_pin} if application else frozenset()
        pins = [pin for pin in self.pins.of_application(application) if pin.reference not in foreign]
        wanted = any(not pin.enabled and pin.replaced_by == UNIVERSAL_PIN for pin in pins)
        stands_in = wanted and any(pin.enabled for pin in pins if pin.reference == UNIVERSAL_PIN)
        usage = {UNIVERSAL_PIN: USED_AS_PIN if stands_in else NOT_USED}
        return tuple(PinStatus(pin.reference, pin.enabled, usage.get(pin.reference)) for pin in pins)


def _interpret_nothing(_raw: bytes, _protection: Protection) -> bytes:
    raise NotImplementedError("no card answers commands here")
