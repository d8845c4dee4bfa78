"""Steps that bring the contents of an old card file to the present schema version.

`MIGRATIONS[n]` turns contents of version n into contents of version n + 1 and is never edited after a release; a saved
card of every released version is kept in `tests/golden/cards` and must still open.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

from card.errors import StoreError

Contents = dict[str, bytes]


def _part_keys_from_counters(contents: Contents) -> Contents:
    """Version 2: what was heard under an MSK stands in a record of its own, named by a fingerprint of the key."""
    migrated = dict(contents)
    for name, raw in contents.items():
        if not name.startswith("msk/"):
            continue
        try:
            record = json.loads(raw)
            heard = {field: record.pop(field) for field in ("counter", "last_mtk", "assumed")}
            fingerprint = hashlib.sha256(bytes.fromhex(record["key"])).digest()[:8].hex()
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise StoreError(f"card file: record {name} cannot be read") from None
        migrated[name] = json.dumps(record).encode()
        migrated[f"heard/{name.removeprefix('msk/')}-{fingerprint}"] = json.dumps(heard).encode()
    return migrated


def _conform(contents: Contents) -> Contents:
    """Version 3: what the card keeps follows the 3GPP texts that were read for it."""
    return _rename_group_keys(_renew_local_keys(_renew_mbms_keys(contents)))


_MBMS_UA_PROTOCOL = "0100000001"


def _renew_mbms_keys(contents: Contents) -> Contents:
    """MBMS keys as TS 31.102 clause 7.1.1 has them.

    A MUK goes by the FQDN of its BM-SC and is the one used last too. The counter of an MSK goes by its name, a counter
    of 0 stands for a message; the lower limit of an MSK without policies is exclusive, and is the MTK ID heard last
    where that lies within the limits.
    """
    migrated = dict(contents)
    for name, raw in contents.items():
        table, _, rest = name.partition("/")
        try:
            match table:
                case "muk" if not rest.startswith(_CSIM):
                    _renew_muk(migrated, name, json.loads(raw))
                case "msk" if f"spe/{rest}" not in contents:
                    _renew_limits(migrated, name, json.loads(raw))
                case "heard":
                    _rename_counter(migrated, contents, name, json.loads(raw))
                case "heard-muk":
                    application, _, fingerprint = rest.partition("/")
                    migrated[f"heard-muk/{application}/deleted-{fingerprint}"] = migrated.pop(name)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise StoreError(f"card file: record {name} cannot be read") from None
    return migrated


_CSIM = "CSIM/"
"""Records of a CSIM stay: they keep the counter of each server by whatever IDi it sends, and an LTKM of before with
the old IDi must not be new once more."""


def _renew_muk(migrated: Contents, name: str, muk: dict[str, Any]) -> None:
    """A MUK under another protocol than that of MBMS was never one: it goes."""
    del migrated[name]
    if muk["id_i"].endswith(_MBMS_UA_PROTOCOL):
        muk["id_i"] = muk["id_i"].removesuffix(_MBMS_UA_PROTOCOL)
        migrated[name] = json.dumps({**muk, "used_id_r": muk["id_r"], "used_key": muk["key"]}).encode()


def _renew_limits(migrated: Contents, name: str, msk: dict[str, Any]) -> None:
    if msk["lower"] <= msk["upper"]:
        msk["lower"] = max(0, msk["lower"] - 1)
    migrated[name] = json.dumps(msk).encode()


def _rename_counter(migrated: Contents, contents: Contents, name: str, heard: dict[str, Any]) -> None:
    """The counter of a key that the card holds loses the fingerprint in its name; 0 was no counter.

    MTK IDs did not have to rise: one heard outside the limits of now says nothing of where they stand.
    """
    if heard.get("gone"):
        return
    del migrated[name]
    kept = name.rpartition("-")[0]
    of_key = kept.removeprefix("heard/")
    if f"spe/{of_key}" not in contents and f"msk/{of_key}" in contents:
        msk = json.loads(contents[f"msk/{of_key}"])
        if not msk["lower"] <= heard["last_mtk"] <= msk["upper"]:
            heard["last_mtk"] = _NO_MTK
    migrated[kept] = json.dumps({**heard, "counter": heard["counter"] or -1}).encode()


_NO_MTK = -1


def _renew_local_keys(contents: Contents) -> Contents:
    """Drop what came from the old derivation of Ks_local, and name terminals as TS 33.110 clause 3.1 does.

    A local key of the old form matches no terminal's any more, nor does an association with the old names: both go,
    and the terminal derives and agrees again. A secret given beforehand stays under the Terminal_ID of its IMEI, or
    under its name where that has 1 to 10 bytes; nobody could ask for one with a longer name, so it goes.
    """
    gone = ("ks-local/", "ks-local-randx/", "sac-master/")
    renewed = {name: raw for name, raw in contents.items() if not name.startswith((*gone, "sac-psk/"))}
    for name, raw in contents.items():
        if not name.startswith("sac-psk/"):
            continue
        try:
            record = json.loads(raw)
            terminal_id = _terminal_id(bytes.fromhex(record["terminal_id"]))
        except (ValueError, TypeError, KeyError, RecursionError):
            raise StoreError(f"card file: record {name} cannot be read") from None
        if len(terminal_id) <= _LONGEST_TERMINAL_ID:
            record["terminal_id"] = terminal_id.hex()
            renewed[f"sac-psk/{hashlib.sha256(terminal_id).hexdigest()[:32]}"] = json.dumps(record).encode()
    return renewed


_LONGEST_TERMINAL_ID = 10


def _terminal_id(name: bytes) -> bytes:
    """Return the name of a terminal, an IMEI as a mobile identity with identifier and length (TS 24.008 10.5.1.4)."""
    if len(name) != 15 or not name.isdigit():
        return name
    digits = name.decode()
    swapped = "".join(digits[place + 1] + digits[place] for place in range(1, 15, 2))
    return bytes.fromhex(f"1708{digits[0]}A{swapped}")


def _rename_group_keys(contents: Contents) -> Contents:
    """Name the key of a voice group without the acknowledgement and priority that Vservice_Id holds too."""
    renamed = {}
    for name, raw in contents.items():
        prefix, slash, last = name.rpartition("/")
        is_group_key = name.startswith("group/") and len(last) == len("00000000-00")
        renamed[f"{prefix}{slash}{last[:7]}0{last[8:]}" if is_group_key else name] = raw
    return renamed


def _begin_log(contents: Contents) -> Contents:
    """Version 4: commits stand in a log beside the file. A release that does not know of it must not open the file."""
    return contents


SCHEMA_VERSION = 4
MIGRATIONS: Mapping[int, Callable[[Contents], Contents]] = {1: _part_keys_from_counters, 2: _conform, 3: _begin_log}


def migrate(contents: Contents, version: int) -> Contents:
    """Return `contents` of schema `version` in the present schema. Raises `StoreError` when it is unknown."""
    if not 1 <= version <= SCHEMA_VERSION:
        raise StoreError(f"card file has schema version {version}, this release reads 1 to {SCHEMA_VERSION}")
    for step in range(version, SCHEMA_VERSION):
        contents = MIGRATIONS[step](contents)
    return contents
