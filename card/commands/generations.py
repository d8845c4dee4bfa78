"""GSM or USIM: once a session of the one kind is active, the other is excluded until reset (TS 31.101 clause 4.1).

A USIM session begins when the ADF of a USIM is selected, on any channel, and outlasts the selection: from then on every
command of class A0 is answered 6E00. A GSM session begins with the first command of class A0 that the card carries out;
from then on no USIM is selected. The text gives no status word for the latter: 6985 here (docs/spec/deviations.md).
"""

from __future__ import annotations

from dataclasses import replace

from card.commands.context import Context
from card.commands.reply import Refused, Reply
from card.filesystem.node import ADF_PREFIX, FileNode
from card.spec.aids import USIM_AID
from card.spec.cla import SIM_CLASS
from card.spec.status import SW
from card.state.session import Generation


def refuse_excluded_class(ctx: Context, cla: int) -> None:
    """Raise `Refused` with 6E00 for class A0 within a USIM session."""
    if cla == SIM_CLASS and ctx.session.generation is Generation.USIM:
        raise Refused(SW.CLA_NOT_SUPPORTED)


def note_gsm_session(ctx: Context, cla: int, reply: Reply) -> None:
    """Begin a GSM session when a command of class A0 was carried out."""
    if cla == SIM_CLASS and reply.sw == SW.OK and ctx.session.generation is Generation.OPEN:
        ctx.session = replace(ctx.session, generation=Generation.GSM)


def enter_generation(ctx: Context, node: FileNode) -> None:
    """Begin a USIM session when a file of a USIM is selected. Raises `Refused` with 6985 within a GSM session."""
    if ctx.session.generation is Generation.USIM or not _belongs_to_usim(ctx, node):
        return
    if ctx.session.generation is Generation.GSM:
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)
    ctx.session = replace(ctx.session, generation=Generation.USIM)


def _belongs_to_usim(ctx: Context, node: FileNode) -> bool:
    adf = ctx.files.tree.get(f"{ADF_PREFIX}{node.application}")
    return adf is not None and adf.aid.startswith(USIM_AID)
