"""Typed calls to the CSIM: what every application answers, the identity of the subscriber, and BCMCS.

3GPP2 C.S0065-B clause 5.2 for the files, C.S0023-D clause 4.9 for the command. provisional: class 80, the tags, and
where the NAI is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from card.codec.apdu import MAX_SHORT_LE, CommandApdu
from card.codec.bcmcs import decode_objects, encode_objects
from card.codec.ef.csim import decode_hrpd_nai, decode_imsi_m, decode_sip_nai
from card.codec.fcp import Fcp
from card.crypto.secret import Secret
from card.errors import DecodeError
from card.spec.aids import aid_prefix
from card.spec.bcast.tables import BcastTables
from card.spec.bcmcs_tables import MODE_ROWS, Item, Mode
from card.spec.cla import ETSI_CLASS
from card.spec.files.fids import fid_of
from card.spec.ins import INS
from card.spec.status import SW
from host_tools.apdu.client import ApduClient
from host_tools.apdu.response import StatusError
from host_tools.terminal.card_application import CardApplication
from host_tools.terminal.errors import NoCsimError, TerminalError, answer_to

CSIM_AID_PREFIX = aid_prefix("ADF.CSIM")
EF_IMSI_M = fid_of("ADF.CSIM", "EF_IMSI_M")
EF_CDMAHOME = fid_of("ADF.CSIM", "EF_CDMAHOME")
EF_CSIM_ST = fid_of("ADF.CSIM", "EF_CSIM_ST")
EF_LI = fid_of("ADF.CSIM", "EF_LI")
EF_SPN = fid_of("ADF.CSIM", "EF_SPN")
EF_AD = fid_of("ADF.CSIM", "EF_AD")
EF_MDN = fid_of("ADF.CSIM", "EF_MDN")
EF_SIPUPP = fid_of("ADF.CSIM", "EF_SIPUPP")
EF_HRPDUPP = fid_of("ADF.CSIM", "EF_HRPDUPP")
EF_EPRL = fid_of("ADF.CSIM", "EF_EPRL")
EF_BAKPARA = fid_of("ADF.CSIM", "EF_BAKPARA")

_LONGEST_ANSWER = 16
_NAI_FILES: tuple[tuple[int, Callable[[bytes], str]], ...] = (
    (EF_HRPDUPP, decode_hrpd_nai),
    (EF_SIPUPP, decode_sip_nai),
)


@dataclass(frozen=True, slots=True)
class CsimIdentity:
    """IMSI (15 digits, "" when not programmed) and NAI."""

    imsi: str
    nai: str


class Csim(CardApplication):
    """The CSIM behind an APDU client. A call that the card refuses raises `StatusError`; also `LinkError`."""

    def __init__(self, client: ApduClient, tables: BcastTables, tags: Mapping[str, int]) -> None:
        """Take the client, the BCAST tables and the tags of the BCMCS objects, by name; the card must use the same."""
        super().__init__(client, tables)
        self._tags = tags

    def select_csim(self) -> Fcp:
        """Select the first CSIM in EF_DIR and return its FCP. Raises `NoCsimError`."""
        fcp = self.select_by_prefix(CSIM_AID_PREFIX)
        if fcp is None:
            raise NoCsimError("The card has no CSIM: EF_DIR lists none.")
        return fcp

    def read_identity(self, nai: str = "") -> CsimIdentity:
        """Read who the subscriber is; `nai`, when given, goes before what the card says. The PIN must be verified.

        Raises `TerminalError` when there is no NAI anywhere, `MalformedAnswerError`.
        """
        with answer_to("reading the IMSI"):
            imsi = decode_imsi_m(self.read_file(EF_IMSI_M))
        found = nai or self._read_nai()
        if not found:
            raise TerminalError("The card names no NAI, and none was given.")
        return CsimIdentity(imsi, found)

    def _read_nai(self) -> str:
        for file_id, decode in _NAI_FILES:
            try:
                content = self.read_file(file_id)
            except StatusError as error:
                if error.sw != SW.FILE_NOT_FOUND:
                    raise
                continue
            with answer_to("reading the NAI"):
                if nai := decode(content):
                    return nai
        return ""

    # BCMCS

    def retrieve_sk(self, flow_id: bytes, bak_id: bytes, sk_rand: bytes) -> Secret:
        """Return the SK (16 bytes) for SK_RAND of the broadcast."""
        return Secret(self._bcmcs(Mode.RETRIEVE_SK, flow_id, bak_id, sk_rand))

    def update_bak(self, flow_id: bytes, bak_id: bytes, expires: bytes, tk_rand: bytes, encrypted: bytes) -> None:
        """Deliver a BAK, encrypted under the TK for TK_RAND."""
        self._bcmcs(Mode.UPDATE_BAK, flow_id, bak_id, expires, tk_rand, encrypted)

    def delete_bak(self, flow_id: bytes, bak_id: bytes) -> None:
        """Delete a BAK."""
        self._bcmcs(Mode.DELETE_BAK, flow_id, bak_id)

    def retrieve_srtp_sk(self, flow_id: bytes, bak_id: bytes, sk_rand: bytes, packet_index: bytes) -> Secret:
        """Return the SK (16 bytes) for SRTP at a packet index (6 bytes)."""
        return Secret(self._bcmcs(Mode.RETRIEVE_SRTP_SK, flow_id, bak_id, sk_rand, packet_index))

    def sign_authorization(self, flow_id: bytes, bak_id: bytes, timestamp: bytes) -> bytes:
        """Return the authorization signature for a timestamp, which also tells the card the time."""
        return self._bcmcs(Mode.SIGN_AUTHORIZATION, flow_id, bak_id, timestamp)

    def authenticate_bcmcs(self, rand: bytes, challenge: bytes) -> bytes:
        """Return the card's response (up to 16 bytes) to a challenge under RAND (16 bytes)."""
        return self._bcmcs(Mode.AUTHENTICATE, rand, challenge)

    def _bcmcs(self, mode: Mode, *values: bytes) -> bytes:
        """Run a mode and return what its response object holds, nothing for a mode without one."""
        row = MODE_ROWS[mode]
        data = encode_objects((self._tags[item], value) for item, value in zip(row.items, values, strict=True))
        le = MAX_SHORT_LE if row.answers else None
        answer = self._client.expect(CommandApdu(ETSI_CLASS, INS.BCMCS, mode, 0, data, le=le), row.name)
        with answer_to(row.name):
            return self._response(answer) if row.answers else b""

    def _response(self, answer: bytes) -> bytes:
        match decode_objects(answer):
            case [(tag, value)] if tag == self._tags[Item.RESPONSE] and 0 < len(value) <= _LONGEST_ANSWER:
                return value
        raise DecodeError("one response object of 1 to 16 bytes is wanted")
