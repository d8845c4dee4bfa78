"""What of an exchange is secret: one row for each instruction, also of those that this card does not answer.

Every trace, log, report, script record and error message goes by these rows, by `EfRow.secret` for the content of
files, and by the rules of AUTHENTICATE in `card.codec.redaction`. **What has no row here is hidden whole**, on both
sides: it may be a PIN with a mistyped instruction byte, or a command of somebody's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from card.codec.apdu import ClassFamily, class_family
from card.lean import lean_dataclass
from card.spec.ins import INS, PlatformIns
from card.spec.refs import Confidence, Ref


class Secrecy(Enum):
    """Whether the data on one side of an exchange are secret."""

    OPEN = "never"
    SECRET = "always"
    FILE = "as the content of the file it works on"
    CONTEXT = "by the security context and what was asked of it"
    ASKED = "as the answer to the command it continues"
    PROACTIVE = "by the kind of proactive command, envelope or answer"


@lean_dataclass(frozen=True, slots=True)
class SecrecyRow:
    """One instruction in some class families: whether command data and answer data are secret."""

    name: str
    ins: int
    families: tuple[ClassFamily, ...]
    command: Secrecy
    answer: Secrecy
    ref: Ref


_UICC = (ClassFamily.INTERINDUSTRY,)
_ETSI = (ClassFamily.ETSI,)
_SIM = (ClassFamily.GSM,)
_UICC_SIM = (ClassFamily.INTERINDUSTRY, ClassFamily.GSM)
_ETSI_SIM = (ClassFamily.ETSI, ClassFamily.GSM)
_ALL = (ClassFamily.INTERINDUSTRY, ClassFamily.ETSI, ClassFamily.GSM)

_OPEN, _SECRET, _FILE, _CONTEXT = Secrecy.OPEN, Secrecy.SECRET, Secrecy.FILE, Secrecy.CONTEXT
_ASKED, _PROACTIVE = Secrecy.ASKED, Secrecy.PROACTIVE


def _etsi(clause: str) -> Ref:
    return Ref("TS 102 221", clause)


def _administrative(clause: str) -> Ref:
    return Ref("TS 102 222", clause)


def _platform(clause: str) -> Ref:
    return Ref("GPC Card Specification", clause)


UICC_ROWS = (
    SecrecyRow("SELECT", INS.SELECT, _UICC_SIM, _OPEN, _OPEN, _etsi("11.1.1")),
    SecrecyRow("STATUS", INS.STATUS, _ETSI_SIM, _OPEN, _OPEN, _etsi("11.1.2")),
    SecrecyRow("READ BINARY", INS.READ_BINARY, _UICC_SIM, _OPEN, _FILE, _etsi("11.1.3")),
    SecrecyRow("UPDATE BINARY", INS.UPDATE_BINARY, _UICC_SIM, _FILE, _SECRET, _etsi("11.1.4")),
    SecrecyRow("READ RECORD", INS.READ_RECORD, _UICC_SIM, _OPEN, _FILE, _etsi("11.1.5")),
    SecrecyRow("UPDATE RECORD", INS.UPDATE_RECORD, _UICC_SIM, _FILE, _SECRET, _etsi("11.1.6")),
    SecrecyRow("SEARCH RECORD", INS.SEARCH_RECORD, _UICC_SIM, _FILE, _FILE, _etsi("11.1.7")),
    SecrecyRow("INCREASE", INS.INCREASE, (*_ETSI, *_SIM), _FILE, _FILE, _etsi("11.1.8")),
    SecrecyRow("VERIFY PIN", INS.VERIFY_PIN, _UICC_SIM, _SECRET, _SECRET, _etsi("11.1.9")),
    SecrecyRow("CHANGE PIN", INS.CHANGE_PIN, _UICC_SIM, _SECRET, _SECRET, _etsi("11.1.10")),
    SecrecyRow("DISABLE PIN", INS.DISABLE_PIN, _UICC_SIM, _SECRET, _SECRET, _etsi("11.1.11")),
    SecrecyRow("ENABLE PIN", INS.ENABLE_PIN, _UICC_SIM, _SECRET, _SECRET, _etsi("11.1.12")),
    SecrecyRow("UNBLOCK PIN", INS.UNBLOCK_PIN, _UICC_SIM, _SECRET, _SECRET, _etsi("11.1.13")),
    SecrecyRow("DEACTIVATE FILE", INS.DEACTIVATE_FILE, _UICC_SIM, _OPEN, _OPEN, _etsi("11.1.14")),
    SecrecyRow("ACTIVATE FILE", INS.ACTIVATE_FILE, _UICC_SIM, _OPEN, _OPEN, _etsi("11.1.15")),
    # RAND and AUTN travel in clear anyway; the odd form carries MIKEY messages.
    SecrecyRow("AUTHENTICATE", INS.AUTHENTICATE, _UICC_SIM, _OPEN, _CONTEXT, Ref("TS 31.102", "7.1")),
    SecrecyRow("AUTHENTICATE (odd)", INS.AUTHENTICATE_ODD, _UICC, _CONTEXT, _CONTEXT, Ref("TS 31.102", "7.1")),
    SecrecyRow("MANAGE CHANNEL", INS.MANAGE_CHANNEL, _UICC, _OPEN, _OPEN, _etsi("11.1.17")),
    SecrecyRow("GET RESPONSE", INS.GET_RESPONSE, _ALL, _OPEN, _ASKED, _etsi("11.1.18")),
    SecrecyRow("GET CHALLENGE", INS.GET_CHALLENGE, _UICC, _OPEN, _OPEN, _etsi("11.1.18")),
    SecrecyRow("TERMINAL CAPABILITY", INS.TERMINAL_CAPABILITY, _ETSI, _OPEN, _OPEN, _etsi("11.1.19")),
    # Nonces, names and MACs; the keys are never sent, and what TRANSACT DATA carries is encrypted.
    SecrecyRow("MANAGE SECURE CHANNEL", INS.MANAGE_SECURE_CHANNEL, _UICC, _OPEN, _OPEN, _etsi("11.1.20")),
    SecrecyRow("TRANSACT DATA", INS.TRANSACT_DATA, _UICC, _OPEN, _OPEN, _etsi("11.1.21")),
    # The answer holds the token that resumes the card.
    SecrecyRow("SUSPEND UICC", INS.SUSPEND_UICC, _ETSI, _SECRET, _SECRET, _etsi("11.1.22")),
    # What is asked for is a concealed identity (TS 31.102 clause 7.5).
    SecrecyRow("GET IDENTITY", INS.GET_IDENTITY, _ETSI, _OPEN, _OPEN, _etsi("11.1.23")),
    SecrecyRow("TERMINAL PROFILE", INS.TERMINAL_PROFILE, _ETSI_SIM, _OPEN, _OPEN, _etsi("11.2.1")),
    SecrecyRow("ENVELOPE", INS.ENVELOPE, _ETSI_SIM, _PROACTIVE, _OPEN, _etsi("11.2.2")),
    SecrecyRow("FETCH", INS.FETCH, _ETSI_SIM, _OPEN, _PROACTIVE, _etsi("11.2.3")),
    SecrecyRow("TERMINAL RESPONSE", INS.TERMINAL_RESPONSE, _ETSI_SIM, _PROACTIVE, _OPEN, _etsi("11.2.4")),
    SecrecyRow("RETRIEVE DATA", INS.RETRIEVE_DATA, _ETSI, _OPEN, _FILE, _etsi("11.3.1")),
    SecrecyRow("SET DATA", INS.SET_DATA, _ETSI, _FILE, _SECRET, _etsi("11.3.2")),
    SecrecyRow("SLEEP", INS.SLEEP, _SIM, _OPEN, _OPEN, Ref("TS 51.011", "8.17")),
)
"""TS 102 221 and TS 31.102, and the same commands in the class of a SIM (TS 51.011 clause 9.2)."""

ADMINISTRATIVE_ROWS = (
    # FCP templates; a filling pattern in them is no content of its own.
    SecrecyRow("CREATE FILE", INS.CREATE_FILE, _UICC, _OPEN, _OPEN, _administrative("6.3")),
    SecrecyRow("DELETE FILE", INS.DELETE_FILE, (*_UICC, *_ETSI), _OPEN, _OPEN, _administrative("6.4")),
    SecrecyRow("TERMINATE DF", INS.TERMINATE_DF, _UICC, _OPEN, _OPEN, _administrative("6.7")),
    SecrecyRow("TERMINATE EF", INS.TERMINATE_EF, _UICC, _OPEN, _OPEN, _administrative("6.8")),
    SecrecyRow("TERMINATE CARD USAGE", INS.TERMINATE_CARD_USAGE, _UICC, _OPEN, _OPEN, _administrative("6.9")),
    SecrecyRow("RESIZE FILE", INS.RESIZE_FILE, _ETSI, _OPEN, _OPEN, _administrative("6.10")),
)
"""TS 102 222. DELETE FILE stands for GlobalPlatform's DELETE too, which names AIDs."""

