"""A terminal that stays on its network until it is told to end, or for a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from card.disk.kinds import SHORT_MESSAGE
from card.disk.reading import read_bytes
from host_tools.sessions.online.asking import registering
from host_tools.sessions.online.opening import Online
from host_tools.terminal.client.events import ShortMessageArrived, Wanted
from host_tools.terminal.client.wishes import Register
from host_tools.terminal.ltkm_receipt import LtkmReceipt


@dataclass(frozen=True, slots=True)
class Stay:
    """How to stay.

    `service_ids` are registered for, beside what is in force. `home`: the terminal is in its provider's network.
    `leaves`: deregister at the end; without it the registration goes on, and so do the keys. `seconds` is how long,
    None for until an interrupt.
    """

    service_ids: tuple[str, ...] = ()
    home: bool = True
    leaves: bool = False
    seconds: float | None = None

    def run(self, online: Online) -> None:
        """Stay; an interrupt is the usual end. Raises `LinkError`, `UnwritableFile`, `SessionError`."""
        terminal = (registering(online) if self.service_ids else online).terminal
        try:
            terminal.start(home=self.home)
            if self.service_ids:
                terminal.tell(Wanted(Register(self.service_ids), patient=True))
            terminal.stay(self.seconds)
        except KeyboardInterrupt:
            pass
        terminal.leave(deregister=self.leaves)


def read_tpdus(files: Iterable[Path]) -> tuple[bytes, ...]:
    """Read the TPDUs of short messages. Raises `UnusableFile`."""
    return tuple(read_bytes(file, SHORT_MESSAGE) for file in files)


def take_short_messages(online: Online, tpdus: Iterable[bytes]) -> tuple[LtkmReceipt, ...]:
    """Give a terminal short messages as TPDUs, and take the keys that a pull among them leads to.

    Raises `LinkError`, `UnwritableFile`.
    """
    online.terminal.start(stays=False)
    for tpdu in tpdus:
        online.terminal.tell(ShortMessageArrived(tpdu))
    return online.terminal.listen()
