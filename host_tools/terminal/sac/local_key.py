"""Local keys as the terminal has the card derive them (TS 33.110 clause 4.5 and annex B; AUTHENTICATE with P2 86)."""

from __future__ import annotations

from card.codec.apdu import MAX_SHORT_LE, CommandApdu
from card.codec.local_key import AvailabilityCheck, KeyDerivation, KeyIdentifier, LocalKeyRequest, decode_response
from card.codec.tlv import decode_tlv, encode_tlv
from card.crypto.local_key import LocalKeyInputs, request_mac, response_mac
from card.crypto.primitives import equal_bytes
from card.crypto.secret import Secret
from card.errors import DecodeError
from card.spec.contexts import STRUCTURED, OddP2, Step
from card.spec.ins import INS
from card.spec.status import SW
from host_tools.apdu.client import ApduClient
from host_tools.apdu.response import StatusError
from host_tools.terminal.errors import answer_to
from host_tools.terminal.sac.errors import CardNotGenuine


def identifier_of(inputs: LocalKeyInputs) -> KeyIdentifier:
    """Return the name under which the card knows a key."""
    names = (inputs.naf_id, inputs.terminal_id, inputs.terminal_appli_id, inputs.uicc_appli_id)
    return KeyIdentifier(*names, inputs.randx)


def establish_local_key(client: ApduClient, ks_local: Secret, inputs: LocalKeyInputs) -> None:
    """Have the card derive the Ks_local (32 bytes) that the network gave the terminal.

    Raises `CardNotGenuine` when the card's MAC is wrong, `StatusError` (6A88: no NAF key; 6985: the card has no local
    key for this terminal or pair of applications; 9862: another key) and `LinkError`.
    """
    request = KeyDerivation(identifier_of(inputs), inputs.counter_limit, request_mac(ks_local, inputs))
    if not equal_bytes(_run(client, request), response_mac(ks_local)):
        raise CardNotGenuine("The card did not derive the same local key.")


def is_local_key_available(client: ApduClient, inputs: LocalKeyInputs) -> bool:
    """Ask whether the card holds a valid local key (TS 31.102 clause 7.1.1.12). Raises `StatusError`, `LinkError`."""
    try:
        _run(client, AvailabilityCheck(identifier_of(inputs)))
    except StatusError as error:
        if error.sw == SW.REFERENCED_DATA_NOT_FOUND:
            return False
        raise
    return True


def _run(client: ApduClient, request: LocalKeyRequest) -> bytes:
    data = encode_tlv(STRUCTURED, request.encode())
    command = CommandApdu(0, INS.AUTHENTICATE_ODD, Step.FIRST_COMMAND, OddP2.LOCAL_KEY, data, MAX_SHORT_LE)
    answer = client.expect(command, "AUTHENTICATE, local key establishment")
    with answer_to("local key establishment"):
        item = decode_tlv(answer)
        if item.tag != STRUCTURED:
            raise DecodeError(f"tag {item.tag:02X} instead of {STRUCTURED:02X}")
        return decode_response(item.value)
