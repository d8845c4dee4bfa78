"""Numbers of the secure channel between terminal and card: tags, parameters, bits, status, limits.

Provisional as a whole (profile `x-sac-1`): TS 102 484 was not at hand and TS 102 221 only in parts. What no source
confirms is marked `OURS` here, so that whoever has the texts can correct a row (docs/spec/secure-channel.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum, IntFlag

from card.spec.provisional import Choice
from card.spec.refs import Confidence, Ref
from card.spec.status import SW

PROFILE = "x-sac-1"
"""Name of the Secured APDU channel of this project, which is not the one of TS 102 484."""

_OURS, _SOURCED, _UNSURE = Confidence.OURS, Confidence.SOURCED, Confidence.UNSURE


def _manage(confidence: Confidence) -> Ref:
    return Ref("TS 102 221", "11.1.20", confidence)


def _transact(confidence: Confidence) -> Ref:
    return Ref("TS 102 221", "11.1.21", confidence)


class Procedure(IntEnum):
    """P1 of MANAGE SECURE CHANNEL."""

    ENDPOINTS = 0x00
    MASTER_SA = 0x01
    CONNECTION_SA = 0x02
    START = 0x03
    TERMINATE = 0x04


class SacTag(IntEnum):
    """Data objects inside the object 73 of MANAGE SECURE CHANNEL, and the container of TRANSACT DATA."""

    CONTAINER = 0x80
    UICC_ID = 0x81
    ENDPOINT = 0x82
    METHODS = 0x83
    TERMINAL_ID = 0x84
    TERMINAL_APPLI_ID = 0x85
    UICC_APPLI_ID = 0x86
    METHOD = 0x87
    MSA_ID = 0x88
    ALGORITHMS = 0x89
    NONCE = 0x8A
    CSA_ID = 0x8B
    CSA_MAC = 0x8C
    START_MAC = 0x8D
    CONTAINER_SIZE = 0x8E
    SESSION = 0x8F


TAG_REFS: Mapping[SacTag, Ref] = {
    SacTag.CONTAINER: _transact(_OURS),
    SacTag.UICC_ID: _manage(_UNSURE),
    SacTag.ENDPOINT: _manage(_SOURCED),
    SacTag.METHODS: _manage(_OURS),
    SacTag.TERMINAL_ID: _manage(_OURS),
    SacTag.TERMINAL_APPLI_ID: _manage(_OURS),
    SacTag.UICC_APPLI_ID: _manage(_UNSURE),
    SacTag.METHOD: _manage(_SOURCED),
    SacTag.MSA_ID: _manage(_SOURCED),
    SacTag.ALGORITHMS: _manage(_SOURCED),
    SacTag.NONCE: _manage(_OURS),
    SacTag.CSA_ID: _manage(_SOURCED),
    SacTag.CSA_MAC: _manage(_OURS),
    SacTag.START_MAC: _manage(_SOURCED),
    SacTag.CONTAINER_SIZE: _manage(_SOURCED),
    SacTag.SESSION: _manage(_OURS),
}


class Method(IntFlag):
    """Ways to agree on a Master SA (capability byte 3, tags 83 and 87)."""

    GBA = 0x01
    PSK = 0x02
    WEAK_PSK = 0x04
    CERTIFICATES = 0x08
    KEY_EXISTS = 0x80


class Ciphering(IntFlag):
    """First byte of the algorithms (tag 89)."""

    DES3_TWO_KEYS = 0x01
    DES3_THREE_KEYS = 0x02
    AES_CBC = 0x04
    PROPRIETARY = 0x80


class Integrity(IntFlag):
    """Second byte of the algorithms (tag 89)."""

    CRC32 = 0x01
    DES_MAC = 0x02
    AES_CMAC = 0x04
    PROPRIETARY = 0x80


ALGORITHMS = bytes((Ciphering.AES_CBC, Integrity.AES_CMAC))
"""The only pair that this card takes: the others are broken or, as CRC32, no protection at all."""


class EndpointKind(IntEnum):
    """First byte of an endpoint's description."""

    PLATFORM = 0x01
    APPLICATION = 0x02


