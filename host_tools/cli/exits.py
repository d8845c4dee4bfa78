"""Exit codes of `bcast-uicc`, and the way an error becomes one sentence and one of them."""

from __future__ import annotations

import errno
import sys
from enum import IntEnum

import click

from host_tools.files.writing import UnwritableFile


class ExitCode(IntEnum):
    """What the exit status of `bcast-uicc` says (docs/user/cli.md)."""

    OK = 0
    DIFFERENT = 1
    USAGE = 2
    ENVIRONMENT = 3
    CARD = 4
    INPUT = 5
    LOCKED = 6
    INTERNAL = 70
    INTERRUPTED = 130
    BROKEN_PIPE = 141


OK = ExitCode.OK
DIFFERENT = ExitCode.DIFFERENT
USAGE = ExitCode.USAGE
ENVIRONMENT = ExitCode.ENVIRONMENT
CARD = ExitCode.CARD
INPUT = ExitCode.INPUT
LOCKED = ExitCode.LOCKED
INTERNAL = ExitCode.INTERNAL
INTERRUPTED = ExitCode.INTERRUPTED
BROKEN_PIPE = ExitCode.BROKEN_PIPE

# Third-party modules that an extra of the distribution brings.
EXTRA_OF_MODULE = {
    "smartcard": "pcsc",
    "pylibsrtp": "media",
    "Crypto": "vpicc",
    "aiohttp": "net",
    "sqlalchemy": "net",
    "jinja2": "net",
    "psycopg": "postgresql",
}


class CliError(click.ClickException):
    """An error the user can act on: one clear sentence and an exit code."""

    def __init__(self, message: str, exit_code: int = ENVIRONMENT) -> None:
        """Take the sentence to print on standard error and the exit status."""
        super().__init__(message)
        self.exit_code = int(exit_code)  # type: ignore[misc]  # click reads it from the instance


def explain(error: Exception) -> CliError | None:
    """Turn an error that no command caught into a `CliError`, or return None for a defect of our own."""
    match error:
        case ModuleNotFoundError(name=str(name)) if name.partition(".")[0] in EXTRA_OF_MODULE:
            module = name.partition(".")[0]
            extra = EXTRA_OF_MODULE[module]
            hint = f"run `make setup`, or `pip install 'bcast-uicc[{extra}]'`"
            return CliError(f"the Python package with module {module!r} is missing: {hint}", ENVIRONMENT)
        case UnicodeEncodeError(reason="surrogates not allowed"):
            # Half a character: bytes of an argument or a variable that are no UTF-8, or an escape in a JSON file.
            return CliError("a name or a text that was given is not UTF-8", INPUT)
        case UnwritableFile():
            return CliError(str(error), ENVIRONMENT)
        case OSError(filename=filename, strerror=str(reason)) if filename is not None:
            return CliError(f"{filename}: {reason}", ENVIRONMENT)
        case OSError(errno=errno.ENOSPC | errno.EDQUOT | errno.EFBIG | errno.EIO, strerror=str(reason)):
            return CliError(f"cannot write any more: {reason}", ENVIRONMENT)
        case _:
            return _explain_session_error(error) or _explain_domain_error(error)


def _explain_session_error(error: Exception) -> CliError | None:
    """Translate an error of a session; when no session was begun, it cannot be one."""
    if "host_tools.sessions.errors" not in sys.modules:
        return None
    from host_tools.sessions.errors import SessionError, Trouble

    if not isinstance(error, SessionError):
        return None
    exits = {
        Trouble.DIFFERENT: DIFFERENT,
        Trouble.MISUSE: USAGE,
        Trouble.ENVIRONMENT: ENVIRONMENT,
        Trouble.CARD: CARD,
        Trouble.INPUT: INPUT,
        Trouble.LOCKED: LOCKED,
    }
    return CliError(error.message, exits[error.trouble])


def _explain_domain_error(error: Exception) -> CliError | None:
    """Translate an error of `card.errors`; when `card` was never imported, it cannot be one."""
    if "card.errors" not in sys.modules:
        return None
    from card import errors

    match error:
        case errors.CardFileLocked():
            return CliError(str(error), LOCKED)
        case errors.StoreError():
            return CliError(str(error), ENVIRONMENT)
        case errors.UnusableFile() | errors.ProfileError() | errors.DecodeError() | errors.EncodeError():
            return CliError(str(error), INPUT)
        case errors.MacMismatch():
            return CliError(str(error), DIFFERENT)
        case errors.CardError():
            return CliError(str(error), CARD)
        case _:
            return None
