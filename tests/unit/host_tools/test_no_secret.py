"""Keys and PINs are planted in a card and a network, and everything the product prints or writes is searched for them.

One session of the USIM and one of the CSIM, with every kind of key, are recorded once; then the commands run on the
same card profile with all the output they can give. What holds keys on purpose stays out: the profile, card files, a
broadcast's truth, a terminal's private key.
"""

from __future__ import annotations

import base64
import logging
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from card import CardProfile, memory_card
from card.crypto.secret import Secret
from card.profile.schema import demo_path
from card.spec.bcast.p1 import P1
from card.spec.bcmcs_tables import DEFAULT_TAGS
from host_tools.apdu.response import StatusError
from host_tools.cli.main import invoke
from host_tools.content.captures.pcap import open_capture
from host_tools.content.known import KNOWN
from host_tools.content.sinks.media_out import MediaOut
from host_tools.exchange.digest.compute import Asked
from host_tools.headend.scenario.csim import CsimNetwork
from host_tools.headend.scenario.network import Network
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.scenario.recorder import record
from host_tools.headend.scenario.seeded_keys import binding_key, service_keys
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.subscribers.personalised import subscriber_of
from host_tools.links.base import Link
from host_tools.links.inprocess import InProcessLink
from host_tools.sessions.csim import csim_subscriber
from host_tools.sessions.keys import keys_to_deliver
from host_tools.terminal.csim import Csim
from host_tools.terminal.csim_middleware import CsimMiddleware
from host_tools.terminal.errors import PinWrongError
from host_tools.terminal.ltkm_receipt import LtkmVerdict
from host_tools.terminal.middleware import TerminalMiddleware
from host_tools.terminal.player import Hooks, Player, PlayOptions
from host_tools.terminal.purchase import ParentalPinEntry
from host_tools.trace.sinks import file_sink
from host_tools.trace.text import TextSink
from host_tools.trace.tracer import TracedLink, Tracer
from tests.support.testcard import held_by

BOUND = "terminal_binding"
SCENARIOS = ("parental", "counted_playback", BOUND)
PATIENCE = 60.0  # seconds for a process to end
PINS = {"PIN 1": "90817263", "PIN 2": "80716253", "PUK 1": "70615243", "PUK 2": "60514233", "ADM": "50413223",
        "wrong PIN": "40312213", "parental PIN": "2580", "malformed PIN": "9081726354"}  # fmt: skip
KEYS = {"k": "a1b2c3d4e5f60718293a4b5c6d7e8f90", "op": "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "rk": "5f4e3d2c1b0a69788796a5b4c3d2e1f1"}  # fmt: skip
K, RK, BAK = KEYS["k"], KEYS["rk"], "c0d1e2f30415263748596a7b8c9daebf"
_DEMO = {"1234": "PIN 1", "5678": "PIN 2", "12345678": "PUK 1", "87654321": "PUK 2", "11223344": "ADM"}
KEEPS_KEYS = {".toml", ".card", ".snapshot", ".key"}


@dataclass
class Wanted:
    """What was planted, and everything that was said, by who said it."""

    secrets: dict[str, bytes] = field(default_factory=dict)
    said: dict[str, bytes] = field(default_factory=dict)

    def plant(self, name: str, secret: Secret) -> None:
        self.secrets[name] = secret.reveal()

    def hear(self, who: str, text: str | bytes) -> None:
        self.said[who] = self.said.get(who, b"") + (text.encode() if isinstance(text, str) else text)

    def hear_files(self, folder: Path) -> None:
        for path in folder.rglob("*"):
            if path.is_file() and path.suffix not in KEEPS_KEYS:
                self.hear(path.name, path.read_bytes())

    def found(self) -> set[tuple[str, str]]:
        """Return who said which secret, in whatever form."""
        return {(who, name) for who, text in self.said.items() for name in self._found_in(text)}

    def _found_in(self, said: bytes) -> Iterator[str]:
        digits = re.sub(rb"[^0-9a-f]", b"", said.lower())
        for name, secret in self.secrets.items():
            forms = [secret, base64.b64encode(secret), repr(secret)[2:-1].encode()]
            if secret.hex().encode() in digits or any(form in said for form in forms):
                yield name


class Lines(list[object]):
    """What is said in a session; the card's own trace goes there, too."""

    def emit(self, event: object) -> None:
        self.append(event)


def padded(pin: str) -> Secret:
    return Secret(pin.encode().ljust(8, b"\xff"))


@pytest.fixture(scope="module")
def wanted() -> Wanted:
    return Wanted()


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory, wanted: Wanted) -> Path:
    """Write a profile whose keys and PINs are known here and nowhere else."""
    text = demo_path("csim").read_text("utf-8") + "\n[isim]\n"
    for old, name in _DEMO.items():
        assert f'"{old}"' in text
        text = text.replace(f'"{old}"', f'"{PINS[name]}"')
    text, keys = re.subn(r'(?m)^(k|op|rk) = "[0-9a-f ]+"', lambda m: f'{m[1]} = "{KEYS[m[1]]}"', text)
    assert keys == len(KEYS)
    path = tmp_path_factory.mktemp("profile") / "planted.toml"
    path.write_text(text)
    usim = CardProfile.load(path).usim
    wanted.plant("K", usim.k)
    wanted.plant("OPc", usim.derive_opc())
    wanted.plant("RK", Secret(bytes.fromhex(RK)))
    wanted.plant("TBK", binding_key(shipped_scenario(BOUND), 7))
    for name, pin in PINS.items():
        # Four digits turn up in any text: the PIN of a scenario is looked for as the card gets it.
        wanted.plant(name, padded(pin) if len(pin) < 8 else Secret(pin.encode()))
    for scenario in SCENARIOS:
        plan = shipped_scenario(scenario)
        for key in service_keys(plan):
            wanted.plant(f"SEK of {scenario}", key.key)
        for number, tek in enumerate(record(plan, tables=P1).truth.teks.values()):
            wanted.plant(f"TEK {number} of {scenario}", tek.tek)
    return path


