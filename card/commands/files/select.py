"""SELECT and STATUS (TS 102 221 clauses 11.1.1 and 11.1.2)."""

from __future__ import annotations

from enum import IntEnum

from card.codec.apdu import CommandApdu
from card.codec.tlv import encode_tlv
from card.commands.application_session import end_session
from card.commands.context import Context
from card.commands.generations import enter_generation
from card.commands.registry import ETSI, INTERINDUSTRY, CommandRow, Data
from card.commands.reply import Refused, Reply
from card.filesystem.errors import FileNotFound
from card.filesystem.filesystem import DEACTIVATED, TERMINATED
from card.filesystem.node import MF_PATH, FileNode
from card.lean import lean_dataclass
from card.spec.files.fids import MF
from card.spec.files.rows import Structure
from card.spec.ins import INS
from card.spec.refs import Ref
from card.spec.status import SW
from card.state.session import Channel


class By(IntEnum):
    """P1 of SELECT: how the file is named (TS 102 221 table 11.1)."""

    FILE_ID = 0x00
    CHILD_DF = 0x01
    PARENT = 0x03
    DF_NAME = 0x04
    PATH_FROM_MF = 0x08
    PATH_FROM_CURRENT = 0x09


class Occurrence(IntEnum):
    """P2 bits 1 and 2 of SELECT by DF name: which of several matching applications."""

    FIRST = 0
    LAST = 1
    NEXT = 2
    PREVIOUS = 3


_RETURN_FCP = 0x04
_NO_DATA = 0x0C
_RETURN_MASK = 0x1C
_TERMINATE = 0x40
_LIFE_CYCLE_STATUS = {DEACTIVATED: SW.FILE_DEACTIVATED_WARNING, TERMINATED: SW.FILE_TERMINATED_WARNING}


@lean_dataclass(frozen=True, slots=True)
class Select:
    """A decoded SELECT: `name` is a DF name; `fids` are file identifiers, one or a path."""

    by: By
    fids: tuple[int, ...]
    name: bytes
    occurrence: Occurrence
    terminate: bool
    wants_fcp: bool


def _select_parameters(p1: int, p2: int) -> bool:
    known_p2 = p2 & ~(_TERMINATE | _RETURN_MASK | 0x03) == 0 and p2 & _RETURN_MASK in (
        0x00,
        _RETURN_FCP,
        _NO_DATA,
    )
    by_name_only = p1 == By.DF_NAME or not p2 & (_TERMINATE | 0x03)
    return p1 in By.__members__.values() and known_p2 and by_name_only


