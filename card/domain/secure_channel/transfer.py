"""Containers in blocks on a session (TS 102 221 clause 11.1.21): in, counting down; out, as the terminal fetches."""

from __future__ import annotations

from dataclasses import replace

from card.domain.secure_channel.errors import NoRoomForChannel
from card.domain.secure_channel.state import ChannelSession
from card.errors import CardError
from card.spec.sac_tables import SAC_LIMITS


class BlockOutOfOrder(CardError):
    """The number of blocks to come does not count down by one."""


class AnswerWaits(CardError):
    """The terminal sends while an answer waits, or fetches when none does."""


def take_block(session: ChannelSession, part: bytes, left: int) -> ChannelSession:
    """Add a part of a container of which `left` blocks are still to come.

    Raises `AnswerWaits`, `BlockOutOfOrder`, `NoRoomForChannel` (too long): the session is as before then, and the
    caller drops what was received (`forget_transfer`).
    """
    if session.waiting:
        raise AnswerWaits
    if session.blocks_left is not None and left != session.blocks_left - 1:
        raise BlockOutOfOrder
    received = session.received + part
    if len(received) > SAC_LIMITS["object_size"].value:
        raise NoRoomForChannel
    return replace(session, received=received, blocks_left=left, answered=False, last_block=b"")


def forget_transfer(session: ChannelSession) -> ChannelSession:
    """Drop what was received and what was not fetched; the channel stays open."""
    return replace(session, received=b"", blocks_left=None, answered=False, waiting=b"", last_block=b"")


def keep_answer(session: ChannelSession, container: bytes) -> ChannelSession:
    """Put the answer in place of the container that was received."""
    return replace(session, received=b"", blocks_left=None, answered=True, waiting=container)


def next_block(session: ChannelSession) -> tuple[ChannelSession, bytes]:
    """Return the next part of the answer, at most the agreed size. Raises `AnswerWaits` when there is none."""
    if not session.answered:
        raise AnswerWaits
    block, rest = session.waiting[: session.size], session.waiting[session.size :]
    return replace(session, waiting=rest, last_block=block, answered=bool(rest)), block


def repeated_block(session: ChannelSession) -> bytes:
    """Return the part that was sent last. Raises `AnswerWaits` when there is none."""
    if not session.last_block:
        raise AnswerWaits
    return session.last_block
