"""What the head-end knows about a recording and a terminal must find out: traffic keys and plain media.

For tests only. Written to a file it holds every TEK, so the file is readable by its owner alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from host_tools.content.traffic_key import TrafficKey


@dataclass(frozen=True, slots=True)
class TekName:
    """Names a TEK: key domain (3 bytes), MSK ID (4), MTK ID (2)."""

    key_domain_id: bytes
    msk_id: bytes
    mtk_id: bytes

    def __str__(self) -> str:
        return "/".join(part.hex() for part in (self.key_domain_id, self.msk_id, self.mtk_id))


class MediaDigest:
    """Counts and hashes RTP payloads one after the other, so that two sides can compare what they heard."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._packets = 0

    def add(self, payload: bytes) -> None:
        """Take the payload of the next packet."""
        self._hash.update(payload)
        self._packets += 1

    def result(self) -> MediaTruth:
        """Return the sum of what was taken so far."""
        return MediaTruth(self._packets, self._hash.hexdigest())


@dataclass(frozen=True, slots=True)
class MediaTruth:
    """Media of one service: number of packets, SHA-256 (hex) of their plain payloads in a row."""

    packets: int
    payload_sha256: str


@dataclass(frozen=True, slots=True)
class Truth:
    """What a recording holds: TEKs by name, media by service, STKM datagrams and different STKMs by service.

    `ports` gives the media port of each service, by which a terminal knows it.
    """

    teks: Mapping[TekName, TrafficKey]
    media: Mapping[str, MediaTruth]
    ports: Mapping[str, int]
    stkms_sent: int
    stkms_different: int

    def to_json(self) -> str:
        """Return everything as JSON text, TEKs included: for a file of mode 0600 only."""
        teks = {
            str(name): {
                "tek": key.tek.reveal().hex(),
                "salt": None if key.salt is None else key.salt.reveal().hex(),
            }
            for name, key in self.teks.items()
        }
        media = {
            service: {
                "port": self.ports[service],
                "packets": heard.packets,
                "payload_sha256": heard.payload_sha256,
            }
            for service, heard in self.media.items()
        }
        stkms = {"sent": self.stkms_sent, "different": self.stkms_different}
        return json.dumps({"teks": teks, "media": media, "stkms": stkms}, indent=2) + "\n"
