"""RETRIEVE DATA and SET DATA on BER-TLV files (TS 102 221 clause 11.3).

A data object moves in blocks: the first names the file and the object, the others continue it. A transfer survives
commands that neither select another file nor begin another transfer.
"""

from __future__ import annotations

from dataclasses import replace
from enum import IntEnum

from card.codec.access_rule import Operation
from card.codec.apdu import MAX_SHORT_LE, CommandApdu
from card.codec.data_objects import TAG_LIST, encode_object, read_object_tag
from card.codec.reader import Reader
from card.codec.tlv import read_length
from card.commands.context import Context
from card.commands.registry import ETSI, CommandRow, Data
from card.commands.reply import DONE, Refused, Reply
from card.errors import DecodeError
from card.filesystem.node import FileNode
from card.lean import lean_dataclass
from card.spec.files.rows import Structure
from card.spec.ins import INS
from card.spec.refs import Ref
from card.spec.status import SW, wrong_le
from card.state.session import Transfer

_SFI = 0x1F
_BLOCK_BITS = 0xE0


class Block(IntEnum):
    """Bits 6 to 8 of P2: which block this is."""

    FIRST = 0x80
    NEXT = 0x00
    PREVIOUS = 0x40  # RETRIEVE DATA only: the last block once more


@lean_dataclass(frozen=True, slots=True)
class DataRequest:
    """One block to send or to fetch: the file by SFI (0: current), and for SET DATA its bytes, else the tag."""

    block: Block
    sfi: int
    data: bytes
    le: int = 0


def _retrieve_parameters(p1: int, p2: int) -> bool:
    block, sfi = p2 & _BLOCK_BITS, p2 & _SFI
    return p1 == 0 and ((block == Block.FIRST and sfi != _SFI) or (block in (Block.NEXT, Block.PREVIOUS) and not sfi))


def _set_parameters(p1: int, p2: int) -> bool:
    return _retrieve_parameters(p1, p2) and p2 & _BLOCK_BITS != Block.PREVIOUS


def decode_retrieve(apdu: CommandApdu) -> DataRequest:
    """Read the tag of a first block; the others carry no data."""
    block = Block(apdu.p2 & _BLOCK_BITS)
    if bool(apdu.data) != (block is Block.FIRST):
        raise Refused(SW.WRONG_LENGTH)
    if block is Block.FIRST:
        reader = Reader(apdu.data)
        read_object_tag(reader)
        reader.expect_end("tag")
    # Without Le the next block cannot be handed out: 0 asks for the right Le.
    return DataRequest(block, apdu.p2 & _SFI, apdu.data, apdu.le or (MAX_SHORT_LE if apdu.data else 0))


def decode_set(apdu: CommandApdu) -> DataRequest:
    """Read one block of a data object, or the tag alone of an object to delete."""
    return DataRequest(Block(apdu.p2 & _BLOCK_BITS), apdu.p2 & _SFI, apdu.data)


def retrieve_data(ctx: Context, request: DataRequest) -> Reply:
    """Return a block of a data object, 62F1 standing for "more"; tag 5C asks for the list of tags."""
    if request.block is Block.FIRST:
        node = _open(ctx, request.sfi, Operation.READ)
        transfer = Transfer(node.path, outgoing=_object(ctx, node, request.data))
    else:
        transfer = _continued(ctx, writing=False)
        _open(ctx, 0, Operation.READ)
    start = transfer.position
    if request.block is Block.PREVIOUS:
        start = transfer.previous
    elif start >= len(transfer.outgoing):
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)
    if not request.le:
        return Reply(sw=wrong_le(min(len(transfer.outgoing) - start, MAX_SHORT_LE)))
    end = min(start + min(request.le, MAX_SHORT_LE), len(transfer.outgoing))
    ctx.change_channel(transfer=replace(transfer, previous=start, position=end))
    return Reply(transfer.outgoing[start:end], SW.MORE_RESPONSE if end < len(transfer.outgoing) else SW.OK)


def _object(ctx: Context, node: FileNode, tag: bytes) -> bytes:
    contents = ctx.files.contents
    if tag == TAG_LIST:
        return encode_object(TAG_LIST, b"".join(contents.object_tags(node)))
    value = contents.object(node, tag)
    if value is None:
        raise Refused(SW.REFERENCED_DATA_NOT_FOUND)
    return encode_object(tag, value)


def set_data(ctx: Context, request: DataRequest) -> Reply:
    """Take in a block, 63F1 standing for "more expected". Store the object when it is whole; a tag alone deletes it."""
    if request.block is Block.FIRST:
        node = _open(ctx, request.sfi, Operation.UPDATE)
        received = request.data
    else:
        transfer = _continued(ctx, writing=True)
        node = _open(ctx, 0, Operation.UPDATE)
        received = transfer.incoming + request.data
    reader = Reader(received)
    tag = read_object_tag(reader)
    if tag == TAG_LIST:
        raise Refused(SW.WRONG_DATA)
    if not reader.remaining:
        return _delete(ctx, node, tag)
    length = read_length(reader)
    if reader.remaining > length:
        raise DecodeError("data object: more bytes than its length says")
    if len(received) - reader.remaining + length > node.size:
        raise Refused(SW.NOT_ENOUGH_MEMORY)
    if reader.remaining < length:
        ctx.change_channel(transfer=Transfer(node.path, incoming=received))
        return Reply(sw=SW.MORE_COMMAND)
    ctx.files.contents.put_object(node, tag, reader.rest())
    ctx.change_channel(transfer=None)
    return DONE


def _delete(ctx: Context, node: FileNode, tag: bytes) -> Reply:
    if ctx.files.contents.object(node, tag) is None:
        raise Refused(SW.REFERENCED_DATA_NOT_FOUND)
    ctx.files.contents.delete_object(node, tag)
    ctx.change_channel(transfer=None)
    return DONE


def _continued(ctx: Context, *, writing: bool) -> Transfer:
    """Return the transfer under way in the current file. Raises `Refused` when there is none in this direction."""
    transfer = ctx.channel.transfer
    if transfer is None or transfer.path != ctx.channel.file or bool(transfer.incoming) != writing:
        raise Refused(SW.CONDITIONS_NOT_SATISFIED)
    return transfer


def _open(ctx: Context, sfi: int, operation: Operation) -> FileNode:
    return ctx.open_file(sfi, operation, Structure.BER_TLV)


ROWS: tuple[CommandRow, ...] = (
    CommandRow(
        name="RETRIEVE DATA",
        ins=INS.RETRIEVE_DATA,
        families=ETSI,
        decode=decode_retrieve,
        execute=retrieve_data,
        ref=Ref("TS 102 221", "11.3.1"),
        data=Data.OPTIONAL,
        parameters=_retrieve_parameters,
    ),
    CommandRow(
        name="SET DATA",
        ins=INS.SET_DATA,
        families=ETSI,
        decode=decode_set,
        execute=set_data,
        ref=Ref("TS 102 221", "11.3.2"),
        data=Data.REQUIRED,
        parameters=_set_parameters,
    ),
)
