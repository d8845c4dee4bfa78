"""What a file says of one subscriber: its fields, declared once for CSV and TOML alike (docs/user/scenarios.md)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from card.crypto.bcmcs import PROVISIONAL_SET, RegistrationKey, UnknownFunctions, find_functions
from card.crypto.milenage import derive_opc
from card.crypto.secret import Secret
from card.crypto.tuak import derive_topc
from host_tools.exchange.messages.zn import KeyChoice
from host_tools.headend.subscribers.gba_settings import GbaSettings, UiccType
from host_tools.headend.subscribers.record import SubscriberRecord
from host_tools.headend.subscribers.rk_subscriber import RkSubscriber

Complain = Callable[[str, str], None]
"""Takes a field and what is wrong with it."""
_LONGEST_SHOWN = 24  # a key has 32 digits
_KEY = "32 hex digits"


@dataclass(frozen=True, slots=True)
class _Field:
    """A field: what its text must match, that in words, and whether its value may be shown."""

    pattern: str
    allowed: str
    default: str | None = ""
    secret: bool = False


def _secret(digits: str, allowed: str) -> _Field:
    return _Field(rf"[0-9A-Fa-f]{{{digits}}}", allowed, secret=True)


_NAME = r"[!-?A-~]{1,127}@[!-?A-~]{1,127}"
_FIELDS: Mapping[str, _Field] = {
    "imsi": _Field(r"[0-9]{6,15}", "6 to 15 digits", None),
    "impi": _Field(_NAME, "text of the form user@realm"),
    "mnc_length": _Field("[23]", "2 or 3, the digits of the MNC inside the IMSI", "2"),
    "algorithm": _Field("milenage|tuak|xor", "milenage, tuak or xor", "milenage"),
    "k": _Field("([0-9A-Fa-f]{32}){1,2}", "32 hex digits, with tuak 64 as well", secret=True),
    "opc": _secret("32", _KEY),
    "op": _secret("32", _KEY),
    "topc": _secret("64", "64 hex digits"),
    "top": _secret("64", "64 hex digits"),
    "amf": _Field("[0-9A-Fa-f]{4}", "4 hex digits", "8000"),
    "sqn": _Field("[0-9A-Fa-f]{12}", "12 hex digits, the SQN that was used last", "0" * 12),
    "ind_bits": _Field("[0-9]|10", "0 to 10, the bits of SQN that are IND", "5"),
    "uicc": _Field("GBA_U|GBA", "GBA_U, or GBA for GBA_ME", UiccType.GBA_U.value),
    "key_choice": _Field(
        "|".join(choice.value for choice in KeyChoice), " or ".join(choice.value for choice in KeyChoice)
    ),
    "lifetime": _Field("[1-9][0-9]{0,8}", "seconds from 1 to 999999999", "86400"),
    "plain_res": _Field("true|false", "true or false", "false"),
    "nai": _Field(r"[!-?A-~]{1,35}@[!-?A-~]{1,36}", "text of the form user@realm, at most 72 characters"),
    "rk": _secret("32", _KEY),
    "functions": _Field(r"[a-z0-9][a-z0-9._-]{0,63}", "a set of BCMCS functions", PROVISIONAL_SET),
}
_OF_CSIM = ("nai", "rk", "functions")
_OF_USIM = tuple(name for name in _FIELDS if name not in ("imsi", *_OF_CSIM))
_CONSTANTS = {"milenage": ("opc", "op"), "tuak": ("topc", "top"), "xor": ()}


def check_names(names: Mapping[str, object] | list[str], complain: Complain) -> None:
    """Complain of each name that is no field."""
    for name in names:
        if name not in _FIELDS:
            near = difflib.get_close_matches(name, _FIELDS, 1)
            hint = f"did you mean {near[0]}?" if near else "allowed are " + ", ".join(_FIELDS)
            complain(shown_name(name), f"is not a field of a subscriber; {hint}")


def shown_name(name: str) -> str:
    """Return a field's name as it may be shown: where a first line is missing, a key may stand there."""
    return name if re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,23}", name) else f"a name of {len(name)} characters"


def read_subscriber(given: Mapping[str, str], complain: Complain) -> SubscriberRecord | RkSubscriber | None:
    """Return the subscriber that the fields describe, an empty text being none at all; None after a complaint.

    One with a registration key (`rk`) is that of a CSIM, any other that of a USIM.
    """
    values, sound = dict[str, str](), True
    for name, field in _FIELDS.items():
        text = given.get(name, "")
        values[name] = text or (field.default or "")
        if text and not re.fullmatch(field.pattern, text):
            complain(name, f"{_shown(text, field)} is not allowed; {field.allowed} is wanted")
            sound = False
        elif not text and field.default is None:
            complain(name, f"is missing; {field.allowed} is wanted")
            sound = False
    if not sound:
        return None
    if values["rk"] or values["nai"]:
        return _rk_subscriber(given, values, complain)
    return _subscriber(given, values, complain)


