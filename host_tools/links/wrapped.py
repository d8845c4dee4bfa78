"""A link around a link: what those that only look on, or wait, have in common."""

from __future__ import annotations

from contextlib import AbstractContextManager

from host_tools.links.base import Link, TransmissionProtocol, is_shared, together


class WrappedLink:
    """Passes everything on to another link (`host_tools.links.base.Link`). A subclass does what it is for."""

    def __init__(self, link: Link) -> None:
        self._inner = link

    @property
    def name(self) -> str:
        """Name of the reader."""
        return self._inner.name

    @property
    def atr(self) -> bytes:
        """Answer to reset of the last power-on or reset."""
        return self._inner.atr

    @property
    def protocol(self) -> TransmissionProtocol:
        """How the link carries APDUs."""
        return self._inner.protocol

    def transmit(self, apdu: bytes) -> bytes:
        """Send one command APDU and return data and status word. Raises `LinkError`."""
        return self._inner.transmit(apdu)

    def reset(self) -> bytes:
        """Reset the card and return its ATR. Raises `LinkError`."""
        return self._inner.reset()

    @property
    def shared(self) -> bool:
        """Whether another program can come between two commands."""
        return is_shared(self._inner)

    def together(self) -> AbstractContextManager[None]:
        """Keep other programs from coming between the commands of a `with` block. Raises `LinkError`."""
        return together(self._inner)

    def close(self) -> None:
        """Let the card go."""
        self._inner.close()
