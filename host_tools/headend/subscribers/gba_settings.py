"""What a home network says of a subscriber's GBA: its user security settings, as far as BSF and BM-SC read them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from host_tools.exchange.messages.zn import KeyChoice

_ONE_DAY = timedelta(hours=24)


class UiccType(Enum):
    """Who holds Ks: the terminal (GBA_ME) or the card (GBA_U). Values: `uiccType` of TS 29.109 annex A."""

    GBA = "GBA"
    GBA_U = "GBA_U"


@dataclass(frozen=True, slots=True)
class GbaSettings:
    """The settings of one subscriber; `lifetime` is that of Ks.

    `plain_res` is for GBA_U cards from before the flipped RES (TS 33.220 clause 5.3.2): then the BSF wants RES as it
    is. No BSF of today has such a switch; a laboratory with old cards needs it.
    """

    uicc: UiccType
    key_choice: KeyChoice
    lifetime: timedelta = _ONE_DAY
    plain_res: bool = False

    @property
    def flips_res(self) -> bool:
        """Whether the last bit of RES is flipped in a bootstrapping of this subscriber."""
        return self.uicc is UiccType.GBA_U and not self.plain_res


UICC_BASED_MBMS = GbaSettings(UiccType.GBA_U, KeyChoice.UICC_BASED)
"""A card that does GBA_U and holds the MBMS keys itself."""
