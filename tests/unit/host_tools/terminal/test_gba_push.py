"""GBA push (TS 33.223 clause 5.1.4): a message computed outside this project, a real card, and what may go wrong."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from card import CardProfile, create_card, memory_card
from card.codec.gba_push import SealedGpi
from card.crypto.gba import derive_ks
from card.crypto.gba_push import Gpi, derive_gpi_keys, seal_gpi
from card.crypto.secret import Secret
from card.spec.bcast.p1 import P1
from card.spec.gba import naf_id
from host_tools.cli.exits import ExitCode
from host_tools.cli.main import invoke
from host_tools.headend.scenario.reading import shipped_scenario
from host_tools.headend.scenario.usim import UsimNetwork
from host_tools.headend.subscribers.personalised import subscriber_of
from host_tools.links.inprocess import InProcessLink
from host_tools.terminal.errors import NoUsableKsError
from host_tools.terminal.gba_push import PushOutcome, PushVerdict, take_push
from host_tools.terminal.middleware import TerminalMiddleware
from tests.oracle import gba
from tests.oracle.mikey import Ltkm
from tests.support.network import IMPI, KEY_DOMAIN, UA_MBMS, autn_star, rand, vector
from tests.support.profiles import PIN1, card_profile
from tests.vectors.loader import load

(VECTOR,) = load("gba_push")["vectors"]
FIRST_SEQ = (0xFF9BB4D0B607 >> 5) - 1  # SQN of the vector is that of MILENAGE test set 1
PROFILE = card_profile(initial_seq=FIRST_SEQ)
NAF = b"push.example.org"
P_TID = "p7@push.example.org"
EXPIRES = datetime(2040, 5, 6, 7, 8, 9, tzinfo=UTC)

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def terminal() -> Iterator[TerminalMiddleware]:
    with closing(TerminalMiddleware(InProcessLink(memory_card(PROFILE, strict=True)), tables=P1)) as middleware:
        middleware.connect(Secret(PIN1.encode()))
        yield middleware


def push(seq: int, number: int = 1, *, label: str = "", gba_u: bool = True) -> bytes:
    """Return a GPI for the test subscriber, `seq` above what the card has met."""
    made = vector(FIRST_SEQ + seq, rand(number))
    gpi = Gpi(gba_u, rand(number), autn_star(made), naf_id(NAF), EXPIRES, P_TID, label)
    ks = derive_ks(made["f3"], made["f4"])
    return seal_gpi(gpi, derive_gpi_keys(ks, rand(number), IMPI))


def take(terminal: TerminalMiddleware, raw: bytes) -> PushOutcome:
    return take_push(terminal.usim, raw, terminal.identity.impi)


def name_of_ks(terminal: TerminalMiddleware) -> str:
    found = terminal.usim.read_bootstrapping()
    assert found is not None
    return found.b_tid


class TestKeys:
    def test_the_vector(self, terminal: TerminalMiddleware) -> None:
        outcome = take(terminal, VECTOR["gpi"])
        assert outcome.verdict is PushVerdict.ESTABLISHED
        sa = outcome.sa
        assert sa is not None
        assert (sa.naf_id, sa.p_tid.encode(), sa.downlink_id.encode()) == (
            VECTOR["naf_id"], VECTOR["p_tid"], VECTOR["downlink_id"]
        )  # fmt: skip
        assert sa.expires.strftime("%Y-%m-%dT%H:%M:%SZ").encode() == VECTOR["key_lifetime"]
        expected = gba.ks_ext_naf(VECTOR["ks"], VECTOR["rand"], VECTOR["impi"], VECTOR["naf_id"])
        assert sa.ks_ext_naf == Secret(expected)

    def test_the_card_shows_the_name_of_the_keys(self, terminal: TerminalMiddleware) -> None:
        take(terminal, push(1))
        found = terminal.usim.read_bootstrapping()
        assert found is not None
        downlink = base64.b64encode(rand(1)) + b"@naf"
        assert (found.b_tid.encode(), found.lifetime) == (downlink, "2040-05-06T07:08:09Z")
        assert (naf_id(NAF), downlink) in [(one.naf_id, one.b_tid) for one in terminal.usim.read_naf_keys()]

    def test_the_ks_of_a_push_serves_nothing_else(self, terminal: TerminalMiddleware) -> None:
        take(terminal, push(1))
        with pytest.raises(NoUsableKsError, match="GBA push"):
            terminal.establish(naf_id(b"other.example.org"))

    def test_the_label_of_the_usim(self, terminal: TerminalMiddleware) -> None:
        assert take(terminal, push(1, label="USIM")).verdict is PushVerdict.ESTABLISHED

    def test_no_key_in_the_outcome(self, terminal: TerminalMiddleware) -> None:
        outcome = take(terminal, push(1))
        assert outcome.sa is not None
        assert outcome.sa.ks_ext_naf.reveal().hex() not in repr(outcome)


class TestDropped:
    def test_a_copy_does_not_reach_the_card_again(self, terminal: TerminalMiddleware) -> None:
        take(terminal, push(1))
        before = terminal.usim.read_naf_keys()
        assert take(terminal, push(1)) == PushOutcome(PushVerdict.KNOWN)
        assert terminal.usim.read_naf_keys() == before

    @pytest.mark.parametrize(
        ("raw", "verdict"),
        [
            (b"", PushVerdict.UNREADABLE),
            (b"\x21" + VECTOR["gpi"][1:], PushVerdict.UNREADABLE),
            (VECTOR["gpi"][:-1], PushVerdict.UNREADABLE),
            (b"\x10" + VECTOR["gpi"][1:], PushVerdict.NOT_GBA_U),
            (push(1, label="ISIM"), PushVerdict.OTHER_APPLICATION),
        ],
    )
    def test_what_is_not_for_this_terminal(
        self, terminal: TerminalMiddleware, raw: bytes, verdict: PushVerdict
    ) -> None:
        assert take(terminal, raw) == PushOutcome(verdict)
        assert terminal.usim.read_bootstrapping() is None


class TestFailures:
    def test_a_message_for_another_subscriber(self, terminal: TerminalMiddleware) -> None:
        raw = push(1)
        foreign = raw[:17] + bytes(16) + raw[33:]
        assert take(terminal, foreign) == PushOutcome(PushVerdict.NOT_AUTHENTIC)

    def test_a_stale_sequence_number_gives_auts(self, terminal: TerminalMiddleware) -> None:
        take(terminal, push(2))
        outcome = take(terminal, push(1, number=9))
        assert outcome.verdict is PushVerdict.OUT_OF_STEP
        assert outcome.auts is not None
        assert len(outcome.auts) == 14

    def test_a_wrong_mac_leaves_a_ks_that_serves_nothing(self, terminal: TerminalMiddleware) -> None:
        raw = push(1)
        assert take(terminal, raw[:-1] + bytes((raw[-1] ^ 1,))) == PushOutcome(PushVerdict.FORGED)
        assert name_of_ks(terminal) == base64.b64encode(rand(1)).decode() + "@undefined"
        assert naf_id(NAF) not in [one.naf_id for one in terminal.usim.read_naf_keys()]

    def test_a_good_copy_after_a_damaged_one_goes_on_with_its_ks(self, terminal: TerminalMiddleware) -> None:
        """The card would refuse the sequence number a second time (TS 33.223 clause 5.1.4 step 4b)."""
        raw = push(1)
        take(terminal, raw[:-1] + bytes((raw[-1] ^ 1,)))
        assert take(terminal, raw).verdict is PushVerdict.ESTABLISHED

    def test_a_sound_message_whose_texts_are_none(self, terminal: TerminalMiddleware) -> None:
        made = vector(FIRST_SEQ + 1, rand(1))
        keys = derive_gpi_keys(derive_ks(made["f3"], made["f4"]), rand(1), IMPI)
        gpi = Gpi(True, rand(1), autn_star(made), b"\xff\xfe" + UA_MBMS, EXPIRES, P_TID)
        assert take(terminal, seal_gpi(gpi, keys)) == PushOutcome(PushVerdict.UNUSABLE)
        assert name_of_ks(terminal).endswith("@undefined")


def test_a_push_of_the_head_end() -> None:
    """Card and head-end come to the same keys, and an LTKM under the pushed MUK is taken (clause 5.4)."""
    demo = CardProfile.demo()
    network = UsimNetwork(shipped_scenario("demo"), subscriber_of(demo), tables=P1)
    fqdn, naf = network.bsm.fqdn, network.bsm.naf_id
    made = network.bsf.push(fqdn.decode(), network.subscriber.impi, naf, timedelta(hours=1), P_TID)
    with closing(TerminalMiddleware(InProcessLink(memory_card(demo, strict=True)), tables=P1)) as middleware:
        middleware.connect(demo.pins.pin1.value)
        outcome = take(middleware, made.gpi)
        assert outcome.sa is not None
        assert outcome.sa.ks_ext_naf == made.keys.me_key
        assert made.keys.uicc_key is not None
        ltkm = Ltkm(
            psk=made.keys.uicc_key.reveal(), csb_id=1, rand=bytes(range(16)), timestamp=1, id_i=fqdn,
            id_r=outcome.sa.downlink_id.encode(), key_domain_id=KEY_DOMAIN, msk_id=bytes.fromhex("00010001"),
            msk=bytes(range(16)), lower=b"\0\0", upper=b"\xff\xfe", verify=False,
        )  # fmt: skip
        assert middleware.deliver(ltkm.build()).taken


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Return a call of `terminal gba push` on a card file, which stays from one call to the next."""
    monkeypatch.setenv("BCAST_UICC_PIN", PIN1)
    card = tmp_path / "test.card"
    create_card(PROFILE, card).close()
    message = tmp_path / "push.gpi"

    def invoked(content: bytes, *options: str) -> tuple[int, str, str]:
        message.write_bytes(content)
        status = invoke(
            ["terminal", "gba", "push", str(message), "--link", "inprocess", "--profile", str(card), *options]
        )
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return status, out, err

    return invoked


