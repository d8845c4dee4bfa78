"""A pcscd of one's own: up to 16 virtual readers, private configuration, the system's instance untouched.

Used by tests, the demo and `run --private-pcscd`. Everything lives in one temporary directory that goes away with the
context manager, or with a guardian when our process is killed.

The driver (vpcd 3.3) listens on every address of the machine and asks for no password; that cannot be
configured. Whoever reaches a port can be the card in that reader, so do not run this on a machine that
strangers can reach.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import random
import shutil
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

from vpicc_bridge.guardian import Guardian
from vpicc_bridge.machine import RUN_DIRECTORY, find_program, find_vpcd_driver, listening_ports, socket_inodes

MAX_SLOTS: Final = 16
"""pcscd's own limit (PCSCLITE_MAX_READERS_CONTEXTS)."""

SOCKET_VARIABLE: Final = "PCSCLITE_CSOCK_NAME"
"""Names the pcscd socket to libpcsclite. It is read once per process, at the first PC/SC call."""

READER_NAME: Final = "Virtual PCD"
SERVICE_USER: Final = "nobody"

_START_TIMEOUT: Final = 10.0
_STOP_TIMEOUT: Final = 5.0
_PID_FILE: Final = str(RUN_DIRECTORY / "pcscd.pid")
_POLL_INTERVAL: Final = 0.02
_ATTEMPTS: Final = 5
_PORTS: Final = range(36100, 60000, 2)

# systemd's socket activation (sd_listen_fds(3)) by hand: the listening socket comes in as descriptor 0,
# moves to 3, and LISTEN_PID must be the pid that pcscd ends up with, which only the shell that becomes
# pcscd knows.
_ACTIVATE: Final = 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$@" 3<&0 </dev/null'


class PcscdError(Exception):
    """The private pcscd cannot be started. The message is one sentence with the remedy in it."""


class PrivatePcscd:
    """Context manager around one private pcscd with `slots` virtual readers (1 to 16).

    Clients reach it with `environ()`; cards dial 127.0.0.1 at one of `ports`; `reader_names` are in the
    same order. Entering raises `PcscdError` when a package is missing or the readers do not come up within
    `timeout` seconds.
    """

    def __init__(self, slots: int = 2, *, timeout: float = _START_TIMEOUT) -> None:
        if not 1 <= slots <= MAX_SLOTS:
            raise ValueError(f"slots: 1 to {MAX_SLOTS}, not {slots}")
        self._slots = slots
        self._timeout = timeout
        self._ports: tuple[int, ...] = ()
        self._home: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._guardian: Guardian | None = None
        self._cleanup = contextlib.ExitStack()

    @property
    def ports(self) -> tuple[int, ...]:
        """TCP ports for cards, one per slot."""
        return self._ports

    @property
    def reader_names(self) -> tuple[str, ...]:
        """The name a PC/SC client sees for each slot; the driver makes readers of two slots each."""
        return tuple(f"{_friendly_name(slot // 2)} 00 {slot % 2:02X}" for slot in range(self._slots))

    @property
    def socket_path(self) -> Path:
        """The unix socket that PC/SC clients connect to."""
        if self._home is None:
            raise RuntimeError("the private pcscd has not been started")
        return self._home / "pcscd.comm"

    @property
    def pid(self) -> int | None:
        """Process id of the running pcscd, or None."""
        return self._process.pid if self._process is not None else None

    @property
    def obituary(self) -> str | None:
        """Why pcscd is no longer running, in one sentence; None while it runs, and before it is started."""
        status = None if self._process is None else self._process.poll()
        if status is None:
            return None
        if status < 0:
            return f"the private pcscd was ended by signal {-status}"
        return f"the private pcscd ended by itself: {self._last_words()}"

    def environ(self) -> dict[str, str]:
        """Return a copy of this process's environment that leads PC/SC clients to this pcscd."""
        return {**os.environ, SOCKET_VARIABLE: str(self.socket_path)}

    def __enter__(self) -> PrivatePcscd:
        try:
            self._start()
        except BaseException:
            self._cleanup.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cleanup.close()

    def _start(self) -> None:
        program, driver = _installed()
        _ensure_run_directory()
        account = _Account.for_service()
        # With the process in its name, so that what a killed one leaves can be told from what is in use.
        folder = tempfile.TemporaryDirectory(prefix=f"bcast-uicc-pcscd-{os.getpid()}-")
        self._home = Path(self._cleanup.enter_context(folder))
        account.own(self._home)
        self._cleanup.callback(self._stop)
        for _ in range(_ATTEMPTS):
            self._ports = _free_ports(self._slots)
            _write_configuration(self._home, driver, self._ports)
            self._launch([str(program), *_options(program, self._home)], account)
            if self._readers_open():
                return
            self._stop()
        raise PcscdError(f"no free TCP ports for vpcd after {_ATTEMPTS} attempts")

    def _launch(self, command: list[str], account: _Account) -> None:
        with _unix_listener(self.socket_path, account) as listener, self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", _ACTIVATE, "sh", *command],
                stdin=listener.fileno(),
                stdout=log,
                stderr=log,
                cwd="/",
                process_group=0,  # Ctrl-C in a terminal is for us; we end it when our own work is undone
                user=account.uid,
                group=account.gid,
                extra_groups=account.extra_groups,
            )
        self._guardian = Guardian(self._process.pid, self._home)

    def _readers_open(self) -> bool:
        """Wait until pcscd listens on every port; False when another process was quicker to take one."""
        deadline = time.monotonic() + self._timeout
        while True:
            if self._process is None or self._process.poll() is not None:
                raise PcscdError(f"the private pcscd ended at once: {self._last_words()}")
            listening, own = listening_ports(), socket_inodes(self._process.pid)
            if all(port in listening for port in self._ports):
                return own is None or all(listening[port] & own for port in self._ports)
            if time.monotonic() > deadline:
                raise PcscdError(f"no virtual reader within {self._timeout:g} s: {self._last_words()}")
            time.sleep(_POLL_INTERVAL)

    def _stop(self) -> None:
        process, self._process = self._process, None
        guardian, self._guardian = self._guardian, None
        if process is None:
            return
        try:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_TIMEOUT)
        finally:
            process.kill()  # nothing happens when it has ended; an impatient Ctrl-C must not leave it behind
            process.wait()
            if guardian is not None:
                guardian.close()

    @property
    def _log(self) -> Path:
        return self.socket_path.with_name("pcscd.log")

    def _last_words(self) -> str:
        lines = [line for line in self._log.read_text(errors="replace").splitlines() if _is_telling(line)]
        return " / ".join(lines[-3:]) or "pcscd printed nothing"


