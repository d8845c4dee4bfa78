"""The leading bytes of the applications' AIDs: provider 3GPP and the application code (TS 101 220 annex E)."""

from __future__ import annotations

USIM_AID = bytes.fromhex("A0000000871002")
