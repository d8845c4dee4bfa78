"""CHVs, RUN GSM ALGORITHM and SLEEP of a SIM (TS 51.011 clauses 8.9 to 8.13, 8.16 and 8.17)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from card.codec.apdu import CommandApdu
from card.commands.context import Context
from card.commands.registry import CommandRow, Data, zero_parameters
from card.commands.reply import DONE, Refused, Reply
from card.commands.sim.view import CHV1, CHV2, exactly, require_sim, sim_row
from card.crypto.secret import Secret
from card.domain.authentication.aka import RAND_SIZE
from card.domain.pin import PIN_LENGTH, PinWrong, pin_name
from card.lean import lean_dataclass
from card.spec.ins import INS
from card.spec.status import SimSW

_DF_GSM = "3F00/7F20"


@lean_dataclass(frozen=True, slots=True)
class ChvRequest:
    """Key reference of the CHV, the first value (CHV or unblock code) and the new CHV (empty when absent)."""

    reference: int
    first: Secret
    second: Secret


def _decoder(length: int, references: dict[int, int]) -> Callable[[CommandApdu], ChvRequest]:
    """Return a decoder for data of 8 or 16 bytes; `references` gives the key reference for each P2."""

    def decode(apdu: CommandApdu) -> ChvRequest:
        exactly(length)(apdu)
        first, second = Secret(apdu.data[:PIN_LENGTH]), Secret(apdu.data[PIN_LENGTH:])
        return ChvRequest(references[apdu.p2], first, second)

    return decode


def _name(ctx: Context, reference: int) -> str:
    return pin_name(reference, ctx.channel.application)


def _verified(ctx: Context, name: str, compare: Callable[[], None]) -> Reply:
    """Compare; a right value also verifies the CHV, the last wrong one says that it is now blocked."""
    try:
        compare()
    except PinWrong as error:
        raise Refused(SimSW.ACCESS_NOT_FULFILLED if error.tries_left else SimSW.CHV_BLOCKED) from None
    ctx.mark_verified(name, verified=True)
    return DONE


def verify(ctx: Context, request: ChvRequest) -> Reply:
    """Compare a CHV."""
    name = _name(ctx, request.reference)
    return _verified(ctx, name, partial(ctx.pins.verify, name, request.first.reveal()))


def change(ctx: Context, request: ChvRequest) -> Reply:
    """Replace a CHV."""
    name, old, new = _name(ctx, request.reference), request.first.reveal(), request.second.reveal()
    return _verified(ctx, name, partial(ctx.pins.change, name, old, new))


def set_enabled(ctx: Context, request: ChvRequest, *, enabled: bool) -> Reply:
    """Disable or enable CHV1."""
    name = _name(ctx, request.reference)
    return _verified(ctx, name, partial(ctx.pins.set_enabled, name, request.first.reveal(), enabled=enabled))


def unblock(ctx: Context, request: ChvRequest) -> Reply:
    """Set a new CHV with its unblock code."""
    name, code, new = _name(ctx, request.reference), request.first.reveal(), request.second.reveal()
    return _verified(ctx, name, partial(ctx.pins.unblock, name, code, new))


def decode_challenge(apdu: CommandApdu) -> bytes:
    """Return RAND."""
    exactly(RAND_SIZE)(apdu)
    return apdu.data


def run_gsm_algorithm(ctx: Context, rand: bytes) -> Reply:
    """Return SRES (4 bytes) and Kc (8 bytes), in DF_GSM and after CHV1 only."""
    application = require_sim(ctx)
    if not ctx.channel.directory.startswith(_DF_GSM):
        raise Refused(SimSW.INCONSISTENT_FILE)
    if not ctx.holds(CHV1):
        raise Refused(SimSW.ACCESS_NOT_FULFILLED)
    sres, kc = application.aka.run_gsm(rand)
    return Reply(sres + kc)


def decode_sleep(_apdu: CommandApdu) -> None:
    """SLEEP has no content."""
    return


def sleep(_ctx: Context, _request: None) -> Reply:
    """Phase 1 terminals send it; it does nothing."""
    return DONE


def _chv_parameters(p1: int, p2: int) -> bool:
    return p1 == 0 and p2 in (1, 2)


def _chv1_parameters(p1: int, p2: int) -> bool:
    return p1 == 0 and p2 == 1


def _unblock_parameters(p1: int, p2: int) -> bool:
    return p1 == 0 and p2 in (0, 2)


_BY_NUMBER = {1: CHV1, 2: CHV2}
_ONE, _TWO = _decoder(PIN_LENGTH, _BY_NUMBER), _decoder(2 * PIN_LENGTH, _BY_NUMBER)
_UNBLOCK = _decoder(2 * PIN_LENGTH, {0: CHV1, 2: CHV2})  # in UNBLOCK CHV, P2 is 00 for CHV1
_row = partial(sim_row, data=Data.REQUIRED)

ROWS: tuple[CommandRow, ...] = (
    _row("VERIFY CHV", INS.VERIFY_PIN, "8.9", _ONE, verify, parameters=_chv_parameters),
    _row("CHANGE CHV", INS.CHANGE_PIN, "8.10", _TWO, change, parameters=_chv_parameters),
    _row(
        "DISABLE CHV", INS.DISABLE_PIN, "8.11", _ONE, partial(set_enabled, enabled=False), parameters=_chv1_parameters
    ),
    _row("ENABLE CHV", INS.ENABLE_PIN, "8.12", _ONE, partial(set_enabled, enabled=True), parameters=_chv1_parameters),
    _row("UNBLOCK CHV", INS.UNBLOCK_PIN, "8.13", _UNBLOCK, unblock, parameters=_unblock_parameters),
    sim_row(
        "RUN GSM ALGORITHM", INS.AUTHENTICATE, "8.16", decode_challenge, run_gsm_algorithm,
        data=Data.REQUIRED, parameters=zero_parameters,
    ),
    sim_row("SLEEP", INS.SLEEP, "8.17", decode_sleep, sleep, parameters=zero_parameters),
)  # fmt: skip
