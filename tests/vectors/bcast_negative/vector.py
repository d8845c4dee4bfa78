"""One vector, the flags it may carry, and what each flag is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tests.oracle.bcast_wire import Wire
from tests.support.testcard import tlv

MALFORMED, MALFORMED_OBJECT, UNKNOWN, NO_PLACE, CONDITIONS = "6A80", "6700", "6A88", "9866", "6985"
WRONG_MAC = UNUSABLE = "9862"
"""TS 31.102 has one word for a validation that failed; a message that cannot be read or used takes it too."""
NO_SERVICE, STALE, WRONG_P1_P2 = "9864", "9865", "6A86"
MODES = {"LTKM": 1, "STKM": 2}
AUTHENTICATE, OMA_BCAST, MBMS = 0x89, 0x1B, 0x85


@dataclass(frozen=True)
class Vector:
    """One command: its data object, and the status word or the status byte (after 9000) of its answer.

    With `apdu` the object is a whole command APDU, sent as it is. `result` is "invalid" for what must be refused,
    "valid" for what must not, and "acceptable" for what no source settles and this project takes. `tek` (16 bytes) is
    what an accepted STKM gives.
    """

    comment: str
    flags: tuple[str, ...]
    data: bytes
    sw: str = "9000"
    status: int | None = None
    ins: int = AUTHENTICATE
    p2: int = MBMS
    result: str = "invalid"
    tek: bytes | None = None
    apdu: bool = False


def mode(kind: str, message: bytes) -> bytes:
    """Return the data object of the MBMS context that carries an LTKM or STKM."""
    return tlv(0x53, bytes((MODES[kind],)) + message)


def answer_of(outcome: str, wire: Wire, *, plain: bool = False) -> tuple[str, int | None]:
    """Return status word and status byte of an outcome of the model."""
    match outcome:
        case "replayed" if plain:
            return STALE, None
        case "outside interval":
            return STALE, None
        case "invalidated":
            return CONDITIONS, None
        case "no place":
            return NO_PLACE, None
    value = wire.status[outcome]
    return ("9000", value) if value < 0x100 else (f"{value:04X}", None)


class Note(NamedTuple):
    """What a flag says, in the terms of Project Wycheproof."""

    bug_type: str
    description: str


NOTES: Mapping[str, Note] = {
    "Normal": Note("BASIC", "A message in order: it shows that the others are refused for what is wrong in them."),
    "Algorithm": Note("WEAK_PARAMS", "KEMAC names NULL or an unknown algorithm for encryption or MAC."),
    "Access": Note("AUTH_BYPASS", "No application is selected, or its PIN is not verified."),
    "Block": Note("MISSING_STEP", "A block, its parameters or its length do not fit the transfer of data objects."),
    "Channel": Note("CONFIDENTIALITY", "The TEK must not leave the card outside a secure channel."),
    "Criteria": Note("EDGE_CASE", "A descriptor of the access criteria has a length that it cannot have."),
    "Deletion": Note("MODIFIED_PARAMETER", "An order to delete policies or a recording is malformed or names nothing."),
    "Duplicated": Note("MODIFIED_PARAMETER", "A payload that may stand once stands twice."),
    "Forged": Note("AUTH_BYPASS", "One bit of the MAC differs."),
    "Header": Note("MODIFIED_PARAMETER", "Version, data type, PRF or CS ID map in the header is not supported."),
    "Identity": Note("AUTH_BYPASS", "The LTKM names a server or a subscriber without an SMK."),
    "Key": Note("AUTH_BYPASS", "The message is protected under another key, or with another RAND."),
    "KeyData": Note("MODIFIED_PARAMETER", "The decrypted key data do not hold exactly the key and validity wanted."),
    "KeyId": Note("MODIFIED_PARAMETER", "The key identifiers are incomplete, too many, or name no key of the card."),
    "Length": Note("EDGE_CASE", "A length field says more or less than there is."),
    "Management": Note("EDGE_CASE", "Management data or parental control data are too short or too long."),
    "Missing": Note("MISSING_STEP", "A payload that must be there is not."),
    "Mode": Note("MODIFIED_PARAMETER", "The data object is empty, of an unknown mode, or of the wrong size for it."),
    "Operation": Note("MODIFIED_PARAMETER", "Mode or objects of the OMA BCAST command are unknown or do not fit."),
    "Oversized": Note("EDGE_CASE", "Bytes follow the end of the message."),
    "Parental": Note("AUTH_BYPASS", "The rating is beyond the level granted and the parental PIN is not given."),
    "PayloadOrder": Note("CAN_OF_WORMS", "Any order is taken before KEMAC; the fact sheet leaves it open."),
    "Pin": Note("MODIFIED_PARAMETER", "The PINCODE of a parental control message is none."),
    "Recorded": Note("FUNCTIONALITY", "A policy that a signalled recording needs must not be deleted."),
    "Reordered": Note("MALLEABILITY", "Payloads stand in another order than their MAC covers, or behind KEMAC."),
    "Replay": Note("AUTH_BYPASS", "The counter of the LTKM is not above that of the last one."),
    "Room": Note("EDGE_CASE", "There is no place left for the key, the policy or the recording."),
    "Rule": Note("AUTH_BYPASS", "A sound STKM that counter, validity, rating or credit forbid."),
    "Service": Note("AUTH_BYPASS", "The service that the command needs is not available."),
    "Spe": Note("MODIFIED_PARAMETER", "The security policy extension is one that the card does not support."),
    "StaleSmk": Note("AUTH_BYPASS", "The LTKM came under the SMK used last, and a newer one was generated."),
    "Subtype": Note("MODIFIED_PARAMETER", "The OMA BCAST extension has a subtype that this message cannot have."),
    "Timestamp": Note("MODIFIED_PARAMETER", "The timestamp is not a counter."),
    "Tokens": Note("MODIFIED_PARAMETER", "Tokens come without a purse for them, or neither a key nor tokens come."),
    "Truncated": Note("EDGE_CASE", "The message ends too early."),
}  # fmt: skip
