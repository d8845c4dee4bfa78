"""Typed calls to the USIM: files, PIN, authentication and MBMS key management (TS 31.102, TS 102 221)."""

from __future__ import annotations

from dataclasses import dataclass

from card.codec.apdu import MAX_SHORT_LC, MAX_SHORT_LE, CommandApdu
from card.codec.fcp import Fcp
from card.codec.reader import Reader
from card.codec.tlv import encode_tlv, iter_tlvs, read_tlv
from card.crypto.secret import Secret
from card.errors import DecodeError
from card.spec.ins import INS
from card.spec.status import SW
from host_tools.apdu.client import ApduClient
from host_tools.apdu.response import StatusError
from host_tools.terminal.aka import (
    GBA_BOOTSTRAPPING,
    GBA_NAF_DERIVATION,
    AkaKeys,
    GbaResponse,
    GsmKeys,
    SynchronisationFailure,
    decode_3g,
    decode_gba,
    decode_gsm,
    decode_naf_key,
    encode_lv,
)
from host_tools.terminal.answers import (
    MBMS_OBJECT,
    MskAnswer,
    MtkAnswer,
    decode_deletion_answer,
    decode_msk_answer,
    decode_mtk_answer,
)
from host_tools.terminal.errors import (
    MalformedAnswerError,
    NetworkRefusedError,
    NoUsimError,
    PinBlockedError,
    PinWrongError,
    answer_to,
)

USIM_AID_PREFIX = bytes.fromhex("A0000000871002")  # TS 101 220 annex E
PIN1 = 0x01
MF = 0x3F00
EF_DIR = 0x2F00
EF_ICCID = 0x2FE2
EF_IMSI = 0x6F07
EF_UST = 0x6F38
EF_AD = 0x6FAD
EF_GBABP = 0x6FD6

_SELECT_BY_FID = 0x00
_SELECT_BY_AID = 0x04
_WANT_FCP = 0x04
_CONTEXT_GSM, _CONTEXT_3G, _CONTEXT_GBA, _CONTEXT_MBMS = 0x80, 0x81, 0x84, 0x85
_MSK_UPDATE, _MTK_GENERATION, _MSK_DELETION, _MUK_DELETION = 1, 2, 3, 4
_FIRST_BLOCK = 0x80
_MAX_FILE = 0x8000  # READ BINARY addresses 15 bits of offset


@dataclass(frozen=True, slots=True)
class Application:
    """An entry of EF_DIR: AID (5 to 16 bytes) and label."""

    aid: bytes
    label: str


