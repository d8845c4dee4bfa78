"""Finds what is missing on this machine and says how to get it.

Every check is a pure function of a `Machine`, which only looks: nothing is started, dialled or changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from vpicc_bridge.machine import RUN_DIRECTORY, VPCD_FIRST_PORT

OLDEST_PYTHON: Final = (3, 11)
_PYTHON_WITH_PSK: Final = (3, 13)


class Health(Enum):
    """What a finding means: fine, needed and absent, or absent without harm to the main job."""

    OK = "ok"
    MISSING = "missing"
    OPTIONAL = "optional"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report; `fix` is a command, or empty when there is nothing to do."""

    name: str
    health: Health
    detail: str
    fix: str = ""


class Machine(Protocol):
    """What the checks may ask. `machine.ThisMachine` answers for the real one."""

    def python_version(self) -> tuple[int, int, int]:
        """Version of the running interpreter."""

    def program(self, name: str) -> Path | None:
        """Where a program is installed."""

    def vpcd_driver(self) -> Path | None:
        """Where vpcd's driver library is installed."""

    def vpcd_reader_file(self) -> Path | None:
        """The file in pcscd's configuration that names vpcd's driver."""

    def pcscd_pid(self) -> int | None:
        """Process id of the system's pcscd."""

    def runs_systemd(self) -> bool:
        """Whether systemd manages this machine's services."""

    def has_pcscd_socket(self) -> bool:
        """Whether the socket for PC/SC clients is there."""

    def listens(self, port: int) -> bool:
        """Whether anybody listens on a TCP port."""

    def import_problem(self, module: str) -> str | None:
        """Why a module cannot be imported, or None when it can."""

    def package_folder(self, package: str) -> Path | None:
        """The folder a package would be imported from."""

    def card_is_compiled(self) -> bool:
        """Whether the card that would be imported has its hot modules compiled."""

    def virtualsmartcard(self) -> Path | None:
        """Where Debian's virtualsmartcard is."""

    def has_quickack(self) -> bool:
        """Whether sockets here have TCP_QUICKACK."""


def examine(machine: Machine) -> Iterator[Finding]:
    """Run every check, in the order in which a user would fix things."""
    for check in _CHECKS:
        yield check(machine)


def first_fault(machine: Machine) -> Finding | None:
    """Return the first thing that keeps a card from the system's reader, or None where the way is clear."""
    findings = (check(machine) for check in _WAY_TO_THE_READER)
    return next((finding for finding in findings if finding.health is not Health.OK), None)


def is_healthy(findings: Sequence[Finding]) -> bool:
    """Whether everything needed is there."""
    return all(finding.health is not Health.MISSING for finding in findings)


def _check_python(machine: Machine) -> Finding:
    version = machine.python_version()
    text = ".".join(map(str, version))
    if version >= OLDEST_PYTHON:
        return Finding("Python", Health.OK, text)
    return Finding("Python", Health.MISSING, f"{text} is too old", "sudo apt-get install python3.11-venv")


def _check_card_package(machine: Machine) -> Finding:
    name = "package card"
    ours, found = machine.package_folder("vpicc_bridge"), machine.package_folder("card")
    if found is not None and ours is not None and found.parent == ours.parent:
        return Finding(name, Health.OK, "ours, compiled" if machine.card_is_compiled() else "ours, pure Python")
    where = f"another project's, in {found}" if found else "not found"
    return Finding(name, Health.MISSING, where, "make clean setup   # installs into an environment of its own")


def _check_sqlite(machine: Machine) -> Finding:
    fix = "sudo apt-get install libsqlite3-dev   # then rebuild this Python"
    return _check_module(machine, "SQLite", "sqlite3", fix)


def _check_pyscard(machine: Machine) -> Finding:
    fix = "sudo apt-get install gcc python3-dev swig libpcsclite-dev && python3 -m pip install pyscard"
    return _check_module(machine, "pyscard", "smartcard.scard", fix)


def _check_package(machine: Machine, module: str) -> Finding:
    return _check_module(machine, module, module, f"python3 -m pip install {module}")


def _check_module(machine: Machine, name: str, module: str, fix: str) -> Finding:
    problem = machine.import_problem(module)
    if problem is None:
        return Finding(name, Health.OK, "importable")
    return Finding(name, Health.MISSING, problem, fix)


def _check_pcscd(machine: Machine) -> Finding:
    found = machine.program("pcscd")
    if found is None:
        return Finding("pcscd", Health.MISSING, "not installed", "sudo apt-get install pcscd")
    return Finding("pcscd", Health.OK, str(found))


def _check_driver(machine: Machine) -> Finding:
    found = machine.vpcd_driver()
    if found is None:
        return Finding("vpcd driver", Health.MISSING, "not installed", "sudo apt-get install vsmartcard-vpcd")
    return Finding("vpcd driver", Health.OK, str(found))