@contextmanager
def recorded(folder: Path, profile: Path, wanted: Wanted, who: str) -> Iterator[tuple[Link, Lines]]:
    """Yield a link to a card, traced in every way, and what is to hold all that is said; in the end it is heard."""
    lines = Lines()
    card = memory_card(CardProfile.load(profile), trace=lines)
    with closing(file_sink(folder / "trace.jsonl")) as plain, closing(file_sink(folder / "trace.pcapng")) as packets:
        sinks = plain, packets, TextSink(lines.append)
        yield TracedLink(InProcessLink(card), Tracer("planted", sinks)), lines
    lines += held_by(card)
    wanted.hear(who, "\n".join(f"{line} {line!r}" for line in lines))


def play(
    middleware: TerminalMiddleware | CsimMiddleware, network: Network, name: str, folder: Path, lines: Lines
) -> None:
    """Play a broadcast of six TEKs; the LTKMs for the subscriber of this name come on the way."""
    delivery = keys_to_deliver(middleware, network, name)
    (folder / "broadcast.pcap").write_bytes(network.recording().pcap)
    application = middleware.usim if isinstance(middleware, TerminalMiddleware) else middleware.csim
    hooks = Hooks(
        on_time=delivery.deliver_until, on_decision=lines.append,
        on_tek=lambda view, tek: lines.append((view, tek)),
        on_refusal=ParentalPinEntry(application, lambda: Secret(PINS["parental PIN"].encode())),
    )  # fmt: skip
    with open_capture(folder / "broadcast.pcap") as capture, closing(MediaOut(folder / "heard")) as out:
        assert Player(middleware, out, PlayOptions(KNOWN)).play(capture, hooks).teks == 6
    ltkm = network.ltkm(network.deliveries[0], name)
    refused = middleware.deliver(ltkm[:-1] + bytes((ltkm[-1] ^ 1,)))
    assert refused.verdict is LtkmVerdict.NOT_AUTHENTIC
    lines += [refused, middleware.deliver(ltkm[:-1]), middleware.identity, vars(network)]


@pytest.fixture(scope="module")
def session(profile: Path, tmp_path_factory: pytest.TempPathFactory, wanted: Wanted) -> Path:
    """Record one session of the USIM into each kind of trace; return the folder."""
    folder = tmp_path_factory.mktemp("session")
    network = UsimNetwork(shipped_scenario("parental"), subscriber_of(CardProfile.load(profile)), tables=P1)
    with (
        recorded(folder, profile, wanted, "the session") as (link, lines),
        closing(TerminalMiddleware(link, lines.append, tables=P1)) as middleware,
    ):
        with pytest.raises(PinWrongError) as wrong:
            middleware.connect(Secret(PINS["wrong PIN"].encode()))
        middleware.connect(Secret(PINS["PIN 1"].encode()))
        b_tid = middleware.bootstrap(network.bsf).b_tid
        wanted.plant("SRK", middleware.establish(network.bsm.naf_id))
        wanted.plant("SMK", network.bsm.smk(b_tid))
        play(middleware, network, b_tid, folder, lines)
        lines.append(wrong.value)
    return folder


