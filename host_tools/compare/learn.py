"""Proposes a card profile with which the emulator answers as another card did (docs/user/compare.md)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from card.codec.bcd import decode_digits, decode_imsi
from card.codec.ef import CODECS
from card.disk.toml import quoted
from card.errors import CardError
from card.spec.aids import APPLICATIONS
from card.spec.files.rows import Structure
from card.spec.services import NOT_BESIDE_ISIM, OPERATOR_PLMN_LIST, PLMN_NETWORK_NAME
from host_tools.compare.access import access_lines, differing, find_access
from host_tools.compare.explore import FoundCard, FoundFile
from host_tools.terminal.card_application import Application

Emulate = Callable[[str], FoundCard]
"""Takes the text of a profile and returns what exploring the emulated card finds. Raises `CardError`."""
LearnTables = Callable[[str], str]
"""Takes the text of a profile without OMA BCAST tables and returns what it is to say about them. Raises `CardError`."""

_PREFIXES = {name: prefix for prefix, name in APPLICATIONS.items()}
_UST = "ADF.USIM/6F38"
_ARR = "EF_ARR"
# What these hold follows from other fields of the profile, or from the card's own tables.
_DERIVED = frozenset({"EF_DIR", _ARR, "EF_ICCID", "EF_IMSI", "EF_UST"})
_NO_KEY = "00" * 16
_NO_TABLES = "\n# OMA BCAST tables: nothing was learned, for no exchange was given to learn from.\n"
_DEFAULT_ICCID, _DEFAULT_IMSI = "8900101000000000019", "001010123456789"


class LearnError(Exception):
    """No profile can be proposed. The message is one sentence."""


def propose_profile(card: FoundCard, emulate: Emulate, learn_tables: LearnTables | None = None) -> str:
    """Return a profile as TOML: what was read, compared with what the emulator has by itself.

    Keys and PINs cannot be read, so they are placeholders. What stays different is listed in comments.
    Raises `LearnError` when the emulator cannot be made from what was read.
    """
    head = "\n".join(_head(card))
    try:
        plain = emulate(head)
        services = "\n".join(_services(card, plain))
        with_services = emulate(head + services)
        text = head + services + "\n".join(_files(card, with_services)) + "\n"
        text += _NO_TABLES if learn_tables is None else learn_tables(head + services)
        return text + "\n".join(_remaining(card, emulate(text))) + "\n"
    except CardError as error:
        raise LearnError(f"The emulator cannot be made like the card in “{card.name}”: {error}") from error


def _head(card: FoundCard) -> Iterator[str]:
    yield "# Learned from a card. Keys and PINs cannot be read from one: put your test values in their places."
    yield f"name = {quoted(f'Learned from {card.name}'[:64])}"
    yield f"iccid = {quoted(_read(card, '3F00/2FE2', decode_digits) or _DEFAULT_ICCID)}"
    yield f"atr = {quoted(card.atr.hex().upper())}" if card.atr else "# it gave no ATR"
    yield "\n[pins]  # placeholders"
    yield from _pins(card)
    yield "\n[usim]"
    yield f"imsi = {quoted(_read(card, 'ADF.USIM/6F07', decode_imsi) or _DEFAULT_IMSI)}"
    yield f"mnc_length = {_mnc_length(card)}"
    yield from _application(card, "ADF.USIM")
    spn = _read(card, "ADF.USIM/6F46", CODECS["spn"].decode)
    if spn.isprintable() and 0 < len(spn) <= 16:
        yield f"spn = {quoted(spn)}"
    yield f'k = "{_NO_KEY}"  # a placeholder\nopc = "{_NO_KEY}"  # a placeholder\n'
    if _find(card, "ADF.ISIM"):
        yield "[isim]"
        yield from _application(card, "ADF.ISIM")
    if _find(card, "ADF.CSIM"):
        yield "[csim]"
        yield from _application(card, "ADF.CSIM")
        yield f'rk = "{_NO_KEY}"  # a placeholder\nnai = "subscriber@example.org"  # a placeholder\n'


def _application(card: FoundCard, name: str) -> Iterator[str]:
    entry = _find(card, name)
    if entry is None:
        return
    yield f"aid = {quoted(entry.aid.hex().upper())}"
    if entry.label.isascii() and entry.label.isprintable() and entry.label:
        yield f"label = {quoted(entry.label)}"


def _find(card: FoundCard, name: str) -> Application | None:
    return next((entry for entry in card.applications if entry.aid.startswith(_PREFIXES[name])), None)


def _pins(card: FoundCard) -> Iterator[str]:
    enabled = {status.reference: status.enabled for status in card.pins}
    yield f'pin1 = {{ value = "1234", enabled = {_flag(enabled.get(0x01, True))} }}'
    if 0x81 in enabled:
        yield f'pin2 = {{ value = "5678", enabled = {_flag(enabled[0x81])} }}'
    if 0x11 in enabled:
        yield f'universal = {{ value = "2468", enabled = {_flag(enabled[0x11])} }}'
    if 0x0A in enabled:
        yield 'adm1 = { value = "11223344" }'


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _read(card: FoundCard, path: str, decode: Callable[[bytes], str]) -> str:
    found = card.files.get(path)
    if found is None or not found.content:
        return ""
    try:
        return decode(found.content[0])
    except CardError:
        return ""


def _mnc_length(card: FoundCard) -> int:
    found = card.files.get("ADF.USIM/6FAD")
    content = found.content[0] if found and found.content else b""
    return 3 if len(content) > 3 and content[3] & 0x0F == 3 else 2


def _services(card: FoundCard, emulated: FoundCard) -> Iterator[str]:
    wanted, there = _service_numbers(card), _service_numbers(emulated)
    if wanted is None or there is None or wanted == there:
        return
    yield "\n[usim.services]"
    yield f"extra = {sorted(wanted - there - _not_allowed(card, wanted))}"
    yield f"disabled = {sorted(there - wanted)}"


def _not_allowed(card: FoundCard, wanted: set[int]) -> set[int]:
    """Return services that the card announces against TS 31.102 clause 4.2.8, which no profile may ask for."""
    alone = {OPERATOR_PLMN_LIST} if PLMN_NETWORK_NAME not in wanted else set()
    return alone | (set(NOT_BESIDE_ISIM) if _find(card, "ADF.ISIM") else set())


def _service_numbers(card: FoundCard) -> set[int] | None:
    found = card.files.get(_UST)
    return set(CODECS["services"].decode(found.content[0])) if found and found.content else None


def _files(card: FoundCard, emulated: FoundCard) -> Iterator[str]:
    for path, found in card.files.items():
        known = emulated.files.get(path)
        if known is None and found.content is None:
            continue
        lines = [] if _is_derived(found) or not _differs(found, known) else list(_content(found, known))
        lines += _access(card, emulated, path)
        if lines:
            yield f"\n[[files]]  # {found.row.name}\npath = {quoted(path)}"
            yield from lines


def _is_derived(found: FoundFile) -> bool:
    return found.row.name in _DERIVED or found.content is None or found.structure is Structure.BER_TLV


def _differs(found: FoundFile, known: FoundFile | None) -> bool:
    return known is None or (found.size, found.sfi, found.content) != (known.size, known.sfi, known.content)


def _content(found: FoundFile, known: FoundFile | None) -> Iterator[str]:
    contents = found.content or ()
    if known is None:
        yield f"structure = {quoted(found.structure.value)}"
    yield f"size = {found.size}"
    if found.structure.has_records:
        yield f"count = {len(contents)}"
        yield f"records = {json.dumps([record.hex().upper() for record in contents])}"
    else:
        yield f"hex = {quoted(contents[0].hex().upper())}"
    if found.sfi and (known is None or found.sfi != known.sfi):
        yield f"sfi = {found.sfi}"


def _access(card: FoundCard, emulated: FoundCard, path: str) -> list[str]:
    access = find_access(card, path)
    known = find_access(emulated, path) if path in emulated.files else None
    lines = list(access_lines(access, known))
    if known is None and not lines:
        return [f'access = {{ read = "PIN1", update = "ADM1" }}  # a guess; {access.source}']
    return lines


def _remaining(card: FoundCard, emulated: FoundCard) -> Iterator[str]:
    """Yield comments on what the proposal does not reach."""
    yield ""
    for path, found in card.files.items():
        known = emulated.files.get(path)
        about = f"# {path} {found.row.name}:"
        if found.content is None:
            yield f"{about} could not be read, so its content was not learned"
        elif known is None:
            yield f"{about} the emulator does not have it"
        elif _differs(found, known):
            yield f"{about} {'the emulator numbers its rules itself' if found.row.name == _ARR else 'stays different'}"
        access = find_access(card, path)
        if not access.conditions:
            yield f"{about} access {access.source}"
        elif known is not None and differing(access, find_access(emulated, path)):
            yield f"{about} access stays different"
    for path, known in emulated.files.items():
        if path not in card.files:
            yield f"# {path} {known.row.name}: the emulator has it, the card has not"
