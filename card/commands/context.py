"""What a command works with: the card's state, the channel it came on, and the checks every command needs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from card.codec.access_rule import Condition, Operation
from card.codec.fcp import PinStatus
from card.commands.parts import CardParts
from card.commands.session import Notes, Session
from card.domain.application import Application
from card.domain.pin import APPLICATION_PIN, APPLICATION_PINS, UNIVERSAL_PIN, PinNotFound, pin_name
from card.domain.secure_channel.channels import SecureChannels
from card.domain.secure_channel.protection import Protection
from card.filesystem.errors import AccessDenied, FileDeactivated, NoFileSelected, WrongStructure
from card.filesystem.filesystem import NORMAL, REPLACED, FileSystem
from card.filesystem.node import ADF_PREFIX, FileNode
from card.spec.files.rows import Structure
from card.state.session import Channel, Unfinished

NO_CHANNEL = -1
# Usage qualifier of the universal PIN (TS 102 221 clause 9.5.2).
NOT_USED, USED_AS_PIN = 0x00, 0x08


class Context:
    """What belongs to the command at hand, over what the card has for all of them (`card`).

    `session` is the volatile state as the command leaves it. `channel_number` is set for each command, to `NO_CHANNEL`
    until its class byte is read. `protection` says under which association the command came, None for one in clear.
    """

    __slots__ = ("card", "cat", "channel_number", "clock", "nv", "pins", "protection", "rng", "session")

    def __init__(self, card: CardParts, session: Session) -> None:
        self.card = card
        self.nv, self.pins, self.cat, self.rng, self.clock = card.nv, card.pins, card.cat, card.rng, card.clock
        self.session = session
        self.channel_number = NO_CHANNEL
        self.protection: Protection | None = None

    @property
    def files(self) -> FileSystem:
        """The file system as it stands."""
        return self.card.made().files

    @property
    def applications(self) -> dict[str, Application]:
        """The applications by name."""
        return self.card.made().applications

    @property
    def secure_channels(self) -> SecureChannels:
        """The secure channels that the card offers."""
        return self.card.made().secure_channels

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

    @property
    def notes(self) -> Notes:
        """What the commands keep until reset."""
        return self.session.notes

    @notes.setter
    def notes(self, notes: Notes) -> None:
        self.session = replace(self.session, notes=notes)

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
