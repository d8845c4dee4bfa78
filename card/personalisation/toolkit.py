"""Stores what the card asks of the terminal: the profile's steps and menu as proactive commands."""

from __future__ import annotations

from dataclasses import replace

from card.codec.proactive import (
    CommandType,
    ProactiveCommand,
    display_text,
    poll_interval,
    set_up_event_list,
    set_up_menu,
    timer_management,
)
from card.domain.cat.engine import MENU_PREFIX, STEPS_PREFIX, StepRecord
from card.profile.cat import CatCommand, CatProfile, CatStep
from card.state.nonvolatile import NonVolatile
from card.state.records import RecordTable

_PLAIN = {
    CatCommand.POLLING_OFF: CommandType.POLLING_OFF,
    CatCommand.PROVIDE_LOCAL_INFORMATION: CommandType.PROVIDE_LOCAL_INFORMATION,
    CatCommand.REFRESH: CommandType.REFRESH,
}


def store_toolkit(cat: CatProfile, nv: NonVolatile) -> None:
    """Write the steps, the menu before them where there is one, and the text behind each menu item."""
    steps, menu = RecordTable(nv, STEPS_PREFIX, StepRecord), RecordTable(nv, MENU_PREFIX, StepRecord)
    if cat.menu:
        steps.put("00", _record(set_up_menu(cat.menu_title, [entry.item for entry in cat.menu])))
    for number, step in enumerate(cat.steps, 1):
        steps.put(f"{number:02}", replace(_record(_command(step)), after=step.after, every=step.every))
    for number, entry in enumerate(cat.menu, 1):
        menu.put(f"{number:02}", _record(display_text(entry.shows)))


def _record(command: ProactiveCommand) -> StepRecord:
    return StepRecord(command.type, command.qualifier, command.destination, command.objects)


def _command(step: CatStep) -> ProactiveCommand:
    match step.command:
        case CatCommand.DISPLAY_TEXT:
            return display_text(step.text or "", step.qualifier or 0x80)
        case CatCommand.POLL_INTERVAL:
            return poll_interval(step.seconds or 0)
        case CatCommand.SET_UP_EVENT_LIST:
            return set_up_event_list(step.events or ())
        case CatCommand.TIMER_MANAGEMENT:
            return timer_management(step.timer or 0, step.seconds or 0)
    return ProactiveCommand(_PLAIN[step.command], step.qualifier)
