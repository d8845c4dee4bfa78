"""Class bytes on the basic channel (TS 102 221 clause 10.1.1, TS 51.011 clause 9.2)."""

from __future__ import annotations

ETSI_CLASS = 0x80
"""Provisional for BCMCS (docs/spec/provisional.md)."""
SIM_CLASS = 0xA0
"""Of a SIM (TS 51.011). It has no logical channels."""
