"""Holds many cards in one process and tells its memory: a program of its own, so that nothing else is counted.

    python -m tests.bench.card_farm [--memory N] [CARD_FILE...]

Makes N cards that live in memory, opens every card file, gives all of them power, and prints two numbers: the resident
bytes before the first card and with the last one.
"""

from __future__ import annotations

import argparse
import os
import resource
from pathlib import Path

from card import Card, CardProfile, memory_card, open_card


def resident() -> int:
    """Return the bytes of this process that are in main memory."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def cards(options: argparse.Namespace) -> list[Card]:
    """Return the cards asked for, all with power."""
    profile = CardProfile.demo()
    made = [memory_card(profile) for _ in range(options.memory)] + [open_card(path) for path in options.files]
    for card in made:
        card.power_on()
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description="Hold cards and tell the memory they take.")
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--memory", type=int, default=0, metavar="N")
    options = parser.parse_args()
    # An open card file takes a few descriptors.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    before = resident()
    held = cards(options)
    print(before, resident())
    for card in held:
        card.close()


if __name__ == "__main__":
    main()
