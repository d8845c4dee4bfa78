"""Errors of the test head-end. Each message is one clear sentence without key material."""


class HeadendError(Exception):
    """Base of every error the head-end raises on purpose."""


class ScenarioError(HeadendError):
    """A scenario file is wrong. The message names the file, each field at fault and what is allowed."""


class VerificationError(HeadendError):
    """What the card or its owner sent back does not match what was asked for."""
