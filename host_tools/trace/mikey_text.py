"""MIKEY messages in words. Encrypted key data and MACs are named by size, never shown."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from card.codec.mikey import (
    ErrorNumber,
    Extension,
    ExtensionType,
    Identity,
    IdentityType,
    Kemac,
    MbmsKeyIds,
    MikeyMessage,
    Payload,
    Rand,
    SecurityPolicy,
    Timestamp,
    Verification,
)
from card.codec.tlv import decode_tlv
from card.errors import DecodeError
from card.spec.contexts import STRUCTURED, SUCCESS, UNSTRUCTURED, MbmsMode
from host_tools.trace.printable import printable

_MBMS_OBJECTS = (UNSTRUCTURED, STRUCTURED)
_BEFORE_A_MESSAGE = (MbmsMode.MSK_UPDATE, MbmsMode.MTK_GENERATION, SUCCESS)


@lru_cache(maxsize=16)
def find_mikey(data: bytes) -> MikeyMessage | None:
    """Return the MIKEY message in the data of AUTHENTICATE, command or response; None when there is none.

    Several look into the same exchange, so the last ones are remembered.
    """
    try:
        item = decode_tlv(data)
    except DecodeError:
        return None
    if item.tag not in _MBMS_OBJECTS or not item.value or item.value[0] not in _BEFORE_A_MESSAGE:
        return None
    try:
        return MikeyMessage.decode(item.value[1:])
    except DecodeError:
        return None


def mikey_lines(message: MikeyMessage) -> Iterator[str]:
    """Yield one line for the header and one for each payload."""
    header = message.header
    flags = ", verification wanted" if header.verification_requested else ""
    yield f"MIKEY {header.data_type.name.lower().replace('_', '-')}, CSB ID {header.csb_id:08X}{flags}"
    for payload in message.payloads:
        yield f"{payload.payload_type.name}: {_describe(payload)}"


_ID_TYPES = {kind.value: kind.name for kind in IdentityType}


def _describe(payload: Payload) -> str:
    match payload:
        case Timestamp(value=value, type=kind):
            return f"{kind.name.lower()} {value}"
        case Rand(value=value):
            return value.hex().upper()
        case Identity(type=kind, value=value):
            return f"{_ID_TYPES.get(kind, f'type {kind}')} {printable(value.decode('ascii', 'backslashreplace'))}"
        case Extension():
            return _describe_extension(payload)
        case Kemac(encryption=cipher, encrypted=encrypted, mac_algorithm=mac):
            return f"{cipher.name}, {len(encrypted)} bytes of key data, {mac.name}"
        case Verification(mac_algorithm=mac):
            return mac.name
        case SecurityPolicy(policy=policy, protocol=protocol, parameters=parameters):
            return f"policy {policy}, protocol {protocol}, {len(parameters)} bytes"
        case ErrorNumber(number=number):
            return str(number)


def _describe_extension(extension: Extension) -> str:
    if extension.type == ExtensionType.MBMS_KEY_IDS:
        try:
            return describe_key_ids(MbmsKeyIds.decode(extension.data))
        except DecodeError:
            return "MBMS key IDs that do not decode"
    name = "OMA BCAST" if extension.type == ExtensionType.OMA_BCAST else f"type {extension.type}"
    return f"{name}, {len(extension.data)} bytes: {extension.data[:32].hex().upper()}"


def describe_key_ids(ids: MbmsKeyIds) -> str:
    """Return the IDs of a key as people write them."""
    mtk = "" if ids.mtk_id is None else f", MTK {ids.mtk_id.hex().upper()}"
    return f"key domain {ids.key_domain_id.hex().upper()}, MSK {ids.msk_id.hex().upper()}{mtk}"
