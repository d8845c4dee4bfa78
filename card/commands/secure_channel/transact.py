"""MANAGE SECURE CHANNEL and TRANSACT DATA (TS 102 221 clauses 11.1.20 and 11.1.21).

Provisional: see `card/spec/sac_tables.py` and docs/spec/secure-channel.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from card.codec.apdu import MAX_SHORT_LE, CommandApdu
from card.codec.sac import (
    ConnectionRequest,
    MasterRequest,
    StartResponse,
    TerminateRequest,
    decode_block,
    decode_start,
    encode_block,
)
from card.codec.tlv import encode_tlv
from card.commands.authenticate import blocks
from card.commands.context import Context
from card.commands.registry import BLOCKS, INTERINDUSTRY, CommandRow, Data
from card.commands.reply import DONE, Refused, Reply
from card.commands.secure_channel.inside import answer_inside
from card.domain.keys.local_key import LocalKeyUsedUp
from card.domain.secure_channel import errors
from card.domain.secure_channel.channels import SecureChannels
from card.domain.secure_channel.protection import Protection
from card.domain.secure_channel.state import ChannelSession, SacState
from card.domain.secure_channel.transfer import (
    AnswerWaits,
    BlockOutOfOrder,
    forget_transfer,
    keep_answer,
    next_block,
    repeated_block,
    take_block,
)
from card.domain.secure_channel.tunnels import ClosedTunnel
from card.errors import CardError, DecodeError, TlsUnavailable
from card.lean import lean_dataclass
from card.spec import contexts
from card.spec.ins import INS
from card.spec.refs import Confidence, Ref
from card.spec.sac_tables import SAC_STATUS, Procedure, TransferBits, TransferState, transfer_status
from card.spec.status import SW, wrong_le
from card.state.session import OutgoingObject

_P1_PROCEDURE = 0x07  # the other bits are RFU, and ignored
_P2_STEP = 0xA0


def _state(ctx: Context) -> SacState:
    return ctx.notes.secure_channels


def _set_state(ctx: Context, state: SacState) -> None:
    if state != _state(ctx):
        ctx.notes = replace(ctx.notes, secure_channels=state)


def _offered(ctx: Context) -> SecureChannels:
    """Return the card's secure channels. A card without them does not know the two instructions."""
    if not ctx.secure_channels.settings.offers_sac:
        raise Refused(SW.INS_NOT_SUPPORTED)
    return ctx.secure_channels


# --- MANAGE SECURE CHANNEL


def _manage_parameters(p1: int, p2: int) -> bool:
    return p1 & _P1_PROCEDURE in Procedure.__members__.values() and p2 & _P2_STEP in contexts.STEPS


def decode_manage(apdu: CommandApdu) -> CommandApdu:
    """Turn the command round for `blocks`, which looks for the step in P1 and the context in P2."""
    step, procedure = apdu.p2 & _P2_STEP, apdu.p1 & _P1_PROCEDURE
    is_command = procedure != Procedure.ENDPOINTS and step in contexts.COMMAND_STEPS
    if is_command != bool(apdu.data):
        raise Refused(SW.WRONG_LENGTH)
    return replace(apdu, p1=step, p2=procedure)


def manage(ctx: Context, apdu: CommandApdu) -> Reply:
    """Take in a block of a procedure or hand one out; run the procedure when its data object is whole."""
    channels, procedure = _offered(ctx), Procedure(apdu.p2)
    if procedure is Procedure.ENDPOINTS:
        return _endpoints(ctx, channels, apdu)
    if apdu.p1 in contexts.RESPONSE_STEPS:
        return blocks.retrieve(ctx, apdu)
    whole = blocks.receive(ctx, apdu)
    if whole is None:
        return Reply(sw=SW.MORE_COMMAND)
    tag, value = blocks.split_object(whole)
    if tag != contexts.STRUCTURED:
        raise DecodeError(f"MANAGE SECURE CHANNEL: tag {tag:02X} instead of {contexts.STRUCTURED:02X}")
    state, response = _run(channels, _state(ctx), procedure, value)
    _set_state(ctx, state)
    return blocks.announce(ctx, apdu.ins, contexts.STRUCTURED, response) if response else DONE


