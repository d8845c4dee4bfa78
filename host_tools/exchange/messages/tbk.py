"""The request for a terminal binding key (TBK) at a permissions issuer. provisional: target and answer are ours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from card.crypto.secret import Secret
from card.errors import DecodeError
from host_tools.exchange.procedures import TBK_REQUEST, Procedure

TBK_SIZE = 16
_TARGET = re.compile(rf"(?:/[A-Za-z0-9._~-]+)*{TBK_REQUEST.tail}/([0-9a-f]{{8}})")


@dataclass(frozen=True, slots=True)
class TbkRequest:
    """Asks for the key with this ID (32 bits)."""

    key_id: int
    procedure: ClassVar[Procedure] = TBK_REQUEST

    def target(self, base: str = "") -> str:
        """Return the target; `base` is the path of the issuer's address."""
        return f"{base.rstrip('/')}{TBK_REQUEST.tail}/{self.key_id:08x}"

    @classmethod
    def parse(cls, target: str) -> TbkRequest:
        """Read the target of a request, whatever path stands in front. Raises `DecodeError`."""
        found = _TARGET.fullmatch(target)
        if found is None:
            raise DecodeError("the target names no terminal binding key")
        return cls(int(found[1], 16))


def decode_key(body: bytes) -> Secret:
    """Read the answer: the key (16 bytes) and nothing else. Raises `DecodeError`."""
    if len(body) != TBK_SIZE:
        raise DecodeError(f"the answer has {len(body)} bytes; a binding key has {TBK_SIZE}")
    return Secret(body)