PLATFORM_ROWS = (
    # The answer may be any object of a security domain; the check values in it are made of keys.
    SecrecyRow("GET DATA", INS.GET_DATA, (*_UICC, *_ETSI), _OPEN, _SECRET, _platform("11.3")),
    # Parameters of an installation and code may hold keys and PINs.
    SecrecyRow("INSTALL", PlatformIns.INSTALL, _ETSI, _SECRET, _SECRET, _platform("11.5")),
    SecrecyRow("LOAD", PlatformIns.LOAD, _ETSI, _SECRET, _SECRET, _platform("11.6")),
    SecrecyRow("PUT KEY", INS.PUT_KEY, _ETSI, _SECRET, _SECRET, _platform("11.8")),
    SecrecyRow("SET STATUS", INS.SET_STATUS, _ETSI, _OPEN, _OPEN, _platform("11.10")),
    SecrecyRow("STORE DATA", INS.STORE_DATA, _ETSI, _SECRET, _SECRET, _platform("11.11")),
    SecrecyRow("INITIALIZE UPDATE", INS.INITIALIZE_UPDATE, _ETSI, _OPEN, _OPEN, Ref("GPC Amendment D", "7.1.1")),
    SecrecyRow(
        "EXTERNAL AUTHENTICATE", INS.EXTERNAL_AUTHENTICATE, _ETSI, _OPEN, _OPEN, Ref("GPC Amendment D", "7.1.2")
    ),
)  # fmt: skip
"""GlobalPlatform; GET STATUS is STATUS, MANAGE CHANNEL and SELECT are those above."""

