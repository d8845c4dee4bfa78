"""The BCMCS command of a CSIM, six modes (3GPP2 C.S0023-D clause 4.9, C.S0065-B clause 9.4).

provisional: the class bytes (0X and 8X are taken), the tags, and where the service type would stand: nowhere here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from card.codec.apdu import ClassFamily, CommandApdu
from card.codec.bcmcs import decode_objects, encode_objects
from card.commands.authenticate.contexts import ERRORS, current_security
from card.commands.context import Context
from card.commands.registry import CommandRow, Data
from card.commands.reply import DONE, Reply
from card.domain.application import Application
from card.domain.errors import IdentifierTooLong
from card.domain.keys.bcmcs import BakExpired, BakNotFound, Bcmcs, FlowNotFound, NoRoomForBak
from card.domain.services import MBMS_SECURITY
from card.errors import CardError, DecodeError
from card.lean import lean_dataclass
from card.spec.bcmcs_tables import BCMCS_STATUS, DOCUMENT, MODE_ROWS, SIZES, Item, Mode, ModeRow
from card.spec.ins import INS
from card.spec.refs import Confidence, Ref

Objects = Mapping[Item, bytes]


@lean_dataclass(frozen=True, slots=True)
class BcmcsRequest:
    """A mode and its data objects, as tag and value; what the tags mean is the card's own table."""

    row: ModeRow
    objects: tuple[tuple[int, bytes], ...]


def decode(apdu: CommandApdu) -> BcmcsRequest:
    """Read the mode and take the objects apart. Raises `DecodeError`."""
    return BcmcsRequest(MODE_ROWS[Mode(apdu.p1)], tuple(decode_objects(apdu.data)))


def name_objects(request: BcmcsRequest, tags: Mapping[str, int]) -> dict[Item, bytes]:
    """Return the objects by name. Raises `DecodeError` unless they are those of the mode, in order and of fit size."""
    items = request.row.items
    if [tag for tag, _ in request.objects] != [tags[item] for item in items]:
        raise DecodeError(f"{request.row.name}: the objects {', '.join(items)} are wanted, in this order")
    named = {item: value for item, (_, value) in zip(items, request.objects, strict=True)}
    for item, value in named.items():
        if not SIZES[item].least <= len(value) <= SIZES[item].most:
            raise DecodeError(f"{request.row.name}: {item} has {len(value)} bytes")
    return named


def run_bcmcs(ctx: Context, request: BcmcsRequest) -> Reply:
    """Grant access to the CSIM's keys, run the mode, and put what it gives into the response object."""
    application = current_security(ctx, (MBMS_SECURITY,)).application
    bcmcs = application.bcmcs
    objects = name_objects(request, bcmcs.tags)
    answer = _RUN[request.row.mode](bcmcs, objects, _time(ctx, application))
    if Item.TIMESTAMP in objects:
        _learn_time(ctx, application, objects[Item.TIMESTAMP])
    return Reply(encode_objects([(bcmcs.tags[Item.RESPONSE], answer)])) if request.row.answers else DONE


def _retrieve_sk(bcmcs: Bcmcs, objects: Objects, time: int) -> bytes:
    return bcmcs.retrieve_sk(*_names(objects), objects[Item.SK_RAND], time).reveal()


def _update_bak(bcmcs: Bcmcs, objects: Objects, _time: int) -> bytes:
    delivery = objects[Item.BAK_EXPIRE], objects[Item.TK_RAND], objects[Item.ENCRYPTED_BAK]
    bcmcs.update_bak(*_names(objects), *delivery)
    return b""


def _delete_bak(bcmcs: Bcmcs, objects: Objects, _time: int) -> bytes:
    bcmcs.delete_bak(*_names(objects))
    return b""


def _retrieve_srtp_sk(bcmcs: Bcmcs, objects: Objects, time: int) -> bytes:
    inputs = objects[Item.SK_RAND], objects[Item.PACKET_INDEX]
    return bcmcs.retrieve_srtp_sk(*_names(objects), *inputs, time).reveal()


def _sign(bcmcs: Bcmcs, objects: Objects, _time: int) -> bytes:
    return bcmcs.sign(*_names(objects), objects[Item.TIMESTAMP])


def _authenticate(bcmcs: Bcmcs, objects: Objects, _time: int) -> bytes:
    return bcmcs.authenticate(objects[Item.RAND], objects[Item.CHALLENGE])


def _names(objects: Objects) -> tuple[bytes, bytes]:
    return objects[Item.FLOW_ID], objects[Item.BAK_ID]


_RUN: Mapping[Mode, Callable[[Bcmcs, Objects, int], bytes]] = {
    Mode.RETRIEVE_SK: _retrieve_sk,
    Mode.UPDATE_BAK: _update_bak,
    Mode.DELETE_BAK: _delete_bak,
    Mode.RETRIEVE_SRTP_SK: _retrieve_srtp_sk,
    Mode.SIGN_AUTHORIZATION: _sign,
    Mode.AUTHENTICATE: _authenticate,
}


# --- the time: a card has no clock, and learns from the timestamps the terminal has signed since the last reset


def _time(ctx: Context, application: Application) -> int:
    return ctx.notes.bcmcs_times.get(application.name, 0)


def _learn_time(ctx: Context, application: Application, timestamp: bytes) -> None:
    time = max(_time(ctx, application), int.from_bytes(timestamp, "big"))
    ctx.notes = replace(ctx.notes, bcmcs_times={**ctx.notes.bcmcs_times, application.name: time})


_ERRORS: Mapping[type[CardError], int] = {
    **ERRORS,
    DecodeError: BCMCS_STATUS["malformed"].value,
    IdentifierTooLong: BCMCS_STATUS["malformed"].value,
    BakNotFound: BCMCS_STATUS["bak_not_found"].value,
    FlowNotFound: BCMCS_STATUS["flow_not_found"].value,
    BakExpired: BCMCS_STATUS["bak_expired"].value,
    NoRoomForBak: BCMCS_STATUS["no_room"].value,
}

ROWS: tuple[CommandRow, ...] = (
    CommandRow(
        name="BCMCS",
        ins=INS.BCMCS,
        families=(ClassFamily.INTERINDUSTRY, ClassFamily.ETSI),
        decode=decode,
        execute=run_bcmcs,
        ref=Ref(DOCUMENT, "4.9", Confidence.SOURCED),
        data=Data.REQUIRED,
        parameters=lambda p1, p2: p1 in Mode.__members__.values() and p2 == 0,
        errors=_ERRORS,
    ),
)
