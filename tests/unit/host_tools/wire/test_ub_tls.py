"""Ub over TLS: the BSF shows its certificate, the terminal checks it, and the digest goes on inside."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from card import CardProfile, create_card
from host_tools.cli.exits import ExitCode
from host_tools.exchange.http import HttpResponse
from host_tools.exchange.procedures import BOOTSTRAPPING
from host_tools.exchange.transport import Endpoint
from host_tools.headend.permissions_issuer.certificates import LabCa
from host_tools.terminal.client.way import Bsm
from host_tools.terminal.reach import Reach, WrongUrl
from host_tools.wire.http_client import HttpTransport
from tests.support.head_end import PIN
from tests.unit.host_tools.wire.test_commands import Served, run, serving

_MOST_SECONDS = 60


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served")) as found:
        yield found


@pytest.fixture
def card(tmp_path: Path) -> Path:
    path = tmp_path / "a.card"
    create_card(CardProfile.demo(), path).close()
    return path


@pytest.fixture(autouse=True)
def _pin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BCAST_UICC_PIN", PIN.reveal().rstrip(b"\xff").decode())
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def answers(served: Served, role: str) -> int:
    """How many requests a server has answered."""
    mine = [line for line in served.metrics() if line.startswith(f'bcast_uicc_http_answers_total{{server="{role}",')]
    return sum(int(line.rpartition(" ")[2]) for line in mine)


def plain_bsm(served: Served, *more: str) -> list[str]:
    """Options for the BSM in the clear, beside a BSF that is named by itself."""
    bsm = served.network.bsm
    return ["--bsm", f"http://{bsm.name}:{bsm.endpoint.port}",
            "--resolve", f"{bsm.name}:{bsm.endpoint.address}:{bsm.endpoint.port}", *more]  # fmt: skip


def test_a_terminal_with_certificates_bootstraps_over_tls(
    served: Served, card: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = answers(served, "bsf-tls"), answers(served, "bsf")
    assert run(served, "register", card, "--certificates", str(served.certificates)) == ExitCode.OK
    assert [one["verdict"] for one in json.loads(capsys.readouterr().out)["ltkms"]] == ["taken", "taken"]
    assert answers(served, "bsf-tls") == before[0] + 2  # the challenge, and the answer to it
    assert answers(served, "bsf") == before[1]


def test_a_terminal_that_names_no_certificate_bootstraps_in_the_clear(served: Served, card: Path) -> None:
    before = answers(served, "bsf-tls"), answers(served, "bsf")
    assert run(served, "register", card) == ExitCode.OK
    assert (answers(served, "bsf-tls"), answers(served, "bsf")) == (before[0], before[1] + 2)


def test_the_bsf_is_named_by_an_https_url(served: Served, card: Path) -> None:
    """The BSM in the clear, the BSF behind https: a certificate of the terminal is not needed for that."""
    before, bsf = answers(served, "bsf-tls"), served.network.others["bsf-tls"]
    where = ["--bsf", f"https://{bsf.name}:{bsf.endpoint.port}", "--ca", str(served.certificates / "ca.pem")]
    where += ["--resolve", f"{bsf.name}:{bsf.endpoint.address}:{bsf.endpoint.port}"]
    assert run(served, "register", card, *plain_bsm(served, *where)) == ExitCode.OK
    assert answers(served, "bsf-tls") == before + 2


def test_a_bsf_that_nobody_vouches_for_is_left(
    served: Served, card: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.pem"
    other.write_bytes(LabCa(datetime.now(UTC)).certificate)
    before = answers(served, "bsf-tls")
    assert run(served, "register", card, *plain_bsm(served, "--ca", str(other))) == ExitCode.ENVIRONMENT
    assert "certificate verify failed" in capsys.readouterr().err
    assert answers(served, "bsf-tls") == before


def exchange(served: Served, name: str) -> HttpResponse:
    end = served.network.others["bsf-tls"].endpoint
    context = ssl.create_default_context(cafile=str(served.certificates / "ca.pem"))
    request = BOOTSTRAPPING.build(served.network.bsf.name, b"", (("Authorization", 'Digest username="x"'),))
    return HttpTransport(end, tls=context, tls_name=name).exchange(request)


def test_the_certificate_names_the_bsf(served: Served) -> None:
    assert exchange(served, served.network.bsf.name).status in (400, 401, 403, 404)
    with pytest.raises(Exception, match="ostname mismatch"):
        exchange(served, "bsf.elsewhere.example")


def test_openssl_reads_the_same(served: Served) -> None:
    end, name = served.network.others["bsf-tls"].endpoint, served.network.others["bsf-tls"].name
    command = ["openssl", "s_client", "-connect", f"{end.address}:{end.port}", "-servername", name]
    command += ["-verify_hostname", name, "-verify_return_error", "-CAfile", str(served.certificates / "ca.pem")]
    told = subprocess.run(command, input=b"", capture_output=True, timeout=_MOST_SECONDS)
    assert told.returncode == 0, told.stderr
    assert b"Verify return code: 0 (ok)" in told.stdout
    assert b"No client certificate CA names sent" in told.stdout


def test_what_may_name_a_bsf() -> None:
    places = {"bsf.example": Endpoint("127.0.0.1", 7), "other.example": Endpoint("127.0.0.1", 8)}
    reach, tls = Reach(Bsm("bsm.example"), 80, "", places), ssl.create_default_context()
    named = reach.with_bsf_url("bsf.example", tls)
    assert (named.bsf_name, named.bsf_tls, named.places) == ("bsf.example", None, places)
    secured = reach.with_bsf_url("https://bsf.example/", tls)
    assert (secured.bsf_name, secured.bsf_tls, secured.bsf_port) == ("bsf.example", tls, 443)
    assert set(secured.places) == {"other.example"}
    clear = reach.with_bsf_url("http://bsf.example:8080", tls)
    assert (clear.bsf_tls, clear.bsf_port) == (None, 8080)
    urls = ("ftp://x", "https://", "https://a:b", "https://a:0", "https://a:99999", "https://a/b", "https://a b")
    for wrong in (*urls, "bsf..x", "bsf.example:8080", "bsf.example/", "http:bsf.example", "", "x" * 64):
        with pytest.raises(WrongUrl, match="FQDN"):
            reach.with_bsf_url(wrong, tls)