def decode_select(apdu: CommandApdu) -> Select:
    """Read the command. An empty data field names the MF, or the ADF of the last application when by DF name."""
    by, data = By(apdu.p1), apdu.data
    wants_fcp = apdu.p2 & _RETURN_MASK == _RETURN_FCP
    terminate = apdu.p2 & _TERMINATE != 0
    occurrence = Occurrence(apdu.p2 & 0x03)
    if by is By.DF_NAME:
        if len(data) > 16:
            raise Refused(SW.WRONG_LENGTH)
        return Select(by, (), data, occurrence, terminate, wants_fcp)
    if not _length_fits(by, len(data)):
        raise Refused(SW.WRONG_LENGTH)
    fids = tuple(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    return Select(by, fids, b"", occurrence, terminate, wants_fcp)


def _length_fits(by: By, length: int) -> bool:
    match by:
        case By.FILE_ID:
            return length in (0, 2)
        case By.CHILD_DF:
            return length == 2
        case By.PARENT:
            return length == 0
    return length % 2 == 0 and 0 < length <= 16


def select(ctx: Context, request: Select) -> Reply:
    """Find the file, make it current, return its FCP when asked to."""
    if request.terminate:
        return _terminate(ctx, request)
    node = _find(ctx, request)
    if request.by is By.DF_NAME:
        # Another application ends the session of the one before, the same one is reset by it.
        end_session(ctx, ctx.channel_number)
    make_current(ctx, node)
    sw = _LIFE_CYCLE_STATUS.get(ctx.files.life_cycle(node), SW.OK)
    return Reply(_fcp(ctx, node) if request.wants_fcp else b"", sw)


def _fcp(ctx: Context, node: FileNode) -> bytes:
    return ctx.files.fcp(node, ctx.pin_status() if ctx.files.shows_pins(node) else ())


def _find(ctx: Context, request: Select) -> FileNode:
    channel, tree = ctx.channel, ctx.files.tree
    match request.by:
        case By.FILE_ID:
            fid = request.fids[0] if request.fids else MF
            return tree.select_by_fid(fid, channel.directory, channel.application)
        case By.CHILD_DF:
            node = tree.child(channel.directory, request.fids[0])
            if node.is_directory:
                return node
            raise FileNotFound
        case By.PARENT:
            return tree[ctx.directory.parent_path or MF_PATH]
        case By.DF_NAME:
            return _find_application(ctx, request)
        case By.PATH_FROM_MF:
            return tree.select_by_path(request.fids, MF_PATH, channel.application)
        case By.PATH_FROM_CURRENT:
            return tree.select_by_path(request.fids, channel.directory, channel.application)


def _find_application(ctx: Context, request: Select) -> FileNode:
    """Choose among the applications whose AID begins with the name (TS 102 221 clause 8.5.1.2)."""
    matching = ctx.files.tree.by_aid(request.name)
    current = ctx.files.tree.get(f"ADF.{ctx.channel.application}")
    position = matching.index(current) if current in matching else None
    chosen = _of_occurrence(matching, request.occurrence, position)
    if not chosen:
        raise FileNotFound
    return chosen[0]


def _of_occurrence(
    matching: tuple[FileNode, ...], occurrence: Occurrence, position: int | None
) -> tuple[FileNode, ...]:
    """Return the application meant, or nothing; without a current one, next is the first and previous the last."""
    match occurrence:
        case Occurrence.NEXT if position is not None:
            return matching[position + 1 : position + 2]
        case Occurrence.PREVIOUS if position is not None:
            return matching[:position][-1:]
        case Occurrence.FIRST | Occurrence.NEXT:
            return matching[:1]
    return matching[-1:]


def make_current(ctx: Context, node: FileNode) -> None:
    """Select a file: a new channel state, since selecting drops the record pointer and all unfinished business.

    Raises `Refused` for a file of a USIM within a GSM session.
    """
    enter_generation(ctx, node)
    application = node.application if node.structure is Structure.ADF else ctx.channel.application
    if node.is_directory:
        ctx.replace_channel(Channel(node.path, "", application))
    else:
        ctx.replace_channel(Channel(node.parent_path, node.path, application))


def _terminate(ctx: Context, request: Select) -> Reply:
    """End an application session because the terminal says so: the MF is current again."""
    if request.name:
        _find_application(ctx, request)
    end_session(ctx, ctx.channel_number, said=True)
    ctx.change_channel(file="", directory=MF_PATH, application="", record=0)
    return Reply()


class Shows(IntEnum):
    """P2 of STATUS: what is returned."""

    FCP = 0x00
    DF_NAME = 0x01
    NOTHING = 0x0C


def decode_status(apdu: CommandApdu) -> Shows:
    """Return what is asked for; P1 only tells how far the terminal's own application is."""
    return Shows(apdu.p2)


def status(ctx: Context, shows: Shows) -> Reply:
    """Return the FCP of the current directory, or the AID of the current application."""
    match shows:
        case Shows.FCP:
            return Reply(_fcp(ctx, ctx.directory))
        case Shows.DF_NAME:
            adf = ctx.files.tree.get(f"ADF.{ctx.channel.application}")
            if adf is None:
                raise Refused(SW.WRONG_P1_P2)
            return Reply(encode_tlv(0x84, adf.aid))
        case Shows.NOTHING:
            return Reply()


def _status_parameters(p1: int, p2: int) -> bool:
    return p1 in (0, 1, 2) and p2 in Shows.__members__.values()


ROWS: tuple[CommandRow, ...] = (
    CommandRow(
        name="SELECT",
        ins=INS.SELECT,
        families=INTERINDUSTRY,
        decode=decode_select,
        execute=select,
        ref=Ref("TS 102 221", "11.1.1"),
        data=Data.OPTIONAL,
        parameters=_select_parameters,
    ),
    CommandRow(
        name="STATUS",
        ins=INS.STATUS,
        families=ETSI,
        decode=decode_status,
        execute=status,
        ref=Ref("TS 102 221", "11.1.2"),
        parameters=_status_parameters,
    ),
)
