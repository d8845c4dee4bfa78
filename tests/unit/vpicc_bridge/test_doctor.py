"""Each check against a machine made of answers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from vpicc_bridge.doctor import Finding, Health, Machine, examine, first_fault, is_healthy
from vpicc_bridge.machine import VPCD_FIRST_PORT, ThisMachine

HERE = Path("/srv/uicc")


@dataclass(frozen=True)
class PaperMachine:
    """A machine on paper; as it stands, nothing is missing and pcscd runs."""

    version: tuple[int, int, int] = (3, 12, 1)
    programs: frozenset[str] = frozenset({"pcscd", "tshark"})
    driver: Path | None = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
    reader_file: Path | None = Path("/etc/reader.conf.d/vpcd")
    pid: int | None = 77
    systemd: bool = True
    socket: bool = True
    ports: frozenset[int] = frozenset({VPCD_FIRST_PORT})
    problems: dict[str, str] = field(default_factory=dict)
    card_folder: Path | None = HERE / "card"
    compiled: bool = False
    vicc: Path | None = Path("/usr/lib/virtualsmartcard")
    quickack: bool = True

    def python_version(self) -> tuple[int, int, int]:
        return self.version

    def program(self, name: str) -> Path | None:
        return Path("/usr/sbin") / name if name in self.programs else None

    def vpcd_driver(self) -> Path | None:
        return self.driver

    def vpcd_reader_file(self) -> Path | None:
        return self.reader_file

    def pcscd_pid(self) -> int | None:
        return self.pid

    def runs_systemd(self) -> bool:
        return self.systemd

    def has_pcscd_socket(self) -> bool:
        return self.socket

    def listens(self, port: int) -> bool:
        return port in self.ports

    def import_problem(self, module: str) -> str | None:
        return self.problems.get(module)

    def package_folder(self, package: str) -> Path | None:
        return self.card_folder if package == "card" else HERE / package

    def card_is_compiled(self) -> bool:
        return self.compiled

    def virtualsmartcard(self) -> Path | None:
        return self.vicc

    def has_quickack(self) -> bool:
        return self.quickack


GOOD = PaperMachine()
CLOSED = replace(GOOD, ports=frozenset())


def finding(machine: Machine, name: str) -> Finding:
    return next(found for found in examine(machine) if found.name == name)


def test_it_says_which_card_runs() -> None:
    assert finding(GOOD, "package card").detail == "ours, pure Python"
    assert finding(replace(GOOD, compiled=True), "package card").detail == "ours, compiled"


def test_a_complete_machine_has_nothing_to_fix() -> None:
    findings = list(examine(GOOD))
    assert {found.health for found in findings} == {Health.OK}
    assert not any(found.fix for found in findings)
    assert is_healthy(findings)


@pytest.mark.parametrize(
    ("machine", "name", "fix"),
    [
        (replace(GOOD, version=(3, 10, 9)), "Python", "python3.11"),
        (replace(GOOD, programs=frozenset()), "pcscd", "apt-get install pcscd"),
        (replace(GOOD, driver=None), "vpcd driver", "apt-get install vsmartcard-vpcd"),
        (replace(GOOD, problems={"smartcard.scard": "No module"}), "pyscard", "pip install pyscard"),
        (replace(GOOD, problems={"pylibsrtp": "No module"}), "pylibsrtp", "pip install pylibsrtp"),
        (replace(GOOD, problems={"aiohttp": "No module"}), "aiohttp", "pip install aiohttp"),
        (replace(GOOD, problems={"jinja2": "No module"}), "jinja2", "pip install jinja2"),
        (replace(GOOD, problems={"cryptography": "No module"}), "cryptography", "pip install cryptography"),
        (replace(GOOD, problems={"click": "No module"}), "click", "pip install click"),
        (replace(GOOD, problems={"rich": "No module"}), "rich", "pip install rich"),
        (replace(GOOD, problems={"sqlite3": "No module"}), "SQLite", "libsqlite3-dev"),
        (replace(GOOD, card_folder=Path("/usr/lib/card")), "package card", "make clean setup"),
        (replace(GOOD, card_folder=None), "package card", "make clean setup"),
    ],
)
def test_what_is_needed_and_absent_is_missing(machine: PaperMachine, name: str, fix: str) -> None:
    found = finding(machine, name)
    assert found.health is Health.MISSING
    assert fix in found.fix
    assert not is_healthy(list(examine(machine)))


@pytest.mark.parametrize(
    ("machine", "name", "fix"),
    [
        (replace(GOOD, reader_file=None), "vpcd in pcscd's readers", "--reinstall"),
        (replace(GOOD, pid=None, socket=False), "pcscd running", "systemctl start pcscd.socket"),
        (replace(GOOD, pid=None, systemd=False), "pcscd running", "sudo pcscd"),
        (CLOSED, f"port {VPCD_FIRST_PORT}", "systemctl restart pcscd"),
        (replace(CLOSED, systemd=False), f"port {VPCD_FIRST_PORT}", "kill 77"),
        (replace(CLOSED, pid=None), f"port {VPCD_FIRST_PORT}", "pcsc_scan -r"),
        (replace(CLOSED, pid=None, systemd=False), f"port {VPCD_FIRST_PORT}", "sudo pcscd"),
        (replace(GOOD, vicc=None), "virtualsmartcard", "apt-get install vsmartcard-vpicc"),
        (replace(GOOD, problems={"Crypto": "No module"}), "virtualsmartcard", "pip install pycryptodome"),
        (replace(GOOD, programs=frozenset({"pcscd"})), "tshark", "apt-get install tshark"),
        (replace(GOOD, problems={"sslpsk3": "No module"}), "TLS with PSK", "pip install sslpsk3"),
        (replace(GOOD, quickack=False), "TCP_QUICKACK", ""),
    ],
)
def test_what_the_main_job_can_do_without_is_optional(machine: PaperMachine, name: str, fix: str) -> None:
    found = finding(machine, name)
    assert found.health is Health.OPTIONAL
    assert fix in found.fix
    assert is_healthy(list(examine(machine)))


def test_a_pcscd_that_systemd_will_wake_counts_as_running() -> None:
    found = finding(replace(CLOSED, pid=None), "pcscd running")
    assert found.health is Health.OK
    assert "first PC/SC client" in found.detail


def test_newer_pythons_bring_tls_with_psk() -> None:
    machine = replace(GOOD, version=(3, 13, 0), problems={"sslpsk3": "No module"})
    assert finding(machine, "TLS with PSK").health is Health.OK


@pytest.mark.parametrize(
    ("machine", "name"),
    [
        (replace(CLOSED, programs=frozenset(), driver=None), "pcscd"),
        (replace(CLOSED, driver=None, problems={"rich": "No module"}), "vpcd driver"),
        (replace(CLOSED, reader_file=None), "vpcd in pcscd's readers"),
        (replace(CLOSED, pid=None, systemd=False), "pcscd running"),
        (CLOSED, f"port {VPCD_FIRST_PORT}"),
    ],
)
def test_the_first_fault_on_the_way_to_the_reader_comes_first(machine: PaperMachine, name: str) -> None:
    assert first_fault(machine) == finding(machine, name)


def test_a_clear_way_has_no_fault() -> None:
    assert first_fault(replace(GOOD, problems={"rich": "No module"})) is None


def test_this_machine_answers_every_question() -> None:
    names = [found.name for found in examine(ThisMachine())]
    assert len(names) == len(set(names)) == 21
    assert finding(ThisMachine(), "package card").health is Health.OK
