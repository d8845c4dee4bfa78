"""The table `sac` of a card profile."""

from __future__ import annotations

import pytest

from card import CardProfile
from card.errors import ProfileError
from card.profile.schema import demo_path
from card.spec.sac_tables import Kind, TekPolicy
from tests.support.testcard import TestCard

DEMO = demo_path().read_text()
KEY = "00" * 32


def parse(text: str) -> CardProfile:
    return CardProfile.parse(DEMO + text)


def problem(text: str) -> str:
    with pytest.raises(ProfileError) as caught:
        parse(text)
    return str(caught.value)


def test_without_the_table_there_is_no_channel() -> None:
    assert CardProfile.parse(DEMO).sac is None


def test_defaults() -> None:
    sac = parse("[sac]\n").sac
    assert sac is not None
    assert (sac.kinds, sac.tek, sac.container, sac.connections) == ((Kind.SECURED_APDU,), TekPolicy.CLEAR, 240, 2)


def test_everything() -> None:
    text = f"""
    [sac]
    kinds = ["x-sac-1", "tls-psk", "scp03"]
    tek = "channel-or-binding"
    container = 100
    connections = 4
    psk = [{{ terminal_id = "356938035643809", key = "{KEY}" }}]
    scp03 = {{ key_enc = "{KEY[:32]}", key_mac = "{KEY[:32]}", version = 3 }}
    naf_key_centre = "nkc.example.org"
    """
    sac = parse(text).sac
    assert sac is not None
    assert sac.kinds == tuple(Kind)
    assert sac.tek is TekPolicy.CHANNEL_OR_BINDING
    assert KEY[:32] not in repr(sac)
    assert TestCard.new(parse(text)).ok("0073000000")[:1] == b"\x73"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('tek = "never"', '"channel"'),
        ('kinds = ["ipsec"]', '"x-sac-1"'),
        ("container = 15", "16"),
        ("container = 241", "240"),
        ("connections = 1", "2"),
        ("connections = 5", "4"),
        ('psk = [{ terminal_id = "", key = "00" }]', "64"),
        ('psk = [{ terminal_id = "a b", key = "00" }]', "without spaces"),
        ('psk = [{ terminal_id = "a", key = "00" }]', "32 bytes"),
        (f'psk = [{{ terminal_id = "a", key = "{KEY}" }}, {{ terminal_id = "a", key = "{KEY}" }}]', "one secret"),
        ('kinds = ["scp03"]', "scp03"),
        (f'scp03 = {{ key_enc = "{KEY[:32]}", key_mac = "{KEY[:32]}" }}', "kinds"),
        (f'kinds = ["scp03"]\nscp03 = {{ key_enc = "{KEY[:32]}", key_mac = "{KEY[:32]}", version = 0 }}', "127"),
        ('naf_key_centre = "a b"', "host name"),
    ],
)
def test_problems_are_told(text: str, said: str) -> None:
    assert said in problem("[sac]\n" + text)


def test_a_secret_is_never_quoted() -> None:
    assert "abcdef" not in problem('[sac]\npsk = [{ terminal_id = "a", key = "abcdef" }]')
