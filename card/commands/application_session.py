"""The end of an application's session, and which PINs are forgotten with it (TS 102 221 clauses 8.5.2, 9.4 and 11.1.1).

PINs with a local reference belong to one application: they are forgotten whenever its session ends, said or unsaid, as
long as no other channel is in a session of it. The application's own PIN has a global reference: it is forgotten only
when the terminal says that the session ends (SELECT with P2 bit 7), and no other channel has an application with that
PIN open. The universal PIN and the administrative keys belong to no application.
"""

from __future__ import annotations

from card.commands.context import Context
from card.filesystem.node import ADF_PREFIX


def end_session(ctx: Context, channel_number: int, *, said: bool = False) -> None:
    """Forget the PINs that go with the session of the application on a channel; `said` when the terminal ended it."""
    application = ctx.session.channels[channel_number].application
    others = {
        channel.application
        for number, channel in ctx.session.channels.items()
        if number != channel_number and channel.application
    }
    forgotten: set[str] = set()
    if application not in others:
        forgotten |= {name for name in ctx.session.verified if name.startswith(f"{application}:")}
    if said:
        forgotten |= {_pin_name(ctx, application)} - {_pin_name(ctx, other) for other in others}
    for name in forgotten:
        ctx.mark_verified(name, verified=False)


def _pin_name(ctx: Context, application: str) -> str:
    adf = ctx.files.tree.get(f"{ADF_PREFIX}{application}")
    return ctx.pin_name(adf.pin) if adf is not None else ""
