"""Multicast through the commands, in a network namespace where the loopback interface is all there is.

Started by `unshare -rn` with a folder, after the interface is up. tshark hears all of it; the last line of standard
output is JSON: what the terminal says at its end, how late the head-end's last packet was, and how many frames of each
protocol tshark saw.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.support.live import HeadEnd, Terminal, worst_lateness
from tests.support.tshark_files import wait_for_all, wait_for_beginning

_RTP = ("-d", "udp.port==5004,rtp", "-d", "udp.port==5006,rtp")


def run(folder: Path, tshark: str) -> None:
    """Serve, listen, count."""
    caught = folder / "lo.pcapng"
    with subprocess.Popen([tshark, "-q", "-i", "lo", "-w", str(caught)], stderr=subprocess.DEVNULL) as watching:
        wait_for_beginning(caught)
        air = ("--air", "--loop", "--multicast", "--speed", "4", "--db", "memory")
        with (
            HeadEnd("demo", folder, *air) as head_end,
            Terminal("tone-a", head_end.network, "127.0.0.2", "--duration", "4") as terminal,
        ):
            assert terminal.wait() == 0, terminal.story()
            late = worst_lateness(head_end)
        wait_for_all(caught)  # tshark's buffers are written now and then, and not when it is ended
        watching.terminate()
        watching.wait()
    told = subprocess.run(
        [tshark, "-r", str(caught), *_RTP, "-T", "fields", "-e", "ip.dst", "-e", "_ws.col.Protocol"],
        capture_output=True,
        text=True,
        check=True,
    )
    seen = Counter(told.stdout.splitlines())
    print(json.dumps({"ended": terminal.ended, "late": late, "seen": seen}))


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2])
