"""What a served network sells, and whose client IDs it wants."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from host_tools.headend.catalogue.files import load_catalogue
from host_tools.headend.catalogue.items import Catalogue
from host_tools.headend.http.client_id import AnyTerminal
from host_tools.headend.scenario.model import Scenario
from host_tools.headend.scenario.wares import offers_of


@dataclass(frozen=True, slots=True)
class Sold:
    """A catalogue file, or None for what the scenario brings along; whether terminals must show a client ID.

    Without `included` nobody gets what the catalogue includes, until it is bought or given otherwise.
    """

    catalogue: Path | None = None
    client_ids: bool = False
    included: bool = True

    def read(self, scenario: Scenario) -> Catalogue | None:
        """Return the catalogue of the file, None where there is none. Raises `CatalogueError`."""
        if self.catalogue is None:
            return None
        return load_catalogue(self.catalogue, offers_of(scenario), [service.id for service in scenario.services])

    @property
    def rule(self) -> AnyTerminal:
        """Whose client ID is wanted."""
        return AnyTerminal(self.client_ids)
