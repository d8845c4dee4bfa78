"""AUTHENTICATE: security contexts, modes, tags and block steps (TS 31.102 clause 7.1, TS 102 221 clause 11.1.16)."""

from __future__ import annotations

from enum import IntEnum


class EvenP2(IntEnum):
    """P2 of AUTHENTICATE with the even instruction byte: application specific key, then the context."""

    GSM = 0x80
    UMTS = 0x81
    GROUP_CALL = 0x82
    GBA = 0x84


SPECIFIC = 0x80
"""Bit 8 of P2: a key of the current application, which each of the contexts uses (TS 102 221 clause 11.1.16)."""


class OddP2(IntEnum):
    """P2 of AUTHENTICATE with the odd instruction byte."""

    MBMS = 0x85
    LOCAL_KEY = 0x86


class Step(IntEnum):
    """P1 of a command in blocks: which block of the command or of its answer this is."""

    FIRST_COMMAND = 0x80
    NEXT_COMMAND = 0x00
    FIRST_RESPONSE = 0xA0
    NEXT_RESPONSE = 0x20


STEPS = frozenset(Step)
COMMAND_STEPS = frozenset({Step.FIRST_COMMAND, Step.NEXT_COMMAND})
RESPONSE_STEPS = frozenset({Step.FIRST_RESPONSE, Step.NEXT_RESPONSE})

UNSTRUCTURED = 0x53
"""Tag of a data object whose value begins with a mode or result byte."""
STRUCTURED = 0x73
"""Tag of a data object that holds data objects."""

SUCCESS = 0xDB
SYNCHRONISATION_FAILURE = 0xDC
BOOTSTRAPPING = 0xDD
NAF_DERIVATION = 0xDE


class MbmsMode(IntEnum):
    """First byte of an MBMS data object (TS 31.102 clauses 7.1.1.6 to 7.1.1.9)."""

    MSK_UPDATE = 0x01
    MTK_GENERATION = 0x02
    MSK_DELETION = 0x03
    MUK_DELETION = 0x04
