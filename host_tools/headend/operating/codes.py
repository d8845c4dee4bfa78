"""Order codes: under which name a person orders in a shop that knows no key of the subscriber.

A shop that knows nothing needs some name for whom an order is. A telephone number would do where a network has one;
here each subscriber has a code of its own that cannot be guessed, shown to whoever runs the head-end (ours). It is made
from the secret of a process, so a restart gives others.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterable

from card.crypto.secret import Secret

_LENGTH = 12
_CODE = re.compile(r"[A-Z2-7]{12}")


class OrderCodes:
    """The codes of subscribers."""

    def __init__(self, secret: Secret) -> None:
        """Take what the codes are made from."""
        self._secret = secret

    def of(self, identity: str) -> str:
        """Return the code of a subscriber, as people read it: three groups of four letters and digits."""
        made = hmac.digest(self._secret.reveal(), identity.encode(), "sha256")
        text = base64.b32encode(made)[:_LENGTH].decode()
        return "-".join(text[at : at + 4] for at in range(0, _LENGTH, 4))

    def find(self, code: str, identities: Iterable[str]) -> str | None:
        """Return whose code this is, however it is spelled; None for nobody's."""
        wanted = re.sub(r"[\s-]", "", code).upper()
        if _CODE.fullmatch(wanted) is None:
            return None
        found = None
        for identity in identities:  # each is looked at, so that time says nothing
            if hmac.compare_digest(self.of(identity).replace("-", ""), wanted):
                found = identity
        return found
