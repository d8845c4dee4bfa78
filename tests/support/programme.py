"""A long programme on the air: head-end and terminal as programs, followed by what both count and what they take."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from host_tools.headend.bsda.slots import FRAME_MILLISECONDS
from tests.support.live import HeadEnd, Json, Terminal, metrics_of

SERVICE = "music"
SEK_LIFE = 60  # seconds of the programme
_SCENARIO = """
name = "programme"
seed = "a long programme"
start = 2026-11-21T12:00:00Z
duration = {duration}

[network]
bsf = "bsf.mnc001.mcc001.pub.3gppnetwork.org"
bsm = "bmsc.mnc001.mcc001.pub.3gppnetwork.org"
imsi = "001010123456789"
key_domain = "001-01"

[stkm]
crypto_period = 10.0
repeat = 2.0
lead = 1.0
copies = 2
port = 2269

[ltkm]
lead = 10.0

[recording]
view = "all"

[[service]]
id = "music"
key_group = 1
address = "239.1.1.1"
port = 5004
payload_type = 0
first_sequence = 0
"""
_ROLL_OVER = '\n[[event]]\nat = {at}\nkind = "sek-rollover"\nservice = "music"\n'
_PAGE, _TICKS = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_CLK_TCK")


def scenario(path: Path, minutes: int) -> str:
    """Write a scenario that lasts half an hour longer than so many minutes, with a new SEK in each; return its path.

    Programs take time to start: nobody has to be there for its begin or its end.
    """
    duration = (minutes + 30) * 60
    events = "".join(_ROLL_OVER.format(at=float(at)) for at in range(SEK_LIFE, duration, SEK_LIFE))
    path.write_text(_SCENARIO.format(duration=float(duration)) + events)
    return str(path)


def frames(minutes: int) -> int:
    """Return how many packets a programme has."""
    return minutes * 60 * 1000 // FRAME_MILLISECONDS


@dataclass
class Load:
    """What a process takes: octets of memory by share of the programme, and seconds of CPU."""

    pid: int
    sizes: list[tuple[float, int]] = field(default_factory=list)
    began: tuple[float, float] | None = None

    def weigh(self, share: float) -> None:
        """Note how large it is when so much of the programme is over; the first time the measure of CPU begins."""
        if self.began is None:
            self.began = time.monotonic(), self._cpu()
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        self.sizes.append((share, pages * _PAGE))

    def share(self) -> float:
        """Return the part of a processor that it took since it was weighed first."""
        assert self.began is not None
        return (self._cpu() - self.began[1]) / (time.monotonic() - self.began[0])

    def growth(self) -> int:
        """Return by how much it is larger at the end than after the first third."""
        warm = [size for share, size in self.sizes if 0.3 <= share <= 0.5]
        late = [size for share, size in self.sizes if share >= 0.8]
        return max(late) - max(warm)

    def _cpu(self) -> float:
        told = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(told[11]) + int(told[12])) / _TICKS


@dataclass(frozen=True)
class Counts:
    """What a head-end counted of the media of the programme."""

    sent: int
    late: int
    unmade: int
    refused: int
    worst: float

    @classmethod
    def of(cls, head_end: HeadEnd) -> Counts:
        found = metrics_of(head_end)
        media = f'service="{SERVICE}",kind="media"'

        def lost(reason: str) -> int:
            return found[f'bcast_uicc_air_lost_total {media},reason="{reason}"']

        return cls(
            sent=found[f"bcast_uicc_air_packets_total {media}"],
            late=lost("too late to be made"),
            unmade=lost("nobody made it"),
            refused=lost("refused by the system"),
            worst=found['bcast_uicc_air_lateness_microseconds share="1"'] / 1e6,
        )

    @property
    def not_sent(self) -> int:
        return self.late + self.unmade


def newest(terminal: Terminal) -> Json:
    """Return the newest figures, without reading all that was said before."""
    line = next((one for one in reversed(list(terminal.lines)) if '"event": "progress"' in one and "}\n" in one), "")
    told: Json = json.loads(line) if line else {"packets": 0}
    return told
