"""Status words: value, meaning, clause. One row each; handlers, clients and docs read the same rows."""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache

from card.lean import lean_dataclass
from card.spec.refs import Confidence, Ref

_UICC = "TS 102 221"
_USIM = "TS 31.102"
_SOURCED = Confidence.SOURCED


class SW(IntEnum):
    """Status words with a fixed value. Families with a number inside are built by the functions below."""

    OK = 0x9000
    UNSUCCESSFUL_SEARCH = 0x6282
    MORE_RESPONSE = 0x62F1
    MORE_RESPONSE_PROACTIVE = 0x62F2
    RESPONSE_AVAILABLE = 0x62F3
    MORE_COMMAND = 0x63F1
    MORE_COMMAND_PROACTIVE = 0x63F2
    FILE_DEACTIVATED_WARNING = 0x6283
    FILE_TERMINATED_WARNING = 0x6285
    MEMORY_PROBLEM = 0x6581
    WRONG_LENGTH = 0x6700
    CHANNEL_NOT_SUPPORTED = 0x6881
    SECURE_MESSAGING_NOT_SUPPORTED = 0x6882
    COMMAND_INCOMPATIBLE = 0x6981
    SECURITY_NOT_SATISFIED = 0x6982
    METHOD_BLOCKED = 0x6983
    DATA_INVALIDATED = 0x6984
    CONDITIONS_NOT_SATISFIED = 0x6985
    NO_EF_SELECTED = 0x6986
    SECURE_CHANNEL_REQUIRED = 0x6989
    WRONG_DATA = 0x6A80
    FUNCTION_NOT_SUPPORTED = 0x6A81
    FILE_NOT_FOUND = 0x6A82
    RECORD_NOT_FOUND = 0x6A83
    NOT_ENOUGH_MEMORY = 0x6A84
    WRONG_P1_P2 = 0x6A86
    LC_INCONSISTENT = 0x6A87
    REFERENCED_DATA_NOT_FOUND = 0x6A88
    WRONG_PARAMETERS = 0x6B00
    INS_NOT_SUPPORTED = 0x6D00
    CLA_NOT_SUPPORTED = 0x6E00
    INTERNAL_ERROR = 0x6F00
    BAK_NOT_FOUND = 0x9402
    FLOW_NOT_FOUND = 0x9404
    MAX_VALUE_REACHED = 0x9850
    INCORRECT_MAC = 0x9862
    SECURITY_SESSION_EXPIRED = 0x9863
    CONTEXT_NOT_SUPPORTED = 0x9864
    KEY_FRESHNESS_FAILURE = 0x9865
    NO_MEMORY_EF_MSK = 0x9866
    NO_MEMORY_EF_MUK = 0x9867


class SimSW(IntEnum):
    """Status words of a SIM that a UICC does not have (TS 51.011 clause 9.4), answered to class A0 only."""

    NO_EF_SELECTED = 0x9400
    OUT_OF_RANGE = 0x9402
    NOT_FOUND = 0x9404
    INCONSISTENT_FILE = 0x9408
    NO_CHV = 0x9802
    ACCESS_NOT_FULFILLED = 0x9804
    CONTRADICTS_CHV_STATUS = 0x9808
    CONTRADICTS_INVALIDATION = 0x9810
    CHV_BLOCKED = 0x9840


@lean_dataclass(frozen=True, slots=True)
class StatusRow:
    """A status word or a family of them (`mask` says which bits count)."""

    value: int
    meaning: str
    ref: Ref
    mask: int = 0xFFFF


def _uicc(value: int, meaning: str, mask: int = 0xFFFF) -> StatusRow:
    return StatusRow(value, meaning, Ref(_UICC, "10.2.1", _SOURCED), mask)


def _bcmcs(value: int, meaning: str) -> StatusRow:
    return StatusRow(value, meaning, Ref("C.S0023-D", "4.9.3", _SOURCED))


def _usim(value: int, meaning: str) -> StatusRow:
    return StatusRow(value, meaning, Ref(_USIM, "7.3", _SOURCED))


def _sim(value: int, meaning: str, mask: int = 0xFFFF) -> StatusRow:
    return StatusRow(value, meaning, Ref("TS 51.011", "9.4", _SOURCED), mask)


