"""GBA_U as the terminal runs it: bootstrapping with a BSF, then keys for a NAF (TS 33.220 clause 5.3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from card.crypto.secret import Secret
from host_tools.terminal.aka import GbaResponse
from host_tools.terminal.errors import ChallengedAgainError, NetworkRefusedError, NoUsableKsError
from host_tools.terminal.key_files import Bootstrapping
from host_tools.terminal.usim import Usim

MOST_CHALLENGES = 3
"""Of one run: the first, one after AUTS, one after an answer that the BSF did not take."""
STALE_AGAIN = "The card finds the sequence number stale even after resynchronisation."


class Challenge(Protocol):
    """What a BSF sends first: RAND and AUTN* (16 bytes each)."""

    @property
    def rand(self) -> bytes:
        """The random challenge."""

    @property
    def autn_star(self) -> bytes:
        """The network's token with its MAC masked for GBA_U."""


class BootstrapResult(Protocol):
    """What a BSF answers when RES was right."""

    @property
    def b_tid(self) -> str:
        """The bootstrapping transaction identifier."""

    @property
    def lifetime(self) -> str:
        """When the key expires, as XML dateTime text."""


class Bsf(Protocol):
    """The bootstrapping server as the terminal sees it. Every call may raise the server's own error."""

    def challenge(self, impi: str, /) -> Challenge:
        """Return a fresh challenge for the subscriber."""

    def complete(self, rand: bytes, res: bytes, /) -> BootstrapResult:
        """Check RES for the challenge `rand` and return B-TID and lifetime."""

    def resynchronise(self, impi: str, rand: bytes, auts: bytes, /) -> None:
        """Take AUTS (14 bytes), the card's answer to the challenge `rand`."""


@dataclass(frozen=True, slots=True)
class Bootstrapped:
    """A finished bootstrapping: RAND (16 bytes), B-TID, lifetime, whether the network resynchronised."""

    rand: bytes
    b_tid: str
    lifetime: str
    resynchronised: bool


def bootstrap(usim: Usim, bsf: Bsf, impi: str) -> Bootstrapped:
    """Run GBA_U bootstrapping and write B-TID and lifetime to EF_GBABP.

    A sequence number that the card finds stale is resynchronised once; a BSF that challenges again is answered once
    more. Raises `NetworkRefusedError`, `StatusError`, `LinkError` and what the BSF raises.
    """
    resynchronised = False
    for _ in range(MOST_CHALLENGES):
        challenge = bsf.challenge(impi)
        answer = usim.gba_bootstrap(challenge.rand, challenge.autn_star)
        if isinstance(answer, GbaResponse):
            try:
                result = bsf.complete(challenge.rand, answer.res)
            except ChallengedAgainError:
                continue
            usim.update_gbabp(challenge.rand, result.b_tid, result.lifetime)
            return Bootstrapped(challenge.rand, result.b_tid, result.lifetime, resynchronised)
        if resynchronised:
            break
        bsf.resynchronise(impi, challenge.rand, answer.auts)
        resynchronised = True
    raise NetworkRefusedError(STALE_AGAIN)


def usable_ks(usim: Usim, now: datetime | None = None) -> Bootstrapping:
    """Return the bootstrapping from which the card may derive a NAF key now (TS 31.102 clause 5.2.21).

    Without `now`, an aware time, the lifetime is not looked at. Raises `NoUsableKsError` when there is no Ks, or one
    without a B-TID, when its lifetime is over (TS 33.220 clause 4.4.9), and when it came by GBA push for another NAF
    (TS 33.223 clause 5.1.4); also `StatusError`, `LinkError`.
    """
    found = usim.read_bootstrapping()
    if found is None:
        raise NoUsableKsError("The card holds no bootstrapped key (Ks): bootstrap first.")
    if not found.b_tid:  # the card has answered the challenge, and no authentic answer of the BSF has come after it
        raise NoUsableKsError("The card's Ks has no B-TID, as its bootstrapping did not end well: bootstrap again.")
    if found.is_pushed:
        raise NoUsableKsError("The card's Ks came by GBA push and serves the NAF of that push alone: bootstrap first.")
    if now is not None and found.has_ended(now):
        raise NoUsableKsError(f"The card's Ks was good until {found.lifetime}: bootstrap again.")
    return found


def derive_naf_key(usim: Usim, naf: bytes, impi: str, *, now: datetime | None = None, bsf: Bsf | None = None) -> Secret:
    """Have the card derive the keys for a NAF and return Ks_ext_NAF (32 bytes).

    EF_GBABP is read first. Where no Ks is fit for it, the terminal bootstraps with `bsf`. Raises as `usable_ks` where
    there is no `bsf`, and as `bootstrap`.
    """
    try:
        usable_ks(usim, now)
    except NoUsableKsError:
        if bsf is None:
            raise
        bootstrap(usim, bsf, impi)
    return usim.gba_naf_derivation(naf, impi.encode())
