"""What scripts can compute: the network's side of AKA, GBA, MBMS, OMA BCAST and BCMCS, and arithmetic on bytes.

Written `name(argument, ...)`, where an argument is a variable, hex as `0x…`, or text in single quotes.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from card.codec.bcd import decode_imsi
from card.codec.mikey import KeyInterval, MbmsKeyIds
from card.crypto import gba
from card.crypto.milenage import Milenage
from card.crypto.primitives import equal_bytes, xor_bytes
from card.crypto.secret import Secret
from card.errors import CardError
from host_tools.headend.bsm.ltkm import LtkmContent, seal_ltkm
from host_tools.headend.service_keys import NO_KEY_NUMBER
from host_tools.headend.stkm import StkmContent, seal_stkm
from host_tools.script.errors import ExpressionError
from host_tools.script.functions import bcast, bcmcs
from host_tools.script.functions.bcast import CSB_ID, SRTP_STREAM
from host_tools.script.functions.ef_muk import last_counter, muk_id_under
from host_tools.script.template import NAME
from host_tools.script.values import Scope, Value
from host_tools.terminal.identity import Identity

_CALL = re.compile(rf"\s*({NAME})\s*\(([^()]*)\)\s*")
_ARGUMENT = re.compile(rf"(?P<name>{NAME})|0x(?P<hex>(?:[0-9A-Fa-f]{{2}})*)|'(?P<text>[^']*)'")
_COMMA = re.compile(r",(?=(?:[^']*'[^']*')*[^']*$)")  # outside of quotes
_IND_BITS = 5  # TS 33.102 annex C.3

Function = Callable[..., bytes]


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its arguments: names of variables, or bytes (hex and quoted text)."""

    function: str
    arguments: tuple[str | bytes, ...]

    @classmethod
    def parse(cls, text: str) -> Call:
        """Read a call. Raises `ExpressionError` for an unknown function or a wrong number of arguments."""
        match = _CALL.fullmatch(text)
        if match is None:
            raise ExpressionError(f"{text[:40]!r} is no call: function(argument, ...)")
        name, inside = match.groups()
        if name not in FUNCTIONS:
            raise ExpressionError(f"there is no function {name!r}; there are: {', '.join(FUNCTIONS)}")
        arguments = tuple(_argument(part.strip()) for part in _COMMA.split(inside)) if inside.strip() else ()
        wanted = list(inspect.signature(FUNCTIONS[name].run).parameters)
        if len(arguments) != len(wanted):
            raise ExpressionError(f"{name} takes {len(wanted)} arguments: {', '.join(wanted)}")
        return cls(name, arguments)

    @property
    def names(self) -> frozenset[str]:
        """The variables that occur."""
        return frozenset(argument for argument in self.arguments if isinstance(argument, str))

    def evaluate(self, scope: Scope) -> Value:
        """Return the result. Raises `ExpressionError`, whose message shows no argument."""
        row = FUNCTIONS[self.function]
        values = [scope.get(item) if isinstance(item, str) else Value(item) for item in self.arguments]
        try:
            result = row.run(*(value.data for value in values))
        except (ValueError, CardError, OverflowError, IndexError) as error:
            why = str(error) if isinstance(error, CardError) else "an argument has the wrong size"
            raise ExpressionError(f"{self.function}: {why}") from None
        secret = row.secret if row.secret is not None else any(value.secret for value in values)
        return Value(result, secret)


def _argument(text: str) -> str | bytes:
    match = _ARGUMENT.fullmatch(text)
    if match is None:
        raise ExpressionError(f"{text[:20]!r} is neither a variable, nor hex as 0x…, nor text in single quotes")
    if match["text"] is not None:
        return match["text"].encode()
    return match["name"] or bytes.fromhex(match["hex"])


@dataclass(frozen=True, slots=True)
class FunctionRow:
    """A function, whether its result is secret (None: when an argument is), and what it gives."""

    run: Function
    secret: bool | None
    meaning: str


def _milenage(k: bytes, opc: bytes) -> Milenage:
    return Milenage(Secret(k), Secret(opc))


def _autn(k: bytes, opc: bytes, rand: bytes, sqn: bytes, amf: bytes) -> bytes:
    algorithm = _milenage(k, opc)
    return xor_bytes(sqn, algorithm.f2345(rand).ak) + amf + algorithm.f1(rand, sqn, amf)


def _res(k: bytes, opc: bytes, rand: bytes) -> bytes:
    return _milenage(k, opc).f2345(rand).res


def _sqn_of_auts(k: bytes, opc: bytes, rand: bytes, auts: bytes) -> bytes:
    algorithm = _milenage(k, opc)
    sqn = xor_bytes(auts[:6], algorithm.f5_star(rand))
    if not equal_bytes(algorithm.f1_star(rand, sqn, bytes(2)), auts[6:]):
        raise ExpressionError("sqn_of_auts: the MAC-S in AUTS is wrong: are K and OPc those of this card?")
    return sqn


