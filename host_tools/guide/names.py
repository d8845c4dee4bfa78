"""Media types, namespaces and other names of announcements: one place."""

from __future__ import annotations

from enum import Enum

SDP_TYPE = "application/sdp"
SECURITY_TYPE = "application/mbms-protection-description+xml"
"""Media type of a security description (TS 26.346 clause 11.3)."""
USD_TYPE = "application/mbms-user-service-description+xml"
"""Media type of a user service description (TS 26.346 clause 11.2)."""
FRAGMENT_TYPE = "application/xml"
"""Media type of a single fragment of a Service Guide, which no text names: ours."""

SECURITY_NAMESPACE = "urn:3GPP:metadata:2005:MBMS:securityDescription"
USD_NAMESPACE = "urn:3GPP:metadata:2005:MBMS:userServiceDescription"
SCHEMA_VERSION_NAMESPACE = "urn:3gpp:metadata:2009:MBMS:schemaVersion"
GUIDE_NAMESPACE = "urn:oma:xml:bcast:sg:fragments:1.0"

KEY_STREAM_FORMAT = "vnd.oma.bcast.stkm"
"""Format of the media line of a key stream (TS 26.234 annex R)."""


class KmsType(Enum):
    """Which key management a key stream belongs to. The texts of the values are recalled, not read: provisional."""

    GBA_U = "oma-bcast-gba_u-mbms"
    GBA_ME = "oma-bcast-gba_me-mbms"
    CSIM = "oma-bcast-prov-bcmcs"
    DRM = "oma-bcast-drm-pki"


class ProtectionType(Enum):
    """What an Access fragment says its key management protects. The numbers are ours."""

    CONTENT = "1"
    SERVICE = "2"
    BOTH = "3"
