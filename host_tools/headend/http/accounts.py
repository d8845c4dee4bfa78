"""Whose password a server of the BSM compares with: one kind of account for each realm.

A subscriber of GBA is a B-TID with the base64 text of its SRK (TS 24.109 clause 5.2, TS 33.246 clause 6.2.1.3). A CSIM
subscriber is a NAI with what its card answers to the nonce, another password each time (provisional).
"""

from __future__ import annotations

import base64
from dataclasses import field
from typing import Protocol

from card.crypto.secret import Secret
from card.errors import DecodeError
from card.lean import lean_dataclass
from host_tools.exchange.digest.one_time import split_nonce
from host_tools.exchange.ports import Clock
from host_tools.headend.bsm.ports import SubscriberKeys
from host_tools.headend.bsm.rk_home import RkHome
from host_tools.headend.errors import BootstrapUnknownError, HeadendError, IdentityUnknownError


class AccountUnknownError(HeadendError):
    """Nobody has this user name, or its keys are over: whoever asks is to authenticate anew."""


@lean_dataclass(frozen=True, slots=True)
class Account:
    """Who asks: the name that is the same under every SMK, the password, and the key behind it where there is one."""

    identity: str
    password: Secret
    key: Secret | None = field(default=None)


class Accounts(Protocol):
    """The accounts of one realm."""

    def find(self, username: str, nonce: str, /) -> Account:
        """Return the account of a user name, with the password for this nonce.

        Raises `AccountUnknownError`, `NafNotAuthorisedError`, and `HeadendError` when nobody can tell.
        """

    def admitted(self, username: str, nonce: str, /) -> None:
        """Hear that the password for this nonce was right."""


class GbaAccounts:
    """Subscribers that bootstrapped."""

    def __init__(self, subscribers: SubscriberKeys, naf_id: bytes, clock: Clock) -> None:
        """Take who knows their keys, the NAF_ID of the BSM, and the time."""
        self._subscribers = subscribers
        self._naf_id = naf_id
        self._clock = clock

    def find(self, username: str, nonce: str) -> Account:
        """Return the account of a B-TID. An SMK that is over calls for a new B-TID, though its SRK would do."""
        del nonce
        try:
            srk = self._subscribers.srk(username, self._naf_id)
        except (BootstrapUnknownError, IdentityUnknownError) as error:
            raise AccountUnknownError(str(error)) from None
        expires = self._subscribers.expires(username, self._naf_id)
        if expires is not None and self._clock.now() >= expires:
            raise AccountUnknownError(f"the keys of B-TID {username} are over: bootstrap again")
        password = Secret(base64.b64encode(srk.reveal()))
        return Account(self._subscribers.identity(username, self._naf_id), password, srk)

    def admitted(self, username: str, nonce: str) -> None:
        """Do nothing."""


class RkAccounts:
    """Subscribers with a registration key in a CSIM."""

    def __init__(self, home: RkHome) -> None:
        """Take the home that knows their keys."""
        self._home = home

    def find(self, username: str, nonce: str) -> Account:
        """Return the account of a NAI."""
        try:
            return Account(username, self._home.http_password(username, *split_nonce(nonce)))
        except (DecodeError, HeadendError) as error:
            raise AccountUnknownError(str(error)) from None

    def admitted(self, username: str, nonce: str) -> None:
        """Take the Auth-Key of this nonce as SRK."""
        self._home.note_answered(username, split_nonce(nonce)[0])
