"""The rows that say what is secret: they cover every command of this card, and the files that hold keys."""

from __future__ import annotations

import pytest

from card.commands.registry import Data
from card.commands.table import ALL_ROWS as COMMANDS
from card.spec.files.catalogue import all_files
from card.spec.files.rows import EfRow
from card.spec.secrets import ALL_ROWS, Secrecy, find_secrecy

FILES = dict(all_files())
HOLD_KEYS = {
    "ADF.USIM/6F08": "CK and IK (TS 31.102 clause 4.2.3)",
    "ADF.USIM/6F09": "CK and IK of the packet domain (4.2.4)",
    "ADF.USIM/6FE4": "K_ASME (4.2.92)",
    "ADF.USIM/5F3B/4F20": "Kc (4.4.3.1)",
    "ADF.USIM/5F3B/4F52": "KcGPRS (4.4.3.2)",
    "ADF.USIM/5FC0/4F03": "K_AMF (4.4.11.4)",
    "ADF.USIM/5FC0/4F04": "K_AMF (4.4.11.5)",
    "ADF.USIM/5FC0/4F05": "K_AUSF and K_SEAF (4.4.11.6)",
    "3F00/7F20/6F20": "Kc (TS 51.011 clause 10.3.3)",
    "3F00/7F20/6F52": "KcGPRS (10.3.33)",
    "ADF.CSIM/6F33": "the service programming code (C.S0065-B clause 5.2)",
    "ADF.CSIM/6F4C": "Simple IP passwords",
    "ADF.CSIM/6F57": "HRPD passwords",
    "3F00/7F25/6F33": "the service programming code (C.S0023-D clause 3.4)",
    "3F00/7F25/6F4C": "Simple IP passwords",
    "3F00/7F25/6F57": "HRPD passwords",
}


def test_the_files_that_hold_keys() -> None:
    assert {path for path, row in FILES.items() if row.secret} == set(HOLD_KEYS)


@pytest.mark.parametrize(("path", "row"), [(path, row) for path, row in FILES.items() if row.view])
def test_a_view_is_as_secret_as_what_it_shows(path: str, row: EfRow) -> None:
    assert row.secret is FILES[row.view].secret


def test_every_command_of_this_card_has_a_row() -> None:
    for command in COMMANDS:
        for family in command.families:
            (cla,) = {"0X": [0x00], "8X": [0x80], "A0": [0xA0]}[family.value[:2]]
            assert find_secrecy(cla, command.ins) is not None, f"{command.name} in {family.value}"


def test_pins_are_secret_in_every_class() -> None:
    taking = [row for row in COMMANDS if "PIN" in row.name or "CHV" in row.name]
    assert len(taking) == 10
    for command in taking:
        row = find_secrecy(0xA0 if command.name.startswith("SIM") else 0x00, command.ins)
        assert row is not None
        assert row.command is Secrecy.SECRET


def test_no_instruction_has_two_rows() -> None:
    codes = [(family, row.ins) for row in ALL_ROWS for family in row.families]
    assert len(codes) == len(set(codes))


def test_what_takes_no_data_is_not_called_secret() -> None:
    """A GET RESPONSE or READ that was hidden would hide nothing, and keep the card from remembering the command."""
    for command in COMMANDS:
        if command.data is Data.FORBIDDEN:
            rows = [row for row in ALL_ROWS if row.ins == command.ins and set(row.families) >= set(command.families)]
            assert [row.command for row in rows] == [Secrecy.OPEN], command.name
