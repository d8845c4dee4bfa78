"""Finds the bytes of an exchange that nobody may see: PINs, keys, and files that hold keys.

What cannot be understood is hidden whole: a trace may lose a byte it could have shown, never the other way round.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from card.codec.apdu import CommandApdu, channel_of
from card.codec.mikey import EncryptionAlgorithm, Kemac, MikeyMessage
from card.errors import DecodeError
from card.spec.ins import INS
from host_tools.apdu.trace import SECRET_COMMANDS
from host_tools.trace.events import Span
from host_tools.trace.files import CurrentFile
from host_tools.trace.known_secrets import KnownSecrets, merge
from host_tools.trace.tlv import walk_tlvs

_HEADER = 5  # CLA, INS, P1, P2 and a short Lc
_SECRET_RESPONSE: frozenset[int] = frozenset({INS.BCMCS})
_READS: frozenset[int] = frozenset({INS.READ_BINARY, INS.READ_RECORD, INS.RETRIEVE_DATA})
_WRITES: frozenset[int] = frozenset({INS.UPDATE_BINARY, INS.UPDATE_RECORD, INS.SET_DATA})
# Files that hold keys of a radio link, security contexts, or the service programming code.
_SECRET_FILES = frozenset({
    "EF_Keys", "EF_KeysPS", "EF_Kc", "EF_KcGPRS", "EF_EPSNSC", "EF_5GS3GPPNSC", "EF_5GSN3GPPNSC", "EF_5GAUTHKEYS",
    "EF_SPC", "EF_SIPUPP", "EF_HRPDUPP",
})  # fmt: skip
_GSM, _GBA, _MBMS = 0x80, 0x84, 0x85
_NAF_DERIVATION = 0xDE
_SUCCESS = 0xDB
_FIRST_BLOCK, _FIRST_RESPONSE = 0x80, 0xA0
_MTK_GENERATION = 0x02
_LONGEST_SHOWN = 8  # bytes of one object in the answer to an STKM; a key is longer


@dataclass(frozen=True, slots=True)
class Secrets:
    """Spans of secret bytes in a command and in its response."""

    command: tuple[Span, ...] = ()
    response: tuple[Span, ...] = ()


_NONE = Secrets()


class Redactor:
    """Finds secrets in one exchange after the other; GET RESPONSE and block retrieval belong to what was asked.

    `known` secrets are found by value, wherever they stand.
    """

    def __init__(self, known: KnownSecrets | None = None) -> None:
        self._known = known or KnownSecrets()
        self._asked: dict[int, CommandApdu] = {}
        self._mode: dict[int, int] = {}

    def reset(self) -> None:
        """Forget what was asked: the card was reset."""
        self._asked.clear()
        self._mode.clear()

    def find_secrets(self, command: bytes, response: bytes, file: CurrentFile) -> Secrets:
        """Return where the secrets are. `file` is what is current behind the command."""
        try:
            decoded = CommandApdu.decode(command)
        except DecodeError:
            return self._with_known(_unreadable(command), command, 0, len(command), response)
        channel = channel_of(decoded.cla)
        asked = self._remember(channel, decoded)
        by_rule = Secrets(
            _in_command(command, decoded, file),
            _in_response(response, asked, self._mode.get(channel, 0), file),
        )
        start = _data_start(command, decoded)
        return self._with_known(by_rule, command, start, start + len(decoded.data), response)

    def _with_known(self, found: Secrets, command: bytes, start: int, end: int, response: bytes) -> Secrets:
        """Return what was found by rule and what is known by value, in the data of both."""
        sent = tuple((start + at, start + to) for at, to in self._known.spans(command[start:end]))
        came = self._known.spans(response[:-2])
        if not sent and not came:
            return found
        return Secrets(merge((*found.command, *sent)), merge((*found.response, *came)))

    def _remember(self, channel: int, command: CommandApdu) -> CommandApdu:
        """Return the command that the response belongs to."""
        if command.ins == INS.GET_RESPONSE:
            return self._asked.get(channel, command)
        self._asked[channel] = command
        if command.ins == INS.AUTHENTICATE_ODD and command.p1 == _FIRST_BLOCK:
            self._mode[channel] = _mode_of(command.data) if command.p2 & 7 == _MBMS & 7 else 0
        return command


def _unreadable(command: bytes) -> Secrets:
    is_secret = len(command) > 1 and command[1] in SECRET_COMMANDS
    return Secrets(((_HEADER - 1, len(command)),)) if is_secret else _NONE


def _data_start(raw: bytes, command: CommandApdu) -> int:
    return raw.find(command.data, 4 + (3 if command.extended else 1))


def _in_command(raw: bytes, command: CommandApdu, file: CurrentFile) -> tuple[Span, ...]:
    if not command.data:
        return ()
    start = _data_start(raw, command)
    whole = ((start, start + len(command.data)),)
    if command.ins in SECRET_COMMANDS or (command.ins in _WRITES and _holds_keys(file)):
        return whole
    if command.ins == INS.AUTHENTICATE_ODD and _is_unencrypted_mikey(command.data):
        return whole
    return ()


def _in_response(response: bytes, asked: CommandApdu, mode: int, file: CurrentFile) -> tuple[Span, ...]:
    data = response[:-2]
    if not data:
        return ()
    whole = ((0, len(data)),)
    match asked.ins:
        case INS.AUTHENTICATE:
            return _in_authenticate(data, asked) or ()
        case INS.AUTHENTICATE_ODD:
            return tuple(_in_odd_authenticate(data, asked, mode))
        case ins if ins in _SECRET_RESPONSE or (ins in _READS and _holds_keys(file)):
            return whole
        case _:
            return ()


def _holds_keys(file: CurrentFile) -> bool:
    return file.row is not None and file.row.name in _SECRET_FILES


def _in_authenticate(data: bytes, asked: CommandApdu) -> tuple[Span, ...]:
    """Hide CK, IK, Kc and Ks_ext_NAF; RES, SRES and AUTS are seen by the network anyway."""
    whole = ((0, len(data)),)
    if asked.cla == 0xA0:
        return ((4, len(data)),)
    if asked.p2 == _GSM:
        return ((5, len(data)),)
    if asked.p2 == _GBA and asked.data[:1] == bytes((_NAF_DERIVATION,)):
        return ((1, len(data)),)
    if data[0] != _SUCCESS:
        return () if data[0] == 0xDC else whole
    after_res = 2 + data[1] if len(data) > 1 else 1
    return ((after_res, len(data)),) if after_res < len(data) else ()


def _in_odd_authenticate(data: bytes, asked: CommandApdu, mode: int) -> Iterator[Span]:
    """Hide TEK and salt: all that follows DB, or every long object of the BCAST template."""
    if mode not in (0, _MTK_GENERATION):
        return
    if mode == 0 and asked.p2 & 7 == 6:
        return  # a local key's MAC and status: the key stays in the card
    objects = list(walk_tlvs(data)) if asked.p1 == _FIRST_RESPONSE or asked.p1 == _FIRST_BLOCK else []
    if not objects:
        yield 0, len(data)
        return
    for item in objects:
        if item.children:
            continue
        if item.depth == 0:
            yield item.start + 1, item.end
        elif item.end - item.start > _LONGEST_SHOWN:
            yield item.start, item.end


def _mode_of(data: bytes) -> int:
    """Return the mode byte of an MBMS object (tag 53), 0 when there is none."""
    for offset in (2, 3, 4):
        if len(data) > offset and (data[1] < 0x80 or offset == 2 + (data[1] & 0x7F)):
            return data[offset]
    return 0


def _is_unencrypted_mikey(data: bytes) -> bool:
    """Tell whether a whole MIKEY message carries its key under the NULL cipher."""
    for start in (3, 4, 5):
        try:
            message = MikeyMessage.decode(data[start:])
        except DecodeError:
            continue
        return any(kemac.encryption is EncryptionAlgorithm.NULL for kemac in message.all(Kemac))
    return False
