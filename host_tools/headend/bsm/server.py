"""The subscription management: BSM to the broadcast, BM-SC to the card, NAF to GBA (TS 33.246 clause 6).

It gets each subscriber's SMK and SRK from whoever knows the root of its keys: by B-TID from GBA (`mbms_naf`), or by NAI
from the home of a CSIM. It mints LTKMs under the SMK and checks the verification messages that come back. Where `b_tid`
is asked for, the NAI stands in for it with a CSIM.

T counts the LTKMs under one SMK, so a new B-TID begins anew (TS 33.246 clause 6.4.3). Whatever is minted is to be sent
in this order; `LtkmSender` says what goes again when no answer comes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from card.codec.bcast import LtkmReport, Subtype, bcast_extension
from card.codec.mikey import Extension, KeyInterval, MbmsKeyIds, MikeyMessage
from card.crypto.secret import Secret
from card.errors import DecodeError
from card.spec.gba import naf_id
from host_tools.headend.bsm.ltkm import LtkmContent, open_verification, rand_of, recipient, renew_ltkm, seal_ltkm
from host_tools.headend.bsm.ports import KeyStore, SekMaker, Services, SubscriberKeys
from host_tools.headend.clock import NetworkClock
from host_tools.headend.errors import HeadendError, VerificationError
from host_tools.headend.service_keys import LAST_MTK_ID, NO_KEY_NUMBER, ServiceKey, mtk_interval

_WITHDRAWN = KeyInterval.between(1, 0, 2)  # a lower limit above the upper one
_LAST_COUNTER = 0xFFFF_FFFF


class Bsm:
    """Knows the services and their SEKs, and delivers them to subscribers."""

    def __init__(
        self,
        fqdn: str,
        services: Services,
        keys: KeyStore,
        make_sek: SekMaker,
        subscribers: SubscriberKeys,
        clock: NetworkClock,
    ) -> None:
        """Take its name, what is on the air, where keys are kept and made, who knows subscribers' keys, and the time.

        By the clock a SEK is current.
        """
        self._fqdn = fqdn
        self._services = services
        self._keys = keys
        self._make_sek = make_sek
        self._subscribers = subscribers
        self._clock = clock

    @property
    def fqdn(self) -> bytes:
        """The name of the BM-SC as it stands in IDi (TS 33.246 clause 6.4.5.1)."""
        return self._fqdn.encode()

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
        return self._keys.seks(service)

    def brought(self, identity: str, service: str) -> tuple[ServiceKey, ...]:
        """Return the SEKs of a service that were brought to a subscriber and not withdrawn, over or not."""
        return self._keys.held(identity, service)

    def identity(self, b_tid: str) -> str:
        """Return who is behind a B-TID, the same under every SMK. Raises `HeadendError`."""
        return self._subscribers.identity(b_tid, self.naf_id)

    def mtk_id(self, service: str) -> int:
        """Return the MTK ID of the crypto period of now. Raises `HeadendError` for an unknown service."""
        return self._services.mtk_id(service, self._clock.now())

    def current_key(self, service: str) -> ServiceKey:
        """Return the SEK in use now, or the last that was. Raises `HeadendError`, also where none has begun."""
        mtk_id = self._services.mtk_id(service, self._clock.now())
        keys = self._keys.seks(service)
        good = [key for key in keys if key.is_good_for(mtk_id)]
        begun = [key for key in keys if key.first_mtk_id <= mtk_id]
        if not begun:
            raise HeadendError(f"no SEK of {service} has begun")
        return (good or begun)[-1]

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
        in the last LTKM for this B-TID. Raises `HeadendError`, also when the SMK is over: then a `pull` asks the
        terminal for a new one.
        """
        key = key or self.current_key(service)
        self._require_life(b_tid)
        validity = validity or key.validity
        content = self._content(b_tid, key, validity)
        # Tokens and parental control name no key, so there is no stream to describe either.
        described = key.key_ids.key_number != NO_KEY_NUMBER
        content = replace(
            content,
            verification_requested=verification_requested,
            stream=content.stream if described else None,
            extension=extension,
        )
        if described:
            withdrawn = validity.lower > validity.upper
            note = self._keys.note_withdrawn if withdrawn else self._keys.note_brought
            note(self.identity(b_tid), key)
        return seal_ltkm(content, self.smk(b_tid, key.rand))

    def withdrawal(self, service: str, b_tid: str, key: ServiceKey | None = None) -> bytes:
        """Return an LTKM that makes a SEK invalid, by default the current one. Raises `HeadendError`."""
        return self.ltkm(service, b_tid, key, validity=_WITHDRAWN)

    def validity_update(self, b_tid: str, key: ServiceKey, first_mtk_id: int, last_mtk_id: int) -> bytes:
        """Return an LTKM without a key: the one the card has gets these limits (TS 33.246 clause 6.5.3).

        Raises `HeadendError`.
        """
        self._require_life(b_tid)
        content = self._content(b_tid, key, mtk_interval(first_mtk_id, last_mtk_id))
        return seal_ltkm(replace(content, key=Secret(b"")), self.smk(b_tid, key.rand))

    def pull(self, service: str, b_tid: str) -> bytes:
        """Return a message that makes the terminal ask for the current SEK (TS 33.246 clause 6.3.2.2.4).

        It names Key Number 0, carries no key data and wants no answer. It goes out under the SMK this BM-SC knows,
        also beyond its life. Raises `HeadendError`.
        """
        key = self.current_key(service)
        ids = MbmsKeyIds(key.key_domain_id, key.key_ids.key_group + NO_KEY_NUMBER)
        content = replace(self._content(b_tid, key, None), key_ids=ids, verification_requested=False)
        return seal_ltkm(content, self.smk(b_tid, key.rand))

    def renewed(self, ltkm: bytes) -> bytes:
        """Return an LTKM of this BSM with the next T, to be sent again (TS 33.246 clause 6.4.3).

        Raises `HeadendError`.
        """
        try:
            b_tid, rand = recipient(ltkm), rand_of(ltkm)
        except DecodeError as error:
            raise HeadendError(f"what was sent is no LTKM: {error}") from None
        return renew_ltkm(ltkm, self.smk(b_tid, rand), self._next_counter(b_tid))

    def deregister(self, b_tid: str, left: Iterable[str], kept: Iterable[str]) -> tuple[bytes, ...]:
        """Return the LTKMs that invalidate what a terminal is leaving (TS 33.246 clause 6.3.2.1B).

        What it has `left` may be several items that overlap; a service it has `kept` with another item goes on. What
        was never delivered needs nothing. Raises `HeadendError`.
        """
        identity, staying = self.identity(b_tid), frozenset(kept)
        going = [service for service in dict.fromkeys(left) if service not in staying]
        held = [key for service in going for key in self._keys.held(identity, service)]
        return tuple(self.withdrawal(key.service, b_tid, key) for key in held)

    def rekey(self, service: str) -> ServiceKey:
        """Give a service a further SEK, for the MTK IDs behind those of its last one, and return it.

        Raises `HeadendError` for an unknown service, and when the last SEK leaves no MTK ID over.
        """
        last = self.keys(service)[-1]
        if last.last_mtk_id == LAST_MTK_ID:
            raise HeadendError(f"the last SEK of {service} is good for all MTK IDs: end it first")
        number = int.from_bytes(last.key_ids.key_number, "big") + 1
        key = self._make_sek(service, number, last.last_mtk_id + 1, LAST_MTK_ID)
        self._keys.add_sek(key)
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

    def _content(self, b_tid: str, key: ServiceKey, validity: KeyInterval | None) -> LtkmContent:
        """Return what an LTKM about `key` says, with the next T."""
        return LtkmContent(
            key_ids=key.key_ids,
            key=key.key if validity is not None else Secret(b""),
            validity=validity,
            counter=self._next_counter(b_tid),
            csb_id=key.csb_id,
            rand=key.rand,
            fqdn=self.fqdn,
            b_tid=b_tid,
            stream=self._services.stream(key.service, self._clock.now(), key.first_mtk_id),
        )

    def _require_life(self, b_tid: str) -> None:
        expires = self._subscribers.expires(b_tid, self.naf_id)
        if expires is not None and self._clock.now() >= expires:
            raise HeadendError(f"the SMK of {b_tid} is over: send a solicited pull, and the terminal bootstraps again")

    def _next_counter(self, b_tid: str) -> int:
        counter = self._keys.next_t(self.identity(b_tid), b_tid)
        if counter > _LAST_COUNTER:
            raise HeadendError("no LTKM can go out under this SMK any more: bootstrap again")
        return counter
