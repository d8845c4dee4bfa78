"""The CSIM through a real pcscd and vpcd: the reads of a phone that starts up, BCMCS, and the whole job."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from card import CardProfile, memory_card
from card.codec.fcp import Fcp
from card.codec.tlv import decode_tlvs
from card.crypto.secret import Secret
from card.profile.schema import Transport
from card.spec.bcast.p1 import P1
from card.spec.bcmcs_tables import DEFAULT_TAGS
from host_tools.apdu.client import ApduClient
from host_tools.apdu.response import StatusError
from host_tools.cli.exits import ExitCode
from host_tools.headend.bsm.rk_home import RkHome
from host_tools.headend.seeded import Seeded, SeededRng
from host_tools.headend.subscribers.memory import MemorySubscribers
from host_tools.links.pcsc import PcscLink
from host_tools.sessions.csim import csim_subscriber
from host_tools.terminal.csim import Csim
from host_tools.terminal.csim_middleware import CsimMiddleware
from tests.integration.conftest import Desk
from tests.oracle import bcmcs
from tests.support.csim import CSIM_AID, RK, SK_RAND, csim_profile
from tests.support.profiles import IMSI

pytestmark = pytest.mark.pcscd

DEMO = [sys.executable, "-m", "host_tools.cli.main", "demo", "--csim", "--json"]
PATIENCE = 60.0
PIN = bytes.fromhex("31323334FFFFFFFF")
FLOW, BAK_ID, EXPIRES = b"\x01", b"\x02", b"\xff\xff"


@pytest.fixture(params=[Transport.T0, Transport.T1], ids=["T0", "T1"])
def link(insert: Desk, request: pytest.FixtureRequest) -> Iterator[PcscLink]:
    profile = replace(csim_profile(), transport=request.param)
    opened = PcscLink.open(insert(memory_card(profile, strict=True)))
    yield opened
    opened.close()


class Phone:
    """Reads as a phone's radio layer does: by a path from the MF, the size from the FCP, 61XX and 6CXX followed."""

    def __init__(self, link: PcscLink) -> None:
        self._link = link

    def send(self, header: str, data: bytes = b"", le: int | None = None) -> bytes:
        tail = b"" if le is None else bytes((le,))
        apdu = bytes.fromhex(header) + (bytes((len(data),)) + data if data else b"") + tail
        answer = self._link.transmit(apdu)
        received = answer[:-2]
        while answer[-2] in (0x61, 0x6C):
            again = bytes.fromhex("00C00000") if answer[-2] == 0x61 else apdu[:4]
            answer = self._link.transmit(again + answer[-1:])
            received += answer[:-2]
        assert answer[-2:] == b"\x90\x00", (apdu.hex(), answer[-2:].hex())
        return received

    def select(self, path: str) -> Fcp:
        return Fcp.decode(self.send("00A40804", bytes.fromhex(path)))

    def transparent(self, path: str) -> bytes:
        return self.send("00B00000", le=self.select(path).file_size)

    def records(self, path: str) -> list[bytes]:
        fcp = self.select(path)
        return [self.send(f"00B2{number:02X}04", le=fcp.record_length) for number in range(1, fcp.record_count + 1)]


