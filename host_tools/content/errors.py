"""Errors of the content tools. Each message is one clear sentence without key material."""


class MediaError(Exception):
    """Base of every error the content tools raise on purpose."""


class CaptureError(MediaError):
    """A file is not a capture at all, so nothing in it can be read."""


class OutputError(MediaError):
    """A file for decrypted media cannot be written."""


class RtpError(MediaError):
    """Bytes are not an RTP packet, or a value does not fit one."""


class UnusableKeyError(MediaError):
    """A protection cannot work with a traffic key. The message says with which it can."""
