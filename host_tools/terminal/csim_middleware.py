"""The terminal middleware for a CSIM: from power-on to traffic keys, without GBA (provisional, docs/spec/csim.md)."""

from __future__ import annotations

from collections.abc import Callable

from card.crypto.secret import Secret
from card.errors import DecodeError
from card.spec.status import SW
from host_tools.apdu.client import ApduClient
from host_tools.apdu.response import StatusError
from host_tools.apdu.trace import ExchangeSink
from host_tools.http_digest import DigestAnswer, DigestChallenge, answer_challenge
from host_tools.links.base import Link
from host_tools.rk_nonce import one_time_password, split_nonce
from host_tools.terminal.bcast import LtkmReceipt, StkmOutcome, deliver_ltkm, feed_stkm
from host_tools.terminal.csim import Csim, CsimIdentity
from host_tools.terminal.errors import PinNeededError, TerminalError


class CsimMiddleware:
    """Selects the CSIM, answers the network's HTTP challenges, delivers LTKMs and feeds STKMs.

    There is no bootstrapping: the card derives the SMK of each LTKM by itself.
    """

    def __init__(self, link: Link, trace: ExchangeSink | None = None) -> None:
        self._client = ApduClient(link, trace)
        self._csim = Csim(self._client)
        self._identity: CsimIdentity | None = None

    @property
    def csim(self) -> Csim:
        """The typed calls below this object."""
        return self._csim

    @property
    def reader(self) -> str:
        """Name of the reader."""
        return self._client.name

    @property
    def atr(self) -> bytes:
        """Answer to reset of the card."""
        return self._client.atr

    @property
    def identity(self) -> CsimIdentity:
        """Who the subscriber is. Raises `TerminalError` before `connect`."""
        if self._identity is None:
            raise TerminalError("The terminal is not connected to the card yet.")
        return self._identity

    def connect(self, pin: Secret | None = None, nai: str = "") -> CsimIdentity:
        """Select the CSIM, give the PIN (4 to 8 ASCII digits) and read who the subscriber is.

        `nai` goes before what the card says. Raises `PinNeededError`, `PinWrongError`, `PinBlockedError`,
        `NoCsimError`, `TerminalError`, `StatusError`, `LinkError`.
        """
        self._csim.select_csim()
        if pin is not None:
            self._csim.verify_pin(pin)
        try:
            self._identity = self._csim.read_identity(nai)
        except StatusError as error:
            if pin is None and error.sw == SW.SECURITY_NOT_SATISFIED:
                raise PinNeededError from None
            raise
        return self._identity

    def answer(self, challenge: DigestChallenge, method: str, uri: str, random: Callable[[int], bytes]) -> DigestAnswer:
        """Answer an HTTP challenge: the NAI is the user name, the card's response the password.

        `random` gives the client's nonce. Raises `TerminalError` for a nonce that is none, `StatusError`.
        """
        try:
            rand, demanded = split_nonce(challenge.nonce)
        except DecodeError as error:
            raise TerminalError(f"The network's HTTP challenge is malformed: {error}.") from None
        password = one_time_password(self._csim.authenticate_bcmcs(rand, demanded))
        return answer_challenge(challenge, self.identity.nai, password, method, uri, random(8).hex())

    def deliver(self, ltkm: bytes) -> LtkmReceipt:
        """Give an LTKM to the card and return what to send back. Raises `StatusError`, `LinkError`."""
        return deliver_ltkm(self._csim, ltkm)

    def feed(self, stkm: bytes) -> StkmOutcome:
        """Give an STKM to the card and return the TEK or the reason why there is none. Raises `LinkError`."""
        return feed_stkm(self._csim, stkm)

    def close(self) -> None:
        """Let the card go."""
        self._client.close()
