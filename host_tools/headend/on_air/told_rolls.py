"""SEKs out of turn as BSM and BSD/A in two processes tell each other of them."""

from __future__ import annotations

from host_tools.exchange.messages.back_end import SekRoll
from host_tools.headend.scenario.rolls import Roll
from host_tools.headend.service_keys import KeyTerm


def as_message(roll: Roll) -> SekRoll:
    """Return what a message says of a SEK out of turn."""
    term = roll.term
    return SekRoll(term.service, term.key_ids, roll.begins, roll.ends, term.first_mtk_id, term.last_mtk_id)


def as_roll(told: SekRoll) -> Roll:
    """Return what a message told."""
    ids = told.key_ids
    term = KeyTerm(told.service, ids.key_domain_id, ids.msk_id, told.first_mtk_id, told.last_mtk_id)
    return Roll(told.begins, told.ends, term)
