"""A CSIM to use: its middleware, and the network's record of its subscriber. Provisional: see docs/spec/csim.md."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from card.crypto.bcmcs import RegistrationKey, find_functions
from card.errors import ProfileError
from card.spec.bcmcs_tables import DEFAULT_TAGS
from host_tools.headend.subscribers.rk_subscriber import RkSubscriber
from host_tools.terminal.csim_middleware import CsimMiddleware

if TYPE_CHECKING:
    from card import CardProfile
    from card.spec.bcast.tables import BcastTables
    from host_tools.links.base import Link


def csim_middleware(link: Link, profile: Path | None, tables: BcastTables) -> CsimMiddleware:
    """Return the middleware for the CSIM of a card, which is not connected yet. Raises `ProfileError`, `OSError`."""
    return CsimMiddleware(link, tables=tables, tags=_tags(profile))


def csim_subscriber(profile: CardProfile) -> RkSubscriber:
    """Return the network's record of the subscriber whose CSIM is personalised from `profile`.

    Raises `ProfileError` when the profile has no CSIM.
    """
    csim = profile.csim
    if csim is None:
        raise ProfileError("csim: the profile has no CSIM")
    root = RegistrationKey(csim.rk, find_functions(csim.functions))
    return RkSubscriber(csim.imsi or profile.usim.imsi, csim.nai, root)


def _tags(profile: Path | None) -> Mapping[str, int]:
    """Return the tags of the BCMCS command in a profile; a card file or none has the default ones."""
    from host_tools.sessions.cards import is_profile, load_profile

    if profile is None or not is_profile(profile):
        return DEFAULT_TAGS
    csim = load_profile(profile).csim
    return csim.tags.by_name() if csim else DEFAULT_TAGS
