"""A PostgreSQL server of its own for tests: on a socket in a short folder, as another user where this one is root."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.capabilities import postgresql

_MOST_SECONDS = 120.0
"""Until a program that does not end, or a server that does not answer, counts as stuck."""
_NUMBERS = itertools.count()
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "listen_addresses=", "max_connections=20")


class PostgreSql:
    """A server that runs."""

    def __init__(self, folder: Path, programs: Path, who: dict[str, object]) -> None:
        self._folder = folder
        self._programs = programs
        self._who = who

    def database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"t{next(_NUMBERS)}"
        self._run("createdb", "-h", str(self._folder), "-U", "test", name)
        return f"postgresql://test@/{name}?host={self._folder}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=_MOST_SECONDS, cwd=self._folder, **self._who)  # type: ignore[call-overload]


@contextmanager
def postgresql_server() -> Iterator[PostgreSql]:
    """Run a server until the block ends, and leave nothing of it."""
    programs = postgresql()
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # the path of a socket has 107 characters at most
    who: dict[str, object] = {}
    if os.geteuid() == 0:  # initdb refuses root
        other = pwd.getpwnam("postgres" if _has("postgres") else "nobody")
        os.chown(folder, other.pw_uid, other.pw_gid)
        who = {"user": other.pw_uid, "group": other.pw_gid, "extra_groups": []}
    server = PostgreSql(folder, programs, who)
    process: subprocess.Popen[bytes] | None = None
    try:
        data = str(folder / "data")
        server._run(
            "initdb", "-D", data, "-U", "test", "-A", "trust", "-N", "-E", "UTF8", "--locale=C.UTF-8",
            "--no-instructions",
        )  # fmt: skip
        settings = [argument for setting in _FAST for argument in ("-c", setting)]
        process = subprocess.Popen(
            [str(programs / "postgres"), "-D", data, "-k", str(folder), *settings],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, **who,  # type: ignore[call-overload]
        )  # fmt: skip
        _await(server, folder)
        yield server
    finally:
        if process is not None:
            process.send_signal(signal.SIGINT)
            process.wait(_MOST_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)


def _await(server: PostgreSql, folder: Path) -> None:
    until = time.monotonic() + _MOST_SECONDS
    while True:
        try:
            return server._run("pg_isready", "-q", "-h", str(folder))
        except subprocess.CalledProcessError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


def _has(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True
