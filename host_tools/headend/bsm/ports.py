"""What the BSM needs of others: who knows subscribers' keys, what is on the air, where its keys and rights are kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from card.crypto.secret import Secret
from host_tools.headend.bsm.srtp_policy import SrtpDescription
from host_tools.headend.service_keys import ServiceKey


class SubscriberKeys(Protocol):
    """Who knows the keys of subscribers. A GBA subscriber goes by B-TID, a CSIM by its NAI."""

    def smk(self, subscriber: str, naf_id: bytes, rand: bytes, /) -> Secret:
        """Return the SMK for LTKMs that carry `rand`, also when its time is over. Raises `HeadendError`."""

    def srk(self, subscriber: str, naf_id: bytes, /) -> Secret:
        """Return the SRK. Raises `HeadendError`."""

    def expires(self, subscriber: str, naf_id: bytes, /) -> datetime | None:
        """Return when the SMK is over; None: never. Raises `HeadendError`."""

    def identity(self, subscriber: str, naf_id: bytes, /) -> str:
        """Return who it is, the same under every SMK. Raises `HeadendError`."""


@dataclass(frozen=True, slots=True)
class MbmsKeys:
    """MUK and MRK of one B-TID (32 bytes each), whose they are, and when their time is over."""

    impi: str
    muk: Secret
    mrk: Secret
    expires: datetime


class Muks(Protocol):
    """The MUKs that the BM-SC has of its subscribers, by B-TID; of each subscriber the two newest."""

    def find(self, b_tid: str, /) -> MbmsKeys | None:
        """Return the keys of a B-TID, None when there are none."""

    def keep(self, b_tid: str, keys: MbmsKeys, /) -> None:
        """Keep the keys of a new B-TID."""


class Services(Protocol):
    """What the BSD/A has on the air, as far as LTKMs speak of it. A service that is not there: `HeadendError`."""

    def mtk_id(self, service: str, moment: datetime, /) -> int:
        """Return the MTK ID of the crypto period at this moment."""

    def stream(self, service: str, moment: datetime, first_mtk_id: int, /) -> SrtpDescription:
        """Describe the stream as it stands at this moment, or at the begin of this crypto period if that is later."""


class SekMaker(Protocol):
    """Makes the next SEK of a service."""

    def __call__(self, service: str, number: int, first_mtk_id: int, last_mtk_id: int, /) -> ServiceKey:
        """Return a new SEK with this Key Number (1 to 65535), good for these MTK IDs. Raises `HeadendError`."""


class KeyStore(Protocol):
    """What the BSM must not lose: SEKs, the last T of each SMK, and which SEKs each card was brought.

    An implementation may keep no less of a subscriber than two SMKs and two SEKs of a service; the subscriber is named
    by its identity, the same under every SMK.
    """

    def seks(self, service: str, /) -> tuple[ServiceKey, ...]:
        """Return the SEKs of a service in order of use. Raises `HeadendError` for an unknown service."""

    def add_sek(self, key: ServiceKey, /) -> None:
        """Keep one more SEK behind those of its service. Raises `HeadendError` for an unknown service."""

    def drop_sek(self, key: ServiceKey, /) -> None:
        """Forget a SEK; nothing where it is not there."""

    def next_t(self, identity: str, b_tid: str, /) -> int:
        """Return one more than the last T under the SMK of this B-TID (or NAI); 1 for a new one."""

    def held(self, identity: str, service: str, /) -> tuple[ServiceKey, ...]:
        """Return the SEKs of a service that were brought to this subscriber and not withdrawn."""

    def note_brought(self, identity: str, key: ServiceKey, /) -> None:
        """Note that an LTKM brings a SEK to this subscriber."""

    def note_withdrawn(self, identity: str, key: ServiceKey, /) -> None:
        """Note that an LTKM withdraws a SEK from this subscriber."""


class Rights(Protocol):
    """Who may receive what: items (services, or what a catalogue calls so) by identity."""

    def may_receive(self, identity: str, item: str, /) -> bool:
        """Tell whether a subscriber has the right to an item."""

    def grant(self, identity: str, item: str, /) -> None:
        """Give a subscriber the right to an item."""

    def revoke(self, identity: str, item: str, /) -> None:
        """Take the right to an item away."""
