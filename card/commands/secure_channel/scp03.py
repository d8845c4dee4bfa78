"""GlobalPlatform SCP03 on the card: INITIALIZE UPDATE, EXTERNAL AUTHENTICATE, and commands under secure messaging.

GPC Amendment D with AES-128 keys, security level 33 only: TEKs travel in responses, so these must be encrypted.
provisional: that a BCAST card offers SCP03 at all is this project's choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from card.codec.apdu import ClassFamily, CommandApdu, wants_secure_messaging
from card.commands.context import Context
from card.commands.registry import ETSI, CommandRow, Data, any_parameters
from card.commands.reply import DONE, Refused, Reply
from card.commands.secure_channel.inside import answer_inside
from card.commands.session import Scp03State
from card.crypto.scp03 import CHALLENGE_SIZE, CRYPTOGRAM_SIZE, MAC_SIZE
from card.domain.secure_channel.errors import ContainerRejected
from card.domain.secure_channel.protection import Protection
from card.domain.secure_channel.scp03 import Scp03Session
from card.domain.secure_channel.settings import StoredScp03
from card.spec.ins import INS
from card.spec.refs import Confidence, Ref
from card.spec.sac_tables import Kind
from card.spec.status import SW

_LEVEL = 0x33
_SCP_IDENTIFIER = 0x03
_IMPLEMENTATION = 0x60  # "i": random challenge, response MAC and response encryption
_DIVERSIFICATION = bytes(10)
SECURE_MESSAGING = 0x04
"""Bit of the class byte on logical channels 0 to 3."""
_CHANNEL_BITS = 0x03
_WHOLE_RESPONSE = 256


def _set_state(ctx: Context, state: Scp03State | None) -> None:
    ctx.notes = replace(ctx.notes, scp03=state)


def _static_keys(ctx: Context) -> StoredScp03:
    """Return the card's static keys. A card without SCP03 does not know the two instructions."""
    settings = ctx.secure_channels.settings
    if Kind.SCP03 not in settings.kinds or settings.scp03 is None:
        raise Refused(SW.INS_NOT_SUPPORTED)
    return settings.scp03


def _end(ctx: Context, sw: int) -> Reply:
    """Close the session for good: a reply and no refusal, which would bring it back."""
    _set_state(ctx, None)
    return Reply(sw=sw)


# --- opening


def initialize_update(ctx: Context, apdu: CommandApdu) -> Reply:
    """Answer the host's challenge; an earlier session ends."""
    static = _static_keys(ctx)
    if apdu.p1 not in (0, static.version):
        raise Refused(SW.REFERENCED_DATA_NOT_FOUND)
    if len(apdu.data) != CHALLENGE_SIZE:
        raise Refused(SW.WRONG_LENGTH)
    challenge = ctx.rng.random_bytes(CHALLENGE_SIZE)
    session = Scp03Session.begin(static, apdu.data, challenge)
    _set_state(ctx, Scp03State(session, ctx.channel_number, {}))
    info = bytes((static.version, _SCP_IDENTIFIER, _IMPLEMENTATION))
    return Reply(_DIVERSIFICATION + info + challenge + session.cryptogram())


def external_authenticate(ctx: Context, apdu: CommandApdu) -> Reply:
    """Check the host's cryptogram and MAC. The session is gone when they are wrong."""
    _static_keys(ctx)
    state = ctx.notes.scp03
    if not wants_secure_messaging(apdu.cla):
        raise Refused(SW.CLA_NOT_SUPPORTED)
    if state is None or state.channel != ctx.channel_number:
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)
    if len(apdu.data) != CRYPTOGRAM_SIZE + MAC_SIZE:
        raise Refused(SW.WRONG_LENGTH)
    if apdu.p1 != _LEVEL:
        return _end(ctx, SW.SECURITY_NOT_SATISFIED)
    try:
        session = state.session.open(_mac_header(apdu), apdu.data)
    except ContainerRejected:
        return _end(ctx, SW.SECURITY_NOT_SATISFIED)
    _set_state(ctx, replace(state, session=session))
    return DONE


