"""Errors of the test head-end. Each message is one clear sentence without key material."""


class HeadendError(Exception):
    """Base of every error the head-end raises on purpose."""


class ScenarioError(HeadendError):
    """A scenario file is wrong. The message names the file, each field at fault and what is allowed."""


class VerificationError(HeadendError):
    """What the card or its owner sent back does not match what was asked for."""


class IdentityUnknownError(HeadendError):
    """The BSF has no subscriber with this IMPI or TMPI (5401 on Zh and Zn, TS 29.109)."""


class NafNotAuthorisedError(HeadendError):
    """A server may not use the name it asks keys for (5402, TS 29.109)."""


class BootstrapUnknownError(HeadendError):
    """The BSF has no Ks for this B-TID, or its time is over (5403, TS 29.109): the terminal is to bootstrap again."""