def _next_sqn(sqn: bytes) -> bytes:
    """Return SQN with SEQ one higher and the index as it was."""
    return (int.from_bytes(sqn, "big") + (1 << _IND_BITS)).to_bytes(6, "big")


def _autn_star(k: bytes, opc: bytes, rand: bytes, autn: bytes) -> bytes:
    return gba.mask_autn(autn, _milenage(k, opc).f2345(rand).ik)


def _ks(k: bytes, opc: bytes, rand: bytes) -> Secret:
    out = _milenage(k, opc).f2345(rand)
    return gba.derive_ks(out.ck, out.ik)


def _ks_int_naf(k: bytes, opc: bytes, rand: bytes, impi: bytes, naf_id: bytes) -> bytes:
    return gba.derive_ks_int_naf(_ks(k, opc, rand), rand, impi, naf_id).reveal()


def _ks_ext_naf(k: bytes, opc: bytes, rand: bytes, impi: bytes, naf_id: bytes) -> bytes:
    return gba.derive_ks_ext_naf(_ks(k, opc, rand), rand, impi, naf_id).reveal()


def _impi(imsi_file: bytes, mnc_length: bytes) -> bytes:
    return Identity(decode_imsi(imsi_file), mnc_length[-1] & 0x0F).impi.encode()


def _gba_res(k: bytes, opc: bytes, rand: bytes) -> bytes:
    return gba.flip_res(_res(k, opc, rand))


def _content(
    domain: bytes, msk_id: bytes, msk: bytes, seq_l: bytes, seq_u: bytes, counter: bytes, bmsc: bytes, b_tid: bytes,
    rand: bytes,
) -> LtkmContent:  # fmt: skip
    return LtkmContent(
        key_ids=MbmsKeyIds(domain, msk_id),
        key=Secret(msk),
        validity=KeyInterval(seq_l, seq_u),
        counter=int.from_bytes(counter, "big"),
        csb_id=CSB_ID,
        rand=rand,
        fqdn=bmsc,
        b_tid=b_tid.decode("ascii"),
        verification_requested=False,
        stream=SRTP_STREAM,
    )


def _ltkm(
    muk: bytes, domain: bytes, msk_id: bytes, msk: bytes, seq_l: bytes, seq_u: bytes, counter: bytes, bmsc: bytes,
    b_tid: bytes, rand: bytes,
) -> bytes:  # fmt: skip
    return seal_ltkm(_content(domain, msk_id, msk, seq_l, seq_u, counter, bmsc, b_tid, rand), Secret(muk))


def _ltkm_v(
    muk: bytes, domain: bytes, msk_id: bytes, msk: bytes, seq_l: bytes, seq_u: bytes, counter: bytes, bmsc: bytes,
    b_tid: bytes, rand: bytes,
) -> bytes:  # fmt: skip
    content = _content(domain, msk_id, msk, seq_l, seq_u, counter, bmsc, b_tid, rand)
    return seal_ltkm(replace(content, verification_requested=True), Secret(muk))


def _ltkm_download(
    muk: bytes, domain: bytes, msk_id: bytes, msk: bytes, seq_l: bytes, seq_u: bytes, counter: bytes, bmsc: bytes,
    b_tid: bytes, rand: bytes,
) -> bytes:  # fmt: skip
    content = _content(domain, msk_id, msk, seq_l, seq_u, counter, bmsc, b_tid, rand)
    return seal_ltkm(replace(content, stream=None), Secret(muk))


def _pull(
    muk: bytes, domain: bytes, group: bytes, counter: bytes, bmsc: bytes, b_tid: bytes, rand: bytes
) -> bytes:  # fmt: skip
    content = _content(domain, group + NO_KEY_NUMBER, b"", b"", b"", counter, bmsc, b_tid, rand)
    return seal_ltkm(replace(content, validity=None), Secret(muk))


def _stkm(
    msk: bytes, domain: bytes, msk_id: bytes, mtk_id: bytes, tek: bytes, salt: bytes, counter: bytes, rand: bytes
) -> bytes:
    ids = MbmsKeyIds(domain, msk_id, mtk_id)
    content = StkmContent(ids, Secret(tek), Secret(salt) if salt else None, int.from_bytes(counter, "big"))
    return seal_stkm(content, Secret(msk), CSB_ID, rand)


def _add(value: bytes, number: bytes) -> bytes:
    total = int.from_bytes(value, "big") + int.from_bytes(number, "big")
    return (total % (1 << 8 * len(value))).to_bytes(len(value), "big")


