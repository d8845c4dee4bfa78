"""The option --sac: where the secret comes from, and what is said when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from card.crypto import tls_psk
from card.crypto.secret import Secret
from card.profile.schema import demo_path
from host_tools.sessions.errors import SessionError, Trouble
from host_tools.sessions.secure_channel import protect
from host_tools.terminal.sac.link import SacLink
from tests.support.sac import IMEI, PSK, Wire, sac_card

KEY = PSK.reveal().hex()
STATUS = bytes.fromhex("80F2000C")


@pytest.fixture
def wire() -> Wire:
    return Wire(sac_card())


def profile(folder: Path, text: str) -> Path:
    path = folder / "card.toml"
    path.write_text(demo_path().read_text() + text)
    return path


def test_without_the_option_the_link_stays_as_it_is(wire: Wire) -> None:
    assert protect(wire, None, None, None) is wire


@pytest.mark.parametrize("kind", ["x-sac-1", "tls-psk"])
def test_the_secret_of_the_profile(wire: Wire, tmp_path: Path, kind: str) -> None:
    psk = f'[sac]\npsk = [{{ terminal_id = "{IMEI}", key = "{KEY}" }}]\n'
    link = protect(wire, kind, profile(tmp_path, psk), None)
    assert isinstance(link, SacLink)
    assert link.transmit(STATUS) == b"\x90\x00"
    assert kind in link.name


def test_the_secret_of_the_environment(wire: Wire) -> None:
    given = Secret(f"{IMEI}:{KEY}".encode())
    assert protect(wire, "x-sac-1", None, given).transmit(STATUS) == b"\x90\x00"


@pytest.mark.parametrize(
    "given", ["", ":", KEY, f"{IMEI}:{KEY}00", f"{IMEI}:zz", f"x:{KEY}", f"é:{KEY}", f"{IMEI}0:{KEY}"]
)
def test_a_malformed_secret_is_not_quoted(wire: Wire, given: str) -> None:
    with pytest.raises(SessionError) as caught:
        protect(wire, "x-sac-1", None, Secret(given.encode()))
    assert caught.value.trouble is Trouble.INPUT
    assert KEY[:8] not in caught.value.message


def test_a_profile_without_secret(wire: Wire, tmp_path: Path) -> None:
    for text in ("", "[sac]\n"):
        with pytest.raises(SessionError, match="secret"):
            protect(wire, "x-sac-1", profile(tmp_path, text), None)
    with pytest.raises(SessionError, match="sac"):
        protect(wire, "x-sac-1", profile(tmp_path, "[sac]\nconnections = 9\n"), None)


def test_a_python_without_tls_psk(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_psk, "has_tls_psk", lambda: False)
    with pytest.raises(SessionError, match="sslpsk3") as caught:
        protect(wire, "tls-psk", None, None)
    assert caught.value.trouble is Trouble.ENVIRONMENT
