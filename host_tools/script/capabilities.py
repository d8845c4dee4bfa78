"""Asks a card what it is: applications, service tables, ICCID, whether the PIN is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from card.codec.apdu import CommandApdu
from card.codec.bcd import decode_digits
from card.codec.ef import CODECS
from card.crypto.secret import Secret
from card.errors import DecodeError
from card.spec.aids import APPLICATIONS
from card.spec.files.fids import MF, fid_of
from card.spec.ins import INS
from card.spec.status import SW
from host_tools.apdu.client import ApduClient
from host_tools.apdu.pin import pad_pin
from host_tools.apdu.response import StatusError
from host_tools.script.safety import PIN1, RefusedPins, may_try_pin, tries_left
from host_tools.terminal.card_application import EF_ICCID, CardFiles
from host_tools.terminal.errors import TerminalError

_SERVICE_TABLES = {
    "usim": fid_of("ADF.USIM", "EF_UST"),
    "csim": fid_of("ADF.CSIM", "EF_CSIM_ST"),
    "isim": fid_of("ADF.ISIM", "EF_IST"),
}


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the card told: AIDs and service numbers by `usim`, `csim`, `isim`; ICCID digits, empty when it has none.

    `unreadable` says in words why a service table is missing.
    """

    aids: Mapping[str, bytes] = field(default_factory=dict)
    services: Mapping[str, frozenset[int]] = field(default_factory=dict)
    iccid: str = ""
    pin_enabled: bool = False
    unreadable: str = ""


def probe_card(client: ApduClient, pin: Secret | None, refused: RefusedPins) -> Capabilities:
    """Ask the card, beginning and ending with a reset.

    `pin` (4 to 8 bytes) is given only while two tries or more are left, and only until it is `refused`, which learns
    of it. Raises `LinkError`.
    """
    client.reset()
    usim = CardFiles(client)
    aids = _applications(usim)
    services: dict[str, frozenset[int]] = {}
    pin_enabled, unreadable = False, list[str]()
    for name in _SERVICE_TABLES:
        if name not in aids:
            continue
        try:
            usim.select_application(aids[name])
            pin_enabled |= tries_left(client, PIN1) is not None
            if pin is not None:
                _give_pin(client, pin, refused)
            services[name] = _service_table(usim, _SERVICE_TABLES[name])
        except (StatusError, TerminalError, DecodeError) as error:
            unreadable.append(f"the service table of the {name.upper()} cannot be read: {error}")
    iccid = _iccid(usim)
    client.reset()
    return Capabilities(aids, services, iccid, pin_enabled, "; ".join(unreadable))


def _give_pin(client: ApduClient, pin: Secret, refused: RefusedPins) -> None:
    command = CommandApdu(0, INS.VERIFY_PIN, 0, PIN1, pad_pin(pin))
    sw = refused.refusal(command)
    if sw is None and may_try_pin(client, PIN1):
        sw = client.transmit(command).sw
        refused.note(command, sw)
    if sw not in (None, SW.OK, SW.DATA_INVALIDATED):
        raise StatusError(sw, "verifying the PIN")


def _applications(usim: CardFiles) -> dict[str, bytes]:
    try:
        listed = usim.applications()
    except (StatusError, TerminalError, DecodeError):
        return {}
    aids: dict[str, bytes] = {}
    for application in listed:
        for prefix, name in APPLICATIONS.items():
            if application.aid.startswith(prefix):
                aids.setdefault(name.removeprefix("ADF.").lower(), application.aid)
    return aids


def _service_table(usim: CardFiles, file_id: int) -> frozenset[int]:
    return frozenset(CODECS["services"].decode(usim.read_file(file_id)))


def _iccid(usim: CardFiles) -> str:
    try:
        usim.select(MF)
        return decode_digits(usim.read_file(EF_ICCID))
    except (StatusError, TerminalError, DecodeError):
        return ""
