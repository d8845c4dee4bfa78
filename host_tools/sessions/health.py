"""Looks whether this machine has what a card in a reader needs."""

from __future__ import annotations

from dataclasses import dataclass

from vpicc_bridge.doctor import Finding, Health, examine, is_healthy
from vpicc_bridge.machine import ThisMachine

__all__ = ["Diagnosis", "Finding", "Health", "card_build", "diagnose"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found, and whether everything needed is there."""

    findings: tuple[Finding, ...]
    healthy: bool


def card_build() -> str:
    """Say which card runs here, in words: the compiled one, or the one in Python that it is made from."""
    return "compiled card" if ThisMachine().card_is_compiled() else "card in pure Python"


def diagnose() -> Diagnosis:
    """Look at this machine; nothing is started, dialled or changed."""
    findings = tuple(examine(ThisMachine()))
    return Diagnosis(findings, is_healthy(findings))