STATUS_ROWS: tuple[StatusRow, ...] = (
    _uicc(SW.OK, "normal ending of the command"),
    _uicc(0x9100, "normal ending, a proactive command is pending", 0xFF00),
    _uicc(0x9200, "normal ending, information about a data transfer session", 0xFF00),
    _uicc(0x9300, "the card is busy with a proactive command", 0xFFFF),
    _uicc(0x6100, "response data available, fetch with GET RESPONSE", 0xFF00),
    _uicc(0x6200, "no information given, memory unchanged"),
    _uicc(0x6281, "part of the returned data may be corrupted"),
    _uicc(SW.UNSUCCESSFUL_SEARCH, "end of file or record reached before Le bytes, or unsuccessful search"),
    _uicc(SW.FILE_DEACTIVATED_WARNING, "the selected file is deactivated"),
    _uicc(SW.FILE_TERMINATED_WARNING, "the selected file is in the termination state"),
    _uicc(SW.MORE_RESPONSE, "more response data available"),
    _uicc(SW.MORE_RESPONSE_PROACTIVE, "more response data available, a proactive command is pending"),
    _uicc(SW.RESPONSE_AVAILABLE, "response data available"),
    _uicc(SW.MORE_COMMAND, "more command data expected"),
    _uicc(SW.MORE_COMMAND_PROACTIVE, "more command data expected, a proactive command is pending"),
    _uicc(0x63C0, "verification failed", 0xFFF0),
    _uicc(0x6400, "no information given, memory unchanged"),
    _uicc(0x6500, "no information given, memory changed"),
    _uicc(SW.MEMORY_PROBLEM, "memory problem"),
    _uicc(SW.WRONG_LENGTH, "wrong length"),
    _uicc(0x6C00, "wrong Le, the low byte is the right one", 0xFF00),
    _uicc(SW.CHANNEL_NOT_SUPPORTED, "logical channel not supported"),
    _uicc(SW.SECURE_MESSAGING_NOT_SUPPORTED, "secure messaging not supported"),
    _uicc(SW.COMMAND_INCOMPATIBLE, "command incompatible with the file structure"),
    _uicc(SW.SECURITY_NOT_SATISFIED, "security status not satisfied"),
    _uicc(SW.METHOD_BLOCKED, "authentication or PIN method blocked"),
    _uicc(SW.DATA_INVALIDATED, "referenced data invalidated"),
    _uicc(SW.CONDITIONS_NOT_SATISFIED, "conditions of use not satisfied"),
    _uicc(SW.NO_EF_SELECTED, "command not allowed, no EF selected"),
    _uicc(SW.SECURE_CHANNEL_REQUIRED, "command not allowed, secure channel: security not satisfied"),
    _uicc(SW.WRONG_DATA, "incorrect parameters in the data field"),
    _uicc(SW.FUNCTION_NOT_SUPPORTED, "function not supported"),
    _uicc(SW.FILE_NOT_FOUND, "file not found"),
    _uicc(SW.RECORD_NOT_FOUND, "record not found"),
    _uicc(SW.NOT_ENOUGH_MEMORY, "not enough memory space"),
    _uicc(SW.WRONG_P1_P2, "incorrect parameters P1 to P2"),
    _uicc(SW.LC_INCONSISTENT, "Lc inconsistent with P1 to P2"),
    _uicc(SW.REFERENCED_DATA_NOT_FOUND, "referenced data not found"),
    _uicc(SW.WRONG_PARAMETERS, "wrong parameters P1 to P2"),
    _uicc(SW.INS_NOT_SUPPORTED, "instruction code not supported or invalid"),
    _uicc(SW.CLA_NOT_SUPPORTED, "class not supported"),
    _uicc(SW.INTERNAL_ERROR, "technical problem, no precise diagnosis"),
    _bcmcs(SW.BAK_NOT_FOUND, "BCMCS: unknown BAK_ID; with class A0: address out of range"),
    _bcmcs(SW.FLOW_NOT_FOUND, "BCMCS: unknown BCMCS_Flow_ID; with class A0: file not found"),
    _uicc(SW.MAX_VALUE_REACHED, "INCREASE cannot be performed, maximum value reached"),
    _usim(SW.INCORRECT_MAC, "authentication error, incorrect MAC"),
    _uicc(SW.SECURITY_SESSION_EXPIRED, "security session or association expired"),
    _usim(SW.CONTEXT_NOT_SUPPORTED, "authentication error, security context not supported"),
    _usim(SW.KEY_FRESHNESS_FAILURE, "key freshness failure"),
    _usim(SW.NO_MEMORY_EF_MSK, "authentication error, no memory space available"),
    _usim(SW.NO_MEMORY_EF_MUK, "authentication error, no memory space available in EF_MUK"),
    _sim(0x9F00, "SIM: response data available, fetch with GET RESPONSE", 0xFF00),
    _sim(SimSW.NO_EF_SELECTED, "SIM: no EF selected"),
    # 9402 and 9404 of a SIM are in the rows of BCMCS above: one status word has one row.
    _sim(SimSW.INCONSISTENT_FILE, "SIM: the file does not fit the command"),
    _sim(SimSW.NO_CHV, "SIM: no CHV initialised"),
    _sim(SimSW.ACCESS_NOT_FULFILLED, "SIM: access condition not fulfilled, or wrong CHV with tries left"),
    _sim(SimSW.CONTRADICTS_CHV_STATUS, "SIM: in contradiction with the CHV status"),
    _sim(SimSW.CONTRADICTS_INVALIDATION, "SIM: in contradiction with the invalidation status"),
    _sim(SimSW.CHV_BLOCKED, "SIM: wrong CHV or unblock code, none or no more tries left"),
)


