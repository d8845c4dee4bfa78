"""The policy that a TEK leaves the card in a protected channel only (OMA BCAST Smartcard Profile).

Two rules refuse a TEK in clear, because they know different things. This one is the card's own (`tek` of `[sac]`): it
sees a command, for a plain MBMS key, an OMA BCAST or a BCMCS one alike, and is asked before the command runs, so that a
refusal leaves no trace: no counter, no debit; 6989. The other is a rule of OMA BCAST about one message, the switch
`secure_channel` of the tables (`domain/messages/rules.py`): only an STKM whose MAC was verified says that its content
stays protected after reception; it answers with the tables' status byte. With both switched on this one comes first.
"""

from __future__ import annotations

from card.codec.apdu import CommandApdu
from card.codec.bcast import StkmManagement, Subtype, bcast_extension
from card.codec.mikey import MikeyMessage
from card.commands.authenticate import blocks
from card.commands.context import Context
from card.commands.reply import Refused
from card.domain.application import Application, application_aid
from card.errors import DecodeError
from card.spec.contexts import MbmsMode, OddP2
from card.spec.ins import INS
from card.spec.sac_tables import TekPolicy
from card.spec.status import SW

_BCMCS_KEYS = (0x00, 0x03)  # modes that hand out SK and SRTP SK, which on a CSIM do what a TEK does


def refuse_clear_tek(ctx: Context, apdu: CommandApdu) -> None:
    """Raise `Refused` with 6989 for a command in clear whose answer would be a TEK.

    A protected command passes when its channel ends at the application whose key it asks for.
    """
    policy = ctx.secure_channels.settings.tek
    if policy is TekPolicy.CLEAR:
        return
    stkm, application = _request_for_tek(ctx, apdu), ctx.current_application()
    if stkm is None or application is None:
        return
    if ctx.protection is not None and ctx.protection.covers(application_aid(ctx.files, application.name)):
        return
    if policy is TekPolicy.CHANNEL or not _is_bound(stkm, application):
        raise Refused(SW.SECURE_CHANNEL_REQUIRED)


def _request_for_tek(ctx: Context, apdu: CommandApdu) -> bytes | None:
    """Return the STKM that a command would turn into a TEK (empty: the keys of BCMCS), or None for other commands."""
    if apdu.ins == INS.AUTHENTICATE_ODD and apdu.p2 == OddP2.MBMS:
        return _stkm_in(ctx, apdu)
    return b"" if apdu.ins == INS.BCMCS and apdu.p1 in _BCMCS_KEYS else None


def _stkm_in(ctx: Context, apdu: CommandApdu) -> bytes | None:
    """Return the STKM that is whole with this block, or None for any other request and while blocks are missing."""
    whole = blocks.completed_object(ctx, apdu)
    if whole is None:
        return None
    _, value = blocks.split_object(whole)
    return value[1:] if value[:1] == bytes((MbmsMode.MTK_GENERATION,)) else None


def _is_bound(stkm: bytes, application: Application) -> bool:
    """Tell whether the TEK is wrapped for one terminal (TBK). Whoever forges the flag fails at the STKM's MAC."""
    bcast = application.bcast
    if bcast is None:
        return False
    try:
        extension = bcast_extension(MikeyMessage.decode(stkm))
        if extension is None or extension[0] != Subtype.STKM_MANAGEMENT:
            return False
        return StkmManagement.decode(extension[1], bcast.tables).terminal_binding_key_id is not None
    except DecodeError:
        return False