def _check_reader_file(machine: Machine) -> Finding:
    name = "vpcd in pcscd's readers"
    found = machine.vpcd_reader_file()
    if found is None:
        # The demo and the tests bring their own configuration.
        fix = "sudo apt-get install --reinstall -o Dpkg::Options::=--force-confmiss vsmartcard-vpcd"
        return Finding(name, Health.OPTIONAL, "no reader file that can be read names the driver", fix)
    return Finding(name, Health.OK, str(found))


def _check_pcscd_running(machine: Machine) -> Finding:
    pid = machine.pcscd_pid()
    if pid is not None:
        return Finding("pcscd running", Health.OK, f"process {pid}")
    if _is_socket_activated(machine):
        return Finding("pcscd running", Health.OK, "systemd starts it for the first PC/SC client")
    detail = "no; `bcast-uicc run` needs it unless given --private-pcscd, the demo and the tests do not"
    return Finding("pcscd running", Health.OPTIONAL, detail, _start_command(machine))


def _check_port(machine: Machine) -> Finding:
    name = f"port {VPCD_FIRST_PORT}"
    if machine.listens(VPCD_FIRST_PORT):
        return Finding(name, Health.OK, "open")
    if machine.pcscd_pid() is not None:
        detail = "closed although pcscd runs: it was started before the driver came, or with other readers"
        return Finding(name, Health.OPTIONAL, detail, _restart_command(machine))
    if _is_socket_activated(machine):
        detail = "closed until a PC/SC client wakes pcscd; a waiting card connects by itself then"
        return Finding(name, Health.OPTIONAL, detail, "pcsc_scan -r   # or any other PC/SC program")
    return Finding(name, Health.OPTIONAL, "closed: pcscd does not run", _start_command(machine))


def _is_socket_activated(machine: Machine) -> bool:
    return machine.runs_systemd() and machine.has_pcscd_socket()


def _restart_command(machine: Machine) -> str:
    if machine.runs_systemd():
        return "sudo systemctl restart pcscd"
    return f"sudo kill {machine.pcscd_pid()} && sudo pcscd"


def _start_command(machine: Machine) -> str:
    if machine.runs_systemd():
        return "sudo systemctl start pcscd.socket"
    return f"sudo mkdir -p {RUN_DIRECTORY} && sudo pcscd"


def _check_quickack(machine: Machine) -> Finding:
    if machine.has_quickack():
        return Finding("TCP_QUICKACK", Health.OK, "available")
    return Finding("TCP_QUICKACK", Health.OPTIONAL, "not on this platform: about 20 APDU/s on a stock vpcd")


def _check_tls_psk(machine: Machine) -> Finding:
    name = "TLS with PSK"
    if machine.python_version() >= _PYTHON_WITH_PSK:
        return Finding(name, Health.OK, "part of this Python")
    if machine.import_problem("sslpsk3") is None:
        return Finding(name, Health.OK, "importable")
    detail = "no sslpsk3; only `--sac tls-psk` needs it"
    return Finding(name, Health.OPTIONAL, detail, "python3 -m pip install sslpsk3")


def _check_tshark(machine: Machine) -> Finding:
    found = machine.program("tshark")
    if found is None:
        detail = "not installed; only the tests that ask a second opinion on our bytes need it"
        return Finding("tshark", Health.OPTIONAL, detail, "sudo apt-get install tshark")
    return Finding("tshark", Health.OK, str(found))


def _check_virtualsmartcard(machine: Machine) -> Finding:
    found = machine.virtualsmartcard()
    if found is None:
        detail = "not installed; only `bcast-uicc run --bridge vpicc` needs it"
        return Finding("virtualsmartcard", Health.OPTIONAL, detail, "sudo apt-get install vsmartcard-vpicc")
    if problem := machine.import_problem("Crypto"):
        fix = "python3 -m pip install pycryptodome"
        return Finding("virtualsmartcard", Health.OPTIONAL, f"lacks pycryptodome ({problem})", fix)
    return Finding("virtualsmartcard", Health.OK, str(found))


_WAY_TO_THE_READER: Final = (_check_pcscd, _check_driver, _check_reader_file, _check_pcscd_running, _check_port)

_CHECKS: Final[tuple[Callable[[Machine], Finding], ...]] = (
    _check_python,
    _check_card_package,
    _check_sqlite,
    partial(_check_package, module="cryptography"),
    partial(_check_package, module="click"),
    partial(_check_package, module="rich"),
    _check_pyscard,
    partial(_check_package, module="pylibsrtp"),
    partial(_check_package, module="lxml"),
    partial(_check_package, module="aiohttp"),
    partial(_check_package, module="sqlalchemy"),
    partial(_check_package, module="jinja2"),
    _check_pcscd,
    _check_driver,
    _check_reader_file,
    _check_pcscd_running,
    _check_port,
    _check_quickack,
    _check_virtualsmartcard,
    _check_tls_psk,
    _check_tshark,
)
