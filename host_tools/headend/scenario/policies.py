"""What a scenario says about OMA BCAST: STKM management data of a service, programmes, and each LTKM to be sent.

Values of the security policy extension (SPE) are those of a set of tables (`card.spec.bcast.tables`); they and the
layouts behind them are provisional.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from card.crypto.secret import Secret
from card.spec.bcast.ratings import rating_words
from host_tools.headend.services import Programme, StkmPolicy
from host_tools.headend.toml_table import TomlTable

_MOST_DELIVERIES = 256
_MOST_PROGRAMMES = 64
_LAST_U32 = 0xFFFF_FFFF
_NAME = r"[a-z0-9][a-z0-9._-]{0,31}"
_URI = r"https://[a-z0-9.-]{1,128}(:[0-9]{1,5})?(/[A-Za-z0-9._~/-]{0,100})?"
_PINCODE_SIZE = 8


class DeliveryKind(Enum):
    """What an LTKM brings."""

    KEY = "key"
    TOKENS = "tokens"
    WITHDRAWAL = "withdrawal"
    PARENTAL = "parental"


@dataclass(frozen=True, slots=True)
class PlannedDelivery:
    """One LTKM of the scenario, sent `at` (milliseconds) or, when that is None, when `offer` is bought.

    `key_number` says which SEK of the service it is about. With `spe` it is a policy for the STKMs of the crypto
    periods that begin from `begins` to before `ends` (milliseconds; None: as long as the SEK), without one the LTKM is
    plain MBMS. `cost`, `tokens`, `counter` are up to 2^32 - 1. A parental message sets the level granted for a type
    of rating (`level`), a PINCODE (8 bytes, padded), or unblocks it.
    """

    kind: DeliveryKind
    service: str
    at: int | None
    offer: str
    key_number: int = 1
    spe: int | None = None
    begins: int | None = None
    ends: int | None = None
    cost: int = 0
    tokens: int | None = None
    counter: int | None = None
    add: bool = False
    keep_credit: bool = False
    report: bool = False
    level: tuple[int, int] | None = None
    pincode: Secret | None = None
    unblock: bool = False

    def __str__(self) -> str:
        """Say what it brings, in a few words and without a key."""
        what = "plain MBMS key" if self.kind is DeliveryKind.KEY and self.spe is None else self.kind.value
        said = [] if self.spe is None else [f"SPE {self.spe:X}"]
        said += [f"{name} {value}" for name in ("cost", "tokens", "counter") if (value := getattr(self, name))]
        said += [f"{name} {value / 1000:g} s" for name, value in (("from", self.begins), ("until", self.ends)) if value]
        said += [f"level granted: {rating_words(*self.level)}"] if self.level else []
        said += ["PINCODE"] if self.pincode else []
        return ", ".join([what, *said])


def read_stkm_policy(service: TomlTable) -> StkmPolicy | None:
    """Read [service.bcast]; None when there is no such table: then the STKMs are plain MBMS."""
    if "bcast" not in service:
        return None
    table = service.table("bcast")
    policy = StkmPolicy(
        protection_after_reception=table.whole("protection_after_reception", 0, 3, 3),
        binding_key_id=table.optional_whole("binding_key", 1, _LAST_U32),
        permissions_issuer=table.text("permissions_issuer", _URI, "an https address in lower case", ""),
    )
    if policy.binding_key_id is not None and not policy.permissions_issuer:
        table.complain("permissions_issuer", "is missing; a terminal must know where to get the binding key")
    table.finish()
    return policy


def read_programmes(root: TomlTable, services: Sequence[str], duration: int) -> tuple[Programme, ...]:
    """Read the tables [[programme]]."""
    return tuple(_programme(table, services, duration) for table in root.tables("programme", _MOST_PROGRAMMES))


def _programme(table: TomlTable, services: Sequence[str], duration: int) -> Programme:
    seconds = duration / 1000
    programme = Programme(
        service=table.choice("service", services),
        begins=table.seconds("from", 0, seconds, 0.0),
        ends=table.seconds("until", 0, seconds, seconds),
        rating_type=table.whole("rating_type", 0, 255, 0),
        rating=table.whole("rating", 0, 255),
    )
    table.finish()
    return programme


def read_deliveries(root: TomlTable, services: Sequence[str], duration: int) -> tuple[PlannedDelivery, ...]:
    """Read the tables [[delivery]] in the order of the file."""
    return tuple(_deliveries(root, services, duration / 1000))


def _deliveries(root: TomlTable, services: Sequence[str], seconds: float) -> Iterator[PlannedDelivery]:
    for table in root.tables("delivery", _MOST_DELIVERIES):
        delivery = PlannedDelivery(
            kind=DeliveryKind(table.choice("kind", [kind.value for kind in DeliveryKind], "key")),
            service=table.choice("service", services),
            at=table.optional_seconds("at", -60, seconds),
            offer=table.text("offer", _NAME, "1 to 32 lower-case letters, digits, dots, hyphens", ""),
            key_number=table.whole("key", 1, 0xFFFF, 1),
            spe=table.optional_whole("spe", 0, 255),
            begins=table.optional_seconds("from", 0, seconds),
            ends=table.optional_seconds("until", 0, seconds),
            cost=table.whole("cost", 0, _LAST_U32, 0),
            tokens=table.optional_whole("tokens", 0, _LAST_U32),
            counter=table.optional_whole("counter", 0, _LAST_U32),
            add=table.flag("add"),
            keep_credit=table.flag("keep_credit"),
            report=table.flag("report"),
            level=_level(table),
            pincode=_pincode(table),
            unblock=table.flag("unblock"),
        )
        _check(delivery, table)
        table.finish()
        yield delivery


def _level(table: TomlTable) -> tuple[int, int] | None:
    kind, granted = table.whole("rating_type", 0, 255, 0), table.optional_whole("level", 0, 255)
    return None if granted is None else (kind, granted)


def _pincode(table: TomlTable) -> Secret | None:
    """Read a PINCODE and pad it like any PIN (TS 102 221 clause 9.5.1)."""
    digits = table.text("pincode", r"[0-9]{4,8}", "4 to 8 digits", "")
    return Secret(digits.encode().ljust(_PINCODE_SIZE, b"\xff")) if digits else None


def _check(delivery: PlannedDelivery, table: TomlTable) -> None:
    """Note what each field allows but all of them together do not."""
    if (delivery.at is None) == (not delivery.offer):
        table.complain("at", "give either at, when it is sent, or offer, what must be bought to get it")
    if delivery.kind is DeliveryKind.TOKENS and (delivery.spe is None or delivery.tokens is None):
        table.complain("tokens", "tokens need an amount, and spe for the purse they go to")
    says_nothing = delivery.level is None and delivery.pincode is None and not delivery.unblock
    if delivery.kind is DeliveryKind.PARENTAL and says_nothing:
        table.complain("level", "a parental message sets a level or a pincode, or unblocks")
