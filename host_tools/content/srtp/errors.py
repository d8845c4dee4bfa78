"""Errors of SRTP; `host_tools.content.srtp.protection` turns them into what an opener answers."""

from host_tools.content.errors import MediaError

NOT_AUTHENTIC = "authentication failure"
"""The reason that libsrtp gives for a tag that is not the one of its key."""


class SrtpError(MediaError):
    """A packet could not be protected or unprotected. The message is the reason, the same for every such packet."""


class ReplayedPacket(SrtpError):
    """A packet is authentic, but was unprotected before, or is too old to tell (RFC 3711 clause 3.3.2)."""


class UnknownTrafficKey(SrtpError):
    """A traffic key has not been added (yet). `mki` is what the packet carries as its name: no byte without one."""

    def __init__(self, mki: bytes) -> None:
        super().__init__(f"no traffic key for MKI {mki.hex()}" if mki else "no traffic key fits the packet")
        self.mki = mki
