"""Typed calls that every application of a card answers: files, PIN and MBMS key management (TS 102 221, TS 31.102).

A USIM adds authentication and GBA to them (`usim.py`), a CSIM its BCMCS command (`csim.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from card.codec.apdu import MAX_SHORT_LC, MAX_SHORT_LE, CommandApdu
from card.codec.bcd import decode_digits
from card.codec.fcp import Fcp
from card.codec.reader import Reader
from card.codec.tlv import encode_tlv, iter_tlvs, read_tlv
from card.crypto.secret import Secret
from card.errors import DecodeError
from card.spec.aids import application_name
from card.spec.bcast.tables import BcastTables
from card.spec.contexts import STRUCTURED, UNSTRUCTURED, MbmsMode, OddP2, Step
from card.spec.files.fids import CURRENT_ADF, MF, fid_of
from card.spec.ins import INS
from card.spec.status import SW
from host_tools.apdu.client import ApduClient
from host_tools.apdu.pin import pad_pin
from host_tools.apdu.response import StatusError
from host_tools.terminal.answers import (
    MskAnswer,
    MtkAnswer,
    decode_deletion_answer,
    decode_msk_answer,
    decode_mtk_answer,
)
from host_tools.terminal.errors import (
    MalformedAnswerError,
    PinBlockedError,
    PinWrongError,
    answer_to,
)
from host_tools.terminal.key_files import EF_MSK, EF_MUK, MskEntry, MukEntry, decode_msks, decode_muk

PIN1 = 0x01
EF_DIR, EF_ICCID = fid_of("3F00", "EF_DIR"), fid_of("3F00", "EF_ICCID")

_SELECT_BY_FID = 0x00
_SELECT_BY_AID = 0x04
_SELECT_BY_PATH = 0x08  # from the MF
_WANT_FCP = 0x04
_MAX_FILE = 0x8000  # READ BINARY addresses 15 bits of offset


@dataclass(frozen=True, slots=True)
class Application:
    """An entry of EF_DIR: AID (5 to 16 bytes) and label."""

    aid: bytes
    label: str

    @property
    def name(self) -> str:
        """What the application is called by its AID, "" for one that is not known."""
        return application_name(self.aid)


class CardFiles:
    """Files and PINs of a card behind an APDU client. A refused call raises `StatusError`; also `LinkError`."""

    def __init__(self, client: ApduClient) -> None:
        self._client = client

    # Selection and files

    def applications(self) -> tuple[Application, ...]:
        """Return what EF_DIR lists. Afterwards EF_DIR is selected."""
        self.select(MF)
        records = self.read_records(self.select(EF_DIR))
        return tuple(found for record in records if (found := _decode_application(record)) is not None)

    def select_by_prefix(self, prefix: bytes) -> Fcp | None:
        """Select the first application in EF_DIR whose AID begins so; return its FCP, or None when none does."""
        for application in self.applications():
            if application.aid.startswith(prefix):
                return self.select_application(application.aid)
        return None

    def select_application(self, aid: bytes) -> Fcp:
        """Select an application by its AID and return its FCP."""
        return self._select(_SELECT_BY_AID, aid, "selecting the application")

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
        return tuple(self._iter_records(fcp))

    def _iter_records(self, fcp: Fcp) -> Iterator[bytes]:
        length = min(fcp.record_length, MAX_SHORT_LC)
        return (self.read_record(number, length) for number in range(1, fcp.record_count + 1))

    def read_iccid(self) -> str:
        """Return the number of the card, digits only (TS 102 221 clause 13.2). Afterwards the MF is current."""
        self.select(MF)
        return decode_digits(self.read_file(EF_ICCID))

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
        sw = self._client.transmit(CommandApdu(0, INS.VERIFY_PIN, 0, reference, pad_pin(pin))).sw
        match sw:
            case SW.OK | SW.DATA_INVALIDATED:
                return
            case SW.METHOD_BLOCKED | 0x63C0:
                raise PinBlockedError
            case _ if sw & 0xFFF0 == 0x63C0:
                raise PinWrongError(sw & 0x0F)
            case _:
                raise StatusError(sw, "verifying the PIN")

    def _select(self, how: int, target: bytes, what: str) -> Fcp:
        answer = self._client.expect(CommandApdu(0, INS.SELECT, how, _WANT_FCP, target, le=MAX_SHORT_LE), what)
        with answer_to(what):
            return Fcp.decode(answer)


class CardApplication(CardFiles):
    """One application, with the key management of MBMS and BCAST.

    `tables` is the set of tables for what is provisional about OMA BCAST; the card must use the same.
    """

    def __init__(self, client: ApduClient, tables: BcastTables) -> None:
        super().__init__(client)
        self.tables = tables

    def msk_update(self, mikey: bytes) -> MskAnswer:
        """Deliver an LTKM (MSK message)."""
        return decode_msk_answer(self._mbms(MbmsMode.MSK_UPDATE, mikey, "MSK update"), self.tables)

    def mtk_generation(self, mikey: bytes) -> MtkAnswer:
        """Give an STKM (MTK message) and return the traffic key or the card's status."""
        return decode_mtk_answer(self._mbms(MbmsMode.MTK_GENERATION, mikey, "MTK generation"), self.tables)

    def msk_deletion(self, key_domain_id: bytes, key_group: bytes) -> None:
        """Delete the keys of a Key Domain ID (3 bytes) and Key Group part (2 bytes)."""
        decode_deletion_answer(self._mbms(MbmsMode.MSK_DELETION, key_domain_id + key_group, "MSK deletion"))

    def muk_deletion(self, id_r: bytes, id_i: bytes) -> None:
        """Delete the MUK that the identities IDr (B-TID) and IDi (FQDN of the BM-SC) name."""
        muk_id = encode_tlv(0xA0, encode_tlv(0x80, id_r) + encode_tlv(0x82, id_i))
        decode_deletion_answer(self._mbms(MbmsMode.MUK_DELETION, muk_id, "MUK deletion"))

    def oma_bcast(self, mode: int, objects: bytes, what: str) -> bytes:
        """Run the OMA BCAST command with data objects; return the objects of its answer, empty when it has none."""
        data = encode_tlv(STRUCTURED, objects)
        command = CommandApdu(0, INS.OMA_BCAST, Step.FIRST_COMMAND, mode, data)
        return self._structured(self._client.expect(command, what), what)

    def bcast_deletion(self, template: bytes, what: str) -> bytes:
        """Delete policies or a recording; `template` is AE with its objects, and so is the answer."""
        data = encode_tlv(STRUCTURED, template)
        command = CommandApdu(0, INS.AUTHENTICATE_ODD, Step.FIRST_COMMAND, OddP2.MBMS, data)
        return self._structured(self._client.expect(command, what), what)

    def read_msks(self) -> tuple[MskEntry, ...]:
        """Return the MSKs that EF_MSK shows, each with the T of its last MTK message (TS 31.102 clause 4.2.80)."""
        return tuple(entry for record in self._own_records(EF_MSK) for entry in decode_msks(record))

    def read_msk_counter(self, key: bytes) -> int | None:
        """Return the live counter of one MSK, None where EF_MSK does not show it.

        `key` is key domain (3 bytes) and MSK ID (4). Records are read up to that of the key, of which there is one.
        """
        for record in self._own_records(EF_MSK):
            for entry in decode_msks(record):
                if entry.key_domain_id + entry.msk_id == key:
                    return entry.counter
        return None

    def iter_muks(self) -> Iterator[MukEntry]:
        """Yield the MUKs that EF_MUK shows, each with the T of its last MSK message (TS 31.102 clause 4.2.81).

        Records are read as they are wanted: no other file may be selected meanwhile.
        """
        return (entry for record in self._own_records(EF_MUK) if (entry := decode_muk(record)) is not None)

    def _own_records(self, file_id: int) -> Iterator[bytes]:
        return self._iter_records(self._select_own(file_id))

    def _structured(self, answer: bytes, what: str) -> bytes:
        if not answer:
            return b""
        with answer_to(what):
            outer = read_tlv(Reader(answer))
            if outer.tag != STRUCTURED:
                raise DecodeError(f"tag {outer.tag:02X} instead of 73")
        return outer.value

    def _select_own(self, file_id: int) -> Fcp:
        """Select a file of the application, wherever the selection was.

        By path: to select the application anew could end its session and what was verified in it.
        """
        path = CURRENT_ADF.to_bytes(2, "big") + file_id.to_bytes(2, "big")
        return self._select(_SELECT_BY_PATH, path, f"selecting file {file_id:04X} of the application")

    def _mbms(self, mode: int, body: bytes, what: str) -> bytes:
        data = encode_tlv(UNSTRUCTURED, bytes((mode,)) + body)
        command = CommandApdu(0, INS.AUTHENTICATE_ODD, Step.FIRST_COMMAND, OddP2.MBMS, data)
        return self._client.expect(command, what)


def _decode_application(record: bytes) -> Application | None:
    """Return the application of an EF_DIR record (TS 102 221 clause 13.1); None for an empty one.

    Physical cards pad the label, or write it in other alphabets: unlike `card.codec.ef.directory`, this takes what is
    there.
    """
    try:
        outer = read_tlv(Reader(record))
        objects = {item.tag: item.value for item in iter_tlvs(outer.value)}
    except DecodeError:
        return None
    if outer.tag != 0x61 or not objects.get(0x4F):
        return None
    return Application(objects[0x4F], objects.get(0x50, b"").decode("utf-8", "replace").strip("\xff\ufffd"))
