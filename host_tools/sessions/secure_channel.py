"""Everything that is sent to the card goes through a secure channel, where one is wanted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from host_tools.sessions.errors import SessionError, Trouble

if TYPE_CHECKING:
    from card.crypto.secret import Secret
    from host_tools.links.base import Link
    from host_tools.terminal.sac.association import Credentials

KEY_VARIABLE = "BCAST_UICC_SAC_KEY"
KINDS = ("x-sac-1", "tls-psk")
_APPLICATION = b"bcast-uicc"
_KEY_SIZE = 32


def protect(link: Link, kind: str | None, profile: Path | None, given: Secret | None) -> Link:
    """Return the link inside a secure channel of the kind asked for, or the link itself without one.

    The secret is `given` as TERMINAL_ID:HEX (what the environment has), or the first one of [sac] in the card profile.
    Raises `SessionError` when there is none, or when this Python cannot do TLS-PSK.
    """
    if kind is None:
        return link
    from card.crypto.tls_psk import WHAT_IS_MISSING, has_tls_psk
    from card.spec.sac_tables import Kind
    from host_tools.terminal.sac.link import SacLink

    if Kind(kind) is Kind.TLS and not has_tls_psk():
        raise SessionError(f"{WHAT_IS_MISSING}.")
    credentials = _parse_key(given) if given is not None else _from_profile(profile)
    return SacLink(link, credentials, kind=Kind(kind))


def _parse_key(given: Secret) -> Credentials:
    from card.codec.terminal_id import ALLOWED, parse_terminal_id
    from card.crypto.secret import Secret
    from host_tools.terminal.sac.association import Credentials

    name, _, digits = os.fsdecode(given.reveal()).rpartition(":")
    try:
        terminal_id, key = parse_terminal_id(name), bytes.fromhex(digits)
    except ValueError:
        terminal_id = key = b""
    if len(key) != _KEY_SIZE:
        raise SessionError(
            f"{KEY_VARIABLE}: TERMINAL_ID:HEX is wanted: {ALLOWED}; then a colon and {2 * _KEY_SIZE} hex digits.",
            Trouble.INPUT,
        )
    return Credentials(terminal_id, _APPLICATION, Secret(key))


def _from_profile(path: Path | None) -> Credentials:
    from card import CardProfile
    from card.errors import ProfileError
    from host_tools.terminal.sac.association import Credentials

    if path is None:
        raise SessionError(f"--sac needs a secret: give --profile or set {KEY_VARIABLE}.", Trouble.INPUT)
    try:
        sac = CardProfile.load(path).sac
    except ProfileError as error:
        raise SessionError(str(error), Trouble.INPUT) from None
    if sac is None or not sac.psk:
        raise SessionError(f"{path}: --sac needs a secret in [[sac.psk]].", Trouble.INPUT)
    return Credentials(sac.psk[0].terminal_id, _APPLICATION, sac.psk[0].key)
