"""Requests to a NAF Key Center for local keys: of a UICC (TS 33.110 annexes C, E) and of a device (TS 33.259 annex C).

The texts leave open how octets stand in their strings, and where the ICCID goes that clause 4.5.2 of TS 33.110 wants
in the request. Ours: base64, and an attribute of our own namespace.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from card.crypto.secret import Secret
from card.errors import DecodeError
from host_tools.exchange.messages.fields import from_base64, from_date_time, to_base64, to_date_time
from host_tools.exchange.procedures import DEVICE_KEY_REQUEST, UICC_KEY_REQUEST, Procedure
from host_tools.exchange.xml_text import Node, leaves, parse_document, write_document

_METADATA = "urn:3GPP:metadata:2005:Keyest:"
_UICC_REQUEST, _UICC_ANSWER = _METADATA + "UICCKeyRequest", _METADATA + "UICCKeyResponse"
_DEVICE_REQUEST, _DEVICE_ANSWER = _METADATA + "DeviceKeyRequest", _METADATA + "DeviceKeyResponse"
OURS = "urn:x-bcast-uicc:keyest:1"
_ICCID = f"{{{OURS}}}iccid"
_KEY_SIZE, _LIMIT_SIZE = 32, 16
_TERMINAL, _TERMINAL_APPLICATION, _UICC_APPLICATION, _RANDX = range(1, 11), range(1, 33), range(1, 17), range(1, 17)
_LONGEST_B_TID = 255


@dataclass(frozen=True, slots=True)
class UiccKeyRequest:
    """Asks for Ks_local.

    Sizes in bytes (TS 33.110 annex A.2): Terminal_ID 1 to 10, ICCID 1 to 10, Terminal_appli_ID 1 to 32, UICC_appli_ID
    1 to 16, RANDx 1 to 16.
    """

    b_tid: str
    terminal_id: bytes
    terminal_application: bytes
    uicc_application: bytes
    randx: bytes
    iccid: bytes | None = None
    procedure: ClassVar[Procedure] = UICC_KEY_REQUEST
    root: ClassVar[str] = "keyestUICCKeyRequest"

    def encode(self) -> bytes:
        """Return the document. Raises `EncodeError`."""
        values = {
            "BTID": self.b_tid,
            "TERMINALID": to_base64(self.terminal_id),
            "TERMINALAPPLIID": to_base64(self.terminal_application),
            "UICCAPPLIID": to_base64(self.uicc_application),
            "RANDX": to_base64(self.randx),
        }
        attributes = {} if self.iccid is None else {_ICCID: to_base64(self.iccid)}
        return write_document(
            Node(self.root, _UICC_REQUEST, tuple(leaves(_UICC_REQUEST, values)), attributes=attributes)
        )

    @classmethod
    def decode(cls, body: bytes) -> UiccKeyRequest:
        """Read the document. Raises `DecodeError`."""
        root = parse_document(body, cls.root)
        iccid = root.attributes.get("iccid")
        return cls(
            b_tid=_b_tid(root),
            terminal_id=_octets(root, "TERMINALID", _TERMINAL),
            terminal_application=_octets(root, "TERMINALAPPLIID", _TERMINAL_APPLICATION),
            uicc_application=_octets(root, "UICCAPPLIID", _UICC_APPLICATION),
            randx=_octets(root, "RANDX", _RANDX),
            iccid=None if iccid is None else from_base64(iccid, "iccid", *_TERMINAL),
        )


@dataclass(frozen=True, slots=True)
class UiccKeyAnswer:
    """Ks_local (32 bytes), how long it is good, and the Counter Limit for the card (16 bytes)."""

    b_tid: str
    key: Secret
    expires: datetime
    counter_limit: bytes
    root: ClassVar[str] = "keyestUICCKeyResponse"

    def encode(self) -> bytes:
        """Return the document. It holds a key. Raises `EncodeError`."""
        values = {
            "BTID": self.b_tid,
            "KSLOCAL": to_base64(self.key.reveal()),
            "KEYLIFETIME": from_date_time(self.expires),
            "COUNTERLIMIT": to_base64(self.counter_limit),
        }
        return write_document(Node(self.root, _UICC_ANSWER, tuple(leaves(_UICC_ANSWER, values))))

    @classmethod
    def decode(cls, body: bytes) -> UiccKeyAnswer:
        """Read the document. Raises `DecodeError`."""
        root = parse_document(body, cls.root)
        key, limit = root.one("KSLOCAL").text, root.one("COUNTERLIMIT").text
        return cls(
            b_tid=_b_tid(root),
            key=Secret(from_base64(key, "KSLOCAL", _KEY_SIZE)),
            expires=to_date_time(root.one("KEYLIFETIME").text),
            counter_limit=from_base64(limit, "COUNTERLIMIT", _LIMIT_SIZE),
        )


@dataclass(frozen=True, slots=True)
class DeviceKeyRequest:
    """Asks for Ks_local_device of a device (Device_ID: 1 to 10 bytes)."""

    b_tid: str
    device_id: bytes
    procedure: ClassVar[Procedure] = DEVICE_KEY_REQUEST
    root: ClassVar[str] = "keyestDeviceKeyRequest"

    def encode(self) -> bytes:
        """Return the document. Raises `EncodeError`."""
        values = {"BTID": self.b_tid, "DEVICEID": to_base64(self.device_id)}
        return write_document(Node(self.root, _DEVICE_REQUEST, tuple(leaves(_DEVICE_REQUEST, values))))

    @classmethod
    def decode(cls, body: bytes) -> DeviceKeyRequest:
        """Read the document. Raises `DecodeError`."""
        root = parse_document(body, cls.root)
        return cls(_b_tid(root), _octets(root, "DEVICEID", _TERMINAL))


@dataclass(frozen=True, slots=True)
class DeviceKeyAnswer:
    """Ks_local_device (32 bytes) and how long it is good."""

    b_tid: str
    key: Secret
    expires: datetime
    root: ClassVar[str] = "keyestDeviceKeyResponse"

    def encode(self) -> bytes:
        """Return the document. It holds a key. Raises `EncodeError`."""
        values = {
            "BTID": self.b_tid,
            "KSLOCALDEVICE": to_base64(self.key.reveal()),
            "KEYLIFETIME": from_date_time(self.expires),
        }
        return write_document(Node(self.root, _DEVICE_ANSWER, tuple(leaves(_DEVICE_ANSWER, values))))

    @classmethod
    def decode(cls, body: bytes) -> DeviceKeyAnswer:
        """Read the document. Raises `DecodeError`."""
        root = parse_document(body, cls.root)
        key = Secret(from_base64(root.one("KSLOCALDEVICE").text, "KSLOCALDEVICE", _KEY_SIZE))
        return cls(_b_tid(root), key, to_date_time(root.one("KEYLIFETIME").text))


def _b_tid(root: Node) -> str:
    text = root.one("BTID").text
    if not 0 < len(text) <= _LONGEST_B_TID:
        raise DecodeError(f"a B-TID has 1 to {_LONGEST_B_TID} characters")
    return text


def _octets(root: Node, name: str, sizes: range) -> bytes:
    return from_base64(root.one(name).text, name, *sizes)
