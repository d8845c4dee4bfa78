"""A portal: where a browser goes, and the keys that come while it is open."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from host_tools.terminal.ltkm_receipt import LtkmReceipt


@dataclass(frozen=True, slots=True)
class PortalOpened:
    """The portal listens. `url` holds the key that lets one browser in: it is for the person there and for no log."""

    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyArrived:
    """An LTKM came and the card has answered it."""

    receipt: LtkmReceipt
