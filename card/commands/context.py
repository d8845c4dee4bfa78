"""What a command works with: the card's state, the channel it came on, and the checks every command needs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from card.codec.fcp import PinStatus
from card.domain.application import Application
from card.domain.pin import UNIVERSAL_PIN, PinNotFound, PinTable, pin_name
from card.filesystem.access import Condition, Operation
from card.filesystem.errors import AccessDenied, FileDeactivated, NoFileSelected
from card.filesystem.filesystem import ACTIVATED, FileSystem
from card.filesystem.node import FileNode
from card.ports import Clock, Rng
from card.state.nonvolatile import NonVolatile
from card.state.session import Channel, Session

NO_CHANNEL = -1


class Context:
    """One for each card. `channel_number` is set for each command, to `NO_CHANNEL` until its class byte is read."""

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

    @property
    def channel(self) -> Channel:
        """The logical channel of this command."""
        return self.session.channels[self.channel_number]

    def change_channel(self, **changes: Any) -> None:
        """Replace fields of the channel's state."""
        self.replace_channel(replace(self.channel, **changes))

    def replace_channel(self, channel: Channel) -> None:
        """Put a new state in the place of the channel's."""
        self.session = replace(self.session, channels={**self.session.channels, self.channel_number: channel})

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

    def current_application(self) -> Application | None:
        """Return the application whose ADF is current on this channel, or None."""
        return self.applications.get(self.channel.application)

    def holds(self, reference: int) -> bool:
        """Tell whether a key reference of an access rule counts as satisfied: verified and not blocked, or disabled."""
        name = self.pin_name(reference)
        try:
            pin = self.pins.find(name)
        except PinNotFound:
            return False
        if not pin.enabled:
            return True
        return name in self.session.verified and pin.tries_left > 0

    def pin_name(self, reference: int) -> str:
        """Return the name of a PIN as seen from the current directory: local references belong to its application."""
        return pin_name(reference, self.directory.application or self.channel.application)

    def mark_verified(self, name: str, *, verified: bool) -> None:
        """Set or drop the verified status of a PIN until reset."""
        names = self.session.verified
        self.session = replace(self.session, verified=names | {name} if verified else names - {name})

    def require(self, node: FileNode, operation: Operation) -> None:
        """Check the access rule, then the life cycle. Raises `AccessDenied` or `FileDeactivated`."""
        condition = self.files.rule(node).condition(operation)
        if not self.satisfies(condition):
            raise AccessDenied
        if operation is not Operation.ACTIVATE and self.files.life_cycle(node) != ACTIVATED:
            raise FileDeactivated

    def satisfies(self, condition: Condition) -> bool:
        """Evaluate a security condition on this channel."""
        return condition.satisfied(self.holds)

    def pin_status(self) -> tuple[PinStatus, ...]:
        """Return the PINs shown in the FCP of the current application."""
        application = self.directory.application or self.channel.application
        return tuple(
            PinStatus(pin.reference, pin.enabled, 0x08 if pin.reference == UNIVERSAL_PIN else None)
            for pin in self.pins.of_application(application)
        )