def _flip(value: bytes) -> bytes:
    """Return the value with its last bit changed: a MAC that is wrong."""
    return value[:-1] + bytes((value[-1] ^ 1,))


FUNCTIONS: Mapping[str, FunctionRow] = {
    "autn": FunctionRow(_autn, False, "AUTN (16 bytes) of a MILENAGE subscriber"),
    "res": FunctionRow(_res, False, "RES (8 bytes)"),
    "gba_res": FunctionRow(_gba_res, False, "RES of GBA_U (8 bytes): its last bit is flipped"),
    "sqn_of_auts": FunctionRow(_sqn_of_auts, False, "the SQN (6 bytes) inside AUTS, whose MAC is checked"),
    "next_sqn": FunctionRow(_next_sqn, False, "SQN with SEQ one higher"),
    "autn_star": FunctionRow(_autn_star, False, "AUTN* (16 bytes) of GBA_U"),
    "ks_int_naf": FunctionRow(_ks_int_naf, True, "Ks_int_NAF (32 bytes), the MUK"),
    "ks_ext_naf": FunctionRow(_ks_ext_naf, True, "Ks_ext_NAF (32 bytes)"),
    "b_tid": FunctionRow(gba.b_tid, False, "the B-TID"),
    "impi": FunctionRow(_impi, False, "the IMPI of a subscriber without ISIM"),
    "ltkm": FunctionRow(_ltkm, False, "an MSK message for streaming without the V bit; without a key: its validity"),
    "ltkm_v": FunctionRow(_ltkm_v, False, "an MSK message for streaming with the V bit"),
    "ltkm_download": FunctionRow(_ltkm_download, False, "an MSK message for download, without the V bit"),
    "ltkm_pull": FunctionRow(_pull, False, "an MSK message with which a BM-SC asks to be asked for keys"),
    "verified": FunctionRow(bcast.verified, False, "a verification message, once its MAC is checked"),
    "stkm": FunctionRow(_stkm, False, "an MTK message: for streaming with a salt, for download without one"),
    "bcast_number": FunctionRow(bcast.number, False, "a tag, mode, property or the PIN reference of a set of tables"),
    "bcast_spe": FunctionRow(bcast.spe, False, "the value of an SPE, by its name"),
    "bcast_status": FunctionRow(bcast.status, False, "the status object of an answer"),
    "bcast_refusal": FunctionRow(bcast.refusal, False, "the data of a refusal; none behind a status word"),
    "bcast_deletion": FunctionRow(bcast.deletion, False, "the data that answer a deletion; none behind a status word"),
    "bcast_stricter": FunctionRow(
        bcast.stricter, False, "the rating (type and value) that a level granted just holds back"
    ),
    "bcast_policy": FunctionRow(bcast.policy, False, "the extension of an LTKM with a policy"),
    "bcast_rated_policy": FunctionRow(bcast.rated_policy, False, "the extension of an LTKM with a policy and a rating"),
    "bcast_parental": FunctionRow(bcast.parental, False, "the extension of a parental control message"),
    "bcast_stkm_data": FunctionRow(bcast.stkm_data, False, "the extension of an STKM"),
    "bcast_ltkm": FunctionRow(bcast.ltkm, False, "an LTKM"),
    "bcast_ltkm_v": FunctionRow(bcast.ltkm_v, False, "an LTKM with the V bit"),
    "bcast_stkm": FunctionRow(bcast.stkm, False, "an STKM"),
    "csim_nai": FunctionRow(bcmcs.nai, False, "the NAI in EF_HRPDUPP"),
    "bcmcs_tk": FunctionRow(bcmcs.tk, True, "the TK (16 bytes) for a RAND, the SMK of a CSIM"),
    "bcmcs_sealed_bak": FunctionRow(bcmcs.sealed_bak, False, "a BAK as it is delivered"),
    "bcmcs_sk": FunctionRow(bcmcs.sk, True, "the SK (16 bytes)"),
    "bcmcs_srtp_sk": FunctionRow(bcmcs.srtp_sk, True, "the SK for SRTP (16 bytes)"),
    "bcmcs_signature": FunctionRow(bcmcs.signature, False, "an authorization signature"),
    "bcmcs_response": FunctionRow(bcmcs.response, False, "the answer to a challenge"),
    "muk_id_under": FunctionRow(muk_id_under, False, "the MUK ID in a record of EF_MUK, if its BM-SC is under a name"),
    "ltkm_counter": FunctionRow(last_counter, False, "the counter of a BM-SC in a record of EF_MUK"),
    "xor": FunctionRow(xor_bytes, None, "both values, bit by bit"),
    "add": FunctionRow(_add, None, "a value with a number added"),
    "flip": FunctionRow(_flip, None, "a value with its last bit changed"),
    "concat": FunctionRow(lambda first, second: first + second, None, "one value behind the other"),
}
