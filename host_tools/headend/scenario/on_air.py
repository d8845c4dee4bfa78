"""What of a scenario is on the air at a moment, for the BSM."""

from __future__ import annotations

from datetime import datetime

from host_tools.headend.bsm.srtp_policy import SrtpDescription, srtp_description
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.seeded_keys import media_stream
from host_tools.headend.scenario.timetable import Timetable


class ScenarioServices:
    """The services of a scenario whose broadcast began at `began`, and goes `speed` times as fast as the clock."""

    def __init__(self, scenario: Scenario, began: datetime, speed: float = 1.0, *, loop: bool = False) -> None:
        """Take what is broadcast since when, and whether it begins again at its end."""
        self._scenario = scenario
        self._began = began
        self._speed = speed
        self._timetable = Timetable(scenario, loop)

    @property
    def timetable(self) -> Timetable:
        """What is sent when, from the begin of the broadcast."""
        return self._timetable

    @property
    def began(self) -> datetime:
        """When the broadcast began."""
        return self._began

    @property
    def lap(self) -> int | None:
        """After how many crypto periods MTK IDs begin again at 1; None where they never do."""
        return self._timetable.lap

    def mtk_id(self, service: str, moment: datetime) -> int:
        """Return the MTK ID of the crypto period at this moment. Raises `HeadendError` for an unknown service."""
        self._scenario.service(service)
        return self._timetable.mtk_id(self.elapsed(moment))

    def crypto_period(self, moment: datetime) -> tuple[float, float]:
        """Return how long the crypto period of this moment has run, and how long it is, in seconds of the clock."""
        period = self._scenario.stkm.crypto_period
        return self.elapsed(moment) % period / 1000 / self._speed, period / 1000 / self._speed

    def periods_before(self, moment: datetime) -> int:
        """Return how many crypto periods there were before that of this moment."""
        return max(self.elapsed(moment), 0) // self._scenario.stkm.crypto_period

    def stream(self, service: str, moment: datetime, first_mtk_id: int) -> SrtpDescription:
        """Describe the stream as it stands at this moment, or at the begin of this crypto period if that is later."""
        elapsed, period = self.elapsed(moment), self._scenario.stkm.crypto_period
        ahead = max(first_mtk_id - self._timetable.mtk_id(elapsed), 0)
        begins = (elapsed // period + ahead) * period if ahead else elapsed
        stream = media_stream(self._scenario, self._scenario.service(service))
        return srtp_description(stream.ssrc, stream.roll_over_counter(begins))

    def elapsed(self, moment: datetime) -> int:
        """Return how many milliseconds the broadcast has run."""
        return int((moment - self._began).total_seconds() * 1000 * self._speed)