# TS 31.102 table 7.3.2, the column of AUTHENTICATE: values, and the bits of each that count.
_AUTHENTICATE: tuple[tuple[int, int], ...] = (
    *((sw, 0xFFFF) for sw in (
        SW.OK, SW.INCORRECT_MAC, SW.CONTEXT_NOT_SUPPORTED, SW.KEY_FRESHNESS_FAILURE, SW.NO_MEMORY_EF_MSK,
        SW.NO_MEMORY_EF_MUK, 0x6200, SW.MORE_RESPONSE, SW.RESPONSE_AVAILABLE, SW.MORE_COMMAND, 0x6400, 0x6500,
        SW.MEMORY_PROBLEM, 0x6800, SW.CHANNEL_NOT_SUPPORTED, SW.SECURE_MESSAGING_NOT_SUPPORTED,
        SW.SECURITY_NOT_SATISFIED, SW.DATA_INVALIDATED, SW.CONDITIONS_NOT_SATISFIED, SW.FUNCTION_NOT_SUPPORTED,
        SW.WRONG_P1_P2, SW.REFERENCED_DATA_NOT_FOUND, SW.WRONG_PARAMETERS, SW.CLA_NOT_SUPPORTED,
    )),
    (0x9100, 0xFF00),
    (0x6700, 0xFF00),
    (0x6F00, 0xFF00),
)  # fmt: skip


def belongs_to_authenticate(sw: int) -> bool:
    """Tell whether a status word is one of AUTHENTICATE (TS 31.102 table 7.3.2).

    61XX and 6CXX are no answers of the command but of its transport on T=0 (TS 102 221 clause 7.3.1).
    """
    return any(sw & mask == value for value, mask in _AUTHENTICATE)


def verification_failed(tries_left: int) -> int:
    """Return 63CX: a PIN was wrong, X tries are left (0 to 15)."""
    return 0x63C0 | min(tries_left, 15)


def response_available(length: int) -> int:
    """Return 61XX: `length` bytes wait for GET RESPONSE; 256 and more are written 00."""
    return 0x6100 | (length if length < 256 else 0)


def wrong_le(length: int) -> int:
    """Return 6CXX: the right Le is `length` (1 to 256)."""
    return 0x6C00 | (length & 0xFF)


def find_row(sw: int) -> StatusRow | None:
    """Return the row of a status word, the exact one before a family."""
    exact = next((row for row in STATUS_ROWS if row.value == sw), None)
    return exact or next((row for row in STATUS_ROWS if row.mask != 0xFFFF and sw & row.mask == row.value), None)


@lru_cache(maxsize=1024)
def describe(sw: int) -> str:
    """Return the meaning of any status word in words, with the number inside it spelled out."""
    row = find_row(sw)
    if row is None:
        return f"{sw:04X}: unknown status word"
    if row.mask == 0xFFF0:
        return f"{sw:04X}: {row.meaning}, {sw & 0x0F} tries left"
    if row.mask == 0xFF00:
        return f"{sw:04X}: {row.meaning} ({sw & 0xFF or 256})"
    return f"{sw:04X}: {row.meaning}"


def is_normal(sw: int) -> bool:
    """True for the status words with which a command has done its work (90, 91, 92, 61, 62XX)."""
    return sw >> 8 in (0x90, 0x91, 0x92, 0x61, 0x62)
