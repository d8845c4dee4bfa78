"""Cards for tests of realism."""

from __future__ import annotations

ATR = bytes.fromhex("3B00")
SELECT = bytes.fromhex("00A40000023F00")
READ = bytes.fromhex("00B0000001")
OK = bytes.fromhex("9000")


class CountingCard:
    """Answers 9000 and counts; only when it has power."""

    def __init__(self) -> None:
        self.commands: list[bytes] = []
        self.powered = False
        self.power_ons = 0

    @property
    def atr(self) -> bytes:
        return ATR

    def power_on(self) -> bytes:
        self.powered = True
        self.power_ons += 1
        return ATR

    def power_off(self) -> None:
        self.powered = False

    def reset(self) -> bytes:
        return ATR

    def transmit(self, apdu: bytes) -> bytes:
        assert self.powered
        self.commands.append(apdu)
        return OK

    def close(self) -> None:
        self.powered = False
