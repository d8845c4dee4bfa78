"""What the shell does: takes a line, talks to the card, prints what came."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from card.codec.apdu import CommandApdu
from card.codec.fcp import Fcp
from card.crypto.secret import Secret
from card.errors import DecodeError
from card.spec.aids import APPLICATIONS
from card.spec.files.fids import MF
from card.spec.ins import INS
from host_tools.apdu.client import ApduClient
from host_tools.apdu.response import StatusError
from host_tools.files.writing import UnwritableFile, open_growing
from host_tools.links.base import Link, is_shared, together
from host_tools.script.safety import FEWEST_TRIES, PIN1, pin_objection, tries_left
from host_tools.script.writer import ScriptWriter
from host_tools.shell.names import Application, FileId, FilePath, Target, UnknownName, file_names, find_target
from host_tools.terminal.card_application import CardFiles
from host_tools.terminal.errors import TerminalError
from host_tools.trace.events import TraceEvent
from host_tools.trace.printable import printable
from host_tools.trace.text import TextSink
from host_tools.trace.tracer import TracedLink, Tracer

_MF = FileId(MF)
_MOST_READ = 0x7FFF  # READ BINARY addresses 15 bits of offset
_HEX_DIGITS = frozenset("0123456789abcdefABCDEF")
_PIN_REFERENCES = {"1": PIN1, "2": 0x81}

AskPin = Callable[[str], Secret | None]
"""Asks a person for a PIN without showing it; None when there is no person, or nothing was given."""


class Quit(Exception):
    """The person wants to leave."""


class ShellError(Exception):
    """A line cannot be carried out. The message is one sentence."""


@dataclass(frozen=True, slots=True)
class Verb:
    """A command of the shell: what it does, and its line in `help`."""

    run: Callable[[str], None]
    usage: str
    meaning: str


class Session:
    """One card, and where it stands. `write` takes a line for the person. It is also the sink of the link's trace."""

    def __init__(self, link: Link, write: Callable[[str], None], ask_pin: AskPin) -> None:
        self._write = write
        self._ask_pin = ask_pin
        self._text = TextSink(write)
        self._script: ScriptWriter | None = None
        self._unseen = link
        self._link = TracedLink(link, Tracer(link.name, [self]))
        self._client = ApduClient(self._link)
        self._card = CardFiles(self._client)
        self._root = "3F00"
        self._selected: Fcp | None = None
        self._trail: tuple[Target, ...] = (_MF,)  # how one gets to what is selected
        self._aids = tuple(APPLICATIONS)  # until the card has told its own
        self.verbs: Mapping[str, Verb] = self._table()

    def _table(self) -> Mapping[str, Verb]:
        return {
            "select": Verb(self._select, "select NAME", "by name, FID, path or AID: EF_IMSI, USIM, 6F07, 3F00/2FE2"),
            "read": Verb(self._read, "read [RECORD]", "the selected file, or one record of it"),
            "apps": Verb(self._apps, "apps", "list the applications"),
            "pin": Verb(self._pin, "pin [1|2]", "give a PIN; it is asked for, never written on the line"),
            "apdu": Verb(self._apdu, "apdu HEX", "send any command; a line of hex does the same"),
            "reset": Verb(self._reset, "reset", "reset the card"),
            "atr": Verb(self._atr, "atr", "show the answer to reset"),
            "record": Verb(self._record, "record FILE", "write what follows as a script"),
            "stop": Verb(self._stop, "stop", "end the recording"),
            "help": Verb(self._help, "help", "this list"),
            "quit": Verb(self._quit, "quit", "leave; so does Ctrl-D"),
        }

    def run(self, line: str) -> None:
        """Carry out one line. Raises `ShellError`, `Quit`, `LinkError`."""
        text = line.partition("#")[0].strip()
        if not text:
            return
        word, _, rest = text.partition(" ")
        verb = self.verbs.get(word.lower())
        try:
            if verb is not None and verb.run == self._pin:
                verb.run(rest.strip())  # nobody else waits while a person types
                return
            with together(self._link):
                if verb is not None:
                    verb.run(rest.strip())
                else:
                    self._apdu(text)
        except (StatusError, TerminalError, DecodeError, UnknownName) as error:
            raise ShellError(str(error)) from error

    def complete(self, line: str, word: str) -> list[str]:
        """Return what `word`, the last one of `line`, may become: commands first, then names of files and AIDs."""
        if line.strip() == word.strip():
            candidates = tuple(self.verbs)
        elif line.split()[0].lower() == "select":
            candidates = (*file_names(self._root), *(aid.hex().upper() for aid in self._aids))
        elif line.split()[0].lower() == "help":
            candidates = tuple(self.verbs)
        else:
            candidates = ()
        return [candidate for candidate in candidates if candidate.upper().startswith(word.upper())]

    def close(self) -> None:
        """End a recording."""
        script, self._script = self._script, None
        if script is not None:
            script.close()

    def emit(self, event: TraceEvent) -> None:
        """Show what crossed the link, and record it."""
        self._text.emit(event)
        if self._script is not None:
            self._script.emit(event)

    # --- verbs

    def _select(self, name: str) -> None:
        if not name:
            raise ShellError("select what? A name such as EF_IMSI or USIM, a file identifier, or an AID.")
        self._selected = None
        target = find_target(name, self._root)
        way = self._way_to(target)
        self._trail = way[:-1]
        self._selected = self._go(target)
        self._trail = way

    def _way_to(self, target: Target) -> tuple[Target, ...]:
        """Return what to select, one after the other, to get to a target from anywhere."""
        match target:
            case Application():
                return (target,)
            case FilePath(root):
                return (_MF if root is None else Application(_prefix(root)), target)
            case FileId(fid):
                return (_MF,) if fid == MF else (*self._trail, target)

    def _return(self) -> None:
        """Select again what is selected, out of sight: another program may have selected something else since."""
        if is_shared(self._link):
            shown, self._client = self._client, ApduClient(self._unseen)
            card, self._card = self._card, CardFiles(self._client)
            try:
                for target in self._trail:
                    self._go(target)
            except (StatusError, TerminalError, DecodeError):
                raise ShellError("Another program has changed what is selected: select the file again.") from None
            finally:
                self._client, self._card = shown, card

    def _go(self, target: Target) -> Fcp:
        match target:
            case Application(aid):
                return self._enter(aid)
            case FileId(fid):
                self._root = "3F00" if fid == MF else self._root
                return self._card.select(fid)
            case FilePath(root, fids):
                if root is not None and root != self._root:
                    self._enter(_prefix(root))
                start = b"" if root is None else bytes.fromhex("7FFF")
                data = start + b"".join(fid.to_bytes(2, "big") for fid in fids)
                command = CommandApdu(0, INS.SELECT, 0x08, 0x04, data, le=256)
                return Fcp.decode(self._client.expect(command, "selecting the file"))

    def _enter(self, aid: bytes) -> Fcp:
        fcp = self._card.select_application(aid)
        self._root = next((adf for prefix, adf in APPLICATIONS.items() if aid.startswith(prefix)), self._root)
        return fcp

    def _read(self, which: str) -> None:
        fcp = self._selected
        if fcp is None or fcp.is_directory:
            raise ShellError("Select an elementary file first.")
        self._return()
        if not fcp.record_count:
            self._card.read_binary(min(fcp.file_size or 0, _MOST_READ))
        elif not which:
            self._card.read_records(fcp)
        elif which.isdigit() and 1 <= int(which) <= fcp.record_count:
            self._card.read_record(int(which), fcp.record_length)
        else:
            raise ShellError(f"The file has records 1 to {fcp.record_count}.")

    def _apps(self, _rest: str) -> None:
        self._selected = None
        self._trail = (_MF,)
        self._root = "3F00"
        found = self._card.applications()
        self._aids = tuple(entry.aid for entry in found)
        for entry in found:
            self._write("  ".join((entry.aid.hex().upper(), *filter(None, (printable(entry.label), entry.name)))))
        self._write("EF_DIR is the selected file now.")

    def _pin(self, which: str) -> None:
        if (which or "1") not in _PIN_REFERENCES:
            raise ShellError("There is PIN 1 and PIN 2. The digits are asked for; do not write them on the line.")
        reference = _PIN_REFERENCES[which or "1"]
        with together(self._link):
            left = tries_left(self._client, reference)
        if left is None:
            self._write("The PIN is not wanted now.")
            return
        if left < FEWEST_TRIES:
            raise ShellError(f"The PIN has {left} tries left; below {FEWEST_TRIES} the shell makes none.")
        pin = self._ask_pin(f"PIN {which or '1'}, {left} tries left: ")
        if pin is None:
            return
        with together(self._link):
            if is_shared(self._link) and (tries_left(self._client, reference) or 0) < FEWEST_TRIES:
                raise ShellError("Another program has used up tries of the PIN meanwhile: the shell makes none.")
            self._card.verify_pin(pin, reference)

    def _apdu(self, text: str) -> None:
        command = CommandApdu.decode(_bytes_in(text))
        objection = pin_objection(self._client, command)
        if objection:
            raise ShellError(f"Not sent: {objection}.")
        self._client.transmit(command)

    def _reset(self, _rest: str) -> None:
        self._root, self._selected, self._trail = "3F00", None, (_MF,)
        self._client.reset()

    def _atr(self, _rest: str) -> None:
        self._write(self._link.atr.hex(" ").upper())

    def _record(self, name: str) -> None:
        if not name:
            raise ShellError("record needs the name of a new file.")
        self.close()
        try:
            file = open_growing(Path(name), new=True)
        except UnwritableFile as error:
            raise ShellError(f"{error}.") from None
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        self._script = ScriptWriter(text, Path(name).stem)
        self._write(f"recording into {name} until stop")

    def _stop(self, _rest: str) -> None:
        if self._script is None:
            raise ShellError("Nothing is being recorded.")
        self.close()

    def _help(self, _rest: str) -> None:
        for verb in self.verbs.values():
            self._write(f"{verb.usage:<16} {verb.meaning}")

    def _quit(self, _rest: str) -> None:
        raise Quit


def _prefix(root: str) -> bytes:
    """Return the first bytes of the AID of an application, by the name of its directory."""
    return next(prefix for prefix, adf in APPLICATIONS.items() if adf == root)


def _bytes_in(text: str) -> bytes:
    """Return the bytes of a line of hex. Raises `ShellError` saying what is no hex in it."""
    words = text.split()
    wrong = next((word for word in words if not _HEX_DIGITS.issuperset(word)), None)
    if wrong is None and len("".join(words)) % 2:
        raise ShellError(f"Hex has two digits for each byte; “{text[:40]}” has one too few or too many.")
    if wrong is not None and (wrong == words[0] or len(words[0]) % 2):
        raise ShellError(f"“{words[0][:20]}” is neither a command of the shell nor hex; try help.")
    if wrong is not None:
        raise ShellError(f"“{wrong[:20]}” is not hex.")
    return bytes.fromhex("".join(words))
