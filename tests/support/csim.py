"""A card with USIM, CSIM and ISIM for tests, and the network's side of its CSIM, all from the oracle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from card import CardProfile
from card.ports import TraceSink
from tests.oracle import bcmcs
from tests.oracle.mikey import Ltkm
from tests.support.network import FQDN, KEY_DOMAIN
from tests.support.profiles import TEXT
from tests.support.testcard import Answer, TestCard

RK = bytes.fromhex("b0a1c2d3e4f5061728394a5b6c7d8e9f")
NAI = "subscriber@cdma.example.org"
CSIM_AID = bytes.fromhex("A0000003431002FF86FF0389FFFFFFFF")
ISIM_AID = bytes.fromhex("A0000000871004FFFFFFFF8907090000")
SELECT_CSIM = f"00A4040C10{CSIM_AID.hex()}"

RETRIEVE_SK, UPDATE_BAK, DELETE_BAK, RETRIEVE_SRTP_SK, SIGN, AUTHENTICATE = range(6)
FLOW, OTHER_FLOW = b"\x00\x01\x02", b"\x00\x01\x03"
BAK_ID = b"\x00\x01"
EXPIRES = (1000).to_bytes(4, "big")
SK_RAND = bytes.fromhex("11223344")

_CSIM = """
[csim]
rk = "RK"
nai = "NAI"
aid = "AID"
mdn = "9990012340"
spn = "CDMA TEST"
home = ["4100/1", "4101/65535"]
prl_id = 7
flows = 2
EXTRA

[isim]
label = "ISIM"
"""


def csim_profile(extra: str = "", tail: str = "") -> CardProfile:
    """Return the test profile with a CSIM and an ISIM; `extra` are lines of the CSIM part, `tail` further tables."""
    text = TEXT.replace("DISABLED", "").replace("INITIAL_SEQ", "0").replace("AGE_LIMIT", "0")
    csim = _CSIM.replace("RK", RK.hex()).replace("NAI", NAI).replace("AID", CSIM_AID.hex()).replace("EXTRA", extra)
    return CardProfile.parse(text + csim + tail, "test profile")


def csim_card(extra: str = "", tail: str = "", trace: TraceSink | None = None) -> TestCard:
    """Return a card whose CSIM is selected and whose PIN1 is verified."""
    card = TestCard.new(csim_profile(extra, tail), trace)
    card.ok(SELECT_CSIM)
    assert card.verify(0x01, "1234").sw == "9000"
    return card


def write_csim_subscriber(path: Path) -> Path:
    """Write a file of subscribers with that of the shipped profile `csim`, for `headend serve --subscribers`."""
    profile = CardProfile.demo("csim")
    assert profile.csim is not None
    imsi = profile.csim.imsi or profile.usim.imsi
    fields = f'imsi = "{imsi}"\nnai = "{profile.csim.nai}"\nrk = "{profile.csim.rk.reveal().hex()}"\n'
    path.write_text(f'[[subscriber]]\n{fields}functions = "{profile.csim.functions}"\n')
    return path


def objects(*pairs: tuple[int, bytes]) -> bytes:
    """Return data objects of one-byte tags and lengths."""
    return b"".join(bytes((tag, len(value))) + value for tag, value in pairs)


def command(mode: int, data: bytes, cla: str = "80") -> bytes:
    """Return the APDU of a BCMCS mode."""
    return bytes.fromhex(f"{cla}58{mode:02X}00{len(data):02X}") + data


def run(card: TestCard, mode: int, *pairs: tuple[int, bytes]) -> Answer:
    """Run a BCMCS mode and fetch its answer."""
    return card.exchange(command(mode, objects(*pairs)))


def names(flow: bytes = FLOW, bak_id: bytes = BAK_ID) -> tuple[tuple[int, bytes], tuple[int, bytes]]:
    """Return the objects BCMCS_Flow_ID and BAK_ID."""
    return (0x80, flow), (0x81, bak_id)


def bak(number: int) -> bytes:
    """Return a BAK that can be told apart."""
    return bytes((0xB0 + number,)) * 16


def update(number: int, flow: bytes = FLOW, bak_id: bytes = BAK_ID, expires: bytes = EXPIRES) -> bytes:
    """Return the APDU that delivers BAK `number`."""
    tk_rand = bytes((number,)) * 16
    sealed = bcmcs.sealed_bak(RK, tk_rand, bak(number))
    data = objects(*names(flow, bak_id), (0x83, expires), (0x84, tk_rand), (0x85, sealed))
    return command(UPDATE_BAK, data)


def retrieve(card: TestCard, flow: bytes = FLOW, bak_id: bytes = BAK_ID) -> Answer:
    """Ask for the SK of a flow."""
    return run(card, RETRIEVE_SK, *names(flow, bak_id), (0x82, SK_RAND))


def sk_of(number: int) -> Answer:
    """Return the answer with the SK under BAK `number`."""
    return Answer("8A10" + bcmcs.sk(bak(number), SK_RAND).hex().upper(), "9000")


def ltkm(counter: int = 1, **changes: Any) -> Ltkm:
    """Return an MSK message for the CSIM, under the TK for its own RAND."""
    rand = changes.get("rand", bytes(range(16)))
    message = Ltkm(
        psk=bcmcs.tk(RK, rand),
        csb_id=0x11223344,
        rand=rand,
        timestamp=counter,
        id_i=FQDN,
        id_r=NAI.encode(),
        key_domain_id=KEY_DOMAIN,
        msk_id=bytes.fromhex("00010001"),
        msk=bytes(range(0xA0, 0xB0)),
        lower=b"\x00\x00",
        upper=b"\xff\xfe",
        verify=False,
    )
    return replace(message, **changes)