def _endpoints(ctx: Context, channels: SecureChannels, apdu: CommandApdu) -> Reply:
    """Describe the endpoints; they need no command first, so the first block is both question and answer."""
    if apdu.p1 != contexts.Step.NEXT_RESPONSE:
        description = encode_tlv(contexts.STRUCTURED, channels.endpoints().encode())
        ctx.leave(OutgoingObject(apdu.ins, description))
        apdu = replace(apdu, p1=int(contexts.Step.FIRST_RESPONSE))
    return blocks.retrieve(ctx, apdu)


def _run(channels: SecureChannels, state: SacState, procedure: Procedure, value: bytes) -> tuple[SacState, bytes]:
    """Carry out one procedure; return the next state and the response message, if the procedure has one."""
    match procedure:
        case Procedure.MASTER_SA:
            state, master = channels.agree(state, MasterRequest.decode(value))
            return state, master.encode()
        case Procedure.CONNECTION_SA:
            state, connection = channels.connect(state, ConnectionRequest.decode(value))
            return state, connection.encode()
        case Procedure.START:
            state, number = channels.start(state, decode_start(value))
            return state, StartResponse(number).encode()
        case _:
            return channels.terminate(state, TerminateRequest.decode(value)), b""


# --- TRANSACT DATA


@lean_dataclass(frozen=True, slots=True)
class SendBlock:
    """A part of a container, with `left` more to come."""

    session: int
    part: bytes
    left: int


@lean_dataclass(frozen=True, slots=True)
class FetchBlock:
    """The next part of the answer, or the last one once more; at most `wanted` bytes of it."""

    session: int
    again: bool
    wanted: int


@lean_dataclass(frozen=True, slots=True)
class AbortTransfer:
    """Everything on the way is given up."""

    session: int


Transaction = SendBlock | FetchBlock | AbortTransfer


def decode_transact(apdu: CommandApdu) -> Transaction:
    """Read P1: session number in bits 7 and 8, then what to do; the bits between are RFU and ignored."""
    session, bits = apdu.p1 >> 6, TransferBits(apdu.p1 & 0x07)
    if bits & TransferBits.ABORT:
        if apdu.data:
            raise Refused(SW.WRONG_LENGTH)
        return AbortTransfer(session)
    if bits & TransferBits.DATA:
        if not apdu.data:
            raise Refused(SW.WRONG_LENGTH)
        return SendBlock(session, decode_block(apdu.data), apdu.p2)
    if apdu.data or apdu.le is None:
        raise Refused(SW.WRONG_LENGTH)
    if apdu.p2:
        raise Refused(SW.WRONG_P1_P2)
    return FetchBlock(session, bool(bits & TransferBits.RETRANSMIT), apdu.le)


def transact(ctx: Context, request: Transaction) -> Reply:
    """Move one block on a session. A channel inside a channel is refused."""
    _offered(ctx)
    if ctx.protection is not None:
        raise Refused(SAC_STATUS["nested"].value)
    state = _state(ctx)
    session = state.session(request.session)
    match request:
        case AbortTransfer(number):
            _set_state(ctx, state.with_session(number, forget_transfer(session)))
            return Reply(silent=True)
        case FetchBlock():
            return _fetch(ctx, state, session, request)
        case SendBlock():
            return _send(ctx, state, session, request)


def _send(ctx: Context, state: SacState, session: ChannelSession, request: SendBlock) -> Reply:
    number = request.session
    try:
        session = take_block(session, request.part, request.left)
    except BlockOutOfOrder:
        return _give_up(ctx, state, session, number, SAC_STATUS["block_out_of_order"].value)
    except errors.NoRoomForChannel:
        return _give_up(ctx, state, session, number, SW.NOT_ENOUGH_MEMORY)
    if session.blocks_left:
        _set_state(ctx, state.with_session(number, session))
        return Reply(sw=transfer_status(number, TransferState.SEND_NEXT))
    return _take_container(ctx, session, number)


