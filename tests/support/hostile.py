"""Files that a user should never meet, good ones to spoil, and a guard around whatever reads them."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from card import CardProfile, create_card
from card.disk.shipped import shipped_text
from card.profile.schema import demo_path
from host_tools.cli.main import invoke
from host_tools.exchange.messages.sms_deliver import SmsDeliver
from host_tools.exchange.messages.sms_push import SmsForm, SmsPush
from host_tools.guide.sdp import MediaStream, SessionDescription
from host_tools.headend.permissions_issuer.certificates import LabCa
from host_tools.terminal.client.journal import Journal
from host_tools.terminal.client.journal_text import encode_state
from tests.support.free_ports import free_ports

MEMORY = 200 << 20
"""Bytes that reading any file may take on top of what the process had."""
WATCHDOG = 60.0
"""Seconds after which a reader counts as hanging; a busy computer must not make one of a reader that works."""
SPARSE = 3 << 30
CUT = 97

SCRIPT = '[variables]\na = "00"\n[[step]]\napdu = "00A40004023F0000"\nsw = "9000"\n'
LOG = "reset\n00A40004023F00 = 61XX\n# a remark\n00 B0 00 00 /05\n"
RULES = '[[allow]]\nwhy = "random"\ncommand = "GET*"\nbytes = "4-7"\n[timing]\nfactor = 2.0\n'
FAULTS = '[[fault]]\nkind = "wrong-sw"\ncommand = "SELECT"\nat = 3\nsw = "6F00"\n'


class Hang(BaseException):
    """A reader did not end in time. Not an `Exception`: no handler of the product may catch it."""


@contextmanager
def guarded() -> Iterator[None]:
    """Raise `Hang` where the block takes too long, and make it run out of memory where it takes too much."""

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, ring)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (_address_space() + MEMORY, limits[1]))
    signal.setitimer(signal.ITIMER_REAL, WATCHDOG)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, limits)
        signal.signal(signal.SIGALRM, before)


def _address_space() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def write_good_files(folder: Path) -> dict[str, Path]:
    """Write one good file of each kind into a folder; return them by the name of the kind."""
    good = {name: folder / file for name, file in GOOD.items()}
    good["profile"].write_bytes(demo_path().read_bytes())
    create_card(CardProfile.demo(), good["card"]).close()
    good["scenario"].write_text(_short_scenario())
    good["script"].write_text(SCRIPT)
    good["log"].write_text(LOG)
    good["rules"].write_text(RULES)
    good["faults"].write_text(FAULTS)
    good["network"].write_text(NETWORK)
    good["state"].write_bytes(encode_state(CardProfile.demo().iccid, {"bsm.example.org": Journal()}))
    good["sms"].write_bytes(SmsDeliver(SmsPush(SmsForm.B, b"no pull").encode()[0]).encode())
    good["store key"].write_text("00" * 32 + "\n")
    good["subscribers"].write_text(f"imsi,k,opc\n001010123456780,{'1' * 32},{'2' * 32}\n")
    good["options"].write_text('db = "memory"\n')
    good["catalogue"].write_text('[[item]]\nid = "urn:x"\ndays = 1\nprice = "1"\nservices = ["tone-a"]\n')
    good["ca"].write_bytes(LabCa(datetime.now(UTC)).certificate)
    session = SessionDescription("x", (MediaStream("audio", "127.9.9.8", free_ports("127.9.9.8", 2), 0, "PCMU/8000"),))
    good["sdp"].write_bytes(session.encode())
    made = [
        ["headend", "record", good["scenario"], "-o", good["capture"], "--profile", good["profile"],
         "--ltkms", good["ltkms"]],
        ["terminal", "record", good["capture"], "-o", good["recording"], "--no-card"],
        ["script", "run", good["script"], "--link", "inprocess", "--profile", good["profile"], "-q",
         "--trace", good["trace"], "--trace", good["pcapng"]],
        ["realism", "learn", good["trace"], "-o", good["latency"]],
    ]  # fmt: skip
    for command in made:
        assert invoke([str(part) for part in command]) == 0, command
    return good


NETWORK = """format = 1
services = ["urn:x"]
bsf = { name = "bsf.example.org", address = "127.9.9.8", port = 9 }
bsm = { name = "bsm.example.org", address = "127.9.9.8", port = 9 }
push = { address = "127.9.9.8", port = 9 }
"""
GOOD = {
    "profile": "good.toml",
    "card": "good.card",
    "scenario": "scenario.toml",
    "script": "script.toml",
    "log": "commands.log",
    "rules": "rules.toml",
    "faults": "faults.toml",
    "latency": "latency.toml",
    "capture": "broadcast.pcap",
    "ltkms": "ltkms.json",
    "network": "network.toml",
    "recording": "film.bcrec",
    "state": "state.json",
    "sdp": "session.sdp",
    "sms": "pull.tpdu",
    "ca": "ca.pem",
    "store key": "store.key",
    "subscribers": "subscribers.csv",
    "options": "options.toml",
    "catalogue": "catalogue.toml",
    "trace": "trace.jsonl",
    "pcapng": "trace.pcapng",
}


def _short_scenario() -> str:
    text = shipped_text("host_tools.headend", "scenarios", "subscribe.toml") or ""
    for old, new in (("duration = 12.0", "duration = 2.0"), ("= 2.0 ", "= 0.5 "), ("= 1.0 ", "= 0.25 ")):
        text = text.replace(old, new, 1)
    return text


def _sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, SPARSE)


HOSTILE: dict[str, Callable[[Path], object]] = {
    "empty": Path.touch,
    "sparse": _sparse,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "full disk": lambda path: path.symlink_to("/dev/full"),
    "pipe": lambda path: os.mkfifo(path),
    "folder": Path.mkdir,
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "link in a circle": lambda path: path.symlink_to(path),
    "binary": lambda path: path.write_bytes(bytes(range(256)) * 16),
    "database of somebody": lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(4080)),
    "archive": lambda path: path.write_bytes(b"PK\x05\x06" + bytes(4) + b"\xff" * 14),
    "half a character": lambda path: path.write_text('{"format": "bcast-uicc ltkms 2", "impi": "\\ud800"}\n'),
    "surrogate in UTF-8": lambda path: path.write_bytes(b'name = "\xed\xa0\x80"\n'),
    "far date": lambda path: path.write_text("start = 9999-12-31T23:59:59+00:00\nname = 'x'\n"),
    "far time": lambda path: path.write_text('{"number": 1, "at": 1e308, "link": "x", "type": "card"}\n'),
    "deep TOML": lambda path: path.write_text("a = " + "[" * 100_000),
    "long key": lambda path: path.write_text("a" + ".a" * 200_000 + " = 1\n"),
    "long number": lambda path: path.write_text("a = " + "9" * 100_000 + "\n"),
    "deep JSON": lambda path: path.write_text("[" * 100_000),
    "far pcapng": lambda path: path.write_bytes(_far_pcapng()),
    "huge block": lambda path: path.write_bytes(_section() + bytes.fromhex("06000000 fcffff7f") + bytes(64)),
}
"""What makes a hostile file of a name that is free."""


def _section() -> bytes:
    return bytes.fromhex("0a0d0d0a 1c000000 4d3c2b1a 0100 0000 ffffffffffffffff 1c000000")


def _far_pcapng() -> bytes:
    interface = bytes.fromhex("01000000 14000000 6500 0000 00000000 14000000")
    packet = bytes.fromhex("06000000 20000000 00000000 ffffffff ffffffff 00000000 00000000 20000000")
    return _section() + interface + packet


def cuts(content: bytes, most: int) -> Iterator[bytes]:
    """Yield a content cut off at every 97th byte, at most so many times, spread over the whole."""
    places = range(CUT, len(content), CUT)
    for place in places[:: max(1, len(places) // most)]:
        yield content[:place]
