"""The terminal middleware for a CSIM: from power-on to traffic keys, without GBA (provisional, docs/spec/csim.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from card.crypto.secret import Secret
from card.errors import DecodeError
from card.spec.bcast.tables import BcastTables
from host_tools.apdu.client import ApduClient
from host_tools.apdu.trace import ExchangeSink
from host_tools.exchange.digest.client import answer
from host_tools.exchange.digest.compute import Asked
from host_tools.exchange.digest.headers import Challenge, Credentials
from host_tools.exchange.digest.one_time import one_time_password, split_nonce
from host_tools.links.base import Link
from host_tools.terminal.application_middleware import ApplicationMiddleware
from host_tools.terminal.csim import Csim, CsimIdentity
from host_tools.terminal.errors import TerminalError


class CsimMiddleware(ApplicationMiddleware[Csim, CsimIdentity]):
    """Selects the CSIM, answers the network's HTTP challenges, delivers LTKMs and feeds STKMs.

    There is no bootstrapping: the card derives the SMK of each LTKM by itself. What is provisional about OMA BCAST and
    the BCMCS command is in `tables` and `tags`, which are those of the card.
    """

    def __init__(
        self, link: Link, trace: ExchangeSink | None = None, *, tables: BcastTables, tags: Mapping[str, int]
    ) -> None:
        client = ApduClient(link, trace)
        super().__init__(client, Csim(client, tables, tags))

    @property
    def csim(self) -> Csim:
        """The typed calls below this object."""
        return self._application

    def connect(self, pin: Secret | None = None, nai: str = "") -> CsimIdentity:
        """Select the CSIM, give the PIN (4 to 8 ASCII digits) and read who the subscriber is.

        `nai` goes before what the card says. Raises `PinNeededError`, `PinWrongError`, `PinBlockedError`,
        `NoCsimError`, `TerminalError`, `StatusError`, `LinkError`.
        """
        self.csim.select_csim()
        return self._sign_in(pin, lambda: self.csim.read_identity(nai))

    def answer(self, challenge: Challenge, asked: Asked, random: Callable[[int], bytes]) -> Credentials:
        """Answer an HTTP challenge: the NAI is the user name, the card's response the password.

        `random` gives the client's nonce. Raises `TerminalError` for a nonce that is none, `StatusError`.
        """
        return answer(challenge, self.identity.nai, self.password(challenge), asked, random(8).hex())

    def password(self, challenge: Challenge) -> Secret:
        """Return the card's response to a challenge, as the HTTP password for its nonce and no other.

        Raises `TerminalError` for a nonce that is none, `StatusError`.
        """
        try:
            rand, demanded = split_nonce(challenge.nonce)
        except DecodeError as error:
            raise TerminalError(f"The network's HTTP challenge is malformed: {error}.") from None
        return one_time_password(self.csim.authenticate_bcmcs(rand, demanded))
