"""What of a scenario is on the air at a moment, for the BSM."""

from __future__ import annotations

from datetime import datetime

from host_tools.headend.bsm.srtp_policy import SrtpDescription, srtp_description
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.seeded_keys import media_stream


class ScenarioServices:
    """The services of a scenario whose broadcast began at `began`."""

    def __init__(self, scenario: Scenario, began: datetime) -> None:
        self._scenario = scenario
        self._began = began

    def mtk_id(self, service: str, moment: datetime) -> int:
        """Return the MTK ID of the crypto period at this moment. Raises `HeadendError` for an unknown service."""
        self._scenario.service(service)
        return self._elapsed(moment) // self._scenario.stkm.crypto_period + 1

    def stream(self, service: str, moment: datetime, first_mtk_id: int) -> SrtpDescription:
        """Describe the stream as it stands at this moment, or at the begin of this crypto period if that is later."""
        begins = (first_mtk_id - 1) * self._scenario.stkm.crypto_period
        stream = media_stream(self._scenario, self._scenario.service(service))
        return srtp_description(stream.ssrc, stream.roll_over_counter(max(self._elapsed(moment), begins)))

    def _elapsed(self, moment: datetime) -> int:
        """Return how many milliseconds the broadcast has run."""
        return int((moment - self._began).total_seconds() * 1000)
