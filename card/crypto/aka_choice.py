"""Chooses the authentication algorithm by the name a profile gives it; card and head-end use the same."""

from __future__ import annotations

from card.crypto.aka_algorithm import AkaAlgorithm
from card.crypto.milenage import Milenage
from card.crypto.secret import Secret


def make_algorithm(name: str, k: Secret, constant: Secret) -> AkaAlgorithm:
    """Return "milenage" (K and OPc of 16 bytes), "tuak" (K of 16 or 32, TOPc of 32) or "xor" (K of 16, no constant).

    Raises `ValueError` for another name or a wrong size.
    """
    match name:
        case "milenage":
            return Milenage(k, constant)
        case "tuak":
            from card.crypto.tuak import Tuak

            return Tuak(k, constant)
        case "xor":
            from card.crypto.xor import XorTest

            return XorTest(k)
    raise ValueError(f"unknown authentication algorithm {name}")
