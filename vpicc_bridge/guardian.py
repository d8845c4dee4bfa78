"""Ends a process of ours when we cannot: the kernel tells a small shell of our death by closing its pipe.

Whoever is killed with SIGKILL cleans nothing up. A signal set with prctl(PR_SET_PDEATHSIG) would do as much for the
process alone, but is sent when the thread that started it ends, and leaves the folder behind.
"""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Final

# The process is told first, then its folder goes. `read` returns when the last writer of the pipe is gone: us.
_WATCH: Final = 'read -r _; kill -TERM "$1" 2>/dev/null; test -z "$2" || rm -rf -- "$2"'


class Guardian:
    """Context manager: while it is open, our sudden death ends process `pid` and removes `folder`, if there is one.

    Leaving the block does neither. The pipe's end is ours alone, as subprocesses inherit no descriptors.
    """

    def __init__(self, pid: int, folder: Path | None = None) -> None:
        command = ["/bin/sh", "-c", _WATCH, "sh", str(pid), str(folder) if folder is not None else ""]
        # A session of its own: neither Ctrl-C nor a terminal that is closed may end it before us.
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            cwd="/", start_new_session=True,
        )  # fmt: skip

    @property
    def pid(self) -> int:
        """Process id of the guardian itself."""
        return self._process.pid

    def close(self) -> None:
        """Let the process live. Closing twice is harmless."""
        self._process.kill()  # before the pipe closes, or it would do its duty
        self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def __enter__(self) -> Guardian:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