def _rk_subscriber(given: Mapping[str, str], values: Mapping[str, str], complain: Complain) -> RkSubscriber | None:
    for name in _OF_USIM:
        if given.get(name):
            complain(name, "is not for a CSIM (an entry with nai or rk); give the USIM an entry of its own")
            return None
    for name in ("nai", "rk"):
        if not values[name]:
            complain(name, f"is missing; {_FIELDS[name].allowed} is wanted for a CSIM")
            return None
    try:
        functions = find_functions(values["functions"])
    except UnknownFunctions as error:
        complain("functions", str(error))
        return None
    root = RegistrationKey(_bytes_of(values["rk"]), functions)
    return RkSubscriber(values["imsi"], values["nai"], root, values["functions"])


def _subscriber(given: Mapping[str, str], values: Mapping[str, str], complain: Complain) -> SubscriberRecord | None:
    constant = _operator_constant(values, complain)
    if constant is None or given.get("functions"):
        if constant is not None:
            complain("functions", "is for the subscriber of a CSIM, one with nai and rk")
        return None
    k, algorithm = _bytes_of(values["k"]), values["algorithm"]
    settings = _settings(values, complain)
    if settings is None:
        return None
    sqn, ind_bits = int(values["sqn"], 16), int(values["ind_bits"])
    return SubscriberRecord(
        values["imsi"],
        values["impi"] or _impi(values["imsi"], int(values["mnc_length"])),
        algorithm,
        k,
        constant,
        bytes.fromhex(values["amf"]),
        sqn >> ind_bits,
        ind_bits,
        settings,
    )


def _operator_constant(values: Mapping[str, str], complain: Complain) -> Secret | None:
    """Return OPc, TOPc or nothing, as the algorithm wants it; None after a complaint."""
    algorithm, k = values["algorithm"], values["k"]
    if not k:
        complain("k", f"is missing; {_FIELDS['k'].allowed} is wanted")
        return None
    if len(k) != 32 and algorithm != "tuak":
        complain("k", f"has {len(k)} hex digits; with {algorithm} it has 32")
        return None
    wanted = _CONSTANTS[algorithm]
    found = [name for name in ("opc", "op", "topc", "top") if values[name]]
    if len(found) != bool(wanted) or not set(found) <= set(wanted):
        rule = " or ".join(wanted) + ", one of the two" if wanted else "none of opc, op, topc, top"
        complain(found[0] if found else wanted[0], f"with {algorithm}, {rule} is wanted")
        return None
    if not found:
        return Secret(b"")
    constant, key = _bytes_of(values[found[0]]), _bytes_of(k)
    match found[0]:
        case "op":
            return derive_opc(key, constant)
        case "top":
            return derive_topc(key, constant)
        case _:
            return constant


def _settings(values: Mapping[str, str], complain: Complain) -> GbaSettings | None:
    uicc = UiccType(values["uicc"])
    usual = KeyChoice.UICC_BASED if uicc is UiccType.GBA_U else KeyChoice.ME_BASED
    choice = KeyChoice(values["key_choice"]) if values["key_choice"] else usual
    if uicc is UiccType.GBA and choice is not KeyChoice.ME_BASED:
        complain("key_choice", f"{choice.value} is not allowed; a card without GBA_U has the ME-based-key only")
        return None
    return GbaSettings(uicc, choice, timedelta(seconds=int(values["lifetime"])), values["plain_res"] == "true")


def _impi(imsi: str, mnc_length: int) -> str:
    """Return the private identity of a subscriber without an ISIM (TS 23.003 clause 13.3)."""
    mcc, mnc = imsi[:3], imsi[3 : 3 + mnc_length]
    return f"{imsi}@ims.mnc{mnc:0>3}.mcc{mcc}.3gppnetwork.org"


def _bytes_of(digits: str) -> Secret:
    return Secret(bytes.fromhex(digits))


def _shown(text: str, field: _Field) -> str:
    """Return a wrong value as it may be shown: what is long may be a key that stands in the wrong place."""
    if field.secret or len(text) > _LONGEST_SHOWN:
        return f"a value of {len(text)} characters"
    return repr(text)