@dataclass(frozen=True, slots=True)
class _Account:
    """The user pcscd runs as: None for the present one.

    Root's pcscd would overwrite the system instance's pid file and delete it at the end, so root hands over.
    """

    uid: int | None
    gid: int | None
    extra_groups: tuple[int, ...] | None

    @classmethod
    def for_service(cls) -> _Account:
        if os.geteuid() != 0:
            return cls(None, None, None)
        try:
            entry = pwd.getpwnam(SERVICE_USER)
        except KeyError:
            raise PcscdError(f"pcscd must not run as root, and there is no user {SERVICE_USER}") from None
        return cls(entry.pw_uid, entry.pw_gid, ())

    def own(self, path: Path) -> None:
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


def _is_telling(line: str) -> bool:
    # Not being the system's instance, ours always complains that it may not write that one's pid file.
    return bool(line.strip()) and _PID_FILE not in line


def _installed() -> tuple[Path, Path]:
    program, driver = find_program("pcscd"), find_vpcd_driver()
    if program is None:
        raise PcscdError("pcscd is not installed; on Debian or Ubuntu: sudo apt-get install pcscd")
    if driver is None:
        raise PcscdError("the vpcd driver is not installed; on Debian or Ubuntu: sudo apt-get install vsmartcard-vpcd")
    return program, driver


def _ensure_run_directory() -> None:
    # pcscd refuses to start without it; the packages create it only when the system's instance starts.
    try:
        RUN_DIRECTORY.mkdir(mode=0o755, exist_ok=True)
    except OSError:
        raise PcscdError(f"pcscd needs its directory: sudo mkdir -p {RUN_DIRECTORY}") from None


def _free_ports(slots: int) -> tuple[int, ...]:
    """Choose ports that are free now, in neighbouring pairs as the driver wants them."""
    ports: list[int] = []
    listening = listening_ports()
    for port in random.sample(_PORTS, len(_PORTS)):
        if port not in listening and port + 1 not in listening and _bindable(port) and _bindable(port + 1):
            ports += [port, port + 1]
        if len(ports) >= slots:
            return tuple(ports[:slots])
    raise PcscdError(f"no {slots} free TCP ports between {_PORTS.start} and {_PORTS.stop}")


def _bindable(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True


def _friendly_name(pair: int) -> str:
    # pcscd numbers readers per driver library, and every pair has its own copy: equal names would stay equal.
    return READER_NAME if pair == 0 else f"{READER_NAME} {chr(ord('A') + pair)}"


def _write_configuration(home: Path, driver: Path, ports: tuple[int, ...]) -> None:
    """Write one reader.conf with an entry per pair of slots.

    One file, because separate files load in directory order and shuffle the reader numbers. A driver copy
    per entry, because the driver keeps one static slot table per loaded library and two entries on one copy
    share their slots.
    """
    folder = home / "reader.conf.d"
    folder.mkdir(exist_ok=True)
    entries = []
    for index, port in enumerate(ports[::2]):
        library = home / f"libifdvpcd-{index}.so"
        shutil.copyfile(driver, library)
        entries.append(
            f'FRIENDLYNAME "{_friendly_name(index)}"\nDEVICENAME /dev/null:0x{port:X}\n'
            f"LIBPATH {library}\nCHANNELID 0x{port:X}\n"
        )
    (folder / "vpcd").write_text("\n".join(entries))


def _options(program: Path, home: Path) -> list[str]:
    usage = subprocess.run([program, "--help"], capture_output=True, text=True, check=False)
    # Without polkit's leave a session-less user (a CI job, a service account) would be refused by newer
    # builds.
    polkit = ["--disable-polkit"] if "--disable-polkit" in usage.stdout + usage.stderr else []
    return ["--foreground", "--error", "--config", str(home / "reader.conf.d"), *polkit]


def _unix_listener(path: Path, account: _Account) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))
    except OSError as error:
        listener.close()
        raise PcscdError(f"cannot create the socket {path} ({error}); set TMPDIR to a short path") from None
    account.own(path)
    listener.listen(socket.SOMAXCONN)
    return listener
