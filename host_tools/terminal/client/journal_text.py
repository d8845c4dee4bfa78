"""The journals of one card as text: what a state file holds, one journal for each BSM."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar

from card.errors import DecodeError, UnusableFile
from host_tools.exchange.messages.fields import (
    LONGEST_SERVICE_ID,
    from_base64,
    from_date_time,
    to_base64,
    to_date_time,
)
from host_tools.terminal.client.journal import (
    MOST_ITEMS,
    MOST_LTKMS,
    MOST_PENDING,
    MOST_STOCK,
    MOST_TRIGGERS,
    Item,
    Journal,
    KeptLtkm,
    Pending,
)

_FORMAT = 1
_MOST_BSMS = 16
_LONGEST_TEXT = 1024
_LONGEST_OCTETS = 1 << 17
_LAST_COUNTER = (1 << 32) - 1
_T = TypeVar("_T")
_Object = Mapping[str, object]


def encode_state(iccid: str, journals: Mapping[str, Journal]) -> bytes:
    """Return the octets of the file; of many BSMs the last ones."""
    kept = list(journals.items())[-_MOST_BSMS:]
    state = {"format": _FORMAT, "iccid": iccid, "bsms": {name: _of_journal(journal) for name, journal in kept}}
    return json.dumps(state, indent=1).encode() + b"\n"


def decode_state(text: str, name: str) -> tuple[str, dict[str, Journal]]:
    """Read a file that goes by `name`; return the ICCID and the journals by the names of their BSMs.

    Raises `UnusableFile`.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise _unusable(name, "it is no JSON") from None
    try:
        state = _object(found, "the file")
        if state.get("format") != _FORMAT:
            raise DecodeError(f"format is not {_FORMAT}")
        bsms = _object(state.get("bsms"), "bsms")
        if len(bsms) > _MOST_BSMS:
            raise DecodeError(f"there are more than {_MOST_BSMS} BSMs")
        return _text(state, "iccid"), {fqdn: _to_journal(_object(one, fqdn)) for fqdn, one in bsms.items()}
    except DecodeError as error:
        raise _unusable(name, str(error)) from None


def _unusable(name: str, why: str) -> UnusableFile:
    return UnusableFile(name, f"is no state of a terminal: {why}; move the file away to begin with an empty one")


def _of_journal(journal: Journal) -> dict[str, object]:
    return {
        "b_tid": journal.b_tid,
        "tmpi": journal.tmpi,
        "registered": journal.is_registered,
        **({"address": journal.address} if journal.address else {}),
        **({} if journal.stock is None else {"stock": list(journal.stock)}),
        **({"stock_is_cut": True} if journal.stock_is_cut else {}),
        "items": [{"service": one.service_id, **_maybe_time("ends", one.ends)} for one in journal.items.values()],
        "pending": [
            {
                "request_id": one.request_id,
                "procedure": one.procedure,
                "body": to_base64(one.body),
                "since": from_date_time(one.since),
            }
            for one in journal.pending.values()
        ],
        "ltkms": [_of_ltkm(one) for one in journal.ltkms],
        "triggers": [{"id": name, "since": from_date_time(since)} for name, since in journal.triggers.items()],
    }


def _of_ltkm(one: KeptLtkm) -> dict[str, object]:
    said = {} if one.verification is None else {"verification": to_base64(one.verification)}
    return {
        "octets": to_base64(one.octets),
        "b_tid": one.b_tid,
        "t": one.counter,
        "since": from_date_time(one.since),
        "bcast": one.is_bcast,
        "taken": one.taken,
        "owed": one.owed,
        **said,
    }


def _to_journal(found: _Object) -> Journal:
    items = _list(found, "items", MOST_ITEMS, _to_item)
    pending = _list(found, "pending", MOST_PENDING, _to_pending)
    triggers = _list(found, "triggers", MOST_TRIGGERS, lambda one: (_text(one, "id"), _time(one, "since")))
    return Journal(
        b_tid=_text(found, "b_tid"),
        tmpi=_text(found, "tmpi"),
        is_registered=_flag(found, "registered"),
        address=_text(found, "address") if "address" in found else "",
        stock=_stock(found) if "stock" in found else None,
        stock_is_cut="stock_is_cut" in found and _flag(found, "stock_is_cut"),
        items={one.service_id: one for one in items},
        pending={one.request_id: one for one in pending},
        ltkms=_list(found, "ltkms", MOST_LTKMS, _to_ltkm),
        triggers=dict(triggers),
    )


def _to_item(found: _Object) -> Item:
    return Item(_text(found, "service", LONGEST_SERVICE_ID), _time(found, "ends") if "ends" in found else None)


def _to_pending(found: _Object) -> Pending:
    return Pending(_text(found, "request_id"), _text(found, "procedure"), _octets(found, "body"), _time(found, "since"))


def _to_ltkm(found: _Object) -> KeptLtkm:
    counter = found.get("t")
    if type(counter) is not int or not 0 <= counter <= _LAST_COUNTER:
        raise DecodeError("t is no number of 32 bits")
    return KeptLtkm(
        octets=_octets(found, "octets"),
        b_tid=_text(found, "b_tid"),
        counter=counter,
        since=_time(found, "since"),
        is_bcast=_flag(found, "bcast"),
        taken=_flag(found, "taken"),
        verification=_octets(found, "verification") if "verification" in found else None,
        owed=_flag(found, "owed"),
    )


def _maybe_time(name: str, moment: datetime | None) -> dict[str, str]:
    return {} if moment is None else {name: from_date_time(moment)}


def _object(found: object, what: str) -> _Object:
    if not isinstance(found, dict):
        raise DecodeError(f"{what[:80]} is no object")
    return found


def _list(found: _Object, name: str, most: int, read: Callable[[_Object], _T]) -> list[_T]:
    values = found.get(name)
    if not isinstance(values, list) or len(values) > most:
        raise DecodeError(f"{name} is no list of at most {most}")
    return [read(_object(value, name)) for value in values]


def _text(found: _Object, name: str, most: int = _LONGEST_TEXT) -> str:
    value = found.get(name)
    if not isinstance(value, str) or len(value) > most:
        raise DecodeError(f"{name} is no text of at most {most} characters")
    return value


def _stock(found: _Object) -> tuple[str, ...]:
    values = found.get("stock")
    if not isinstance(values, list) or len(values) > MOST_STOCK:
        raise DecodeError(f"stock is no list of at most {MOST_STOCK}")
    if not all(isinstance(value, str) and len(value) <= LONGEST_SERVICE_ID for value in values):
        raise DecodeError(f"stock is no list of texts of at most {LONGEST_SERVICE_ID} characters")
    return tuple(values)


def _octets(found: _Object, name: str) -> bytes:
    return from_base64(_text(found, name, 2 * _LONGEST_OCTETS), name)


def _time(found: _Object, name: str) -> datetime:
    return to_date_time(_text(found, name))


def _flag(found: _Object, name: str) -> bool:
    value = found.get(name)
    if not isinstance(value, bool):
        raise DecodeError(f"{name} is neither true nor false")
    return value
