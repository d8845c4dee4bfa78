"""Writes the contents of a new card into a store, in one commit."""

from __future__ import annotations

from card.codec.atr import compose_atr
from card.domain.application import APPLICATION_PREFIX, ApplicationRecord
from card.domain.pin import PinRecord, PinTable
from card.domain.sqn import SqnMemory, SqnScheme
from card.errors import StoreError
from card.filesystem.contents import FileContents
from card.filesystem.filesystem import store_nodes
from card.personalisation.layout import USIM, lay_out
from card.ports import Store
from card.profile.pins import PinProfile
from card.profile.schema import CardProfile, Transport
from card.state.nonvolatile import ATR_KEY, NonVolatile
from card.state.records import RecordTable


def personalise(profile: CardProfile, store: Store) -> None:
    """Make `store`, which must be empty, the card that `profile` describes.

    Raises `ProfileError` when the profile's files do not fit together, `StoreError` when the store is not empty.
    """
    planned = lay_out(profile)
    nv = NonVolatile(store)
    if nv.get(ATR_KEY) is not None:
        raise StoreError("the store holds a card already")
    nv.put(ATR_KEY, profile.atr or compose_atr(t1=profile.transport is Transport.T1))
    store_nodes(nv, [file.node for file in planned])
    contents = FileContents(nv)
    for file in planned:
        if not file.node.structure.is_directory:
            contents.replace(file.node, file.content)
    _store_pins(profile, nv)
    _store_usim(profile, nv)
    nv.commit()


def _store_pins(profile: CardProfile, nv: NonVolatile) -> None:
    pins = PinTable(nv)
    for reference, pin in profile.pins.pins_by_reference().items():
        pins.add(USIM, _pin_record(reference, pin))
    for reference, adm in profile.pins.adms_by_reference().items():
        pins.add(USIM, PinRecord(reference, adm.value, adm.tries, adm.tries))


def _pin_record(reference: int, pin: PinProfile) -> PinRecord:
    return PinRecord(reference, pin.value, pin.tries, pin.tries, pin.enabled, pin.puk, pin.puk_tries, pin.puk_tries)


def _store_usim(profile: CardProfile, nv: NonVolatile) -> None:
    usim, sqn = profile.usim, profile.usim.sqn
    record = ApplicationRecord(usim.algorithm.value, usim.k, usim.derive_opc(), sqn.ind_bits, sqn.delta, sqn.age_limit)
    RecordTable(nv, APPLICATION_PREFIX, ApplicationRecord).put(USIM, record)
    if sqn.initial_seq:
        SqnMemory(nv, USIM, SqnScheme(sqn.ind_bits, sqn.delta, sqn.age_limit)).begin_at(sqn.initial_seq)
