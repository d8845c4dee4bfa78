"""Names and numbers of GBA that card, terminal and network share (TS 33.220)."""

from __future__ import annotations

UA_PROTOCOL_SIZE = 5
"""Bytes of a Ua security protocol identifier (TS 33.220 clause H.2)."""

MBMS_UA_PROTOCOL = bytes.fromhex("0100000001")
"""Ua security protocol identifier of MBMS, 5 bytes (TS 33.220 clause H.3); for OMA BCAST 1.0, OMNA names the same."""

TMPI_UA_PROTOCOL = bytes.fromhex("0100000100")
"""What stands for the Ua protocol when a TMPI is derived, 5 bytes (TS 33.220 clauses B.4 and H.3)."""

TMPI_DOMAIN = "tmpi.bsf.3gppnetwork.org"
"""What stands behind the @ of every TMPI (TS 33.220 clause B.4)."""


def naf_id(fqdn: bytes, ua_protocol: bytes = MBMS_UA_PROTOCOL) -> bytes:
    """Return a NAF_ID: the FQDN of the NAF (UTF-8), then the 5 bytes of its Ua protocol (TS 33.220 clause B.3)."""
    return fqdn + ua_protocol
