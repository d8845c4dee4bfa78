"""GBA push as the terminal runs it: a message of the network sets up a key with a NAF, and no answer is needed.

TS 33.223 clause 5.1.4 has the steps, for GBA_U here: Ks stays in the card. Such a Ks serves the NAF of the push alone;
`host_tools.terminal.gba.usable_ks` sees to that.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from card.codec.gba_push import SealedGpi
from card.crypto.gba import b_tid
from card.crypto.gba_push import GPI_NAF_IDS, Gpi, GpiKeys, open_gpi
from card.crypto.secret import Secret
from card.errors import DecodeError, MacMismatch
from card.spec.gba import UA_PROTOCOL_SIZE
from host_tools.exchange.messages.fields import from_date_time
from host_tools.terminal.aka import SynchronisationFailure
from host_tools.terminal.errors import NetworkRefusedError
from host_tools.terminal.usim import USIM_AID_PREFIX, Usim

_OF_NAF, _UNDEFINED = b"naf", b"undefined"  # behind the RAND in the name of a pushed Ks (clauses 5.2.2, 5.1.4 step 8)


class PushVerdict(Enum):
    """The result of a GBA push. The value is what a person reads."""

    ESTABLISHED = "the card and the NAF share keys now"
    KNOWN = "dropped: the card has the keys of this RAND already"
    UNREADABLE = "dropped: it is no GPI message of version 1"
    NOT_GBA_U = "dropped: it is for GBA_ME, where the terminal keeps the keys; this terminal does GBA_U only"
    OTHER_APPLICATION = "dropped: it is for another application of the card than its USIM"
    NOT_AUTHENTIC = "the card finds the challenge not authentic: it is for another subscriber, or forged"
    OUT_OF_STEP = "the card finds the sequence number stale; AUTS may go to the NAF where there is a way"
    FORGED = "the MAC of the message is wrong; the card's new Ks serves nothing"
    UNUSABLE = "the message is authentic and cannot be used; the card's new Ks serves nothing"


@dataclass(frozen=True, slots=True)
class NafSa:
    """The security association with a NAF (clause 5.2.3). The card keeps Ks_int_NAF.

    `naf_id` is the FQDN and 5 bytes of the Ua protocol. `downlink_id` names the keys in what the NAF sends, `p_tid` in
    what the terminal sends. `ks_ext_naf` has 32 bytes.
    """

    naf_id: bytes
    expires: datetime
    p_tid: str
    downlink_id: str
    ks_ext_naf: Secret

    @property
    def fqdn(self) -> str:
        """The name of the NAF."""
        return self.naf_id[:-UA_PROTOCOL_SIZE].decode("utf-8", "replace")

    @property
    def ua_protocol(self) -> bytes:
        """The Ua security protocol identifier (5 bytes)."""
        return self.naf_id[-UA_PROTOCOL_SIZE:]


@dataclass(frozen=True, slots=True)
class PushOutcome:
    """The result of a GPI message: keys with a NAF, or why there are none. `auts` (14 bytes) is for the network."""

    verdict: PushVerdict
    sa: NafSa | None = None
    auts: bytes | None = None


def take_push(usim: Usim, raw: bytes, impi: str) -> PushOutcome:
    """Run the push procedure for a GPI message with the card, whose PIN is verified.

    Raises `StatusError`, `MalformedAnswerError`, `LinkError`; whatever is wrong with the message is an outcome.
    """
    try:
        message = SealedGpi.decode(raw)
    except DecodeError:
        return PushOutcome(PushVerdict.UNREADABLE)
    if not message.gba_u:
        return PushOutcome(PushVerdict.NOT_GBA_U)
    if not _is_for(usim, message.app_label):
        return PushOutcome(PushVerdict.OTHER_APPLICATION)
    if _has_keys(usim, message.rand):
        return PushOutcome(PushVerdict.KNOWN)
    if not _is_incomplete(usim, message.rand):
        failure = _activate_ks(usim, message)
        if failure is not None:
            return failure
    return _complete(usim, raw, message.rand, impi)


def _is_for(usim: Usim, label: bytes) -> bool:
    """Tell whether an application label names the card's USIM; an empty one leaves it to the context (step 2, 3)."""
    if not label:
        return True
    labels = [one.label for one in usim.applications() if one.aid.startswith(USIM_AID_PREFIX)]
    return labels[:1] == [label.decode("utf-8", "replace")]


def _has_keys(usim: Usim, rand: bytes) -> bool:
    """Tell whether an earlier copy set up its keys: EF_GBANL shows a NAF under the name of this Ks (step 4a)."""
    name = b_tid(rand, _OF_NAF)
    return any(key.b_tid == name and key.naf_id not in GPI_NAF_IDS for key in usim.read_naf_keys())


def _is_incomplete(usim: Usim, rand: bytes) -> bool:
    """Tell whether an earlier copy got as far as the Ks and no further (step 4b): the card refuses its SQN now."""
    found = usim.read_bootstrapping()
    return found is not None and found.rand == rand


def _activate_ks(usim: Usim, message: SealedGpi) -> PushOutcome | None:
    """Have the card make Ks (step 6); return what went wrong, if anything."""
    try:
        answer = usim.gba_bootstrap(message.rand, message.autn)
    except NetworkRefusedError:
        return PushOutcome(PushVerdict.NOT_AUTHENTIC)
    if isinstance(answer, SynchronisationFailure):
        return PushOutcome(PushVerdict.OUT_OF_STEP, auts=answer.auts)
    return None


def _complete(usim: Usim, raw: bytes, rand: bytes, impi: str) -> PushOutcome:
    """Check and read the message with keys from the card, and derive those of the NAF (steps 7 to 11)."""
    keys = GpiKeys.of_naf_keys(*(usim.gba_naf_derivation(name, impi.encode()) for name in GPI_NAF_IDS))
    try:
        gpi = open_gpi(raw, keys)
    except (MacMismatch, DecodeError) as error:
        usim.update_gbabp(rand, b_tid(rand, _UNDEFINED).decode(), "")
        return PushOutcome(PushVerdict.FORGED if isinstance(error, MacMismatch) else PushVerdict.UNUSABLE)
    return PushOutcome(PushVerdict.ESTABLISHED, _establish(usim, gpi, impi))


def _establish(usim: Usim, gpi: Gpi, impi: str) -> NafSa:
    """Name the Ks before the derivation, so that EF_GBANL shows the NAF under that name (TS 31.102 clause 7.1.1.5)."""
    name = b_tid(gpi.rand, _OF_NAF).decode()
    usim.update_gbabp(gpi.rand, name, from_date_time(gpi.expires))
    key = usim.gba_naf_derivation(gpi.naf_id, impi.encode())
    return NafSa(gpi.naf_id, gpi.expires, gpi.p_tid, name, key)
