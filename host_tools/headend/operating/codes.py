"""Order codes: under which name a person orders in a shop that knows no key of the subscriber.

A shop that knows nothing needs some name for whom an order is. A telephone number would do where a network has one;
here each subscriber has a code of its own that cannot be guessed, shown to whoever runs the head-end (ours). It is made
when it is first shown and written down, so it stays, and each process on the same store finds whose it is. Whoever has
it can order for that subscriber, so a store that encrypts secrets has none in the clear: it is looked up by its hash.
"""

from __future__ import annotations

import base64
import re
from hashlib import sha256

from host_tools.exchange.ports import Rng
from host_tools.headend.bsm.books import Books

_LENGTH = 12
_CODE = re.compile(r"[A-Z2-7]{12}")
_OF, _CODE_NAME, _WHOSE, _WHO = "order code", "code", "order code of", "who"


class OrderCodes:
    """The codes of subscribers. Each call is a transaction, or part of one that is open."""

    def __init__(self, books: Books, rng: Rng) -> None:
        """Take where codes are written down, and what they are made from."""
        self._books = books
        self._rng = rng

    def of(self, identity: str) -> str:
        """Return the code of a subscriber, as people read it: three groups of four letters and digits."""
        records = self._books.records
        with self._books.transactions.transaction():
            self._books.transactions.hold(identity)
            found = records.find(_OF, identity, _CODE_NAME)
            code = base64.b32encode(self._rng.random_bytes(_LENGTH)) if found is None else found
            text = code.decode()[:_LENGTH]
            if found is None:
                records.put(_OF, identity, _CODE_NAME, text.encode())
            if records.find(_WHOSE, _hashed(text), _WHO) is None:  # also where an older version wrote it as it is
                records.put(_WHOSE, _hashed(text), _WHO, identity.encode())
                records.drop(_WHOSE, text, _WHO)
        return "-".join(text[at : at + 4] for at in range(0, _LENGTH, 4))

    def find(self, code: str) -> str | None:
        """Return whose code this is, however it is spelled; None for nobody's."""
        wanted = re.sub(r"[\s-]", "", code).upper()
        if _CODE.fullmatch(wanted) is None:
            return None
        with self._books.transactions.transaction():
            records = self._books.records
            found = records.find(_WHOSE, _hashed(wanted), _WHO) or records.find(_WHOSE, wanted, _WHO)
        return None if found is None else found.decode()


def _hashed(code: str) -> str:
    """Return the name under which a code is written down; it has 60 random bits, so nobody finds it from that."""
    return sha256(code.encode()).hexdigest()
