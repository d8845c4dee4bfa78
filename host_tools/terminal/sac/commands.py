"""MANAGE SECURE CHANNEL and TRANSACT DATA as the terminal sends them (TS 102 221 clauses 11.1.20 and 11.1.21)."""

from __future__ import annotations

from collections.abc import Iterator

from card.codec.apdu import MAX_SHORT_LC, MAX_SHORT_LE, CommandApdu
from card.codec.sac import (
    ConnectionRequest,
    ConnectionResponse,
    Endpoints,
    MasterRequest,
    MasterResponse,
    StartRequest,
    StartResponse,
    TerminateRequest,
    TlsStartRequest,
    decode_block,
    encode_block,
)
from card.codec.tlv import decode_tlv, encode_tlv
from card.errors import DecodeError
from card.spec.contexts import STRUCTURED, Step
from card.spec.ins import INS
from card.spec.sac_tables import Procedure, TransferBits, TransferState, transfer_status
from card.spec.status import SW
from host_tools.apdu.client import ApduClient
from host_tools.apdu.response import GarbledResponse, Response
from host_tools.terminal.errors import answer_to
from host_tools.terminal.sac.errors import AssociationUnknown, ChannelBroken, ChannelRefused

_MORE_COMMAND = (SW.MORE_COMMAND, SW.MORE_COMMAND_PROACTIVE)
_MORE_RESPONSE = (SW.MORE_RESPONSE, SW.MORE_RESPONSE_PROACTIVE)
_LARGEST_ANSWER = 1 << 17


class SacCommands:
    """Typed calls over a client in clear. A refusal raises `ChannelRefused`, a lost link `LinkError`."""

    def __init__(self, client: ApduClient) -> None:
        self._client = client

    # --- MANAGE SECURE CHANNEL

    def endpoints(self) -> Endpoints:
        """Ask which endpoints the card has."""
        with answer_to("MANAGE SECURE CHANNEL"):
            return Endpoints.decode(self._fetch(Procedure.ENDPOINTS, "to tell its endpoints"))

    def agree(self, request: MasterRequest) -> MasterResponse:
        """Ask for a Master SA."""
        with answer_to("MANAGE SECURE CHANNEL"):
            return MasterResponse.decode(self._ask(Procedure.MASTER_SA, request.encode(), "a Master SA"))

    def connect(self, request: ConnectionRequest) -> ConnectionResponse:
        """Ask for a Connection SA."""
        with answer_to("MANAGE SECURE CHANNEL"):
            return ConnectionResponse.decode(self._ask(Procedure.CONNECTION_SA, request.encode(), "a Connection SA"))

    def start(self, request: StartRequest | TlsStartRequest) -> int:
        """Start a channel; return its session number (0 to 3)."""
        with answer_to("MANAGE SECURE CHANNEL"):
            return StartResponse.decode(self._ask(Procedure.START, request.encode(), "to start the channel")).session

    def terminate(self, request: TerminateRequest) -> None:
        """End associations."""
        self._send(Procedure.TERMINATE, request.encode(), "to end the association")

    def _ask(self, procedure: Procedure, message: bytes, what: str) -> bytes:
        if self._send(procedure, message, what) != SW.RESPONSE_AVAILABLE:
            raise DecodeError("no response was announced")
        return self._fetch(procedure, what)

    def _send(self, procedure: Procedure, message: bytes, what: str) -> int:
        data = encode_tlv(STRUCTURED, message)
        response = Response(b"", SW.OK)
        for offset in range(0, len(data), MAX_SHORT_LC):
            step = Step.NEXT_COMMAND if offset else Step.FIRST_COMMAND
            block = data[offset : offset + MAX_SHORT_LC]
            response = self._client.transmit(CommandApdu(0, INS.MANAGE_SECURE_CHANNEL, procedure, step, block))
            if response.sw not in _MORE_COMMAND:
                break
        if not response.ok:
            raise _refusal(what, response.sw)
        return response.sw

    def _fetch(self, procedure: Procedure, what: str) -> bytes:
        collected, step = b"", Step.FIRST_RESPONSE
        while True:
            fetch = CommandApdu(0, INS.MANAGE_SECURE_CHANNEL, procedure, step, le=MAX_SHORT_LE)
            response = self._client.transmit(fetch)
            if not response.ok:
                raise _refusal(what, response.sw)
            collected, step = collected + response.data, Step.NEXT_RESPONSE
            if response.sw not in _MORE_RESPONSE:
                break
            _check_progress(response.data, collected)
        item = decode_tlv(collected)
        if item.tag != STRUCTURED:
            raise DecodeError(f"tag {item.tag:02X} instead of {STRUCTURED:02X}")
        return item.value

    # --- TRANSACT DATA

    def transact(self, session: int, size: int, container: bytes) -> bytes:
        """Send a container in blocks of `size` bytes and return the answering one.

        Raises `AssociationUnknown` when the card took nothing, `ChannelBroken` for an answer out of turn.
        """
        expected = transfer_status(session, TransferState.SEND_NEXT)
        for block, left in _blocks(container, size):
            if not left:
                expected = transfer_status(session, TransferState.FETCH)
            command = CommandApdu(0, INS.TRANSACT_DATA, session << 6 | TransferBits.DATA, left, encode_block(block))
            sw = self._client.transmit(command).sw
            if sw == SW.SECURITY_SESSION_EXPIRED:
                raise AssociationUnknown("the container", sw)
            if sw != expected:
                raise ChannelBroken(f"The card broke off the protected transfer ({sw:04X}).")
        return self._collect(session)

    def _collect(self, session: int) -> bytes:
        fetch = CommandApdu(0, INS.TRANSACT_DATA, session << 6, 0, le=MAX_SHORT_LE)
        collected = b""
        while True:
            response = self._client.transmit(fetch)
            if response.sw not in (SW.OK, transfer_status(session, TransferState.MORE)):
                raise ChannelBroken(f"The card did not give its protected answer ({response.sw:04X}).")
            try:
                block = decode_block(response.data)
            except DecodeError:
                raise ChannelBroken("The card's protected answer is malformed.") from None
            collected += block
            if response.sw == SW.OK:
                return collected
            _check_progress(block, collected)

    def abort(self, session: int) -> None:
        """Give up what is on the way in a session."""
        self._client.transmit(CommandApdu(0, INS.TRANSACT_DATA, session << 6 | TransferBits.ABORT, 0))


def _refusal(what: str, sw: int) -> ChannelRefused:
    kind = AssociationUnknown if sw == SW.SECURITY_SESSION_EXPIRED else ChannelRefused
    return kind(what, sw)


def _blocks(container: bytes, size: int) -> Iterator[tuple[bytes, int]]:
    """Yield each block with the number of those that follow."""
    count = max(1, -(-len(container) // size))
    if count > 256:
        raise ChannelBroken("The command is too long for the protected channel.")
    for number in range(count):
        yield container[number * size : (number + 1) * size], count - 1 - number


def _check_progress(block: bytes, collected: bytes) -> None:
    if not block or len(collected) > _LARGEST_ANSWER:
        raise GarbledResponse("The card announces response data without end.")