@pytest.fixture(scope="module")
def csim_session(profile: Path, tmp_path_factory: pytest.TempPathFactory, wanted: Wanted) -> Path:
    """Record one session of the CSIM into each kind of trace; return the folder."""
    folder = tmp_path_factory.mktemp("csim-session")
    network = CsimNetwork(shipped_scenario("parental"), csim_subscriber(CardProfile.load(profile)), tables=P1)
    with (
        recorded(folder, profile, wanted, "the session of the CSIM") as (link, lines),
        closing(CsimMiddleware(link, lines.append, tables=P1, tags=DEFAULT_TAGS)) as middleware,
    ):
        nai = middleware.connect(Secret(PINS["PIN 1"].encode())).nai
        asked = Asked("POST", "/")
        network.home.admit(middleware.answer(network.home.demand(), asked, bytes), asked)
        wanted.plant("Auth-Key", network.home.srk(nai, network.bsm.naf_id))
        for number, delivery in enumerate(network.deliveries):
            wanted.plant(f"SMK {number} of the CSIM", network.bsm.smk(nai, delivery.key.rand))
        play(middleware, network, nai, folder, lines)
        lines += broadcast_keys(middleware.csim, network, wanted)
    return folder


def broadcast_keys(csim: Csim, network: CsimNetwork, wanted: Wanted) -> list[object]:
    """Take a BAK to the CSIM and its keys out of it; return what there is to show."""
    flow, bak_id, sk_rand, bak = b"flow", b"\0\1", bytes(4), Secret(bytes.fromhex(BAK))
    sent = network.home.deliver_bak(network.subscriber.nai, flow, bak_id, bytes(3) + b"\xff", bak)
    csim.update_bak(flow, bak_id, sent.expires, sent.tk_rand, sent.encrypted)
    keys = csim.retrieve_sk(flow, bak_id, sk_rand), csim.retrieve_srtp_sk(flow, bak_id, sk_rand, bytes(6))
    wanted.plant("BAK", bak)
    wanted.plant("TK", network.subscriber.root.derive_tk(sent.tk_rand))
    for name, key in zip(("SK", "SK for SRTP"), keys, strict=True):
        wanted.plant(name, key)
    with pytest.raises(StatusError) as refused:
        csim.update_bak(flow, bak_id, sent.expires, sent.tk_rand, sent.encrypted[:-1])
    return [sent, keys, refused.value]


Run = Callable[..., int]


