"""`bcast-uicc card`: the life of card files. Only parses and prints; the work is in `sessions.card_files`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from host_tools.cli.console import Console
from host_tools.cli.exits import DIFFERENT
from host_tools.cli.explained import plain_errors

if TYPE_CHECKING:
    from card import EditResult

_FILE = click.Path(dir_okay=False, path_type=Path)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
_REVEAL = click.option("--reveal-keys", "reveal", is_flag=True, help="Show keys, PINs and confidential files too.")


@click.group(epilog="\b\nA card file that is in use (by `run`, say) is locked: stop its user first (exit status 6).")
def card() -> None:
    """Make, look at, change, keep, compare and wipe card files.

    Wherever a command only reads a card, a profile (PROFILE.toml, or "usim" for the one that ships) may stand for
    the card fresh from it.
    """


@card.command(short_help="Make a card file from a profile.", epilog=(
    "\b\nExamples:\n"
    "  bcast-uicc card new usim                    usim.card from the profile that ships, with published test keys\n"
    "  bcast-uicc card new mine.toml -o test.card"
))  # fmt: skip
@click.argument("profile", type=_FILE)
@click.option("-o", "--output", type=_FILE, help="The card file.  [default: named as the profile, .card]")
def new(profile: Path, output: Path | None) -> None:
    """Make a card file from PROFILE; it must not exist yet."""
    from host_tools.sessions.card_files import make

    with plain_errors():
        target = make(profile, output)
    click.echo(f"{target}: new card made from {profile}")


@card.command(short_help="Show all that a card file holds.", epilog=(
    "\b\nExamples:\n"
    "  bcast-uicc card show usim.card\n"
    "  bcast-uicc card show usim.card --json | jq '.files[\"ADF.USIM/6F07\"].value'\n"
    "  bcast-uicc card show usim.card --reveal-keys       test keys on the screen: mind who looks"
))  # fmt: skip
@click.argument("file", type=_FILE)
@_JSON
@_REVEAL
def show(file: Path, as_json: bool, reveal: bool) -> None:
    """Show all that card FILE holds: files with access rules and values, PINs, keys, counters.

    Keys and PINs are hidden, and so are the files that hold session keys or that no PIN lets a terminal read.
    """
    from host_tools.sessions import card_files

    with plain_errors():
        description = card_files.show(file, Console(), reveal=reveal)
    if as_json:
        click.echo(json.dumps(description, indent=2))
        return
    from host_tools.cli.card.view import print_card

    print_card(str(file), description)


@card.command(short_help="Write one file of a card.", epilog=(
    "\b\nExamples:\n"
    "  bcast-uicc card edit usim.card EF_IMSI --value 001010000000042\n"
    "  bcast-uicc card edit usim.card ADF.USIM/EF_LI --value 'de, en'\n"
    "  bcast-uicc card edit usim.card ADF.USIM/6FB7 --record 2 --value 110\n"
    "  bcast-uicc card edit usim.card MF/2F08 --hex 3C05000000"
))  # fmt: skip
@click.argument("file", type=_FILE)
@click.argument("path")
@click.option("--hex", "hex_text", help="The content in hex; what it leaves free is filled with FF.")
@click.option("--value", help="The content in human form, as `show` prints it.")
@click.option("--record", type=click.IntRange(min=1), help="Which record, counted from 1.")
@click.option(
    "--force",
    is_flag=True,
    help="Write bytes that do not follow the file's format, and files that the card keeps in step with its keys.",
)
def edit(file: Path, path: str, hex_text: str | None, value: str | None, record: int | None, force: bool) -> None:
    """Write the elementary file PATH of card FILE, past its access rules.

    PATH is a path of FIDs from the MF or an ADF, or just the file's name where there is only one. Length and format
    are checked before anything is written.
    """
    from card import Edit
    from host_tools.sessions import card_files

    if (hex_text is None) == (value is None):
        raise click.UsageError("give the new content with --hex or with --value")
    change = Edit(_parse_hex(hex_text), value, record, force)
    with plain_errors():
        edited = card_files.edit(file, path, change, Console())
    click.echo(_describe_edit(edited))


@card.command(short_help="Keep a copy of a card as it is now.", epilog=(
    "\b\nExample:\n"
    "  bcast-uicc card snapshot usim.card -o before.snapshot\n"
    "  ...                                                  use the card\n"
    "  bcast-uicc card diff before.snapshot usim.card\n"
    "  bcast-uicc card restore usim.card before.snapshot"
))  # fmt: skip
@click.argument("file", type=_FILE)
@click.option("-o", "--output", type=_FILE, help="The snapshot.  [default: named as FILE, .snapshot]")
@click.option("--replace", is_flag=True, help="Write over a snapshot that is there already.")
def snapshot(file: Path, output: Path | None, replace: bool) -> None:
    """Keep a copy of card FILE as it is now.

    The copy has its keys (mode 0600) and is a card file itself: it can be shown, compared and run.
    """
    from host_tools.sessions import card_files

    with plain_errors():
        target = card_files.snapshot(file, output, Console(), replace=replace)
    click.echo(f"{target}: snapshot of {file}")


@card.command(short_help="Make a card what a snapshot of it is.", epilog=(
    "\b\nExample:\n"
    "  bcast-uicc card restore usim.card before.snapshot"
))  # fmt: skip
@click.argument("file", type=_FILE)
@click.argument("snapshot_file", metavar="SNAPSHOT", type=_FILE)
def restore(file: Path, snapshot_file: Path) -> None:
    """Make card FILE what SNAPSHOT is, all of it or nothing; FILE is made when it is missing."""
    from host_tools.sessions import card_files

    with plain_errors():
        card_files.restore(file, snapshot_file, Console())
    click.echo(f"{file}: restored from {snapshot_file}")


@card.command(short_help="Compare two cards.", epilog=(
    "\b\nExamples:\n"
    "  bcast-uicc card diff before.snapshot usim.card\n"
    "  bcast-uicc card diff usim usim.card                what has happened since the card was made\n"
    "\b\nExit status: 0 no difference, 1 they differ."
))  # fmt: skip
@click.argument("left", metavar="A", type=_FILE)
@click.argument("right", metavar="B", type=_FILE)
@_JSON
@_REVEAL
@click.pass_context
def diff(ctx: click.Context, left: Path, right: Path, as_json: bool, reveal: bool) -> None:
    """Compare cards A and B value by value, keys included (that they differ is told, what they are is not)."""
    from host_tools.cli.card.view import print_differences
    from host_tools.sessions import card_files

    with plain_errors():
        differences = card_files.compare(left, right, Console(), reveal=reveal)
    if as_json:
        rows = [{"place": d.place, "name": d.name, "left": d.left, "right": d.right} for d in differences]
        click.echo(json.dumps(rows, indent=2))
    else:
        print_differences(str(left), str(right), differences)
    if differences:
        ctx.exit(DIFFERENT)


@card.command(short_help="Overwrite and remove a card file.", epilog=(
    "\b\nExample:\n"
    "  bcast-uicc card wipe usim.card --yes"
))  # fmt: skip
@click.argument("file", type=_FILE)
@click.option("--yes", is_flag=True, help="Do not ask.")
def wipe(file: Path, yes: bool) -> None:
    """Overwrite and remove card FILE, and what a killed process may have left beside it. There is no way back."""
    from host_tools.sessions import card_files

    def be_sure() -> None:
        if not yes:
            click.confirm(f"Wipe {file}, with its keys and state?", abort=True, err=True)

    with plain_errors():
        card_files.wipe(file, Console(), be_sure)
    click.echo(f"{file}: wiped")


def _parse_hex(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise click.BadParameter("two hex digits for each byte are wanted", param_hint="--hex") from None


def _describe_edit(edited: EditResult) -> str:
    from card import format_value
    from host_tools.trace.printable import printable

    record = f", record {edited.record}" if edited.record else ""
    filled = f", the last {edited.filled} filled with FF" if edited.filled else ""
    reads = "" if edited.value is None else f", now {printable(format_value(edited.value))}"
    return f"{edited.path} {edited.name}{record}: {edited.length} bytes written{filled}{reads}"
