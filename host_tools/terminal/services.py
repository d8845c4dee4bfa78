"""The USIM service table as a terminal reads it (TS 31.102 clause 4.2.8)."""

from __future__ import annotations

from card.spec.services import USIM_SERVICES


def decode_service_table(table: bytes) -> tuple[int, ...]:
    """Return the numbers of the services that EF_UST switches on; service 1 is the lowest bit of its first byte."""
    return tuple(8 * index + bit + 1 for index, byte in enumerate(table) for bit in range(8) if byte & 1 << bit)


def service_name(number: int) -> str:
    """Return what a service is called; a number beyond the table of Release 16 is said to be one."""
    return USIM_SERVICES.get(number, "of a later release than 16")