class Usim:
    """The USIM behind an APDU client. A call that the card refuses raises `StatusError`; also `LinkError`."""

    def __init__(self, client: ApduClient) -> None:
        self._client = client
        self._aid: bytes | None = None

    # Selection and files

    def applications(self) -> tuple[Application, ...]:
        """Return what EF_DIR lists. Afterwards EF_DIR is selected."""
        self.select(MF)
        records = self.read_records(self.select(EF_DIR))
        return tuple(found for record in records if (found := _decode_application(record)) is not None)

    def select_usim(self) -> Fcp:
        """Select the first USIM in EF_DIR and return its FCP. Raises `NoUsimError`."""
        for application in self.applications():
            if application.aid.startswith(USIM_AID_PREFIX):
                return self.select_application(application.aid)
        raise NoUsimError("The card has no USIM: EF_DIR lists none.")

    def select_application(self, aid: bytes) -> Fcp:
        """Select an application by its AID and return its FCP."""
        fcp = self._select(_SELECT_BY_AID, aid, "selecting the application")
        self._aid = aid
        return fcp

    def select(self, file_id: int) -> Fcp:
        """Select a file by its identifier (2 bytes) and return its FCP."""
        return self._select(_SELECT_BY_FID, file_id.to_bytes(2, "big"), f"selecting file {file_id:04X}")

    def read_file(self, file_id: int) -> bytes:
        """Select a transparent file in the current directory and return its content."""
        size = self.select(file_id).file_size or 0
        return self.read_binary(min(size, _MAX_FILE))

    def read_binary(self, size: int, offset: int = 0) -> bytes:
        """Return `size` bytes of the selected transparent file from `offset` on."""
        content = b""
        while len(content) < size:
            at = (offset + len(content)).to_bytes(2, "big")
            wanted = min(MAX_SHORT_LC, size - len(content))
            command = CommandApdu(0, INS.READ_BINARY, at[0], at[1], le=wanted)
            part = self._client.expect(command, "reading a file")
            if not 0 < len(part) <= wanted:
                raise MalformedAnswerError(f"The card answered {len(part)} bytes to a read of {wanted}.")
            content += part
        return content

    def update_binary(self, content: bytes, offset: int = 0) -> None:
        """Write `content` into the selected transparent file from `offset` on."""
        for start in range(0, len(content), MAX_SHORT_LC):
            at = (offset + start).to_bytes(2, "big")
            block = content[start : start + MAX_SHORT_LC]
            self._client.expect(CommandApdu(0, INS.UPDATE_BINARY, at[0], at[1], block), "writing a file")

    def read_record(self, number: int, length: int) -> bytes:
        """Return one record (1 is the first) of the selected record file, of `length` bytes."""
        command = CommandApdu(0, INS.READ_RECORD, number, 0x04, le=length or MAX_SHORT_LE)
        return self._client.expect(command, f"reading record {number}")

    def read_records(self, fcp: Fcp) -> tuple[bytes, ...]:
        """Return every record of the selected record file, whose FCP is given."""
        length = min(fcp.record_length, MAX_SHORT_LC)
        return tuple(self.read_record(number, length) for number in range(1, fcp.record_count + 1))

    # PIN

    def pin_tries_left(self, reference: int = PIN1) -> int | None:
        """Return how often the PIN may still be tried (0: blocked); None when the card says it is not needed."""
        sw = self._client.transmit(CommandApdu(0, INS.VERIFY_PIN, 0, reference)).sw
        match sw:
            case SW.OK | SW.DATA_INVALIDATED:
                return None
            case SW.METHOD_BLOCKED:
                return 0
            case _ if sw & 0xFFF0 == 0x63C0:
                return sw & 0x0F
            case _:
                raise StatusError(sw, "asking for the PIN status")

    def verify_pin(self, pin: Secret, reference: int = PIN1) -> None:
        """Give the PIN (4 to 8 ASCII digits). A disabled PIN is fine.

        Raises `PinWrongError` with the tries left, `PinBlockedError`.
        """
        padded = pin.reveal().ljust(8, b"\xff")
        sw = self._client.transmit(CommandApdu(0, INS.VERIFY_PIN, 0, reference, padded)).sw
        match sw:
            case SW.OK | SW.DATA_INVALIDATED:
                return
            case SW.METHOD_BLOCKED | 0x63C0:
                raise PinBlockedError
            case _ if sw & 0xFFF0 == 0x63C0:
                raise PinWrongError(sw & 0x0F)
            case _:
                raise StatusError(sw, "verifying the PIN")

    # Authentication

    def authenticate_3g(self, rand: bytes, autn: bytes) -> AkaKeys | SynchronisationFailure:
        """Run 3G authentication (RAND, AUTN 16 bytes). Raises `NetworkRefusedError` for a wrong MAC."""
        return decode_3g(self._challenge(_CONTEXT_3G, encode_lv(rand, autn), "3G authentication"))

    def authenticate_gsm(self, rand: bytes) -> GsmKeys:
        """Run GSM authentication with RAND (16 bytes)."""
        return decode_gsm(self._challenge(_CONTEXT_GSM, encode_lv(rand), "GSM authentication"))

    def gba_bootstrap(self, rand: bytes, autn_star: bytes) -> GbaResponse | SynchronisationFailure:
        """Run GBA_U bootstrapping, RAND and AUTN* 16 bytes each.

        Raises `NetworkRefusedError` for a wrong MAC.
        """
        data = bytes((GBA_BOOTSTRAPPING,)) + encode_lv(rand, autn_star)
        return decode_gba(self._challenge(_CONTEXT_GBA, data, "GBA bootstrapping"))

    def gba_naf_derivation(self, naf_id: bytes, impi: bytes) -> Secret:
        """Derive the keys for a NAF and return Ks_ext_NAF (32 bytes); Ks_int_NAF stays in the card.

        `naf_id` is the FQDN followed by the 5-byte Ua protocol identifier, `impi` is UTF-8.
        """
        data = bytes((GBA_NAF_DERIVATION,)) + encode_lv(naf_id, impi)
        return decode_naf_key(self._challenge(_CONTEXT_GBA, data, "NAF derivation"))

    def update_gbabp(self, rand: bytes, b_tid: str, lifetime: str) -> None:
        """Write B-TID and key lifetime into EF_GBABP behind the RAND (TS 31.102 clause 4.2.79)."""
        self._select_own(EF_GBABP)
        self.update_binary(encode_lv(b_tid.encode(), lifetime.encode()), offset=1 + len(rand))

    # MBMS and BCAST key management

    def msk_update(self, mikey: bytes) -> MskAnswer:
        """Deliver an LTKM (MSK message)."""
        return decode_msk_answer(self._mbms(_MSK_UPDATE, mikey, "MSK update"))

    def mtk_generation(self, mikey: bytes) -> MtkAnswer:
        """Give an STKM (MTK message) and return the traffic key or the card's status."""
        return decode_mtk_answer(self._mbms(_MTK_GENERATION, mikey, "MTK generation"))

    def msk_deletion(self, key_domain_id: bytes, key_group: bytes) -> None:
        """Delete the keys of a Key Domain ID (3 bytes) and Key Group part (2 bytes)."""
        decode_deletion_answer(self._mbms(_MSK_DELETION, key_domain_id + key_group, "MSK deletion"))

    def muk_deletion(self, id_r: bytes, id_i: bytes) -> None:
        """Delete the MUK that the identities IDr (B-TID) and IDi (NAF ID) name."""
        muk_id = encode_tlv(0xA0, encode_tlv(0x80, id_r) + encode_tlv(0x82, id_i))
        decode_deletion_answer(self._mbms(_MUK_DELETION, muk_id, "MUK deletion"))

    def _select(self, how: int, target: bytes, what: str) -> Fcp:
        answer = self._client.expect(
            CommandApdu(0, INS.SELECT, how, _WANT_FCP, target, le=MAX_SHORT_LE), what
        )
        with answer_to(what):
            return Fcp.decode(answer)

    def _select_own(self, file_id: int) -> Fcp:
        """Select a file of the application, wherever the selection was."""
        if self._aid is not None:
            self.select_application(self._aid)
        return self.select(file_id)

    def _challenge(self, context: int, data: bytes, what: str) -> bytes:
        command = CommandApdu(0, INS.AUTHENTICATE, 0, context, data, le=MAX_SHORT_LE)
        response = self._client.transmit(command)
        if response.sw == SW.INCORRECT_MAC:
            raise NetworkRefusedError(f"{what}: the card found the network's challenge not authentic (9862).")
        if not response.ok:
            raise StatusError(response.sw, what)
        return response.data

    def _mbms(self, mode: int, body: bytes, what: str) -> bytes:
        data = encode_tlv(MBMS_OBJECT, bytes((mode,)) + body)
        command = CommandApdu(0, INS.AUTHENTICATE_ODD, _FIRST_BLOCK, _CONTEXT_MBMS, data)
        return self._client.expect(command, what)


def _decode_application(record: bytes) -> Application | None:
    """Return the application of an EF_DIR record (TS 102 221 clause 13.1); None for an empty one."""
    try:
        outer = read_tlv(Reader(record))
        objects = {item.tag: item.value for item in iter_tlvs(outer.value)}
    except DecodeError:
        return None
    if outer.tag != 0x61 or not objects.get(0x4F):
        return None
    return Application(objects[0x4F], objects.get(0x50, b"").decode("utf-8", "replace").strip("\xff\ufffd"))
