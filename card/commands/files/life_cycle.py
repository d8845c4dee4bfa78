"""DEACTIVATE and ACTIVATE FILE (TS 102 221 clauses 11.1.14 and 11.1.15); TERMINATE (TS 102 222 clauses 6.7 to 6.9)."""

from __future__ import annotations

from functools import partial

from card.codec.access_rule import Operation
from card.codec.apdu import CommandApdu
from card.commands.context import Context
from card.commands.files.select import By, make_current
from card.commands.registry import INTERINDUSTRY, CommandRow, Data, zero_parameters
from card.commands.reply import DONE, Refused, Reply
from card.filesystem.errors import FileDeactivated, WrongStructure
from card.filesystem.filesystem import ACTIVATED, DEACTIVATED, TERMINATED
from card.filesystem.node import MF_PATH, FileNode
from card.lean import lean_dataclass
from card.spec.files.rows import Structure
from card.spec.ins import INS
from card.spec.refs import Ref
from card.spec.status import SW


@lean_dataclass(frozen=True, slots=True)
class Target:
    """Which file is meant: a FID or a path, or the current file when there is none."""

    by: By
    fids: tuple[int, ...]


def _parameters(p1: int, p2: int) -> bool:
    return p1 in (By.FILE_ID, By.PATH_FROM_MF, By.PATH_FROM_CURRENT) and p2 == 0


def decode(apdu: CommandApdu) -> Target:
    """Read the identifiers: none or one by FID, at least one in a path."""
    by, data = By(apdu.p1), apdu.data
    fits = len(data) in (0, 2) if by is By.FILE_ID else 0 < len(data) <= 16
    if len(data) % 2 or not fits:
        raise Refused(SW.WRONG_LENGTH)
    return Target(by, tuple(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)))


def _find(ctx: Context, target: Target) -> FileNode:
    channel, tree = ctx.channel, ctx.files.tree
    if not target.fids:
        return ctx.current_file()
    if target.by is By.FILE_ID:
        return tree.select_by_fid(target.fids[0], channel.directory, channel.application)
    start = MF_PATH if target.by is By.PATH_FROM_MF else channel.directory
    return tree.select_by_path(target.fids, start, channel.application)


def change_life_cycle(ctx: Context, target: Target, *, operation: Operation, state: int) -> Reply:
    """Activate or deactivate an EF, which becomes the current file. A terminated file stays terminated."""
    node = _find(ctx, target)
    if node.structure.is_directory:
        raise WrongStructure
    ctx.require(node, operation)
    if ctx.files.life_cycle(node) == TERMINATED:
        raise FileDeactivated
    ctx.files.set_life_cycle(node, state)
    make_current(ctx, node)
    return DONE


def terminate_ef(ctx: Context, target: Target) -> Reply:
    """Put an EF out of use for good."""
    node = _find(ctx, target)
    if node.structure.is_directory:
        raise WrongStructure
    return _terminate(ctx, node)


def terminate_df(ctx: Context, target: Target) -> Reply:
    """Put a DF or ADF out of use for good, and all files in it."""
    node = _find(ctx, target) if target.fids else ctx.directory
    if not node.structure.is_directory or node.structure is Structure.MF:
        raise WrongStructure
    return _terminate(ctx, node)


def terminate_card_usage(ctx: Context, _target: Target) -> Reply:
    """Put the MF, and so the whole card, out of use for good."""
    return _terminate(ctx, ctx.files.tree[MF_PATH])


def _terminate(ctx: Context, node: FileNode) -> Reply:
    """Terminate a file that may be deactivated, as termination ends every life."""
    if not ctx.satisfies(ctx.files.condition(node, Operation.TERMINATE, ctx.environment)):
        raise Refused(SW.SECURITY_NOT_SATISFIED)
    ctx.files.set_life_cycle(node, TERMINATED)
    return DONE


ROWS: tuple[CommandRow, ...] = (
    CommandRow(
        name="DEACTIVATE FILE",
        ins=INS.DEACTIVATE_FILE,
        families=INTERINDUSTRY,
        decode=decode,
        execute=partial(change_life_cycle, operation=Operation.DEACTIVATE, state=DEACTIVATED),
        ref=Ref("TS 102 221", "11.1.14"),
        data=Data.OPTIONAL,
        parameters=_parameters,
    ),
    CommandRow(
        name="ACTIVATE FILE",
        ins=INS.ACTIVATE_FILE,
        families=INTERINDUSTRY,
        decode=decode,
        execute=partial(change_life_cycle, operation=Operation.ACTIVATE, state=ACTIVATED),
        ref=Ref("TS 102 221", "11.1.15"),
        data=Data.OPTIONAL,
        parameters=_parameters,
    ),
    CommandRow(
        name="TERMINATE DF",
        ins=INS.TERMINATE_DF,
        families=INTERINDUSTRY,
        decode=decode,
        execute=terminate_df,
        ref=Ref("TS 102 222", "6.7"),
        data=Data.OPTIONAL,
        parameters=_parameters,
    ),
    CommandRow(
        name="TERMINATE EF",
        ins=INS.TERMINATE_EF,
        families=INTERINDUSTRY,
        decode=decode,
        execute=terminate_ef,
        ref=Ref("TS 102 222", "6.8"),
        data=Data.OPTIONAL,
        parameters=_parameters,
    ),
    CommandRow(
        name="TERMINATE CARD USAGE",
        ins=INS.TERMINATE_CARD_USAGE,
        families=INTERINDUSTRY,
        decode=decode,
        execute=terminate_card_usage,
        ref=Ref("TS 102 222", "6.9"),
        parameters=zero_parameters,
    ),
)