@pytest.fixture
def run(
    profile: Path, wanted: Wanted, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> Run:  # fmt: skip
    """Run a command line; what it says and logs is heard under its first words."""
    monkeypatch.setenv("BCAST_UICC_PIN", PINS["PIN 1"])
    caplog.set_level(logging.DEBUG)

    def invoked(*arguments: object) -> int:
        words = [str(argument) for argument in arguments]
        status = invoke(words)
        wanted.hear(" ".join(words[:2]), "".join(capfd.readouterr()) + caplog.text)
        return status

    return invoked


@contextmanager
def permissions_issuer(folder: Path, wanted: Wanted) -> Iterator[tuple[object, ...]]:
    """Run the service that gives out the TBK; yield the options of a terminal that may have it."""
    command = [sys.executable, "-u", "-m", "host_tools.cli.main", "headend", "permissions", BOUND, "--folder"]
    with subprocess.Popen(
        [*command, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as issuer:
        try:
            assert issuer.stdout is not None
            first = issuer.stdout.readline()
            address = re.search(r"at (127\.0\.0\.1:\d+)", first)
            assert address is not None, "no address said"
            wanted.plant("the terminal's private key", Secret((folder / "terminal.key").read_bytes().splitlines()[2]))
            yield "--binding", folder, "--permissions-issuer", address[1]
            issuer.send_signal(signal.SIGINT)
            wanted.hear("headend permissions", first + issuer.communicate(timeout=PATIENCE)[0])
        finally:
            issuer.kill()


@pytest.mark.parametrize("recording", ["session", "csim_session"])
def test_the_traces_of_a_session(
    run: Run, recording: str, request: pytest.FixtureRequest, wanted: Wanted, tmp_path: Path
) -> None:
    folder: Path = request.getfixturevalue(recording)
    for kind in ("jsonl", "pcapng"):
        trace = folder / f"trace.{kind}"
        assert run("trace", "show", trace) == 0
        assert run("trace", "show", "--brief", trace) == 0
        assert run("trace", "filter", trace, "ins=AUTHENTICATE", "-o", tmp_path / f"auth.{kind}") == 0
        assert run("script", "record", "--from", trace, tmp_path / f"{kind}.script") == 0
    run("trace", "diff", folder / "trace.jsonl", folder / "trace.pcapng")
    wanted.hear_files(folder)
    wanted.hear_files(tmp_path)
    assert wanted.found() == set()


def test_the_commands_of_the_terminal(run: Run, profile: Path, wanted: Wanted, tmp_path: Path) -> None:
    card = ("--link", "inprocess", "--profile", tmp_path / "planted.card")
    assert run("card", "new", profile, "-o", tmp_path / "planted.card") == 0
    with permissions_issuer(tmp_path / "certificates", wanted) as binding:
        for name in SCENARIOS:
            play_with_commands(run, name, profile, tmp_path, (*card, *(binding if name == BOUND else ())))
    for as_json in ((), ("--json",)):
        assert run("terminal", "audit", *card, "-v", *as_json) == 0
        assert run("terminal", "info", *card, "-v", *as_json) == 0
        assert run("card", "show", tmp_path / "planted.card", *as_json) == 0
    run("card", "diff", profile, tmp_path / "planted.card")
    run("card", "diff", "usim", tmp_path / "planted.card", "--json")
    wanted.hear_files(tmp_path)
    assert wanted.found() == set()
    assert b"EF_" in wanted.said["card show"], "the commands said nothing"


def play_with_commands(run: Run, name: str, profile: Path, folder: Path, card: tuple[object, ...]) -> None:
    """Record, replay and play a scenario on the card that these options name."""
    capture, film, ltkms = (folder / f"{name}.{kind}" for kind in ("pcap", "bcrec", "json"))
    keys = ("--subscriber", profile, "--scenario", name, "--parental-pin", PINS["parental PIN"], "--explain", "-v")
    assert run("headend", "check", name) == 0
    assert run("headend", "record", name, "-o", capture, "--profile", profile, "--ltkms", ltkms) == 0
    assert run("terminal", "record", capture, "-o", film, *card, *keys) == 0
    assert run("terminal", "replay", film, *card, *keys, "--json", "-o", folder / "heard") in (0, 4)
    assert run("terminal", "play", capture, *card, *keys, "--json") in (0, 4)


def test_scripts_and_their_reports(run: Run, profile: Path, wanted: Wanted, tmp_path: Path) -> None:
    reports = ("--junit", tmp_path / "results.xml", "--json", tmp_path / "results.jsonl")
    traces = ("--trace", tmp_path / "suites.jsonl", "--trace", tmp_path / "suites.pcapng", "-v")
    suites = ("authenticate", "gba", "mbms", "bcast", "csim", "pin")
    assert run("script", "run", *suites, "--link", "inprocess", "--profile", profile, *reports, *traces) in (0, 1, 4)
    sides = ("--a", f"inprocess:{profile}", "--b", "inprocess:usim", "--pin-b", "1234")
    pages = ("--html", tmp_path / "report.html", "--json", tmp_path / "report.json", "--show-allowed")
    assert run("compare", "run", *suites, *sides, *pages) in (0, 1)
    assert {"results.xml", "results.jsonl", "suites.jsonl", "suites.pcapng", "report.html", "report.json"} <= {
        path.name for path in tmp_path.iterdir() if path.stat().st_size > 1000
    }
    wanted.hear_files(tmp_path)
    assert wanted.found() == set()


def test_errors_do_not_quote_what_was_given(run: Run, profile: Path, wanted: Wanted, tmp_path: Path) -> None:
    card = ("--link", "inprocess", "--profile", profile)
    assert run("terminal", "info", *card, "--pin", PINS["wrong PIN"]) == 4
    assert run("terminal", "info", *card, "--pin", PINS["malformed PIN"]) == 2
    assert run("terminal", "play", tmp_path / "none.pcap", *card, "--parental-pin", PINS["malformed PIN"]) == 2
    wrongs = {"short K": (K, K[:-2]), "short RK": (RK, RK[:-2]), "long PIN": (PINS["PIN 1"], PINS["PIN 1"] + "9")}
    for name, wrong in wrongs.items():
        broken = tmp_path / f"{name}.toml"
        broken.write_text(profile.read_text().replace(*wrong))
        assert run("card", "new", broken, "-o", tmp_path / "none.card") == 5
    wanted.plant("most of K", Secret(bytes.fromhex(K)[:-1]))
    wanted.plant("most of RK", Secret(bytes.fromhex(RK)[:-1]))
    assert wanted.found() == set()


def test_the_search_finds_what_is_there(wanted: Wanted, profile: Path) -> None:
    key, pairs = bytes.fromhex(K), " ".join(re.findall("..", K))
    for number, form in enumerate((key, K.upper().encode(), pairs.encode(), base64.b64encode(key))):
        one = Wanted({"K": wanted.secrets["K"]}, {f"form {number}": b"before " + form + b" after"})
        assert one.found() == {(f"form {number}", "K")}
