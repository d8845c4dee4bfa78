"""Every command and every option that takes a file meets files of every bad kind: none is a defect of ours, none hangs.

The commands are found by walking the command line itself, so that a new one cannot be forgotten.
"""

from __future__ import annotations

import io
import shutil
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import click
import pytest

from card.disk import reading
from host_tools.cli.exits import ExitCode
from host_tools.cli.main import cli, invoke
from host_tools.exchange.ports import Rng
from host_tools.headend.clock import NetworkClock
from host_tools.headend.on_air.broadcast import OnAir
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.serving import Beside, Ports, Rooms, Running, serve
from host_tools.sessions import air as headend_air
from host_tools.sessions import permissions as headend_permissions
from host_tools.sessions import serve as headend_serve
from host_tools.trace.tap import Tap
from tests.support.head_end import free_address
from tests.support.hostile import GOOD, HOSTILE, cuts, guarded, write_good_files

CARD = {"link": "inprocess", "profile": "@profile"}
# Nobody listens where the good network file says, so these end there. Their own ports are those of one process.
ONLINE = {"network": "@network", "address": free_address(), "pin": "1234", "trace_files": ">t.jsonl",
          "state": "@state"}  # fmt: skip
HTTPS = {"bsm": "https://bsm.example.org/"}
# How each command is called so that it does its work: values by parameter, @ before the kind of a good file, > before
# a file that is written.
RECIPES: dict[str, dict[str, str]] = {
    "demo": {"link": "inprocess", "keep": ">kept", "trace_files": ">t.jsonl"},
    "run": {"card_name": "@card", "host": "127.0.0.1", "port": "1", "wait": "0", "trace_files": ">t.jsonl",
            "latency": "@latency", "faults": "@faults"},
    "card diff": {"left": "@card", "right": "@profile"},
    "card edit": {"file": "@card", "path": "EF_IMSI", "value": "001010000000042"},
    "card new": {"profile": "@profile", "output": ">new.card"},
    "card restore": {"file": "@card", "snapshot_file": "@other card"},
    "card show": {"file": "@card"},
    "card snapshot": {"file": "@card", "output": ">new.snapshot"},
    "card wipe": {"file": "@card", "yes": ""},
    "terminal audit": {**CARD, "trace_files": ">t.jsonl", "pin": "1234"},
    "terminal info": {**CARD, "trace_files": ">t.jsonl", "pin": "1234"},
    "terminal play": {**CARD, "capture": "@capture", "ltkms": "@ltkms", "output": ">heard", "pin": "1234",
                      "report": ">page.html", "trace_files": ">t.jsonl"},
    "terminal record": {**CARD, "capture": "@capture", "output": ">film", "scenario": "@scenario", "pin": "1234",
                        "subscriber": "@profile", "report": ">page.html", "trace_files": ">t.jsonl"},
    "terminal replay": {**CARD, "recording": "@recording", "ltkms": "@ltkms", "output": ">heard", "pin": "1234",
                        "report": ">page.html", "trace_files": ">t.jsonl"},
    "terminal tune": {**CARD, "target": "@sdp", "output": ">heard", "record": ">film", "pin": "1234", "duration": "0.1",
                      "rtp": "127.0.0.1:9", "sdp": ">p.sdp", "report": ">page.html", "trace_files": ">t.jsonl"},
    "terminal gba push": {**CARD, "message": "@log", "pin": "1234", "trace_files": ">t.jsonl"},
    "terminal register": {**CARD, **ONLINE},
    "terminal deregister": {**CARD, **ONLINE},
    "terminal keys": {**CARD, **ONLINE, "key_names": "00f110/00010000"},
    "terminal account": {**CARD, **ONLINE},
    "terminal online": {**CARD, **ONLINE, "seconds": "0"},
    "terminal portal": {**CARD, **ONLINE, "seconds": "0"},
    "terminal sms": {**CARD, **ONLINE, "files": "@sms", "wait": "0"},
    **{f"terminal {verb}": {**CARD, **ONLINE, "items": "urn:x"} for verb in ("buy", "prices", "renew", "unsubscribe")},
    "headend check": {"scenario": "@scenario"},
    "headend permissions": {"scenario": "terminal_binding", "folder": ">certificates", "random_keys": ">random.key"},
    "headend serve": {"scenario": "@scenario", "profile": "@profile", "network_file": ">net.toml",
                      "certificates": ">certificates", "db": "memory", "air": "", "record": ">air.pcapng",
                      "clock_file": ">clock.json", "announce": ">announced", "transport_key": ">transport.key",
                      "log": ">serve.log", "random_keys": ">random.key"},
    "headend air": {"scenario": "@scenario", "bsm": "127.0.0.1:9", "transport_key": ">transport.key",
                    "random_keys": ">random.key", "profile": "@profile", "record": ">air.pcapng",
                    "clock_file": ">clock.json"},
    "headend record": {"scenario": "@scenario", "output": ">b.pcap", "profile": "@profile", "ltkms": ">l.json",
                       "truth": ">truth.json"},
    "script export": {"name": "@script", "output": ">x.scriptor"},
    "script import": {"file": "@log", "output": ">x.toml"},
    "script lint": {"names": "@script"},
    "script record": {**CARD, "output": ">x.toml", "trace_file": "@trace", "trace_files": ">t.jsonl"},
    "script run": {**CARD, "names": "@script", "junit": ">j.xml", "json_file": ">j.json", "trace_files": ">t.jsonl"},
    "trace diff": {"first": "@trace", "second": "@other trace"},
    "trace filter": {"file": "@trace", "output": ">t.pcapng"},
    "trace report": {"file": "@trace", "output": ">page.html"},
    "trace show": {"file": "@pcapng"},
    "trace tap": {"listen": "0", "outputs": ">t.jsonl", "quiet": ""},
    "compare learn": {**CARD, "names": "@script", "traces": "@trace", "subscriber": "@profile", "output": ">p.toml"},
    "compare run": {"names": "@script", "side_a": "inprocess:@card", "side_b": "inprocess:usim",
                    "allow_files": "@rules", "html_file": ">c.html", "json_file": ">c.json",
                    "trace_files": ">t.jsonl"},
    "realism learn": {"trace": "@trace", "output": ">learned.toml"},
    "shell": {**CARD, "history": "@log", "trace_files": ">t.jsonl"},
}  # fmt: skip
# Further calls for options that exclude those of the first.
OTHERS: dict[tuple[str, str], dict[str, str]] = {
    **{(f"terminal {verb}", "binding"): {"binding": "@certificates"} for verb in ("play", "record", "replay")},
    **{(f"terminal {verb}", "scenario"): {"scenario": "@scenario", "ltkms": ""} for verb in ("play", "replay")},
    **{(f"terminal {verb}", "subscriber"): {"scenario": "@scenario", "subscriber": "@profile", "ltkms": ""}
       for verb in ("play", "replay")},
    ("terminal register", "me"): {"me": "@card"},
    ("terminal register", "ca"): {**HTTPS, "ca": "@ca"},
    ("terminal register", "certificates"): {**HTTPS, "certificates": "@certificates"},
    ("terminal record", "ltkms"): {"scenario": "", "subscriber": "", "ltkms": "@ltkms"},
    ("script record", "profile"): {"trace_file": ""},
    ("script record", "trace_files"): {"trace_file": ""},
    ("headend permissions", "scenario"): {"scenario": "@scenario"},
    ("headend air", "network"): {"bsm": "", "network": "@network"},
    ("headend air", "certificates"): {"certificates": "@certificates"},
    ("headend serve", "db"): {"db": ">a.db"},
    ("headend serve", "key_file"): {"db": ">a.db", "key_file": "@store key"},
    ("headend serve", "subscribers"): {"subscribers": "@subscribers"},
    ("headend serve", "config"): {"config": "@options"},
    ("headend serve", "catalogue"): {"catalogue": "@catalogue"},
}  # fmt: skip
# Text that names files, beside what is of the type of a path.
NAMES_FILES = {"card_name", "name", "names", "scenario", "db", "side_a", "side_b", "output", "target"}
NAMES_NONE = {"address", "allow_iccid", "bsda", "bsf", "bsm", "client_id", "content", "gsmtap", "hex_text", "host",
              "items",
              "key_names", "listeners", "media",  # media: see on_air/test_sources.py
              "parental_pin", "path", "permissions_issuer", "pieces", "pin", "pin_b", "reader", "resolved", "rtp",
              "service", "services", "settings", "sms", "terminal_name", "terms", "title", "value"}  # fmt: skip
