"""The echo card: the floor that every rate through pcscd and vpcd is compared with.

`EchoCard` is a card for the bridge. Run as a program, this module is a card without the bridge: one
blocking socket, nothing but the echo. Both answer a command APDU with itself and 9000.

    python -m tests.bench.echo PORT [--bridge] [--alert]

With `--alert` it stays awake inside a burst by the same rule as the card it is compared with.
"""

from __future__ import annotations

import argparse
import socket

from vpicc_bridge.alertness import ALERT, Alertness
from vpicc_bridge.connection import Connection
from vpicc_bridge.lines import Dialler

ATR = bytes.fromhex("3b80800101")
SUCCESS = b"\x90\x00"
LOOPBACK = "127.0.0.1"


class EchoCard:
    """Answers every command APDU with itself and 9000, and counts what happens to it."""

    def __init__(self, atr: bytes = ATR) -> None:
        self.atr = atr
        self.calls: list[str] = []

    def power_on(self) -> bytes:
        self.calls.append("power_on")
        return self.atr

    def power_off(self) -> None:
        self.calls.append("power_off")

    def reset(self) -> bytes:
        self.calls.append("reset")
        return self.atr

    def transmit(self, apdu: bytes, /) -> bytes:
        return apdu + SUCCESS


def serve_bare(port: int, alert: float = 0.0) -> None:
    """Echo on vpcd's port until the line ends, with the least that a card can do."""
    alertness = Alertness(alert)
    with socket.create_connection((LOOPBACK, port)) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        buffer = b""
        while data := alertness.receive(line, 65537) or line.recv(65537):
            alertness.received()
            buffer += data
            while len(buffer) >= 2 and len(buffer) >= (end := 2 + (buffer[0] << 8 | buffer[1])):
                body, buffer = buffer[2:end], buffer[end:]
                reply = body + SUCCESS if len(body) > 1 else ATR if body == b"\x04" else b""
                if reply:
                    line.sendall(len(reply).to_bytes(2, "big") + reply)
                line.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                if len(body) > 1:
                    alertness.answered()


def main() -> None:
    parser = argparse.ArgumentParser(description="An echo card for one vpcd slot.")
    parser.add_argument("port", type=int)
    parser.add_argument("--bridge", action="store_true", help="through vpicc_bridge instead of a bare socket")
    parser.add_argument("--alert", action="store_true", help="stay awake inside a burst")
    options = parser.parse_args()
    alert = ALERT if options.alert else 0.0
    if options.bridge:
        Connection(Dialler(LOOPBACK, options.port), EchoCard(), alert=alert).run()
    else:
        serve_bare(options.port, alert)


if __name__ == "__main__":
    main()
