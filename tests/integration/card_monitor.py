"""A program with pyscard's CardMonitor in it: one line for each card that comes or goes, until its input ends.

It is a process of its own because the monitor's thread outlives its last observer by up to a minute.
"""

from __future__ import annotations

import sys
from typing import Any

from smartcard.CardMonitoring import CardMonitor


class Witness:
    """Prints what the monitor tells."""

    def update(self, _observable: object, actions: tuple[list[Any], list[Any]]) -> None:
        for what, cards in zip(("came", "went"), actions, strict=True):
            for card in cards:
                print(what, bytes(card.atr).hex(), flush=True)


if __name__ == "__main__":
    CardMonitor().addObserver(Witness())
    print("watching", flush=True)
    sys.stdin.read()
