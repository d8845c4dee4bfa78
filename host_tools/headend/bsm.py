"""The subscription management: BSM to the broadcast, BM-SC to the card, NAF to GBA (TS 33.246 clause 6).

It gets each subscriber's SMK and SRK from whoever knows the root of its keys: by B-TID from the BSF (SMK = MUK =
Ks_int_NAF, SRK = MRK = Ks_ext_NAF), or by NAI from the home of a CSIM. It mints LTKMs under the SMK and checks the
verification messages that come back. Where `b_tid` is asked for, the NAI stands in for it with a CSIM.
"""

from __future__ import annotations

from typing import Protocol

from card.codec.bcast import LtkmReport, Subtype, bcast_extension
from card.codec.mikey import Extension, KeyInterval, MikeyMessage
from card.crypto.secret import Secret
from card.errors import DecodeError
from card.spec.gba import naf_id
from host_tools.headend.clock import NetworkClock
from host_tools.headend.errors import HeadendError, VerificationError
from host_tools.headend.ltkm import LtkmContent, open_verification, rand_of, recipient, seal_ltkm
from host_tools.headend.scenario import Scenario
from host_tools.headend.service_keys import LAST_MTK_ID, ServiceKey, make_key, service_keys

_WITHDRAWN = KeyInterval.between(1, 0, 2)  # a lower limit above the upper one
_LAST_COUNTER = 0xFFFF_FFFF


class SubscriberKeys(Protocol):
    """Who knows the keys of subscribers. A GBA subscriber goes by B-TID, a CSIM by its NAI."""

    def smk(self, subscriber: str, naf_id: bytes, rand: bytes, /) -> Secret:
        """Return the SMK for LTKMs that carry `rand`. Raises `HeadendError`."""

    def srk(self, subscriber: str, naf_id: bytes, /) -> Secret:
        """Return the SRK. Raises `HeadendError`."""


class Bsm:
    """Knows the services and their SEKs, and delivers them to subscribers."""

    def __init__(self, scenario: Scenario, subscribers: SubscriberKeys, clock: NetworkClock) -> None:
        """Take the services and their seed from `scenario`; by the clock a SEK is current."""
        self._scenario = scenario
        self._subscribers = subscribers
        self._clock = clock
        self._start = clock.now()
        self._counters: dict[str, int] = {}
        self._keys: dict[str, list[ServiceKey]] = {service.id: [] for service in scenario.services}
        for key in service_keys(scenario):
            self._keys[key.service].append(key)

    @property
    def fqdn(self) -> bytes:
        """The name of the BM-SC as it stands in IDi (TS 33.246 clause 6.4.5.1)."""
        return self._scenario.network.bsm_fqdn.encode()

    @property
    def naf_id(self) -> bytes:
        """The NAF ID: FQDN and Ua security protocol identifier (TS 33.220 clause B.3)."""
        return naf_id(self.fqdn)

    def smk(self, b_tid: str, rand: bytes = b"") -> Secret:
        """Return the SMK of the card behind this B-TID, for LTKMs with this RAND. Raises `HeadendError`."""
        return self._subscribers.smk(b_tid, self.naf_id, rand)

    def srk(self, b_tid: str) -> Secret:
        """Return the SRK, with which the terminal of this B-TID shows who it is. Raises `HeadendError`."""
        return self._subscribers.srk(b_tid, self.naf_id)

    def keys(self, service: str) -> tuple[ServiceKey, ...]:
        """Return the SEKs of a service in order of use. Raises `HeadendError` for an unknown service."""
        if service not in self._keys:
            raise HeadendError(f"there is no service {service}")
        return tuple(self._keys[service])

    def current_key(self, service: str) -> ServiceKey:
        """Return the SEK in use now. Raises `HeadendError` for an unknown service."""
        elapsed = (self._clock.now() - self._start).total_seconds() * 1000
        mtk_id = int(elapsed // self._scenario.stkm.crypto_period) + 1
        begun = [key for key in self.keys(service) if key.first_mtk_id <= mtk_id]
        return begun[-1]

    def ltkm(
        self,
        service: str,
        b_tid: str,
        key: ServiceKey | None = None,
        *,
        validity: KeyInterval | None = None,
        verification_requested: bool = True,
        extension: Extension | None = None,
    ) -> bytes:
        """Return an LTKM that brings `key` (by default the current SEK) to the card behind `b_tid`.

        `validity` replaces the key's own limits; `extension` is an OMA BCAST extension. T is one higher than
        in the last LTKM for this B-TID. Raises `HeadendError`.
        """
        key = key or self.current_key(service)
        smk = self.smk(b_tid, key.rand)
        content = LtkmContent(
            key_ids=key.key_ids,
            key=key.key,
            validity=validity or key.validity,
            counter=self._next_counter(b_tid),
            csb_id=key.csb_id,
            rand=key.rand,
            naf_id=self.naf_id,
            b_tid=b_tid,
            verification_requested=verification_requested,
            extension=extension,
        )
        return seal_ltkm(content, smk)

    def withdrawal(self, service: str, b_tid: str, key: ServiceKey | None = None) -> bytes:
        """Return an LTKM that takes a SEK away, by default the current one. Raises `HeadendError`."""
        return self.ltkm(service, b_tid, key, validity=_WITHDRAWN)

    def rekey(self, service: str) -> ServiceKey:
        """Give a service a further SEK, for the MTK IDs behind those of its last one, and return it.

        Raises `HeadendError` for an unknown service, and when the last SEK leaves no MTK ID over.
        """
        last = self.keys(service)[-1]
        if last.last_mtk_id == LAST_MTK_ID:
            raise HeadendError(f"the last SEK of {service} is good for all MTK IDs: end it first")
        number = int.from_bytes(last.key_ids.key_number, "big") + 1
        key = make_key(self._scenario, self._scenario.service(service), number, last.last_mtk_id + 1, LAST_MTK_ID)
        self._keys[service].append(key)
        return key

    def verify(self, ltkm: bytes, answer: bytes) -> None:
        """Check that `answer` is the verification message to `ltkm`, which this BSM sent.

        Raises `VerificationError` when it does not match, `HeadendError` when the SMK is no longer known.
        """
        try:
            b_tid, rand = recipient(ltkm), rand_of(ltkm)
        except DecodeError as error:
            raise VerificationError(f"what was sent is no LTKM: {error}") from None
        open_verification(ltkm, answer, self.smk(b_tid, rand))

    def report(self, ltkm: bytes, answer: bytes) -> LtkmReport | None:
        """Check `answer` as `verify` does and return the card's report in it, None when it holds none.

        Raises `VerificationError`, `HeadendError`.
        """
        self.verify(ltkm, answer)
        try:
            extension = bcast_extension(MikeyMessage.decode(answer))
            if extension is None or extension[0] != Subtype.LTKM_REPORTING:
                return None
            return LtkmReport.decode(extension[1])
        except DecodeError as error:
            raise VerificationError(f"the card's report cannot be read: {error}") from None

    def _next_counter(self, b_tid: str) -> int:
        counter = self._counters.get(b_tid, 0) + 1
        if counter > _LAST_COUNTER:
            raise HeadendError("no LTKM can go out under this SMK any more: bootstrap again")
        self._counters[b_tid] = counter
        return counter
