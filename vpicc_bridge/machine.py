"""Read-only look at the machine: programs, files, listening ports. Opens no connection, changes nothing."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterable
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Final

from vpicc_bridge.lines import HAS_QUICKACK

VPCD_FIRST_PORT: Final = 35963
"""TCP port (0x8C7B) of vpcd's slot 0 as Debian and upstream configure it; slot n is at this port + n."""

RUN_DIRECTORY: Final = Path("/run/pcscd")
"""Where pcscd keeps its pid file and socket; compiled into Debian's build."""

_DRIVER_PATTERNS: Final = (
    "lib/pcsc/drivers/serial/libifdvpcd.so*",
    "lib/*/pcsc/drivers/serial/libifdvpcd.so*",
    "lib64/pcsc/drivers/serial/libifdvpcd.so*",
)
READER_FOLDER: Final = Path("/etc/reader.conf.d")
"""Where Debian's pcscd looks for serial and virtual readers."""

VIRTUALSMARTCARD_LOCATIONS: Final = (
    Path("/usr/lib/python3/dist-packages"),
    Path("/usr/lib/python3/site-packages"),
    Path("/usr/lib/python3/site-packages/virtualsmartcard"),
    Path("/usr/local/lib/python3/site-packages"),
)
"""Folders that may hold the package. Debian 12 puts it one level below a folder that is on nobody's path."""

_TCP_TABLES: Final = ("net/tcp", "net/tcp6")
_LISTEN: Final = "0A"


def find_program(name: str) -> Path | None:
    """Locate a program on the path or in the system directories a plain user's path leaves out."""
    import shutil

    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")
    return Path(found) if found else None


def find_vpcd_driver(prefixes: tuple[Path, ...] = (Path("/usr"), Path("/usr/local"))) -> Path | None:
    """Locate vpcd's driver library, libifdvpcd.so, or return None."""
    for prefix in prefixes:
        for pattern in _DRIVER_PATTERNS:
            if found := sorted(prefix.glob(pattern)):
                return found[0]
    return None


def is_compiled(card_package: Path) -> bool:
    """Tell whether the card in this folder has its hot modules as machine code, from the same source (mypyc)."""
    return any((card_package / f"card{suffix}").exists() for suffix in EXTENSION_SUFFIXES)


def listening_ports(proc: Path = Path("/proc")) -> dict[int, set[int]]:
    """Return each TCP port that is listened on, with the inodes of its sockets.

    Reads the kernel's tables instead of connecting, because vpcd takes every connection for a card.
    """
    ports: dict[int, set[int]] = {}
    for table in _TCP_TABLES:
        path = proc / table
        if not path.exists():
            continue
        for line in path.read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN:
                port = int(fields[1].rpartition(":")[2], 16)
                ports.setdefault(port, set()).add(int(fields[9]))
    return ports


def socket_inodes(pid: int, proc: Path = Path("/proc")) -> set[int] | None:
    """Return the inodes of a process's sockets; None when it has ended or may not be inspected."""
    try:
        entries = list((proc / str(pid) / "fd").iterdir())
    except OSError:
        return None
    return {inode for entry in entries if (inode := _socket_inode(entry)) is not None}


def _socket_inode(entry: Path) -> int | None:
    try:
        target = entry.readlink().name
    except OSError:  # closed since it was listed
        return None
    return int(target[len("socket:[") : -1]) if target.startswith("socket:[") else None


def find_vpcd_reader_file(folder: Path = READER_FOLDER) -> Path | None:
    """Return the file of pcscd's reader configuration that names vpcd's driver, or None.

    One that may not be read is passed over.
    """
    found = sorted(folder.glob("*")) if folder.is_dir() else []
    return next((path for path in found if _names_vpcd(path)), None)


def _names_vpcd(path: Path) -> bool:
    try:
        return path.is_file() and "libifdvpcd" in path.read_text(errors="replace")
    except OSError:
        return False


def find_pcscd_pid(folder: Path = RUN_DIRECTORY, proc: Path = Path("/proc")) -> int | None:
    """Return the process id of the system's pcscd as its pid file says, if that process is there."""
    try:
        pid = int((folder / "pcscd.pid").read_text())
    except (OSError, ValueError):
        return None
    return pid if (proc / str(pid)).exists() else None


def find_virtualsmartcard(locations: Iterable[Path] = VIRTUALSMARTCARD_LOCATIONS) -> Path | None:
    """Return the folder of the package `virtualsmartcard`, or None when it is not installed."""
    for location in locations:
        folder = location / "virtualsmartcard"
        if (folder / "VirtualSmartcard.py").is_file():
            return folder
    return None


class ThisMachine:
    """Answers the doctor's questions (`doctor.Machine`) about the machine it runs on."""

    def python_version(self) -> tuple[int, int, int]:
        """Version of the running interpreter."""
        return sys.version_info[:3]

    def program(self, name: str) -> Path | None:
        """Where a program is installed."""
        return find_program(name)

    def vpcd_driver(self) -> Path | None:
        """Where vpcd's driver library is installed."""
        return find_vpcd_driver()

    def vpcd_reader_file(self) -> Path | None:
        """The file in pcscd's configuration that names vpcd's driver."""
        return find_vpcd_reader_file()

    def pcscd_pid(self) -> int | None:
        """Process id of the system's pcscd."""
        return find_pcscd_pid()

    def runs_systemd(self) -> bool:
        """Whether systemd manages this machine's services (sd_booted(3))."""
        return Path("/run/systemd/system").is_dir()

    def has_pcscd_socket(self) -> bool:
        """Whether the socket for PC/SC clients is there."""
        return (RUN_DIRECTORY / "pcscd.comm").exists()

    def listens(self, port: int) -> bool:
        """Whether anybody listens on a TCP port."""
        return port in listening_ports()

    def import_problem(self, module: str) -> str | None:
        """Why a module cannot be imported, or None when it can."""
        try:
            importlib.import_module(module)
        except Exception as error:  # a broken native library may raise anything
            return str(error) or type(error).__name__
        return None

    def package_folder(self, package: str) -> Path | None:
        """The folder a package would be imported from, without importing it."""
        spec = importlib.util.find_spec(package)
        locations = spec.submodule_search_locations if spec is not None else None
        return Path(next(iter(locations))).resolve() if locations else None

    def card_is_compiled(self) -> bool:
        """Whether the card that would be imported has its hot modules compiled."""
        folder = self.package_folder("card")
        return folder is not None and is_compiled(folder)

    def virtualsmartcard(self) -> Path | None:
        """Where Debian's virtualsmartcard is."""
        return find_virtualsmartcard()

    def has_quickack(self) -> bool:
        """Whether sockets here have TCP_QUICKACK."""
        return HAS_QUICKACK