class Transport(IntFlag):
    """Capability byte 1 of an endpoint."""

    APDU = 0x01
    USB_IP = 0x02
    BIP_IP = 0x04


class ChannelBits(IntFlag):
    """Capability byte 2 of an endpoint; bits 5 and 6 hold the number of Connection SAs at once."""

    TLS = 0x01
    IPSEC = 0x02
    SECURED_APDU = 0x04
    PROPRIETARY = 0x08
    REQUIRED = 0x80


class TransferBits(IntFlag):
    """P1 of TRANSACT DATA below the session number (bits 7 and 8)."""

    DATA = 0x04
    ABORT = 0x02
    RETRANSMIT = 0x01


class TransferState(IntEnum):
    """Low bits of 92XX, our choice: what the terminal does next."""

    SEND_NEXT = 0x00
    FETCH = 0x01
    MORE = 0x02


def transfer_status(session: int, state: TransferState) -> int:
    """Return 92XX for a session (0 to 3): its number in bits 7 and 8, the state in bits 1 and 2."""
    return 0x9200 | session << 6 | state


class Kind(Enum):
    """Kinds of protected channel that a card may offer."""

    SECURED_APDU = PROFILE
    TLS = "tls-psk"
    SCP03 = "scp03"


class TekPolicy(Enum):
    """When a TEK may leave the card outside a channel."""

    CLEAR = "clear"
    CHANNEL = "channel"
    CHANNEL_OR_BINDING = "channel-or-binding"


SAC_STATUS: Mapping[str, Choice] = {
    "unknown_endpoint": Choice(
        SW.REFERENCED_DATA_NOT_FOUND, "no endpoint of the card has this identifier", _manage(_OURS)
    ),
    "no_key": Choice(
        SW.REFERENCED_DATA_NOT_FOUND, "no secret is shared with this terminal by an offered method", _manage(_OURS)
    ),
    "method_refused": Choice(
        SW.FUNCTION_NOT_SUPPORTED, "weak secrets and certificates only were offered", _manage(_OURS)
    ),
    "kind_refused": Choice(SW.FUNCTION_NOT_SUPPORTED, "the card does not offer this kind of channel", _manage(_OURS)),
    "algorithm_refused": Choice(
        SW.FUNCTION_NOT_SUPPORTED, "AES-128 CBC with AES-CMAC was not offered or not chosen", _manage(_OURS)
    ),
    "unknown_association": Choice(
        SW.SECURITY_SESSION_EXPIRED, "the Master SA, Connection SA or session does not exist", _manage(_OURS)
    ),
    "container_rejected": Choice(
        SW.SECURITY_SESSION_EXPIRED, "a container was not genuine or not the next one; its SA is gone", _transact(_OURS)
    ),
    "no_room": Choice(SW.NOT_ENOUGH_MEMORY, "every Connection SA or session is in use", _manage(_OURS)),
    "key_used_up": Choice(SW.KEY_FRESHNESS_FAILURE, "the Counter Limit of Ks_local is reached", _manage(_OURS)),
    "already_started": Choice(SW.CONDITIONS_NOT_SATISFIED, "the Connection SA has been started", _manage(_OURS)),
    "nested": Choice(SW.CONDITIONS_NOT_SATISFIED, "TRANSACT DATA inside a channel", _transact(_OURS)),
    "answer_waits": Choice(
        SW.CONDITIONS_NOT_SATISFIED, "new data before the answer was fetched, or a fetch of nothing", _transact(_OURS)
    ),
    "block_out_of_order": Choice(SW.WRONG_P1_P2, "the number of blocks to come does not count down", _transact(_OURS)),
}

SAC_LIMITS: Mapping[str, Choice] = {
    "container": Choice(240, "largest container block the card takes, bytes (capability byte 4)", _manage(_OURS)),
    "least_container": Choice(16, "smallest container block a terminal may ask for, bytes", _manage(_OURS)),
    "masters": Choice(4, "Master SAs agreed on and not yet proved, and again as many kept", _manage(_OURS)),
    "object_size": Choice(16384, "longest container in all its blocks, bytes", _transact(_OURS)),
}

NONCE_SIZE = ID_SIZE = MAC_SIZE = 16
MAX_SESSIONS = 4
