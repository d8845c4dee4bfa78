"""Writes the contents of a new card into a store, in one commit."""

from __future__ import annotations

from dataclasses import replace

from card.codec.atr import compose_atr
from card.codec.data_objects import split_objects
from card.codec.proactive import (
    CommandType,
    ProactiveCommand,
    display_text,
    poll_interval,
    set_up_event_list,
    set_up_menu,
    timer_management,
)
from card.crypto.local_key import terminal_appli_id
from card.domain.application import APPLICATION_PREFIX, CSIM_PREFIX, StoredApplication, StoredCsim
from card.domain.authentication.group_calls import GROUPS_PREFIX, GroupKey, group_key_name
from card.domain.authentication.sqn import SqnMemory, SqnScheme
from card.domain.bcast.tables import store_tables
from card.domain.cat.engine import MENU_PREFIX, STEPS_PREFIX, StoredStep
from card.domain.pin import PinTable, StoredPin
from card.domain.secure_channel.settings import StoredPsk, StoredSac, StoredScp03, list_names, store_settings
from card.errors import StoreError
from card.filesystem.contents import UNWRITTEN, FileContents
from card.filesystem.filesystem import PINS_IN_EVERY_FCP_KEY, store_nodes
from card.personalisation.contents import applications, pins_of
from card.personalisation.layout import CSIM, ISIM, USIM, PlannedFile, lay_out
from card.ports import Store
from card.profile.cat import CatCommand, CatProfile, CatStep
from card.profile.pins import PinProfile
from card.profile.sac import SacProfile
from card.profile.schema import CardProfile, Transport
from card.profile.usim import GbaRes
from card.spec.files.rows import Structure
from card.state.nonvolatile import ATR_KEY, NonVolatile
from card.state.stored import StoredTable

_PLAIN = {
    CatCommand.POLLING_OFF: CommandType.POLLING_OFF,
    CatCommand.PROVIDE_LOCAL_INFORMATION: CommandType.PROVIDE_LOCAL_INFORMATION,
    CatCommand.REFRESH: CommandType.REFRESH,
}


def personalise(profile: CardProfile, store: Store) -> None:
    """Make `store`, which must be empty, the card that `profile` describes.

    Raises `ProfileError` when the profile's files do not fit together, `StoreError` when the store is not empty.
    """
    planned = lay_out(profile)
    nv = NonVolatile(store)
    if nv.get(ATR_KEY) is not None:
        raise StoreError("the store holds a card already")
    if profile.pins_in_every_fcp:
        nv.put(PINS_IN_EVERY_FCP_KEY, b"\x01")
    nv.put(ATR_KEY, profile.atr or compose_atr(t1=profile.transport is Transport.T1))
    store_nodes(nv, [file.node for file in planned])
    contents = FileContents(nv)
    for file in planned:
        _write(contents, file)
    _store_pins(profile, nv)
    _store_applications(profile, nv)
    store_toolkit(profile.cat, nv)
    _store_csim(profile, nv)
    _store_bcast(profile, nv)
    _store_secure_channels(profile.sac, nv)
    nv.commit()


def _write(contents: FileContents, file: PlannedFile) -> None:
    """Write a file's content, unless there is nothing but padding: that is what an unwritten file reads as."""
    if file.node.structure is Structure.BER_TLV:
        for tag, value in split_objects(file.content.rstrip(UNWRITTEN)):
            contents.put_object(file.node, tag, value)
    elif file.content.strip(UNWRITTEN) and not file.node.view:
        contents.replace(file.node, file.content)


def _store_pins(profile: CardProfile, nv: NonVolatile) -> None:
    pins = PinTable(nv)
    for application in applications(profile):
        for reference, pin in pins_of(profile, application).items():
            pins.add(application, _pin_record(reference, pin))
        for reference, adm in profile.pins.adms_by_reference().items():
            pins.add(application, StoredPin(reference, adm.value, adm.tries, adm.tries))


def _pin_record(reference: int, pin: PinProfile) -> StoredPin:
    return StoredPin(reference, pin.value, pin.tries, pin.tries, pin.enabled, pin.puk, pin.puk_tries, pin.puk_tries)


def _store_applications(profile: CardProfile, nv: NonVolatile) -> None:
    """Store the keys of each application; the ISIM has those of the USIM unless the profile gives it its own."""
    usim, isim, sqn = profile.usim, profile.isim, profile.usim.sqn
    constant = usim.derive_operator_constant()
    plain_res = usim.gba.res is GbaRes.PLAIN
    record = StoredApplication(
        usim.algorithm.value, usim.k, constant, sqn.ind_bits, sqn.delta, sqn.age_limit, plain_res
    )
    records = {USIM: record}
    if isim is not None:
        records[ISIM] = replace(record, k=isim.k or usim.k, opc=isim.opc or constant)
    groups = StoredTable(nv, f"{GROUPS_PREFIX}{USIM}/", GroupKey)
    for group in usim.group_keys:
        groups.put(group_key_name(group.voice_service, group.key_id), GroupKey(group.key))
    for name, each in records.items():
        StoredTable(nv, APPLICATION_PREFIX, StoredApplication).put(name, each)
        if sqn.initial_seq:
            SqnMemory(nv, name, SqnScheme(sqn.ind_bits, sqn.delta, sqn.age_limit)).begin_at(sqn.initial_seq)


def _store_secure_channels(sac: SacProfile | None, nv: NonVolatile) -> None:
    if sac is None:
        return
    kinds = ",".join(sorted({kind.value for kind in sac.kinds}))
    psks = [StoredPsk(secret.terminal_id, secret.key) for secret in sac.psk]
    keys = sac.scp03
    scp03 = StoredScp03(keys.version, keys.key_enc, keys.key_mac) if keys is not None else None
    names = (terminal_appli_id(name.encode()) for name in sac.terminal_applications)
    policy = list_names(sac.terminals), list_names(names)
    store_settings(nv, StoredSac(kinds, sac.tek.value, sac.container, sac.connections, *policy), psks, scp03)


def _store_bcast(profile: CardProfile, nv: NonVolatile) -> None:
    """Store the BCAST tables, and the parental PIN if the profile has one."""
    tables = profile.bcast.build_tables()
    store_tables(nv, tables)
    pin = profile.bcast.parental_pin
    if pin is not None:
        for application in applications(profile):
            PinTable(nv).add(application, _pin_record(tables.pin_reference, pin))


def _store_csim(profile: CardProfile, nv: NonVolatile) -> None:
    csim = profile.csim
    if csim is not None:
        record = StoredCsim(csim.rk, csim.nai, csim.functions, csim.tags.by_name())
        StoredTable(nv, CSIM_PREFIX, StoredCsim).put(CSIM, record)


def store_toolkit(cat: CatProfile, nv: NonVolatile) -> None:
    """Write the steps, the menu before them where there is one, and the text behind each menu item."""
    steps, menu = StoredTable(nv, STEPS_PREFIX, StoredStep), StoredTable(nv, MENU_PREFIX, StoredStep)
    if cat.menu:
        steps.put("00", _record(set_up_menu(cat.menu_title, [entry.item for entry in cat.menu])))
    for number, step in enumerate(cat.steps, 1):
        steps.put(f"{number:02}", replace(_record(_command(step)), after=step.after, every=step.every))
    for number, entry in enumerate(cat.menu, 1):
        menu.put(f"{number:02}", _record(display_text(entry.shows)))


def _record(command: ProactiveCommand) -> StoredStep:
    return StoredStep(command.type, command.qualifier, command.destination, command.objects)


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
