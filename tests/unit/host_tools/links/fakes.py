"""A link that answers from a script and checks every command it gets."""

from __future__ import annotations

from host_tools.links.base import TransmissionProtocol

ATR = bytes.fromhex("3B00")


class ScriptedLink:
    """Takes lines `"command -> response"` in hex; a command that differs from the next line is an error."""

    def __init__(self, *script: str, protocol: TransmissionProtocol = TransmissionProtocol.DIRECT) -> None:
        self._script = [tuple(bytes.fromhex(part) for part in line.split("->")) for line in script]
        self.protocol = protocol
        self.sent: list[bytes] = []
        self.closed = False

    @property
    def name(self) -> str:
        return "scripted"

    @property
    def atr(self) -> bytes:
        return ATR

    def transmit(self, apdu: bytes) -> bytes:
        self.sent.append(apdu)
        assert len(self.sent) <= len(self._script), f"unexpected command {apdu.hex(' ')}"
        command, response = self._script[len(self.sent) - 1]
        assert apdu.hex() == command.hex()
        return response

    def reset(self) -> bytes:
        return ATR

    def close(self) -> None:
        self.closed = True

    @property
    def finished(self) -> bool:
        """True when every line of the script was used."""
        return len(self.sent) == len(self._script)
