"""AUTHENTICATE with the even instruction byte: GSM, 3G and GBA security contexts (TS 31.102 clause 7.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from card.codec.apdu import CommandApdu
from card.codec.group_call import SERVICE_ID_SIZE, VoiceService
from card.codec.reader import Reader
from card.commands.authenticate.contexts import ERRORS, Security, current_security, find_context
from card.commands.context import Context
from card.commands.registry import INTERINDUSTRY, CommandRow, Data
from card.commands.reply import Refused, Reply
from card.crypto.gsm_conversion import derive_kc
from card.domain.authentication.aka import AUTN_SIZE, RAND_SIZE, SynchronisationFailure
from card.domain.authentication.group_calls import SERVICES, VSTK_RAND_SIZE
from card.domain.services import GBA, GSM_ACCESS, GSM_SECURITY_CONTEXT
from card.errors import CardError, DecodeError
from card.lean import lean_dataclass
from card.spec import contexts
from card.spec.ins import INS
from card.spec.refs import Ref
from card.spec.status import SW

_SUCCESS = bytes((contexts.SUCCESS,))
_SYNCHRONISATION_FAILURE = bytes((contexts.SYNCHRONISATION_FAILURE,))


@lean_dataclass(frozen=True, slots=True)
class Challenge:
    """RAND, and AUTN where the context has one (16 bytes each)."""

    rand: bytes
    autn: bytes = b""


@lean_dataclass(frozen=True, slots=True)
class NafDerivation:
    """NAF_ID (FQDN and Ua protocol identifier) and IMPI as the terminal gives them; an ISIM has the IMPI itself."""

    naf_id: bytes
    impi: bytes | None


@lean_dataclass(frozen=True, slots=True)
class GroupChallenge:
    """Voice service, number of the group key, and VSTK_RAND (36 bits in 5 bytes)."""

    service: VoiceService
    key_id: int
    rand: bytes


def _lv(*values: bytes) -> bytes:
    return b"".join([bytes((len(value),)) + value for value in values])


def _exact(reader: Reader, size: int, what: str) -> bytes:
    value = reader.lv(what)
    if len(value) != size:
        raise DecodeError(f"{what}: {size} bytes wanted, {len(value)} found")
    return value


def decode_gsm(data: bytes) -> Challenge:
    """Read a length-prefixed RAND."""
    reader = Reader(data)
    rand = _exact(reader, RAND_SIZE, "RAND")
    reader.expect_end("GSM challenge")
    return Challenge(rand)


def decode_3g(data: bytes) -> Challenge:
    """Read length-prefixed RAND and AUTN."""
    reader = Reader(data)
    challenge = Challenge(_exact(reader, RAND_SIZE, "RAND"), _exact(reader, AUTN_SIZE, "AUTN"))
    reader.expect_end("3G challenge")
    return challenge


def decode_group_call(data: bytes) -> GroupChallenge:
    """Read length-prefixed Vservice_Id, VK_Id and VSTK_RAND (TS 31.102 clause 7.1.2.2).

    AUTHENTICATE does not answer 6A80 (clause 7.3.2): raises `Refused` with 6700 where a length is wrong.
    """
    reader = Reader(data)
    try:
        service = VoiceService.decode(_exact(reader, SERVICE_ID_SIZE, "Vservice_Id"))
        key_id = _exact(reader, 1, "VK_Id")[0]
        rand = _exact(reader, VSTK_RAND_SIZE, "VSTK_RAND")
        reader.expect_end("group call challenge")
    except DecodeError:
        raise Refused(SW.WRONG_LENGTH) from None
    return GroupChallenge(service, key_id, rand)


def decode_gba(data: bytes) -> Challenge | NafDerivation:
    """Read the mode byte, then RAND and AUTN*, or NAF_ID and IMPI, the latter not on an ISIM."""
    mode, body = data[0], data[1:]
    if mode == contexts.BOOTSTRAPPING:
        return decode_3g(body)
    if mode != contexts.NAF_DERIVATION:
        raise DecodeError(f"GBA mode {mode:02X} is unknown")
    reader = Reader(body)
    request = NafDerivation(reader.lv("NAF_ID"), reader.lv("IMPI") if reader.remaining else None)
    reader.expect_end("NAF derivation")
    return request


def run_gsm(security: Security, challenge: Challenge) -> bytes:
    """Return SRES and Kc, each behind its length."""
    return _lv(*security.application.aka.run_gsm(challenge.rand))


def run_3g(security: Security, challenge: Challenge) -> bytes:
    """Return RES, CK and IK, with Kc where the card offers GSM access; or AUTS."""
    result = security.application.aka.authenticate(challenge.rand, challenge.autn)
    if isinstance(result, SynchronisationFailure):
        return _SYNCHRONISATION_FAILURE + _lv(result.auts)
    keys = [result.res, result.ck, result.ik]
    if security.application.services.offers(GSM_ACCESS):
        keys.append(derive_kc(result.ck, result.ik))
    return _SUCCESS + _lv(*keys)


def run_group_call(security: Security, challenge: GroupChallenge) -> bytes:
    """Return VSTK. The call and its security must both be available, by the service flag (TS 31.102 clause 7.1.1.3)."""
    security.application.services.require(*SERVICES[challenge.service.call])
    vstk = security.application.groups.derive_vstk(challenge.service, challenge.key_id, challenge.rand)
    return _SUCCESS + _lv(vstk.reveal())


def run_gba(security: Security, request: Challenge | NafDerivation) -> bytes:
    """Return RES or AUTS of a bootstrapping, or the Ks_ext_NAF of a NAF derivation.

    A USIM is given the IMPI (TS 31.102 clause 7.1.2.4), an ISIM takes its own (TS 31.103 clause 7.1.1.3).
    """
    gba = security.application.gba
    if isinstance(request, NafDerivation):
        if gba.has_impi == (request.impi is not None):
            raise DecodeError("NAF derivation: an IMPI on a USIM, none on an ISIM")
        impi = gba.own_impi() if request.impi is None else request.impi
        return _SUCCESS + _lv(gba.derive_naf_keys(request.naf_id, impi).reveal())
    result = gba.bootstrap(request.rand, request.autn)
    if isinstance(result, SynchronisationFailure):
        return _SYNCHRONISATION_FAILURE + _lv(result.auts)
    return _SUCCESS + _lv(result)


@lean_dataclass(frozen=True, slots=True)
class EvenContext:
    """A security context of the even instruction: the services it needs, how to decode and how to run it.

    `either` are sets of services of which the data names the one that is needed: one of them must be there.
    """

    name: str
    services: tuple[int, ...]
    decode: Callable[[bytes], Any]
    run: Callable[[Security, Any], bytes]
    either: tuple[tuple[int, ...], ...] = ()


CONTEXTS: Mapping[int, EvenContext] = {
    contexts.EvenP2.GSM: EvenContext("GSM", (GSM_SECURITY_CONTEXT,), decode_gsm, run_gsm),
    contexts.EvenP2.UMTS: EvenContext("3G", (), decode_3g, run_3g),
    contexts.EvenP2.GROUP_CALL: EvenContext(
        "VGCS/VBS", (), decode_group_call, run_group_call, tuple(SERVICES.values())
    ),
    contexts.EvenP2.GBA: EvenContext("GBA", (GBA,), decode_gba, run_gba),
}


@lean_dataclass(frozen=True, slots=True)
class Authenticate:
    """A decoded AUTHENTICATE: the context and its data, which the context decodes once access is granted."""

    context: EvenContext
    data: bytes


def decode(apdu: CommandApdu) -> Authenticate:
    """Find the context named by P2."""
    return Authenticate(find_context(CONTEXTS, apdu.p2), apdu.data)


def authenticate(ctx: Context, request: Authenticate) -> Reply:
    """Check access and service, then run the context."""
    security = current_security(ctx, request.context.services)
    security.application.services.require_one_of(request.context.either)
    return Reply(request.context.run(security, request.context.decode(request.data)))


# TS 31.102 table 7.3.2 has no 6A80 for this command: what does not add up is a wrong length.
_ERRORS: Mapping[type[CardError], int] = {**ERRORS, DecodeError: SW.WRONG_LENGTH}

ROWS: tuple[CommandRow, ...] = (
    CommandRow(
        name="AUTHENTICATE",
        ins=INS.AUTHENTICATE,
        families=INTERINDUSTRY,
        decode=decode,
        execute=authenticate,
        ref=Ref("TS 31.102", "7.1"),
        data=Data.REQUIRED,
        parameters=lambda p1, _: p1 == 0,
        errors=_ERRORS,
    ),
)