class TestCommand:
    @pytest.mark.parametrize(
        "coded",
        [
            VECTOR["gpi"], VECTOR["gpi"].hex().encode() + b"\n", VECTOR["gpi"].hex(" ").upper().encode(),
            base64.encodebytes(VECTOR["gpi"]),
        ],
        ids=["bytes", "hex", "spaced hex", "base64"],
    )  # fmt: skip
    def test_json_of_the_vector(self, run: Run, coded: bytes) -> None:
        status, out, err = run(coded, "--json")
        assert (status, err) == (ExitCode.OK, "")
        found = json.loads(out)
        assert found.pop("expired") in (False, True)
        assert found == {
            "verdict": "established",
            "words": PushVerdict.ESTABLISHED.value,
            "naf": "bmsc.mnc001.mcc001.pub.3gppnetwork.org",
            "ua_protocol": "0100000001",
            "expires": "2030-01-02T03:04:05Z",
            "downlink_id": VECTOR["downlink_id"].decode(),
            "p_tid": VECTOR["p_tid"].decode(),
        }

    def test_a_copy_is_no_error(self, run: Run) -> None:
        run(VECTOR["gpi"])
        status, out, _ = run(VECTOR["gpi"], "--json")
        assert (status, json.loads(out)["verdict"]) == (ExitCode.OK, "known")

    @pytest.mark.parametrize(
        ("content", "status", "said"),
        [
            (b"not a message", ExitCode.INPUT, "neither a GBA push message"),
            (b"", ExitCode.INPUT, "no GPI message"),
            (b"\x11" + bytes(40), ExitCode.INPUT, "no GPI message"),
            (bytes(1 << 16) + b"\0", ExitCode.INPUT, "larger than"),
            (VECTOR["gpi"][:17] + bytes(16) + VECTOR["gpi"][33:], ExitCode.CARD, "not authentic"),
            (VECTOR["gpi"][:-1] + b"\0", ExitCode.DIFFERENT, "MAC of the message is wrong"),
            (push(0), ExitCode.CARD, "sequence number stale"),
        ],
    )
    def test_each_failure_is_one_sentence(self, run: Run, content: bytes, status: int, said: str) -> None:
        found, _, err = run(content)
        assert (found, err.count("\n")) == (status, 1)
        assert said in err

    def test_a_message_that_is_not_there(self, run: Run, tmp_path: Path) -> None:
        assert run(b"11")[0] == ExitCode.INPUT
        status = invoke(["terminal", "gba", "push", str(tmp_path / "none"), "--link", "inprocess", "--profile", "usim"])
        assert status == ExitCode.INPUT


def test_a_subscriber_whose_isim_is_meant(terminal: TerminalMiddleware) -> None:
    """The label of an application that the card does not have rejects the message before the card sees it."""
    sealed = SealedGpi.decode(push(1))
    assert take(terminal, replace(sealed, app_label=b"\xff").encode()).verdict is PushVerdict.OTHER_APPLICATION
