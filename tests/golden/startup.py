"""A terminal's start-up with the test card, as a transcript: `> command`, `< response`, `# what happens`.

`python -m tests.golden.startup` writes the transcript anew; the diff then shows every answer that changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from card.profile.cat import CatCommand, CatProfile, CatStep, MenuEntry
from tests.support.platform_cards import platform_card
from tests.support.testcard import TestCard

TRANSCRIPT = Path(__file__).parent / "startup.txt"

_TOOLKIT = CatProfile(
    menu=(MenuEntry("About", "A test card"),),
    steps=(CatStep(CatCommand.POLL_INTERVAL, seconds=30), CatStep(CatCommand.SET_UP_EVENT_LIST, events=(3, 4))),
)
_PROFILE = "FFFFFFFFFFFFFFFFFFFF"


def _files() -> Iterator[tuple[str, str]]:
    """Yield what a handset reads, by SFI where the file has one and by selection elsewhere."""
    for what, sfi, size in (
        ("EF_LI", 0x02, 6), ("EF_UST", 0x04, 17), ("EF_EST", 0x05, 1), ("EF_AD", 0x03, 4), ("EF_IMSI", 0x07, 9),
        ("EF_ACC", 0x06, 2), ("EF_HPPLMN", 0x12, 1), ("EF_Keys", 0x08, 33), ("EF_KeysPS", 0x09, 33),
        ("EF_PLMNwAcT", 0x0A, 40), ("EF_OPLMNwAcT", 0x11, 40), ("EF_HPLMNwAcT", 0x13, 10), ("EF_FPLMN", 0x0D, 12),
        ("EF_LOCI", 0x0B, 11), ("EF_PSLOCI", 0x0C, 14), ("EF_START-HFN", 0x0F, 6), ("EF_THRESHOLD", 0x10, 3),
        ("EF_EPSLOCI", 0x1E, 18),
    ):  # fmt: skip
        yield what, f"00B0{0x80 | sfi:02X}00{size:02X}"
    yield "EF_ECC", "00B2010C04"
    yield "EF_EPSNSC", "00B201C450"
    for what, fid in (("EF_SMSS", "6F43"), ("EF_NETPAR", "6FC4"), ("EF_GBABP", "6FD6")):
        yield what, "00A40004" + "02" + fid + "00"
        yield what, "00B0000000"
    for what, fid in (("EF_SMSP", "6F42"), ("EF_SMS", "6F3C"), ("EF_MBDN", "6FC7"), ("EF_MUK", "6FD8")):
        yield what, "00A40004" + "02" + fid + "00"
        yield what, "00B2010400"
    yield "DF_PHONEBOOK", "00A4000C025F3A"
    yield "EF_PBR", "00A4000C024F30"
    yield "EF_PBR", "00B2010400"
    yield "EF_ADN", "00B2010C00"
    yield "DF_5GS", "00A4080C047FFF5FC0"
    yield "EF_5GS3GPPLOCI", "00B0810014"


def commands() -> Iterator[tuple[str, str]]:
    """Yield a note and a command APDU in hex, in the order in which a handset sends them."""
    yield "MF", "00A40004023F0000"
    yield "EF_ICCID", "00A4000C022FE2"
    yield "EF_ICCID", "00B000000A"
    yield "EF_PL", "00B0850000"
    yield "EF_UMPC", "00B0880005"
    yield "EF_DIR", "00A40004022F0000"
    yield "EF_DIR", "00B2010430"
    yield "EF_DIR", "00B2020430"
    yield "TERMINAL CAPABILITY", "80AA000009A907800301000A8100"
    yield "ADF_USIM", "00A404040CA0000000871002FFFFFFFF89"
    yield "ADF_USIM", "00C0000000"
    yield "EF_ARR", "00B201BC00"
    yield "PIN status", "00200001"
    yield "VERIFY PIN", "002000010831323334FFFFFFFF"
    yield "application begins", "80F2010C"
    yield "TERMINAL PROFILE", "80100000" + f"{len(_PROFILE) // 2:02X}" + _PROFILE
    for number, kind in ((1, 0x25), (2, 0x03), (3, 0x05)):
        yield "FETCH", "8012000000"
        yield "TERMINAL RESPONSE", f"801400000C8103{number:02X}{kind:02X}0082028281830100"
    yield from _files()
    yield "second channel", "0070000001"
    yield "ADF_ISIM", "01A404040CA0000000871004FFFFFFFF8900"
    yield "EF_IMPI", "01B0820000"
    yield "EF_IMPU", "01B2012400"
    yield "STATUS", "80F2000000"
    yield "AUTHENTICATE", "0088008011" + "10" + "23553CBE9637A89D218AE64DAE47BF35" + "00"


def card() -> TestCard:
    """Return the card that the transcript was made with."""
    return platform_card(cat=_TOOLKIT)


def record() -> str:
    """Run the start-up and return the transcript."""
    terminal, lines = card(), ["# " + TRANSCRIPT.name + ": written by tests/golden/startup.py"]
    for note, command in commands():
        answer = terminal.send(command)
        lines += [f"# {note}", f"> {command}", f"< {answer.data}{answer.sw}"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TRANSCRIPT.write_text(record(), "ascii")
