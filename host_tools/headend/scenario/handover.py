"""LTKMs minted before the card is there, in a file that a terminal can deliver without a network.

LTKMs go out under the SMK, which comes from one GBA run. The file therefore holds the challenge of that run
too: a terminal first lets the card answer the challenge (`StoredBsf` plays the server), and the card then
holds the SMK under which the LTKMs are. Nothing in the file is secret: it is what goes over the air. It
serves a card that has not met a later challenge; any other finds the sequence number stale.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Self, TypeVar

from host_tools.headend.bsf.answers import BootstrapResult, Challenge
from host_tools.headend.errors import HeadendError
from host_tools.headend.scenario.usim import UsimNetwork

_FORMAT = "bcast-uicc ltkms 2"  # 1 had LTKMs that named the SMK in another way
_LONGEST = 1e9  # seconds
_NOT_TEXT = re.compile("[\ud800-\udfff]")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class PlannedLtkm:
    """One LTKM, and the second of the broadcast at which it is due (negative: before it begins)."""

    at: float
    service: str
    ltkm: bytes


@dataclass(frozen=True, slots=True)
class Handover:
    """A GBA challenge for the subscriber `impi`, what completing it gives, NAF ID, LTKMs under that SMK."""

    impi: str
    naf_id: bytes
    challenge: Challenge
    result: BootstrapResult
    ltkms: tuple[PlannedLtkm, ...]

    @classmethod
    def mint(cls, network: UsimNetwork) -> Self:
        """Run GBA on the network's side alone and mint every LTKM of its scenario. Raises `HeadendError`."""
        challenge = network.bsf.challenge(network.subscriber.impi)
        result = network.bsf.presume_answered(challenge.rand)
        ltkms = tuple(
            PlannedLtkm(delivery.at / 1000, delivery.key.service, network.ltkm(delivery, result.b_tid))
            for delivery in network.deliveries
        )
        return cls(network.subscriber.impi, network.bsm.naf_id, challenge, result, ltkms)

    def to_json(self) -> str:
        """Return the file as text."""
        return json.dumps(
            {
                "format": _FORMAT,
                "impi": self.impi,
                "naf_id": self.naf_id.hex(),
                "rand": self.challenge.rand.hex(),
                "autn_star": self.challenge.autn_star.hex(),
                "b_tid": self.result.b_tid,
                "lifetime": self.result.lifetime,
                "ltkms": [
                    {"at": planned.at, "service": planned.service, "ltkm": planned.ltkm.hex()} for planned in self.ltkms
                ],
            },
            indent=2,
        )

    @classmethod
    def parse(cls, text: str, name: str) -> Self:
        """Read the text of such a file; `name` is the file in error messages. Raises `HeadendError`."""
        try:
            return cls._read(json.loads(text))
        except (ValueError, RecursionError, OverflowError) as error:
            raise HeadendError(f"{name} is no file of LTKMs: {error}") from None

    @classmethod
    def _read(cls, data: object) -> Self:
        if _field(data, "format", str) != _FORMAT:
            raise ValueError(f'its format is not "{_FORMAT}"; `headend record --ltkms` makes one')
        challenge = Challenge(_bytes(data, "rand", 16), _bytes(data, "autn_star", 16))
        result = BootstrapResult(_name(data, "b_tid"), _name(data, "lifetime"))
        ltkms = tuple(_planned(item) for item in _field(data, "ltkms", list))
        return cls(_field(data, "impi", str), _bytes(data, "naf_id"), challenge, result, ltkms)


class StoredBsf:
    """Plays the bootstrapping server of a `Handover`. It has no subscriber key, so it takes any RES."""

    def __init__(self, handover: Handover) -> None:
        self._handover = handover

    def challenge(self, impi: str) -> Challenge:
        """Return the stored challenge. Raises `HeadendError` when it is for another subscriber."""
        if impi != self._handover.impi:
            raise HeadendError(f"the LTKMs are for {self._handover.impi}, the card is {impi}")
        return self._handover.challenge

    def complete(self, rand: bytes, res: bytes) -> BootstrapResult:
        """Return B-TID and lifetime that go with the challenge."""
        del rand, res
        return self._handover.result

    def resynchronise(self, impi: str, rand: bytes, auts: bytes) -> None:
        """Raise `HeadendError`: a stored challenge cannot be made again."""
        del impi, rand, auts
        raise HeadendError("the card has met a later challenge than the stored one: use a new card")


def _planned(item: object) -> PlannedLtkm:
    return PlannedLtkm(_seconds(item, "at"), _field(item, "service", str), _bytes(item, "ltkm"))


def _field(data: object, key: str, *kinds: type[_T]) -> _T:
    value = data.get(key) if isinstance(data, dict) else None
    if not isinstance(value, kinds) or isinstance(value, bool):
        raise ValueError(f"{key} is missing or of the wrong kind")
    if isinstance(value, str) and _NOT_TEXT.search(value):
        raise ValueError(f"{key} holds half of a character (a lone surrogate)")
    return value


def _name(data: object, key: str) -> str:
    """Return a name that is sent in a message: printable ASCII."""
    value = _field(data, key, str)
    if not value.isascii() or not value.isprintable():
        raise ValueError(f"{key} is no name: printable ASCII is wanted")
    return value


def _seconds(data: object, key: str) -> float:
    value = float(_field(data, key, int, float))
    if not abs(value) <= _LONGEST:
        raise ValueError(f"{key} is no time within a broadcast")
    return value


def _bytes(data: object, key: str, size: int | None = None) -> bytes:
    value = bytes.fromhex(_field(data, key, str))
    if size is not None and len(value) != size:
        raise ValueError(f"{key} has {len(value)} bytes, not {size}")
    return value