OTHER_ROWS = (
    SecrecyRow(
        "OMA BCAST", INS.OMA_BCAST, _UICC, _OPEN, _OPEN,
        Ref("OMA-TS-BCAST_SvcCntProtection", "APDU annex", Confidence.UNSURE),
    ),
    # A BAK comes encrypted with TK; what is asked for are keys.
    SecrecyRow("BCMCS", INS.BCMCS, (*_UICC, *_ETSI), _OPEN, _SECRET, Ref("C.S0065-B", "4.6")),
)  # fmt: skip

ALL_ROWS: tuple[SecrecyRow, ...] = (*UICC_ROWS, *ADMINISTRATIVE_ROWS, *PLATFORM_ROWS, *OTHER_ROWS)


_FAMILY_OF = tuple(class_family(cla) for cla in range(256))
_BY_CODE: Mapping[int, SecrecyRow] = {
    cla << 8 | row.ins: row for row in ALL_ROWS for cla in range(256) if _FAMILY_OF[cla] in row.families
}


OPEN_ENVELOPES: frozenset[int] = frozenset({0xD3, 0xD4, 0xD5, 0xD6, 0xD7})
"""Tags of envelopes without secrets (TS 102 223 clause 9.1): menu, call control, SMS control, event, timer.

A short message for the card may carry any command, unciphered (TS 31.115).
"""

OPEN_PROACTIVE: frozenset[int] = frozenset({
    0x01, 0x02, 0x03, 0x04, 0x05, 0x10, 0x11, 0x12, 0x15, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28,
})  # fmt: skip
"""Types of proactive command without secrets (TS 102 223 clause 9.4).

OPEN CHANNEL has a password, SEND DATA and SEND SHORT MESSAGE anything.
"""

TYPED_BY_USER: frozenset[int] = frozenset({0x22, 0x23})
"""GET INKEY and GET INPUT: what the user typed may be a PIN."""


def find_secrecy(cla: int, ins: int) -> SecrecyRow | None:
    """Return the row of an instruction in the class family of `cla`; None for what nobody named: hide it whole."""
    return _BY_CODE.get(cla << 8 | ins)
