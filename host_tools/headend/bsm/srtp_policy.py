"""What an LTKM says about the SRTP stream of its service: crypto session and security policy.

The crypto session is that of RFC 4563 clause 5 (SRTP-ID), the policy that of RFC 3830 clause 6.10.1. It describes the
tag our packets really have, HMAC-SHA-1 of 80 bits. TS 33.246 clause 6.6.2.1 wants a tag with the roll-over counter of
RFC 4771 and its R told here; we send neither yet (docs/spec/deviations.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from card.codec.mikey import CryptoSession, SecurityPolicy
from host_tools.content.srtp.format import HEADEND_FORMAT
from host_tools.content.srtp.keys import SALT_SIZE, TEK_SIZE

_POLICY = 0  # the one policy of a message
_PROTOCOL_SRTP = 0  # RFC 3830 clause 6.10


class _Parameter(IntEnum):
    """Types of SRTP policy parameters (RFC 3830 clause 6.10.1)."""

    ENCRYPTION = 0
    ENCRYPTION_KEY_LENGTH = 1
    AUTHENTICATION = 2
    AUTHENTICATION_KEY_LENGTH = 3
    SALT_LENGTH = 4
    PRF = 5
    KEY_DERIVATION_RATE = 6
    SRTP_ENCRYPTION = 7
    SRTCP_ENCRYPTION = 8
    SRTP_AUTHENTICATION = 10
    TAG_LENGTH = 11


_AES_CM = 1
_HMAC_SHA1 = 1
_HMAC_SHA1_KEY_SIZE = 20
_PRF_AES_CM = 0
_ON = 1
_PARAMETERS = {
    _Parameter.ENCRYPTION: _AES_CM,
    _Parameter.ENCRYPTION_KEY_LENGTH: TEK_SIZE,
    _Parameter.AUTHENTICATION: _HMAC_SHA1,
    _Parameter.AUTHENTICATION_KEY_LENGTH: _HMAC_SHA1_KEY_SIZE,
    _Parameter.SALT_LENGTH: SALT_SIZE,
    _Parameter.PRF: _PRF_AES_CM,
    _Parameter.KEY_DERIVATION_RATE: 0,  # TS 33.246 clause 6.4.5.1
    _Parameter.SRTP_ENCRYPTION: _ON,
    _Parameter.SRTCP_ENCRYPTION: _ON,
    _Parameter.SRTP_AUTHENTICATION: _ON,
    _Parameter.TAG_LENGTH: HEADEND_FORMAT.suite.tag_size,
}


@dataclass(frozen=True, slots=True)
class SrtpDescription:
    """The one crypto session of a streaming service, and its policy (TS 33.246 clause 6.4.5.1)."""

    session: CryptoSession
    policy: SecurityPolicy


def srtp_description(ssrc: int, roll_over_counter: int = 0) -> SrtpDescription:
    """Return the description of a stream by its SSRC and roll-over counter (32 bits each)."""
    parameters = b"".join(bytes((kind, 1, value)) for kind, value in _PARAMETERS.items())
    session = CryptoSession(_POLICY, ssrc, roll_over_counter)
    return SrtpDescription(session, SecurityPolicy(_POLICY, _PROTOCOL_SRTP, parameters))