class TestPhone:
    def test_start_up(self, link: PcscLink) -> None:
        """The files and the order in which Android reads a CSIM, and what it makes of them."""
        phone = Phone(link)
        aids = [_aid(record) for record in phone.records("2F00") if record[0] == 0x61]
        found = next(aid for aid in aids if aid.startswith(bytes.fromhex("A0000003431002")))
        assert found == CSIM_AID
        assert Fcp.decode(phone.send("00A40404", found)).df_name == CSIM_AID
        phone.send("00200001", PIN)
        assert phone.transparent("2FE2").hex().startswith("98")  # ICCID 89…, half bytes swapped
        assert phone.transparent("2F05")[:2] == b"en"
        assert phone.transparent("7FFF6F43")[0] == 0x00  # normal operation
        assert phone.transparent("7FFF6F3A")[:2] == b"\x00\x01"  # English
        name = phone.transparent("7FFF6F41")
        assert (name[:3].hex(), name[3:].rstrip(b"\xff")) == ("010201", b"CDMA TEST")
        assert bcmcs.read_mdn(phone.records("7FFF6F44")[0]) == "9990012340"
        assert bcmcs.read_imsi_m(phone.transparent("7FFF6F22")) == IMSI
        homes = phone.records("7FFF6F28")
        assert [(home[0] | home[1] << 8, home[2] | home[3] << 8) for home in homes] == [(4100, 1), (4101, 65535)]
        list_identity = phone.transparent("7FFF6F5A")
        assert list_identity[2] << 8 | list_identity[3] == 7
        services = phone.transparent("7FFF6F32")
        offered = [number for number in range(48) if services[number // 8] >> number % 8 & 1]
        assert [number + 1 for number in offered] == [6, 8, 10, 18]

    def test_three_applications_on_three_channels(self, link: PcscLink) -> None:
        phone = Phone(link)
        aids = [_aid(record) for record in phone.records("2F00") if record[0] == 0x61]
        numbers = [0, *(phone.send("00700000", le=1)[0] for _ in aids[1:])]
        for number, aid in zip(numbers, aids, strict=True):
            phone.send(f"{number:02X}A4040C", aid)
        for number, aid in zip(numbers, aids, strict=True):
            assert phone.send(f"{0x80 | number:02X}F20001", le=0)[2:] == aid


class TestBcmcs:
    def test_a_bak_and_its_keys(self, link: PcscLink) -> None:
        csim = _ready(link)
        bak = Secret(bytes(range(16)))
        someone = csim_subscriber(csim_profile())
        home = RkHome(MemorySubscribers(rk_subscribers=[someone]), "bsm", SeededRng(Seeded("bcmcs"), "rk"))
        delivery = home.deliver_bak(someone.nai, FLOW, BAK_ID, EXPIRES, bak)
        assert delivery.encrypted == bcmcs.sealed_bak(RK, delivery.tk_rand, bak.reveal())
        csim.update_bak(FLOW, BAK_ID, EXPIRES, delivery.tk_rand, delivery.encrypted)
        assert csim.retrieve_sk(FLOW, BAK_ID, SK_RAND).reveal() == bcmcs.sk(bak.reveal(), SK_RAND)
        index = bytes(5) + b"\x09"
        srtp = csim.retrieve_srtp_sk(FLOW, BAK_ID, SK_RAND, index)
        assert srtp.reveal() == bcmcs.srtp_sk(bak.reveal(), SK_RAND, index)
        assert csim.sign_authorization(FLOW, BAK_ID, b"\x01") == bcmcs.signature(bak.reveal(), FLOW, BAK_ID, b"\x01")
        csim.delete_bak(FLOW, BAK_ID)
        with pytest.raises(StatusError, match="9404"):
            csim.retrieve_sk(FLOW, BAK_ID, SK_RAND)

    def test_the_challenge_of_the_controller(self, link: PcscLink) -> None:
        rand, challenge = bytes(range(16)), b"any challenge"
        assert _ready(link).authenticate_bcmcs(rand, challenge) == bcmcs.response(RK, rand, challenge)

    def test_the_middleware_connects_again_after_a_reset(self, link: PcscLink) -> None:
        middleware = CsimMiddleware(link, tables=P1, tags=DEFAULT_TAGS)
        first = middleware.connect(Secret(b"1234"))
        link.reset()
        assert middleware.connect(Secret(b"1234")) == first
        assert first.imsi == IMSI


class TestDemo:
    def test_everything_equals_the_head_end(self, tmp_path: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="bu-") as name:
            Path(name).chmod(0o755)  # pcscd's own user must get in
            done = subprocess.run(
                [*DEMO, "--keep", str(tmp_path / "kept")],
                env={**os.environ, "TMPDIR": name},
                capture_output=True, text=True, timeout=PATIENCE, check=False,
            )  # fmt: skip
        assert done.returncode == ExitCode.OK, done.stderr
        result = json.loads(done.stdout)
        assert (result["link"], result["differences"]) == ("pcsc", [])
        assert result["packets"]["decrypted"] == result["packets"]["seen"] > 1000


def test_the_demo_profile_is_a_card(insert: Desk) -> None:
    profile = CardProfile.demo("csim")
    link = PcscLink.open(insert(memory_card(profile, strict=True)))
    try:
        assert (
            CsimMiddleware(link, tables=P1, tags=DEFAULT_TAGS).connect(profile.pins.pin1.value).imsi
            == profile.usim.imsi
        )
    finally:
        link.close()


def _ready(link: PcscLink) -> Csim:
    csim = Csim(ApduClient(link), P1, DEFAULT_TAGS)
    csim.select_csim()
    csim.verify_pin(Secret(b"1234"))
    return csim


def _aid(record: bytes) -> bytes:
    return decode_tlvs(record[2 : 2 + record[1]])[0x4F]
