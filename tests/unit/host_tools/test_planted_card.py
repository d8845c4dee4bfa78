"""The planted value goes into every secret file of our own card: in clear, in secure channels, by the commands.

What the card's trace, a link's trace, the shell, scripts with their reports, comparisons and pytest show is searched.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from card import CardProfile, memory_card
from card.codec.apdu import CommandApdu
from card.profile.schema import demo_path
from card.spec.files.csim import SIMPLE_IP
from card.spec.ins import INS
from card.spec.sac_tables import Kind, TekPolicy
from host_tools.cli.main import invoke
from host_tools.links.inprocess import InProcessLink
from host_tools.shell.session import Session
from host_tools.trace.text import TextSink
from host_tools.trace.tracer import TracedLink, Tracer
from tests.support.planted import SECRET_FILES, extended, on_channel, planted, selection, shows_plant, touching
from tests.support.ports import CollectingTrace
from tests.support.sac import Wire, sac_link, sac_profile
from tests.support.testcard import TestCard, held_by
from tests.unit.card.commands.secure_channel.test_scp03 import Host

PIN, ADM = b"1234\xff\xff\xff\xff", b"11223344"
ICCID_FILE = "3F00/2FE2"
Send = Callable[[bytes], bytes]


def profile() -> CardProfile:
    """Return a card with USIM, ISIM and CSIM, secure channels of every kind, and every secret file there is."""
    services = f"[csim]\nservices = {{ extra = [{SIMPLE_IP}] }}"
    text = demo_path("csim").read_text("utf-8").replace("[csim]", services, 1)
    made = CardProfile.parse(text + "\n[isim]\n")
    return replace(made, sac=sac_profile(TekPolicy.CLEAR).sac)


def plant_everywhere(send: Send, channel: int = 0, *, long: bool = False) -> int:
    """Write the value into every secret file that the card has and read it back; return how many files that were."""
    found = 0
    for path, row in SECRET_FILES:
        selected = [send(on_channel(command, channel)) for command in selection(path)]
        if selected[-1][:1] == b"\x6a":
            continue
        commands = [on_channel(command, channel) for command in touching(row)]
        answers = [send(extended(command) if long else command) for command in commands]
        assert answers[0][-2:] == b"\x90\x00", f"{path}: written"
        assert answers[-1][:3] == planted(3), f"{path}: read back"
        found += 1
    return found


def verify(send: Send, channel: int = 0) -> None:
    """Give PIN and ADM key in each application."""
    for path in ("ADF.USIM", "ADF.CSIM"):
        for command in selection(path):
            send(on_channel(command, channel))
        for reference, code in ((0x01, PIN), (0x0A, ADM)):
            answer = send(on_channel(CommandApdu(0, INS.VERIFY_PIN, 0, reference, code).encode(), channel))
            assert answer == b"\x90\x00"


def said_by(trace: CollectingTrace) -> str:
    return "\n".join(f"{event} {event!r}" for event in trace.events)


def test_every_declared_secret_file_is_on_the_card() -> None:
    card = TestCard.new(profile()).card
    verify(card.transmit)
    assert plant_everywhere(card.transmit) == len(SECRET_FILES)


@pytest.mark.parametrize("channel", range(20))
def test_the_cards_own_trace_on_every_channel(channel: int) -> None:
    trace = CollectingTrace()
    test_card = TestCard.new(profile(), trace)
    send = test_card.card.transmit
    if channel:
        assert send(bytes((0x00, INS.MANAGE_CHANNEL, 0x00, channel))) == b"\x90\x00"
    verify(send, channel)
    plant_everywhere(send, channel, long=channel % 2 == 1)
    assert not shows_plant(said_by(trace))
    assert not shows_plant(f"{held_by(test_card.card)}"), "a PIN or key is remembered"
    for command in selection(ICCID_FILE):
        send(on_channel(command, channel))
    answer = send(on_channel(bytes.fromhex("00B000000A"), channel))
    assert answer[:10].hex().upper() in said_by(trace), "what is open is shown"


def test_the_class_of_a_sim() -> None:
    trace = CollectingTrace()
    send = TestCard.new(profile(), trace).card.transmit
    # No USIM is selected for the PINs: its session would exclude class A0.
    for reference, code in ((0x01, PIN), (0x0A, ADM)):
        assert send(CommandApdu(0, INS.VERIFY_PIN, 0, reference, code).encode()) == b"\x90\x00"
    of_sim = [(path, row) for path, row in SECRET_FILES if path.startswith("3F00/7F20")]
    for path, row in of_sim:
        steps = [command.replace(b"\xa0\xa4\x00\x0c", b"\xa0\xa4\x00\x00") for command in selection(path, 0xA0)]
        answers = [send(command) for command in (*steps, *touching(row, cla=0xA0))]
        assert answers[-1][:4] == planted(4), path
    assert len(of_sim) == 2
    assert not shows_plant(said_by(trace))


@pytest.mark.parametrize("kind", [Kind.SECURED_APDU, pytest.param(Kind.TLS)])
def test_inside_a_secure_channel(kind: Kind) -> None:
    trace, lines = CollectingTrace(), list[str]()
    wire = Wire(TestCard.new(profile(), trace))
    inside = TracedLink(sac_link(wire, kind=kind), Tracer("inside", [TextSink(lines.append)]))
    outside = TracedLink(wire, Tracer("outside", [TextSink(lines.append)]))
    verify(inside.transmit)
    assert plant_everywhere(inside.transmit) == len(SECRET_FILES)
    # Selected inside, read in clear: an observer outside cannot know which file that is.
    inside.transmit(selection("ADF.USIM/6F07")[0])
    for command in selection("ADF.USIM/6F07"):
        outside.transmit(command)
    for command in selection("ADF.USIM/6F08"):
        inside.transmit(command)
    assert outside.transmit(bytes.fromhex("00B0000021"))[:4] == planted(4)
    assert not shows_plant(said_by(trace))
    shown = "\n".join(lines)
    assert "EF_Keys" in shown


def test_a_recorder_of_the_wire_knows_nothing_after_a_container() -> None:
    lines: list[str] = []
    wire = Wire(TestCard.new(profile()))
    traced = TracedLink(wire, Tracer("wire", [TextSink(lines.append)]))
    channel = sac_link(traced)  # type: ignore[arg-type]  # a recorded wire is a link too
    verify(channel.transmit)
    plant_everywhere(channel.transmit)
    for command in selection("ADF.USIM/6F07"):
        traced.transmit(command)
    for command in selection("ADF.USIM/6F08"):
        channel.transmit(command)
    assert traced.transmit(bytes.fromhex("00B0000021"))[:4] == planted(4)
    assert not shows_plant("\n".join(lines))


def test_under_scp03() -> None:
    trace = CollectingTrace()
    test_card = TestCard.new(profile(), trace)
    host = Host(test_card)

    def send(command: bytes) -> bytes:
        apdu = CommandApdu.decode(command)
        # yubikit writes no Le, and has the answer all the same.
        data, sw = host.send(bytes((apdu.cla, apdu.ins, apdu.p1, apdu.p2, len(apdu.data))) + apdu.data)
        return data + sw.to_bytes(2, "big")

    verify(send)
    assert plant_everywhere(send) == len(SECRET_FILES)
    assert not shows_plant(said_by(trace))


# --- what the commands print and write


def script(folder: Path) -> Path:
    """Write a script whose steps fail one by one, so that reports say what was sent and what came."""
    steps = ["00A4040C07A0000000871002", "0020000108" + PIN.hex(), "002000 0A 08" + ADM.hex()]
    steps += ["00A4040C07A0000003431002", "0020000108" + PIN.hex(), "002000 0A 08" + ADM.hex()]
    for path, row in SECRET_FILES:
        steps += [command.hex() for command in (*selection(path), *touching(row))]
    steps += [f"{cla}{ins}000110{planted(16).hex()}" for cla, ins in UNANSWERED]
    steps += [command.hex() for command in selection(ICCID_FILE)] + ["00B000000A"]
    text = "".join(f'[[step]]\napdu = "{step}"\nsw = "6F42"\ndata = "00"\ndestructive = true\n' for step in steps)
    written = folder / "planted.toml"
    written.write_text(f'[script]\ntransport = "raw"\n{text}')
    return written


UNANSWERED = (("00", "21"), ("80", "D8"), ("84", "E2"), ("80", "E6"), ("00", "99"), ("D0", "20"))


@pytest.fixture
def card_profile(tmp_path: Path) -> Path:
    path = tmp_path / "planted-card.toml"
    path.write_text(demo_path("csim").read_text("utf-8"))
    return path


def iccid_of(path: Path) -> str:
    return CardProfile.load(path).iccid


def assert_silent(folder: Path, outputs: Sequence[str], said: str) -> None:
    shown = {"the screen": said.encode(), **{name: (folder / name).read_bytes() for name in outputs}}
    assert [who for who, text in shown.items() if shows_plant(text)] == []
    assert all(len(text) > 1000 for text in shown.values()), "something said nothing"


def test_script_runs_reports_traces_and_what_is_recorded_from_them(
    tmp_path: Path, card_profile: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    card = ("--link", "inprocess", "--profile", str(card_profile))
    told = ("--destructive", "--allow-iccid", iccid_of(card_profile), "-v")
    names = ["r.xml", "r.jsonl", "t.jsonl", "t.pcapng"]
    files = [str(tmp_path / name) for name in names]
    reports = ("--junit", files[0], "--json", files[1], "--trace", files[2], "--trace", files[3])
    assert invoke(["script", "run", str(script(tmp_path)), *card, *told, *reports]) == 1
    for trace in files[2:]:
        assert invoke(["trace", "show", trace]) == 0
        assert invoke(["script", "record", "--from", trace, f"{trace}.toml"]) == 0
    said = "".join(capfd.readouterr())
    assert_silent(tmp_path, [*names, "t.jsonl.toml", "t.pcapng.toml"], said)
    assert "UPDATE BINARY 33 bytes at 0 [ADF.USIM/EF_Keys] -> 9000" in said


def test_reports_of_a_comparison(tmp_path: Path, card_profile: Path, capfd: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.toml"
    other.write_text(demo_path("usim").read_text("utf-8"))
    sides = ("--a", f"inprocess:{card_profile}", "--b", f"inprocess:{other}")
    told = [word for path in (card_profile, other) for word in ("--allow-iccid", iccid_of(path))]
    names = ["page.html", "page.json", "t.jsonl"]
    files = [str(tmp_path / name) for name in names]
    pages = ("--html", files[0], "--json", files[1], "--trace", files[2], "--show-allowed")
    assert invoke(["compare", "run", str(script(tmp_path)), *sides, "--destructive", *told, *pages]) == 1
    assert_silent(tmp_path, names, "".join(capfd.readouterr()))


def test_the_shell_and_its_recording(tmp_path: Path, card_profile: Path) -> None:
    printed: list[str] = []
    link = InProcessLink(memory_card(CardProfile.load(card_profile)))
    shell = Session(link, printed.append, lambda _prompt: None)
    shell.run(f"record {tmp_path / 's.toml'}")
    verify(link.transmit)
    for path, row in SECRET_FILES:
        for command in (*selection(path), *touching(row)):
            shell.run(command.hex())
    shell.run("select EF_Keys")
    shell.run("read")
    shell.close()
    assert not shows_plant("\n".join(printed))
    assert "EF_Keys" in "\n".join(printed)
    assert not shows_plant((tmp_path / "s.toml").read_text())


def test_card_show_and_diff(tmp_path: Path, card_profile: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made = tmp_path / "planted.card"
    assert invoke(["card", "new", str(card_profile), "-o", str(made)]) == 0
    told = ("--destructive", "--allow-iccid", iccid_of(card_profile))
    invoke(["script", "run", str(script(tmp_path)), "--link", "inprocess", "--profile", str(made), *told])
    assert invoke(["card", "show", str(made)]) == 0
    assert invoke(["card", "show", str(made), "--json"]) == 0
    assert invoke(["card", "diff", str(card_profile), str(made)]) in (0, 1)
    assert_silent(tmp_path, [], "".join(capfd.readouterr()))


def test_assertions_of_the_pytest_plugin(tmp_path: Path) -> None:
    keys = "ADF.USIM/6F08"
    commands = [command.hex() for command in (*selection(keys), *touching(dict(SECRET_FILES)[keys]))]
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_suite.py").write_text(
        f"""
import pytest
@pytest.mark.parametrize("way", range(7))
def test_fails(uicc, way):
    *first, read = {["00A4040C07A0000000871002", "0020000108" + PIN.hex(), *commands]}
    for command in first:
        uicc.send(command)
    data = uicc.send(read).data
    assert len(data) == 33
    match way:
        case 0: assert data == bytes(33)
        case 1: assert data[4:] == bytes(3)
        case 2: assert data.hex() == "00"
        case 3: assert data[::2] == b""
        case 4: assert bytes(3) in data
        case 5: assert not data
        case 6: assert data == [1, 2, 3]
"""
    )
    options = ("-p", "no:cacheprovider", "-rA", "--tb=short", "-vv")
    command = [sys.executable, "-m", "pytest", str(tmp_path), *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert "7 failed" in done.stdout
    shown = done.stdout.replace(planted(33).hex(), "")
    assert not shows_plant(shown)
    assert "not shown" in shown