UNUSABLE = {"sparse", "device", "pipe", "folder", "dangling link", "link in a circle"}
FOR_OUTPUT = UNUSABLE | {"binary", "full disk"}
NO_FILES = (click.Choice, click.types.BoolParamType, click.types.IntParamType, click.types.FloatParamType)
"""Types of parameters that open nothing; what is neither these nor a path nor a text is refused (`click.File`)."""
NAMES = {
    "no name": "", "this folder": ".", "the folder above": "..", "the root": "/", "a long name": "a" * 5_000,
    "a line break": "a\nb.toml", "no text": "\udcff\udcfe.toml",
}  # fmt: skip
"""Names that are given in place of a file's; nothing is laid out for them."""
MOST_CUTS, MOST_OTHER_CUTS = 24, 3


def commands(group: click.Command = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its words."""
    if not isinstance(group, click.Group):
        yield " ".join(path), group
        return
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield from commands(command, (*path, name))


def takes_file(parameter: click.Parameter) -> bool:
    return isinstance(parameter.type, click.Path) or (
        isinstance(parameter.type, click.types.StringParamType) and parameter.name in NAMES_FILES
    )


COMMANDS = dict(commands())
# Commands with the options of `network_options`: these are the same in all of them, so one meets the bad files.
ALIKE = {f"terminal {verb}" for verb in ("account", "buy", "deregister", "keys", "online", "portal", "prices", "renew",
                                         "sms", "tune", "unsubscribe")}  # fmt: skip
SHARED = {parameter.name for parameter in COMMANDS["terminal register"].params if takes_file(parameter)}
PLAYING = {f"terminal {verb}" for verb in ("play", "record", "replay")}
PLACES = {"network", "ca", "certificates", "state", "me"}
CASES = [
    (words, parameter.name or "")
    for words, command in COMMANDS.items()
    for parameter in command.params
    if takes_file(parameter)
    and not (words in ALIKE and parameter.name in SHARED)
    and not (words in PLAYING and parameter.name in PLACES)
]
USES = [(words, name, value[1:]) for words, recipe in RECIPES.items() for name, value in recipe.items() if "@" in value]
# The first use of each kind of file meets it cut off at more places than the others.
FIRST = {next((words, name) for words, name, kind in USES if kind == one) for one in {kind for _, _, kind in USES}}


def of_an_unknown_type(called: Mapping[str, click.Command]) -> list[tuple[str, str]]:
    """Return the parameters of which it is not known whether they open a file, past `card.disk` perhaps."""
    known = (*NO_FILES, click.Path, click.types.StringParamType)
    return [
        (words, str(parameter.name))
        for words, command in called.items()
        for parameter in command.params
        if not isinstance(parameter.type, known)
    ]


def test_every_parameter_is_of_a_type_that_is_looked_at() -> None:
    assert of_an_unknown_type(COMMANDS) == []
    opens_itself = click.Command("x", params=[click.Option(["--file"], type=click.File("rb"))])
    assert of_an_unknown_type({"x": opens_itself}) == [("x", "file")]


def test_every_command_that_takes_a_file_is_known() -> None:
    texts = {
        parameter.name
        for command in COMMANDS.values()
        for parameter in command.params
        if isinstance(parameter.type, click.types.StringParamType)
    }
    assert texts - NAMES_FILES - NAMES_NONE == set(), "does it name a file?"
    missing = [case for case in CASES if case[1] not in {**RECIPES.get(case[0], {}), **OTHERS.get(case, {})}]
    assert missing == []


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of good files, to copy."""
    folder = tmp_path_factory.mktemp("good")
    write_good_files(folder)
    return folder


class Bench:
    """Calls commands in a folder of its own, in which the good files lie."""

    def __init__(self, folder: Path, good: Path) -> None:
        self.folder = folder
        self._good = good

    def lay_out(self) -> None:
        """Put everything back as it was."""
        for item in self.folder.iterdir():
            shutil.rmtree(item) if item.is_dir() and not item.is_symlink() else item.unlink()
        for item in self._good.iterdir():
            shutil.copy(item, self.folder / item.name)
        for kind in ("card", "trace"):
            shutil.copy(self._good / GOOD[kind], self.folder / f"other-{GOOD[kind]}")
        (self.folder / "certificates").mkdir()

    def path(self, value: str) -> str:
        """Return the value of a recipe with the file it stands for."""
        before, mark, kind = value.partition("@")
        if mark and kind == "certificates":
            return str(self.folder / kind)
        if mark:
            name = f"other-{GOOD[kind[6:]]}" if kind.startswith("other ") else GOOD[kind]
            return before + str(self.folder / name)
        return str(self.folder / value[1:]) if value.startswith(">") else value

    def call(self, words: str, recipe: Mapping[str, str]) -> int:
        """Run a command with these values under the guard; return its status."""
        arguments, given = words.split(), []
        for parameter in COMMANDS[words].params:
            if parameter.name not in recipe:
                continue
            value = recipe[parameter.name]
            if isinstance(parameter, click.Argument):
                given.append(value)
            elif isinstance(parameter, click.Option) and parameter.is_flag:
                arguments.append(parameter.opts[-1])
            elif value:
                arguments += [parameter.opts[-1], value]
        with guarded():
            return invoke([*arguments, *(["--", *given] if given else [])])


@pytest.fixture
def bench(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    def interrupted() -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO("atr\n"))
    monkeypatch.setattr(reading, "PATIENCE", 0.05)
    monkeypatch.setattr(Tap, "run", lambda _tap: None)
    ended = SimpleNamespace(Event=lambda: SimpleNamespace(wait=interrupted))
    monkeypatch.setattr(headend_permissions, "threading", ended)
    monkeypatch.setattr(headend_serve, "serve", serve_briefly)
    monkeypatch.setattr(headend_air, "distribute", distribute_briefly)
    for name in ("BCAST_UICC_PIN", "BCAST_UICC_ALLOW_ICCID", "BCAST_UICC_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    found = Bench(tmp_path, good)
    found.lay_out()
    return found


async def distribute_briefly(on_air: OnAir, *_others: object) -> None:
    """Be on the air for no time at all."""
    on_air.close()


async def serve_briefly(
    network: UsimNetwork, clock: NetworkClock, rng: Rng, ports: Ports, on_ready: Callable[[Running], None], *,
    zn_tls: ssl.SSLContext | None, rooms: Rooms | None, first_address: str, beside: Sequence[Beside], **_more: object,
) -> None:  # fmt: skip
    """Serve, and stop when everything listens."""

    def ready(running: Running) -> None:
        on_ready(running)
        running.stop()

    await serve(
        network, clock, rng, ports, ready, zn_tls=zn_tls, rooms=rooms, first_address=first_address, beside=beside
    )


def recipe_of(bench: Bench, words: str, parameter: str = "") -> dict[str, str]:
    chosen = {**RECIPES[words], **OTHERS.get((words, parameter), {})}
    return {name: bench.path(value) for name, value in chosen.items()}


@pytest.mark.parametrize("words", RECIPES)
def test_with_good_files_the_command_does_its_work(bench: Bench, words: str) -> None:
    expected = {"run": {ExitCode.ENVIRONMENT}, "card diff": {ExitCode.OK, ExitCode.DIFFERENT},
                "compare run": {ExitCode.OK, ExitCode.DIFFERENT}, "terminal replay": {ExitCode.CARD},
                "terminal tune": {ExitCode.DIFFERENT},
                "terminal gba push": {ExitCode.INPUT},
                "terminal register": {ExitCode.ENVIRONMENT}, "terminal deregister": {ExitCode.ENVIRONMENT},
                "terminal keys": {ExitCode.ENVIRONMENT}, "terminal sms": {ExitCode.DIFFERENT},
                **{f"terminal {verb}": {ExitCode.ENVIRONMENT}
                   for verb in ("account", "buy", "prices", "renew", "unsubscribe")}}  # fmt: skip
    assert bench.call(words, recipe_of(bench, words)) in expected.get(words, {ExitCode.OK})


@pytest.mark.parametrize(("words", "parameter"), CASES, ids=lambda value: str(value).replace(" ", "-"))
def test_no_file_is_a_defect_of_ours(
    bench: Bench, words: str, parameter: str, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = recipe_of(bench, words, parameter)
    raw = {**RECIPES[words], **OTHERS.get((words, parameter), {})}[parameter]
    found = {}
    for what, value in _spoilt(bench, words, parameter, raw):
        status = bench.call(words, {**recipe, parameter: value})
        said = "".join(capsys.readouterr())
        if status not in set(ExitCode) - {ExitCode.INTERNAL} or "Traceback" in said:
            found[what] = status, said[-300:]
        if "@" in raw and what in UNUSABLE and "certificates" not in raw and "history" not in parameter:
            assert status in (ExitCode.USAGE, ExitCode.ENVIRONMENT, ExitCode.INPUT), (what, status, said[-300:])
    assert found == {}


def _spoilt(bench: Bench, words: str, parameter: str, raw: str) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a file, and what to give for the parameter, with everything laid out afresh."""
    good = bench.path(raw)
    before = good[: len(good) - len(good.lstrip(":abcdefghijklmnopqrstuvwxyz"))] if ":" in good else ""
    file = Path(good.removeprefix(before))
    content = file.read_bytes() if file.is_file() else b""
    for what, make in HOSTILE.items():
        if raw.startswith(">") and what not in FOR_OUTPUT:
            continue
        bench.lay_out()
        spoilt = bench.folder / f"spoilt{file.suffix}"
        make(spoilt)
        yield what, f"{before}{spoilt}"
    bench.lay_out()
    yield from ((what, before + name) for what, name in NAMES.items())
    if "@" in raw:
        most = MOST_CUTS if (words, parameter) in FIRST else MOST_OTHER_CUTS
        for number, piece in enumerate(cuts(content, most)):
            bench.lay_out()
            file.write_bytes(piece)
            yield f"cut {number}: {len(piece)} of {len(content)} bytes", good
