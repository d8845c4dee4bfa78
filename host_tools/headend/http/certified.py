"""Terminals that TLS with certificates on both sides has authenticated, and what they may ask without the digest.

Pricing Information and Account Inquiry want both sides authenticated, and not the digest (OMA BCAST, clause
5.4.7.2.15). Whose a certificate is, the BSM learns from requests under the digest that came over it; ours.
"""

from __future__ import annotations

from host_tools.exchange.http import HttpRequest, HttpResponse
from host_tools.exchange.procedures import Target
from host_tools.exchange.transport import Peer
from host_tools.headend.bounded import BoundedTable
from host_tools.headend.bsm.books import Transactions
from host_tools.headend.http.front import Refusals, refused
from host_tools.headend.http.provisioning import ProvisioningService

_CERTIFICATES_OF_A_SUBSCRIBER = 4
_CERTIFICATES_IN_ALL = 100_000


class CertifiedTerminals:
    """Knows whose certificates are, and answers what needs no digest."""

    def __init__(self, provisioning: ProvisioningService, refusals: Refusals, transactions: Transactions) -> None:
        """Take what answers, whom the operator refuses, and the transactions it does so in."""
        self._provisioning = provisioning
        self._refusals = refusals
        self._transactions = transactions
        self._owners: BoundedTable[str, str] = BoundedTable(_CERTIFICATES_OF_A_SUBSCRIBER, _CERTIFICATES_IN_ALL)

    def admitted(self, identity: str, peer: Peer) -> None:
        """Hear that a subscriber has shown who it is, over this connection."""
        if peer.certificate is not None:
            self._owners.put(identity, peer.certificate, identity)

    def owner(self, certificate: str) -> str | None:
        """Return the identity that has authenticated over connections with this certificate, None for nobody."""
        return self._owners.get(certificate)

    def serve(self, request: HttpRequest, peer: Peer) -> HttpResponse | None:
        """Answer a request without the digest; None for one that needs it. Raises `DecodeError`."""
        if peer.certificate is None:
            return None
        owner = self.owner(peer.certificate)
        with self._transactions.transaction():
            if owner is not None and self._refusals.are_for(owner):
                return refused()
            return self._provisioning.serve_certified(request, Target.parse(request.target), peer, self)