def _give_up(ctx: Context, state: SacState, session: ChannelSession, number: int, sw: int) -> Reply:
    """Drop a transfer that went wrong; unlike a refusal this changes the state, so it is a reply."""
    _set_state(ctx, state.with_session(number, forget_transfer(session)))
    return Reply(sw=sw)


def _take_container(ctx: Context, session: ChannelSession, number: int) -> Reply:
    """Have a whole container answered. One that is rejected takes its association along."""
    begun, proved = session.unfinished, session.proved

    def answer(command: bytes) -> bytes:
        nonlocal begun, proved
        if not proved:
            _set_state(ctx, ctx.secure_channels.prove(_state(ctx), session.msa_id))
            ctx.nv.commit_now("a use of Ks_local counts, whatever becomes of the first command")
            proved = True
        response, begun = answer_inside(ctx, command, Protection(session.uicc_appli_id), begun)
        return response

    try:
        tunnel, container = session.tunnel.exchange(session.received, answer)
    except errors.ContainerRejected:
        _set_state(ctx, _state(ctx).without(session.sa_id))
        return Reply(sw=SAC_STATUS["container_rejected"].value)
    state = _state(ctx)
    held = state.sessions.get(number)
    if held is None or held.sa_id != session.sa_id:
        tunnel = ClosedTunnel()  # the command ended the channel it came in
    session = replace(keep_answer(session, container), tunnel=tunnel, unfinished=begun, proved=proved)
    _set_state(ctx, state.with_session(number, session))
    return Reply(sw=transfer_status(number, TransferState.FETCH))


def _fetch(ctx: Context, state: SacState, session: ChannelSession, request: FetchBlock) -> Reply:
    number = request.session
    if request.again:
        block = repeated_block(session)
    else:
        session, block = next_block(session)
    data = encode_block(block)
    if len(data) > request.wanted:
        return Reply(sw=wrong_le(min(len(data), MAX_SHORT_LE)))
    if session.waiting:
        _set_state(ctx, state.with_session(number, session))
        return Reply(data, transfer_status(number, TransferState.MORE))
    is_over = isinstance(session.tunnel, ClosedTunnel)
    _set_state(ctx, state.without(session.sa_id) if is_over else state.with_session(number, session))
    return Reply(data, silent=True)


_ERRORS: Mapping[type[CardError], int] = {
    errors.UnknownEndpoint: SAC_STATUS["unknown_endpoint"].value,
    errors.NoSharedKey: SAC_STATUS["no_key"].value,
    errors.MethodRefused: SAC_STATUS["method_refused"].value,
    errors.AlgorithmRefused: SAC_STATUS["algorithm_refused"].value,
    errors.UnknownAssociation: SAC_STATUS["unknown_association"].value,
    errors.AlreadyStarted: SAC_STATUS["already_started"].value,
    errors.NoRoomForChannel: SAC_STATUS["no_room"].value,
    errors.KindNotOffered: SAC_STATUS["kind_refused"].value,
    LocalKeyUsedUp: SAC_STATUS["key_used_up"].value,
    TlsUnavailable: SAC_STATUS["kind_refused"].value,
    AnswerWaits: SAC_STATUS["answer_waits"].value,
}

ROWS: tuple[CommandRow, ...] = (
    CommandRow(
        name="MANAGE SECURE CHANNEL",
        ins=INS.MANAGE_SECURE_CHANNEL,
        families=INTERINDUSTRY,
        decode=decode_manage,
        execute=manage,
        ref=Ref("TS 102 221", "11.1.20", Confidence.OURS),
        data=Data.OPTIONAL,
        parameters=_manage_parameters,
        errors=_ERRORS,
        keeps=BLOCKS,
    ),
    CommandRow(
        name="TRANSACT DATA",
        ins=INS.TRANSACT_DATA,
        families=INTERINDUSTRY,
        decode=decode_transact,
        execute=transact,
        ref=Ref("TS 102 221", "11.1.21", Confidence.OURS),
        data=Data.OPTIONAL,
        errors=_ERRORS,
    ),
)