def _mac_header(apdu: CommandApdu) -> bytes:
    """Return what stands before the data when the C-MAC is made: the class byte counts as if on channel 0."""
    length = len(apdu.data)
    lc = b"\0" + length.to_bytes(2, "big") if apdu.extended else bytes((length,))
    return bytes((apdu.cla & ~_CHANNEL_BITS, apdu.ins, apdu.p1, apdu.p2)) + lc


# --- wrapped commands


def is_wrapped(ctx: Context, cla: int, ins: int) -> bool:
    """Tell whether a command came under secure messaging, on a card that has it for logical channels 0 to 3."""
    is_asked = cla & 0x7C == SECURE_MESSAGING and ins != INS.EXTERNAL_AUTHENTICATE
    return is_asked and Kind.SCP03 in ctx.secure_channels.settings.kinds


def run_wrapped(ctx: Context, apdu: CommandApdu) -> Reply:
    """Take a command out of its wrapping, have it answered, and wrap the answer."""
    state = ctx.notes.scp03
    if state is None or state.channel != ctx.channel_number:
        raise Refused(SW.SECURITY_NOT_SATISFIED)
    try:
        session, data = state.session.unwrap(_mac_header(apdu), apdu.data)
    except ContainerRejected:
        return _end(ctx, SW.SECURITY_NOT_SATISFIED)
    _set_state(ctx, replace(state, session=session))
    plain = replace(apdu, cla=apdu.cla & ~SECURE_MESSAGING, data=data, le=apdu.le or _WHOLE_RESPONSE)
    response, business = answer_inside(ctx, plain.encode(), Protection(), state.business)
    if ctx.notes.scp03 is not None:
        _set_state(ctx, Scp03State(session, state.channel, business))
    return _wrapped_reply(session, response[:-2], int.from_bytes(response[-2:], "big"))


def _wrapped_reply(session: Scp03Session, data: bytes, sw: int) -> Reply:
    """Wrap a response; an error status goes without data and without MAC (Amendment D clause 6.2.5)."""
    is_error = not data and sw >> 8 not in (0x90, 0x91, 0x92, 0x62, 0x63)
    return Reply(sw=sw, silent=True) if is_error else Reply(session.wrap(data, sw), sw, silent=True)


_REFS: Mapping[INS, Ref] = {
    INS.INITIALIZE_UPDATE: Ref("GPC Amendment D", "7.1.1", Confidence.RECALLED),
    INS.EXTERNAL_AUTHENTICATE: Ref("GPC Amendment D", "7.1.2", Confidence.RECALLED),
}

ROWS: tuple[CommandRow, ...] = (
    CommandRow(
        name="INITIALIZE UPDATE",
        ins=INS.INITIALIZE_UPDATE,
        families=ETSI,
        decode=lambda apdu: apdu,
        execute=initialize_update,
        ref=_REFS[INS.INITIALIZE_UPDATE],
        data=Data.REQUIRED,
        parameters=lambda _p1, p2: p2 == 0,
    ),
    CommandRow(
        name="EXTERNAL AUTHENTICATE",
        ins=INS.EXTERNAL_AUTHENTICATE,
        families=ETSI,
        decode=lambda apdu: apdu,
        execute=external_authenticate,
        ref=_REFS[INS.EXTERNAL_AUTHENTICATE],
        data=Data.REQUIRED,
        parameters=lambda _p1, p2: p2 == 0,
        secured=True,
    ),
)

WRAPPED = CommandRow(
    name="secure messaging",
    ins=INS.EXTERNAL_AUTHENTICATE,
    families=(ClassFamily.INTERINDUSTRY, ClassFamily.ETSI),
    decode=lambda apdu: apdu,
    execute=run_wrapped,
    ref=Ref("GPC Amendment D", "6.2", Confidence.RECALLED),
    data=Data.REQUIRED,
    parameters=any_parameters,
    secured=True,
)
"""Stands in for the row of any command that came under secure messaging."""
