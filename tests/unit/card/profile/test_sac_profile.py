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
THE_KEY = f'key = "{KEY}"'
IMEI, OCTETS = "490154203237518", "0x17084A09512430325781"


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
    psk = [{{ terminal_id = "356938035643809", key = "{KEY}" }}, {{ terminal_id = "0x01ff", key = "{KEY}" }}]
    scp03 = {{ key_enc = "{KEY[:32]}", key_mac = "{KEY[:32]}", version = 3 }}
    naf_key_centre = "nkc.example.org"
    terminals = ["356938035643809", "0x01"]
    terminal_applications = ["org.example.player"]
    """
    sac = parse(text).sac
    assert sac is not None
    assert sac.kinds == tuple(Kind)
    assert sac.tek is TekPolicy.CHANNEL_OR_BINDING
    assert [secret.terminal_id.hex() for secret in sac.psk] == ["17083a65390853468390", "01ff"]
    assert [terminal.hex() for terminal in sac.terminals] == ["17083a65390853468390", "01"]
    assert sac.scp03 is not None
    assert sac.scp03.version == 3
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
        ('psk = [{ terminal_id = "", key = "00" }]', "15 digits of an IMEI"),
        ('psk = [{ terminal_id = "35693803564380", key = "00" }]', "15 digits of an IMEI"),
        ('psk = [{ terminal_id = "0x", key = "00" }]', "1 to 10 octets"),
        (f'psk = [{{ terminal_id = "0x{"00" * 11}", key = "00" }}]', "1 to 10 octets"),
        ('psk = [{ terminal_id = "0x1", key = "00" }]', "32 bytes"),
        (
            f'psk = [{{ terminal_id = "{IMEI}", {THE_KEY} }}, {{ terminal_id = "{OCTETS}", {THE_KEY} }}]',
            "one secret",
        ),
        ('terminals = ["a"]', "15 digits of an IMEI"),
        ('terminal_applications = [""]', "1 to 255 characters"),
        ('kinds = ["scp03"]', "scp03"),
        (f'scp03 = {{ key_enc = "{KEY[:32]}", key_mac = "{KEY[:32]}" }}', "kinds"),
        (f'kinds = ["scp03"]\nscp03 = {{ key_enc = "{KEY[:32]}", key_mac = "{KEY[:32]}", version = 0 }}', "127"),
        ('naf_key_centre = "a b"', "host name"),
    ],
)
def test_problems_are_told(text: str, said: str) -> None:
    assert said in problem("[sac]\n" + text)


def test_a_secret_is_never_quoted() -> None:
    assert "abcdef" not in problem('[sac]\npsk = [{ terminal_id = "0x61", key = "abcdef" }]')


def test_the_key_version_of_scp03_is_one_that_globalplatform_sets_aside_for_it() -> None:
    keys = f'key_enc = "{KEY[:32]}", key_mac = "{KEY[:32]}"'
    sac = parse(f'[sac]\nkinds = ["scp03"]\nscp03 = {{ {keys} }}\n').sac
    assert sac is not None
    assert sac.scp03 is not None
    assert sac.scp03.version == 0x30
